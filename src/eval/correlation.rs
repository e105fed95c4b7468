//! Spearman's and Pearson's correlation.

/// Pearson's correlation of two series, from -1 to 1.
///
/// It is `None` for fewer than two values, for a series that never changes, and when squares of
/// differences exceed f64.
///
/// # Panics
/// When the lengths of the series differ.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "the series have one length");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        both += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    // The mean of a constant series may be off by a rounding, so its squares may not be 0.
    let changes = |values: &[f64]| values.iter().any(|value| value != &values[0]);
    let squares = square_a.sqrt() * square_b.sqrt();
    (changes(a) && changes(b) && squares.is_normal()).then(|| (both / squares).clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's correlation of the ranks. Equal values get the mean of their
/// ranks.
///
/// # Panics
/// When the lengths of the series differ.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// The rank of every value, from 1.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equals in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let rank = before as f64 + (equals.len() + 1) as f64 / 2.0;
        equals.iter().for_each(|&i| ranks[i] = rank);
        before += equals.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_of_equals_are_their_mean() {
        assert_eq!(
            ranks(&[10.0, 20.0, 10.0, -1.0, 10.0, 30.0]),
            [3.0, 5.0, 3.0, 1.0, 3.0, 6.0]
        );
        assert_eq!(ranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert_eq!(ranks(&[]), [0.0; 0]);
    }

    #[test]
    fn agrees_with_values_worked_out_by_hand() {
        // Deviations -2 -1 0 1 2 and -2 -2 1 1 2: products 4+2+0+1+4 = 11, squares 10 and 14.
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.0, 3.0, 3.0, 4.0]);
        assert!((pearson(&a, &b).unwrap() - 11.0 / 140.0f64.sqrt()).abs() < 1e-15);
        // Ranks of b: 1.5 1.5 3.5 3.5 5; products 3+1.5+0+0.5+4 = 9, squares 10 and 9.
        assert!((spearman(&a, &b).unwrap() - 9.0 / 90.0f64.sqrt()).abs() < 1e-15);
        // Ranks only: 1 2 3 against 3 1 2 is 1 - 6 (4 + 1 + 1) / (3 * 8).
        assert!((spearman(&[1.0, 10.0, 1e9], &[0.5, -7.0, 0.0]).unwrap() + 0.5).abs() < 1e-15);
    }

    #[test]
    fn is_undefined_without_change() {
        assert_eq!(pearson(&[], &[]), None);
        assert_eq!(spearman(&[1.0], &[2.0]), None);
        assert_eq!(pearson(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]), None);
        assert_eq!(spearman(&[1.0, 2.0], &[5.0, 5.0]), None);
        assert_eq!(pearson(&[f64::MAX, f64::MIN], &[1.0, 2.0]), None);
    }

    proptest! {
        #[test]
        fn knows_neither_direction_nor_scale(
            pairs in prop::collection::vec((-9i8..9, -9i8..9), 2..30),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
            let turned: Vec<f64> = a.iter().map(|a| 3.0 - a.powi(3)).collect();
            match spearman(&a, &b) {
                None => prop_assert_eq!(spearman(&turned, &b), None),
                Some(rho) => {
                    prop_assert!((-1.0..=1.0).contains(&rho));
                    prop_assert!((spearman(&b, &a).unwrap() - rho).abs() < 1e-12);
                    prop_assert!((spearman(&turned, &b).unwrap() + rho).abs() < 1e-12);
                }
            }
        }
    }
}
