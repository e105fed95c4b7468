//! The text that a command reads, and the text that it writes.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::corpus::{Corpus, read_list};
use crate::error::shown;
use crate::quantity::count;
use crate::system::{STDIN, STDOUT, check_writable, write_atomically};
use anyhow::Result;

use crate::system::is_same_file;

/// The largest number of hidden files that a line names. If there are more, it gives their number.
const MOST_NAMED: usize = 3;

/// The setting that names the file of the text written.
const OUTPUT: &str = "output";

/// The options about the text that is read.
#[derive(clap::Args, Debug)]
pub(super) struct CorpusArgs {
    /// Text files, plain or packed (.gz, .zst, .bz2, .xz), folders of them, or - for standard input
    #[arg(required_unless_present = "files_from")]
    corpus: Vec<PathBuf>,
    /// Read also the files and folders that FILE names, one a line; - for standard input
    #[arg(long, value_name = "FILE")]
    files_from: Option<PathBuf>,
}

impl CorpusArgs {
    /// The file that lists further files, if there is one.
    pub(super) fn list(&self) -> Option<&Path> {
        self.files_from.as_deref()
    }

    /// All paths that were named, in order: the arguments, then the list.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, Error> {
        let mut paths = self.corpus.clone();
        if let Some(list) = &self.files_from {
            if list.as_os_str() == STDIN && paths.iter().any(|path| path.as_os_str() == STDIN) {
                let why =
                    "standard input cannot be both the list and the text; write the list to a file"
                        .to_owned();
                return Err(Error::setting("files_from", STDIN, why));
            }
            paths.extend(read_list(list)?);
        }
        Ok(paths)
    }
}

/// Refuses to replace a file that is read, of the corpus or of `lists`.
pub(super) fn check_apart<'a>(
    corpus: &'a Corpus,
    lists: impl IntoIterator<Item = &'a Path>,
    output: &Path,
    setting: &'static str,
) -> Result<(), Error> {
    if output.exists()
        && corpus
            .files()
            .chain(lists)
            .any(|file| is_same_file(file, output))
    {
        let why =
            "is a file of the corpus, or a list that is read, and would be replaced; name another \
             file"
                .to_owned();
        return Err(Error::setting(setting, shown(output), why));
    }
    Ok(())
}

/// Refuses to make a file or folder at `place` if the next run on the same `paths` would read it as
/// text.
pub(super) fn check_outside(
    paths: &[PathBuf],
    place: &Path,
    setting: &'static str,
) -> Result<(), Error> {
    if paths.iter().any(|path| would_be_read(path, place)) {
        let why = "lies in a folder of CORPUS, where the next run would read it as text; name a \
                   place elsewhere";
        return Err(Error::setting(setting, shown(place), why));
    }
    Ok(())
}

/// Whether files in `folder` are text of a corpus that `path` belongs to.
fn reads_below(path: &Path, folder: &Path) -> bool {
    let (Ok(path), Ok(folder)) = (path.canonicalize(), folder.canonicalize()) else {
        return false;
    };
    path.is_dir()
        && folder
            .strip_prefix(&path)
            .is_ok_and(|below| !below.iter().any(is_hidden))
}

/// Whether a file or folder made at `place` would be text of a corpus that `path` belongs to.
fn would_be_read(path: &Path, place: &Path) -> bool {
    let Ok(place) = std::path::absolute(place) else {
        return false;
    };
    let Some(there) = place.ancestors().find(|there| there.exists()) else {
        return false;
    };
    reads_below(path, there)
        && !place
            .strip_prefix(there)
            .is_ok_and(|rest| rest.iter().any(is_hidden))
}

/// Whether a part of a path is hidden, so that a folder's text is read without it.
fn is_hidden(part: &OsStr) -> bool {
    part.as_encoded_bytes().starts_with(b".")
}

/// A line about the entries of a corpus's folders that are not read, if there are any.
pub(super) fn left_out_line(corpus: &Corpus) -> Option<String> {
    let hidden = corpus.hidden();
    let names: Vec<String> = hidden
        .iter()
        .take(MOST_NAMED)
        .map(|path| shown(path))
        .collect();
    let more = if hidden.len() > MOST_NAMED {
        ", ..."
    } else {
        ""
    };
    let number = count(hidden.len() as u64);
    (!hidden.is_empty()).then(|| {
        format!(
            "hidden files and folders left out: {number} ({}{more})",
            names.join(", ")
        )
    })
}

/// The destination of a command's text: a file or standard output. It was writable when it was
/// checked.
pub(super) struct Destination<'a>(&'a Path);

impl<'a> Destination<'a> {
    /// Checks that the destination can be written. With `json`, standard output is taken already.
    pub(super) fn new(output: &'a Path, json: bool) -> Result<Self, Error> {
        let destination = Self(output);
        if json && destination.is_stdout() {
            let why = "both would go to standard output; write the text to a file".to_owned();
            return Err(Error::setting("json", format!("-o {STDOUT}"), why));
        }
        check_writable(output, OUTPUT)?;
        Ok(destination)
    }

    fn is_stdout(&self) -> bool {
        self.0.as_os_str() == STDOUT
    }

    /// Refuses to replace a file that is read, or to make a file in a folder of the corpus that
    /// `paths` name.
    pub(super) fn check_apart<'b>(
        &self,
        paths: &[PathBuf],
        corpus: &'b Corpus,
        lists: impl IntoIterator<Item = &'b Path>,
    ) -> Result<(), Error> {
        if self.is_stdout() {
            return Ok(());
        }
        check_apart(corpus, lists, self.0, OUTPUT)?;
        check_outside(paths, self.0, OUTPUT)
    }

    /// Writes the output of `body`. A file appears whole or not at all.
    pub(super) fn write(&self, body: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        let mut failure = None;
        let written = write_atomically(self.0, |out| {
            body(out).map_err(|error| match error.downcast::<io::Error>() {
                Ok(error) => error,
                Err(error) => {
                    failure = Some(error);
                    io::Error::other("what was to be written is not there")
                }
            })
        });
        failure.map_or(Ok(written?), Err)
    }
}
