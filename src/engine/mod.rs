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
//! In a tree whose nodes have more than two branches, a path is such a choice at each of its nodes,
//! among the rows of the node's branches alone (Goodman 2001; Morin and Bengio 2005).
//!
//! In CBOW the mean h of a window's m centers takes the place of W\[x\]:
//!
//! ```text
//! h = 1/m sum of W[x]        -dloss/dh = sum over targets of e W'[t]        -dloss/dW'[t] = e h
//! ```
//!
//! By the chain rule each center gets 1/m of the gradient by h. word2vec.c gives it the whole
//! ([`CbowGradient`](crate::batch::CbowGradient)).
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
mod objective;
pub mod reference;
pub mod sums;

use std::ops::Range;
use std::time::Duration;

pub use self::objective::{LossFunction, Objective};
use self::sums::{BatchSums, sums_are_floats};
use crate::batch::{Batch, Packer};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, Table};

/// Trains a model batch by batch.
///
/// A step has two halves: [`accumulate`](Self::accumulate) adds up the contributions of a batch,
/// and [`apply`](Self::apply) moves the rows by the sums. Between them the sums can be
/// [read](Self::sums) and [replaced](Self::set_sums). The halves give the same bits as
/// [`step`](Self::step).
pub trait Engine {
    /// Queues one batch as one step with learning rate `lr`. A rate of 0 changes nothing but the
    /// loss that [`take_loss`](Self::take_loss) gives.
    ///
    /// Engines override it where the halves must keep something in between that a whole step does
    /// not need, or where they have no halves.
    ///
    /// # Errors
    /// When the device fails, also for a batch queued earlier; [`Error::Halves`] between the halves
    /// of another step.
    ///
    /// [`Error::Halves`]: crate::Error::Halves
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        self.accumulate(batch)?;
        self.apply(lr)
    }

    /// The first half of a step: queues a batch, adds up its contributions and its loss, and moves
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Halves`] when the engine has no halves, as with a full softmax, or still holds the
    /// sums of another batch. Otherwise as [`step`](Self::step).
    ///
    /// [`Error::Halves`]: crate::Error::Halves
    fn accumulate(&mut self, batch: &Batch) -> Result<()>;

    /// The second half of a step: moves each row by `lr` times its sum, within the row limit.
    ///
    /// # Errors
    /// [`Error::Halves`] when there are no sums. Otherwise as [`step`](Self::step).
    ///
    /// [`Error::Halves`]: crate::Error::Halves
    fn apply(&mut self, lr: f32) -> Result<()>;

    /// The sums between the halves of a step; waits until they are complete.
    ///
    /// # Errors
    /// [`Error::Halves`] when there are none, or when the engine's sums are floats. Otherwise as
    /// [`step`](Self::step).
    ///
    /// [`Error::Halves`]: crate::Error::Halves
    fn sums(&mut self) -> Result<BatchSums> {
        Err(sums_are_floats())
    }

    /// Replaces the sums between the halves of a step, also by those of other rows.
    ///
    /// # Errors
    /// [`Error::Halves`] when there are no sums to replace, when the engine's sums are floats, or
    /// when rows or scales are not those of the model. Otherwise as [`step`](Self::step).
    ///
    /// [`Error::Halves`]: crate::Error::Halves
    fn set_sums(&mut self, _sums: &BatchSums) -> Result<()> {
        Err(sums_are_floats())
    }

    /// What the threads that make batches should do for this engine with each of them, so that a
    /// step takes less time on the thread that calls [`step`](Self::step). The engine takes batches
    /// that were not packed all the same.
    fn packer(&self) -> Option<Packer> {
        None
    }

    /// The loss summed over all examples since the last call; waits until every queued batch is done.
    ///
    /// # Errors
    /// When the device fails.
    fn take_loss(&mut self) -> Result<f64>;

    /// The model as it stands after every queued batch.
    ///
    /// # Errors
    /// When the device fails.
    fn model(&mut self) -> Result<Model>;

    /// Some rows of a matrix after every queued batch, with the note of what the whole matrix has
    /// reached ([`Matrix::largest`]).
    ///
    /// # Errors
    /// When the device fails.
    fn rows(&mut self, table: Table, rows: Range<usize>) -> Result<Matrix> {
        Ok(self.model()?.table(table).rows_of(rows))
    }

    /// Replaces the rows of a matrix from row `first` on. The matrix from then on has reached at
    /// least what `rows` has.
    ///
    /// # Errors
    /// [`Error::Ranks`] when the engine cannot, or the matrix has no such rows; otherwise when the
    /// device fails.
    ///
    /// [`Error::Ranks`]: crate::Error::Ranks
    fn set_rows(&mut self, _table: Table, _first: usize, _rows: &Matrix) -> Result<()> {
        Err(Error::ranks("this engine takes no rows of other ranks"))
    }

    /// Time that each stage of the steps took since this was last asked, in the order of a step;
    /// waits until every queued batch is done. A GPU measures only if it was asked to
    /// ([`gpu::GpuOptions::measure`]); otherwise there is no stage.
    ///
    /// # Errors
    /// When the device fails.
    fn stages(&mut self) -> Result<Vec<StageTime>> {
        Ok(Vec::new())
    }

    /// The processor or adapter that the engine runs on, in one line that begins with its kind,
    /// such as `cpu`.
    fn describe(&self) -> String;
}

/// Checks that a matrix of `table_rows` rows of `dim` elements has a place for `rows` from row
/// `first` on.
fn check_rows(table_rows: usize, dim: usize, first: usize, rows: &Matrix) -> Result<()> {
    if rows.dim() == dim && first + rows.rows() <= table_rows {
        return Ok(());
    }
    Err(Error::ranks("the rows are not those of the model"))
}

/// Time that a stage of an engine's steps took.
#[derive(Clone, Debug, PartialEq)]
pub struct StageTime {
    /// The name of the kernel, or of the host's part of a step.
    pub name: String,
    /// Whether the engine's own device was at work, rather than the host on its behalf.
    pub on_device: bool,
    /// The time over all steps.
    pub time: Duration,
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::fixed_point::Scales;
    use super::reference::ReferenceEngine;
    use super::*;
    use crate::batch::tests::{batch_by, batch_of};
    use crate::batch::{BatchBuilder, CbowGradient, Inputs, Row};
    use crate::error::Error;
    use crate::model::Matrix;
    use crate::subwords::{SubwordTable, Subwords};

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

    /// All objectives whose sums are in fixed point: means of both kinds, and choices that fit into
    /// a block of targets, fill one, and take several.
    pub(crate) fn scored_one_by_one() -> Vec<Objective> {
        let inputs = [
            Inputs::Each,
            Inputs::Mean(CbowGradient::Whole),
            Inputs::Mean(CbowGradient::Share),
        ];
        let losses = [0, 3, 8, 9, 64].map(|branches| match branches {
            0 => LossFunction::Sigmoid,
            branches => LossFunction::Choice { branches },
        });
        let all = inputs.iter().flat_map(|&inputs| {
            losses.map(|loss| Objective {
                inputs,
                loss,
                subwords: false,
            })
        });
        all.collect()
    }

    /// Ways through the kernel of windows other than that of [`Objective::SIGMOID`]: means, and
    /// choices within a block of targets and beyond.
    pub(crate) const MEANS_AND_CHOICES: [Objective; 3] = [
        Objective {
            inputs: Inputs::Mean(CbowGradient::Whole),
            loss: LossFunction::Sigmoid,
            subwords: false,
        },
        Objective {
            inputs: Inputs::Each,
            loss: LossFunction::Choice { branches: 4 },
            subwords: false,
        },
        Objective {
            inputs: Inputs::Mean(CbowGradient::Share),
            loss: LossFunction::Choice { branches: 9 },
            subwords: false,
        },
    ];

    /// Words that are composed of parts: one by one, as a mean, and with choices.
    pub(crate) const WITH_SUBWORDS: [Objective; 3] = [
        Objective {
            subwords: true,
            ..Objective::SIGMOID
        },
        Objective {
            subwords: true,
            ..MEANS_AND_CHOICES[0]
        },
        Objective {
            subwords: true,
            ..MEANS_AND_CHOICES[2]
        },
    ];

    /// All objectives but the softmax.
    pub(crate) fn all_but_the_softmax() -> Vec<Objective> {
        [&scored_one_by_one()[..], &WITH_SUBWORDS].concat()
    }

    /// All objectives.
    pub(crate) fn all_objectives() -> Vec<Objective> {
        [&all_but_the_softmax()[..], &[Objective::SOFTMAX]].concat()
    }

    /// The parts of 25 words, in [`ROWS`] rows.
    pub(crate) fn subword_table() -> Arc<SubwordTable> {
        let words: Vec<String> = (0..25).map(|word| format!("w{}", word * word)).collect();
        let subwords = Subwords::new(2, 3, 15).unwrap();
        let table = SubwordTable::new(subwords, words.iter().map(|word| (&**word, 1)));
        assert_eq!(table.rows(), ROWS);
        Arc::new(table)
    }

    /// A batch for an objective. The first target of each choice is the one to be chosen.
    pub(crate) fn batch_for(objective: Objective, windows: &[(Vec<u32>, Vec<u32>)]) -> Batch {
        let choice = match objective.loss {
            LossFunction::Choice { branches } => branches,
            LossFunction::Sigmoid | LossFunction::Softmax => usize::MAX,
        };
        let label = |target| target % choice == 0;
        let builder = BatchBuilder::new(ROWS, ROWS, objective.inputs);
        if !objective.subwords {
            return batch_by(builder, windows, label);
        }
        let table = subword_table();
        let words = |rows: &Vec<u32>| rows.iter().map(|row| row % table.words() as u32).collect();
        let windows: Vec<_> = windows
            .iter()
            .map(|(centers, targets)| (words(centers), targets.clone()))
            .collect();
        batch_by(builder.with_subwords(Arc::clone(&table)), &windows, label)
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

    /// Three steps over the windows on an engine and on the reference, from where the engine stands:
    /// loss and rows must agree after each.
    ///
    /// Steps are large (lr 0.5), so that hot rows reach the row limit. In a mean all rows depend on
    /// each other, and in a choice all targets, so that such steps multiply what one row is off.
    /// There the reference begins every step where the engine stands.
    pub(crate) fn agree_after_steps(
        engine: &mut dyn Engine,
        objective: Objective,
        windows: &[(Vec<u32>, Vec<u32>)],
        clip: f32,
    ) {
        let batch = batch_for(objective, windows);
        let goes_on = matches!(objective, Objective::SIGMOID | Objective::SOFTMAX);
        let mut reference = ReferenceEngine::new(&engine.model().unwrap(), objective, clip);
        let (mut loss, mut expected) = (0.0, 0.0);
        for _ in 0..3 {
            if !goes_on {
                reference = ReferenceEngine::new(&engine.model().unwrap(), objective, clip);
            }
            engine.step(&batch, 0.5).unwrap();
            reference.step(&batch, 0.5).unwrap();
            loss += engine.take_loss().unwrap();
            expected += reference.take_loss().unwrap();
            assert!(
                (loss - expected).abs() <= 2e-5 * expected + 1e-9,
                "loss {loss}, expected {expected}"
            );
            let (own, expected) = (engine.model().unwrap(), reference.model().unwrap());
            // Rows that are short of their limit also show the rounding of their sums: a unit is up to
            // 2^-12 where a row's products are many, and lr 0.5 halves it.
            // The row of an n-gram adds up the rounding of all its words.
            let allowed = match (goes_on, objective.subwords) {
                (true, _) => 2e-4,
                (false, false) => 1e-3,
                (false, true) => 4e-3,
            };
            rows_agree(&own.input, &expected.input, allowed);
            rows_agree(&own.output, &expected.output, allowed);
        }
    }

    /// f32 scores are off by some 1e-6, fixed point by less than 2^-18 for each of up to 150
    /// contributions, three times, and a row at its limit turns with the sum: 2e-4 is ten times what
    /// all that adds up to.
    fn rows_agree(own: &Matrix, expected: &Matrix, allowed: f32) {
        let dim = own.dim();
        for (at, (own, expected)) in own.values().iter().zip(expected.values()).enumerate() {
            assert!(
                (own - expected).abs() < allowed,
                "row {}, element {}: {own} {expected}",
                at / dim,
                at % dim
            );
        }
    }

    /// Windows with their first two targets at most: the reference takes its time over a softmax.
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

    /// A score that is no finite number makes the loss no number, even where the score itself would
    /// leave no trace in it: a positive target with a score of infinity, and a negative one of
    /// minus infinity, have no loss.
    pub(crate) fn scores_that_are_not_finite_show(
        objective: Objective,
        start: impl Fn(&Model) -> Box<dyn Engine>,
    ) {
        for (element, facing) in [
            (f32::NAN, [1.0, 1.0]),
            (f32::INFINITY, [1.0, 0.5]),
            (f32::INFINITY, [1.0, -1.0]),
            (f32::NEG_INFINITY, [1.0, 1.0]),
        ] {
            let mut model = random_model(20, 7);
            model.input.row_mut(0)[3] = element;
            for row in 0..ROWS {
                model.output.row_mut(row)[3] = facing[usize::from(row != 1)];
            }
            let mut engine = start(&model);
            let windows = [(vec![4], vec![5, 6]), (vec![0, 3], vec![1, 2])];
            engine.step(&batch_for(objective, &windows), 0.05).unwrap();
            let loss = engine.take_loss().unwrap();
            assert!(loss.is_nan(), "{objective:?}, {element}: {loss}");
        }
    }

    /// A step with a learning rate of 0 gives the loss and changes no bit of the model.
    pub(crate) fn a_rate_of_zero_changes_nothing(engine: &mut dyn Engine, objective: Objective) {
        let before = engine.model().unwrap();
        let windows = [(vec![0, 1, 2], vec![3, 4]), (vec![5], vec![0])];
        let batch = batch_for(objective, &windows);
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

    /// A step in halves gives the bits of a whole one, on another engine's sums too; and whole
    /// steps go on after it as if there had been no halves.
    pub(crate) fn halves_give_the_bits_of_a_step(start: impl Fn(&Model) -> Box<dyn Engine>) {
        let batches = [
            batch_of(
                ROWS,
                &[((0..26).collect(), vec![1, 33]), (vec![5], vec![7])],
            ),
            batch_of(ROWS, &[((9..30).collect(), (0..20).collect())]),
        ];
        let model = random_model(50, 14);
        let mut engines = [start(&model), start(&model), start(&model)];
        let [whole, halves, other] = &mut engines;
        for (batch, lr) in [(&batches[0], 0.5), (&batches[1], 0.0), (&batches[1], 0.5)] {
            whole.step(batch, lr).unwrap();
            halves.accumulate(batch).unwrap();
            let sums = halves.sums().unwrap();
            assert!(sums.input.values.iter().any(|&value| value != 0));
            // The other engine holds sums of other rows before.
            other.accumulate(&batches[0]).unwrap();
            other.set_sums(&sums).unwrap();
            assert!(other.sums().unwrap() == sums);
            for engine in [&mut *halves, other] {
                engine.apply(lr).unwrap();
                assert!(engine.model().unwrap() == whole.model().unwrap());
            }
        }
        let [whole, halves, _] = &mut engines;
        for engine in [&mut *whole, halves] {
            engine.step(&batches[0], 0.5).unwrap();
        }
        assert!(whole.model().unwrap() == halves.model().unwrap());
        let loss = whole.take_loss().unwrap().to_bits();
        assert_eq!(loss, halves.take_loss().unwrap().to_bits());
    }

    /// Halves that come in the wrong order, and sums that fit no model, are errors, and change
    /// nothing.
    /// Rows come back as they were set; steps go on from them as from a model that has them.
    pub(crate) fn rows_are_those_of_the_model(start: impl Fn(&Model) -> Box<dyn Engine>) {
        let [first, other] = [20, 21].map(|seed| random_model(20, seed));
        let batch = batch_of(
            ROWS,
            &[((0..12).collect(), vec![1, 33]), (vec![3, 9], vec![7])],
        );
        let mut engine = start(&first);
        engine.step(&batch, 0.1).unwrap();
        let before = engine.model().unwrap();
        let changed = 5..30;
        for table in Table::BOTH {
            let own = before.table(table);
            let rows = engine.rows(table, changed.clone()).unwrap();
            assert!(rows == own.rows_of(changed.clone()) && rows.largest() == own.largest());
            let given = other.table(table).rows_of(changed.clone());
            // The largest element that any rank has had counts from now on.
            let given = given.having_reached(own.largest() * 3.0);
            engine.set_rows(table, changed.start, &given).unwrap();
            let too_many = engine.set_rows(table, ROWS - 1, &given).unwrap_err();
            assert!(matches!(too_many, Error::Ranks { .. }), "{too_many}");
        }
        let after = engine.model().unwrap();
        for table in Table::BOTH {
            let (before, after) = (before.table(table), after.table(table));
            for row in 0..ROWS {
                let expected = if changed.contains(&row) {
                    other.table(table).row(row)
                } else {
                    before.row(row)
                };
                assert_eq!(after.row(row), expected);
            }
            assert_eq!(after.largest(), before.largest() * 3.0);
        }
        let mut from_there = start(&after);
        for engine in [&mut engine, &mut from_there] {
            engine.step(&batch, 0.1).unwrap();
        }
        assert!(engine.model().unwrap() == from_there.model().unwrap());
    }

    pub(crate) fn halves_keep_their_order(engine: &mut dyn Engine) {
        let is_refused = |result: Result<()>| matches!(result, Err(Error::Halves { .. }));
        let batch = batch_of(ROWS, &[(vec![0, 1, 2], vec![3, 4])]);
        let before = engine.model().unwrap();
        assert!(is_refused(engine.apply(0.5)) && is_refused(engine.sums().map(|_| ())));
        engine.accumulate(&batch).unwrap();
        assert!(is_refused(engine.accumulate(&batch)) && is_refused(engine.step(&batch, 0.5)));
        let sums = engine.sums().unwrap();
        let mut wrong = sums.clone();
        wrong.output.rows.rows[1] = Row(ROWS as u32);
        assert!(is_refused(engine.set_sums(&wrong)));
        let mut wrong = sums.clone();
        wrong.input.rows.scales = Scales::new(1e9, 1);
        assert!(is_refused(engine.set_sums(&wrong)));
        engine.set_sums(&sums).unwrap();
        assert!(engine.model().unwrap() == before);
        engine.apply(0.5).unwrap();
        assert!(engine.model().unwrap() != before && is_refused(engine.apply(0.5)));
    }

    /// An engine whose sums are floats says that its steps have no halves, and takes them as before.
    pub(crate) fn floats_have_no_halves(engine: &mut dyn Engine, objective: Objective) {
        let batch = batch_for(objective, &[(vec![0, 1, 2], vec![3, 4])]);
        let error = engine.accumulate(&batch).unwrap_err().to_string();
        assert!(error.contains("floats"), "{error}");
        assert!(engine.apply(0.5).is_err() && engine.sums().is_err());
        engine.step(&batch, 0.5).unwrap();
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
        // Row 0 of W' is a target of every window, row 0 of W a center of every span.
        let windows: Vec<_> = (0..10_000u32)
            .map(|w| (vec![0, 1 + w % 39], vec![0, 1 + w * 7 % 39]))
            .collect();
        let batch = batch_of(ROWS, &windows);
        let mut engine = start(&model);
        let mut reference = ReferenceEngine::new(&model, Objective::SIGMOID, 0.25);
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

    /// The reference: f64 sums, which cannot be read as integers.
    #[test]
    fn the_halves_of_the_reference_are_its_step() {
        for objective in all_objectives() {
            let batch = batch_for(
                objective,
                &[(vec![0, 1, 2], vec![3, 4]), (vec![5], vec![0])],
            );
            let mut whole = ReferenceEngine::new(&random_model(7, 2), objective, 0.25);
            let mut halves = whole.clone();
            whole.step(&batch, 0.5).unwrap();
            halves.accumulate(&batch).unwrap();
            assert!(halves.sums().is_err() && halves.step(&batch, 0.5).is_err());
            halves.apply(0.5).unwrap();
            assert!(halves.apply(0.5).is_err());
            assert_eq!((whole.input, whole.output), (halves.input, halves.output));
        }
    }

    #[test]
    fn the_loss_of_a_blank_model() {
        let blank = Model {
            input: random_model(4, 1).input,
            output: Matrix::zeros(ROWS, 4),
        };
        let windows = [
            (vec![0, 1, 2], vec![3, 4]),
            (vec![5], (0..21).collect()),
            (vec![], vec![7]),
        ];
        for objective in all_objectives() {
            let batch = batch_for(objective, &windows);
            let loss = ReferenceEngine::new(&blank, objective, 0.25)
                .gradient(&batch)
                .loss;
            assert!((objective.blank_loss(&batch, ROWS) - loss).abs() < 1e-12 * loss);
        }
    }
}
