//! word2vec binary: a line `rows dim`, then for every word `word `, D little-endian f32 and a newline.
//!
//! word2vec.c and this crate write that newline, gensim does not: it is skipped as the start of the next word.

use std::io::{self, BufRead, Read};
use std::path::Path;

use super::{MAX_WORD_BYTES, Rows, Vectors, quoted};
use crate::error::{Error, Result};

/// One row, with its newline.
pub(super) fn line(word: &str, row: &[f32]) -> Vec<u8> {
    let mut line = Vec::with_capacity(word.len() + 4 * row.len() + 2);
    line.extend_from_slice(word.as_bytes());
    line.push(b' ');
    line.extend(row.iter().flat_map(|value| value.to_le_bytes()));
    line.push(b'\n');
    line
}

/// Reads a file of `bytes` bytes, or of an unknown number of them if 0.
pub(super) fn read(path: &Path, input: impl BufRead, bytes: u64) -> Result<Vectors> {
    let mut file = Counted { path, input, at: 0 };
    let mut word = Vec::new();
    file.read_until(b'\n', 100, &mut word)?;
    let mut rows = Rows::begin(&word, bytes / 4).map_err(|why| file.wrong(0, why))?;
    for _ in 0..rows.rows {
        file.skip_newlines()?;
        let start = file.at;
        if !file.read_until(b' ', MAX_WORD_BYTES, &mut word)? {
            let why = match word.len() {
                0..MAX_WORD_BYTES => rows.cut_short(),
                _ => format!("no space within {MAX_WORD_BYTES} bytes, where a word must have ended"),
            };
            return Err(file.wrong(start, why));
        }
        let word = std::str::from_utf8(&word).map_err(|_| {
            file.wrong(start, format!("the word {} is not UTF-8", quoted(&String::from_utf8_lossy(&word))))
        })?;
        rows.push_word(word).map_err(|why| file.wrong(start, why))?;
        file.read_values(word, &mut rows)?;
    }
    file.skip_newlines()?;
    match file.is_at_end()? {
        true => Ok(rows.finish()),
        false => Err(file.wrong(file.at, rows.runs_on())),
    }
}

/// A file and how far it was read.
struct Counted<'a, R> {
    path: &'a Path,
    input: R,
    at: u64,
}

