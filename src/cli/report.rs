//! `report`: makes a page about a run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::quantity::plural;
use crate::record::log::{self, RunLog};
use crate::record::page::{WordMap, write_page};
use crate::system::{self, STDOUT};
use crate::vectors::Vectors;
use crate::vectors::format::Reading;
use anyhow::Result;

use super::vectors;
use crate::system::is_same_file;

/// Makes a page about a run: loss, speed, settings and a map of its words
///
/// RUN is the file that `w2v-gpu train --metrics RUN` wrote. The page is one HTML file that needs
/// no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  w2v-gpu train text.txt -o vectors.bin --metrics run.jsonl
  w2v-gpu report run.jsonl -o run.html")]
pub(crate) struct Args {
    /// The record of the run
    run: PathBuf,
    /// Where the page goes: .html
    #[arg(short, long, value_name = "FILE.html")]
    output: PathBuf,
    /// The vectors of the map [default: those that the run wrote]
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// How many words the map shows, the most frequent ones
    #[arg(long, value_name = "N", default_value_t = 3000)]
    words: usize,
}

/// The largest number of words on the map. With more words, a map is slow to make and to look at.
const MOST_WORDS: usize = 10_000;

pub(crate) fn run(args: &Args) -> Result<()> {
    check(args)?;
    let log = log::read(&args.run)?;
    let map = match vectors(args, &log)? {
        Some(vectors) => Some(WordMap::new(&vectors, args.words)?),
        None => {
            let why = match log.end {
                Some(_) => "the run wrote its vectors to standard output",
                None => "the run did not finish and wrote no vectors",
            };
            writeln!(
                io::stderr(),
                "{why}, so there is no map; --vectors FILE gives it one"
            )?;
            None
        }
    };
    Ok(system::write_atomically(&args.output, |out| {
        write_page(&log, map.as_ref(), out)
    })?)
}

fn check(args: &Args) -> Result<(), Error> {
    let setting = |setting, value: String, why: &str| Err(Error::setting(setting, value, why));
    let output = || args.output.display().to_string();
    if !(2..=MOST_WORDS).contains(&args.words) {
        return setting(
            "words",
            args.words.to_string(),
            "a map shows 2 to 10000 words; 2000 to 5000 are usual",
        );
    }
    system::check_writable(&args.output, "output")?;
    let extension = args
        .output
        .extension()
        .and_then(|extension| extension.to_str())
        .map(str::to_ascii_lowercase);
    if !matches!(extension.as_deref(), Some("html" | "htm")) {
        return setting(
            "output",
            output(),
            "the page is HTML; name a file that ends in .html",
        );
    }
    if is_same_file(&args.run, &args.output) {
        return setting(
            "output",
            output(),
            "is the record of the run; name another file",
        );
    }
    if args
        .vectors
        .as_ref()
        .is_some_and(|vectors| is_same_file(vectors, &args.output))
    {
        return setting(
            "output",
            output(),
            "is the file of the vectors; name another file",
        );
    }
    Ok(())
}

/// The vectors to map: from the file named, or else from the file that the run wrote.
fn vectors(args: &Args, log: &RunLog) -> Result<Option<Vectors>> {
    if let Some(path) = &args.vectors {
        return Ok(Some(vectors::read(path, args.reading)?));
    }
    let Some(end) = &log.end else { return Ok(None) };
    let path = Path::new(end.output.as_ref().unwrap_or(&log.start.output));
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
        path.display(),
        plural(words, "word"),
        plural(dim, "dimension")
    );
    Ok(Some(vectors))
}

fn number(fields: &serde_json::Map<String, serde_json::Value>, name: &str) -> Option<u64> {
    fields.get(name)?.as_u64()
}
