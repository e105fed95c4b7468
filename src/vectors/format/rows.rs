//! The rows that every reader collects, and the checks that every row must pass.

use super::odd::{Oddities, Oddity};
use super::word::{MAX_WORD_BYTES, quoted, unfit};
use super::{Dtype, LoadedVectors, Reading};
use crate::model::Matrix;
use crate::quantity::{count, plural};
use crate::text::MARK;
use crate::vectors::Vectors;
use crate::vocab::{MAX_WORDS, Vocab};

/// A value read from a file, or the reason why it is wrong. The reader adds the position.
pub(super) type Checked<T> = std::result::Result<T, String>;

/// The separators between values in a text.
pub(super) const SEPARATORS: [char; 2] = [' ', '\t'];

/// The words of a file as its rows arrive: those that are kept, and the oddities.
pub(super) struct Words {
    pub(super) vocab: Vocab,
    pub(super) odd: Oddities,
    pub(super) reading: Reading,
    /// Rows so far, including those left out.
    pub(super) seen: u64,
}

impl Words {
    pub(super) fn new(reading: Reading) -> Self {
        Self {
            vocab: Vocab::default(),
            odd: Oddities::default(),
            reading,
            seen: 0,
        }
    }

    /// Whether as many words were kept as were asked for.
    pub(super) fn is_full(&self) -> bool {
        self.reading
            .top
            .is_some_and(|top| self.vocab.len() >= top.get())
    }

    /// Takes the word of the next row, and returns whether the row is kept. `broken` tells that
    /// some bytes of the word were not UTF-8 and were replaced.
    pub(super) fn push(
        &mut self,
        word: &str,
        broken: bool,
        count: u64,
        place: impl FnOnce() -> String,
    ) -> Checked<bool> {
        self.seen += 1;
        if word.len() > MAX_WORD_BYTES {
            return Err(unfit(word));
        }
        if self.vocab.len() == MAX_WORDS {
            return Err(format!(
                "more than the {} that can be held",
                plural(MAX_WORDS as u64, "word")
            ));
        }
        let Some(oddity) = self.take(word, broken, count) else {
            return Ok(true);
        };
        if self.reading.strict {
            return Err(oddity.refusal(word));
        }
        self.odd.note(oddity, word, place);
        Ok(!oddity.is_left_out())
    }

    /// Records a blank line between rows.
    pub(super) fn push_blank(&mut self, place: impl FnOnce() -> String) -> Checked<()> {
        if self.reading.strict {
            return Err(Oddity::NoWord.refusal(""));
        }
        self.odd.note(Oddity::NoWord, "", place);
        Ok(())
    }

    /// Adds a word to the vocabulary unless it has to be left out. Returns its oddity.
    fn take(&mut self, word: &str, broken: bool, count: u64) -> Option<Oddity> {
        if word.is_empty() {
            Some(Oddity::NoWord)
        } else if let Some(format) = self.reading.fit.filter(|format| !format.fits(word)) {
            Some(Oddity::Unfit(format))
        } else if !self.vocab.push(word, count) {
            Some(Oddity::Repeated)
        } else if broken {
            Some(Oddity::Broken)
        } else if word.starts_with(MARK) {
            Some(Oddity::Marked)
        } else {
            word.contains(|c: char| c.is_whitespace() || c.is_control())
                .then_some(Oddity::Spaced)
        }
    }
}

/// The vectors of a file while it is read.
pub(super) struct Rows {
    /// Number of values in a row.
    pub(super) dim: usize,
    pub(super) words: Words,
    pub(super) values: Vec<f32>,
    /// Number of rows that are kept and complete.
    pub(super) ended: usize,
}

impl Rows {
    /// Begins to read the `rows` rows of `dim` values that a header promises. Since a header may
    /// promise anything, at most `most_values` values are reserved, as many as the file can hold.
    pub(super) fn promised(
        reading: Reading,
        rows: u64,
        dim: usize,
        most_values: u64,
    ) -> Checked<Self> {
        if rows == 0 || dim == 0 {
            let what = if rows == 0 { "words" } else { "dimensions" };
            return Err(format!("the header says 0 {what}; there is at least 1"));
        }
        if rows > MAX_WORDS as u64 {
            return Err(format!(
                "the header says {}, more than the {} that can be held",
                plural(rows, "word"),
                count(MAX_WORDS as u64)
            ));
        }
        let mut promised = Self::begin(Words::new(reading), dim);
        promised.reserve(rows, most_values);
        Ok(promised)
    }

    /// Begins with the words that are known already, if any.
    pub(super) fn begin(words: Words, dim: usize) -> Self {
        Self {
            dim,
            words,
            values: Vec::new(),
            ended: 0,
        }
    }

    /// Reserves memory for `rows` rows, but no more than were asked for and no more than
    /// `most_values` values. If that fails, memory grows as rows arrive.
    pub(super) fn reserve(&mut self, rows: u64, most_values: u64) {
        let rows = self
            .words
            .reading
            .top
            .map_or(rows, |top| rows.min(top.get() as u64));
        let values = rows.saturating_mul(self.dim as u64).min(most_values);
        let _ = self
            .values
            .try_reserve_exact(usize::try_from(values).unwrap_or(usize::MAX));
    }

