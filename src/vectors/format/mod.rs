//! Files of word vectors, in a format chosen by the file's extension.
//!
//! | extension | format | can also hold |
//! |---|---|---|
//! | `.txt`, `.vec` | word2vec text: a line `rows dim`, then `word v1 v2 ... vD` | |
//! | `.bin` | word2vec binary: a line `rows dim`, then `word `, D floats, newline | |
//! | `.glove` | GloVe text: lines `word v1 v2 ... vD` alone | |
//! | `.npy` | NumPy; the words in `NAME.vocab` | f16, counts |
//! | `.safetensors` | safetensors: the tensor `vectors`, the words in the metadata | f16, counts, the configuration |
//! | `.tsv` | Embedding Projector; the words in `NAME.metadata.tsv` | |
//! | any | a model of fastText, told by its first bytes; [`write_fasttext`] writes one | n-grams, W' |
//!
//! Values are read back bit for bit. Readers trust nothing in a file: they allocate no more than it
//! can hold, and name the position of an error. Published files have oddities. Those that leave no
//! doubt about the vectors are read and counted ([`Oddities`]).
//!
//! A format is a file in this folder and a line in `FORMATS`.
//!
//! ```
//! use w2v_gpu::{model::Matrix, vectors::format, vocab::Vocab};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("vectors.txt");
//! let vocab = Vocab::from_words([("cat", 2), ("dog", 1)]).expect("different words");
//! let matrix = Matrix::from_values(2, vec![1.0, 0.5, 0.25, -1.0]);
//! format::write(&path, &vocab, &matrix)?;
//! assert_eq!(std::fs::read_to_string(&path)?, "2 2\ncat 1 0.5\ndog 0.25 -1\n");
//! assert_eq!(format::read(&path)?.matrix, matrix);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod binary;
mod fasttext;
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
mod word;
mod words;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use fasttext::{FastTextModel, write_fasttext};
use input::Input;
pub use odd::Oddities;
use output::Output;
pub use output::{Dtype, VectorTable};
pub use reading::Reading;
#[cfg(feature = "cli")]
pub use reading::format_parser;
use rows::Checked;
use word::unfit;
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

/// The contents of a vectors file.
#[derive(Clone, Debug)]
pub struct LoadedVectors {
    /// The vectors.
    pub vectors: Vectors,
    /// The configuration of the run that made the vectors, if the file has it: the text that was
    /// given as [`VectorTable::configuration`].
    pub configuration: Option<String>,
    /// Whether the file is a model that composes vectors for words outside its vocabulary. It is
    /// kept only if that is asked for ([`Reading::compose`]).
    pub has_subwords: bool,
    /// Number of rows in the file, including those left out. If only some rows were asked for, this
    /// is the number that the header promises, which may be more than were read.
    pub rows: u64,
    /// The oddities of the file that did not prevent reading it.
    pub odd: Oddities,
}

/// The optional contents of a format: what it can hold beside words and f32 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// 16-bit values.
    pub f16: bool,
    /// The number of occurrences of each word.
    pub counts: bool,
    /// The configuration of the run that made the vectors.
    pub configuration: bool,
}

impl Abilities {
    /// Nothing but words and f32 values.
    const WORDS: Self = Self {
        f16: false,
        counts: false,
        configuration: false,
    };
}

/// The properties of a format.
struct FormatSpec {
    /// In lower case and without the dot, the usual one first.
    extensions: &'static [&'static str],
    /// The format's name, for messages.
    title: &'static str,
    /// The second file, which holds the words if the first cannot.
    words: Option<WordsFile>,
    holds: Abilities,
    /// Whether the format can hold a word unchanged.
    fits: fn(&str) -> bool,
    /// Bytes of an f32 value with its separator; for text, those of a small one.
    value_bytes: u64,
    /// Bytes that each word takes beside its text, its count and its values.
    word_bytes: u64,
    read: fn(&mut Input<'_>) -> Result<LoadedVectors>,
    write: fn(&VectorTable<'_>, &mut Output<'_>) -> io::Result<()>,
}

/// Bytes of a small value as text, such as 0.001: a sign for half of the values, a zero, a point, two
/// zeros, some nine digits and a separator. Larger values take up to two bytes less, so an estimate
/// by this number is seldom too low.
const TEXT_VALUE_BYTES: u64 = 14;

/// Bytes of the two separators that a word has in most formats.
const SEPARATOR_BYTES: u64 = 2;

