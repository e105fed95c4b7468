//! The reference engine: f64, obvious loops, exact sums. It is slow, and the twin that both other
//! engines are tested against.

use super::sums::{no_sums, sums_wait};
use super::{Engine, LossFunction, Objective, half};
use crate::batch::{Batch, Row};
use crate::error::Result;
use crate::model::{Matrix, Model};

/// Trains in f64, one pair after the other.
#[derive(Clone, Debug)]
pub struct ReferenceEngine {
    /// W, row after row.
    pub input: Vec<f64>,
    /// W', row after row.
    pub output: Vec<f64>,
    objective: Objective,
    dim: usize,
    clip: f64,
    /// The seed by which elements are rounded to 16 bits, if they are.
    rounding: Option<u64>,
    /// The loss of all batches since it was last taken.
    loss: f64,
    /// The gradient of a batch whose rows have not moved yet, with the words seen before the batch.
    held: Option<(Gradient, u64)>,
}

/// The gradient of a batch, with the sign that lowers the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// Loss summed over all pairs.
    pub loss: f64,
    /// For the rows of W.
    pub input: Vec<f64>,
    /// For the rows of W'.
    pub output: Vec<f64>,
}

impl ReferenceEngine {
    /// Starts from a model; each step moves a row by at most `clip`.
    pub fn new(model: &Model, objective: Objective, clip: f32) -> Self {
        let widen = |matrix: &Matrix| {
            matrix
                .values()
                .iter()
                .map(|&value| f64::from(value))
                .collect()
        };
        Self {
            input: widen(&model.input),
            output: widen(&model.output),
            objective,
            dim: model.input.dim(),
            clip: f64::from(clip),
            rounding: None,
            loss: 0.0,
            held: None,
        }
    }

    /// Rounds every element that moves to a 16-bit float, by draws from `seed`. The elements of the
    /// start should be such floats.
    pub fn storing_halves(self, seed: u64) -> Self {
        Self {
            rounding: Some(seed),
            ..self
        }
    }

    /// Loss and negated gradient of a batch at the current model.
    pub fn gradient(&self, batch: &Batch) -> Gradient {
        let mut gradient = Gradient {
            loss: 0.0,
            input: vec![0.0; self.input.len()],
            output: vec![0.0; self.output.len()],
        };
        for (window, centers) in batch.windows_with_centers() {
            for center in centers.into_iter().map(Row::index) {
                for target in batch.targets_of(window) {
                    let row = batch.target_rows[target.slot().index()].index();
                    match self.objective.loss {
                        LossFunction::Sigmoid => {
                            self.sigmoid_pair(center, row, target.label(), &mut gradient)
                        }
                        LossFunction::Softmax => self.softmax_pair(center, row, &mut gradient),
                    }
                }
            }
        }
        gradient
    }

    fn sigmoid_pair(&self, center: usize, target: usize, label: bool, gradient: &mut Gradient) {
        let score = self.score(center, target);
        gradient.loss += softplus(if label { -score } else { score });
        self.add(
            center,
            target,
            f64::from(u8::from(label)) - sigmoid(score),
            gradient,
        );
    }

    fn softmax_pair(&self, center: usize, target: usize, gradient: &mut Gradient) {
        let scores: Vec<f64> = (0..self.output.len() / self.dim)
            .map(|row| self.score(center, row))
            .collect();
        let total = log_sum_exp(&scores);
        gradient.loss += total - scores[target];
        for (row, score) in scores.iter().enumerate() {
            let wanted = f64::from(u8::from(row == target));
            self.add(center, row, wanted - (score - total).exp(), gradient);
        }
    }

    fn score(&self, center: usize, target: usize) -> f64 {
        let (x, t) = (
            &self.input[center * self.dim..][..self.dim],
            &self.output[target * self.dim..][..self.dim],
        );
        x.iter().zip(t).map(|(a, b)| a * b).sum()
    }

    /// Adds the contributions of one score with its error.
    fn add(&self, center: usize, target: usize, error: f64, gradient: &mut Gradient) {
        for d in 0..self.dim {
            gradient.input[center * self.dim + d] += error * self.output[target * self.dim + d];
            gradient.output[target * self.dim + d] += error * self.input[center * self.dim + d];
        }
    }
}

impl Engine for ReferenceEngine {
    /// Makes the gradient, for either loss function: sums in f64 need no scales.
    fn accumulate(&mut self, batch: &Batch) -> Result<()> {
        if self.held.is_some() {
            return Err(sums_wait());
        }
        let gradient = self.gradient(batch);
        self.loss += gradient.loss;
        self.held = Some((gradient, batch.words_before));
        Ok(())
    }

    fn apply(&mut self, lr: f32) -> Result<()> {
        let (gradient, words_before) = self.held.take().ok_or_else(no_sums)?;
        let (dim, lr, clip) = (self.dim, f64::from(lr), self.clip);
        apply(&mut self.input, &gradient.input, dim, lr, clip);
        apply(&mut self.output, &gradient.output, dim, lr, clip);
        if let Some(seed) = self.rounding {
            let key = half::key(seed, words_before);
            round(&mut self.input, dim, key, false);
            round(&mut self.output, dim, key, true);
        }
        Ok(())
    }

    fn take_loss(&mut self) -> Result<f64> {
        Ok(std::mem::take(&mut self.loss))
    }

