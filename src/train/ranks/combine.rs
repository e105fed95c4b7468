//! What becomes of a row that several ranks have moved: it moves by the sum of their changes, at
//! most as far as changes that are unrelated would take it.
//!
//! A row that one rank has moved keeps its change. Changes by k ranks that have nothing to do with
//! each other stand at right angles, as vectors of many dimensions do, so that their sum is about
//! the root of k times as long as one of them. Frequent rows are pulled the same way by all ranks,
//! and the plain sum would overshoot as it would within a batch
//! ([row limit](crate::engine)). So a sum is no longer than the root of k times the longest change.
//!
//! The mean, which others take, divides what a rare row has learned on the few ranks that have seen
//! it, and slows frequent ones down. `docs/cluster.md` has the measurement.

use super::words::Rows;

/// Combines the changes that each rank has made to rows of `dim` elements, in the order of the
/// ranks.
pub(super) fn combined(dim: usize, changes: &[Rows]) -> Rows {
    let mut places = vec![0; changes.len()];
    let mut combined = Rows::default();
    let mut of_row: Vec<&[f32]> = Vec::with_capacity(changes.len());
    loop {
        let next = |(rows, &place): (&Rows, &usize)| rows.numbers.get(place).copied();
        let Some(number) = changes.iter().zip(&places).filter_map(next).min() else {
            return combined;
        };
        of_row.clear();
        for (rows, place) in changes.iter().zip(&mut places) {
            if rows.numbers.get(*place) == Some(&number) {
                of_row.push(&rows.values[*place * dim..][..dim]);
                *place += 1;
            }
        }
        combined.numbers.push(number);
        add_sum(&of_row, &mut combined.values);
    }
}

/// Appends the sum of the changes of one row, within its limit.
fn add_sum(changes: &[&[f32]], combined: &mut Vec<f32>) {
    let start = combined.len();
    combined.extend_from_slice(changes[0]);
    let sum = &mut combined[start..];
    for change in &changes[1..] {
        sum.iter_mut().zip(*change).for_each(|(sum, v)| *sum += v);
    }
    let longest = changes
        .iter()
        .map(|change| square(change))
        .fold(0.0, f32::max);
    let (length, limit) = (square(sum), changes.len() as f32 * longest);
    if changes.len() > 1 && length > limit {
        let factor = (limit / length).sqrt();
        sum.iter_mut().for_each(|v| *v *= factor);
    }
}

/// The square of a change's length.
fn square(change: &[f32]) -> f32 {
    change.iter().map(|v| v * v).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(number: u32, values: &[f32]) -> Rows {
        Rows {
            numbers: vec![number],
            values: values.to_vec(),
        }
    }

    fn of(changes: &[&[f32]]) -> Vec<f32> {
        let rows: Vec<Rows> = changes.iter().map(|change| row(7, change)).collect();
        let combined = combined(changes[0].len(), &rows);
        assert_eq!(combined.numbers, [7]);
        combined.values
    }

    #[test]
    fn a_change_by_one_rank_is_kept() {
        assert_eq!(of(&[&[0.1, -3.0e8, 1e-40]]), [0.1, -3.0e8, 1e-40]);
    }

    #[test]
    fn unrelated_changes_are_added() {
        assert_eq!(of(&[&[3.0, 0.0, 0.0], &[0.0, 4.0, 0.0]]), [3.0, 4.0, 0.0]);
        // Changes that cancel each other are none.
        assert_eq!(of(&[&[3.0, 1.0], &[-3.0, -1.0]]), [0.0, 0.0]);
    }

    #[test]
    fn equal_changes_go_as_far_as_unrelated_ones() {
        let combined = of(&[[3.0, 4.0].as_slice(); 4]);
        assert_eq!(combined, [6.0, 8.0]);
    }

    #[test]
    fn rows_are_told_apart_by_their_numbers() {
        let first = Rows {
            numbers: vec![2, 9],
            values: vec![1.0, 10.0],
        };
        let third = Rows {
            numbers: vec![1, 9],
            values: vec![5.0, -20.0],
        };
        let combined = combined(1, &[first, Rows::default(), third]);
        assert_eq!(combined.numbers, [1, 2, 9]);
        assert_eq!(combined.values, [5.0, 1.0, -10.0]);
    }

    proptest! {
        /// The limit, to within the rounding of a few additions.
        #[test]
        fn no_sum_is_longer_than_its_limit(
            changes in prop::collection::vec(prop::collection::vec(-1f32..1.0, 5), 1..9),
        ) {
            let slices: Vec<&[f32]> = changes.iter().map(Vec::as_slice).collect();
            let longest = slices.iter().map(|change| square(change)).fold(0.0, f32::max);
            let limit = longest * slices.len() as f32;
            prop_assert!(square(&of(&slices)) <= limit * 1.000_01);
        }
    }
}
