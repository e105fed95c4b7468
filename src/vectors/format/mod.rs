//! Files of word vectors, in a format chosen by the file's extension.
//!
//! | extension | format | holds, beside words and f32 values |
//! |---|---|---|
//! | `.txt`, `.vec` | word2vec text: a line `rows dim`, then `word v1 v2 ... vD` | |
//! | `.bin` | word2vec binary: a line `rows dim`, then `word `, D floats, newline | |
//! | `.glove` | GloVe text: lines `word v1 v2 ... vD` alone | |
//! | `.npy` | NumPy; the words in `NAME.vocab` | f16, counts |
//! | `.safetensors` | safetensors: the tensor `vectors`, the words in the metadata | f16, counts, the configuration |
//! | `.tsv` | Embedding Projector; the words in `NAME.metadata.tsv` | |
//!
//! Values are read back bit for bit. The readers trust nothing in a file: they allocate no more
//! than it holds, and name the place of what is wrong. What is odd in published files, and leaves
//! no doubt about the vectors, is read and told of ([`Oddities`]). A format is a file in this
//! folder and a line in `FORMATS`.

mod binary;
mod glove;
mod input;
mod npy;
mod odd;
mod output;
mod projector;
mod reading;
mod rows;
mod safetensors;
mod text;
mod words;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use input::Input;
pub use odd::Oddities;
use output::Output;
pub use output::{Dtype, VectorTable};
pub use reading::{Reading, format_parser};
use rows::{Checked, unfit};
use words::WordsFile;

use super::Vectors;
use crate::error::{Error, Result};
use crate::model::Matrix;
use crate::system::{STDIN, STDOUT, write_atomically, write_pair_atomically};
use crate::text::without_packing;
use crate::vocab::Vocab;

/// Every format, in the order in which messages name them.
static FORMATS: [&FormatSpec; 6] = [
    &text::FORMAT,
    &binary::FORMAT,
    &glove::FORMAT,
    &npy::FORMAT,
    &safetensors::FORMAT,
    &projector::FORMAT,
];

/// What a file held.
#[derive(Clone, Debug)]
pub struct LoadedVectors {
    /// The vectors.
    pub vectors: Vectors,
    /// The configuration of the run that made them, as it was given in [`VectorTable::configuration`],
    /// where the file says.
    pub configuration: Option<String>,
    /// Rows of the file, those left out among them, as far as that is known: where only some were
    /// asked for, its header may promise more than were read.
    pub rows: u64,
    /// What was odd, and read all the same.
    pub odd: Oddities,
}

/// What a format can hold beside words and f32 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Values of 16 bits.
    pub f16: bool,
    /// How often each word occurs.
    pub counts: bool,
    /// The configuration of the run.
    pub configuration: bool,
}

impl Abilities {
    /// Nothing beside them.
    const WORDS: Self = Self {
        f16: false,
        counts: false,
        configuration: false,
    };
}

/// What there is to know of a format.
struct FormatSpec {
    /// In lower case and without the dot; the first is the usual one.
    extensions: &'static [&'static str],
    /// Its name, for messages.
    title: &'static str,
    /// The second file, where the first has no place for words.
    words: Option<WordsFile>,
    holds: Abilities,
    /// Whether there is a place for a word as it is.
    fits: fn(&str) -> bool,
    /// Bytes of an f32 value, what stands between two included; of text on average.
    value_bytes: u64,
    read: fn(&mut Input<'_>) -> Result<LoadedVectors>,
    write: fn(&VectorTable<'_>, &mut Output<'_>) -> io::Result<()>,
}

/// Bytes that a trained value takes as text, on average: a sign before every other one, a zero, a
/// point, eight digits and what stands between two.
const TEXT_VALUE_BYTES: u64 = 12;

/// A character that is a byte order mark where a text begins with it.
const MARK: char = '\u{feff}';

