//! The reference engine: f64, obvious loops, exact sums. It is slow, and the twin that both other
//! engines are tested against.

use std::borrow::Cow;

use super::sums::{no_sums, sums_wait};
use super::{Engine, LossFunction, Objective, check_rows, half};
use crate::batch::{Batch, CbowGradient, Inputs, Row, Target};
use crate::error::Result;
use crate::model::{Matrix, Model, Table};

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
    ///
    /// # Panics
    /// When the batch was made for other inputs.
    pub fn gradient(&self, batch: &Batch) -> Gradient {
        self.objective.check(batch);
        let mut gradient = Gradient {
            loss: 0.0,
            input: vec![0.0; self.input.len()],
            output: vec![0.0; self.output.len()],
        };
        let words = self.words(batch);
        for (window, centers) in batch.windows_with_centers() {
            for input in self.inputs(&words, &centers) {
                let by_input = self.input_gradient(&input.value, batch, window, &mut gradient);
                for row in &input.rows {
                    let sums = &mut gradient.input[row.index() * self.dim..][..self.dim];
                    sums.iter_mut()
                        .zip(&by_input)
                        .for_each(|(sum, value)| *sum += input.weight * value);
                }
            }
        }
        if self.objective.subwords {
            gradient.input = self.by_parts(batch, &gradient.input);
        }
        gradient
    }

    /// W as windows see it: in the place of each center's own row the word that is composed of its
    /// parts.
    fn words(&self, batch: &Batch) -> Cow<'_, [f64]> {
        if !self.objective.subwords {
            return Cow::Borrowed(&self.input);
        }
        let mut words = self.input.clone();
        for (slot, word) in batch.center_rows.iter().enumerate() {
            let parts = batch.parts.of(slot);
            let word = &mut words[word.index() * self.dim..][..self.dim];
            word.fill(0.0);
            for part in parts {
                let row = &self.input[part.index() * self.dim..][..self.dim];
                word.iter_mut()
                    .zip(row)
                    .for_each(|(word, value)| *word += value / parts.len() as f64);
            }
        }
        Cow::Owned(words)
    }

    /// The gradient by words, whole for each of their parts.
    fn by_parts(&self, batch: &Batch, by_words: &[f64]) -> Vec<f64> {
        let mut by_parts = vec![0.0; self.input.len()];
        for (slot, word) in batch.center_rows.iter().enumerate() {
            let by_word = &by_words[word.index() * self.dim..][..self.dim];
            for part in batch.parts.of(slot) {
                let sums = &mut by_parts[part.index() * self.dim..][..self.dim];
                sums.iter_mut()
                    .zip(by_word)
                    .for_each(|(sum, value)| *sum += value);
            }
        }
        by_parts
    }

    /// The negated gradient by an input that meets the targets of a window. Adds the loss, and the
    /// gradient by rows of W'.
    fn input_gradient(
        &self,
        input: &[f64],
        batch: &Batch,
        window: usize,
        gradient: &mut Gradient,
    ) -> Vec<f64> {
        let row = |target: &Target| batch.target_rows[target.slot().index()].index();
        let targets = batch.targets_of(window);
        let mut by_input = vec![0.0; self.dim];
        match self.objective.loss {
            LossFunction::Sigmoid => {
                for target in targets {
                    let (score, label) = (self.score(input, row(target)), target.label());
                    gradient.loss += softplus(if label { -score } else { score });
                    let error = f64::from(u8::from(label)) - sigmoid(score);
                    self.add(input, row(target), error, &mut by_input, gradient);
                }
            }
            LossFunction::Softmax => {
                let all: Vec<usize> = (0..self.output.len() / self.dim).collect();
                for target in targets {
                    self.choose(input, &all, row(target), &mut by_input, gradient);
                }
            }
            LossFunction::Choice { branches } => {
                for choice in targets.chunks(branches) {
                    let rows: Vec<usize> = choice.iter().map(row).collect();
                    let chosen = choice.iter().position(|target| target.label());
                    let chosen = chosen.expect("the batch labels one target of each choice");
                    self.choose(input, &rows, chosen, &mut by_input, gradient);
                }
            }
        }
        by_input
    }

    /// Adds the loss and the contributions of the choice of `rows[chosen]` among rows of W'.
    fn choose(
        &self,
        input: &[f64],
        rows: &[usize],
        chosen: usize,
        by_input: &mut [f64],
        gradient: &mut Gradient,
    ) {
        let scores: Vec<f64> = rows.iter().map(|&row| self.score(input, row)).collect();
        let total = log_sum_exp(&scores);
        gradient.loss += total - scores[chosen];
        for (at, (&row, score)) in rows.iter().zip(&scores).enumerate() {
            let wanted = f64::from(u8::from(at == chosen));
            self.add(
                input,
                row,
                wanted - (score - total).exp(),
                by_input,
                gradient,
            );
        }
    }

    /// The inputs that a window's centers make, which are rows of `words`.
    fn inputs(&self, words: &[f64], centers: &[Row]) -> Vec<Input> {
        let row = |row: &Row| words[row.index() * self.dim..][..self.dim].to_vec();
        let Inputs::Mean(whole_or_share) = self.objective.inputs else {
            let alone = |center: &Row| Input {
                value: row(center),
                rows: vec![*center],
                weight: 1.0,
            };
            return centers.iter().map(alone).collect();
        };
        if centers.is_empty() {
            return Vec::new();
        }
        let share = 1.0 / centers.len() as f64;
        let mut mean = vec![0.0; self.dim];
        for center in centers {
            mean.iter_mut()
                .zip(row(center))
                .for_each(|(mean, value)| *mean += share * value);
        }
        vec![Input {
            value: mean,
            rows: centers.to_vec(),
            weight: match whole_or_share {
                CbowGradient::Whole => 1.0,
                CbowGradient::Share => share,
            },
        }]
    }

    fn score(&self, input: &[f64], target: usize) -> f64 {
        let target = &self.output[target * self.dim..][..self.dim];
        input.iter().zip(target).map(|(a, b)| a * b).sum()
    }

    /// Adds the contributions of one score with its error.
    fn add(
        &self,
        input: &[f64],
        target: usize,
        error: f64,
        by_input: &mut [f64],
        gradient: &mut Gradient,
    ) {
        for d in 0..self.dim {
            by_input[d] += error * self.output[target * self.dim + d];
            gradient.output[target * self.dim + d] += error * input[d];
        }
    }
}

