//! Files of word vectors: word2vec text and word2vec binary, chosen by the file's extension.
//!
//! Both begin with a line `rows dim`. Then comes, for every word, in text a line `word v1 v2 ... vD`, and in binary
//! `word `, D little-endian f32 and a newline that some writers leave out. Values are read back bit for bit.
//!
//! The readers trust nothing in a file: they allocate no more than it holds, and name the place of what is wrong.

mod atomic;
mod binary;
mod text;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

pub use atomic::{check_writable, write_atomically};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::model::Matrix;
use crate::vocab::{MAX_WORDS, Vocab};

/// No word is longer, in bytes: what a corpus can give is far below it, and a file without spaces is no word.
const MAX_WORD_BYTES: usize = 1 << 16;

/// Rows made ready before they are written: a few megabytes.
const ROWS_AT_A_TIME: usize = 4096;

/// Word vectors: the words in order and a row for each.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// The words; their counts are 0 where a file did not say.
    pub vocab: Vocab,
    /// Row `id` is the vector of word `id`; there are as many rows as words.
    pub matrix: Matrix,
}

impl Vectors {
    /// The id of a word.
    ///
    /// # Errors
    /// [`Error::UnknownWord`] when there is no such word.
    pub fn id(&self, word: &str) -> Result<u32> {
        self.vocab
            .id(word.as_bytes())
            .ok_or_else(|| Error::UnknownWord { word: word.to_owned(), words: self.vocab.len() })
    }
}

/// How the vectors lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// word2vec text: `.txt` or `.vec`.
    Text,
    /// word2vec binary: `.bin`.
    Binary,
}

impl Format {
    /// The format that a file's extension, in upper or lower case, stands for.
    ///
    /// # Errors
    /// [`Error::Format`] for any other extension, with those that work.
    pub fn from_path(path: &Path) -> Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("txt" | "vec") => Ok(Self::Text),
            Some("bin") => Ok(Self::Binary),
            _ => Err(Error::Format {
                path: path.to_owned(),
                place: "the file name".to_owned(),
                why: "must end in .txt or .vec (word2vec text) or in .bin (word2vec binary)".to_owned(),
            }),
        }
    }
}

/// Reads word vectors in the format of the file's extension.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read; [`Error::Format`] with a line (text) or byte position (binary) when it
/// is cut short, runs on after its last row, or holds a row that is not a new word and `dim` finite values.
pub fn read(path: &Path) -> Result<Vectors> {
    let format = Format::from_path(path)?;
    let file = File::open(path).map_err(Error::io("open", path))?;
    let bytes = file.metadata().map_err(Error::io("read", path))?.len();
    let input = BufReader::with_capacity(1 << 20, file);
    match format {
        Format::Text => text::read(path, input, bytes),
        Format::Binary => binary::read(path, input, bytes),
    }
}

/// Writes word vectors in the format of the file's extension: the words in order, each with its row of `matrix`.
///
/// The file appears whole or not at all, as by [`write_atomically`].
///
/// # Errors
/// [`Error::Format`] for an extension that stands for no format; [`Error::Io`] when the file cannot be written, a word
/// could not be read back (it is empty or holds whitespace or a control character), or a value is not finite.
///
/// # Panics
/// When there are not as many words as rows.
pub fn write<W: AsRef<str> + Sync>(path: &Path, words: impl IntoIterator<Item = W>, matrix: &Matrix) -> Result<()> {
    let format = Format::from_path(path)?;
    let words: Vec<W> = words.into_iter().collect();
    assert_eq!(words.len(), matrix.rows(), "every row has a word");
    let line = |id: usize| {
        let (word, row) = (words[id].as_ref(), matrix.row(id));
        check_row(word, row).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok(match format {
            Format::Text => text::line(word, row),
            Format::Binary => binary::line(word, row),
        })
    };
    write_atomically(path, |out| {
        writeln!(out, "{} {}", matrix.rows(), matrix.dim())?;
        // Digits are slow to make: all threads do so for some rows at a time.
        for start in (0..words.len()).step_by(ROWS_AT_A_TIME) {
            let end = words.len().min(start + ROWS_AT_A_TIME);
            let lines: Vec<io::Result<Vec<u8>>> = (start..end).into_par_iter().map(line).collect();
            for line in lines {
                out.write_all(&line?)?;
            }
        }
        Ok(())
    })
}

