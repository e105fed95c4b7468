//! Shows a run's events on stderr: a bar on a terminal, now and then a plain line elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use w2v_gpu::corpus::TextReport;
use w2v_gpu::eval::NamedScore;
use w2v_gpu::event::{Cached, Event, Measuring, Pass, Prepared, Progress};
use w2v_gpu::vocab::Selection;

use super::checkpoint;
use super::terminal::{escaped, message};

/// Between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How a run's events are shown.
pub(super) struct Display {
    quiet: bool,
    terminal: bool,
    log_every: Duration,
    bar: ProgressBar,
    last_line: Instant,
}

impl Display {
    pub(super) fn new(quiet: bool, log_every: Option<f64>) -> Self {
        let terminal = io::stderr().is_terminal();
        let log_every = log_every
            .map_or(if terminal { Duration::from_millis(500) } else { LINE_INTERVAL }, |seconds| {
                Duration::from_secs_f64(seconds)
            });
        Self { quiet, terminal, log_every, bar: ProgressBar::hidden(), last_line: Instant::now() }
    }

    /// How often training should report.
    pub(super) fn interval(&self) -> Duration {
        self.log_every
    }

    /// Prints a line, above the bar if there is one.
    pub(super) fn line(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| to_stderr(text));
        }
    }

    /// Prints a warning, whatever else is to be quiet.
    pub(super) fn warn(&self, text: &str) {
        self.bar.suspend(|| to_stderr(&format!("warning: {text}")));
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::NotSaved { why } => self.warn(&checkpoint::not_saved(why)),
            Event::Cached(Cached::NotWritten { why }) => self.warn(&format!("the corpus is not cached: {why}")),
            _ => {}
        }
        if self.quiet {
            return;
        }
        match event {
            Event::Reading { pass, bytes, total } => self.reading(*pass, *bytes, *total),
            Event::Noted { path, what } => self.line(&format!("{}: {what}", path.display())),
            Event::Cached(cached) => cached_line(cached).iter().for_each(|line| self.line(line)),
            Event::Prepared(prepared) => {
                self.bar.finish_and_clear();
                self.bar = ProgressBar::hidden();
                prepared_lines(prepared).iter().for_each(|line| self.line(line));
            }
            Event::Progress(progress) => self.progress(progress),
            Event::Measuring(measuring) => self.measuring(measuring),
            Event::Epoch(epoch) => {
                let validation =
                    epoch.validation.map_or_else(String::new, |loss| format!(", {loss:.4} of those held out"));
                let (number, pairs) = (epoch.epoch + 1, HumanCount(epoch.pairs));
                self.line(&format!("epoch {number} done: loss {:.4} over {pairs} pairs{validation}", epoch.loss));
            }
            Event::Evaluated(evaluated) => {
                let score = |score: &NamedScore| {
                    let NamedScore { name, measure, score, found, total, among } = score;
                    let score = score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
                    let words = HumanCount(*among as u64);
                    format!("{} {measure} {score} ({found}/{total} among {words} words)", escaped(name))
                };
                let scores: Vec<String> = evaluated.scores.iter().map(score).collect();
                self.line(&format!("epoch {} evaluated: {}", evaluated.epoch + 1, scores.join(", ")));
            }
            _ => {}
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&mut self) {
        self.bar.finish_and_clear();
    }

    fn reading(&mut self, pass: Pass, bytes: u64, total: u64) {
        let name = match pass {
            Pass::Count => "counting",
            Pass::Encode => "encoding",
            Pass::Pairs => "counting pairs",
            Pass::Join => "joining",
        };
        if self.terminal {
            if self.bar.prefix() != name {
                let template = match total {
                    0 => "{prefix} {spinner} {bytes}, {bytes_per_sec}",
                    _ => "{prefix} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
                };
                self.start_bar(name, total, template);
            }
            self.bar.set_position(bytes);
        } else if self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            to_stderr(&match total {
                0 => format!("{name}: {} MB", bytes / 1_000_000),
                _ => format!("{name}: {:.0}% of {} MB", 100.0 * bytes as f64 / total as f64, total / 1_000_000),
            });
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let seconds = progress.elapsed.as_secs_f64();
        let rate = progress.words as f64 / seconds.max(1e-9);
        let left = (progress.total_words - progress.words) as f64 / rate.max(1e-9);
        let figures = format!(
            "{:.2} M words/s, loss {:.4}, lr {:.5}, {} left",
            rate / 1e6,
            progress.loss,
            progress.lr,
            HumanDuration(Duration::from_secs_f64(left.min(1e9)))
        );
        if self.terminal {
            if self.bar.prefix() != "training" {
                self.start_bar("training", progress.total_words, "{prefix} {bar:30} {percent}%, {msg}");
            }
            self.bar.set_position(progress.words);
            self.bar.set_message(figures);
        } else {
            let share = 100.0 * progress.words as f64 / progress.total_words.max(1) as f64;
            to_stderr(&format!("training: epoch {}, {share:.1}%, {figures}", progress.epoch + 1));
        }
    }

    fn measuring(&mut self, Measuring { what, elapsed, budget }: &Measuring) {
        if self.terminal {
            if self.bar.prefix() != "measuring" {
                self.start_bar("measuring", budget.as_millis() as u64, "{prefix} {bar:30} {msg}");
            }
            self.bar.set_position(elapsed.as_millis() as u64);
            self.bar.set_message(what.clone());
        } else {
            to_stderr(&format!("measuring ({:.1} s of {:.0} s): {what}", elapsed.as_secs_f64(), budget.as_secs_f64()));
        }
    }

    fn start_bar(&mut self, prefix: &'static str, length: u64, template: &str) {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = ProgressBar::new(length).with_style(style).with_prefix(prefix);
    }
}

