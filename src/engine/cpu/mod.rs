//! The CPU engine: threads and SIMD, the same result for any number of threads and on any
//! processor.
//!
//! Threads (`cores`) first share out the spans of windows, each adding to fixed-point sums of its
//! own (`window`, `sums`); then they share out the touched rows, add the sums of all threads and
//! move the rows (`apply`). The two halves meet in `sigmoid`. The full softmax is products of
//! matrices instead (`softmax`).

mod apply;
mod cores;
mod lanes;
mod memory;
mod sigmoid;
mod softmax;
mod subwords;
mod sums;
mod window;

use std::ops::Range;
use std::time::{Duration, Instant};

pub use memory::buffers;
use pulp::Arch;

use self::apply::StepRate;
use self::cores::Cores;
use self::lanes::PaddedMatrix;
use self::sigmoid::{HeldRows, SigmoidWork, Touched};
use self::softmax::SoftmaxWork;
use self::subwords::Composed;
use super::sums::{BatchSums, no_sums, sums_are_floats, sums_of_parts, sums_wait};
use super::{Engine, LossFunction, Objective, StageTime, check_rows};
use crate::batch::Batch;
use crate::error::Result;
use crate::model::{Matrix, Model, Table};
use crate::quantity::plural;

/// Threads that make batches beside an engine of `threads` threads, which has the cores: a batch
/// takes about a quarter of the time to make that it takes to train.
pub fn batcher_threads(threads: usize) -> usize {
    threads.div_ceil(4)
}

/// Trains on the processor's cores.
#[derive(Debug)]
pub struct CpuEngine {
    cores: Cores,
    objective: Objective,
    /// The longest way that a step moves a row.
    clip: f32,
    input: PaddedMatrix,
    output: PaddedMatrix,
    work: Work,
    /// The loss of all batches since it was last taken.
    loss: f64,
    times: Times,
}

/// Time spent in the two halves of the steps; all of a softmax counts as the first.
#[derive(Debug, Default)]
struct Times {
    window: Duration,
    apply: Duration,
}

/// The loss function's way to make a step, and its working memory.
#[derive(Debug)]
enum Work {
    Sigmoid(SigmoidWork),
    /// The same of words that are composed of parts.
    Composed(SigmoidWork, Composed),
    Softmax(Box<SoftmaxWork>),
}

impl Work {
    /// The work of steps that have halves.
    fn with_halves(&mut self) -> Result<&mut SigmoidWork> {
        match self {
            Self::Sigmoid(work) => Ok(work),
            Self::Composed(..) => Err(sums_of_parts()),
            Self::Softmax(_) => Err(sums_are_floats()),
        }
    }
}

impl CpuEngine {
    /// Starts from a model; each step moves a row by at most `clip`.
    ///
    /// # Errors
    /// [`Error::Thread`](crate::Error::Thread) when the threads cannot be started.
    pub fn new(model: &Model, objective: Objective, clip: f32, threads: usize) -> Result<Self> {
        let input = PaddedMatrix::new(&model.input);
        Ok(Self {
            cores: Cores::start(objective, threads)?,
            objective,
            clip,
            work: match objective.loss {
                LossFunction::Softmax => Work::Softmax(Box::default()),
                _ if objective.subwords => {
                    Work::Composed(SigmoidWork::new(threads), Composed::new(&input))
                }
                LossFunction::Sigmoid | LossFunction::Choice { .. } => {
                    Work::Sigmoid(SigmoidWork::new(threads))
                }
            },
            input,
            output: PaddedMatrix::new(&model.output),
            loss: 0.0,
            times: Times::default(),
        })
    }

    fn table(&mut self, table: Table) -> &mut PaddedMatrix {
        match table {
            Table::Input => &mut self.input,
            Table::Output => &mut self.output,
        }
    }
}

