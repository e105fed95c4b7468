//! `phrases`: joins words of a text that belong together.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::corpus::Corpus;
use crate::corpus::phrases::{Found, PhraseOptions, Phrases};
use crate::error::shown;
use crate::quantity::{count, plural};
use crate::system::{serialize_path, thread_pool};
use crate::text::TextReport;
use anyhow::Result;
use serde::Serialize;

use super::hardware::Threads;
use super::progress::{Display, text_notes};
use super::text::{CorpusArgs, Destination, left_out_line};

/// Joins words that often come together, as in new_york
///
/// Two neighbours a and b are joined where (count(a b) - delta) / (count(a) * count(b)) * words is
/// above the threshold, as word2phrase does it (Mikolov et al. 2013). The lines stay as they are
/// otherwise, but for one space between two words. The text is read twice for each pass, and once
/// to write; standard input and pipes are copied, as they come, to a temporary file (in TMPDIR).
#[derive(Debug, clap::Args)]
#[command(
    args_override_self = true,
    after_help = "Examples:
  w2v-gpu phrases text.txt -o phrases.txt
  w2v-gpu phrases folder/ --passes 2 --threshold 200 -o - | w2v-gpu train - -o vectors.bin"
)]
pub(crate) struct Args {
    #[command(flatten)]
    corpus: CorpusArgs,
    /// Where the text goes; - for standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    options: PhraseOptions,
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
struct PhrasesReport<'a> {
    #[serde(serialize_with = "serialize_path")]
    output: &'a Path,
    options: &'a PhraseOptions,
    passes: &'a [Found],
    /// The numbers of words and oddities of the text that was written.
    text: TextReport,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    args.options.validate()?;
    let threads = args.threads.count()?;
    let destination = Destination::new(&args.output, args.json)?;
    let paths = args.corpus.paths()?;
    let corpus = Corpus::open(&paths)?;
    destination.check_apart(&paths, &corpus, args.corpus.list())?;
    let mut display = Display::new(args.quiet, None);
    left_out_line(&corpus)
        .iter()
        .for_each(|line| display.line(line));

    let pool = thread_pool(threads, "joining words")?;
    let (phrases, passes) =
        pool.install(|| Phrases::find(&corpus, &args.options, |event| display.show(&event)))?;
    for (number, found) in passes.iter().enumerate() {
        display.line(&pass_line(number + 1, found));
        let Some(bound) = undercount(found, &args.options) else {
            continue;
        };
        if found.undercount >= args.options.min_count.max(1) {
            display.warn(&bound);
        } else {
            display.line(&format!("  {bound}"));
        }
    }
    let mut text = TextReport::default();
    destination.write(|out| {
        let work = |visit: Visit<'_>| phrases.apply(&corpus, visit, |event| display.show(&event));
        text = written(out, &pool, work)?;
        Ok(())
    })?;
    display.finish();

    let (words, lines) = (plural(text.words, "word"), plural(text.lines, "line"));
    display.line(&format!(
        "written: {words} in {lines} to {}",
        shown(&args.output)
    ));
    text_notes(&text).for_each(|line| display.line(&line));
    if args.json {
        let report = PhrasesReport {
            output: &args.output,
            options: &args.options,
            passes: &passes,
            text,
        };
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

/// A function that takes pieces of the text.
type Visit<'a> = &'a mut (dyn FnMut(&[u8]) -> crate::Result<()> + Send);

/// Writes, on this thread, the pieces that `work` hands out on the threads of a pool.
fn written(
    out: &mut dyn Write,
    pool: &rayon::ThreadPool,
    work: impl FnOnce(Visit<'_>) -> crate::Result<TextReport> + Send,
) -> Result<TextReport> {
    let (sender, pieces) = std::sync::mpsc::sync_channel::<Vec<u8>>(pool.current_num_threads());
    std::thread::scope(|scope| {
        let visit_all = move || {
            // If nobody takes pieces any more, the writer has failed; its own error is returned
            // below.
            let mut visit = |piece: &[u8]| {
                sender
                    .send(piece.to_owned())
                    .map_err(|_| Error::io("write", "")(io::ErrorKind::BrokenPipe.into()))
            };
            pool.install(|| work(&mut visit))
        };
        let worker = std::thread::Builder::new().spawn_scoped(scope, visit_all);
        let worker = worker.map_err(Error::no_threads("joining words"))?;
        for piece in pieces {
            out.write_all(&piece)?;
        }
        Ok(worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?)
    })
}

fn pass_line(number: usize, found: &Found) -> String {
    let Found {
        words,
        frequent,
        pairs,
        joined,
        ..
    } = *found;
    format!(
        "pass {number}: {}, {} frequent ones; of {} of these {} {} joined",
        plural(words, "word"),
        count(frequent),
        plural(pairs, "pair"),
        count(joined),
        if joined == 1 { "is" } else { "are" }
    )
}

/// A note about the possible error of a pass's counts, if there may be one.
fn undercount(found: &Found, options: &PhraseOptions) -> Option<String> {
    let (bound, least) = (count(found.undercount), count(options.min_count));
    let text = || {
        format!(
            "counts may be low, each by at most {bound} (--min-count is {least}), for lack of \
             --vocab-memory"
        )
    };
    (found.undercount > 0).then(text)
}
