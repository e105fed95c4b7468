//! A page about a run, or about several runs over each other: one HTML file with curves, scores,
//! settings and a map of words. It needs no network.

mod clusters;
mod map;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

pub use self::map::WordMap;
use super::log::{EndRecord, EpochRecord, ProgressRecord, RunLog, ScoreRecord, StartRecord};
use crate::error::shown;
use crate::system::OsText;

/// The most points of a curve. Reports of longer runs are averaged down to this many.
const MOST_POINTS: usize = 2000;

const STYLE: &str = include_str!("page.css");
/// The scripts in their order; each uses those before it.
const SCRIPT: &str = concat!(
    include_str!("script/data.js"),
    include_str!("script/curves.js"),
    include_str!("script/tables.js"),
    include_str!("script/plane.js"),
    include_str!("script/words.js"),
);
const CHARTS: &str = include_str!("../../../assets/echarts/echarts.min.js");

/// What a page shows.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The runs. There is at least one.
    pub runs: &'a [Shown],
    /// The map of words.
    pub map: Option<&'a WordMap>,
    /// The index of the run that wrote the vectors of the map; `None` if they are others.
    pub map_of: Option<usize>,
    /// The number of seconds after which an open page loads itself again, as it is being made anew
    /// while a run goes on.
    pub reload: Option<u64>,
}

/// A run on a page.
#[derive(Debug)]
pub struct Shown {
    /// The name of the run, which no other run of the page has.
    pub name: String,
    /// The record of the run.
    pub log: RunLog,
    /// The command that trains the run again, as one would type it.
    pub command: String,
}

/// The data of the page's script.
#[derive(Debug, Serialize)]
struct Page<'a> {
    runs: Vec<Run<'a>>,
    map: Option<&'a WordMap>,
    map_of: Option<usize>,
    reload: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    name: &'a str,
    command: &'a str,
    /// Names of the settings that differ from the defaults.
    changed: Vec<&'a str>,
    start: StartRecord,
    end: Option<EndRecord>,
    /// Number of reports averaged into a point of the curves.
    reports_per_point: usize,
    points: Vec<Point>,
    epochs: Vec<EpochPoint<'a>>,
}

/// A point of the curves.
#[derive(Debug, PartialEq, Serialize)]
struct Point {
    /// Epochs done, with fractions.
    epoch: f64,
    step: u64,
    words: u64,
    seconds: f64,
    loss: Option<f64>,
    lr: f64,
    words_per_second: f64,
}

/// The end of an epoch.
#[derive(Debug, Serialize)]
struct EpochPoint<'a> {
    /// Epochs done.
    epoch: u32,
    loss: Option<f64>,
    validation: Option<f64>,
    evaluation: &'a [ScoreRecord],
}

/// Writes the page about one run or several. Equal contents give equal bytes.
///
/// # Errors
/// Any error of `out`.
pub fn write_page(contents: &Contents<'_>, out: &mut dyn Write) -> io::Result<()> {
    let page = Page {
        runs: contents.runs.iter().map(run).collect(),
        map: contents.map,
        map_of: contents.map_of,
        reload: contents.reload,
    };
    let data = escaped(&serde_json::to_string(&page)?);
    write!(
        out,
        include_str!("page.html"),
        style = STYLE,
        data = data,
        charts = CHARTS,
        script = SCRIPT
    )
}

fn run(shown: &Shown) -> Run<'_> {
    let log = &shown.log;
    let reports_per_point = log.progress.len().div_ceil(MOST_POINTS).max(1);
    let mut start = log.start.clone();
    start.config.values_mut().for_each(keep_readable);
    start.corpus.iter_mut().for_each(make_visible);
    make_visible(&mut start.output);
    let mut end = log.end.clone();
    end.iter_mut()
        .flat_map(|end| &mut end.output)
        .for_each(make_visible);
    Run {
        name: &shown.name,
        command: &shown.command,
        changed: log.start.changed(),
        start,
        end,
        reports_per_point,
        points: points(log, reports_per_point),
        epochs: log.epochs.iter().map(epoch_point).collect(),
    }
}

/// The largest whole number up to which a script has all others exactly.
const LARGEST_EXACT: u64 = 1 << 53;

/// Makes a path as it is shown of one that is to be read back.
fn make_visible(path: &mut OsText) {
    *path = shown(&path.to_path()).into();
}

/// Makes a text of a whole number that a script would round, and a visible text of a path.
fn keep_readable(value: &mut Value) {
    if let Value::String(text) = value {
        *text = shown(&OsText::from(text.clone()).to_path());
    }
    let size = value.as_u64().or(value.as_i64().map(i64::unsigned_abs));
    if size.is_some_and(|size| size > LARGEST_EXACT) {
        *value = Value::String(value.to_string());
    }
}

