//! Compares engines: how fast each trains on the same batches, and where its time goes.
//!
//! Batches are made beforehand, so the batcher's time counts against no engine. Two further
//! measurements tell the batcher's own speed, and the speed of each engine with the batcher at
//! work.
//!
//! ```
//! // Bytes that one thread reads and writes in a second when it copies.
//! let bandwidth = w2v_gpu::bench::copy_bandwidth(1)?;
//! assert!(bandwidth > 1e8);
//! # Ok::<(), w2v_gpu::Error>(())
//! ```

mod copy;
mod measure;
mod sweep;
mod traffic;

use std::time::{Duration, Instant};

use serde::Serialize;

pub use copy::copy_bandwidth;
pub use measure::{EndToEnd, Measured, MeasuredLoss, StageSpeed};
pub use sweep::{Knob, Sweep, Trial};
pub use traffic::Traffic;

use crate::batch::Batch;
use crate::engine::choice::{Choice, EngineKind};
#[cfg(feature = "gpu")]
use crate::engine::gpu;
use crate::error::{Error, Result};
use crate::event::{Event, Measuring};
use crate::model::{Model, Storage};
use crate::train::PreparedTrainer;
use crate::train::dataset::Dataset;

/// Bytes of batches that are made beforehand. An engine that gets through them begins again.
const BATCH_BYTES: usize = 512 << 20;

/// The share of the remaining time that measuring the batcher takes at most. Making batches takes
/// as much again at most.
const BATCHER_SHARE: f64 = 0.06;

/// The sizes of the matrices of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Number of elements in a row.
    pub dim: usize,
    /// Bytes of an element in the engine's memory.
    pub bytes: u64,
    /// Number of rows of W'.
    pub output_rows: usize,
}

impl Shape {
    fn row_bytes(self) -> u64 {
        self.dim as u64 * self.bytes
    }
}

/// The data, the model and the batches that all engines are measured on.
#[derive(Debug)]
pub struct Bench {
    /// Holds the data, and starts the engines.
    trainer: PreparedTrainer,
    model: Model,
    batches: Vec<Batch>,
    started: Instant,
    budget: Duration,
}

/// How fast the batcher makes batches while nothing else works.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BatcherSpeed {
    /// Number of threads that make batches, beside one that reads ahead.
    pub threads: usize,
    /// Words of the corpus for which batches were made in a second. Words dropped by subsampling
    /// are included.
    pub words_per_second: f64,
    /// Windows made in a second.
    pub windows_per_second: f64,
}

/// The amount of work in some batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Number of batches.
    pub batches: u64,
    /// Words of the corpus that the batches were made from. Words dropped by subsampling are
    /// included.
    pub words: u64,
    /// Number of windows in the batches.
    pub windows: u64,
    /// Number of pairs in the batches.
    pub pairs: u64,
}

/// An engine, with the outcome of its measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The kind of engine, and the adapter's name.
    pub name: String,
    /// The kind of engine.
    #[serde(skip)]
    pub kind: EngineKind,
    /// Whether the engine runs on a GPU that is real hardware, not a program on the CPU.
    pub hardware_gpu: bool,
    /// The measured figures, or the reason why there are none.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The outcome of measuring an engine.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// The engine was measured.
    Measured(Box<Measured>),
    /// The engine failed.
    Failed {
        /// The error message.
        error: String,
    },
}

/// How much faster a GPU is than the CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The name of the GPU: the fastest one, and a hardware GPU if there is one.
    pub gpu: String,
    /// Words per second of the GPU, divided by those of the CPU, on batches made beforehand.
    pub engine: f64,
    /// Words per second of the GPU, divided by those of the CPU, with the batcher at work.
    pub end_to_end: f64,
}

impl Work {
    fn add(&mut self, batch: &Batch) {
        self.batches += 1;
        self.words += batch.words;
        self.windows += batch.windows() as u64;
        self.pairs += batch.examples();
    }
}

/// Bytes that a copy reads and writes in a second in the memory where the engine keeps its
/// matrices.
fn copy_bandwidth_of(choice: &Choice) -> Result<f64> {
    match choice {
        Choice::Cpu { threads } => copy_bandwidth(*threads),
        #[cfg(feature = "gpu")]
        Choice::Gpu { adapter, .. } => gpu::copy_bandwidth(adapter),
    }
}

/// The sizes of the matrices that an engine trains.
fn shape(choice: &Choice, bench: &Bench) -> Shape {
    let data = bench.data();
    let storage = match choice.kind() {
        EngineKind::Cpu => Storage::F32,
        EngineKind::Gpu => data.config.model.storage,
    };
    Shape {
        dim: data.config.model.dim,
        bytes: storage.bytes(),
        output_rows: data.batcher.output_rows(),
    }
}