/// What has scores with the targets of a window.
struct Input {
    value: Vec<f64>,
    /// The rows of W that the value is made of.
    rows: Vec<Row>,
    /// The part of the gradient by the value that each of these rows gets.
    weight: f64,
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

    /// Rows come and go as f32, which rounds them.
    fn set_rows(&mut self, table: Table, first: usize, rows: &Matrix) -> Result<()> {
        let table = match table {
            Table::Input => &mut self.input,
            Table::Output => &mut self.output,
        };
        check_rows(table.len() / self.dim, self.dim, first, rows)?;
        let values = rows.values().iter().map(|&value| f64::from(value));
        let places = &mut table[first * self.dim..];
        places
            .iter_mut()
            .zip(values)
            .for_each(|(place, value)| *place = value);
        Ok(())
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
    use crate::engine::tests::{
        WITH_SUBWORDS, batch_for, random_model, scored_one_by_one, subword_table,
    };

    #[test]
    fn sigmoid_and_softplus_at_known_points() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert!((sigmoid(2.0) - 0.880_797_077_977_882_4).abs() < 1e-15);
        assert!((softplus(0.0) - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(softplus(1e4), 1e4);
        assert_eq!(softplus(-1e4), 0.0);
    }

    #[test]
    fn rows_come_and_go() {
        let (first, other) = (random_model(3, 1), random_model(3, 2));
        let mut engine = ReferenceEngine::new(&first, Objective::SIGMOID, 0.25);
        for table in Table::BOTH {
            let rows = engine.rows(table, 7..9).unwrap();
            assert_eq!(rows.values(), first.table(table).rows_of(7..9).values());
            let others = other.table(table).rows_of(4..8);
            engine.set_rows(table, 4, &others).unwrap();
            let after = engine.model().unwrap();
            assert_eq!(after.table(table).rows_of(4..8).values(), others.values());
            assert_eq!(after.table(table).row(8), first.table(table).row(8));
            engine.set_rows(table, 39, &others).unwrap_err();
        }
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
        let windows = [
            (vec![0, 1, 0], vec![2, 3, 3, 4]),
            (vec![5], vec![0, 1]),
            (vec![], vec![2]),
        ];
        // The whole gradient of a mean, for each of its rows, is that of another function.
        let whole = Inputs::Mean(CbowGradient::Whole);
        let objectives = [&scored_one_by_one()[..], &[Objective::SOFTMAX]].concat();
        for objective in objectives
            .into_iter()
            .filter(|objective| objective.inputs != whole)
        {
            let batch = batch_for(objective, &windows);
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

    /// With subwords each part of a word gets the word's whole gradient, as in fastText, and the
    /// gradient by a part is one in as many as the word has parts. So the loss must fall by the
    /// whole gradient of each word times the way of its composed vector.
    #[test]
    fn words_get_their_gradient_and_parts_get_it_whole() {
        let windows = [
            (vec![0, 1, 0], vec![2, 3, 3, 4]),
            (vec![5, 24], vec![0, 1]),
            (vec![], vec![2]),
        ];
        let (model, table) = (random_model(5, 3), subword_table());
        for objective in WITH_SUBWORDS {
            let share = Objective {
                inputs: match objective.inputs {
                    Inputs::Each => Inputs::Each,
                    Inputs::Mean(_) => Inputs::Mean(CbowGradient::Share),
                },
                ..objective
            };
            let batch = batch_for(share, &windows);
            let engine = ReferenceEngine::new(&model, share, 1.0);
            let words = ReferenceEngine {
                input: engine.words(&batch).into_owned(),
                objective: Objective {
                    subwords: false,
                    ..share
                },
                ..engine.clone()
            };
            let whole = Batch {
                parts: crate::batch::Parts::default(),
                ..batch.clone()
            };
            let by_words = words.gradient(&whole);
            let gradient = engine.gradient(&batch);
            assert!((gradient.loss - by_words.loss).abs() < 1e-12);
            assert_eq!(gradient.output, by_words.output);
            // By the chain rule, an element of a part changes the loss by the share of each word
            // that it is a part of.
            let h = 1e-5;
            for at in 0..engine.input.len() {
                let loss_at = |step: f64| {
                    let mut moved = engine.clone();
                    moved.input[at] += step;
                    moved.gradient(&batch).loss
                };
                let slope = (loss_at(h) - loss_at(-h)) / (2.0 * h);
                let (row, column) = (at / 5, at % 5);
                let (mut expected, mut given) = (0.0, 0.0);
                for word in &batch.center_rows {
                    let parts = table.parts(word.index());
                    let times = parts.iter().filter(|&&part| part as usize == row).count() as f64;
                    let by_word = by_words.input[word.index() * 5 + column];
                    expected += by_word * times / parts.len() as f64;
                    given += by_word * times;
                }
                assert!(
                    (slope + expected).abs() < 1e-8,
                    "{objective:?}, {at}: {slope}"
                );
                assert!(
                    (gradient.input[at] - given).abs() < 1e-12,
                    "{objective:?}, {at}"
                );
            }
        }
    }

    /// Of windows of three centers, each center gets three times its share, and a repeated one as
    /// often more; the rest is alike.
    #[test]
    fn the_whole_gradient_is_the_share_of_each_center_times_their_number() {
        let windows = [
            (vec![0, 1, 0], vec![2, 3, 3, 4]),
            (vec![5, 2, 1], vec![0, 1]),
        ];
        for objective in scored_one_by_one() {
            let Inputs::Mean(_) = objective.inputs else {
                continue;
            };
            let [whole, share] = [CbowGradient::Whole, CbowGradient::Share].map(|gradient| {
                let objective = Objective {
                    inputs: Inputs::Mean(gradient),
                    ..objective
                };
                let batch = batch_for(objective, &windows);
                ReferenceEngine::new(&random_model(5, 3), objective, 1.0).gradient(&batch)
            });
            assert_eq!((whole.loss, whole.output), (share.loss, share.output));
            assert!(whole.input.iter().any(|value| value.abs() > 0.01));
            for (whole, share) in whole.input.iter().zip(&share.input) {
                assert!((whole - 3.0 * share).abs() < 1e-12, "{whole} {share}");
            }
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
