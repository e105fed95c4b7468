//! The checkpoints of `train`: the options, and the messages about them.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::engine::Engine;
use crate::engine::choice::EngineKind;
use crate::error::shown;
use crate::event::Event;
use crate::quantity::plural;
use crate::train::checkpoint::{Checkpoint, Every, Fingerprint, Folder, LoadedCheckpoint, Saver};
use crate::train::dataset::Dataset;
use crate::train::init::Init;
use crate::train::state::TrainState;
use anyhow::anyhow;

use super::progress::Display;
use super::signals::Signals;
use super::terminal::escaped;

/// The options of checkpoints.
#[derive(clap::Args, Debug)]
pub(super) struct Checkpoints {
    /// Save the run to folder DIR on the way, when it is stopped, and at its end
    #[arg(long, value_name = "DIR", help_heading = "Checkpoints")]
    checkpoint: Option<PathBuf>,
    /// How often: a time such as 30s, 10m or 2h, or a number of batches [default: 10m]
    #[arg(long, value_name = "TIME|BATCHES", help_heading = "Checkpoints")]
    checkpoint_every: Option<Every>,
    /// Go on with the run saved in DIR, with its CORPUS and options, to the same vectors as without
    /// a break; goes on saving there. More --epochs may be given
    #[arg(long, value_name = "DIR", help_heading = "Checkpoints")]
    resume: Option<PathBuf>,
}

impl Checkpoints {
    /// The folders that the options name.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.checkpoint
            .iter()
            .chain(&self.resume)
            .map(PathBuf::as_path)
    }

    /// These folders, each with the option that names it.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let named = [("checkpoint", &self.checkpoint), ("resume", &self.resume)];
        named
            .into_iter()
            .filter_map(|(setting, folder)| Some((setting, folder.clone()?)))
    }

    /// The folder of the run to resume, if one is to be.
    pub(super) fn resumes(&self) -> Option<&Path> {
        self.resume.as_deref()
    }

    /// The folder where checkpoints are written, if the run is saved.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.resume.as_deref())
    }
}

/// The checkpoints of a run: the one that it resumes from, the folder, and the outcome of each
/// write.
#[derive(Default)]
pub(super) struct Session {
    folder: Option<Folder>,
    every: Every,
    resumed: Option<Resumed>,
    /// The folder of the last checkpoint, and the number of batches trained by then.
    last: Option<(PathBuf, u64)>,
    failures: Vec<String>,
}

/// The checkpoint that a run resumes from.
struct Resumed {
    path: PathBuf,
    engine: String,
    reached: TrainState,
    /// The damage of newer checkpoints, which cannot be used.
    damaged: Vec<Error>,
    /// The checkpoint, until the trainer takes it.
    checkpoint: Option<Checkpoint>,
}

impl From<LoadedCheckpoint> for Resumed {
    fn from(loaded: LoadedCheckpoint) -> Self {
        let LoadedCheckpoint {
            checkpoint,
            damaged,
        } = loaded;
        Self {
            path: checkpoint.path.clone(),
            engine: checkpoint.run.engine().to_owned(),
            reached: checkpoint.snapshot.reached,
            damaged,
            checkpoint: Some(checkpoint),
        }
    }
}

impl Session {
    /// Opens the folders, and reads the checkpoint to resume from.
    pub(super) fn open(args: &Checkpoints, display: &mut Display) -> Result<Self, Error> {
        let Checkpoints {
            checkpoint,
            checkpoint_every,
            resume,
        } = args;
        if checkpoint_every.is_some() && checkpoint.is_none() && resume.is_none() {
            let (value, why) = (
                "without --checkpoint".to_owned(),
                "say where to save: add --checkpoint DIR".to_owned(),
            );
            return Err(Error::setting("checkpoint_every", value, why));
        }
        let (checkpoint, resume) = (checkpoint.as_deref(), resume.as_deref());
        let waiting = |path: &Path| display.waiting(path, "has these checkpoints");
        let (folder, loaded) = Folder::of_run(checkpoint, resume, waiting)?;
        let steps = loaded
            .as_ref()
            .map(|loaded| loaded.checkpoint.snapshot.reached.steps);
        Ok(Self {
            folder,
            every: checkpoint_every.unwrap_or_default(),
            resumed: loaded.map(Resumed::from),
            last: resume.map(Path::to_owned).zip(steps),
            failures: Vec::new(),
        })
    }

    /// Hands over the checkpoint that the run resumes from.
    pub(super) fn take_checkpoint(&mut self) -> Option<Checkpoint> {
        self.resumed.as_mut()?.checkpoint.take()
    }

    /// The bytes of the checkpoint that the run resumes from, for ranks that have no such folder;
    /// `None` if the run starts anew.
    pub(super) fn checkpoint_bytes(&self) -> Result<Option<Vec<u8>>, Error> {
        let read = |resumed: &Resumed| {
            let path = &resumed.path;
            std::fs::read(path).map_err(Error::io("read", path))
        };
        self.resumed.as_ref().map(read).transpose()
    }

    /// Tells where the run resumes, and what has changed since.
    pub(super) fn announce(&self, engine: &dyn Engine, display: &mut Display) {
        let Some(resumed) = &self.resumed else {
            return;
        };
        for error in &resumed.damaged {
            display.warn(&format!(
                "{error}; this checkpoint is damaged and now ends in .damaged, the one before is \
                 used"
            ));
        }
        let (then, now) = (&resumed.engine, engine.describe());
        if differs(then, &now) {
            display.warn(&format!(
                "the run was on {} and goes on with {now}: other rounding, so the vectors will \
                 differ a little from those of a run without a break",
                escaped(then)
            ));
        }
        let TrainState { steps, epochs, .. } = resumed.reached;
        let (epochs, path) = (plural(epochs.into(), "epoch"), shown(&resumed.path));
        display.line(&format!(
            "goes on after batch {steps} ({epochs} done) from {path}"
        ));
    }

