//! `report`: makes a page about one run or several.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::Utf8Chunk;
use std::thread;
use std::time::Duration;

use crate::Error;
use crate::error::shown;
use crate::quantity::plural;
use crate::record::log::{self, RunLog, StartRecord};
use crate::record::page::{Contents, Shown, WordMap, write_page};
use crate::system::{self, OsText, STDOUT};
use crate::vectors::Vectors;
use crate::vectors::format::Reading;
use anyhow::Result;

use super::{options, vectors};
use crate::system::is_same_file;

/// Makes a page about a run, or several over each other: loss, speed, scores, settings and a map of
/// words
///
/// RUN is the file that `w2v-gpu train --metrics RUN` wrote. The page is one HTML file that needs
/// no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu train text.txt -o vectors.bin --metrics run.jsonl
  w2v-gpu report run.jsonl -o run.html
  w2v-gpu report small.jsonl large.jsonl -o both.html")]
pub(crate) struct Args {
    /// The record of the run; of several runs, the page shows the curves over each other
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the page goes: .html
    #[arg(short, long, value_name = "FILE.html")]
    output: PathBuf,
    /// The vectors of the map [default: those that the run wrote; of several runs, the first that
    /// wrote some]
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// How many words the map shows, the most frequent ones
    #[arg(long, value_name = "N", default_value_t = 3000)]
    words: usize,
    /// Make the page anew every few seconds while a run goes on. An open page shows the new one by
    /// itself
    #[arg(long)]
    follow: bool,
}

/// The largest number of words on the map. With more words, a map is slow to make and to look at.
const MOST_WORDS: usize = 10_000;

/// The largest number of runs on a page. More curves could not be told apart.
const MOST_RUNS: usize = 12;

/// The time after which the page about a run that goes on is made anew.
const PERIOD: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &Args) -> Result<()> {
    check(args)?;
    let mut runs = read(args)?;
    while args.follow && runs.iter().any(|run| run.log.end.is_none()) {
        let reload = Some(PERIOD.as_secs());
        write(args, &runs, &Drawn::default(), reload)?;
        thread::sleep(PERIOD);
        runs = read(args)?;
    }
    let drawn = draw(args, &runs)?;
    write(args, &runs, &drawn, None)
}

/// The map of a page, if there is one.
#[derive(Default)]
struct Drawn {
    map: Option<WordMap>,
    /// The index of the run that wrote the vectors.
    of: Option<usize>,
}

/// Reads the records of the runs.
fn read(args: &Args) -> Result<Vec<Shown>> {
    let names = names(&args.runs);
    let shown = |(path, name): (&PathBuf, String)| {
        let log = log::read(path)?;
        let command = command(&log.start);
        Ok(Shown { name, log, command })
    };
    args.runs.iter().zip(names).map(shown).collect()
}

fn write(args: &Args, runs: &[Shown], drawn: &Drawn, reload: Option<u64>) -> Result<()> {
    let contents = Contents {
        runs,
        map: drawn.map.as_ref(),
        map_of: drawn.of,
        reload,
    };
    Ok(system::write_atomically(&args.output, |out| {
        write_page(&contents, out)
    })?)
}

/// The names of the runs: those of their files, or their paths where two files have one name.
fn names(runs: &[PathBuf]) -> Vec<String> {
    let stem = |run: &PathBuf| {
        let name = run.file_stem().unwrap_or(run.as_os_str());
        name.to_string_lossy().into_owned()
    };
    let stems: Vec<String> = runs.iter().map(stem).collect();
    let name = |(run, name): (&PathBuf, &String)| {
        let is_alone = stems.iter().filter(|&other| other == name).count() == 1;
        if is_alone { name.clone() } else { shown(run) }
    };
    runs.iter().zip(&stems).map(name).collect()
}

