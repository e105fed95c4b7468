//! Engines: the same minibatch algorithm in three executions.
//!
//! For each (center x, target t) of a window, with label y (1 for the context, 0 for a negative)
//! and score z = W\[x\]·W'\[t\], the loss is -log s(z) for y = 1 and -log s(-z) for y = 0, where s
//! is the sigmoid. Its gradient by z is s(z) - y, so that with the **error** e = y - s(z)
//!
//! ```text
//! -dloss/dW[x]  = e W'[t]        -dloss/dW'[t] = e W[x]
//! ```
//!
//! The full softmax compares a target t with every row v of W': with the probabilities p(v) =
//! exp(W\[x\]·W'\[v\]) / sum over all rows, the loss is -log p(t), and its gradient by the score of
//! v is p(v) - \[v = t\]. With the errors e(v) = \[v = t\] - p(v)
//!
//! ```text
//! -dloss/dW[x]  = sum over v of e(v) W'[v]        -dloss/dW'[v] = e(v) W[x]
//! ```
//!
//! A batch is one synchronous step: all errors are computed from the same W and W', each touched
//! row gets the sum of its contributions, and moves by `lr` times this sum, but never further than
//! `clip` (the **row limit**). Frequent rows are touched hundreds of times by equally stale
//! gradients; without the limit their plain sum overshoots and diverges.
//!
//! The sums over windows are kept in 32-bit **fixed point**: integer addition is associative, so
//! the result does not depend on the order of the threads. [`fixed_point`] says why no sum can
//! overflow and none is biased. The softmax touches every row of W', and each of its sums is made
//! by one thread, in order.

pub mod adapter;
pub mod choice;
pub mod cpu;
pub mod fixed_point;
#[cfg(feature = "gpu")]
pub mod gpu;
mod half;
pub mod memory;
pub mod reference;

use std::time::Duration;

use crate::batch::Batch;
use crate::error::Result;
use crate::model::Model;

/// How the scores of a batch become its loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Each target by itself, by its label: negative sampling and hierarchical softmax.
    Sigmoid,
    /// Each target, whatever its label, as the one to be chosen among all rows of W'.
    Softmax,
}

impl Objective {
    /// The loss of a batch when all scores are zero, as those of a model without training are: for
    /// each product of a center and a target log 2, or the log of the number of rows of W'.
    pub fn blank_loss(self, batch: &Batch, output_rows: usize) -> f64 {
        let choices = match self {
            Self::Sigmoid => 2,
            Self::Softmax => output_rows,
        };
        batch.products() as f64 * (choices as f64).ln()
    }
}

/// Trains a model batch by batch.
pub trait Engine {
    /// Queues one batch as one step with learning rate `lr`. A rate of 0 changes nothing but the
    /// loss that [`take_loss`](Self::take_loss) gives.
    ///
    /// # Errors
    /// When the device fails; also for a batch queued earlier.
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()>;

    /// The loss summed over all pairs since the last call; waits until every queued batch is done.
    ///
    /// # Errors
    /// When the device fails.
    fn take_loss(&mut self) -> Result<f64>;

    /// The model as it stands after every queued batch.
    ///
    /// # Errors
    /// When the device fails.
    fn model(&mut self) -> Result<Model>;

    /// Time that each stage of the steps took since this was last asked, in the order of a step;
    /// waits until every queued batch is done. A GPU measures only if it was asked to
    /// ([`gpu::GpuOptions::measure`]); otherwise there is no stage.
    ///
    /// # Errors
    /// When the device fails.
    fn stages(&mut self) -> Result<Vec<StageTime>> {
        Ok(Vec::new())
    }

    /// What the engine runs on, in one line that begins with its kind, such as `cpu`.
    fn describe(&self) -> String;
}

/// Time that a stage of an engine's steps took.
#[derive(Clone, Debug, PartialEq)]
pub struct StageTime {
    /// The name of the kernel, or what the host does.
    pub name: String,
    /// Whether the engine's own device was at work, rather than the host on its behalf.
    pub on_device: bool,
    /// Over all steps.
    pub time: Duration,
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::reference::ReferenceEngine;
    use super::*;
    use crate::batch::tests::batch_of;
    use crate::model::Matrix;

    /// Rows of the tables that engines are compared on: few, so that rows repeat within windows and
    /// batches.
    pub(crate) const ROWS: usize = 40;

