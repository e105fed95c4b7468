//! What every reader does with rows, and what no row may hold.

use super::Vectors;
use crate::model::Matrix;
use crate::vocab::{MAX_WORDS, Vocab};

/// What a file says, or what is wrong with it; the reader adds the place.
pub(super) type Checked<T> = std::result::Result<T, String>;

/// No word is longer, in bytes: what a corpus can give is far below it, and a file without spaces is no word.
pub(super) const MAX_WORD_BYTES: usize = 1 << 16;

/// What stands between the values of a text.
pub(super) const SEPARATORS: [char; 2] = [' ', '\t'];

/// The vectors of a file while it is read.
pub(super) struct Rows {
    /// Values in a row; 0 where that is not known yet.
    pub(super) dim: usize,
    pub(super) vocab: Vocab,
    pub(super) values: Vec<f32>,
    /// Rows that are whole.
    pub(super) ended: usize,
}

impl Rows {
    /// Begins to read `rows` rows of `dim` values as a header promises them. A header may promise anything: no more is
    /// reserved than the `most_values` that the file can hold.
    pub(super) fn promised(rows: usize, dim: usize, most_values: u64) -> Checked<Self> {
        if rows == 0 || dim == 0 {
            let what = if rows == 0 { "words" } else { "dimensions" };
            return Err(format!("the header says 0 {what}; there is at least 1"));
        }
        if rows > MAX_WORDS {
            return Err(format!("the header says {rows} words, more than the {MAX_WORDS} that can be held"));
        }
        let mut promised = Self::begin(Vocab::default(), dim);
        promised.reserve((rows as u64).saturating_mul(dim as u64).min(most_values));
        Ok(promised)
    }

    /// Begins with the words that are known, if any; a `dim` of 0 is not known yet.
    pub(super) fn begin(vocab: Vocab, dim: usize) -> Self {
        Self { dim, vocab, values: Vec::new(), ended: 0 }
    }

    /// Makes room for so many values more. Where there is none they are taken as they come.
    pub(super) fn reserve(&mut self, values: u64) {
        let _ = self.values.try_reserve_exact(usize::try_from(values).unwrap_or(usize::MAX));
    }

    /// Opens the row of the next word.
    pub(super) fn push_word(&mut self, word: &str, count: u64) -> Checked<()> {
        push_word(&mut self.vocab, word, count)
    }

    /// Takes the values of a row written as text; says how many there are.
    pub(super) fn push_text(&mut self, values: &str) -> Checked<usize> {
        let before = self.values.len();
        for (index, text) in values.split(SEPARATORS).filter(|text| !text.is_empty()).enumerate() {
            match text.parse::<f32>() {
                Ok(value) if value.is_finite() => self.values.push(value),
                Ok(_) => return Err(format!("value {} is {}, not a finite 32-bit number", index + 1, quoted(text))),
                Err(_) => return Err(format!("value {} is {}, not a number", index + 1, quoted(text))),
            }
        }
        Ok(self.values.len() - before)
    }

    /// What to say when the file ends before the last of `rows` rows.
    pub(super) fn cut_short(&self, rows: usize) -> String {
        format!(
            "the file ends after {} of the {rows} words that its header promises; it was cut short, or its header is wrong",
            self.ended
        )
    }

    pub(super) fn finish(self) -> Vectors {
        Vectors { vocab: self.vocab, matrix: Matrix::from_values(self.dim, self.values) }
    }
}

/// What to say when the file goes on after the last of `rows` rows.
pub(super) fn runs_on(rows: usize) -> String {
    format!("the file goes on after the {rows} words that its header promises")
}

/// The line `rows dim` that both formats of word2vec begin with.
pub(super) fn word2vec_header(line: &[u8]) -> Checked<(usize, usize)> {
    let line = String::from_utf8_lossy(line);
    let numbers: Option<Vec<usize>> = line.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[rows, dim]) => Ok((rows, dim)),
        _ => Err(format!(
            "expected the header, the number of words and that of dimensions, and found {}",
            quoted(line.trim_ascii_end())
        )),
    }
}

/// Appends a word that no reader would split and that is not there yet.
pub(super) fn push_word(vocab: &mut Vocab, word: &str, count: u64) -> Checked<()> {
    check_word(word)?;
    if vocab.len() == MAX_WORDS {
        return Err(format!("more than the {MAX_WORDS} words that can be held"));
    }
    if !vocab.push(word, count) {
        return Err(format!("the word {} is there a second time", quoted(word)));
    }
    Ok(())
}

/// Whether no reader would split a word, and no terminal obey it.
pub(super) fn check_word(word: &str) -> Checked<()> {
    if word.is_empty() {
        return Err("a row has no word".to_owned());
    }
    if word.len() > MAX_WORD_BYTES {
        return Err(format!("the word {} has {} bytes, more than {MAX_WORD_BYTES}", quoted(word), word.len()));
    }
    match word.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) if c.is_control() => Err(format!("the word {} holds the control character {c:?}", quoted(word))),
        Some(c) => Err(format!("the word {} holds the whitespace {c:?}, where readers would split it", quoted(word))),
        None => Ok(()),
    }
}

/// What to say of a value that is no number.
pub(super) fn not_finite(word: &str, value: f32) -> String {
    format!("the vector of {} holds {value}, not a finite number", quoted(word))
}

/// The start of a text from a file, escaped for an error message.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_not_trusted_with_memory() {
        let rows = Rows::promised(MAX_WORDS, 1 << 60, 10).unwrap();
        assert!(rows.values.capacity() < 100);
        assert!(Rows::promised(1 << 60, 1, 10).is_err());
    }

    #[test]
    fn long_words_are_cut_in_messages() {
        assert_eq!(quoted("\u{1b}é"), "\"\\u{1b}é\"");
        assert_eq!(quoted(&"é".repeat(50)), format!("\"{}\"...", "é".repeat(40)));
    }
}
