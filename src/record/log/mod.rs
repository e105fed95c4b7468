//! The record of a run: a file with one JSON object a line. `train --metrics` writes it and
//! `w2v-gpu report` reads it.
//!
//! | record | when | fields |
//! |---|---|---|
//! | `start` | first | [`StartRecord`]: settings, engine, hardware, the corpus's numbers |
//! | `progress` | after each two-hundredth of the run | [`crate::event::Progress`], and `words_per_second` since the last one |
//! | `epoch` | after every epoch | [`crate::event::Epoch`] |
//! | `evaluated` | after an epoch, if evaluation files were given | [`crate::event::Evaluated`] |
//! | `end` | last, once the vectors are written | [`EndRecord`] |
//!
//! Durations are numbers of seconds. A run that failed, or was saved to be resumed, leaves whole
//! lines and no `end`.
//!
//! ```
//! use w2v_gpu::record::log;
//!
//! let fields = serde_json::json!({ "epoch": 0, "loss": 2.5 });
//! let mut out = Vec::new();
//! log::write_line(&mut out, &log::record("epoch", &fields)?)?;
//! assert!(out.starts_with(b"{") && out.ends_with(b"}\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::file::LogFile;
use crate::config::{Config, ModelKind};
use crate::error::{Error, Result};
use crate::system::OsText;
use crate::text::utf8_text;

/// The version of the format. It rises when readers of the old one could no longer understand a
/// file.
pub const VERSION: u64 = 1;

/// Number of reports in a record, each after an equal share of the run. A run of fewer batches has
/// fewer reports.
pub const REPORTS: u32 = 200;

/// The longest line, in bytes: room for the paths of many thousands of corpus files.
const MAX_LINE: u64 = 1 << 24;

/// The first record of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StartRecord {
    /// The version of the format, [`VERSION`].
    pub version: u64,
    /// Name and version of the program.
    pub program: String,
    /// When training began: RFC 3339, UTC.
    pub started: String,
    /// The engine that trains, in one line.
    pub engine: String,
    /// The machine.
    pub hardware: Hardware,
    /// Paths of the corpus files.
    pub corpus: Vec<OsText>,
    /// Absolute path at which the vectors will be written.
    pub output: OsText,
    /// Every setting. Settings left to the program have their resolved values.
    pub config: Map<String, Value>,
    /// Names of the settings that were left to the program.
    #[serde(default)]
    pub automatic: Vec<String>,
    /// Options of the command that are no settings and decide about the vectors or the scores, each
    /// word as it would be typed.
    #[serde(default)]
    pub options: Vec<OsText>,
    /// The corpus's numbers, and what was left out of it: [`crate::event::Prepared`].
    pub prepared: Map<String, Value>,
}

impl StartRecord {
    /// Names of the settings that someone has set to other values than the defaults, and that have
    /// an effect. The model itself is compared with the default model, other settings with the
    /// defaults of the run's model.
    pub fn changed(&self) -> Vec<&str> {
        // Settings of another version may not be known here; they are compared as they are.
        let config = Config::try_from(self.config.clone()).ok();
        let model = config.as_ref().map(|config| config.objective.model);
        let mut defaults = Config::of(model.unwrap_or_default());
        defaults.objective.model = ModelKind::default();
        let defaults = object(&defaults).unwrap_or_default();
        let has_effect = |name: &str| config.as_ref().is_none_or(|config| config.matters(name));
        let settings = self.config.iter();
        settings
            .filter(|&(name, value)| defaults.get(name) != Some(value) && has_effect(name))
            .map(|(name, _)| name.as_str())
            .filter(|&name| !self.automatic.iter().any(|automatic| automatic == name))
            .collect()
    }
}

/// The machine of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Hardware {
    /// Number of logical processors.
    pub cores: usize,
    /// Number of threads used.
    pub threads: usize,
    /// Operating system and processor architecture.
    pub system: String,
}

/// The state of training at a report.
#[derive(Clone, Debug, Deserialize)]
pub struct ProgressRecord {
    /// Minibatches trained so far.
    pub step: u64,
    /// Words seen so far, over all epochs.
    pub words: u64,
    /// Words of all epochs.
    pub total_words: u64,
    /// Pairs trained so far.
    pub pairs: u64,
    /// Mean loss per example since the last report; `None` if it was not a finite number.
    pub loss: Option<f64>,
    /// Learning rate.
    pub lr: f64,
    /// Training time in seconds.
    pub elapsed: f64,
    /// Words per second since the last report.
    pub words_per_second: f64,
}