    /// The saver that writes the run's checkpoints; `None` if the run is not saved.
    pub(super) fn saver(
        &mut self,
        data: &Dataset,
        engine: &dyn Engine,
        init: Init,
    ) -> Option<Saver> {
        let run = || Fingerprint::new(data, engine).starting_from(init);
        self.folder
            .take()
            .map(|folder| Saver::new(folder, run(), self.every))
    }

    /// Notes whether a checkpoint could be written.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Saved(saved) => {
                let folder = saved.path.parent().unwrap_or(Path::new(".")).to_owned();
                self.last = Some((folder, saved.step));
            }
            Event::NotSaved { why } => self.failures.push(why.clone()),
            _ => {}
        }
    }

    /// Whether a run that was stopped after batch `step` can be resumed from there.
    pub(super) fn has(&self, step: u64) -> bool {
        self.last.as_ref().is_some_and(|(_, last)| *last == step)
    }

    /// The message about a run that failed or was stopped, with the way to resume it.
    pub(super) fn explain(&self, error: Error, signals: &Signals) -> anyhow::Error {
        match error {
            Error::Stopped { step } => self.stopped(step, signals),
            Error::Device { .. } | Error::DeviceMemory { .. } if self.last.is_some() => {
                anyhow!(
                    "{error}\n{}, with --engine cpu beside it on the processor",
                    self.how_to_go_on()
                )
            }
            Error::Device { .. } | Error::DeviceMemory { .. } | Error::Io { .. } => {
                anyhow!("{error}\n{}", self.how_to_go_on())
            }
            // A run that has diverged would diverge again.
            _ => error.into(),
        }
    }

    /// The error that a trained model could not be written, with the way to get it all the same.
    pub(super) fn explain_unwritten(&self, error: anyhow::Error) -> anyhow::Error {
        if self.last.is_none() {
            return error;
        }
        let said = format!("{error}\n{}", self.how_to_go_on());
        error.context(said)
    }

    /// The advice about checkpoints for a run that was stopped and wrote its vectors so far.
    /// `asked` says whether checkpoints were asked for.
    pub(super) fn advice(&self, asked: bool) -> String {
        match (&self.last, asked) {
            (Some(_), _) => self.how_to_go_on(),
            (None, true) => "no checkpoint of it could be written".to_owned(),
            (None, false) => "with --checkpoint DIR a run can be resumed".to_owned(),
        }
    }

    /// The message about a run that was stopped and wrote no vectors.
    pub(super) fn stopped(&self, step: u64, signals: &Signals) -> anyhow::Error {
        signals
            .interrupted(format!(
                "stopped after batch {step}; {}",
                self.how_to_go_on()
            ))
            .into()
    }

    fn how_to_go_on(&self) -> String {
        match &self.last {
            Some((folder, step)) => {
                let folder = shown(folder);
                format!(
                    "the checkpoint of batch {step} is kept: the same command with --resume \
                     {folder} goes on from it"
                )
            }
            None => {
                "nothing was saved: with --checkpoint DIR a run is saved on the way and at its end"
                    .to_owned()
            }
        }
    }

    /// A warning about all checkpoints that could not be written, for the end of the run.
    pub(super) fn warning(&self) -> Option<String> {
        let why = self.failures.last()?;
        let failures = plural(self.failures.len() as u64, "checkpoint");
        Some(format!(
            "{failures} could not be written; the last one: {why}"
        ))
    }
}

/// Whether two engines may round differently. The CPU engine always rounds alike, whatever its
/// threads and processor.
fn differs(then: &str, now: &str) -> bool {
    let kind = EngineKind::of_description;
    then != now && (kind(then) != kind(now) || kind(now) != Some(EngineKind::Cpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message when a device fails after batch 7, or before any checkpoint.
    #[test]
    fn a_device_that_fails_is_explained() {
        let session = |last| Session {
            folder: None,
            every: Every::default(),
            resumed: None,
            last,
            failures: Vec::new(),
        };
        let lost = || Error::Device {
            adapter: "a chip".to_owned(),
            doing: "training".to_owned(),
            why: "it is lost".to_owned(),
        };
        let explained = |last, error| {
            session(last)
                .explain(error, &Signals::default())
                .to_string()
        };
        let saved = || Some((PathBuf::from("run"), 7));
        for error in [
            lost(),
            Error::DeviceMemory {
                adapter: "a chip".to_owned(),
                doing: "training".to_owned(),
            },
        ] {
            let said = explained(saved(), error);
            assert!(
                said.contains("batch 7 is kept") && said.contains("--resume run"),
                "{said}"
            );
            assert!(
                said.ends_with("with --engine cpu beside it on the processor"),
                "{said}"
            );
        }
        let said = explained(None, lost());
        assert!(
            said.contains("it is lost")
                && said.contains("nothing was saved: with --checkpoint DIR"),
            "{said}"
        );
        let said = explained(
            saved(),
            Error::Diverged {
                step: 9,
                lr: 1.0,
                loss: 99.0,
                blank_loss: 1.0,
            },
        );
        assert!(!said.contains("--resume"), "{said}");
    }

    #[test]
    fn only_what_may_round_differently_is_another_engine() {
        assert!(!differs(
            "cpu (2 threads, AVX2)",
            "cpu (8 threads, AVX-512)"
        ));
        assert!(!differs("gpu a (Vulkan), 1", "gpu a (Vulkan), 1"));
        assert!(differs("gpu a (Vulkan), 1", "gpu a (Vulkan), 2"));
        assert!(differs("gpu a (Vulkan), 1", "cpu (2 threads, AVX2)"));
    }
}
