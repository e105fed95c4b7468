//! The CPU engine: threads and SIMD, the same result for any number of threads and on any
//! processor.
//!
//! Threads first share out the spans of windows, each adding to fixed-point sums of its own
//! (`window`, `sums`); then they share out the touched rows, add the sums of all threads and move
//! the rows (`apply`). The full softmax is products of matrices instead (`softmax`).

mod apply;
mod lanes;
mod memory;
mod softmax;
mod sums;
mod window;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use memory::buffers;
use pulp::Arch;
use rayon::{ThreadPool, ThreadPoolBuilder};

use self::apply::{MoveShare, Step};
use self::lanes::PaddedMatrix;
use self::window::{Format, Scratch, Train};
use super::fixed_point::{self, Scales};
use super::{Engine, Objective, StageTime};
use crate::batch::{Batch, POOL_SPANS};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::quantity::plural;

/// Chunks of spans for each thread, about, which they take one after the other; no chunk is larger
/// than the spans of a pool of negatives, whose rows then stay with a core.
const CHUNKS: usize = 8;

/// Threads that make batches beside an engine of `threads` threads, which has the cores: a batch
/// takes about a quarter of the time to make that it takes to train.
pub fn batcher_threads(threads: usize) -> usize {
    threads.div_ceil(4)
}

/// How often a thread that waits for others lets those run that are ready, before it goes to sleep.
const WAITS: usize = 1000;

/// Trains on the processor's cores.
#[derive(Debug)]
pub struct CpuEngine {
    arch: Arch,
    threads: usize,
    /// All threads for a softmax; else all but the one that calls, and one that has nothing to do
    /// where there is no other.
    pool: ThreadPool,
    clip: f32,
    input: PaddedMatrix,
    output: PaddedMatrix,
    work: Work,
    loss: f64,
    times: Times,
}

/// Time spent in the two halves of the steps; all of a softmax counts as the first.
#[derive(Debug, Default)]
struct Times {
    window: Duration,
    apply: Duration,
}

/// How a step is made, and what it works in.
#[derive(Debug)]
enum Work {
    /// For each thread its own.
    Sigmoid(Vec<Mutex<Scratch>>),
    Softmax(Box<softmax::Scratch>),
}

