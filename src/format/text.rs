//! word2vec text: a line `rows dim`, then a line `word v1 v2 ... vD` for every word.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use super::{MAX_WORD_BYTES, Rows, Vectors, quoted};
use crate::error::{Error, Result};

/// One line, without the space that word2vec.c leaves at its end.
pub(super) fn line(word: &str, row: &[f32]) -> Vec<u8> {
    let mut line = Vec::with_capacity(word.len() + 14 * row.len());
    line.extend_from_slice(word.as_bytes());
    for value in row {
        // The fewest digits that read back exactly; a Vec takes all that is written to it.
        let _ = write!(line, " {value}");
    }
    line.push(b'\n');
    line
}

/// Reads a file of `bytes` bytes, or of an unknown number of them if 0.
///
/// Lines may end as on Windows, and spaces may stand at their end, as word2vec.c and fastText leave them there.
pub(super) fn read(path: &Path, input: impl BufRead, bytes: u64) -> Result<Vectors> {
    let mut lines = Lines { path, input, line: Vec::new(), number: 0 };
    lines.next(MAX_WORD_BYTES)?;
    // A value takes at least a space and a digit.
    let mut rows = Rows::begin(&lines.line, bytes / 2).map_err(|why| lines.wrong(why))?;
    // A value takes about 12 bytes, and never 64 as an f32: a line without end is not read into memory.
    let longest = MAX_WORD_BYTES.saturating_add(rows.dim.saturating_add(1).saturating_mul(64));
    for _ in 0..rows.rows {
        if !lines.next(longest)? {
            return Err(lines.wrong(rows.cut_short()));
        }
        row(&lines.line, &mut rows).map_err(|why| lines.wrong(why))?;
    }
    while lines.next(longest)? {
        if !lines.line.trim_ascii().is_empty() {
            return Err(lines.wrong(rows.runs_on()));
        }
    }
    Ok(rows.finish())
}

fn row(line: &[u8], rows: &mut Rows) -> std::result::Result<(), String> {
    let line = std::str::from_utf8(line).map_err(|error| {
        format!("not UTF-8 text from its byte {} on; word2vec binary is read from .bin", error.valid_up_to())
    })?;
    let (word, values) = line.split_once(SEPARATORS).unwrap_or((line, ""));
    rows.push_word(word)?;
    let mut found = 0;
    for text in values.split(SEPARATORS).filter(|text| !text.is_empty()) {
        found += 1;
        match text.parse::<f32>() {
            Ok(value) if value.is_finite() => rows.values.push(value),
            Ok(_) => return Err(format!("value {found} is {}, not a finite 32-bit number", quoted(text))),
            Err(_) => return Err(format!("value {found} is {}, not a number", quoted(text))),
        }
    }
    if found != rows.dim {
        return Err(format!("{} has {found} values, but the header says {}", quoted(word), rows.dim));
    }
    Ok(())
}

const SEPARATORS: [char; 2] = [' ', '\t'];

