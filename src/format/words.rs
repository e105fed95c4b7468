//! The file of the words, beside a file that has no place for them: a word a line, in some with its count.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::input::Input;
use super::output::Table;
use super::rows::{Checked, SEPARATORS, push_word, quoted};
use crate::error::Result;
use crate::vocab::Vocab;

/// The second file of a format.
pub(super) struct WordsFile {
    /// What stands in its name where the other file has the format's extension.
    pub(super) extension: &'static str,
    /// Whether a count may stand after a word.
    pub(super) counts: bool,
}

impl WordsFile {
    /// Where the words of a vectors file are.
    pub(super) fn path(&self, vectors: &Path) -> PathBuf {
        vectors.with_extension(self.extension)
    }

    /// Reads all words, of which there is at least one.
    pub(super) fn read(&self, path: &Path) -> Result<Vocab> {
        let ignore = &mut |_, _| ();
        let mut input = Input::open(path, ignore)?;
        let mut vocab = Vocab::default();
        while input.next_line()? {
            if input.line.is_empty() && !vocab.is_empty() {
                input.only_blank_lines_left(|| "a word after an empty line".to_owned())?;
                break;
            }
            let line = input.text()?;
            let (word, count) =
                if self.counts { with_count(line) } else { Ok((line, 0)) }.map_err(|why| input.wrong_line(why))?;
            push_word(&mut vocab, word, count).map_err(|why| input.wrong_line(why))?;
        }
        if vocab.is_empty() {
            return Err(input.wrong_line("the file holds no words".to_owned()));
        }
        Ok(vocab)
    }

    pub(super) fn write(&self, table: &Table<'_>, out: &mut dyn Write) -> io::Result<()> {
        for (word, count) in table.words() {
            match count {
                1.. if self.counts => writeln!(out, "{word} {count}")?,
                _ => writeln!(out, "{word}")?,
            }
        }
        Ok(())
    }
}

/// A line `word` or `word count`.
fn with_count(line: &str) -> Checked<(&str, u64)> {
    let Some((word, count)) = line.split_once(SEPARATORS) else { return Ok((line, 0)) };
    match count.trim_ascii().parse() {
        Ok(count) => Ok((word, count)),
        Err(_) => Err(format!("expected a word, or a word and its count, and found {}", quoted(line))),
    }
}
