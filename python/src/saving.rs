//! Runs that are saved, and that go on from there.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use w2v_gpu::Error;
use w2v_gpu::train::StartedTrainer;
use w2v_gpu::train::checkpoint::{Every, Fingerprint, Folder, LoadedCheckpoint, Saver};

/// Where a run is saved, how often, and where it goes on from.
#[derive(Debug, Default)]
pub(crate) struct Saving {
    checkpoint: Option<PathBuf>,
    resume: Option<PathBuf>,
    every: Every,
}

/// The folder of a run that is saved, and the checkpoint that it goes on from.
pub(crate) type Opened = (Option<Folder>, Option<LoadedCheckpoint>);

impl Saving {
    /// `every` is a time or a number of batches, as the program takes it.
    pub(crate) fn new(
        checkpoint: Option<PathBuf>,
        every: Option<&str>,
        resume: Option<PathBuf>,
    ) -> PyResult<Self> {
        if every.is_some() && checkpoint.is_none() && resume.is_none() {
            let text =
                "checkpoint_every has an effect with checkpoint or resume alone: name a folder";
            return Err(PyValueError::new_err(text));
        }
        let parse = |text: &str| {
            let wrong = |why| PyValueError::new_err(format!("checkpoint_every {text}: {why}"));
            text.parse().map_err(wrong)
        };
        Ok(Self {
            checkpoint,
            resume,
            every: every.map(parse).transpose()?.unwrap_or_default(),
        })
    }

    /// Opens the folders.
    pub(crate) fn open(&self) -> Result<Opened, Error> {
        Folder::of_run(self.checkpoint.as_deref(), self.resume.as_deref(), |_| ())
    }

    /// What saves a run to its folder, if it has one.
    pub(crate) fn saver(&self, folder: Option<Folder>, trainer: &StartedTrainer) -> Option<Saver> {
        let run = Fingerprint::new(trainer.data(), trainer.engine()).starting_from(trainer.init());
        folder.map(|folder| Saver::new(folder, run, self.every))
    }
}