/// The record of an epoch.
#[derive(Clone, Debug, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Mean loss per example.
    pub loss: Option<f64>,
    /// Mean loss per example on the held-out sentences, if there are any.
    #[serde(default)]
    pub validation: Option<f64>,
    /// Scores of the vectors after this epoch. They come from the `evaluated` record.
    #[serde(skip)]
    pub evaluation: Vec<ScoreRecord>,
}

/// Scores of the vectors after an epoch.
#[derive(Clone, Debug, Deserialize)]
struct EvaluatedRecord {
    epoch: u32,
    scores: Vec<ScoreRecord>,
}

/// The score of vectors on an evaluation file: [`crate::event::NamedScore`].
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ScoreRecord {
    /// The file's name, without folder and extension.
    pub name: String,
    /// The name of the measure.
    pub measure: String,
    /// The score; `None` if too few words were found.
    pub score: Option<f64>,
    /// Pairs or questions whose words were found.
    pub found: u64,
    /// Pairs or questions in the file.
    pub total: u64,
    /// Number of words among which they were looked up.
    #[serde(default)]
    pub among: Option<u64>,
    /// The scores of the file's sections.
    #[serde(default)]
    pub sections: Vec<SectionRecord>,
}

/// The score of vectors on a section of an evaluation file: [`crate::event::NamedSection`].
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct SectionRecord {
    /// The section's name.
    pub name: String,
    /// The score; `None` if no question was found.
    pub score: Option<f64>,
    /// Questions whose words were found.
    pub found: u64,
    /// Questions in the section.
    pub total: u64,
}

/// The last record of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EndRecord {
    /// Absolute path of the vectors. It is that of the start, unless the run was interrupted and
    /// other vectors were there.
    #[serde(default)]
    pub output: Option<OsText>,
    /// The totals of training: [`crate::train::Summary`].
    pub training: Map<String, Value>,
    /// Words trained per second, over the whole training.
    pub words_per_second: f64,
    /// Seconds of each stage, by its name.
    pub seconds: Map<String, Value>,
}

/// A record of the kind `kind` with the fields of `fields`.
///
/// # Errors
/// When `fields` cannot be a JSON object.
pub fn record(kind: &str, fields: &impl Serialize) -> serde_json::Result<Map<String, Value>> {
    let mut record = object(fields)?;
    record.insert("record".to_owned(), kind.into());
    Ok(record)
}

/// A structure as a JSON object, with its durations in seconds.
///
/// # Errors
/// When it cannot be a JSON object.
pub fn object(fields: &impl Serialize) -> serde_json::Result<Map<String, Value>> {
    // As text, an f32 has its own few digits. Converted directly, it would get those of an f64.
    let mut fields: Map<String, Value> = serde_json::from_str(&serde_json::to_string(fields)?)?;
    fields.values_mut().for_each(durations_to_seconds);
    Ok(fields)
}

/// Replaces durations by seconds. serde writes a duration as seconds and nanoseconds; readers want
/// one number.
fn durations_to_seconds(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    match (
        fields.len(),
        fields.get("secs").and_then(Value::as_f64),
        fields.get("nanos").and_then(Value::as_f64),
    ) {
        (2, Some(seconds), Some(nanos)) => *value = (seconds + nanos * 1e-9).into(),
        _ => fields.values_mut().for_each(durations_to_seconds),
    }
}

/// Writes a record as a line, in one piece, so whoever follows the file sees whole lines.
///
/// # Errors
/// Any error of `out`.
pub fn write_line(out: &mut (impl Write + ?Sized), record: &Map<String, Value>) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// The record of a run, read back.
#[derive(Clone, Debug)]
pub struct RunLog {
    /// The first record.
    pub start: StartRecord,
    /// The reports, in order.
    pub progress: Vec<ProgressRecord>,
    /// The epochs, in order.
    pub epochs: Vec<EpochRecord>,
    /// The last record; `None` if the run was interrupted or still goes on.
    pub end: Option<EndRecord>,
}

#[derive(Deserialize)]
#[serde(tag = "record", rename_all = "lowercase")]
enum Record {
    Start(StartRecord),
    Progress(ProgressRecord),
    Epoch(EpochRecord),
    Evaluated(EvaluatedRecord),
    End(EndRecord),
}