/// Whether a row can be written such that every reader gives the same back.
fn check_row(word: &str, row: &[f32]) -> std::result::Result<(), String> {
    check_word(word)?;
    match row.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("the vector of {} holds {value}, not a finite number", quoted(word))),
        None => Ok(()),
    }
}

/// Whether no reader would split a word, and no terminal obey it.
fn check_word(word: &str) -> std::result::Result<(), String> {
    if word.is_empty() {
        return Err("a row has no word before its values".to_owned());
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

/// The start of a text from a file, escaped for an error message.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The vectors of a file while it is read.
struct Rows {
    /// Rows that the header promises.
    rows: usize,
    /// Floats in a row.
    dim: usize,
    vocab: Vocab,
    values: Vec<f32>,
}

impl Rows {
    /// Begins with the line `rows dim`. `most_values` is how many the rest of the file can hold at most.
    fn begin(header: &[u8], most_values: u64) -> std::result::Result<Self, String> {
        let header = String::from_utf8_lossy(header);
        let numbers: Option<Vec<usize>> = header.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
        let Some(&[rows, dim]) = numbers.as_deref() else {
            return Err(format!(
                "expected the header, the number of words and that of dimensions, and found {}",
                quoted(header.trim_ascii_end())
            ));
        };
        if dim == 0 {
            return Err("the header says 0 dimensions; there is at least 1".to_owned());
        }
        if rows > MAX_WORDS {
            return Err(format!("the header says {rows} words, more than the {MAX_WORDS} that can be held"));
        }
        // The header may promise anything: reserve no more than the file can keep.
        let capacity = rows.saturating_mul(dim).min(usize::try_from(most_values).unwrap_or(usize::MAX));
        let mut values = Vec::new();
        // Without it the rows are taken as they come.
        let _ = values.try_reserve_exact(capacity);
        Ok(Self { rows, dim, vocab: Vocab::default(), values })
    }

    /// Opens the row of the next word.
    fn push_word(&mut self, word: &str) -> std::result::Result<(), String> {
        check_word(word)?;
        if !self.vocab.push(word, 0) {
            return Err(format!("the word {} is there a second time", quoted(word)));
        }
        Ok(())
    }

    /// What to say when the file ends too early.
    fn cut_short(&self) -> String {
        format!(
            "the file ends after {} of the {} words that its header promises; it was cut short, or its header is wrong",
            self.values.len() / self.dim,
            self.rows
        )
    }

    /// What to say when the file ends too late.
    fn runs_on(&self) -> String {
        format!("the file goes on after the {} words that its header promises", self.rows)
    }

    fn finish(self) -> Vectors {
        Vectors { vocab: self.vocab, matrix: Matrix::from_values(self.dim, self.values) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    /// What reading `bytes` as a file of this name gives.
    fn read_bytes(name: &str, bytes: &[u8]) -> Result<Vectors> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        read(&path)
    }

    fn bits(matrix: &Matrix) -> Vec<u32> {
        matrix.values().iter().map(|value| value.to_bits()).collect()
    }

    fn finite() -> impl Strategy<Value = f32> {
        use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
        let edges =
            [0.0, -0.0, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::MIN, f32::EPSILON];
        prop_oneof![POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO, prop::sample::select(edges.to_vec()), -1.0f32..1.0]
    }

    fn table() -> impl Strategy<Value = (HashSet<String>, usize, Vec<f32>)> {
        let words = prop::collection::hash_set("[^\\p{Z}\\p{Cc}]{1,9}", 0..12);
        (words, 1usize..9).prop_flat_map(|(words, dim)| {
            let values = prop::collection::vec(finite(), words.len() * dim);
            (Just(words), Just(dim), values)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_bit_for_bit((words, dim, values) in table()) {
            let folder = tempfile::tempdir().unwrap();
            let matrix = Matrix::from_values(dim, values);
            for name in ["v.txt", "v.bin"] {
                let path = folder.path().join(name);
                write(&path, &words, &matrix).unwrap();
                let back = read(&path).unwrap();
                prop_assert!(back.vocab.words().eq(&words));
                prop_assert_eq!(bits(&back.matrix), bits(&matrix));
                prop_assert_eq!(back.matrix.dim(), dim);
            }
        }

        #[test]
        fn no_bytes_make_a_reader_panic(
            header in prop::sample::select(vec!["", "2 1\n", "3 2\n", "2147483648 9999999999\n"]),
            body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"ab01 .\n".to_vec())], 0..60),
        ) {
            for name in ["v.txt", "v.bin"] {
                if let Ok(vectors) = read_bytes(name, &[header.as_bytes(), &body].concat()) {
                    prop_assert_eq!(vectors.vocab.len(), vectors.matrix.rows());
                }
            }
        }
    }

    #[test]
    fn the_extension_chooses_the_format() {
        assert_eq!(Format::from_path(Path::new("a.b/v.txt")).unwrap(), Format::Text);
        assert_eq!(Format::from_path(Path::new("v.VEC")).unwrap(), Format::Text);
        assert_eq!(Format::from_path(Path::new("v.bin")).unwrap(), Format::Binary);
        for name in ["v.doc", "v", ".bin", "v.bin.gz"] {
            let error = Format::from_path(Path::new(name)).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(".txt or .vec") && error.contains(".bin"), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such.bin")).unwrap_err().to_string();
        assert!(error.starts_with("cannot open no/such.bin: "), "{error}");
    }

    #[test]
    fn a_row_that_would_not_read_back_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["v.txt", "v.bin"] {
            let path = folder.path().join(name);
            fs::write(&path, "old").unwrap();
            for (word, value, why) in [
                ("", 1.0, "no word"),
                ("a b", 1.0, "the word \"a b\" holds the whitespace ' '"),
                ("a\u{a0}b", 1.0, "the whitespace '\\u{a0}'"),
                ("\u{1b}[2J", 1.0, "the control character '\\u{1b}'"),
                ("a\nb", 1.0, "the control character '\\n'"),
                ("a", f32::NAN, "the vector of \"a\" holds NaN"),
                ("a", f32::NEG_INFINITY, "holds -inf"),
            ] {
                let error = write(&path, [word], &Matrix::from_values(1, vec![value])).unwrap_err().to_string();
                assert!(error.contains(name) && error.contains(why), "{error}");
            }
            assert_eq!(fs::read(&path).unwrap(), b"old");
        }
    }

    #[test]
    fn a_wrong_header_is_refused_at_once() {
        for header in ["", "\n", "2", "2 3 4", "a 3", "-1 3", "2 3.0", "\u{feff}2 3", "99999999999999999999999 1"] {
            for (name, place) in [("v.txt", "line 1"), ("v.bin", "byte 0")] {
                let error = read_bytes(name, format!("{header}\na 1 2 3\n").as_bytes()).unwrap_err().to_string();
                assert!(error.contains(&format!("{name}: {place}: expected the header")), "{error}");
            }
        }
        for (header, why) in [("2 0", "0 dimensions"), ("1152921504606846976 3", "more than the 2147483648")] {
            for name in ["v.txt", "v.bin"] {
                let error = read_bytes(name, format!("{header}\na 1 2 3\n").as_bytes()).unwrap_err().to_string();
                assert!(error.contains(why), "{error}");
            }
        }
    }

    #[test]
    fn a_header_is_not_trusted_with_memory() {
        let rows = Rows::begin(b"2147483648 1152921504606846976", 10).unwrap();
        assert!(rows.values.capacity() < 100);
        for name in ["v.txt", "v.bin"] {
            let error = read_bytes(name, b"2147483648 1152921504606846976\na 1 2 3\n").unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
        }
    }

    #[test]
    fn long_words_are_cut_in_messages() {
        assert_eq!(quoted("\u{1b}é"), "\"\\u{1b}é\"");
        assert_eq!(quoted(&"é".repeat(50)), format!("\"{}\"...", "é".repeat(40)));
    }
}
