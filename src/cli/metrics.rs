//! `train --metrics` and `--tensorboard`: write a run's events to files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::Error;
use crate::config::Config;
use crate::error::shown;
use crate::event::{Epoch, Evaluated, Event, NamedScore, Prepared, Progress};
use crate::record::log::{self, EndRecord, Hardware, LogFile, StartRecord};
use crate::record::tensorboard::EventFile;
use crate::system::{self, OsText, STDOUT};
use crate::train::state::TrainState;
use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::progress::Display;
use crate::system::is_same_file;

/// The options about the records of a run.
#[derive(clap::Args, Debug)]
pub(super) struct Recording {
    /// Record the run in FILE, a JSON object a line; `w2v-gpu report` makes a page of it. With
    /// --resume the record there goes on; any other file of that name stays until the new record is
    /// whole
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Display")]
    metrics: Option<PathBuf>,
    /// Record the run for TensorBoard, in a folder of its own
    #[arg(long, value_name = "DIR", help_heading = "Display")]
    tensorboard: Option<PathBuf>,
}

/// The facts about a run that are known before its first batch.
#[derive(Clone, Debug)]
pub(super) struct RecordedRun<'a> {
    pub(super) engine: String,
    pub(super) threads: usize,
    pub(super) corpus: &'a [PathBuf],
    pub(super) output: &'a Path,
    pub(super) config: &'a Config,
    /// The settings as they were given, without values for those left to the program.
    pub(super) given: &'a Config,
    /// Options that are no settings, as they would be typed.
    pub(super) options: Vec<OsText>,
    pub(super) prepared: &'a Prepared,
    /// The state from which the run resumes; `None` if it starts anew.
    pub(super) resumed: Option<TrainState>,
}

impl Recording {
    /// The file of the record.
    pub(super) fn metrics(&self) -> Option<&Path> {
        self.metrics.as_deref()
    }

    /// Checks, before any work, that the files can be written. None of them may be in `taken`, the
    /// files that the run reads or writes.
    pub(super) fn check<'a>(&self, mut taken: impl Iterator<Item = &'a Path>) -> Result<(), Error> {
        if let Some(path) = &self.metrics {
            system::check_writable(path, "metrics")?;
            if taken.any(|taken| is_same_place(taken, path)) {
                let why = "is a file of the corpus or of the vectors; name another file".to_owned();
                return Err(Error::setting("metrics", shown(path), why));
            }
        }
        match &self.tensorboard {
            // The folder may have to be made. Whether that is possible is up to its nearest
            // ancestor that exists.
            Some(folder) => {
                let there = folder
                    .ancestors()
                    .find(|folder| folder.exists())
                    .unwrap_or(Path::new("."));
                if there.is_dir() {
                    return system::check_writable(&there.join("events"), "tensorboard");
                }
                let why = format!("{} is a file; name a folder", shown(there));
                Err(Error::setting("tensorboard", shown(folder), why))
            }
            None => Ok(()),
        }
    }

    /// The files and folders of the records, each with the option that names it.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let named = [
            ("metrics", &self.metrics),
            ("tensorboard", &self.tensorboard),
        ];
        named
            .into_iter()
            .filter_map(|(setting, place)| Some((setting, place.clone()?)))
    }

    /// The number of points of the run's curves that are recorded.
    pub(super) fn points(&self) -> u32 {
        if self.metrics.is_some() || self.tensorboard.is_some() {
            log::REPORTS
        } else {
            0
        }
    }

    /// Makes the files, and writes the beginning of the record.
    pub(super) fn start(&self, run: &RecordedRun<'_>, display: &mut Display) -> Result<Recorder> {
        let TrainState {
            steps,
            words,
            elapsed,
            ..
        } = run.resumed.unwrap_or_default();
        let mut recorder = Recorder {
            log: None,
            board: None,
            words,
            elapsed,
        };
        if let Some(path) = &self.metrics {
            let file = LogFile::begin(path, start_record(run)?, run.resumed.as_ref(), || {
                display.waiting(path, "records a run there");
            })?;
            recorder.log = Some(Sink {
                to: file,
                path: path.clone(),
                failure: None,
            });
        }
        if let Some(folder) = &self.tensorboard {
            let first_step = if run.resumed.is_some() { steps + 1 } else { 0 };
            let (file, path) = EventFile::create(folder, first_step)?;
            recorder.board = Some(Sink {
                to: file,
                path,
                failure: None,
            });
        }
        Ok(recorder)
    }
}