    /// Windows as (centers, targets): none to many centers, more targets than a block, rows that
    /// repeat.
    pub(crate) fn window_strategy() -> impl Strategy<Value = Vec<(Vec<u32>, Vec<u32>)>> {
        let row = 0u32..ROWS as u32;
        prop::collection::vec(
            (
                prop::collection::vec(row.clone(), 0..11),
                prop::collection::vec(row, 1..20),
            ),
            1..150,
        )
    }

    /// Both matrices with elements as trained ones have them.
    pub(crate) fn random_model(dim: usize, seed: u64) -> Model {
        let matrix = |seed| {
            let start = Model::new(ROWS, dim, seed).input;
            let size = dim as f32 * 2.0 / (dim as f32).sqrt();
            Matrix::from_values(dim, start.values().iter().map(|v| v * size).collect())
        };
        Model {
            input: matrix(seed),
            output: matrix(seed + 1000),
        }
    }

    /// Three steps over the windows on an engine and on `reference`, from where the engine stands:
    /// loss and rows must agree.
    ///
    /// Steps are large (lr 0.5), so that hot rows reach the row limit.
    pub(crate) fn agree_after_steps(
        engine: &mut dyn Engine,
        objective: Objective,
        windows: &[(Vec<u32>, Vec<u32>)],
        clip: f32,
    ) {
        let batch = batch_of(ROWS, windows);
        let mut reference = ReferenceEngine::new(&engine.model().unwrap(), objective, clip);
        for _ in 0..3 {
            engine.step(&batch, 0.5).unwrap();
            reference.step(&batch, 0.5).unwrap();
        }
        let (loss, expected) = (engine.take_loss().unwrap(), reference.take_loss().unwrap());
        assert!(
            (loss - expected).abs() <= 2e-5 * expected + 1e-9,
            "loss {loss}, expected {expected}"
        );
        let (own, expected) = (engine.model().unwrap(), reference.model().unwrap());
        for (own, expected) in [
            (&own.input, &expected.input),
            (&own.output, &expected.output),
        ] {
            let dim = own.dim();
            for (at, (own, expected)) in own.values().iter().zip(expected.values()).enumerate() {
                // f32 scores are off by some 1e-6, fixed point by less than 2^-18 for each of up to
                // 150 contributions, three times, and a row at its limit turns with the sum: 2e-4
                // is ten times what all that adds up to.
                assert!(
                    (own - expected).abs() < 2e-4,
                    "row {}, element {}: {own} {expected}",
                    at / dim,
                    at % dim
                );
            }
        }
    }

    /// The same windows with two targets at most: the reference takes its time over a softmax.
    pub(crate) fn with_few_targets(windows: &[(Vec<u32>, Vec<u32>)]) -> Vec<(Vec<u32>, Vec<u32>)> {
        windows
            .iter()
            .map(|(centers, targets)| (centers.clone(), targets[..targets.len().min(2)].to_vec()))
            .collect()
    }

    /// A model whose scores are up to ±1e4: e to that power is beyond any float.
    pub(crate) fn model_of_huge_scores(dim: usize) -> Model {
        let start = random_model(dim, 9);
        let grown = |matrix: &Matrix| {
            let rows = (0..matrix.rows()).flat_map(|row| {
                let row = matrix.row(row);
                let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
                row.iter().map(move |v| v * 100.0 / length)
            });
            Matrix::from_values(dim, rows.collect())
        };
        // Some pairs of rows point the same way: their score is 1e4 itself.
        let (input, mut output) = (grown(&start.input), grown(&start.output));
        (0..ROWS / 2).for_each(|row| output.row_mut(row).copy_from_slice(input.row(row)));
        (0..ROWS / 4).for_each(|row| output.row_mut(row).iter_mut().for_each(|v| *v = -*v));
        Model { input, output }
    }

    /// A step with a learning rate of 0 gives the loss and changes no bit of the model.
    pub(crate) fn a_rate_of_zero_changes_nothing(engine: &mut dyn Engine, objective: Objective) {
        let before = engine.model().unwrap();
        let windows = [(vec![0, 1, 2], vec![3, 4]), (vec![5], vec![0])];
        let batch = batch_of(ROWS, &windows);
        engine.step(&batch, 0.0).unwrap();
        let loss = engine.take_loss().unwrap();
        assert!(engine.model().unwrap() == before);
        let mut reference = ReferenceEngine::new(&before, objective, 0.25);
        reference.step(&batch, 0.0).unwrap();
        let expected = reference.take_loss().unwrap();
        assert!(
            (loss - expected).abs() < 1e-5 * expected,
            "{loss} {expected}"
        );
    }

