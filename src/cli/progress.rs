//! Shows events on stderr: as a bar on a terminal, otherwise as a plain line now and then.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::shown;
use crate::event::{
    Cached, Epoch, Evaluated, Event, Measuring, NamedScore, Pass, Prepared, Progress,
};
use crate::quantity::{self, bytes, count, duration, percent, plural, short};
use crate::system::PATIENCE;
use crate::text::TextReport;
use crate::vocab::Selection;

use super::bar::{Bar, bytes_per_second, time_left};
use super::terminal::{escaped, to_stderr};

/// The time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Shows events to the user.
pub(super) struct Display {
    quiet: bool,
    terminal: bool,
    log_every: Duration,
    /// Number of epochs of the run; 0 for a command that does not train.
    epochs: u32,
    /// What an example of the run is.
    example: &'static str,
    bar: Bar,
    /// The text with the validation loss and the scores after the last epoch, if there are any.
    after_epoch: String,
    last_line: Instant,
}

impl Display {
    pub(super) fn new(quiet: bool, log_every: Option<f64>) -> Self {
        let terminal = io::stderr().is_terminal();
        let log_every = log_every.map_or(
            if terminal {
                Duration::from_millis(500)
            } else {
                LINE_INTERVAL
            },
            Duration::from_secs_f64,
        );
        let (bar, after_epoch) = (Bar::new(), String::new());
        Self {
            quiet,
            terminal,
            log_every,
            epochs: 0,
            example: "pair",
            bar,
            after_epoch,
            last_line: Instant::now(),
        }
    }

    /// This display for a run.
    pub(super) fn of_run(self, config: &Config) -> Self {
        Self {
            epochs: config.schedule.epochs,
            example: config.objective.model.example(),
            ..self
        }
    }

    /// The time between two reports of the training.
    pub(super) fn interval(&self) -> Duration {
        self.log_every
    }

    /// Prints a line, above the bar if there is one.
    pub(super) fn line(&mut self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| to_stderr(text));
        }
    }

    /// Prints that another process uses a file or folder, and for how long it is waited for.
    pub(super) fn waiting(&mut self, path: &Path, does: &str) {
        let (path, seconds) = (shown(path), PATIENCE.as_secs());
        self.line(&format!(
            "{path}: another process {does}; waiting up to {seconds} s for its end"
        ));
    }

    /// Prints a warning, also when everything else is to be quiet.
    pub(super) fn warn(&mut self, text: &str) {
        self.bar.suspend(|| to_stderr(&format!("warning: {text}")));
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::NotSaved { why } => self.warn(&not_saved(why)),
            Event::Cached(Cached::NotWritten { why }) => {
                self.warn(&format!("the corpus is not cached: {why}"))
            }
            _ => {}
        }
        if self.quiet {
            return;
        }
        match event {
            Event::Reading { pass, bytes, total } => self.reading(*pass, *bytes, *total),
            Event::Noted { path, what } => self.line(&format!("{}: {what}", shown(path))),
            Event::Cached(cached) => cached_line(cached).iter().for_each(|line| self.line(line)),
            Event::Prepared(prepared) => {
                self.bar.clear();
                prepared_lines(prepared)
                    .iter()
                    .for_each(|line| self.line(line));
            }
            Event::Progress(progress) => self.progress(progress),
            Event::Measuring(measuring) => self.measuring(measuring),
            Event::Epoch(epoch) => {
                self.after_epoch = after_epoch(epoch);
                self.line(&epoch_line(epoch, self.example));
            }
            Event::Evaluated(evaluated) => {
                self.after_epoch = with_scores(&self.after_epoch, evaluated);
                self.line(&evaluated_line(evaluated));
            }
            _ => {}
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&mut self) {
        self.bar.clear();
    }

    fn reading(&mut self, pass: Pass, done: u64, total: u64) {
        let name = match pass {
            Pass::Count => "counting",
            Pass::Encode => "encoding",
            Pass::Pairs => "counting pairs",
            Pass::Join => "joining",
        };
        let share = (total > 0).then(|| done as f64 / total as f64);
        if self.terminal {
            let elapsed = self.bar.elapsed(name);
            let done_of = if total > 0 {
                format!("{} of {}", bytes(done), bytes(total))
            } else {
                bytes(done)
            };
            let left = share.and_then(|share| time_left(share, elapsed));
            let figures: Vec<String> = [Some(done_of), left, bytes_per_second(done, elapsed)]
                .into_iter()
                .flatten()
                .collect();
            self.bar.draw(name, share, &figures, "");
        } else if self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            to_stderr(&match share {
                None => format!("{name}: {}", bytes(done)),
                Some(share) => format!("{name}: {} of {}", percent(share), bytes(total)),
            });
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let share = progress.words as f64 / progress.total_words.max(1) as f64;
        let of_all = if self.epochs > 0 {
            format!(" of {}", self.epochs)
        } else {
            String::new()
        };
        let epoch = format!("epoch {}{of_all}", progress.epoch + 1);
        let rate = progress.words as f64 / progress.elapsed.as_secs_f64().max(1e-9);
        let figures = [
            Some(epoch),
            Some(format!("loss {:.4}", progress.loss)),
            time_left(share, progress.elapsed),
            Some(format!("{} words/s", short(rate))),
            Some(format!("lr {:.5}", progress.lr)),
        ];
        let figures: Vec<String> = figures.into_iter().flatten().collect();
        if self.terminal {
            self.bar
                .draw("training", Some(share), &figures, &self.after_epoch);
        } else {
            to_stderr(&format!(
                "training: {}, {}",
                percent(share),
                figures.join(", ")
            ));
        }
    }

    fn measuring(
        &mut self,
        Measuring {
            what,
            elapsed,
            budget,
        }: &Measuring,
    ) {
        if self.terminal {
            self.bar.draw(
                "measuring",
                Some(elapsed.as_secs_f64() / budget.as_secs_f64()),
                &[],
                &escaped(what),
            );
        } else {
            to_stderr(&format!(
                "measuring ({} of {}): {what}",
                duration(*elapsed),
                duration(*budget)
            ));
        }
    }
}