impl CpuEngine {
    /// Starts from a model; each step moves a row by at most `clip`.
    ///
    /// # Errors
    /// [`Error::Thread`] when the threads cannot be started.
    pub fn new(model: &Model, objective: Objective, clip: f32, threads: usize) -> Result<Self> {
        let others = match objective {
            Objective::Sigmoid => threads.saturating_sub(1).max(1),
            Objective::Softmax => threads,
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(others)
            .thread_name(|index| format!("cpu-engine-{index}"))
            .build()
            .map_err(Error::no_threads("training"))?;
        Ok(Self {
            arch: Arch::new(),
            threads,
            clip,
            input: PaddedMatrix::new(&model.input),
            output: PaddedMatrix::new(&model.output),
            work: match objective {
                Objective::Sigmoid => {
                    Work::Sigmoid((0..threads).map(|_| Mutex::default()).collect())
                }
                Objective::Softmax => Work::Softmax(Box::default()),
            },
            pool,
            loss: 0.0,
            times: Times::default(),
        })
    }
}

/// Spans `work` once on each of `threads` threads, with its number: the current thread is the first,
/// those of the pool are the others, always by the same numbers, so that their caches have what
/// they worked on before.
fn on_all(pool: &ThreadPool, threads: usize, work: impl Fn(usize) + Sync) {
    let done = AtomicUsize::new(1);
    pool.in_place_scope(|scope| {
        if threads > 1 {
            scope.spawn_broadcast(|_, thread| {
                work(1 + thread.index());
                done.fetch_add(1, Ordering::Release);
            });
        }
        work(0);
        // All end at nearly the same time: to go to sleep takes longer than to wait.
        for _ in 0..WAITS {
            if done.load(Ordering::Acquire) == threads {
                break;
            }
            std::thread::yield_now();
        }
    });
}

/// Trains on a batch with all threads of a pool, and returns its loss.
fn sigmoid_step(
    arch: Arch,
    pool: &ThreadPool,
    batch: &Batch,
    [input, output]: [&mut PaddedMatrix; 2],
    threads: &mut [Mutex<Scratch>],
    step: Step,
    times: &mut Times,
) -> f64 {
    let started = Instant::now();
    let width = input.width();
    let format = Format {
        centers: Scales::new(output.largest(), batch.center_contribution_bits),
        targets: Scales::new(input.largest(), batch.target_contribution_bits),
        key: fixed_point::key(batch.words_before),
    };
    let next = AtomicUsize::new(0);
    let chunk = (batch.spans() / (CHUNKS * threads.len())).clamp(1, POOL_SPANS);
    for scratch in &mut *threads {
        scratch
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .start(batch, width);
    }
    on_all(pool, threads.len(), |thread| {
        let mut scratch = threads[thread]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            let first = next.fetch_add(chunk, Ordering::Relaxed);
            if first >= batch.spans() {
                break;
            }
            let spans = first..batch.spans().min(first + chunk);
            arch.dispatch(Train {
                batch,
                spans,
                input,
                output,
                format,
                scratch: &mut scratch,
            });
        }
    });
    times.window += started.elapsed();
    let started = Instant::now();
    let scratch: Vec<&Scratch> = threads
        .iter_mut()
        .map(|scratch| &*scratch.get_mut().unwrap_or_else(PoisonError::into_inner))
        .collect();
    let (centers, targets): (Vec<_>, Vec<_>) = scratch
        .iter()
        .map(|scratch| (&scratch.centers, &scratch.targets))
        .unzip();
    let (input, output) = (
        input.shared(&batch.center_rows),
        output.shared(&batch.target_rows),
    );
    on_all(pool, scratch.len(), |thread| {
        let own = |table, sums, scales, bits| MoveShare {
            table,
            sums,
            scales,
            bits,
            thread,
            width,
            step,
        };
        arch.dispatch(own(
            &input,
            &centers[..],
            format.centers,
            &batch.center_bits[..],
        ));
        arch.dispatch(own(
            &output,
            &targets[..],
            format.targets,
            &batch.target_bits[..],
        ));
    });
    times.apply += started.elapsed();
    // Summed in the order of the spans: floats, unlike the sums above, are not associative.
    let mut losses = vec![0.0; batch.spans()];
    scratch
        .iter()
        .flat_map(|scratch| &scratch.losses)
        .for_each(|&(span, loss)| losses[span] = loss);
    losses.iter().sum()
}

impl Engine for CpuEngine {
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        let Self {
            arch,
            pool,
            clip,
            input,
            output,
            work,
            times,
            ..
        } = self;
        let step = Step { lr, clip: *clip };
        self.loss += match work {
            Work::Sigmoid(work) => {
                sigmoid_step(*arch, pool, batch, [input, output], work, step, times)
            }
            Work::Softmax(scratch) => {
                let started = Instant::now();
                let loss =
                    pool.install(|| softmax::train(*arch, batch, input, output, scratch, step));
                times.window += started.elapsed();
                loss
            }
        };
        Ok(())
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

    fn stages(&mut self) -> Result<Vec<StageTime>> {
        let Times { window, apply } = std::mem::take(&mut self.times);
        let stage = |name: &str, time| StageTime {
            name: name.to_owned(),
            on_device: true,
            time,
        };
        Ok(match self.work {
            Work::Sigmoid(_) => vec![stage("window", window), stage("apply", apply)],
            Work::Softmax(_) => vec![stage("softmax", window)],
        })
    }