/// Reads the record of a run. An incomplete last line is ignored, as an interrupted run leaves one.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read; [`Error::Format`] for a line that is no record.
pub fn read(path: &Path) -> Result<RunLog> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let text = utf8_text(file).map_err(Error::io("read", path))?;
    let mut lines = Lines {
        input: BufReader::new(text),
        path,
        number: 0,
    };
    let mut log = match lines.next_record()? {
        Some(Record::Start(start)) => RunLog {
            start,
            progress: Vec::new(),
            epochs: Vec::new(),
            end: None,
        },
        _ => {
            return Err(lines.wrong(
                "expected the start record of a file that `w2v-gpu train --metrics` wrote",
            ));
        }
    };
    while let Some(record) = lines.next_record()? {
        match record {
            _ if log.end.is_some() => {
                return Err(lines.wrong("the file goes on after its end record"));
            }
            Record::Start(_) => {
                return Err(
                    lines.wrong("a second run starts here; give each run a file of its own")
                );
            }
            Record::Progress(progress) => log.progress.push(progress),
            Record::Epoch(epoch) => log.epochs.push(epoch),
            Record::Evaluated(evaluated) => {
                let Some(epoch) = log
                    .epochs
                    .iter_mut()
                    .find(|epoch| epoch.epoch == evaluated.epoch)
                else {
                    return Err(lines.wrong("scores of an epoch that has no record before them"));
                };
                epoch.evaluation.extend(evaluated.scores);
            }
            Record::End(end) => log.end = Some(end),
        }
    }
    Ok(log)
}

struct Lines<'a> {
    input: BufReader<Box<dyn Read>>,
    path: &'a Path,
    /// Number of the latest line, from 1.
    number: u64,
}