/// The warning about a checkpoint that could not be written.
fn not_saved(why: &str) -> String {
    format!("no checkpoint this time: {why}; training goes on, and the checkpoints before it stay")
}

/// The line about an epoch that is over.
fn epoch_line(
    Epoch {
        epoch,
        pairs,
        loss,
        validation,
    }: &Epoch,
    example: &str,
) -> String {
    let validation =
        validation.map_or_else(String::new, |loss| format!(", {loss:.4} of those held out"));
    format!(
        "epoch {} done: loss {loss:.4} over {}{validation}",
        epoch + 1,
        plural(*pairs, example)
    )
}

/// The line about the scores after an epoch.
fn evaluated_line(Evaluated { epoch, scores }: &Evaluated) -> String {
    let found = |score: &NamedScore| {
        let among = plural(score.among as u64, "word");
        format!(
            "{} ({}/{} among {among})",
            score_of(score),
            score.found,
            score.total
        )
    };
    let scores: Vec<String> = scores.iter().map(found).collect();
    format!("epoch {} evaluated: {}", epoch + 1, scores.join(", "))
}

fn score_of(
    NamedScore {
        name,
        measure,
        score,
        ..
    }: &NamedScore,
) -> String {
    let score = score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
    format!("{} {measure} {score}", escaped(name))
}

/// The text below the bar after an epoch.
fn after_epoch(
    Epoch {
        epoch, validation, ..
    }: &Epoch,
) -> String {
    validation.map_or_else(String::new, |loss| {
        format!("epoch {}: held-out loss {loss:.4}", epoch + 1)
    })
}

/// The text below the bar after an epoch, with the scores added.
fn with_scores(before: &str, Evaluated { epoch, scores }: &Evaluated) -> String {
    let scores: Vec<String> = scores.iter().map(score_of).collect();
    let before = if before.is_empty() {
        format!("epoch {}: ", epoch + 1)
    } else {
        format!("{before}, ")
    };
    before + &scores.join(", ")
}