    /// Appends the values of a row of text, and returns their number.
    pub(super) fn push_text(&mut self, values: &str) -> Checked<usize> {
        let before = self.values.len();
        for (index, text) in fields(values).enumerate() {
            match text.parse::<f32>() {
                Ok(value) if value.is_finite() => self.values.push(value),
                Ok(_) => {
                    return Err(format!(
                        "value {} is {}, not a finite 32-bit number",
                        index + 1,
                        quoted(text)
                    ));
                }
                Err(_) => {
                    return Err(format!(
                        "value {} is {}, not a number",
                        index + 1,
                        quoted(text)
                    ));
                }
            }
        }
        Ok(self.values.len() - before)
    }

    /// The vectors that were read. `promised` is the number of rows in the header.
    pub(super) fn finish(mut self, promised: Option<u64>) -> Checked<LoadedVectors> {
        let Words { seen, .. } = self.words;
        if self.words.vocab.is_empty() {
            return Err("no row has a word that can be taken".to_owned());
        }
        let mut rows = seen;
        if let Some(promised) = promised.filter(|&promised| promised != seen) {
            if self.words.is_full() {
                rows = rows.max(promised);
            } else {
                self.words.odd.note_header(promised, seen);
            }
        }
        let Words { vocab, odd, .. } = self.words;
        let vectors = Vectors::new(vocab, Matrix::from_values(self.dim, self.values));
        Ok(LoadedVectors {
            vectors,
            configuration: None,
            has_subwords: false,
            rows,
            odd,
        })
    }
}

/// The message for a file that ends after `ended` of the rows that its header promises.
pub(super) fn cut_short(ended: usize, rows: u64) -> String {
    let rows = plural(rows, "word");
    let why = "it was cut short, or its header is wrong";
    let ended = count(ended as u64);
    format!("the file ends after {ended} of the {rows} that its header promises; {why}")
}

/// How to read the `ended` rows before an error all the same, as the end of a message; empty if
/// there are none.
pub(super) fn or_take(ended: usize) -> String {
    match ended {
        0 => String::new(),
        _ => format!("; `w2v-gpu convert` with `top = {ended}` takes the rows before it"),
    }
}

/// The message for a file that goes on after the last of `rows` rows.
pub(super) fn runs_on(rows: u64) -> String {
    format!(
        "the file goes on after the {} that its header promises",
        plural(rows, "word")
    )
}

/// The message for a header that is followed by `left` bytes, which do not fit `rows` rows of `dim`
/// values.
pub(super) fn other_size(rows: u64, dim: usize, dtype: Dtype, left: u64) -> String {
    let (rows, values) = (plural(rows, "row"), plural(dim as u64, "value"));
    let (each, rest) = (plural(dtype.bytes() as u64, "byte"), plural(left, "byte"));
    format!("the header says {rows} of {values} of {each}, and the rest of the file is {rest}")
}

/// Parses the line `rows dim`, with which both word2vec formats begin.
pub(super) fn word2vec_header(line: &[u8]) -> Checked<(u64, usize)> {
    let line = String::from_utf8_lossy(line);
    let mut numbers = line.split_ascii_whitespace();
    match (
        numbers.next().map(str::parse),
        numbers.next().map(str::parse),
        numbers.next(),
    ) {
        (Some(Ok(rows)), Some(Ok(dim)), None) => Ok((rows, dim)),
        _ => Err(format!(
            "expected the header, the number of words and that of dimensions, and found {}",
            quoted(line.trim_ascii_end())
        )),
    }
}

/// The pieces of a text between separators.
pub(super) fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.split(SEPARATORS).filter(|text| !text.is_empty())
}

/// Whether a word can be a field between spaces: no character of it would end the field or the row.
pub(super) fn fits_field(word: &str) -> bool {
    fits_line(word) && !word.contains(' ')
}

/// Whether a word can be a line by itself.
pub(super) fn fits_line(word: &str) -> bool {
    fits_header(word) && !word.contains(char::is_control) && !word.trim_matches(' ').is_empty()
}

/// Whether a word can be part of a header, which can hold any text.
pub(super) fn fits_header(word: &str) -> bool {
    !word.is_empty() && word.len() <= MAX_WORD_BYTES
}

/// The message for a value that is not finite.
pub(super) fn not_finite(word: &str, value: f32) -> String {
    format!(
        "the vector of {} holds {value}, not a finite number",
        quoted(word)
    )
}

/// The words of a file that lists them before its rows.
pub(super) struct Listed {
    pub(super) words: Words,
    /// The rows, from 0 and ascending, whose words are left out.
    pub(super) left_out: Vec<u64>,
}

impl Listed {
    pub(super) fn new(reading: Reading) -> Self {
        Self {
            words: Words::new(reading),
            left_out: Vec::new(),
        }
    }

    /// Takes the word of the next row, as [`Words::push`] does.
    pub(super) fn push(
        &mut self,
        word: &str,
        broken: bool,
        count: u64,
        place: impl FnOnce() -> String,
    ) -> Checked<()> {
        let row = self.words.seen;
        if !self.words.push(word, broken, count, place)? {
            self.left_out.push(row);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_not_trusted_with_memory() {
        let promised = |rows, dim| Rows::promised(Reading::default(), rows, dim, 10);
        assert!(
            promised(MAX_WORDS as u64, 1 << 60)
                .unwrap()
                .values
                .capacity()
                < 100
        );
        assert!(promised(1 << 60, 1).is_err());
    }

    #[test]
    fn long_words_are_cut_in_messages() {
        assert_eq!(quoted("\u{1b}é"), "\"\\u{1b}é\"");
        assert_eq!(
            quoted(&"é".repeat(50)),
            format!("\"{}\"...", "é".repeat(40))
        );
    }
}
