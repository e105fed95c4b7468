//! Decides when a run is saved, and writes checkpoints on a thread of its own.

use std::str::FromStr;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::{Fingerprint, Folder};
use crate::event::{Event, Saved};
use crate::quantity;
use crate::train::state::Snapshot;

/// The distance between two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// The time between them.
    Time(Duration),
    /// The number of minibatches between them.
    Batches(u64),
}

impl Default for Every {
    fn default() -> Self {
        Self::Time(Duration::from_secs(600))
    }
}

impl FromStr for Every {
    type Err = String;

    /// Parses a number of batches, or a time: a number followed by `s`, `m` or `h`.
    fn from_str(text: &str) -> Result<Self, String> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = text[..text.len() - unit.len()]
            .parse::<u64>()
            .ok()
            .filter(|&number| number > 0);
        let seconds = |each: u64| Some(Self::Time(Duration::from_secs(number?.checked_mul(each)?)));
        let every = match unit {
            "" => number.map(Self::Batches),
            "s" => seconds(1),
            "m" => seconds(60),
            "h" => seconds(3600),
            _ => None,
        };
        every.ok_or_else(|| {
            "give a time such as 30s, 10m or 2h, or a number of batches such as 5000".to_owned()
        })
    }
}

/// Saves a run now and then, on a thread of its own, so that training does not wait for the disk.
#[derive(Debug)]
pub struct Saver {
    folder: Arc<Folder>,
    run: Arc<Fingerprint>,
    every: Every,
    /// When the last checkpoint was due, and the number of batches trained by then.
    last: (Instant, u64),
    writing: Option<JoinHandle<Event>>,
}

impl Saver {
    /// A saver that writes checkpoints of the run `run` to `folder`.
    pub fn new(folder: Folder, run: Fingerprint, every: Every) -> Self {
        let (folder, run) = (Arc::new(folder), Arc::new(run));
        Self {
            folder,
            run,
            every,
            last: (Instant::now(), 0),
            writing: None,
        }
    }

    /// Starts the count of time and batches, at `step` batches.
    pub(crate) fn start(&mut self, step: u64) {
        self.last = (Instant::now(), step);
    }

    /// Whether to save now, after `step` batches. The answer is no while an earlier checkpoint is
    /// still being written; the next one is then due that much later.
    pub(crate) fn is_due(&mut self, step: u64) -> bool {
        let (time, last) = self.last;
        let due = match self.every {
            Every::Time(every) => time.elapsed() >= every,
            Every::Batches(every) => step - last >= every,
        };
        if due {
            self.start(step);
            if self.writing.is_some() {
                tracing::info!(
                    "batch {step}: no checkpoint, as the one before is still being written"
                );
            }
        }
        due && self.writing.is_none()
    }

    /// Begins to write a checkpoint, once the earlier one is written. Returns the outcome of the
    /// earlier one, and of this one if it is done already.
    pub(crate) fn begin(&mut self, snapshot: Snapshot) -> impl Iterator<Item = Event> + use<> {
        self.begin_on(Builder::new().name("checkpoint".to_owned()), snapshot)
    }

    /// Like [`Saver::begin`], on a thread started by `builder`. If no thread can be started,
    /// training waits until the checkpoint is written.
    fn begin_on(
        &mut self,
        builder: Builder,
        snapshot: Snapshot,
    ) -> impl Iterator<Item = Event> + use<> {
        let before = self.finish();
        let snapshot = Arc::new(snapshot);
        let (folder, run, shared) = (
            Arc::clone(&self.folder),
            Arc::clone(&self.run),
            Arc::clone(&snapshot),
        );
        let done = match builder.spawn(move || save(&folder, &run, &shared)) {
            Ok(writing) => {
                self.writing = Some(writing);
                None
            }
            Err(error) => {
                tracing::warn!(
                    "training waits for its checkpoint, as no thread can be started for it: {error}"
                );
                Some(save(&self.folder, &self.run, &snapshot))
            }
        };
        before.into_iter().chain(done)
    }

