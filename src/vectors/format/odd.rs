//! Oddities: deviations in a vectors file that do not prevent reading it.

use std::fmt;
use std::path::Path;

use super::Format;
use super::word::{quoted, unfit};
use crate::error::shown;
use crate::quantity::{count, plural};

/// A deviation in the word of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    /// The row has no word. The row is left out.
    NoWord,
    /// An earlier row has the same word. The row is left out.
    Repeated,
    /// The format that the vectors will be written in cannot hold the word. The row is left out.
    Unfit(Format),
    /// Some bytes of the word are not UTF-8. They are replaced.
    Broken,
    /// The word begins with a byte order mark, as where files were joined. It is kept unchanged.
    Marked,
    /// The word contains whitespace or control characters. It is kept unchanged.
    Spaced,
}

impl Oddity {
    pub(super) fn is_left_out(self) -> bool {
        matches!(self, Self::NoWord | Self::Repeated | Self::Unfit(_))
    }

    /// The message that refuses such a row, for `--strict`.
    pub(super) fn refusal(self, word: &str) -> String {
        let why = match self {
            Self::NoWord => "a row has no word".to_owned(),
            Self::Repeated => format!("the word {} is there a second time", quoted(word)),
            Self::Broken => format!("the word {} is not UTF-8", quoted(word)),
            Self::Marked => format!("the word {} begins with a byte order mark", quoted(word)),
            Self::Unfit(_) | Self::Spaced => unfit(word),
        };
        format!("{why}; without `strict` such rows are counted and told of")
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWord => f.write_str("rows left out that have no word"),
            Self::Repeated => f.write_str("rows left out whose word stands in an earlier row"),
            Self::Unfit(format) => {
                write!(
                    f,
                    "rows left out whose word .{} has no place for",
                    format.extensions()[0]
                )
            }
            Self::Broken => f.write_str("words kept with U+FFFD for bytes that are not UTF-8"),
            Self::Marked => f.write_str("words kept that begin with a byte order mark"),
            Self::Spaced => f.write_str("words kept that hold whitespace or control characters"),
        }
    }
}

/// The oddities of a vectors file: for each kind, how many rows have it and where the first one is.
///
/// It is displayed as one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    kinds: Vec<Rows>,
    /// The number of words that the header promises and the actual number, if they differ.
    header: Option<(u64, u64)>,
}

/// The rows with one kind of oddity.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rows {
    oddity: Oddity,
    rows: u64,
    /// The position of the first one, and its word.
    first: String,
}

impl Oddities {
    /// Whether there are no oddities.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.header.is_none()
    }

    /// The number of words that the header promises and the actual number, if they differ.
    pub fn header(&self) -> Option<(u64, u64)> {
        self.header
    }

    /// The line to show for a file; `None` without oddities.
    pub fn line(&self, path: &Path) -> Option<String> {
        (!self.is_empty()).then(|| format!("{}: {self}; `strict` refuses such a file", shown(path)))
    }

    pub(super) fn note(&mut self, oddity: Oddity, word: &str, place: impl FnOnce() -> String) {
        match self.kinds.iter_mut().find(|rows| rows.oddity == oddity) {
            Some(rows) => rows.rows += 1,
            None => {
                let first = format!("{}, {}", place(), quoted(word));
                self.kinds.push(Rows {
                    oddity,
                    rows: 1,
                    first,
                });
            }
        }
    }

    pub(super) fn note_header(&mut self, promised: u64, found: u64) {
        self.header = Some((promised, found));
    }
}

impl fmt::Display for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds.iter().map(
            |Rows {
                 oddity,
                 rows,
                 first,
             }| format!("{oddity}: {} (first: {first})", count(*rows)),
        );
        let header = self.header.map(|(promised, found)| {
            let are = if found == 1 { "is" } else { "are" };
            format!(
                "the header promises {}, and there {are} {}",
                plural(promised, "word"),
                plural(found, "row")
            )
        });
        f.write_str(&kinds.chain(header).collect::<Vec<_>>().join("; "))
    }
}