    fn describe(&self) -> String {
        let simd = match self.arch {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V4(_) => "AVX-512",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V3(_) => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Arch::Neon(_) => "NEON",
            _ => "no SIMD",
        };
        format!("cpu ({}, {simd})", plural(self.threads as u64, "thread"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::tests::batch_of;
    use crate::engine::tests::{
        ROWS, a_model_goes_on_as_the_engine_it_comes_from, a_rate_of_zero_changes_nothing,
        agree_after_steps, model_of_huge_scores, random_model,
        small_contributions_to_frequent_rows_count, window_strategy, with_few_targets,
    };

    const OBJECTIVES: [Objective; 2] = [Objective::Sigmoid, Objective::Softmax];

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
            agree_after_steps(&mut engine(&model, Objective::Sigmoid, threads), Objective::Sigmoid, &windows, 0.25);
            let (objective, windows) = (Objective::Softmax, with_few_targets(&windows));
            agree_after_steps(&mut engine(&model, objective, threads), objective, &windows, 0.25);
        }

        #[test]
        fn the_same_bits_for_any_number_of_threads(windows in window_strategy()) {
            let model = random_model(100, 2);
            let batch = batch_of(ROWS, &windows);
            for objective in OBJECTIVES {
                let span = |threads| three_steps(engine(&model, objective, threads), &batch);
                let one = span(1);
                prop_assert!(one == span(2) && one == span(5));
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
        let batch = batch_of(ROWS, &windows);
        for objective in OBJECTIVES {
            let span = |arch| {
                three_steps(
                    CpuEngine {
                        arch,
                        ..engine(&model, objective, 2)
                    },
                    &batch,
                )
            };
            let best = span(Arch::new());
            assert!(best == span(Arch::Scalar));
            if let Some(v3) = pulp::x86::V3::try_new() {
                assert!(best == span(Arch::V3(v3)));
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
            let mut engine = engine(&random_model(20, 7), Objective::Softmax, 2);
            let mut scratch = softmax::Scratch::default();
            scratch.most_scores = most_scores;
            engine.work = Work::Softmax(Box::new(scratch));
            agree_after_steps(&mut engine, Objective::Softmax, &windows, 0.25);
        }
    }

    #[test]
    fn a_softmax_of_huge_scores_agrees() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        agree_after_steps(
            &mut engine(&model_of_huge_scores(20), Objective::Softmax, 2),
            Objective::Softmax,
            &windows,
            0.25,
        );
    }

    #[test]
    fn stages_are_parts_of_the_time() {
        let batch = batch_of(
            ROWS,
            &[
                ((0..30).collect(), vec![1, 33]),
                ((5..22).collect(), vec![7]),
            ],
        );
        for objective in OBJECTIVES {
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
    fn nothing_is_lost_to_a_frequent_row() {
        small_contributions_to_frequent_rows_count(|model| {
            Box::new(engine(model, Objective::Sigmoid, 2))
        });
    }

    #[test]
    fn a_model_goes_on_as_its_engine() {
        a_model_goes_on_as_the_engine_it_comes_from(|model| {
            Box::new(engine(model, Objective::Sigmoid, 2))
        });
    }

    #[test]
    fn a_rate_of_zero_only_measures() {
        for objective in OBJECTIVES {
            a_rate_of_zero_changes_nothing(
                &mut engine(&random_model(50, 6), objective, 2),
                objective,
            );
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_not_hidden() {
        let mut model = random_model(20, 3);
        model.input.row_mut(0)[3] = f32::NAN;
        for objective in OBJECTIVES {
            let mut engine = engine(&model, objective, 2);
            engine
                .step(&batch_of(ROWS, &[(vec![0], vec![1, 2])]), 0.05)
                .unwrap();
            assert!(engine.take_loss().unwrap().is_nan());
        }
    }

    /// Keeps the padding honest: what lies beyond `dim` must stay zero.
    #[test]
    fn padding_stays_zero() {
        for objective in OBJECTIVES {
            let mut engine = engine(&random_model(5, 4), objective, 1);
            engine
                .step(&batch_of(9, &[(vec![0, 3], vec![1, 2])]), 0.5)
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