    /// The outcome of the checkpoint being written, if it is done.
    pub(crate) fn poll(&mut self) -> Option<Event> {
        if self.writing.as_ref()?.is_finished() {
            self.finish()
        } else {
            None
        }
    }

    /// Waits for the checkpoint being written, if any, and returns its outcome.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        let why = "the thread that writes it has panicked".to_owned();
        Some(
            self.writing
                .take()?
                .join()
                .unwrap_or(Event::NotSaved { why }),
        )
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.finish();
    }
}

fn save(folder: &Folder, run: &Fingerprint, snapshot: &Snapshot) -> Event {
    let started = Instant::now();
    match folder.save(run, snapshot) {
        Ok(path) => {
            let bytes = path.metadata().map_or(0, |metadata| metadata.len());
            let (step, elapsed) = (snapshot.reached.steps, started.elapsed());
            tracing::info!(
                "checkpoint of batch {step}: {} in {}",
                quantity::bytes(bytes),
                quantity::duration(elapsed)
            );
            Event::Saved(Saved {
                path,
                step,
                bytes,
                elapsed,
            })
        }
        Err(error) => Event::NotSaved {
            why: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::train::checkpoint::fingerprint::tests::of;
    use crate::train::checkpoint::tests::snapshot;

    #[test]
    fn times_and_batches() {
        let time = |seconds| Ok(Every::Time(Duration::from_secs(seconds)));
        assert_eq!("30s".parse(), time(30));
        assert_eq!("10m".parse(), time(600));
        assert_eq!("2h".parse(), time(7200));
        assert_eq!("5000".parse(), Ok(Every::Batches(5000)));
        for wrong in [
            "",
            "m",
            "0",
            "0s",
            "-1",
            "1.5h",
            "10 m",
            "10M",
            "99999999999999999999",
            "9999999999999999999h",
        ] {
            assert!(
                wrong.parse::<Every>().unwrap_err().contains("10m"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn one_checkpoint_at_a_time() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path(), "checkpoint").unwrap();
        let mut saver = Saver::new(folder, of(&Config::default()), Every::Batches(5));
        saver.start(100);
        assert!(!saver.is_due(104) && saver.is_due(105) && !saver.is_due(106));
        assert_eq!(saver.begin(snapshot(105, false)).count(), 0);
        // No checkpoint is due before the current one is reported; the next one then is due at its
        // own time.
        assert!(!saver.is_due(110));
        let Some(Event::Saved(saved)) = saver.finish() else {
            panic!("a checkpoint")
        };
        assert_eq!(
            (saved.step, saved.path.metadata().unwrap().len()),
            (105, saved.bytes)
        );
        assert!(!saver.is_due(114) && saver.is_due(115));
        assert!(saver.finish().is_none());
    }

    /// The thread cannot be started: no machine has room for a stack of this size.
    #[test]
    fn without_a_thread_a_checkpoint_is_written_all_the_same() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path(), "checkpoint").unwrap();
        let mut saver = Saver::new(folder, of(&Config::default()), Every::default());
        let events: Vec<Event> = saver
            .begin_on(Builder::new().stack_size(1 << 60), snapshot(7, false))
            .collect();
        let [Event::Saved(saved)] = &events[..] else {
            panic!("{events:?}")
        };
        assert!(saved.step == 7 && saved.path.is_file() && saver.finish().is_none());
    }

    #[test]
    fn a_folder_that_is_gone_is_an_event() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path(), "checkpoint").unwrap();
        let mut saver = Saver::new(folder, of(&Config::default()), Every::default());
        drop(temporary);
        let _ = saver.begin(snapshot(1, false));
        let Some(Event::NotSaved { why }) = saver.finish() else {
            panic!("a failure")
        };
        assert!(why.starts_with("cannot write"), "{why}");
    }
}