impl Engine for CpuEngine {
    /// Both halves at once, since the batch is at hand for the second too: halves apart keep copies
    /// of its lists of rows.
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        let (cores, times) = (&self.cores, &mut self.times);
        let (input, output) = (&mut self.input, &mut self.output);
        let rate = StepRate {
            lr,
            clip: self.clip,
        };
        let started = Instant::now();
        match &mut self.work {
            Work::Sigmoid(work) => {
                if work.held.is_some() {
                    return Err(sums_wait());
                }
                let centers = (&*input, &batch.center_rows[..]);
                let format = work.add_up(cores, self.objective, batch, centers, output);
                times.window += started.elapsed();
                let started = Instant::now();
                let touched = Touched::of_batch(batch, format);
                work.move_rows(cores, [input, output], touched, rate);
                times.apply += started.elapsed();
                self.loss += work.loss(batch.spans());
            }
            Work::Composed(work, composed) => {
                composed.compose(cores, &batch.parts, input);
                let format = work.add_up(cores, self.objective, batch, composed.table(), output);
                times.window += started.elapsed();
                let started = Instant::now();
                let touched = Touched::of_batch(batch, format);
                let words = (composed, &batch.parts);
                work.move_parts(cores, words, [input, output], touched, rate);
                times.apply += started.elapsed();
                self.loss += work.loss(batch.spans());
            }
            Work::Softmax(work) => {
                let train = || softmax::train(cores.arch, batch, [input, output], work, rate);
                self.loss += cores.pool.install(train);
                times.window += started.elapsed();
            }
        }
        Ok(())
    }

    fn accumulate(&mut self, batch: &Batch) -> Result<()> {
        let work = self.work.with_halves()?;
        if work.held.is_some() {
            return Err(sums_wait());
        }
        let started = Instant::now();
        let centers = (&self.input, &batch.center_rows[..]);
        let format = work.add_up(&self.cores, self.objective, batch, centers, &self.output);
        work.held = Some(HeldRows::of_batch(batch, format));
        self.times.window += started.elapsed();
        self.loss += work.loss(batch.spans());
        Ok(())
    }

    fn apply(&mut self, lr: f32) -> Result<()> {
        let work = self.work.with_halves()?;
        let held = work.held.take().ok_or_else(no_sums)?;
        let started = Instant::now();
        let rate = StepRate {
            lr,
            clip: self.clip,
        };
        let tables = [&mut self.input, &mut self.output];
        work.move_rows(&self.cores, tables, held.touched(), rate);
        self.times.apply += started.elapsed();
        Ok(())
    }

    fn sums(&mut self) -> Result<BatchSums> {
        let work = self.work.with_halves()?;
        let sums = work.sums(self.input.dim(), self.input.width());
        sums.ok_or_else(no_sums)
    }

    fn set_sums(&mut self, sums: &BatchSums) -> Result<()> {
        let work = self.work.with_halves()?;
        if work.held.is_none() {
            return Err(no_sums());
        }
        work.set_sums(sums, [&self.input, &self.output])
    }

    fn take_loss(&mut self) -> Result<f64> {
        Ok(std::mem::take(&mut self.loss))
    }

    fn model(&mut self) -> Result<Model> {
        Ok(Model {
            input: self.input.matrix(),
            output: self.output.matrix(),
        })
    }

    fn rows(&mut self, table: Table, rows: Range<usize>) -> Result<Matrix> {
        Ok(self.table(table).matrix_of(rows))
    }

    fn set_rows(&mut self, table: Table, first: usize, rows: &Matrix) -> Result<()> {
        let table = self.table(table);
        check_rows(table.rows(), table.dim(), first, rows)?;
        table.set_rows(first, rows);
        Ok(())
    }

    fn stages(&mut self) -> Result<Vec<StageTime>> {
        let Times { window, apply } = std::mem::take(&mut self.times);
        let stage = |name: &str, time| StageTime {
            name: name.to_owned(),
            on_device: true,
            time,
        };
        Ok(match self.work {
            Work::Sigmoid(_) | Work::Composed(..) => {
                vec![stage("window", window), stage("apply", apply)]
            }
            Work::Softmax(_) => vec![stage("softmax", window)],
        })
    }

    fn describe(&self) -> String {
        let simd = match self.cores.arch {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V4(_) => "AVX-512",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V3(_) => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Arch::Neon(_) => "NEON",
            _ => "no SIMD",
        };
        format!(
            "cpu ({}, {simd})",
            plural(self.cores.threads as u64, "thread")
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::tests::{
        WITH_SUBWORDS, a_model_goes_on_as_the_engine_it_comes_from, a_rate_of_zero_changes_nothing,
        agree_after_steps, all_but_the_softmax, all_objectives, batch_for, floats_have_no_halves,
        halves_give_the_bits_of_a_step, halves_keep_their_order, model_of_huge_scores,
        random_model, rows_are_those_of_the_model, scored_one_by_one,
        scores_that_are_not_finite_show, small_contributions_to_frequent_rows_count,
        window_strategy, with_few_targets,
    };

    fn engine(model: &Model, objective: Objective, threads: usize) -> CpuEngine {
        CpuEngine::new(model, objective, 0.25, threads).unwrap()
    }

    /// Three steps' model and loss, to be compared bit by bit.
    fn three_steps(mut engine: CpuEngine, batch: &Batch) -> (Model, u64) {
        (0..3).for_each(|_| engine.step(batch, 0.5).unwrap());
        (
            engine.model().unwrap(),
            engine.take_loss().unwrap().to_bits(),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn agrees_with_reference(
            dim in prop::sample::select(vec![1usize, 4, 16, 50, 100, 128, 300]),
            windows in window_strategy(),
            threads in 1usize..4,
        ) {
            let model = random_model(dim, 1);
            for objective in all_but_the_softmax() {
                agree_after_steps(&mut engine(&model, objective, threads), objective, &windows, 0.25);
            }
            let (objective, windows) = (Objective::SOFTMAX, with_few_targets(&windows));
            agree_after_steps(&mut engine(&model, objective, threads), objective, &windows, 0.25);
        }

        #[test]
        fn the_same_bits_for_any_number_of_threads(windows in window_strategy()) {
            let model = random_model(100, 2);
            for objective in all_objectives() {
                let batch = batch_for(objective, &windows);
                let result_on = |threads| three_steps(engine(&model, objective, threads), &batch);
                let one = result_on(1);
                prop_assert!(one == result_on(2) && one == result_on(5));
            }
        }
    }

    /// AVX-512, AVX2 and no SIMD at all, as far as this processor has them.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_same_bits_on_any_processor() {
        let model = random_model(100, 5);
        let windows: Vec<_> = (0..200u32)
            .map(|w| {
                (
                    (0..w % 11).map(|i| (w + i) % 40).collect(),
                    vec![w % 40, 0, 1, w % 7],
                )
            })
            .collect();
        for objective in all_objectives() {
            let batch = batch_for(objective, &windows);
            let result_with = |arch| {
                let mut engine = engine(&model, objective, 2);
                engine.cores.arch = arch;
                three_steps(engine, &batch)
            };
            let best = result_with(Arch::new());
            assert!(best == result_with(Arch::Scalar));
            if let Some(v3) = pulp::x86::V3::try_new() {
                assert!(best == result_with(Arch::V3(v3)));
            }
        }
    }

    /// Centers that are taken a few at a time: every tile's scores come from the same W and W'.
    #[test]
    fn a_softmax_in_tiles_agrees() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        for most_scores in [1, 150] {
            let mut engine = engine(&random_model(20, 7), Objective::SOFTMAX, 2);
            let mut work = SoftmaxWork::default();
            work.most_scores = most_scores;
            engine.work = Work::Softmax(Box::new(work));
            agree_after_steps(&mut engine, Objective::SOFTMAX, &windows, 0.25);
        }
    }

    #[test]
    fn a_softmax_of_huge_scores_agrees() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        agree_after_steps(
            &mut engine(&model_of_huge_scores(20), Objective::SOFTMAX, 2),
            Objective::SOFTMAX,
            &windows,
            0.25,
        );
    }

    #[test]
    fn stages_are_parts_of_the_time() {
        let windows = [
            ((0..26).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        for objective in all_objectives() {
            let batch = batch_for(objective, &windows);
            let mut engine = engine(&random_model(20, 8), objective, 2);
            let started = Instant::now();
            engine.step(&batch, 0.05).unwrap();
            let all = started.elapsed();
            let stages = engine.stages().unwrap();
            assert!(
                stages
                    .iter()
                    .all(|stage| stage.on_device && !stage.time.is_zero()),
                "{stages:?}"
            );
            assert!(stages.iter().map(|stage| stage.time).sum::<Duration>() <= all);
            assert!(
                engine
                    .stages()
                    .unwrap()
                    .iter()
                    .all(|stage| stage.time.is_zero())
            );
        }
    }

    #[test]
    fn halves_are_a_step() {
        for threads in [1, 3] {
            let model = random_model(20, 15);
            halves_keep_their_order(&mut engine(&model, Objective::SIGMOID, threads));
            halves_give_the_bits_of_a_step(|model| {
                Box::new(engine(model, Objective::SIGMOID, threads))
            });
        }
    }

    #[test]
    fn sums_in_floats_have_no_halves() {
        for objective in [Objective::SOFTMAX, WITH_SUBWORDS[0]] {
            let mut engine = engine(&random_model(20, 15), objective, 2);
            floats_have_no_halves(&mut engine, objective);
        }
    }

    #[test]
    fn nothing_is_lost_to_a_frequent_row() {
        small_contributions_to_frequent_rows_count(|model| {
            Box::new(engine(model, Objective::SIGMOID, 2))
        });
    }

    #[test]
    fn a_model_goes_on_as_its_engine() {
        a_model_goes_on_as_the_engine_it_comes_from(|model| {
            Box::new(engine(model, Objective::SIGMOID, 2))
        });
    }

    /// The sums and the losses of a batch's sections, each on an engine of its own, are those of the
    /// whole batch.
    #[test]
    fn sections_of_a_batch_add_up_to_it() {
        let windows: Vec<_> = (0..500u32)
            .map(|w| {
                (
                    (0..w % 11).map(|i| (w + i) % 40).collect(),
                    vec![w % 40, 0, w % 7],
                )
            })
            .collect();
        for objective in scored_one_by_one() {
            let batch = batch_for(objective, &windows);
            let of = |batch: &Batch| {
                let mut engine = engine(&random_model(20, 3), objective, 2);
                engine.accumulate(batch).unwrap();
                (engine.sums().unwrap(), engine.take_loss().unwrap())
            };
            let (whole, loss) = of(&batch);
            let parts = [0, 1, 2].map(|part| of(&batch.section(part, 3)));
            let total = |table: fn(&BatchSums) -> &[i32]| -> Vec<i32> {
                let [a, b, c] = [0, 1, 2].map(|part| table(&parts[part].0));
                a.iter()
                    .zip(b)
                    .zip(c)
                    .map(|((a, b), c)| a + b + c)
                    .collect()
            };
            assert_eq!(total(|sums| &sums.input.values), whole.input.values);
            assert_eq!(total(|sums| &sums.output.values), whole.output.values);
            assert!(
                parts
                    .iter()
                    .all(|(sums, _)| sums.input.rows == whole.input.rows)
            );
            let losses: f64 = parts.iter().map(|(_, loss)| loss).sum();
            assert!((losses - loss).abs() < 1e-9 * loss, "{losses} {loss}");
        }
    }

    #[test]
    fn rows_can_be_read_and_replaced() {
        rows_are_those_of_the_model(|model| Box::new(engine(model, Objective::SIGMOID, 2)));
    }

    #[test]
    fn a_rate_of_zero_only_measures() {
        for objective in all_objectives() {
            a_rate_of_zero_changes_nothing(
                &mut engine(&random_model(50, 6), objective, 2),
                objective,
            );
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_not_hidden() {
        for objective in all_objectives() {
            scores_that_are_not_finite_show(objective, |model| {
                Box::new(engine(model, objective, 2))
            });
        }
    }

    /// Keeps the padding honest: what lies beyond `dim` must stay zero.
    #[test]
    fn padding_stays_zero() {
        for objective in all_objectives() {
            let mut engine = engine(&random_model(5, 4), objective, 1);
            engine
                .step(&batch_for(objective, &[(vec![0, 3], vec![1, 2])]), 0.5)
                .unwrap();
            for table in [&engine.input, &engine.output] {
                let super::lanes::Floats(first) = table.row(0)[0];
                assert!(
                    first[..5].iter().all(|&v| v != 0.0) && first[5..].iter().all(|&v| v == 0.0)
                );
            }
        }
    }
}