impl Bench {
    /// Makes batches on as many threads as the trainer has. `model` is the one that every engine
    /// starts from. All measurements should end within `budget` after `started`.
    ///
    /// # Errors
    /// An error when the text cannot be read, or no two words of it stand in a sentence.
    pub fn new(
        trainer: PreparedTrainer,
        model: Model,
        started: Instant,
        budget: Duration,
    ) -> Result<(Self, BatcherSpeed)> {
        let mut bench = Self {
            trainer,
            model,
            batches: Vec::new(),
            started,
            budget,
        };
        let speed = bench.measure_batcher()?;
        bench.make_batches()?;
        if bench.work().pairs == 0 {
            let why = "no two words of the vocabulary stand in one sentence of what is read; raise \
                       `sample` (0 keeps all) or `text`";
            return Err(Error::NoPairs {
                why: why.to_owned(),
            });
        }
        Ok((bench, speed))
    }

    /// The amount of work in the batches made beforehand.
    pub fn work(&self) -> Work {
        let mut work = Work::default();
        self.batches.iter().for_each(|batch| work.add(batch));
        work
    }

    /// Measures one engine after the other, each in an equal part of the remaining time. An engine
    /// that fails does not hinder the others.
    pub fn compare(&self, candidates: &[Choice], on_event: &mut dyn FnMut(Event)) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (at, candidate) in candidates.iter().enumerate() {
            let share = self.left().div_f64((candidates.len() - at) as f64);
            let outcome = match measure::measure(self, candidate, share, on_event) {
                Ok(measured) => Outcome::Measured(Box::new(measured)),
                Err(error) => Outcome::Failed {
                    error: error.to_string(),
                },
            };
            entries.push(Entry {
                name: candidate.name(),
                kind: candidate.kind(),
                hardware_gpu: candidate.is_hardware_gpu(),
                outcome,
            });
        }
        measure::keep_common_loss(&mut entries);
        entries
    }

    /// Tries the settings that speed depends on, in the remaining time.
    ///
    /// # Errors
    /// An error when the text can no longer be read.
    pub fn sweep(
        &mut self,
        candidates: &[Choice],
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Vec<Sweep>> {
        sweep::sweep(self, candidates, on_event)
    }

    fn data(&self) -> &Dataset {
        self.trainer.data()
    }

    /// Number of threads that make batches while nothing else works.
    fn threads(&self) -> usize {
        self.trainer.choice().threads()
    }

    fn left(&self) -> Duration {
        self.budget.saturating_sub(self.started.elapsed())
    }

    fn tell(&self, what: String, on_event: &mut dyn FnMut(Event)) {
        on_event(Event::Measuring(Measuring {
            what,
            elapsed: self.started.elapsed(),
            budget: self.budget,
        }));
    }

    fn measure_batcher(&self) -> Result<BatcherSpeed> {
        let threads = self.threads();
        let most = self.left().mul_f64(BATCHER_SHARE);
        let (mut work, started) = (Work::default(), Instant::now());
        let mut batches = self.data().batcher.batches(threads);
        while let Some(batch) = batches.next().transpose()? {
            work.add(&batch);
            batches.recycle(batch);
            if started.elapsed() > most {
                break;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let (words_per_second, windows_per_second) =
            (work.words as f64 / seconds, work.windows as f64 / seconds);
        Ok(BatcherSpeed {
            threads,
            words_per_second,
            windows_per_second,
        })
    }

    /// Makes the first batches of a run, as many as time, memory and the first epoch allow.
    fn make_batches(&mut self) -> Result<()> {
        let most = self.left().mul_f64(BATCHER_SHARE);
        let (mut bytes, started) = (0, Instant::now());
        self.batches.clear();
        for batch in self.trainer.data().batcher.batches(self.threads()) {
            let batch = batch?;
            if batch.epoch > 0 {
                break;
            }
            bytes += batch.bytes();
            if batch.examples() > 0 {
                self.batches.push(batch);
            }
            if bytes > BATCH_BYTES || started.elapsed() > most {
                break;
            }
        }
        Ok(())
    }
}

/// The speed of the fastest GPU relative to the CPU, if both were measured.
pub fn gpu_over_cpu(entries: &[Entry]) -> Option<Ratio> {
    let measured = |gpu: bool| {
        entries
            .iter()
            .filter_map(move |entry| match &entry.outcome {
                Outcome::Measured(measured) if (entry.kind == EngineKind::Gpu) == gpu => {
                    Some((entry, &**measured))
                }
                _ => None,
            })
    };
    let (_, cpu) = measured(false).next()?;
    let (entry, gpu) = measured(true).max_by(|(entry, own), (other, others)| {
        let by_kind = entry.hardware_gpu.cmp(&other.hardware_gpu);
        by_kind.then(own.words_per_second.total_cmp(&others.words_per_second))
    })?;
    Some(Ratio {
        gpu: entry.name.clone(),
        engine: gpu.words_per_second / cpu.words_per_second,
        end_to_end: gpu.end_to_end.words_per_second / cpu.end_to_end.words_per_second,
    })
}