    /// Rows that are touched ten thousand times move as they should, though no contribution to them
    /// is as large as the rounding of a sum that has room for ten thousand contributions of any
    /// trained size.
    pub(crate) fn small_contributions_to_frequent_rows_count(
        start: impl FnOnce(&Model) -> Box<dyn Engine>,
    ) {
        let shrunk = |matrix: &Matrix| {
            Matrix::from_values(
                matrix.dim(),
                matrix.values().iter().map(|value| value * 1e-4).collect(),
            )
        };
        let model = random_model(20, 12);
        let model = Model {
            input: shrunk(&model.input),
            output: shrunk(&model.output),
        };
        // Row 0 of W' is a target of every window, row 0 of W a center of every run.
        let windows: Vec<_> = (0..10_000u32)
            .map(|w| (vec![0, 1 + w % 39], vec![0, 1 + w * 7 % 39]))
            .collect();
        let batch = batch_of(ROWS, &windows);
        let mut engine = start(&model);
        let mut reference = ReferenceEngine::new(&model, Objective::Sigmoid, 0.25);
        // So small a rate that the row limit is not met.
        engine.step(&batch, 0.01).unwrap();
        reference.step(&batch, 0.01).unwrap();
        let (own, expected) = (engine.model().unwrap(), reference.model().unwrap());
        for (before, own, expected) in [
            (&model.input, &own.input, &expected.input),
            (&model.output, &own.output, &expected.output),
        ] {
            for row in 0..ROWS {
                let length = |to: &Matrix, from: &Matrix| {
                    let squares = to
                        .row(row)
                        .iter()
                        .zip(from.row(row))
                        .map(|(a, b)| f64::from(a - b).powi(2));
                    squares.sum::<f64>().sqrt()
                };
                let (moved, off) = (length(expected, before), length(own, expected));
                // A unit is 2^-15 of the largest element, and the root of 10^4 contributions is
                // 100: some 1e-5 of the way.
                assert!(
                    moved > 1e-7 && off < 1e-3 * moved,
                    "row {row} moves by {moved}, and is off by {off}"
                );
            }
        }
    }

    /// A model carries along what an engine's elements have been, also where none is as large any
    /// more: an engine that is started from it goes on as the first would have.
    pub(crate) fn a_model_goes_on_as_the_engine_it_comes_from(
        start: impl Fn(&Model) -> Box<dyn Engine>,
    ) {
        let batch = batch_of(
            ROWS,
            &[
                ((0..20).collect(), vec![1, 33]),
                ((5..22).collect(), vec![7]),
            ],
        );
        let Model { input, output } = random_model(20, 8);
        let three_steps = |engine: &mut dyn Engine| {
            (0..3).for_each(|_| engine.step(&batch, 0.5).unwrap());
            engine.model().unwrap()
        };
        let mut first = start(&Model {
            input: input.having_reached(50.0),
            output,
        });
        let between = three_steps(&mut *first);
        assert_eq!(between.input.largest(), 50.0);
        let end = three_steps(&mut *first);
        assert!(end == three_steps(&mut *start(&between)));
        let values = |matrix: &Matrix| Matrix::from_values(matrix.dim(), matrix.values().to_vec());
        let forgetful = Model {
            input: values(&between.input),
            output: values(&between.output),
        };
        assert!(end.output.values() != three_steps(&mut *start(&forgetful)).output.values());
    }

    #[test]
    fn the_loss_of_a_blank_model() {
        let blank = Model {
            input: random_model(4, 1).input,
            output: Matrix::zeros(ROWS, 4),
        };
        let batch = batch_of(ROWS, &[(vec![0, 1, 2], vec![3, 4]), (vec![5], vec![0])]);
        for objective in [Objective::Sigmoid, Objective::Softmax] {
            let loss = ReferenceEngine::new(&blank, objective, 0.25)
                .gradient(&batch)
                .loss;
            assert!((objective.blank_loss(&batch, ROWS) - loss).abs() < 1e-12 * loss);
        }
    }
}
