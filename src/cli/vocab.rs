//! `vocab`: counts the words of a text.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::Error;
use crate::corpus::Corpus;
use crate::event::Pass;
use crate::quantity::{count, plural};
use crate::system::{serialize_path, thread_pool};
use crate::text::TextReport;
use crate::vocab::{self, Rules, Selection, Vocab, WordOptions};
use anyhow::Result;
use serde::Serialize;

use super::hardware::Threads;
use super::progress::{Display, selection_lines, text_notes, undercount_warning};
use super::text::{CorpusArgs, Destination, left_out_line};

/// Counts the words of a text
///
/// The words go to OUT, the most frequent first and among equals in order of their bytes: a line is
/// a word, a space and its count. `train --vocab OUT` takes them instead of counting.
#[derive(Debug, clap::Args)]
#[command(
    args_override_self = true,
    after_help = "Examples:
  w2v-gpu vocab text.txt -o words.txt
  w2v-gpu vocab folder/ --lowercase --min-count 10 --vocab-memory 4G -o words.txt
  zstdcat text.zst | w2v-gpu vocab - -o - | head"
)]
pub(crate) struct Args {
    #[command(flatten)]
    corpus: CorpusArgs,
    /// Where the words go; - for standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Leave out words that occur less often
    #[arg(
        long,
        default_value_t = 5,
        value_name = "N",
        help_heading = "Vocabulary"
    )]
    min_count: u64,
    /// Write only the N most frequent words
    #[arg(long, value_name = "N", help_heading = "Vocabulary")]
    max_vocab: Option<usize>,
    #[command(flatten)]
    words: WordOptions,
    #[command(flatten)]
    threads: Threads,
    /// Show errors and warnings only
    #[arg(short, long, help_heading = "Display")]
    quiet: bool,
    /// Print the summary on stdout as JSON
    #[arg(long, help_heading = "Display")]
    json: bool,
}

/// The summary that the command prints at its end.
#[derive(Serialize)]
struct VocabReport {
    #[serde(serialize_with = "serialize_path")]
    output: PathBuf,
    text: TextReport,
    vocabulary: u64,
    selection: Selection,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let threads = args.threads.count()?;
    if args.max_vocab == Some(0) {
        let why = "keep at least one word, or leave the option out".to_owned();
        return Err(Error::setting("max_vocab", "0", why).into());
    }
    let rules = Rules::read(&args.words)?;
    let destination = Destination::new(&args.output, args.json)?;
    let paths = args.corpus.paths()?;
    let corpus = Corpus::open(&paths)?.read_once();
    destination.check_apart(
        &paths,
        &corpus,
        args.words.files().chain(args.corpus.list()),
    )?;
    let mut display = Display::new(args.quiet, None);
    left_out_line(&corpus)
        .iter()
        .for_each(|line| display.line(line));

    let pool = thread_pool(threads, "counting words")?;
    let mut show = |event| display.show(&event);
    let reading = corpus.reading(Pass::Count, &mut show);
    let (counts, text) = pool.install(|| corpus.count(&rules, reading))?;
    display.finish();
    text.check_words()?;
    let (vocab, selection) = Vocab::select(&counts, args.min_count, args.max_vocab, &rules)?;
    destination.write(|out| Ok(vocab::write(&vocab, out)?))?;

    let report = VocabReport {
        output: args.output.clone(),
        text,
        vocabulary: vocab.len() as u64,
        selection,
    };
    lines(&report).iter().for_each(|line| display.line(line));
    undercount_warning(&selection, args.min_count)
        .iter()
        .for_each(|warning| display.warn(warning));
    if args.json {
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn lines(report: &VocabReport) -> Vec<String> {
    let VocabReport {
        text,
        vocabulary,
        selection,
        ..
    } = report;
    let mut lines = vec![format!(
        "{} in {}; written: {} of {}, {}",
        plural(text.words, "word"),
        plural(text.lines, "line"),
        count(*vocabulary),
        plural(selection.different, "different word"),
        plural(selection.tokens, "occurrence"),
    )];
    lines.extend(text_notes(text));
    lines.extend(selection_lines(selection));
    lines
}