/// Whether two paths lead to one file, which need not exist yet.
fn is_same_place(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        Some((
            path.parent()?.join(".").canonicalize().ok()?,
            path.file_name()?.to_owned(),
        ))
    };
    is_same_file(a, b) || place(a).is_some_and(|a| place(b) == Some(a))
}

/// The absolute path of an output file; standard output keeps its name.
pub(super) fn full_name(path: &Path) -> io::Result<OsText> {
    let path = if path.as_os_str() == STDOUT {
        path.to_owned()
    } else {
        std::path::absolute(path)?
    };
    Ok(path.as_path().into())
}

fn start_record(run: &RecordedRun<'_>) -> Result<StartRecord> {
    let config = log::object(run.config)?;
    let given = run.given.settings();
    let is_automatic =
        |name: &&String| given.get(*name).is_some_and(Value::is_null) && !config[*name].is_null();
    let automatic = config.keys().filter(is_automatic).cloned().collect();
    Ok(StartRecord {
        version: log::VERSION,
        program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        engine: run.engine.clone(),
        hardware: Hardware {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: run.threads,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        },
        corpus: run
            .corpus
            .iter()
            .map(|path| path.as_path().into())
            .collect(),
        output: full_name(run.output)?,
        config,
        automatic,
        options: run.options.clone(),
        prepared: log::object(run.prepared)?,
    })
}

/// A file with a record of a run. When it can no longer be written, training goes on without it.
#[derive(Debug)]
struct Sink<T> {
    to: T,
    path: PathBuf,
    failure: Option<io::Error>,
}

impl<T> Sink<T> {
    fn put(sink: &mut Option<Self>, write: impl FnOnce(&mut T) -> io::Result<()>) {
        let Some(sink) = sink.as_mut().filter(|sink| sink.failure.is_none()) else {
            return;
        };
        if let Err(failure) = write(&mut sink.to) {
            tracing::warn!(
                "the run is no longer recorded: cannot write {}: {failure}",
                shown(&sink.path)
            );
            sink.failure = Some(failure);
        }
    }

    fn finish(sink: Option<Self>) -> Result<(), Error> {
        match sink {
            Some(Self {
                path,
                failure: Some(failure),
                ..
            }) => Err(Error::io("write", path)(failure)),
            _ => Ok(()),
        }
    }
}

/// Records a run's events in the files that the options name.
#[derive(Debug)]
pub(super) struct Recorder {
    log: Option<Sink<LogFile>>,
    board: Option<Sink<EventFile>>,
    /// Number of words seen at the last report.
    words: u64,
    /// The time trained at the last report.
    elapsed: Duration,
}

impl Recorder {
    /// A line about the file in which the record grows while another file has its name.
    pub(super) fn growing_line(&self) -> Option<String> {
        let Sink { to, path, .. } = self.log.as_ref()?;
        let (path, growing) = (shown(path), shown(to.growing()?));
        Some(format!(
            "metrics: {path} stays as it is until the run is over, which is recorded in {growing} \
             until then"
        ))
    }

