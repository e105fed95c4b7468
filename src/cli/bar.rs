//! A progress bar for a terminal of any width.

use std::io;
use std::time::{Duration, Instant};

use crate::quantity::{bytes, percent, seconds};
use console::Term;

use super::terminal::{columns, cut, width};

/// The largest and smallest number of columns of the bar itself.
const LONGEST: usize = 30;
const SHORTEST: usize = 5;

/// The least time between two drawings of the same work. It is too short for anybody to read.
const PAUSE: Duration = Duration::from_millis(50);

/// Lines at the bottom of the terminal that are drawn anew. If stderr is no terminal, nothing is
/// drawn.
pub(super) struct Bar {
    terminal: Term,
    /// The lines that are on the terminal now.
    lines: Vec<String>,
    /// The name of the current work; empty before any work begins.
    name: String,
    started: Instant,
    drawn: Instant,
}

impl Bar {
    /// A bar that shows nothing yet.
    pub(super) fn new() -> Self {
        let (terminal, now) = (Term::buffered_stderr(), Instant::now());
        Self {
            terminal,
            lines: Vec::new(),
            name: String::new(),
            started: now,
            drawn: now,
        }
    }

    /// Draws how much of some work is done. `share` is from 0 to 1, if it is known. As many of
    /// `figures` follow as there is room for, the first ones before the others. The line `below` is
    /// added if it is not empty.
    pub(super) fn draw(&mut self, name: &str, share: Option<f64>, figures: &[String], below: &str) {
        if self.name != name {
            self.name = name.to_owned();
            self.started = Instant::now();
        } else if self.drawn.elapsed() < PAUSE {
            return;
        }
        self.drawn = Instant::now();
        if self.terminal.is_term() {
            // Some terminals begin a new line after the last column.
            let columns = columns(&self.terminal).saturating_sub(1);
            let mut lines = vec![line(columns, name, share, figures)];
            lines.extend((!below.is_empty()).then(|| cut(&format!("  {below}"), columns)));
            self.show(lines);
        }
    }

    /// The time since the work `name` was first drawn.
    pub(super) fn elapsed(&self, name: &str) -> Duration {
        if self.name == name {
            self.started.elapsed()
        } else {
            Duration::ZERO
        }
    }

    /// Removes the bar while `print` prints, and draws it again.
    pub(super) fn suspend(&mut self, print: impl FnOnce()) {
        let lines = self.lines.clone();
        self.show(Vec::new());
        print();
        self.show(lines);
    }

    /// Removes the bar.
    pub(super) fn clear(&mut self) {
        self.show(Vec::new());
        self.name.clear();
    }

    /// Replaces the lines on the terminal by `lines`.
    fn show(&mut self, lines: Vec<String>) {
        let replace = |terminal: &Term| -> io::Result<()> {
            for above in (0..self.lines.len()).rev() {
                terminal.clear_line()?;
                terminal.move_cursor_up(above.min(1))?;
            }
            terminal.write_str(&lines.join("\n"))?;
            terminal.flush()
        };
        // A terminal that is gone is no reason to stop.
        let _ = replace(&self.terminal);
        self.lines = lines;
    }
}

/// The time before which nobody can tell how fast some work goes.
const SOON: Duration = Duration::from_millis(200);

/// The remaining time of some work at its present speed, as a figure.
pub(super) fn time_left(share: f64, elapsed: Duration) -> Option<String> {
    let left = elapsed.as_secs_f64() * (1.0 - share) / share;
    (elapsed >= SOON && share > 0.0).then(|| format!("{} left", seconds(left)))
}

/// The speed of some work in bytes a second, as a figure.
pub(super) fn bytes_per_second(done: u64, elapsed: Duration) -> Option<String> {
    (elapsed >= SOON).then(|| format!("{}/s", bytes((done as f64 / elapsed.as_secs_f64()) as u64)))
}

/// A line of at most `columns` columns.
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
    let Some(share) = share.filter(|_| width(&text) + room <= columns) else {
        return cut(&text, columns);
    };
    let length = (columns - width(&text) - 1).min(LONGEST);
    let (before, after) = text.split_at(name.len());
    format!("{before} {}{after}", blocks(length, share))
}

/// A bar of `length` columns, of which the share `share` is full.
fn blocks(length: usize, share: f64) -> String {
    let full = ((length as f64 * share) as usize).min(length);
    "█".repeat(full) + &"░".repeat(length - full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Vec<String> {
        [
            "epoch 2 of 5",
            "loss 2.1234",
            "3 min 20 s left",
            "1.23 M words/s",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn a_line_fits_any_width_and_what_matters_most_comes_first() {
        for columns in 0..200 {
            for share in [None, Some(0.0), Some(0.5), Some(1.0), Some(2.0)] {
                let line = line(columns, "training", share, &figures());
                assert!(width(&line) <= columns, "{columns} {line}");
                assert!(
                    columns < 40 || line.contains("epoch 2 of 5"),
                    "{columns} {line}"
                );
            }
        }
        let shown = |columns| line(columns, "training", Some(0.5), &figures());
        assert_eq!(shown(10), "training …");
        assert_eq!(shown(20), "training ███░░░░ 50%");
        assert_eq!(
            shown(79),
            "training ███░░░ 50%, epoch 2 of 5, loss 2.1234, 3 min 20 s left, 1.23 M words/s"
        );
        assert_eq!(line(12, "counting pairs", None, &[]), "counting pa…");
    }

    #[test]
    fn the_time_left_is_that_of_the_share_to_come() {
        let left = |share, seconds| time_left(share, Duration::from_secs_f64(seconds));
        assert_eq!(left(0.25, 10.0).unwrap(), "30.0 s left");
        assert_eq!(left(1.0, 10.0).unwrap(), "0 s left");
        assert_eq!((left(0.0, 10.0), left(0.5, 0.1)), (None, None));
        assert_eq!(
            bytes_per_second(10_000_000, Duration::from_secs(4)).unwrap(),
            "2.50 MB/s"
        );
    }
}
