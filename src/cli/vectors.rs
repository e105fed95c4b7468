//! The vectors that a command reads, and what is told of them.

use std::io::{self, Write};
use std::path::Path;

use crate::Error;
use crate::system::STDIN;
use crate::vectors::Vectors;
use crate::vectors::format::Reading;

use super::terminal::message;

/// Reads vectors, and says on stderr what was odd in them.
pub(super) fn read(path: &Path, reading: Reading) -> Result<Vectors, Error> {
    let loaded = reading.read(path, &mut |_, _| ())?;
    tell(loaded.odd.line(path));
    Ok(loaded.vectors)
}

/// Writes lines to stderr.
pub(super) fn tell(lines: impl IntoIterator<Item = String>) {
    for line in lines {
        // Nobody may be reading any more.
        let _ = writeln!(io::stderr(), "{}", message(&line));
    }
}

/// Refuses to take the vectors from standard input where the questions come from there.
pub(super) fn check_stdin(path: &Path, questions: &[String]) -> Result<(), Error> {
    if path.as_os_str() == STDIN && questions.is_empty() {
        let why =
            "standard input cannot be both the vectors and the questions; name a file, or type the \
             words".to_owned();
        return Err(Error::setting("VECTORS", STDIN, why));
    }
    Ok(())
}
