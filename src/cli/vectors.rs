//! Reads the vectors of a command, and reports oddities in them.

use std::path::Path;

use crate::Error;
use crate::system::STDIN;
use crate::vectors::Vectors;
use crate::vectors::format::Reading;

use super::terminal::to_stderr;

/// Reads vectors with what composes those of other words, if the file has it; otherwise like
/// [`read`].
pub(super) fn read_to_ask(path: &Path, reading: Reading) -> Result<Vectors, Error> {
    let reading = Reading {
        compose: true,
        ..reading
    };
    read(path, reading)
}

/// Reads vectors, and prints a line on stderr about oddities in them.
pub(super) fn read(path: &Path, reading: Reading) -> Result<Vectors, Error> {
    let loaded = reading.read(path, &mut |_, _| ())?;
    tell(loaded.odd.line(path));
    Ok(loaded.vectors)
}

/// Prints lines on stderr.
pub(super) fn tell(lines: impl IntoIterator<Item = String>) {
    for line in lines {
        to_stderr(&line);
    }
}

/// Refuses to read the vectors from standard input if the questions are read from there.
pub(super) fn check_stdin(path: &Path, questions: &[String]) -> Result<(), Error> {
    if path.as_os_str() == STDIN && questions.is_empty() {
        let why =
            "standard input cannot be both the vectors and the questions; name a file, or type the \
             words".to_owned();
        return Err(Error::setting("VECTORS", STDIN, why));
    }
    Ok(())
}
