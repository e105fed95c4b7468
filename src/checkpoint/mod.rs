//! Checkpoints: a run saved between two batches, from which another process goes on as if nothing
//! had happened.
//!
//! | file | does |
//! |---|---|
//! | `fingerprint` | says which run a checkpoint is of, and whether another one may go on from it |
//! | `file` | one checkpoint as bytes, with a checksum |
//! | `folder` | the last two of a run, and which of them is whole |
//! | `saver` | when to save, and the thread that writes |
//!
//! The place in the corpus is the number of words seen: from it the batcher finds the next batch,
//! because every draw is a function of (seed, epoch, position). The learning rate follows from it
//! too.

mod file;
mod fingerprint;
mod folder;
mod saver;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::fingerprint::Fingerprint;
pub use self::folder::{Folder, Loaded};
pub use self::saver::{Every, Saver};
use crate::config::Config;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::event::Epoch;
use crate::model::Model;

/// No run has taken longer: a thousand years.
const LONGEST: Duration = Duration::from_secs(1000 * 366 * 24 * 3600);

/// A run on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Its file.
    pub path: PathBuf,
    /// Which run it is.
    pub run: Fingerprint,
    /// How it stands.
    pub snapshot: Snapshot,
}

/// A run between two batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// How far it has come.
    pub reached: Reached,
    /// The matrices.
    pub model: Model,
    /// With `patience`, those after the epoch of the lowest validation loss.
    pub best: Option<Arc<Model>>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// Minibatches trained.
    pub steps: u64,
    /// Words of the corpus seen, over all epochs: the place where the next batch begins.
    pub words: u64,
    /// Pairs trained.
    pub pairs: u64,
    /// Epochs that are over.
    pub epochs: u32,
    /// The loss of the epoch under way.
    pub loss: Mean,
    /// The loss over all pairs trained if all scores had been zero.
    pub blank: f64,
    /// The latest epoch that is over.
    pub latest: Option<Epoch>,
    /// With `patience`, the epoch of the lowest validation loss.
    pub best: Option<Epoch>,
    /// Epochs since then.
    pub since_best: u32,
    /// Time spent training.
    pub elapsed: Duration,
    /// Of that, time spent waiting for the batcher.
    pub waited: Duration,
}

/// A sum with the number of pairs it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The sum.
    pub sum: f64,
    /// The number of pairs.
    pub pairs: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.pairs += other.pairs;
    }

    /// The mean so far; begins anew.
    pub(crate) fn take(&mut self) -> f64 {
        let Self { sum, pairs } = std::mem::take(self);
        sum / pairs.max(1) as f64
    }
}

impl Checkpoint {
    /// The settings of a run that goes on from here: those given, and what they leave to be chosen
    /// as it was chosen then.
    ///
    /// More `epochs` may be given. The learning rate then falls over all of them, from where the
    /// words seen so far are on that longer way; the size of a batch stays as it was.
    ///
    /// # Errors
    /// [`Error::Setting`] with the settings that would change the vectors, each as it was then and
    /// is now.
    pub fn complete(&self, config: &Config) -> Result<Config> {
        self.run.complete(config).map_err(|why| self.refusal(&why))
    }

    /// Whether a run on `data` may go on from here.
    ///
    /// # Errors
    /// [`Error::Setting`] with what differs, then and now; as
    /// [`Format::read`](crate::format::Format::read) for the vectors that it started from.
    pub fn check(&self, data: &Dataset) -> Result<()> {
        self.run.check(data).map_err(|why| self.refusal(&why))?;
        self.run.init().check(&data.config)?;
        if self.snapshot.fits(data) {
            Ok(())
        } else {
            Err(self.refusal("parts that do not fit together"))
        }
    }

    fn refusal(&self, why: &str) -> Error {
        let why =
            format!("the run there has {why}, or start anew with another folder for --checkpoint");
        Error::Setting {
            flag: "--resume",
            value: self.path.display().to_string(),
            why,
        }
    }
}

impl Snapshot {
    fn fits(&self, data: &Dataset) -> bool {
        let Self {
            reached,
            model,
            best,
        } = self;
        let fits = |model: &Model| {
            let (input, output) = (&model.input, &model.output);
            let dims = input.dim() == data.config.dim && output.dim() == data.config.dim;
            dims && input.rows() == data.vocab.len() && output.rows() == data.source.output_rows()
        };
        let words_at = |epoch: u32| u64::from(epoch).saturating_mul(data.source.store.tokens());
        let under_way = words_at(reached.epochs)..=words_at(reached.epochs.saturating_add(1));
        fits(model)
            && best.as_deref().is_none_or(fits)
            && best.is_some() == reached.best.is_some()
            && under_way.contains(&reached.words)
            // A batch has a word at least, and a word as many pairs at most as a window has places.
            && reached.steps <= reached.words
            && reached.pairs.max(reached.loss.pairs) <= reached.words.saturating_mul(2 * u64::from(data.config.window))
            && reached.since_best <= reached.epochs
            && [reached.latest, reached.best].iter().flatten().all(|epoch| epoch.epoch < reached.epochs)
            && reached.elapsed.max(reached.waited) <= LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::random_model;

    /// A run of nothing, after some steps.
    pub(super) fn snapshot(steps: u64, with_best: bool) -> Snapshot {
        let epoch = Epoch {
            epoch: 1,
            pairs: 7,
            loss: 0.1 + 0.2,
            validation: Some(1.0 / 3.0),
        };
        Snapshot {
            reached: Reached {
                steps,
                words: u64::MAX,
                loss: Mean {
                    sum: 2f64.sqrt(),
                    pairs: 3,
                },
                best: with_best.then_some(epoch),
                elapsed: Duration::new(3, 999_999_999),
                ..Reached::default()
            },
            model: random_model(3, steps),
            best: with_best.then(|| Arc::new(random_model(3, steps + 1))),
        }
    }
}
