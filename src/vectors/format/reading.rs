//! Options for reading vectors files.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::fasttext::{self, Wanted};
use super::input::{Input, TakeRow};
use super::rows::Checked;
use super::{Format, LoadedVectors, Oddities};
use crate::error::Result;
use crate::subwords::{SubwordTable, Subwords};

/// How to read a vectors file.
///
/// The file may be compressed by gzip, zstd, bzip2 or xz, which its first bytes tell. They also
/// tell a model of fastText, whatever its name or `from` say. `-` is standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[cfg_attr(feature = "cli", group(skip))]
pub struct Reading {
    /// The format of the vectors that are read, whatever their name
    #[cfg_attr(feature = "cli", arg(long, value_name = "FORMAT", value_parser = format_parser(), help_heading = "Vectors \
                                                                                                                 that \
                                                                                                                 are \
                                                                                                                 read"))]
    pub from: Option<Format>,
    /// Refuse vectors with odd rows (a word twice, with whitespace or broken bytes, a header that
    /// is off), and lines of a --vocab that are no word and count, instead of counting them
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Vectors that are read"))]
    pub strict: bool,
    /// How many words to keep, counted from the first; rows after them are not read. `None` keeps
    /// all. The program sets this; it has no option of its own.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub top: Option<NonZeroUsize>,
    /// The format that the vectors will be written in. Words that it cannot hold are left out. The
    /// program sets this; it has no option of its own.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub fit: Option<Format>,
    /// Keep what composes vectors for words outside the vocabulary, if the file is a model with
    /// subwords. The program sets this; it has no option of its own.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub compose: bool,
}

/// Parses the name of a format, which is any of its extensions.
#[cfg(feature = "cli")]
pub fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::all().flat_map(Format::extensions))
        .try_map(|extension| Format::from_extension(&extension).ok_or("no such format"))
}

impl Reading {
    /// The format of a file: the one asked for, or the one of its name. A model of fastText needs
    /// no name that tells; it is read as what it is, whatever format is returned here.
    ///
    /// # Errors
    /// Those of [`Format::of_file`].
    pub fn format(&self, path: &Path) -> Result<Format> {
        let named = self.from.map_or_else(|| Format::of_file(path), Ok);
        named.or_else(|error| match fasttext::is_model_at(path) {
            true => Ok(Format::BINARY),
            false => Err(error),
        })
    }

    /// The files to read for vectors at `path`.
    ///
    /// # Errors
    /// Those of [`Format::of_file`] and [`Format::files`].
    pub fn files(&self, path: &Path) -> Result<Vec<PathBuf>> {
        self.format(path)?.files_read(path)
    }

    /// Reads word vectors.
    ///
    /// Every few megabytes, `on_progress` is called with the bytes read so far and the size of the
    /// files, both as they are on disk. The size is 0 for a pipe.
    ///
    /// # Errors
    /// - Those of [`Format::of_file`] and [`Format::files`].
    /// - [`Error::Io`](crate::Error::Io) when a file cannot be read.
    /// - [`Error::Corpus`](crate::Error::Corpus) when it cannot be unpacked.
    /// - [`Error::Format`](crate::Error::Format), with the line or byte, when the file is cut short
    ///   or a row has not as many finite values as the others. With `strict`, any oddity is this
    ///   error.
    pub fn read(
        &self,
        path: &Path,
        on_progress: &mut dyn FnMut(u64, u64),
    ) -> Result<LoadedVectors> {
        self.run(path, on_progress, None, Wanted::Vectors)
    }

    /// Reads word vectors and hands each word with its vector to `take`. No vector is kept, but for
    /// those of a fastText model, which are composed first. Returns the oddities.
    ///
    /// # Errors
    /// Those of [`Reading::read`], and any error of `take`.
    pub fn for_each(
        &self,
        path: &Path,
        take: &mut dyn FnMut(&str, &[f32]) -> Result<()>,
    ) -> Result<Oddities> {
        self.run(path, &mut |_, _| (), Some(take), Wanted::Vectors)
            .map(|loaded| loaded.odd)
    }

    /// Reads context vectors, as [`for_each`](Self::for_each) does. Of a fastText model these are
    /// the rows of W'.
    ///
    /// # Errors
    /// Those of [`Reading::for_each`].
    pub fn for_each_context(
        &self,
        path: &Path,
        take: &mut dyn FnMut(&str, &[f32]) -> Result<()>,
    ) -> Result<Oddities> {
        self.run(path, &mut |_, _| (), Some(take), Wanted::Output)
            .map(|loaded| loaded.odd)
    }

    /// Reads the rows of a fastText model with subwords. Each word goes to `take` with its own row,
    /// and each n-gram of `table` to `take_ngram` with the number of its row in W. No row is kept.
    ///
    /// # Errors
    /// Those of [`Reading::for_each`]; [`Error::Format`](crate::Error::Format) when the file is no
    /// such model, or its words have other n-grams than those of the table.
    pub fn for_each_part(
        &self,
        path: &Path,
        table: &SubwordTable,
        take: &mut dyn FnMut(&str, &[f32]) -> Result<()>,
        take_ngram: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<Oddities> {
        let parts = Wanted::Parts(table, take_ngram);
        self.run(path, &mut |_, _| (), Some(take), parts)
            .map(|loaded| loaded.odd)
    }

    /// The number of dimensions of a model that [`for_each_part`](Self::for_each_part) would read
    /// for such subwords, or why it would not. The first bytes of the file tell.
    ///
    /// # Errors
    /// Those of [`Reading::for_each_part`] that the first bytes tell.
    pub(crate) fn dim_of_parts(&self, path: &Path, expected: Subwords) -> Result<Checked<usize>> {
        let ignore = &mut |_, _| ();
        let mut input = Input::open(path, *self, ignore)?;
        match fasttext::is_model(input.head()) {
            true => fasttext::dim_of_parts(&mut input, expected),
            false => Ok(Err(fasttext::NO_PARTS.to_owned())),
        }
    }

    fn run<'a>(
        &self,
        path: &'a Path,
        on_progress: &'a mut dyn FnMut(u64, u64),
        each: Option<TakeRow<'a>>,
        wanted: Wanted<'a>,
    ) -> Result<LoadedVectors> {
        let format = self.format(path)?;
        format.files_read(path)?;
        let mut input = Input::open(path, *self, on_progress)?;
        input.each = each;
        if fasttext::is_model(input.head()) {
            return fasttext::read(&mut input, wanted);
        }
        if let Wanted::Parts(..) = wanted {
            return Err(input.wrong_byte(0, fasttext::NO_PARTS.to_owned()));
        }
        (format.0.read)(&mut input)
    }
}