    fn model(&mut self) -> Result<Model> {
        let narrow = |values: &[f64]| {
            Matrix::from_values(self.dim, values.iter().map(|&value| value as f32).collect())
        };
        Ok(Model {
            input: narrow(&self.input),
            output: narrow(&self.output),
        })
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

/// log(sum of e^x), without overflow for large x.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest
        + values
            .iter()
            .map(|value| (value - largest).exp())
            .sum::<f64>()
            .ln()
}

/// Moves each row by `lr` times its sum, but no further than `clip`.
fn apply(table: &mut [f64], sums: &[f64], dim: usize, lr: f64, clip: f64) {
    for (row, sum) in table.chunks_exact_mut(dim).zip(sums.chunks_exact(dim)) {
        let length = lr * sum.iter().map(|s| s * s).sum::<f64>().sqrt();
        let factor = if length > clip {
            lr * clip / length
        } else {
            lr
        };
        row.iter_mut()
            .zip(sum)
            .for_each(|(value, sum)| *value += factor * sum);
    }
}

/// Rounds a table to 16-bit floats. An element that has not moved is such a float, and stays.
fn round(table: &mut [f64], dim: usize, key: [u32; 2], is_output: bool) {
    for (row, values) in table.chunks_exact_mut(dim).enumerate() {
        for (column, four) in values.chunks_mut(4).enumerate() {
            let draws = half::draws(key, is_output, row as u32, column as u32);
            four.iter_mut()
                .zip(draws)
                .for_each(|(value, draw)| *value = half::round(*value, draw));
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
        let mut engine = ReferenceEngine::new(&model, Objective::SIGMOID, 1e9);
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
        close(
            engine.take_loss().unwrap(),
            0.474_076_984_180_107_1 + 0.126_928_011_042_972_6,
        );
        close(engine.take_loss().unwrap(), 0.0);
    }

    #[test]
    fn a_row_moves_no_further_than_its_limit() {
        let model = Model::new(4, 8, 1);
        let mut model = model;
        model.output = Model::new(4, 8, 2).input;
        let before = ReferenceEngine::new(&model, Objective::SIGMOID, 0.0078125);
        let mut engine = before.clone();
        engine
            .step(&batch_of(4, &[(vec![0, 1], vec![2, 3])]), 1e6)
            .unwrap();
        for row in [0, 1] {
            let moved: f64 = (0..8)
                .map(|d| (engine.input[row * 8 + d] - before.input[row * 8 + d]).powi(2))
                .sum();
            assert!((moved.sqrt() - 0.0078125).abs() < 1e-12);
        }
    }

    /// Central differences of the loss, element by element, for rows that repeat within and across
    /// windows.
    #[test]
    fn gradients_agree_with_finite_differences() {
        let mut model = Model::new(6, 5, 3);
        for (matrix, seed) in [(&mut model.input, 4), (&mut model.output, 5)] {
            let start = Model::new(6, 5, seed);
            for row in 0..6 {
                // Elements up to ±1: far from the flat start, where a wrong sign could hide.
                matrix
                    .row_mut(row)
                    .iter_mut()
                    .zip(start.input.row(row))
                    .for_each(|(v, s)| *v = s * 10.0);
            }
        }
        let batch = batch_of(
            6,
            &[
                (vec![0, 1, 0], vec![2, 3, 3, 4]),
                (vec![5], vec![0, 1]),
                (vec![], vec![2]),
            ],
        );
        for objective in [Objective::SIGMOID, Objective::SOFTMAX] {
            let engine = ReferenceEngine::new(&model, objective, 1.0);
            let gradient = engine.gradient(&batch);
            let h = 1e-5;
            let check = |gradient: &[f64], table: fn(&mut ReferenceEngine) -> &mut Vec<f64>| {
                for (at, negated) in gradient.iter().enumerate() {
                    let loss_at = |step: f64| {
                        let mut moved = engine.clone();
                        table(&mut moved)[at] += step;
                        moved.gradient(&batch).loss
                    };
                    let slope = (loss_at(h) - loss_at(-h)) / (2.0 * h);
                    // Truncation is of order h^2, cancellation of order 1e-16 / h.
                    assert!(
                        (slope + negated).abs() < 1e-8,
                        "{objective:?}, element {at}: {slope} {negated}"
                    );
                }
            };
            check(&gradient.input, |engine| &mut engine.input);
            check(&gradient.output, |engine| &mut engine.output);
        }
    }

    /// One pair among three words, by hand: W[0] = (1, 2), W' = (0, 0), (0.5, 0), (0, -1); the
    /// context is word 1.
    #[test]
    fn one_softmax_by_hand() {
        let model = Model {
            input: Matrix::from_values(2, vec![1.0, 2.0, 0.0, 0.0, 0.0, 0.0]),
            output: Matrix::from_values(2, vec![0.0, 0.0, 0.5, 0.0, 0.0, -1.0]),
        };
        let gradient = ReferenceEngine::new(&model, Objective::SOFTMAX, 1.0)
            .gradient(&batch_of(3, &[(vec![0], vec![1])]));
        // Scores 0, 0.5 and -2: e^0 + e^0.5 + e^-2 = 2.784056553936741, its log 1.023909; shares
        // .359188, .592201, .048611.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(gradient.loss, 1.023_909 - 0.5);
        let shares = [0.359_188, 0.592_201, 0.048_611];
        close(gradient.input[0], (1.0 - shares[1]) * 0.5);
        close(gradient.input[1], shares[2]);
        for (row, wanted) in [0.0, 1.0, 0.0].into_iter().enumerate() {
            close(gradient.output[2 * row], wanted - shares[row]);
            close(gradient.output[2 * row + 1], 2.0 * (wanted - shares[row]));
        }
        assert_eq!(gradient.input[2..], [0.0; 4]);
    }

    #[test]
    fn a_softmax_of_huge_scores_stays_finite() {
        assert!((log_sum_exp(&[1e4, 1e4]) - (1e4 + std::f64::consts::LN_2)).abs() < 1e-9);
        assert_eq!(log_sum_exp(&[-1e4, 1e4]), 1e4);
    }
}
