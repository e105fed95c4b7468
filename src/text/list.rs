//! Small text files such as word lists and vocabularies, read line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::MAX_WORD_BYTES;
use super::encoding::{unmarked, utf8_text};
use super::tokenizer::is_separator;
use crate::error::{self, Error};
use crate::quantity::{self, plural};

/// The longest line, in bytes: a word, its count, and room to spare. A longer line is an error and
/// is not read into memory.
pub(crate) const MAX_LINE_BYTES: u64 = MAX_WORD_BYTES as u64 + 256;

/// An iterator over the lines of a small text file with their numbers, from 1. It passes over empty
/// lines.
pub(crate) struct Lines<'a> {
    path: &'a Path,
    input: BufReader<Box<dyn Read>>,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn open(path: &'a Path) -> error::Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let input = BufReader::new(utf8_text(file).map_err(Error::io("read", path))?);
        Ok(Self {
            path,
            input,
            number: 0,
        })
    }
}

impl Iterator for Lines<'_> {
    type Item = error::Result<(u64, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            let read = (&mut self.input)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line);
            match read.map_err(Error::io("read", self.path)) {
                Err(error) => return Some(Err(error)),
                Ok(0) => return None,
                Ok(_) if line.len() as u64 == MAX_LINE_BYTES => {
                    let why =
                        format!("longer than {MAX_LINE_BYTES} bytes; is this a list of words?");
                    return Some(Err(wrong_line(self.path, self.number, why)));
                }
                Ok(_) => {}
            }
            let text = unmarked(line.trim_ascii_end());
            if !text.trim_ascii().is_empty() {
                return Some(Ok((self.number, text.to_vec())));
            }
        }
    }
}

/// The error for a faulty line of a file.
pub(crate) fn wrong_line(path: &Path, number: u64, why: String) -> Error {
    Error::Format {
        path: path.to_owned(),
        place: format!("line {number}"),
        why,
    }
}

/// Checks that a word could have come from the tokenizer.
///
/// # Errors
/// A sentence for the user when the word is empty, too long, or contains a separator.
pub(crate) fn checked_word(word: &str) -> std::result::Result<&str, String> {
    if word.is_empty() || word.contains(is_separator) {
        return Err(format!(
            "expected one word without spaces or control characters and found {word:.60?}"
        ));
    }
    if word.len() > MAX_WORD_BYTES {
        return Err(format!(
            "a word of {}; longer ones than {} are left out of any text",
            quantity::bytes(word.len() as u64),
            plural(MAX_WORD_BYTES as u64, "byte")
        ));
    }
    Ok(word)
}