impl Lines<'_> {
    /// The next record; `None` at the end of the file or of its whole lines.
    fn next_record(&mut self) -> Result<Option<Record>> {
        let mut line = Vec::new();
        self.number += 1;
        self.input
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .map_err(Error::io("read", self.path))?;
        if line.len() as u64 == MAX_LINE {
            return Err(self.wrong("the line is too long for a record of a run"));
        }
        let value = match serde_json::from_slice::<Value>(&line) {
            Ok(value) => value,
            Err(_) if !line.ends_with(b"\n") => return Ok(None),
            Err(error) => {
                return Err(self.wrong(&format!("expected a record of a run as JSON: {error}")));
            }
        };
        if let Some(version) = value.get("version").filter(|&version| *version != VERSION) {
            let why = format!(
                "the format is version {version}, and this program reads version {VERSION}"
            );
            return Err(self.wrong(&why));
        }
        let record = serde_json::from_value(value);
        record
            .map(Some)
            .map_err(|error| self.wrong(&format!("expected a record of a run: {error}")))
    }

    fn wrong(&self, why: &str) -> Error {
        Error::Format {
            path: self.path.to_owned(),
            place: format!("line {}", self.number),
            why: why.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::Progress;

    const START: &str = r#"{"record":"start","version":1,"program":"w2v-gpu 0","started":"2026-01-01T00:00:00Z","engine":"cpu","hardware":{"cores":2,"threads":1,"system":"linux"},"corpus":["a"],"output":"/v.bin","config":{"epochs":2},"prepared":{}}"#;
    const EPOCH: &str = r#"{"record":"epoch","epoch":0,"pairs":7,"loss":2.5,"new":1}"#;
    const END: &str = r#"{"record":"end","training":{},"words_per_second":1.0,"seconds":{}}"#;

    fn reading(text: &str) -> std::result::Result<RunLog, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_record_is_a_line_with_durations_in_seconds_and_short_floats() {
        let progress = Progress {
            epoch: 0,
            step: 3,
            words: 4,
            total_words: 8,
            pairs: 5,
            loss: f64::NAN,
            lr: 0.05,
            elapsed: Duration::from_millis(1500),
            waited: Duration::from_millis(250),
        };
        let mut fields = record("progress", &progress).unwrap();
        fields.insert("words_per_second".to_owned(), 2.5.into());
        let mut line = Vec::new();
        write_line(&mut line, &fields).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(
            line.contains(r#""elapsed":1.5,"waited":0.25,"#)
                && line.contains(r#""lr":0.05,"#)
                && line.ends_with("}\n"),
            "{line}"
        );
        let log = reading(&format!("{START}\n{line}")).unwrap();
        let read = &log.progress[0];
        assert_eq!(
            (read.step, read.words, read.total_words, read.pairs),
            (3, 4, 8, 5)
        );
        assert_eq!(
            (read.lr, read.elapsed, read.words_per_second, read.loss),
            (0.05, 1.5, 2.5, None)
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_record() {
        let log = reading(&format!("\u{feff}{START}\n{EPOCH}\n{END}\n")).unwrap();
        assert_eq!((log.epochs.len(), log.end.is_some()), (1, true));
    }

    #[test]
    fn a_cut_last_line_is_an_interrupted_run() {
        let whole = format!("{START}\n{EPOCH}\n{END}\n");
        let log = reading(&whole).unwrap();
        assert_eq!(
            (
                log.epochs.len(),
                log.end.is_some(),
                log.epochs[0].validation
            ),
            (1, true, None)
        );
        for cut in START.len()..whole.len() {
            let log = reading(&whole[..cut]).unwrap();
            assert!(
                log.epochs.len() <= 1 && (log.end.is_none() || cut == whole.len() - 1),
                "{cut}"
            );
        }
    }

    #[test]
    fn what_is_no_record_is_named_by_its_line() {
        for (text, message) in [
            ("", "line 1: expected the start record"),
            (
                "the cat sat\non the mat\n",
                "line 1: expected a record of a run as JSON",
            ),
            (END, "line 1: expected the start record"),
            (&START[..40], "line 1: expected the start record"),
            (
                &format!("{START}\n{EPOCH}\n{{\n{END}\n"),
                "line 3: expected a record of a run as JSON",
            ),
            (
                &format!("{START}\n[]\n"),
                "line 2: expected a record of a run",
            ),
            (
                &format!("{START}\n{{\"record\":\"other\"}}\n"),
                "line 2: expected a record of a run: unknown variant",
            ),
            (
                &format!("{START}\n{START}\n"),
                "line 2: a second run starts here",
            ),
            (
                &format!("{START}\n{END}\n{EPOCH}\n"),
                "line 3: the file goes on",
            ),
            (
                &START.replace("\"version\":1", "\"version\":2"),
                "the format is version 2, and this program reads version 1",
            ),
            (
                &"x".repeat(MAX_LINE as usize + 1),
                "line 1: the line is too long",
            ),
        ] {
            let error = reading(text).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn scores_belong_to_their_epoch() {
        let evaluated = |epoch: u32| {
            format!(
                r#"{{"record":"evaluated","epoch":{epoch},"scores":[{{"name":"a","measure":"Spearman","score":0.5,"found":1,"total":2}},{{"name":"b","measure":"3CosAdd","score":null,"found":0,"total":2}}]}}"#
            )
        };
        let log = reading(&format!("{START}\n{EPOCH}\n{}\n", evaluated(0))).unwrap();
        let scores: Vec<_> = log.epochs[0]
            .evaluation
            .iter()
            .map(|score| (&*score.name, &*score.measure, score.score, score.found))
            .collect();
        assert_eq!(
            scores,
            [("a", "Spearman", Some(0.5), 1), ("b", "3CosAdd", None, 0)]
        );
        let error = reading(&format!("{START}\n{EPOCH}\n{}\n", evaluated(1))).unwrap_err();
        assert!(
            error.contains("line 3") && error.contains("no record before"),
            "{error}"
        );
    }

    #[test]
    fn changed_settings_are_those_that_someone_has_set_and_that_have_an_effect() {
        let changed = |change: fn(&mut Config), automatic: &[&str]| {
            let mut start: StartRecord = serde_json::from_str(START).unwrap();
            start.config = object(&Config::with(change)).unwrap();
            start.automatic = automatic.iter().map(|&name| name.to_owned()).collect();
            start.changed().join(" ")
        };
        assert_eq!(changed(|_| (), &[]), "");
        let resolved = |config: &mut Config| {
            config.schedule.batch = Some(64);
            config.schedule.epochs = 7;
        };
        assert_eq!(changed(resolved, &[]), "epochs batch");
        assert_eq!(changed(resolved, &["batch"]), "epochs");
        // CBOW has a learning rate of its own.
        assert_eq!(
            changed(|config| *config = Config::of(ModelKind::Cbow), &[]),
            "model"
        );
        // Without negatives, their number has no effect.
        let hs = |config: &mut Config| {
            config.objective.loss = crate::config::Loss::Hs;
            config.objective.negatives.negative = 9;
        };
        assert_eq!(changed(hs, &[]), "loss");
        let mut other: StartRecord = serde_json::from_str(START).unwrap();
        other.config.insert("unheard_of".to_owned(), 1.into());
        assert_eq!(other.changed(), ["epochs", "unheard_of"]);
    }
}
