//! The reference engine: f64, obvious loops, exact sums. Slow; the twin that both other engines are tested against.

use super::Engine;
use crate::batch::Batch;
use crate::error::Result;
use crate::model::{Matrix, Model};

/// Trains in f64, one pair after the other.
#[derive(Clone, Debug)]
pub struct ReferenceEngine {
    /// W, row after row.
    pub input: Vec<f64>,
    /// W', row after row.
    pub output: Vec<f64>,
    dim: usize,
    clip: f64,
    loss: f64,
}

/// The gradient of a batch, by slot, with the sign that lowers the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// Loss summed over all pairs.
    pub loss: f64,
    /// For the rows of W that the batch touches.
    pub centers: Vec<f64>,
    /// For the rows of W' that the batch touches.
    pub targets: Vec<f64>,
}

impl ReferenceEngine {
    /// Starts from a model; each step moves a row by at most `clip`.
    pub fn new(model: &Model, clip: f32) -> Self {
        let widen = |matrix: &Matrix| matrix.values().iter().map(|&value| f64::from(value)).collect();
        Self {
            input: widen(&model.input),
            output: widen(&model.output),
            dim: model.input.dim(),
            clip: f64::from(clip),
            loss: 0.0,
        }
    }

    /// Loss and negated gradient of a batch at the current model.
    pub fn gradient(&self, batch: &Batch) -> Gradient {
        let dim = self.dim;
        let mut loss = 0.0;
        let mut centers = vec![0.0; batch.center_rows.len() * dim];
        let mut targets = vec![0.0; batch.target_rows.len() * dim];
        for window in 0..batch.windows() {
            for &center in batch.centers_of(window) {
                let x = &self.input[batch.center_rows[center as usize] as usize * dim..][..dim];
                for &target in batch.targets_of(window) {
                    let t = &self.output[batch.target_rows[target.slot()] as usize * dim..][..dim];
                    let score: f64 = x.iter().zip(t).map(|(a, b)| a * b).sum();
                    let label = f64::from(u8::from(target.label()));
                    let error = label - sigmoid(score);
                    loss += softplus(if target.label() { -score } else { score });
                    for d in 0..dim {
                        centers[center as usize * dim + d] += error * t[d];
                        targets[target.slot() * dim + d] += error * x[d];
                    }
                }
            }
        }
        Gradient { loss, centers, targets }
    }
}

impl Engine for ReferenceEngine {
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        let gradient = self.gradient(batch);
        self.loss += gradient.loss;
        let lr = f64::from(lr);
        apply(&mut self.input, &batch.center_rows, &gradient.centers, self.dim, lr, self.clip);
        apply(&mut self.output, &batch.target_rows, &gradient.targets, self.dim, lr, self.clip);
        Ok(())
    }

    fn take_loss(&mut self) -> Result<f64> {
        Ok(std::mem::take(&mut self.loss))
    }

    fn model(&mut self) -> Result<Model> {
        let narrow = |values: &[f64]| Matrix::from_values(self.dim, values.iter().map(|&value| value as f32).collect());
        Ok(Model { input: narrow(&self.input), output: narrow(&self.output) })
    }

    fn describe(&self) -> String {
        "reference (f64)".to_owned()
    }
}

