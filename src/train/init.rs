//! A model that starts from given vectors, for the words that they share with the vocabulary.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::dataset::Dataset;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, Table};
use crate::quantity::{count, plural};
use crate::system::STDIN;
use crate::vectors::format::{Oddities, Reading};

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

/// The files of vectors in a configuration, each with the setting that names it and the matrix that
/// it is for.
fn files(config: &Config) -> [(&'static str, Option<&Path>, Table); 2] {
    [
        ("init", config.init.init.as_deref(), Table::Input),
        (
            "init_output",
            config.init.init_output.as_deref(),
            Table::Output,
        ),
    ]
}

/// Checks, before any work, whether the vectors of each file can be used at all. Only the first
/// vector is read, and pipes are not touched.
///
/// # Errors
/// The errors of [`start`], but for those that come later in a file.
pub fn check(config: &Config) -> Result<()> {
    if let [(_, Some(input), _), (setting, Some(output), _)] = files(config)
        && input == output
        && input.as_os_str() == STDIN
    {
        let why =
            "standard input can be read once, and is what `init` names; name a file".to_owned();
        return Err(Error::setting(setting, STDIN, why));
    }
    for (setting, path, table) in files(config) {
        let Some(path) = path.filter(|path| path.as_os_str() != STDIN) else {
            continue;
        };
        config.init.reading.format(path)?;
        let metadata = path.metadata().map_err(Error::io("read", path))?;
        if (metadata.is_file() || metadata.is_dir())
            && let Some(dim) = dim_of(config, setting, path, table)?
        {
            check_dim(setting, path, dim, config.model.dim)?;
        }
    }
    Ok(())
}

/// The number of dimensions that the vectors of a file have; none without a vector.
fn dim_of(
    config: &Config,
    setting: &'static str,
    path: &Path,
    table: Table,
) -> Result<Option<usize>> {
    let reading = config.init.reading;
    if let (Table::Input, Some(subwords)) = (table, config.model.ngrams()) {
        let dim = reading.dim_of_parts(path, subwords)?;
        return dim
            .map(Some)
            .map_err(|why| Error::setting(setting, path.display(), why));
    }
    let first = Reading {
        top: NonZeroUsize::new(1),
        ..reading
    };
    let mut dim = None;
    let mut take = |_: &str, row: &[f32]| {
        dim = Some(row.len());
        Ok(())
    };
    let read = match table {
        Table::Input => first.for_each(path, &mut take),
        Table::Output => first.for_each_context(path, &mut take),
    };
    if dim.is_none() {
        read?;
    }
    Ok(dim)
}

/// The model that a run starts from, the vectors that were given for it, and a line about each file
/// with an oddity. Words without a given vector start as in [`Dataset::model`].
///
/// Files are streamed: only their words are held in memory. A fastText model whose words are to
/// start whole has its vectors and the rows of n-grams held while it is read.
///
/// # Errors
/// [`Error::Setting`] when a file's vectors have another number of dimensions, or none of its words
/// is in the vocabulary; otherwise as [`Reading::read`], and with subwords as
/// [`Reading::for_each_part`].
pub fn start(data: &Dataset) -> Result<(Model, Init, Vec<String>)> {
    let mut model = data.model();
    let mut lines = Vec::new();
    let [input, output] = files(&data.config).map(|(setting, path, table)| {
        let Some(path) = path else { return Ok(None) };
        let (given, odd) = take(data, setting, path, (table, model.table_mut(table)))?;
        lines.extend(odd.line(path));
        Ok::<_, Error>(Some(given))
    });
    let init = Init {
        input: input?,
        output: output?,
    };
    Ok((model, init, lines))
}

/// Copies the vectors of a file into the rows of their words, and of n-grams into theirs.
fn take(
    data: &Dataset,
    setting: &'static str,
    path: &Path,
    (table, matrix): (Table, &mut Matrix),
) -> Result<(Given, Oddities)> {
    let dim = matrix.dim();
    let (given, odd) = read(data, path, table, |row, values| {
        check_dim(setting, path, values.len(), dim)?;
        if let Some(row) = row {
            matrix.row_mut(row).copy_from_slice(values);
        }
        Ok(())
    })?;
    if given.matched == 0 {
        let why = format!(
            "holds {}, none among the {} of the vocabulary; give vectors of the same language and \
             form (`lowercase`, `nfc`), or leave it out",
            plural(given.words, "word"),
            count(data.vocab.len() as u64)
        );
        return Err(Error::setting(setting, path.display(), why));
    }
    Ok((given, odd))
}

/// Reads a file for a matrix of a model. `take` is called with each row that the file holds, and with
/// its number in the matrix if the model has it.
fn read(
    data: &Dataset,
    path: &Path,
    table: Table,
    take: impl FnMut(Option<usize>, &[f32]) -> Result<()>,
) -> Result<(Given, Oddities)> {
    let mut given = Given {
        words: 0,
        matched: 0,
        digest: 0,
    };
    let rows = RefCell::new((Xxh3::new(), take));
    let hand_on = |row: Option<usize>, values: &[f32]| {
        let (hash, take) = &mut *rows.borrow_mut();
        values
            .iter()
            .for_each(|value| hash.update(&value.to_le_bytes()));
        take(row, values)
    };
    let mut take_word = |word: &str, values: &[f32]| {
        let id = data.vocab.id(word.as_bytes());
        given.words += 1;
        given.matched += u64::from(id.is_some());
        {
            let hash = &mut rows.borrow_mut().0;
            hash.update(&(word.len() as u64).to_le_bytes());
            hash.update(word.as_bytes());
        }
        hand_on(id.map(|id| id as usize), values)
    };
    let reading = data.config.init.reading;
    let odd = match (table, &data.batcher.subwords) {
        (Table::Output, _) => reading.for_each_context(path, &mut take_word)?,
        (Table::Input, None) => reading.for_each(path, &mut take_word)?,
        (Table::Input, Some(subwords)) => {
            let mut take_ngram = |row, values: &[f32]| hand_on(Some(row), values);
            reading.for_each_part(path, subwords, &mut take_word, &mut take_ngram)?
        }
    };
    let digest = rows.borrow().0.digest();
    Ok((Given { digest, ..given }, odd))
}

fn check_dim(setting: &'static str, path: &Path, dim: usize, expected: usize) -> Result<()> {
    if dim == expected {
        return Ok(());
    }
    let why = format!(
        "holds vectors of {}, and those of the run have {expected}; add `dim = {dim}`",
        plural(dim as u64, "dimension")
    );
    Err(Error::setting(setting, path.display(), why))
}

impl Init {
    /// Checks that the files of the configuration still hold the vectors that the run started from. The
    /// checkpoint has no need of these files, so a file that is missing by now is no error.
    ///
    /// # Errors
    /// As [`Reading::read`]; [`Error::Setting`] with the file that holds other vectors.
    pub(crate) fn check(&self, data: &Dataset) -> Result<()> {
        let files = files(&data.config).into_iter();
        for ((setting, path, table), then) in files.zip([self.input, self.output]) {
            if let Some(path) = path.filter(|path| path.is_file())
                && read(data, path, table, |_, _| Ok(()))?.0.digest
                    != then.map_or(0, |given| given.digest)
            {
                let why = "holds other vectors than when the run that is to go on began; give the \
                           file of then, or start anew";
                return Err(Error::setting(setting, path.display(), why));
            }
        }
        Ok(())
    }
}
