//! Engines side by side: how fast each trains on the same batches, and where its time goes.
//!
//! Batches are made beforehand, so that the batcher's time counts against no engine; how fast it
//! is, and how fast each engine trains with it at work, is measured by itself.
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
use crate::engine::Engine;
use crate::engine::choice::{Choice, EngineKind, StepSettings};
#[cfg(feature = "gpu")]
use crate::engine::gpu;
use crate::error::{Error, Result};
use crate::event::{Event, Measuring};
use crate::model::{Model, Storage};
use crate::train::dataset::Dataset;

/// Bytes of batches that are made beforehand. Engines that get through them begin again.
const BATCH_BYTES: usize = 512 << 20;

/// Of the time that is left, the share that measuring the batcher takes at most, and making batches
/// likewise.
const BATCHER_SHARE: f64 = 0.06;

/// How large what is trained is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Elements of a row.
    pub dim: usize,
    /// Bytes of an element, as the tables hold it.
    pub bytes: u64,
    /// Rows of W'.
    pub output_rows: usize,
}

impl Shape {
    fn row_bytes(self) -> u64 {
        self.dim as u64 * self.bytes
    }
}

/// Everything that engines are measured on.
#[derive(Debug)]
pub struct Bench {
    data: Dataset,
    model: Model,
    batches: Vec<Batch>,
    /// Threads that make them.
    threads: usize,
    started: Instant,
    budget: Duration,
}

/// How fast batches are made, while nothing else is done.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BatcherSpeed {
    /// Threads that make batches, beside one that reads ahead.
    pub threads: usize,
    /// Words of the corpus, those dropped by subsampling included, for which batches were made in a
    /// second.
    pub words_per_second: f64,
    /// Windows made in a second.
    pub windows_per_second: f64,
}

/// What the engines are measured on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Batches made beforehand.
    pub batches: u64,
    /// Words of the corpus that they stand for, those dropped by subsampling included.
    pub words: u64,
    /// Their windows.
    pub windows: u64,
    /// Their pairs.
    pub pairs: u64,
}

/// An engine, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its kind, and the adapter's name.
    pub name: String,
    /// The kind of engine.
    #[serde(skip)]
    pub kind: EngineKind,
    /// Whether it runs on a GPU that is no program on the CPU.
    pub hardware_gpu: bool,
    /// What was measured, or why nothing was.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of measuring an engine.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It was measured.
    Measured(Box<Measured>),
    /// It failed.
    Failed {
        /// What went wrong.
        error: String,
    },
}

/// A GPU against the CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The GPU: the fastest one, and no software if there is hardware.
    pub gpu: String,
    /// Words per second of the one to those of the other, on batches made beforehand.
    pub engine: f64,
    /// The same with the batcher at work.
    pub end_to_end: f64,
}

impl Work {
    fn add(&mut self, batch: &Batch) {
        self.batches += 1;
        self.words += batch.words;
        self.windows += batch.windows() as u64;
        self.pairs += batch.pairs();
    }
}

/// Brings a model to an engine; `measure` says whether its stages are to be timed.
fn start(choice: &Choice, bench: &Bench, measure: bool) -> Result<Box<dyn Engine>> {
    let config = &bench.data.config;
    let settings = StepSettings {
        clip: config.schedule.clip,
        storage: config.model.storage,
        seed: config.model.seed,
    };
    choice.start(&bench.model, bench.data.objective(), settings, measure)
}

/// What a copy reads and writes in a second where the engine keeps its matrices, in bytes.
fn copy_bandwidth_of(choice: &Choice) -> Result<f64> {
    match choice {
        Choice::Cpu { threads } => copy_bandwidth(*threads),
        #[cfg(feature = "gpu")]
        Choice::Gpu { adapter, .. } => gpu::copy_bandwidth(adapter),
    }
}

/// How large what an engine trains is.
fn shape(choice: &Choice, bench: &Bench) -> Shape {
    let storage = match choice.kind() {
        EngineKind::Cpu => Storage::F32,
        EngineKind::Gpu => bench.data.config.model.storage,
    };
    Shape {
        dim: bench.data.config.model.dim,
        bytes: storage.bytes(),
        output_rows: bench.data.batcher.output_rows(),
    }
}

impl Bench {
    /// Makes batches on `threads` threads. What is measured should be over `budget` after
    /// `started`.
    ///
    /// # Errors
    /// When the text cannot be read, or no two words of it stand in a sentence.
    pub fn new(
        data: Dataset,
        threads: usize,
        started: Instant,
        budget: Duration,
    ) -> Result<(Self, BatcherSpeed)> {
        let model = data.model();
        let mut bench = Self {
            data,
            model,
            batches: Vec::new(),
            threads,
            started,
            budget,
        };
        let speed = bench.measure_batcher(threads)?;
        bench.make_batches(threads)?;
        if bench.work().pairs == 0 {
            let why = "no two words of the vocabulary stand in one sentence of what is read; raise \
                       `sample` (0 keeps all) or `text`";
            return Err(Error::NoPairs {
                why: why.to_owned(),
            });
        }
        Ok((bench, speed))
    }

    /// What is trained on.
    pub fn work(&self) -> Work {
        let mut work = Work::default();
        self.batches.iter().for_each(|batch| work.add(batch));
        work
    }

    /// Measures one engine after the other, each in an equal part of the time that is left. One
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

    /// Tries the settings that speed depends on, in the time that is left.
    ///
    /// # Errors
    /// When the text cannot be read any more.
    pub fn sweep(
        &mut self,
        candidates: &[Choice],
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Vec<Sweep>> {
        sweep::sweep(self, candidates, on_event)
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

    fn measure_batcher(&self, threads: usize) -> Result<BatcherSpeed> {
        let most = self.left().mul_f64(BATCHER_SHARE);
        let (mut work, started) = (Work::default(), Instant::now());
        let mut batches = self.data.batcher.batches(threads);
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

    /// The first batches of the run, as many as time, memory and the first epoch allow.
    fn make_batches(&mut self, threads: usize) -> Result<()> {
        let most = self.left().mul_f64(BATCHER_SHARE);
        let (mut bytes, started) = (0, Instant::now());
        self.batches.clear();
        for batch in self.data.batcher.batches(threads) {
            let batch = batch?;
            if batch.epoch > 0 {
                break;
            }
            bytes += batch.bytes();
            if batch.pairs() > 0 {
                self.batches.push(batch);
            }
            if bytes > BATCH_BYTES || started.elapsed() > most {
                break;
            }
        }
        Ok(())
    }
}

/// The fastest GPU against the CPU, where both were measured.
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