/// How the vectors lie in a file.
#[derive(Clone, Copy)]
pub struct Format(&'static FormatSpec);

impl Format {
    /// word2vec text.
    pub const TEXT: Self = Self(&text::FORMAT);
    /// GloVe text: word2vec text without its header.
    pub const GLOVE: Self = Self(&glove::FORMAT);

    /// Every format.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.into_iter().map(Self)
    }

    /// The format that an extension, without the dot and in upper or lower case, stands for.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        Self::all().find(|format| format.extensions().contains(&&*extension))
    }

    /// The format that a file's extension stands for, as it is written.
    ///
    /// # Errors
    /// [`Error::FileName`] for any other extension, with those that work.
    pub fn from_path(path: &Path) -> Result<Self> {
        if path.as_os_str() == STDOUT {
            return Err(wrong_name(
                path,
                "standard output has no name that tells the format; give `to = FORMAT`".to_owned(),
            ));
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.and_then(Self::from_extension).ok_or_else(|| {
            let known: Vec<String> = Self::all().map(|format| format.to_string()).collect();
            let packed = without_packing(path).is_some_and(|path| Self::from_path(&path).is_ok());
            let hint = if packed {
                "; vectors are written unpacked: pack the file afterwards"
            } else {
                ""
            };
            wrong_name(
                path,
                format!("must end in one of: {}{hint}", known.join("; ")),
            )
        })
    }

    /// The format of a file that is there: by its extension, or that before the one of a packed
    /// file, as in `v.bin.gz`.
    ///
    /// # Errors
    /// [`Error::FileName`] for any other name, with what to do.
    pub fn of_file(path: &Path) -> Result<Self> {
        if path.as_os_str() == STDIN {
            return Err(wrong_name(
                path,
                "standard input has no name that tells the format; give `from = FORMAT`".to_owned(),
            ));
        }
        let unpacked = without_packing(path);
        Self::from_path(unpacked.as_deref().unwrap_or(path)).map_err(|error| match error {
            Error::FileName { why, .. } => {
                wrong_name(path, format!("{why}; or give `from = FORMAT`"))
            }
            other => other,
        })
    }

    /// The extensions that stand for it, in lower case and without the dot; the first is the usual
    /// one.
    pub fn extensions(self) -> &'static [&'static str] {
        self.0.extensions
    }

    /// What it can hold beside words and f32 values.
    pub fn holds(self) -> Abilities {
        self.0.holds
    }

    /// Bytes of the files of `rows` words of `text` bytes in all, with vectors of `dim` f32 values;
    /// about, where these are text.
    pub fn estimated_bytes(self, rows: u64, dim: u64, text: u64) -> u64 {
        // A word has an end, and a line or the next word begins after its vector.
        rows * (dim * self.0.value_bytes + 2) + text
    }

    /// Whether values can be stored so.
    ///
    /// # Errors
    /// [`Error::Setting`] for `--dtype` when they cannot, with the formats in which they can.
    pub fn check_dtype(self, dtype: Dtype) -> Result<()> {
        if dtype == Dtype::F32 || self.holds().f16 {
            return Ok(());
        }
        let can: Vec<String> = Self::all()
            .filter(|format| format.holds().f16)
            .map(|f| f.to_string())
            .collect();
        let why = format!("{self} cannot hold it; these can: {}", can.join("; "));
        Err(Error::setting("dtype", "f16", why))
    }

    /// Whether it has a place for a word as it is, such that readers of the format give the same
    /// back.
    pub fn fits(self, word: &str) -> bool {
        (self.0.fits)(word)
    }

    /// The files that vectors in this format are written to at `path`: `path`, and that of the
    /// words if there is one.
    ///
    /// # Errors
    /// [`Error::FileName`] when the second cannot be named after the first, as that lacks the
    /// format's extension.
    pub fn files(self, path: &Path) -> Result<Vec<PathBuf>> {
        self.files_beside(path, Self::from_path(path), WordsFile::path)
    }

    /// The same for vectors that are there, which may be packed.
    fn files_read(self, path: &Path) -> Result<Vec<PathBuf>> {
        self.files_beside(path, Self::of_file(path), WordsFile::beside)
    }

    fn files_beside(
        self,
        path: &Path,
        named: Result<Self>,
        beside: fn(&WordsFile, &Path) -> PathBuf,
    ) -> Result<Vec<PathBuf>> {
        let Some(words) = &self.0.words else {
            return Ok(vec![path.to_owned()]);
        };
        match named {
            Ok(format) if format == self => Ok(vec![path.to_owned(), beside(words, path)]),
            _ => {
                let why = format!(
                    "must end in .{}, as a second file is named after it",
                    self.extensions()[0]
                );
                Err(wrong_name(path, why))
            }
        }
    }

    /// Reads word vectors of this format, as [`Reading::read`] does.
    ///
    /// # Errors
    /// As [`Reading::read`].
    pub fn read(self, path: &Path, on_progress: &mut dyn FnMut(u64, u64)) -> Result<LoadedVectors> {
        Reading {
            from: Some(self),
            ..Reading::default()
        }
        .read(path, on_progress)
    }

    /// Writes word vectors. `on_progress` takes the rows written so far and those in all, now and
    /// then.
    ///
    /// Every file appears whole or not at all, as by [`write_atomically`].
    ///
    /// # Errors
    /// [`Error::Setting`] for a [`Dtype`] that the format cannot hold; [`Error::Format`] as
    /// [`Format::files`]; [`Error::Io`] when a file cannot be written, there are no rows, the
    /// format has no place for a word ([`Format::fits`]), or a value is not finite or too large for
    /// its type.
    ///
    /// # Panics
    /// When there are not as many words as rows, or fewer than are to be written.
    pub fn write(
        self,
        path: &Path,
        table: &VectorTable<'_>,
        on_progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        assert_eq!(
            table.vocab.len(),
            table.matrix.rows(),
            "every row has a word"
        );
        assert!(
            table.rows <= table.matrix.rows(),
            "no more rows are written than there are"
        );
        self.check_dtype(table.dtype)?;
        self.files(path)?;
        self.check_words(table).map_err(|why| {
            Error::io("write", path)(io::Error::new(io::ErrorKind::InvalidInput, why))
        })?;
        let body = |out: &mut dyn Write| (self.0.write)(table, &mut Output { out, on_progress });
        match &self.0.words {
            None => write_atomically(path, body),
            Some(words) => {
                let words_body = |out: &mut dyn Write| words.write(table, out);
                write_pair_atomically((&words.path(path), words_body), (path, body))
            }
        }
    }

    /// Whether there are words, and a place for each.
    fn check_words(self, table: &VectorTable<'_>) -> Checked<()> {
        if table.rows == 0 {
            return Err("there are no words to write".to_owned());
        }
        match table.words().find(|(word, _)| !self.fits(word)) {
            None => Ok(()),
            Some((word, _)) => Err(format!(
                "{}; .{} has no place for it",
                unfit(word),
                self.extensions()[0]
            )),
        }
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({})", self.extensions()[0])
    }
}

/// The extensions and the name, as `.txt or .vec (word2vec text)`.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{} ({})", self.extensions().join(" or ."), self.0.title)
    }
}

fn wrong_name(path: &Path, why: String) -> Error {
    Error::FileName {
        path: path.to_owned(),
        why,
    }
}

/// Reads word vectors in the format of the file's extension, and tells nothing of what was odd.
///
/// # Errors
/// As [`Reading::read`].
pub fn read(path: &Path) -> Result<Vectors> {
    Ok(Reading::default().read(path, &mut |_, _| ())?.vectors)
}

/// Writes all words and their rows, as f32, in the format of the file's extension.
///
/// # Errors
/// As [`Format::from_path`] and [`Format::write`].
///
/// # Panics
/// When there are not as many words as rows.
pub fn write(path: &Path, vocab: &Vocab, matrix: &Matrix) -> Result<()> {
    Format::from_path(path)?.write(path, &VectorTable::new(vocab, matrix), &mut |_, _| ())
}

#[cfg(test)]
mod tests;
