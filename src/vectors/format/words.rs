//! Words that are stored apart from their vectors; and the second file of formats whose first file
//! cannot hold words. It has one word a line, in some formats with its count.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::input::Input;
use super::output::VectorTable;
use super::rows::{Checked, Listed, SEPARATORS};
use super::word::quoted;
use crate::error::Result;
use crate::system::check_pair;
use crate::text::{MARK, without_packing};

/// The second file of a format.
pub(super) struct WordsFile {
    /// The extension of the second file, in place of the first one's.
    pub(super) extension: &'static str,
    /// Whether a count may follow a word.
    pub(super) counts: bool,
}

impl WordsFile {
    /// The path at which to write the words of a vectors file.
    pub(super) fn path(&self, vectors: &Path) -> PathBuf {
        vectors.with_extension(self.extension)
    }

    /// The path from which to read the words of a vectors file. Both files may be compressed.
    pub(super) fn beside(&self, vectors: &Path) -> PathBuf {
        let (Some(unpacked), Some(packing)) = (without_packing(vectors), vectors.extension())
        else {
            return self.path(vectors);
        };
        let plain = self.path(&unpacked);
        let mut packed: OsString = plain.clone().into();
        packed.push(".");
        packed.push(packing);
        let packed = PathBuf::from(packed);
        if !plain.exists() && packed.exists() {
            packed
        } else {
            plain
        }
    }

    /// Reads all words of `vectors`, which are open, or as many as are asked for. There must be at
    /// least one, and both files must belong together.
    pub(super) fn read(&self, path: &Path, vectors: &Input<'_>) -> Result<Listed> {
        let (reading, ignore) = (vectors.reading, &mut |_, _| ());
        let mut input = Input::open(path, reading, ignore)?;
        if let Some(opened) = vectors.file {
            check_pair(path, vectors.path, opened)?;
        }
        input.start_text()?;
        let mut listed = Listed::new(reading);
        while !listed.words.is_full()
            && let Some(blank) = input.next_row()?
        {
            for before in (1..=blank).rev() {
                let place = input.place_before(before);
                let pushed = listed.push("", false, 0, || place.clone());
                pushed.map_err(|why| input.wrong(place, why))?;
            }
            let (line, broken) = input.text();
            let pushed = self
                .parse(&line)
                .and_then(|(word, count)| listed.push(word, broken, count, || input.place()));
            pushed.map_err(|why| input.wrong_line(why))?;
        }
        if listed.words.vocab.is_empty() {
            return Err(input.wrong_line("the file holds no words".to_owned()));
        }
        Ok(listed)
    }

    fn parse<'a>(&self, line: &'a str) -> Checked<(&'a str, u64)> {
        match self.counts {
            true => with_count(line),
            false if line.contains('\t') => Err(
                "more than one column between tabs; keep that of the words alone, as by \
                                                 `cut -f1`, without a line of titles"
                    .to_owned(),
            ),
            false => Ok((line, 0)),
        }
    }

    pub(super) fn write(&self, table: &VectorTable<'_>, out: &mut dyn Write) -> io::Result<()> {
        for (row, (word, count)) in table.words().enumerate() {
            // If the first word begins with U+FEFF, a byte order mark goes before it. Readers drop
            // only that.
            if row == 0 && word.starts_with(MARK) {
                write!(out, "{MARK}")?;
            }
            // A count shows where a word with spaces ends.
            match count > 0 || word.contains(' ') {
                true if self.counts => writeln!(out, "{word} {count}")?,
                _ => writeln!(out, "{word}")?,
            }
        }
        Ok(())
    }
}

/// Parses a line `word` or `word count`. The word may contain spaces.
fn with_count(line: &str) -> Checked<(&str, u64)> {
    let line = line.trim_end_matches(SEPARATORS);
    let Some((word, count)) = line.rsplit_once(SEPARATORS) else {
        return Ok((line, 0));
    };
    match count.parse() {
        Ok(count) => Ok((word, count)),
        Err(_) if count.parse::<f64>().is_ok() => Err(format!(
            "expected a word, or a word and its count, and found {}",
            quoted(line)
        )),
        Err(_) => Ok((line, 0)),
    }
}
