//! A model that starts from given vectors, for the words that they share with the vocabulary.

use std::num::NonZeroUsize;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::dataset::Dataset;
use crate::config::Config;
use crate::error::{Error, Result, shown};
use crate::model::{Matrix, Model};
use crate::quantity::{count, plural};
use crate::system::STDIN;
use crate::vectors::format::{Oddities, Reading};
use crate::vocab::Vocab;

/// The given vectors that a model was started from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    /// The vectors given for W.
    pub input: Option<Given>,
    /// The vectors given for W'.
    pub output: Option<Given>,
}

/// The vectors of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Number of words in the file.
    pub words: u64,
    /// Number of these words that are in the vocabulary.
    pub matched: u64,
    /// A hash of the file's words and vectors, by which other vectors are noticed.
    pub digest: u64,
}

/// The files of vectors in a configuration, each with the setting that names it.
fn files(config: &Config) -> [(&'static str, Option<&Path>); 2] {
    [
        ("init", config.init.init.as_deref()),
        ("init_output", config.init.init_output.as_deref()),
    ]
}

/// Checks, before any work, whether the vectors of each file can be used at all. Only the first
/// vector is read, and pipes are not touched.
///
/// # Errors
/// The errors of [`start`], but for those that come later in a file.
pub fn check(config: &Config) -> Result<()> {
    if let [(_, Some(input)), (setting, Some(output))] = files(config)
        && input == output
        && input.as_os_str() == STDIN
    {
        let why =
            "standard input can be read once, and is what `init` names; name a file".to_owned();
        return Err(Error::setting(setting, STDIN, why));
    }
    for (setting, path) in files(config) {
        let Some(path) = path.filter(|path| path.as_os_str() != STDIN) else {
            continue;
        };
        config.init.reading.format(path)?;
        let metadata = path.metadata().map_err(Error::io("read", path))?;
        if metadata.is_file() || metadata.is_dir() {
            let first = Reading {
                top: NonZeroUsize::new(1),
                ..config.init.reading
            };
            let mut dim = None;
            let read = first.for_each(path, &mut |_, row| {
                dim = Some(row.len());
                Ok(())
            });
            match dim {
                Some(dim) => check_dim(setting, path, dim, config.model.dim)?,
                None => drop(read?),
            }
        }
    }
    Ok(())
}

/// The model that a run starts from, the vectors that were given for it, and a line about each file
/// with an oddity. Words without a given vector start as in [`Dataset::model`].
///
/// Files are streamed: only their words are held in memory. Of a fastText model the vectors and the
/// rows of n-grams are held while it is read.
///
/// # Errors
/// [`Error::Setting`] when a file's vectors have another number of dimensions, or none of its words
/// is in the vocabulary; otherwise as [`Reading::read`].
pub fn start(data: &Dataset) -> Result<(Model, Init, Vec<String>)> {
    let mut model = data.model();
    let reading = data.config.init.reading;
    let mut lines = Vec::new();
    let mut take = |(setting, path): (_, Option<&Path>), matrix| {
        let Some(path) = path else { return Ok(None) };
        let (given, odd) = take(setting, path, reading, &data.vocab, matrix)?;
        lines.extend(odd.line(path));
        Ok::<_, Error>(Some(given))
    };
    let [input, output] = files(&data.config);
    let init = Init {
        input: take(input, &mut model.input)?,
        output: take(output, &mut model.output)?,
    };
    Ok((model, init, lines))
}

/// Copies the vectors of a file into the rows of their words.
fn take(
    setting: &'static str,
    path: &Path,
    reading: Reading,
    vocab: &Vocab,
    matrix: &mut Matrix,
) -> Result<(Given, Oddities)> {
    let dim = matrix.dim();
    let (given, odd) = read(path, reading, |word, row| {
        check_dim(setting, path, row.len(), dim)?;
        let id = vocab.id(word.as_bytes());
        if let Some(id) = id {
            matrix.row_mut(id as usize).copy_from_slice(row);
        }
        Ok(id.is_some())
    })?;
    if given.matched == 0 {
        let why = format!(
            "holds {}, none among the {} of the vocabulary; give vectors of the same language and \
             form (`lowercase`, `nfc`), or leave it out",
            plural(given.words, "word"),
            count(vocab.len() as u64)
        );
        return Err(Error::setting(setting, shown(path), why));
    }
    Ok((given, odd))
}

/// Reads a file. `take` is called with each word and vector, and returns whether it uses them.
fn read(
    path: &Path,
    reading: Reading,
    mut take: impl FnMut(&str, &[f32]) -> Result<bool>,
) -> Result<(Given, Oddities)> {
    let mut given = Given {
        words: 0,
        matched: 0,
        digest: 0,
    };
    let mut hash = Xxh3::new();
    let odd = reading.for_each(path, &mut |word, row| {
        given.words += 1;
        given.matched += u64::from(take(word, row)?);
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word.as_bytes());
        row.iter()
            .for_each(|value| hash.update(&value.to_le_bytes()));
        Ok(())
    })?;
    Ok((
        Given {
            digest: hash.digest(),
            ..given
        },
        odd,
    ))
}

fn check_dim(setting: &'static str, path: &Path, dim: usize, expected: usize) -> Result<()> {
    if dim == expected {
        return Ok(());
    }
    let why = format!(
        "holds vectors of {}, and those of the run have {expected}; add `dim = {dim}`",
        plural(dim as u64, "dimension")
    );
    Err(Error::setting(setting, shown(path), why))
}

impl Init {
    /// Checks that the files of `config` still hold the vectors that the run started from. The
    /// checkpoint has no need of these files, so a file that is missing by now is no error.
    ///
    /// # Errors
    /// As [`Reading::read`]; [`Error::Setting`] with the file that holds other vectors.
    pub(crate) fn check(&self, config: &Config) -> Result<()> {
        for ((setting, path), then) in files(config).into_iter().zip([self.input, self.output]) {
            if let Some(path) = path.filter(|path| path.is_file())
                && read(path, config.init.reading, |_, _| Ok(false))?.0.digest
                    != then.map_or(0, |given| given.digest)
            {
                let why = "holds other vectors than when the run that is to go on began; give the \
                           file of then, or start anew";
                return Err(Error::setting(setting, shown(path), why));
            }
        }
        Ok(())
    }
}