/// A format of vectors files.
#[derive(Clone, Copy)]
pub struct Format(&'static FormatSpec);

impl Format {
    /// word2vec text.
    pub const TEXT: Self = Self(&text::FORMAT);
    /// word2vec binary.
    pub const BINARY: Self = Self(&binary::FORMAT);
    /// GloVe text: word2vec text without its header.
    pub const GLOVE: Self = Self(&glove::FORMAT);

    /// Every format.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.into_iter().map(Self)
    }

    /// The format with this extension, which is given without the dot and in upper or lower case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        Self::all().find(|format| format.extensions().contains(&&*extension))
    }

    /// The format for writing a file, by its extension.
    ///
    /// # Errors
    /// [`Error::FileName`] for an unknown extension. The message lists the known ones.
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

    /// The format for reading a file, by its extension. For a compressed file such as `v.bin.gz`,
    /// the extension before the last one counts.
    ///
    /// # Errors
    /// [`Error::FileName`] for an unknown extension. The message says what to do.
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

    /// The extensions of this format, in lower case and without the dot, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        self.0.extensions
    }

    /// The contents that this format can hold beside words and f32 values.
    pub fn holds(self) -> Abilities {
        self.0.holds
    }

    /// Size in bytes of the files for `rows` vectors of `dim` f32 values, named as the words of
    /// `vocab` are. The headers are left out. For text formats it is an estimate.
    pub fn estimated_bytes(self, vocab: &Vocab, rows: u64, dim: u64) -> u64 {
        let digits = |count: &u64| u64::from(count.checked_ilog10().unwrap_or(0)) + 1;
        let text: u64 = vocab.words().map(|word| word.len() as u64).sum();
        let counts = match self.holds().counts {
            true => vocab.counts().iter().map(digits).sum(),
            false => 0,
        };
        rows * (dim * self.0.value_bytes + self.0.word_bytes) + text + counts
    }

    /// Checks that this format can hold values of a type.
    ///
    /// # Errors
    /// [`Error::Setting`] for `--dtype` when it cannot. The message lists the formats that can.
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

    /// Whether this format can hold a word such that its readers return the word unchanged.
    pub fn fits(self, word: &str) -> bool {
        (self.0.fits)(word)
    }

    /// The files to write for vectors at `path`: `path` itself, and the file of the words if there
    /// is one.
    ///
    /// # Errors
    /// [`Error::FileName`] when there is a second file and `path` lacks the format's extension, so
    /// the second cannot be named after it.
    pub fn files(self, path: &Path) -> Result<Vec<PathBuf>> {
        self.files_beside(path, Self::from_path(path), WordsFile::path)
    }

    /// The files to read for vectors at `path`. They may be compressed.
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
    /// Those of [`Reading::read`].
    pub fn read(self, path: &Path, on_progress: &mut dyn FnMut(u64, u64)) -> Result<LoadedVectors> {
        Reading {
            from: Some(self),
            ..Reading::default()
        }
        .read(path, on_progress)
    }

    /// Writes word vectors. `on_progress` is called now and then with the rows written so far and
    /// the number of all rows.
    ///
    /// Every file appears whole or not at all, as by [`write_atomically`].
    ///
    /// # Errors
    /// - [`Error::Setting`] for a [`Dtype`] that the format cannot hold.
    /// - [`Error::FileName`] as for [`Format::files`].
    /// - [`Error::Io`] when a file cannot be written, there are no rows, the format cannot hold a
    ///   word ([`Format::fits`]), or a value is not finite or too large for its type.
    ///
    /// # Panics
    /// When the numbers of words and rows differ, or fewer rows exist than are to be written.
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

    /// Checks that there are words, and that the format can hold each of them.
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

/// The extensions and the name, such as `.txt or .vec (word2vec text)`.
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

/// Reads word vectors in the format of the file's extension. Oddities are not reported.
///
/// # Errors
/// Those of [`Reading::read`].
pub fn read(path: &Path) -> Result<Vectors> {
    Ok(Reading::default().read(path, &mut |_, _| ())?.vectors)
}

/// Writes all words and their rows as f32, in the format of the file's extension.
///
/// # Errors
/// Those of [`Format::from_path`] and [`Format::write`].
///
/// # Panics
/// When the numbers of words and rows differ.
pub fn write(path: &Path, vocab: &Vocab, matrix: &Matrix) -> Result<()> {
    Format::from_path(path)?.write(path, &VectorTable::new(vocab, matrix), &mut |_, _| ())
}

#[cfg(test)]
mod tests;
