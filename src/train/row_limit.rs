//! Measures how many rows of a batch move as far as the row limit lets them.

use crate::batch::{Batch, Row};
use crate::model::{Matrix, Model};

/// The share of the row limit from which on a movement counts as being at the limit: storage in 16
/// bits rounds.
const NEAR: f32 = 0.99;

/// The rows that a batch touches, with their values before its step.
#[derive(Debug)]
pub(crate) struct Touched {
    input: Rows,
    output: Rows,
}

#[derive(Debug)]
struct Rows {
    rows: Vec<Row>,
    values: Vec<f32>,
}

impl Touched {
    /// Copies the rows of `model` that `batch` touches. The step on the batch comes later.
    pub(crate) fn before(batch: &Batch, model: &Model) -> Self {
        let centers = if batch.parts.is_some() {
            &batch.parts.rows
        } else {
            &batch.center_rows
        };
        Self {
            input: Rows::of(centers, &model.input),
            output: Rows::of(&batch.target_rows, &model.output),
        }
    }

    /// The share of these rows, 0 to 1, that the batch moved by `clip`. It is the larger of the
    /// shares in W and in W'.
    pub(crate) fn at_limit(&self, model: &Model, clip: f32) -> f64 {
        self.input
            .at_limit(&model.input, clip)
            .max(self.output.at_limit(&model.output, clip))
    }
}

impl Rows {
    fn of(rows: &[Row], matrix: &Matrix) -> Self {
        let values = rows
            .iter()
            .flat_map(|row| matrix.row(row.index()))
            .copied()
            .collect();
        Self {
            rows: rows.to_vec(),
            values,
        }
    }

    fn at_limit(&self, now: &Matrix, clip: f32) -> f64 {
        let moved = |(row, then): (&Row, &[f32])| {
            let square = |(now, then): (&f32, &f32)| (now - then).powi(2);
            now.row(row.index())
                .iter()
                .zip(then)
                .map(square)
                .sum::<f32>()
                .sqrt()
        };
        let rows = self.rows.iter().zip(self.values.chunks(now.dim()));
        let limited = rows
            .map(moved)
            .filter(|&length| length >= NEAR * clip)
            .count();
        limited as f64 / self.rows.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_moved_as_far_as_they_may_are_counted() {
        let batch = Batch {
            center_rows: [0, 2].map(Row).to_vec(),
            target_rows: [0, 1, 2].map(Row).to_vec(),
            ..Batch::default()
        };
        let zeros = || Matrix::zeros(3, 2);
        let touched = Touched::before(
            &batch,
            &Model {
                input: zeros(),
                output: zeros(),
            },
        );
        // The batch does not touch row 1 of W, so the row does not count.
        let input = Matrix::from_values(2, vec![0.1, 0.0, 9.0, 9.0, 0.0, 0.2]);
        let mut model = Model {
            input,
            output: zeros(),
        };
        assert_eq!(touched.at_limit(&model, 0.25), 0.0);
        assert_eq!(touched.at_limit(&model, 0.2), 0.5);
        model.output.row_mut(0).copy_from_slice(&[0.15, 0.2]);
        model.output.row_mut(1).copy_from_slice(&[-0.25, 0.0]);
        assert_eq!(touched.at_limit(&model, 0.25), 2.0 / 3.0);
        assert_eq!(
            Touched::before(&Batch::default(), &model).at_limit(&model, 0.25),
            0.0
        );
    }
}
