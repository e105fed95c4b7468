//! Checkpoints: a run saved between two batches. Another process resumes it and ends with the bytes
//! of an undisturbed run.
//!
//! | file | does |
//! |---|---|
//! | `fingerprint` | says which run a checkpoint is of, and whether another one may go on from it |
//! | `file` | one checkpoint as bytes, with a checksum |
//! | `folder` | the last two of a run, and which of them is whole |
//! | `saver` | when to save, and the thread that writes |
//!
//! The place in the corpus is the number of words seen. From it the batcher finds the next batch,
//! because every draw is a function of (seed, epoch, position). The learning rate follows from it
//! too.

mod file;
mod fingerprint;
mod folder;
mod saver;

use std::path::{Path, PathBuf};

pub use self::fingerprint::Fingerprint;
pub use self::folder::{Folder, LoadedCheckpoint};
pub use self::saver::{Every, Saver};
use super::dataset::Dataset;
use super::state::Snapshot;
use crate::config::Config;
use crate::error::{Error, Result};

/// A run saved on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The path of the checkpoint's file.
    pub path: PathBuf,
    /// The identity of the run.
    pub run: Fingerprint,
    /// The state of the run.
    pub snapshot: Snapshot,
}

impl Checkpoint {
    /// The settings of a run that resumes here: those of `config`, with those left to be chosen as
    /// they were chosen before.
    ///
    /// `config` may give more `epochs`. The learning rate then falls over all of them, and goes on
    /// from the share of words seen so far. The size of a batch stays as it was.
    ///
    /// # Errors
    /// [`Error::Setting`] with the settings that would change the vectors, each with its old and
    /// new value.
    pub fn complete(&self, config: &Config) -> Result<Config> {
        self.run.complete(config).map_err(|why| self.refusal(&why))
    }

    /// The checkpoint whose file has these bytes. Messages call the file `path`.
    ///
    /// # Errors
    /// [`Error::Format`] when it is damaged, [`Error::Setting`] when another version of the program
    /// wrote it.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        file::read_from(path, bytes, bytes.len() as u64)
    }

    /// Checks that a run on `data` may resume here.
    ///
    /// # Errors
    /// [`Error::Setting`] with the difference between then and now; as
    /// [`Format::read`](crate::vectors::format::Format::read) for the vectors that the run started
    /// from.
    pub fn check(&self, data: &Dataset) -> Result<()> {
        self.run.check(data).map_err(|why| self.refusal(&why))?;
        self.run.init().check(data)?;
        if self.snapshot.fits(data) {
            Ok(())
        } else {
            Err(self.refusal("parts that do not fit together"))
        }
    }

    fn refusal(&self, why: &str) -> Error {
        let why =
            format!("the run there has {why}, or start anew with another folder for `checkpoint`");
        Error::setting("resume", self.path.display(), why)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::engine::tests::random_model;
    use crate::event::Epoch;
    use crate::train::state::{Mean, TrainState};

    /// The state of a run on an empty corpus after `steps` steps.
    pub(super) fn snapshot(steps: u64, with_best: bool) -> Snapshot {
        let epoch = Epoch {
            epoch: 1,
            pairs: 7,
            loss: 0.1 + 0.2,
            validation: Some(1.0 / 3.0),
        };
        Snapshot {
            reached: TrainState {
                steps,
                words: u64::MAX,
                loss: Mean {
                    sum: 2f64.sqrt(),
                    pairs: 3,
                },
                best: with_best.then_some(epoch),
                elapsed: Duration::new(3, 999_999_999),
                ..TrainState::default()
            },
            model: random_model(3, steps),
            best: with_best.then(|| Arc::new(random_model(3, steps + 1))),
        }
    }
}