/// The command that trains a run again: its text, its vectors, the settings that differ from the
/// defaults, and its other options.
fn command(start: &StartRecord) -> String {
    let settings = start
        .changed()
        .into_iter()
        .flat_map(|name| options::words(name, &start.config[name]));
    let text = |word: &str| OsText::from(word.to_owned());
    let words = ["w2v-gpu", "train"].map(text).into_iter();
    let output = [text("-o"), start.output.clone()];
    let words = words.chain(start.corpus.iter().cloned()).chain(output);
    let words = words.chain(settings.map(OsText::from));
    let words = words.chain(start.options.iter().cloned());
    words
        .map(|word| quoted(&word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as one types it in a shell. Bytes that are part of no character, and line breaks, are
/// typed in octal as bash and zsh have them: `$'t\351'`.
fn quoted(word: &OsText) -> String {
    let string = word.to_os_string();
    let bytes = string.as_encoded_bytes();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Ok(text) if !text.contains(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => format!(
            "$'{}'",
            bytes.utf8_chunks().map(escaped_chunk).collect::<String>()
        ),
    }
}

/// A piece of a word as one types it between `$'` and `'`.
fn escaped_chunk(chunk: Utf8Chunk<'_>) -> String {
    let mut typed = String::new();
    for character in chunk.valid().chars() {
        match character {
            '\\' | '\'' => typed.extend(['\\', character]),
            // Three octal digits end by themselves, whatever follows.
            character if character.is_ascii_control() => {
                typed += &format!("\\{:03o}", u32::from(character));
            }
            character => typed.push(character),
        }
    }
    typed.extend(chunk.invalid().iter().map(|byte| format!("\\{byte:03o}")));
    typed
}

fn check(args: &Args) -> Result<(), Error> {
    let setting = |setting, value: String, why: &str| Err(Error::setting(setting, value, why));
    let output = || shown(&args.output);
    if !(2..=MOST_WORDS).contains(&args.words) {
        return setting(
            "words",
            args.words.to_string(),
            "a map shows 2 to 10000 words; 2000 to 5000 are usual",
        );
    }
    if args.runs.len() > MOST_RUNS {
        return setting(
            "RUN",
            plural(args.runs.len() as u64, "run"),
            "a page shows at most 12 runs, as more curves could not be told apart; make several \
             pages",
        );
    }
    let is_again = |(index, run): &(usize, &PathBuf)| {
        args.runs[..*index]
            .iter()
            .any(|other| is_same_file(other, run))
    };
    if let Some((_, run)) = args.runs.iter().enumerate().find(is_again) {
        let why = "is named twice; a page shows a run once";
        return setting("RUN", shown(run), why);
    }
    system::check_writable(&args.output, "output")?;
    let extension = args.output.extension().and_then(OsStr::to_str);
    let extension = extension.map(str::to_ascii_lowercase);
    if !matches!(extension.as_deref(), Some("html" | "htm")) {
        return setting(
            "output",
            output(),
            "the page is HTML; name a file that ends in .html",
        );
    }
    let is_output = |path: &PathBuf| is_same_file(path, &args.output);
    if args.runs.iter().any(is_output) {
        return setting(
            "output",
            output(),
            "is the record of the run; name another file",
        );
    }
    if args.vectors.as_ref().is_some_and(is_output) {
        return setting(
            "output",
            output(),
            "is the file of the vectors; name another file",
        );
    }
    Ok(())
}

/// Draws the map: of the vectors that are named, or of the first run that wrote some. Without vectors
/// there is no map, and a line says so.
fn draw(args: &Args, runs: &[Shown]) -> Result<Drawn> {
    if let Some(path) = &args.vectors {
        let vectors = vectors::read(path, args.reading)?;
        return Ok(Drawn {
            map: Some(WordMap::new(&vectors, args.words)?),
            of: None,
        });
    }
    for (index, run) in runs.iter().enumerate() {
        if let Some(vectors) = vectors_of(args, &run.log)? {
            return Ok(Drawn {
                map: Some(WordMap::new(&vectors, args.words)?),
                of: Some(index),
            });
        }
    }
    let why = match runs {
        [Shown { log, .. }] if log.end.is_some() => "the run wrote its vectors to standard output",
        [_] => "the run did not finish and wrote no vectors",
        _ => "none of the runs wrote vectors to a file",
    };
    writeln!(
        io::stderr(),
        "{why}, so there is no map; --vectors FILE gives it one"
    )?;
    Ok(Drawn::default())
}

/// The vectors that a run wrote to a file; `None` if it wrote none.
fn vectors_of(args: &Args, log: &RunLog) -> Result<Option<Vectors>> {
    let Some(end) = &log.end else { return Ok(None) };
    let path = end.output.as_ref().unwrap_or(&log.start.output).to_path();
    let path = path.as_path();
    if path.as_os_str() == STDOUT {
        return Ok(None);
    }
    let vectors = vectors::read(path, args.reading).map_err(|error| {
        anyhow::anyhow!("the vectors of the run cannot be read: {error}; name them with --vectors")
    })?;
    let (words, dim) = (vectors.vocab.len() as u64, vectors.matrix.dim() as u64);
    let expected = (
        number(&log.start.prepared, "vocabulary"),
        number(&log.start.config, "dim"),
    );
    anyhow::ensure!(
        expected.0.is_none_or(|expected| expected == words)
            && expected.1.is_none_or(|expected| expected == dim),
        "{} has {} and {}, not those of the run, and was written by another: name the run's \
         vectors with --vectors",
        shown(path),
        plural(words, "word"),
        plural(dim, "dimension")
    );
    Ok(Some(vectors))
}

fn number(fields: &serde_json::Map<String, serde_json::Value>, name: &str) -> Option<u64> {
    fields.get(name)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_different_names() {
        let names = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["x/run.jsonl", "y.jsonl"]), ["run", "y"]);
        assert_eq!(
            names(&["x/run.jsonl", "y/run.jsonl", "z.jsonl"]),
            ["x/run.jsonl", "y/run.jsonl", "z"]
        );
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [
            ("--dim", "--dim"),
            ("/tmp/v.bin", "/tmp/v.bin"),
            ("été", "été"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's $1", r"'it'\''s $1'"),
            ("a\nb'c", r"$'a\012b\'c'"),
            ("t\0e91", r"$'t\3511'"),
        ] {
            if cfg!(unix) || !word.contains('\0') {
                assert_eq!(quoted(&word.to_owned().into()), expected);
            }
        }
    }
}