/// The line about the cache. A failure to write it is a warning instead, and gives no line.
fn cached_line(cached: &Cached) -> Option<String> {
    Some(match cached {
        Cached::Used { path } => format!("cache: the corpus is taken from {}", shown(path)),
        Cached::Rejected { path, why } => {
            format!("cache: {} is made anew, as {}", shown(path), escaped(why))
        }
        Cached::Written { path, bytes } => {
            format!(
                "cache: the corpus is kept in {} ({})",
                shown(path),
                quantity::bytes(*bytes)
            )
        }
        Cached::Impossible { why } => format!("cache: the corpus is not kept: {}", escaped(why)),
        Cached::NotWritten { .. } => return None,
    })
}

/// Lines about the contents of the corpus, and about everything in it that could not be taken as it
/// stood.
fn prepared_lines(prepared: &Prepared) -> Vec<String> {
    let Prepared {
        text,
        selection,
        vocabulary,
        tokens,
        held_out,
        kept,
        ..
    } = prepared;
    let mut lines = vec![format!(
        "corpus: {} in {}; vocabulary: {} of {}, {} ({} kept by subsampling)",
        plural(text.words, "word"),
        plural(text.lines, "line"),
        count(*vocabulary),
        plural(selection.different, "different word"),
        plural(*tokens, "occurrence"),
        percent(kept / *tokens as f64)
    )];
    let found = tokens + held_out;
    lines.extend(notes([
        (*held_out, "word", "in sentences held out (--validation)"),
        (
            text.words - found,
            "word",
            "left out: not in the vocabulary (--min-count, --max-vocab, --stop-words)",
        ),
    ]));
    lines.extend(text_notes(text));
    lines.extend(selection_lines(selection));
    if selection.undercount == 0 && selection.tokens != found {
        let (counted, found) = (count(selection.tokens), count(found));
        lines.push(format!(
            "  the counts of --vocab add up to {counted}, and this text has {found} of these words"
        ));
    }
    lines
}

/// Lines about text that was changed. Each note is a number, a noun, and the change; numbers of 0
/// give no line.
fn notes<const N: usize>(notes: [(u64, &str, &str); N]) -> impl Iterator<Item = String> {
    let some = notes.into_iter().filter(|(number, ..)| *number > 0);
    some.map(|(number, noun, what)| format!("  {} {what}", plural(number, noun)))
}

/// Lines about everything in a text that could not be taken as it stood.
pub(super) fn text_notes(text: &TextReport) -> impl Iterator<Item = String> {
    notes([
        (
            text.invalid_utf8,
            "word",
            "with bytes that are not UTF-8, replaced by U+FFFD",
        ),
        (text.long_words, "word", "left out: longer than 1024 bytes"),
        (text.cuts, "cut", "in lines too long for one sentence"),
    ])
}

/// Lines about the effect of word lists and of the memory limit on a vocabulary.
pub(super) fn selection_lines(selection: &Selection) -> Vec<String> {
    let Selection {
        undercount,
        stop_words,
        stopped,
        absent,
        ..
    } = selection;
    let mut lines = Vec::new();
    if *stop_words > 0 {
        let (words, occurrences) = (
            plural(*stop_words, "stop word"),
            plural(*stopped, "occurrence"),
        );
        lines.push(format!(
            "  {words} left out, with {occurrences} (--stop-words)"
        ));
    }
    lines.extend(notes([(
        *absent,
        "word",
        "of --keep-words not in the text",
    )]));
    if *undercount > 0 {
        let bound = count(*undercount);
        lines.push(format!(
            "  counts may be low, each by at most {bound}, and no word left out for lack of \
             --vocab-memory occurs more often"
        ));
    }
    lines
}

/// A warning if counts may be off by more than the rarest words of a vocabulary occur.
pub(super) fn undercount_warning(selection: &Selection, min_count: u64) -> Option<String> {
    let bound = selection.undercount;
    (bound >= min_count.max(1)).then(|| {
        format!(
            "counts may be low by {}, not less than --min-count {min_count}: words that occur \
             often enough may be missing; raise --vocab-memory, or --min-count above {bound}",
            count(bound)
        )
    })
}