/// 1 / (1 + e^-x).
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log(1 + e^x) = -log sigmoid(-x), without overflow for large x.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Moves each touched row by `lr` times its sum, but no further than `clip`.
fn apply(table: &mut [f64], rows: &[u32], sums: &[f64], dim: usize, lr: f64, clip: f64) {
    for (&row, sum) in rows.iter().zip(sums.chunks_exact(dim)) {
        let length = lr * sum.iter().map(|s| s * s).sum::<f64>().sqrt();
        let factor = if length > clip { lr * clip / length } else { lr };
        for (value, sum) in table[row as usize * dim..][..dim].iter_mut().zip(sum) {
            *value += factor * sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch_of;

    #[test]
    fn sigmoid_and_softplus_at_known_points() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert!((sigmoid(2.0) - 0.880_797_077_977_882_4).abs() < 1e-15);
        assert!((softplus(0.0) - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(softplus(1e4), 1e4);
        assert_eq!(softplus(-1e4), 0.0);
    }

    /// One pair and one negative, by hand: W[0] = (1, 2), W'[1] = (0.5, 0), W'[2] = (0, -1).
    #[test]
    fn one_window_by_hand() {
        let model = Model {
            input: Matrix::from_values(2, vec![1.0, 2.0, 0.0, 0.0, 0.0, 0.0]),
            output: Matrix::from_values(2, vec![0.0, 0.0, 0.5, 0.0, 0.0, -1.0]),
        };
        let mut engine = ReferenceEngine::new(&model, 1e9);
        let batch = batch_of(3, &[(vec![0], vec![1, 2])]);
        engine.step(&batch, 0.125).unwrap();
        // Scores 0.5 and -2; errors 1 - s(0.5) = 0.377540669 and -s(-2) = -0.119202922.
        let (e1, e2) = (0.377_540_668_798_145_4, -0.119_202_922_022_117_57);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(engine.input[0], 1.0 + 0.125 * e1 * 0.5);
        close(engine.input[1], 2.0 - 0.125 * e2);
        close(engine.output[2], 0.5 + 0.125 * e1);
        close(engine.output[3], 0.125 * e1 * 2.0);
        close(engine.output[4], 0.125 * e2);
        close(engine.output[5], -1.0 + 0.125 * e2 * 2.0);
        close(engine.take_loss().unwrap(), 0.474_076_984_180_107_1 + 0.126_928_011_042_972_6);
        close(engine.take_loss().unwrap(), 0.0);
    }

    #[test]
    fn a_row_moves_no_further_than_its_limit() {
        let model = Model::new(4, 8, 1);
        let mut model = model;
        model.output = Model::new(4, 8, 2).input;
        let before = ReferenceEngine::new(&model, 0.0078125);
        let mut engine = before.clone();
        engine.step(&batch_of(4, &[(vec![0, 1], vec![2, 3])]), 1e6).unwrap();
        for row in [0, 1] {
            let moved: f64 = (0..8).map(|d| (engine.input[row * 8 + d] - before.input[row * 8 + d]).powi(2)).sum();
            assert!((moved.sqrt() - 0.0078125).abs() < 1e-12);
        }
    }

    /// Central differences of the loss, element by element, for rows that repeat within and across windows.
    #[test]
    fn gradients_agree_with_finite_differences() {
        let mut model = Model::new(6, 5, 3);
        for (matrix, seed) in [(&mut model.input, 4), (&mut model.output, 5)] {
            let start = Model::new(6, 5, seed);
            for row in 0..6 {
                // Elements up to ±1: far from the flat start, where a wrong sign could hide.
                matrix.row_mut(row).iter_mut().zip(start.input.row(row)).for_each(|(v, s)| *v = s * 10.0);
            }
        }
        let engine = ReferenceEngine::new(&model, 1.0);
        let batch = batch_of(6, &[(vec![0, 1, 0], vec![2, 3, 3, 4]), (vec![5], vec![0, 1]), (vec![], vec![2])]);
        let gradient = engine.gradient(&batch);
        let h = 1e-5;
        let check = |rows: &[u32], gradient: &[f64], table: fn(&mut ReferenceEngine) -> &mut Vec<f64>| {
            for (slot, &row) in rows.iter().enumerate() {
                for d in 0..5 {
                    let loss_at = |step: f64| {
                        let mut moved = engine.clone();
                        table(&mut moved)[row as usize * 5 + d] += step;
                        moved.gradient(&batch).loss
                    };
                    let slope = (loss_at(h) - loss_at(-h)) / (2.0 * h);
                    let negated = -gradient[slot * 5 + d];
                    // Truncation is of order h^2, cancellation of order 1e-16 / h.
                    assert!((slope - negated).abs() < 1e-8, "slot {slot}, element {d}: {slope} {negated}");
                }
            }
        };
        check(&batch.center_rows, &gradient.centers, |engine| &mut engine.input);
        check(&batch.target_rows, &gradient.targets, |engine| &mut engine.output);
    }
}
