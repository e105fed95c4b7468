//! The bar of work that goes on, on a terminal of any width.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use w2v_gpu::quantity::{percent, seconds};

use super::terminal::{cut, stderr_width, width};

/// Columns of the bar itself, at most and at least.
const LONGEST: usize = 30;
const SHORTEST: usize = 5;

/// A line on stderr that is drawn anew. Where stderr is no terminal nothing is drawn.
pub(super) struct Bar {
    drawn: ProgressBar,
    /// What goes on; empty before anything does.
    name: String,
    started: Instant,
}

impl Bar {
    /// Shows nothing yet.
    pub(super) fn new() -> Self {
        Self { drawn: ProgressBar::hidden(), name: String::new(), started: Instant::now() }
    }

    /// Draws how much of some work is done: a share from 0 to 1 where that is known, then as many of the figures as there
    /// is room for, the first before the others, and below them one more line if it is not empty.
    pub(super) fn draw(&mut self, name: &str, share: Option<f64>, figures: &[String], below: &str) {
        if self.name != name {
            self.name = name.to_owned();
            self.started = Instant::now();
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.drawn.finish_and_clear();
            self.drawn = ProgressBar::new_spinner().with_style(style);
        }
        // In the last column some terminals begin a new line.
        let columns = stderr_width().saturating_sub(1);
        let mut text = line(columns, name, share, figures);
        if !below.is_empty() {
            text += "\n";
            text += &cut(&format!("  {below}"), columns);
        }
        self.drawn.set_message(text);
    }

    /// Time since some work was first drawn.
    pub(super) fn elapsed(&self, name: &str) -> Duration {
        if self.name == name { self.started.elapsed() } else { Duration::ZERO }
    }

    /// Takes the bar away while something is printed.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.drawn.suspend(print);
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        self.drawn.finish_and_clear();
        *self = Self::new();
    }
}

/// How long work will go on, as a figure, if it goes on as fast.
pub(super) fn time_left(share: f64, elapsed: Duration) -> String {
    format!("{} left", seconds(elapsed.as_secs_f64() * (1.0 - share) / share.max(1e-9)))
}

/// A line of at most so many columns.
fn line(columns: usize, name: &str, share: Option<f64>, figures: &[String]) -> String {
    let mut text = match share {
        Some(share) => format!("{name} {}", percent(share.clamp(0.0, 1.0))),
        None => name.to_owned(),
    };
    let room = if share.is_some() { SHORTEST + 1 } else { 0 };
    for figure in figures {
        let longer = format!("{text}, {figure}");
        if width(&longer) + room > columns {
            break;
        }
        text = longer;
    }
    let Some(share) = share.filter(|_| width(&text) + room <= columns) else { return cut(&text, columns) };
    let length = (columns - width(&text) - 1).min(LONGEST);
    let (before, after) = text.split_at(name.len());
    format!("{before} {}{after}", blocks(length, share))
}

/// A bar of so many columns, full up to a share.
fn blocks(length: usize, share: f64) -> String {
    let full = ((length as f64 * share) as usize).min(length);
    "█".repeat(full) + &"░".repeat(length - full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Vec<String> {
        ["epoch 2 of 5", "loss 2.1234", "3 min 20 s left", "1.23 M words/s"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_line_fits_any_width_and_what_matters_most_comes_first() {
        for columns in 0..200 {
            for share in [None, Some(0.0), Some(0.5), Some(1.0), Some(2.0)] {
                let line = line(columns, "training", share, &figures());
                assert!(width(&line) <= columns, "{columns} {line}");
                assert!(columns < 40 || line.contains("epoch 2 of 5"), "{columns} {line}");
            }
        }
        let shown = |columns| line(columns, "training", Some(0.5), &figures());
        assert_eq!(shown(10), "training …");
        assert_eq!(shown(20), "training ███░░░░ 50%");
        assert_eq!(shown(79), "training ███░░░ 50%, epoch 2 of 5, loss 2.1234, 3 min 20 s left, 1.23 M words/s");
        assert_eq!(line(12, "counting pairs", None, &[]), "counting pa…");
    }

    #[test]
    fn the_time_left_is_that_of_the_share_to_come() {
        assert_eq!(time_left(0.25, Duration::from_secs(10)), "30.0 s left");
        assert_eq!(time_left(1.0, Duration::from_secs(10)), "0 s left");
    }
}