    /// Tells where the record of an unfinished run is, if its file does not have the name asked
    /// for.
    pub(super) fn warn_of_place(&self, display: &mut Display) {
        if let Some(growing) = self.log.as_ref().and_then(|log| log.to.growing()) {
            display.warn(&format!(
                "the record of this run, which did not end, stays in {}",
                shown(growing)
            ));
        }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Point(progress) => self.progress(progress),
            Event::Epoch(epoch) => self.epoch(epoch),
            Event::Evaluated(evaluated) => self.evaluated(evaluated),
            _ => {}
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let seconds = (progress.elapsed.saturating_sub(self.elapsed)).as_secs_f64();
        let words_per_second = progress.words.saturating_sub(self.words) as f64 / seconds.max(1e-9);
        (self.words, self.elapsed) = (progress.words, progress.elapsed);
        Sink::put(&mut self.log, |file| {
            let mut record = log::record("progress", progress)?;
            record.insert("words_per_second".to_owned(), words_per_second.into());
            file.put(&record)
        });
        Sink::put(&mut self.board, |file| {
            let lr = f64::from(progress.lr);
            file.scalars(
                progress.step,
                [
                    ("train/loss", progress.loss),
                    ("train/lr", lr),
                    ("train/words_per_second", words_per_second),
                ],
            )
        });
    }

    fn epoch(&mut self, epoch: &Epoch) {
        Sink::put(&mut self.log, |file| {
            file.put(&log::record("epoch", epoch)?)
        });
        Sink::put(&mut self.board, |file| {
            let losses = [
                ("epoch/loss", Some(epoch.loss)),
                ("epoch/validation", epoch.validation),
            ];
            // The step of these points is the number of epochs done, as they have no minibatches
            // between them.
            file.scalars(
                u64::from(epoch.epoch) + 1,
                losses
                    .into_iter()
                    .filter_map(|(tag, loss)| Some((tag, loss?))),
            )
        });
    }

    fn evaluated(&mut self, evaluated: &Evaluated) {
        Sink::put(&mut self.log, |file| {
            file.put(&log::record("evaluated", evaluated)?)
        });
        Sink::put(&mut self.board, |file| {
            let tag = |score: &NamedScore| format!("evaluation/{} {}", score.name, score.measure);
            let scores: Vec<(String, f64)> = evaluated
                .scores
                .iter()
                .filter_map(|score| Some((tag(score), score.score?)))
                .collect();
            let step = u64::from(evaluated.epoch) + 1;
            file.scalars(
                step,
                scores.iter().map(|(tag, value)| (tag.as_str(), *value)),
            )
        });
    }

    /// Records the result of the run, once the vectors are written. The record of a run that was
    /// `interrupted` is incomplete, so it replaces no other.
    pub(super) fn end(
        &mut self,
        interrupted: bool,
        output: &Path,
        training: &impl Serialize,
        words_per_second: f64,
        seconds: &impl Serialize,
    ) {
        Sink::put(&mut self.log, |file| {
            let (training, seconds) = (log::object(training)?, log::object(seconds)?);
            let output = Some(full_name(output)?);
            file.put(&log::record(
                "end",
                &EndRecord {
                    output,
                    training,
                    words_per_second,
                    seconds,
                },
            )?)?;
            if interrupted { Ok(()) } else { file.publish() }
        });
    }

    /// Fails if a file could not be written to its end.
    pub(super) fn finish(self) -> Result<(), Error> {
        Sink::finish(self.log)?;
        Sink::finish(self.board)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_fails_is_left_alone_and_told_of_at_the_end() {
        let mut sink = Some(Sink {
            to: 0,
            path: "run.jsonl".into(),
            failure: None,
        });
        let mut put = |result: io::Result<()>| {
            Sink::put(&mut sink, |written| {
                *written += 1;
                result
            });
        };
        put(Ok(()));
        put(Err(io::Error::other("the disk is full")));
        put(Ok(()));
        assert_eq!(sink.as_ref().map(|sink| sink.to), Some(2));
        assert_eq!(
            Sink::finish(sink).unwrap_err().to_string(),
            "cannot write run.jsonl: the disk is full"
        );
        assert!(Sink::<u8>::finish(None).is_ok());
    }

    #[test]
    fn one_place_has_many_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(is_same_place(&path("new"), &path("./new")));
        assert!(!is_same_place(&path("new"), &path("newer")));
        assert!(!is_same_place(&path("none/new"), &path("none/newer")));
        assert!(is_same_place(
            Path::new("new"),
            &std::env::current_dir().unwrap().join("new")
        ));
    }
}