/// The lines of a file, numbered from 1.
struct Lines<'a, R> {
    path: &'a Path,
    input: R,
    /// The line last read, without its end.
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<'_, R> {
    /// Reads the next line, of at most `longest` bytes; false at the end of the file.
    fn next(&mut self, longest: usize) -> Result<bool> {
        self.number += 1;
        self.line.clear();
        let longest = longest as u64;
        let read = self.input.by_ref().take(longest).read_until(b'\n', &mut self.line);
        let read = read.map_err(Error::io("read", self.path))? as u64;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            self.line.pop_if(|last| *last == b'\r');
        } else if read == longest {
            return Err(self.wrong(format!("longer than the {longest} bytes that a row can take")));
        }
        Ok(read > 0)
    }

    fn wrong(&self, why: String) -> Error {
        Error::Format { path: self.path.to_owned(), place: format!("line {}", self.number), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: impl AsRef<[u8]>) -> Result<Vectors> {
        read(Path::new("v.txt"), text.as_ref(), text.as_ref().len() as u64)
    }

    #[track_caller]
    fn refused(text: impl AsRef<[u8]>, place_and_why: &str) {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, Error::Format { .. }));
        let message = error.to_string();
        assert!(message.starts_with(&format!("v.txt: {place_and_why}")), "{message}");
    }

    #[test]
    fn a_row_is_written_with_the_fewest_digits() {
        let line = line("é", &[1.0, -0.0, 0.1, -2.5e-7, 16777216.0]);
        assert_eq!(String::from_utf8(line).unwrap(), "é 1 -0 0.1 -0.00000025 16777216\n");
    }

    #[test]
    fn the_longest_values_fit_the_longest_line() {
        let line = line("", &[-1.1754942e-38, f32::from_bits(0x8000_0001), f32::MIN]);
        let longest = line.split(|&byte| byte == b' ').map(<[u8]>::len).max().unwrap();
        assert!(longest < 60, "{longest}");
    }

    #[test]
    fn reads_every_peer_s_white_space() {
        for text in [
            "2 3\na 1 -2 3e-1\nb 0 +0.5 1E2\n",
            "2 3\r\na 1 -2 3e-1\r\nb 0 +0.5 1E2\r\n",
            "2 3 \na 1 -2 3e-1 \nb 0 +0.5 1E2 \n",
            "2 3\na\t1\t-2\t.3\nb 0  0.50 100.",
            "2 3\na 1 -2 3e-1\nb 0 +0.5 1E2\n\n \r\n",
        ] {
            let vectors = parse(text).unwrap();
            assert!(vectors.vocab.words().eq(["a", "b"]), "{text:?}");
            assert_eq!(vectors.matrix.values(), [1.0, -2.0, 0.3, 0.0, 0.5, 100.0], "{text:?}");
        }
    }

    #[test]
    fn no_words_are_vectors_too() {
        assert_eq!(parse("0 3\n").unwrap().matrix.rows(), 0);
    }

    #[test]
    fn broken_files_are_refused_with_their_line() {
        refused("2 3\na 1 2 3\n", "line 3: the file ends after 1 of the 2 words");
        refused("2 3\na 1 2 3\nb 1 2", "line 3: \"b\" has 2 values, but the header says 3");
        refused("2 3\na 1 2 3 4\nb 1 2 3", "line 2: \"a\" has 4 values");
        refused("2 3\na\nb 1 2 3", "line 2: \"a\" has 0 values");
        refused("2 3\n\na 1 2 3\n", "line 2: a row has no word");
        refused("2 3\n a 1 2 3\n", "line 2: a row has no word");
        refused("2 3\na 1 2 3\na 1 2 3\n", "line 3: the word \"a\" is there a second time");
        refused("1 3\na 1 NaN 3\n", "line 2: value 2 is \"NaN\", not a finite");
        refused("1 3\na 1 2 -inf\n", "line 2: value 3 is \"-inf\", not a finite");
        refused("1 3\na 1e39 2 3\n", "line 2: value 1 is \"1e39\", not a finite");
        refused("1 3\na 1 two 3\n", "line 2: value 2 is \"two\", not a number");
        refused("1 3\na 1 2\r3 4\n", "line 2: value 2 is \"2\\r3\", not a number");
        refused(b"1 1\n\xffa 1\n", "line 2: not UTF-8 text from its byte 0 on");
        refused("1 1\n\u{1b}[2J 1\n", "line 2: the word \"\\u{1b}[2J\" holds the control character");
        refused("1 1\na\u{a0}b 1\n", "line 2: the word \"a\\u{a0}b\" holds the whitespace");
        refused("1 1\na 1\n\nb 2\n", "line 4: the file goes on after the 1 words");
    }

    #[test]
    fn a_line_without_end_is_refused() {
        refused(vec![b'1'; 1 << 20], "line 1: longer than");
        refused([b"1 1\n", &*vec![b'a'; 1 << 20]].concat(), "line 2: longer than");
    }
}
