//! A file that is read from its start to its end, in lines or in bytes, and knows where it stands.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use half::f16;

use super::Dtype;
use super::rows::{Rows, not_finite, quoted};
use crate::error::{Error, Result};

/// A line without end is not read into memory: this is the row of a million values.
const MAX_LINE_BYTES: u64 = 1 << 24;

/// Bytes between two reports.
const REPORT_BYTES: u64 = 1 << 22;

pub(super) struct Input<'a> {
    pub(super) path: &'a Path,
    inner: Box<dyn BufRead + 'a>,
    /// Bytes in all; none where the system cannot tell, as of a pipe.
    bytes: Option<u64>,
    /// Bytes read so far.
    pub(super) at: u64,
    /// The line last read, without its end.
    pub(super) line: Vec<u8>,
    /// Lines read so far.
    number: u64,
    reported: u64,
    /// Takes the bytes read so far and those in all.
    on_progress: &'a mut dyn FnMut(u64, u64),
    /// Takes each word and its vector, which are not kept then.
    pub(super) each: Option<TakeRow<'a>>,
}

/// What takes a word and its vector.
pub(super) type TakeRow<'a> = &'a mut dyn FnMut(&str, &[f32]) -> Result<()>;

impl<'a> Input<'a> {
    pub(super) fn open(path: &'a Path, on_progress: &'a mut dyn FnMut(u64, u64)) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("read", path))?;
        if metadata.is_dir() {
            return Err(Error::io("read", path)(io::ErrorKind::IsADirectory.into()));
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self::new(path, Box::new(BufReader::with_capacity(1 << 20, file)), bytes, on_progress))
    }

    pub(super) fn new(
        path: &'a Path,
        inner: Box<dyn BufRead + 'a>,
        bytes: Option<u64>,
        on_progress: &'a mut dyn FnMut(u64, u64),
    ) -> Self {
        Self { path, inner, bytes, at: 0, line: Vec::new(), number: 0, reported: 0, on_progress, each: None }
    }

    /// Bytes not read yet, where the system can tell.
    pub(super) fn left(&self) -> Option<u64> {
        self.bytes.map(|bytes| bytes.saturating_sub(self.at))
    }

    /// How many values of at least `bytes` bytes the rest can hold; 0 where the system cannot tell, or none are kept.
    pub(super) fn most_values(&self, bytes: u64) -> u64 {
        if self.each.is_some() { 0 } else { self.left().unwrap_or(0) / bytes }
    }

    /// Ends the row of a word: hands it over where someone takes it.
    pub(super) fn end_row(&mut self, rows: &mut Rows) -> Result<()> {
        if let Some(take) = &mut self.each {
            take(rows.vocab.word(rows.ended as u32), &rows.values)?;
            rows.values.clear();
        }
        rows.ended += 1;
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        self.at += bytes;
        if self.at - self.reported >= REPORT_BYTES {
            self.reported = self.at;
            (self.on_progress)(self.at, self.bytes.unwrap_or(0));
        }
    }

    /// Reads the next line; false at the end of the file.
    pub(super) fn next_line(&mut self) -> Result<bool> {
        self.number += 1;
        let mut line = std::mem::take(&mut self.line);
        let ended = self.read_until(b'\n', MAX_LINE_BYTES, &mut line)?;
        self.line = line;
        if ended {
            self.line.pop_if(|last| *last == b'\r');
        } else if self.line.len() as u64 == MAX_LINE_BYTES {
            return Err(self.wrong_line(format!("longer than the {MAX_LINE_BYTES} bytes that a row can take")));
        }
        Ok(ended || !self.line.is_empty())
    }

    /// The line last read.
    pub(super) fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.line)
            .map_err(|error| self.wrong_line(format!("not UTF-8 text from its byte {} on", error.valid_up_to())))
    }

    /// Whether the line last read holds nothing.
    pub(super) fn is_blank(&self) -> bool {
        self.line.trim_ascii().is_empty()
    }

    /// Reads what is left, which may be empty lines; `why` says what is wrong with any other.
    pub(super) fn only_blank_lines_left(&mut self, why: impl Fn() -> String) -> Result<()> {
        while self.next_line()? {
            if !self.is_blank() {
                return Err(self.wrong_line(why()));
            }
        }
        Ok(())
    }

    /// Reads up to the byte `end` and drops it; false if it does not come within `longest` bytes.
    pub(super) fn read_until(&mut self, end: u8, longest: u64, text: &mut Vec<u8>) -> Result<bool> {
        text.clear();
        let read = (&mut *self.inner).take(longest).read_until(end, text);
        let read = read.map_err(Error::io("read", self.path))?;
        self.advance(read as u64);
        Ok(text.pop_if(|last| *last == end).is_some())
    }

    /// Reads at most `bytes` bytes; fewer come only at the end of the file.
    pub(super) fn read_bytes(&mut self, bytes: u64) -> Result<Vec<u8>> {
        let mut found = Vec::new();
        let read = (&mut *self.inner).take(bytes).read_to_end(&mut found);
        self.advance(read.map_err(Error::io("read", self.path))? as u64);
        Ok(found)
    }

    pub(super) fn skip_newlines(&mut self) -> Result<()> {
        while self.inner.fill_buf().map_err(Error::io("read", self.path))?.first() == Some(&b'\n') {
            self.inner.consume(1);
            self.advance(1);
        }
        Ok(())
    }

    /// Fails with `why` unless everything was read.
    pub(super) fn expect_end(&mut self, why: impl Fn() -> String) -> Result<()> {
        match self.inner.fill_buf().map_err(Error::io("read", self.path))?.is_empty() {
            true => Ok(()),
            false => Err(self.wrong_byte(self.at, why())),
        }
    }

    /// Reads the vector of word `id`, the next of `promised`, piece by piece: its length is only a promise.
    pub(super) fn read_row(&mut self, rows: &mut Rows, id: u32, promised: usize, dtype: Dtype) -> Result<()> {
        let start = self.at;
        let mut piece = [0; 1024];
        let mut left = rows.dim;
        while left > 0 {
            let count = left.min(piece.len() / dtype.bytes());
            let piece = &mut piece[..count * dtype.bytes()];
            match self.inner.read_exact(piece) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let word = quoted(rows.vocab.word(id));
                    return Err(self.wrong_byte(start, format!("in the vector of {word} {}", rows.cut_short(promised))));
                }
                done => done.map_err(Error::io("read", self.path))?,
            }
            let before = rows.values.len();
            match dtype {
                Dtype::F32 => rows.values.extend(piece.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))),
                Dtype::F16 => {
                    let halves = piece.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32());
                    rows.values.extend(halves);
                }
            }
            let new = &rows.values[before..];
            if let Some(index) = new.iter().position(|value| !value.is_finite()) {
                let why = not_finite(rows.vocab.word(id), new[index]);
                return Err(self.wrong_byte(self.at + (index * dtype.bytes()) as u64, why));
            }
            self.advance(piece.len() as u64);
            left -= count;
        }
        self.end_row(rows)
    }

    /// What is wrong with the line last read.
    pub(super) fn wrong_line(&self, why: String) -> Error {
        self.wrong(format!("line {}", self.number), why)
    }

    /// What is wrong at a byte, counted from 0.
    pub(super) fn wrong_byte(&self, at: u64, why: String) -> Error {
        self.wrong(format!("byte {at}"), why)
    }

    fn wrong(&self, place: String, why: String) -> Error {
        Error::Format { path: self.path.to_owned(), place, why }
    }
}