/// Prints a line. That nobody reads it any more, as behind `2>&1 | head`, is no reason to stop training.
fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{}", message(text));
}

/// What became of the cache; that it could not be written is a warning, and none of these lines.
fn cached_line(cached: &Cached) -> Option<String> {
    Some(match cached {
        Cached::Used { path } => format!("cache: the corpus is taken from {}", path.display()),
        Cached::Rejected { path, why } => {
            format!("cache: {} is made anew, as {}", path.display(), escaped(why))
        }
        Cached::Written { path, bytes } => {
            format!("cache: the corpus is kept in {} ({:.1} MB)", path.display(), *bytes as f64 / 1e6)
        }
        Cached::Impossible { why } => format!("cache: the corpus is not kept: {}", escaped(why)),
        Cached::NotWritten { .. } => return None,
    })
}

/// What the corpus holds, and everything in it that could not be taken as it stood.
fn prepared_lines(prepared: &Prepared) -> Vec<String> {
    let Prepared { text, selection, vocabulary, tokens, held_out, kept, .. } = prepared;
    let mut lines = vec![format!(
        "corpus: {} words in {} lines; vocabulary: {} of {} different words, {} occurrences ({:.0}% kept by subsampling)",
        HumanCount(text.words),
        HumanCount(text.lines),
        HumanCount(*vocabulary),
        HumanCount(selection.different),
        HumanCount(*tokens),
        100.0 * kept / *tokens as f64
    )];
    let found = tokens + held_out;
    lines.extend(notes([
        (*held_out, "words in sentences held out (--validation)"),
        (text.words - found, "words left out: not in the vocabulary (--min-count, --max-vocab, --stop-words)"),
    ]));
    lines.extend(text_notes(text));
    lines.extend(selection_lines(selection));
    if selection.undercount == 0 && selection.tokens != found {
        let (counted, found) = (HumanCount(selection.tokens), HumanCount(found));
        lines.push(format!("  the counts of --vocab add up to {counted}, and this text has {found} of these words"));
    }
    lines
}

/// Lines about what is not as it stood, where there is some.
fn notes<const N: usize>(notes: [(u64, &str); N]) -> impl Iterator<Item = String> {
    notes.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("  {} {what}", HumanCount(count)))
}

/// Everything in a text that could not be taken as it stood.
pub(super) fn text_notes(text: &TextReport) -> impl Iterator<Item = String> {
    notes([
        (text.invalid_utf8, "words with bytes that are not UTF-8, replaced by U+FFFD"),
        (text.long_words, "words left out: longer than 1024 bytes"),
        (text.cuts, "cuts in lines too long for one sentence"),
    ])
}

/// What lists of words and a limit of memory did to a vocabulary.
pub(super) fn selection_lines(selection: &Selection) -> Vec<String> {
    let Selection { undercount, stop_words, stopped, absent, .. } = selection;
    let mut lines = Vec::new();
    if *stop_words > 0 {
        let (words, occurrences) = (HumanCount(*stop_words), HumanCount(*stopped));
        lines.push(format!("  {words} stop words left out, with {occurrences} occurrences (--stop-words)"));
    }
    lines.extend(notes([(*absent, "words of --keep-words do not occur")]));
    if *undercount > 0 {
        let bound = HumanCount(*undercount);
        lines.push(format!(
            "  counts may be low, each by at most {bound}, and no word left out for lack of --vocab-memory occurs more often"
        ));
    }
    lines
}

/// A warning where counts are off by more than the rarest words of a vocabulary occur.
pub(super) fn undercount_warning(selection: &Selection, min_count: u64) -> Option<String> {
    let bound = selection.undercount;
    (bound >= min_count.max(1)).then(|| {
        format!(
            "warning: counts may be low by {bound}, not less than --min-count {min_count}: words that occur often enough \
             may be missing; raise --vocab-memory, or --min-count above {bound}"
        )
    })
}