impl<R: BufRead> Counted<'_, R> {
    /// Reads up to the byte `end` and drops it; false if it does not come within `longest` bytes.
    fn read_until(&mut self, end: u8, longest: usize, text: &mut Vec<u8>) -> Result<bool> {
        text.clear();
        let read = self.input.by_ref().take(longest as u64).read_until(end, text);
        self.at += read.map_err(Error::io("read", self.path))? as u64;
        Ok(text.pop_if(|last| *last == end).is_some())
    }

    fn skip_newlines(&mut self) -> Result<()> {
        while self.input.fill_buf().map_err(Error::io("read", self.path))?.first() == Some(&b'\n') {
            self.input.consume(1);
            self.at += 1;
        }
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.input.fill_buf().map_err(Error::io("read", self.path))?.is_empty())
    }

    /// Reads the values of a row, piece by piece: its length is only the header's promise.
    fn read_values(&mut self, word: &str, rows: &mut Rows) -> Result<()> {
        let start = self.at;
        let mut piece = [0; 4096];
        let mut left = rows.dim;
        while left > 0 {
            let piece = &mut piece[..left.min(1024) * 4];
            match self.input.read_exact(piece) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let why = format!("in the vector of {} {}", quoted(word), rows.cut_short());
                    return Err(self.wrong(start, why));
                }
                done => done.map_err(Error::io("read", self.path))?,
            }
            for bytes in piece.as_chunks().0 {
                let value = f32::from_le_bytes(*bytes);
                if !value.is_finite() {
                    let why = format!("the vector of {} holds {value}, not a finite number", quoted(word));
                    return Err(self.wrong(self.at, why));
                }
                rows.values.push(value);
                self.at += 4;
            }
            left -= piece.len() / 4;
        }
        Ok(())
    }

    fn wrong(&self, at: u64, why: String) -> Error {
        Error::Format { path: self.path.to_owned(), place: format!("byte {at}"), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Vectors> {
        read(Path::new("v.bin"), bytes, bytes.len() as u64)
    }

    #[track_caller]
    fn refused(bytes: &[u8], place_and_why: &str) {
        let error = parse(bytes).unwrap_err();
        assert!(matches!(error, Error::Format { .. }));
        let message = error.to_string();
        assert!(message.starts_with(&format!("v.bin: {place_and_why}")), "{message}");
    }

    /// A file of the header and rows given; every row is followed by `end`.
    fn file(header: &str, rows: &[(&str, &[f32])], end: &str) -> Vec<u8> {
        let mut bytes = format!("{header}\n").into_bytes();
        for (word, row) in rows {
            bytes.extend_from_slice(line(word, row).strip_suffix(b"\n").unwrap());
            bytes.extend_from_slice(end.as_bytes());
        }
        bytes
    }

    #[test]
    fn a_row_is_word_space_values_newline() {
        assert_eq!(line("é", &[1.0, -2.0]), b"\xc3\xa9 \0\0\x80\x3f\0\0\0\xc0\n");
    }

    #[test]
    fn reads_rows_with_and_without_a_newline() {
        // The first bytes of 1.4e-44 are 0x0A, and those of 1.2e-41 spaces: both belong to the values.
        let (newline, space) = (f32::from_bits(0x0a), f32::from_bits(0x2020));
        let rows: [(&str, &[f32]); 2] = [("a", &[newline, -0.0]), ("b", &[space, 3.5])];
        for end in ["\n", "", "\n\n"] {
            let vectors = parse(&file("2 2", &rows, end)).unwrap();
            assert!(vectors.vocab.words().eq(["a", "b"]), "{end:?}");
            let bits: Vec<u32> = vectors.matrix.values().iter().map(|value| value.to_bits()).collect();
            assert_eq!(bits, [0x0a, 0x8000_0000, 0x2020, 3.5f32.to_bits()], "{end:?}");
        }
    }

    #[test]
    fn a_row_longer_than_a_piece_is_read_whole() {
        let values: Vec<f32> = (0..5000).map(|value| value as f32).collect();
        assert_eq!(parse(&file("1 5000", &[("a", &values)], "\n")).unwrap().matrix.values(), values);
    }

    #[test]
    fn no_words_are_vectors_too() {
        assert_eq!(parse(b"0 3\n").unwrap().matrix.rows(), 0);
    }

    #[test]
    fn broken_files_are_refused_with_their_byte() {
        let good = file("2 2", &[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0])], "\n");
        // Header 4 bytes, row 11: "a " is at 4, its values at 6, "b " at 15, its values at 17, the end at 26.
        assert!(parse(&good[..25]).is_ok());
        refused(&good[..24], "byte 17: in the vector of \"b\" the file ends after 1 of the 2 words");
        refused(&good[..16], "byte 15: the file ends after 1 of the 2 words");
        refused(&good[..15], "byte 15: the file ends after 1 of the 2 words");
        refused(&good[..6], "byte 6: in the vector of \"a\" the file ends after 0 of the 2 words");
        refused(&[&good[..], b"c"].concat(), "byte 26: the file goes on after the 2 words");

        refused(&file("2 1", &[("a", &[1.0]), ("a", &[1.0])], "\n"), "byte 11: the word \"a\" is there a second time");
        refused(&file("2 1", &[("a", &[1.0]), ("", &[1.0])], "\n"), "byte 11: a row has no word");
        refused(&file("1 2", &[("a", &[1.0, f32::NAN])], "\n"), "byte 10: the vector of \"a\" holds NaN");
        refused(&file("1 2", &[("a", &[f32::INFINITY, 1.0])], "\n"), "byte 6: the vector of \"a\" holds inf");
        refused(&file("1 1", &[("a\u{1b}", &[1.0])], "\n"), "byte 4: the word \"a\\u{1b}\" holds the control");
        refused(&file("1 1", &[("a\u{2003}", &[1.0])], "\n"), "byte 4: the word \"a\\u{2003}\" holds the whitespace");
        refused(b"1 1\n\xffa \0\0\0\0", "byte 4: the word \"\u{fffd}a\" is not UTF-8");
        refused(&[b"1 1\n", &*vec![b'a'; 1 << 20]].concat(), "byte 4: no space within 65536 bytes");
        refused(&vec![b'1'; 1 << 20], "byte 0: expected the header");
    }
}