/// Escapes JSON for an HTML page, so that no string in it can end its element.
fn escaped(json: &str) -> String {
    // These characters occur only within JSON's strings.
    json.replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
}

fn epoch_point(record: &EpochRecord) -> EpochPoint<'_> {
    let EpochRecord {
        epoch,
        loss,
        validation,
        evaluation,
    } = record;
    EpochPoint {
        epoch: epoch.saturating_add(1),
        loss: *loss,
        validation: *validation,
        evaluation,
    }
}

/// The points of the curves, each from `each` reports. The last one may have fewer.
fn points(log: &RunLog, each: usize) -> Vec<Point> {
    let epochs = log
        .start
        .config
        .get("epochs")
        .and_then(Value::as_f64)
        .unwrap_or(1.0);
    // The first reports of a run that was resumed for more epochs tell too few words in all.
    let total_words = log.progress.last().map_or(0, |report| report.total_words);
    let words_per_epoch = total_words.max(1) as f64 / epochs;
    let mut before: Option<&ProgressRecord> = None;
    let mut points = Vec::new();
    for reports in log.progress.chunks(each) {
        points.extend(point(before, reports, words_per_epoch));
        before = reports.last();
    }
    points
}

/// The point for some reports; `before` is the last report before them.
fn point(
    before: Option<&ProgressRecord>,
    reports: &[ProgressRecord],
    words_per_epoch: f64,
) -> Option<Point> {
    let last = reports.last()?;
    let (words, elapsed) = before.map_or((0, 0.0), |before| (before.words, before.elapsed));
    let words_per_second =
        last.words.saturating_sub(words) as f64 / (last.elapsed - elapsed).max(1e-9);
    let mut pairs_before = before.map_or(0, |before| before.pairs);
    let (mut loss, mut pairs) = (0.0, 0.0);
    for report in reports {
        if let Some(mean) = report.loss {
            let weight = report.pairs.saturating_sub(pairs_before) as f64;
            loss += mean * weight;
            pairs += weight;
        }
        pairs_before = report.pairs;
    }
    Some(Point {
        epoch: last.words as f64 / words_per_epoch,
        step: last.step,
        words: last.words,
        seconds: last.elapsed,
        loss: (pairs > 0.0).then(|| loss / pairs),
        lr: last.lr,
        words_per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: u64, loss: Option<f64>) -> ProgressRecord {
        ProgressRecord {
            step,
            words: step * 100,
            total_words: 1000,
            pairs: step * step,
            loss,
            lr: 0.05,
            elapsed: step as f64 / 2.0,
            words_per_second: 200.0,
        }
    }

    #[test]
    fn a_point_is_the_mean_of_its_reports() {
        let reports = [report(1, Some(4.0)), report(2, Some(2.0)), report(3, None)];
        let whole = point(None, &reports, 500.0).unwrap();
        // One pair with loss 4, and 3 pairs with loss 2.
        let expected = Point {
            epoch: 0.6,
            step: 3,
            words: 300,
            seconds: 1.5,
            loss: Some(2.5),
            lr: 0.05,
            words_per_second: 200.0,
        };
        assert_eq!(whole, expected);
        assert_eq!(
            point(Some(&reports[0]), &reports[1..], 500.0).unwrap().loss,
            Some(2.0)
        );
        assert_eq!(
            point(Some(&reports[1]), &reports[2..], 500.0).unwrap().loss,
            None
        );
        assert_eq!(point(None, &[], 500.0), None);
    }

    #[test]
    fn numbers_that_a_script_would_round_become_texts() {
        for (number, expected) in [
            ("9007199254740992", "9007199254740992"),
            ("9007199254740993", "\"9007199254740993\""),
            ("18446744073709551615", "\"18446744073709551615\""),
            ("-9007199254740993", "\"-9007199254740993\""),
            ("-7", "-7"),
            ("1e300", "1e+300"),
            ("null", "null"),
        ] {
            let mut value: Value = serde_json::from_str(number).unwrap();
            keep_readable(&mut value);
            assert_eq!(value.to_string(), expected);
        }
    }

    #[test]
    fn no_string_ends_its_element() {
        let json = serde_json::to_string("</script><!-- & -->").unwrap();
        let escaped = escaped(&json);
        assert!(!escaped.contains(['<', '>', '&']));
        assert_eq!(
            serde_json::from_str::<String>(&escaped).unwrap(),
            "</script><!-- & -->"
        );
    }
}
