//! An input file, read from start to end in lines or in bytes, that knows its position.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use half::f16;

use super::rows::Listed;
use super::rows::{Checked, Rows, not_finite, or_take};
use super::word::quoted;
use super::{Dtype, Reading};
use crate::error::{Error, Result};
use crate::quantity::{count, plural};
use crate::system::{FileId, STDIN};
use crate::text::{BYTE_ORDER_MARK, ByteOrder, Encoding, Unpacked};

/// The longest line, in bytes: a row of a million values. A longer line is an error and is not read
/// into memory.
const MAX_LINE_BYTES: u64 = 1 << 24;

/// Bytes between two reports of progress.
const REPORT_BYTES: u64 = 1 << 22;

/// Bytes at the start of a file that can be examined before anything is read: a hundred rows of
/// usual text.
const HEAD_BYTES: u64 = 1 << 18;

/// How many bytes a compressed byte may stand for when room is reserved. Text packs to a third.
const MOST_UNPACKED: u64 = 4;

/// The byte order marks of UTF-16, in both byte orders.
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

pub(super) struct Input<'a> {
    pub(super) path: &'a Path,
    pub(super) reading: Reading,
    inner: BufReader<Chain<Cursor<Vec<u8>>, Unpacked>>,
    /// Size on disk in bytes, still compressed; `None` for a pipe.
    bytes: Option<u64>,
    /// The file that the path led to when it was opened; `None` for standard input.
    pub(super) file: Option<FileId>,
    /// Unpacked bytes read so far.
    pub(super) at: u64,
    /// The latest line, without its line end.
    pub(super) line: Vec<u8>,
    /// Whether the latest line had a line end.
    pub(super) ended: bool,
    /// Lines read so far.
    number: u64,
    reported: u64,
    /// Called with the bytes read so far and the size, both as they are on disk.
    on_progress: &'a mut dyn FnMut(u64, u64),
    /// If set, called with each word and its vector, which are then not kept.
    pub(super) each: Option<TakeRow<'a>>,
}

/// A function that takes a word and its vector.
pub(super) type TakeRow<'a> = &'a mut dyn FnMut(&str, &[f32]) -> Result<()>;

impl<'a> Input<'a> {
    pub(super) fn open(
        path: &'a Path,
        reading: Reading,
        on_progress: &'a mut dyn FnMut(u64, u64),
    ) -> Result<Self> {
        let Raw { raw, bytes, file } = Raw::open(path)?;
        let mut unpacked = Unpacked::new(path, raw)?;
        let mut head = Vec::new();
        let read = unpacked.by_ref().take(HEAD_BYTES).read_to_end(&mut head);
        read.map_err(|error| unpacked.failure(path, error, head.len() as u64))?;
        if head.get(257..262) == Some(b"ustar") {
            return Err(Error::Corpus {
                path: path.to_owned(),
                why: "holds a tar archive; unpack it".to_owned(),
            });
        }
        Ok(Self {
            path,
            reading,
            inner: BufReader::with_capacity(1 << 20, Cursor::new(head).chain(unpacked)),
            bytes,
            file,
            at: 0,
            line: Vec::new(),
            ended: true,
            number: 0,
            reported: 0,
            on_progress,
            each: None,
        })
    }

    fn unpacked(&self) -> &Unpacked {
        self.inner.get_ref().get_ref().1
    }

    /// The first bytes of the file, unpacked.
    pub(super) fn head(&self) -> &[u8] {
        self.inner.get_ref().get_ref().0.get_ref()
    }

    /// Whether [`Input::first_lines`] are all lines of the file.
    pub(super) fn is_all_there(&self) -> bool {
        (self.head().len() as u64) < HEAD_BYTES
    }

    /// The first whole lines of the file, without their line ends.
    pub(super) fn first_lines(&self) -> Vec<Cow<'_, str>> {
        let head = self.head();
        let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
        let mut lines: Vec<&[u8]> = head.split(|&byte| byte == b'\n').collect();
        if !self.is_all_there() {
            lines.pop();
        }
        lines
            .into_iter()
            .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)))
            .collect()
    }

    /// Skips a byte order mark at the start of a text.
    ///
    /// # Errors
    /// When the text is not UTF-8. The message has the command that converts it.
    pub(super) fn start_text(&mut self) -> Result<()> {
        self.check_encoding().map_err(|why| Error::Corpus {
            path: self.path.to_owned(),
            why,
        })?;
        self.skip_mark()
    }

    fn check_encoding(&self) -> Checked<()> {
        let encoding = match Encoding::of(self.head())? {
            Encoding::Utf8 => return Ok(()),
            _ if UTF_16_MARKS
                .iter()
                .any(|mark| self.head().starts_with(mark)) =>
            {
                "UTF-16"
            }
            Encoding::Utf16(ByteOrder::Little) => "UTF-16LE",
            Encoding::Utf16(ByteOrder::Big) => "UTF-16BE",
        };
        Err(format!(
            "is text of {encoding}; convert it by `iconv -f {encoding} -t UTF-8`"
        ))
    }

    /// Skips a byte order mark at the start of the file.
    pub(super) fn skip_mark(&mut self) -> Result<()> {
        if self.head().starts_with(BYTE_ORDER_MARK) {
            self.read_bytes(BYTE_ORDER_MARK.len() as u64)?;
        }
        Ok(())
    }

    /// Bytes not read yet; `None` for a pipe and for a compressed file.
    pub(super) fn left(&self) -> Option<u64> {
        self.bytes
            .filter(|_| !self.unpacked().is_packed())
            .map(|bytes| bytes.saturating_sub(self.at))
    }

    /// The most bytes that the rest can hold: an estimate for a compressed file, 0 for a pipe.
    pub(super) fn most_left(&self) -> u64 {
        self.left()
            .or(self.bytes.map(|bytes| bytes.saturating_mul(MOST_UNPACKED)))
            .unwrap_or(0)
    }

    /// The most values, of at least `bytes` bytes each, that the rest can hold; 0 for a pipe, and
    /// when no values are kept.
    pub(super) fn most_values(&self, bytes: u64) -> u64 {
        if self.each.is_some() {
            0
        } else {
            self.most_left() / bytes
        }
    }

    /// Ends the row of a word: hands it to [`Input::each`] if that is set, and drops it unless it
    /// is kept.
    pub(super) fn end_row(&mut self, rows: &mut Rows, is_kept: bool) -> Result<()> {
        if !is_kept {
            rows.values.truncate(rows.values.len() - rows.dim);
            return Ok(());
        }
        if let Some(take) = &mut self.each {
            take(rows.words.vocab.word(rows.ended as u32), &rows.values)?;
            rows.values.clear();
        }
        rows.ended += 1;
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        self.at += bytes;
        let done = if self.unpacked().is_packed() {
            self.unpacked().raw_bytes()
        } else {
            self.at
        };
        if done - self.reported >= REPORT_BYTES {
            self.reported = done;
            (self.on_progress)(done, self.bytes.unwrap_or(0));
        }
    }

    /// Reads the next line. Returns false at the end of the file.
    pub(super) fn next_line(&mut self) -> Result<bool> {
        self.number += 1;
        let mut line = std::mem::take(&mut self.line);
        let ended = self.read_until(b'\n', MAX_LINE_BYTES, &mut line)?;
        self.line = line;
        if !ended && self.line.len() as u64 == MAX_LINE_BYTES {
            return Err(self.wrong_line(format!(
                "longer than the {MAX_LINE_BYTES} bytes that a row can take"
            )));
        }
        let is_there = ended || !self.line.is_empty();
        if is_there {
            self.ended = ended;
        }
        self.line.pop_if(|last| *last == b'\r');
        Ok(is_there)
    }

    /// Reads the next line that is not blank. Returns the number of blank lines before it; `None`
    /// at the end of the file.
    pub(super) fn next_row(&mut self) -> Result<Option<u64>> {
        let mut blank = 0;
        while self.next_line()? {
            if !self.is_blank() {
                return Ok(Some(blank));
            }
            blank += 1;
        }
        Ok(None)
    }

    /// The latest line, and whether some of its bytes were not UTF-8 and were replaced.
    pub(super) fn text(&self) -> (Cow<'_, str>, bool) {
        let text = String::from_utf8_lossy(&self.line);
        let broken = matches!(text, Cow::Owned(_));
        (text, broken)
    }

    /// Whether the latest line is blank.
    pub(super) fn is_blank(&self) -> bool {
        self.line.trim_ascii().is_empty()
    }

    /// Reads the rest, which must be blank lines. `why` makes the message for any other line.
    pub(super) fn only_blank_lines_left(&mut self, why: impl Fn() -> String) -> Result<()> {
        match self.next_row()? {
            Some(_) => Err(self.wrong_line(why())),
            None => Ok(()),
        }
    }

    /// Reads up to the byte `end`, and drops that byte. Returns false if it does not come within
    /// `longest` bytes.
    pub(super) fn read_until(&mut self, end: u8, longest: u64, text: &mut Vec<u8>) -> Result<bool> {
        text.clear();
        let read = (&mut self.inner).take(longest).read_until(end, text);
        let read = read.map_err(|error| self.failure(error))?;
        self.advance(read as u64);
        Ok(text.pop_if(|last| *last == end).is_some())
    }

    /// Reads `bytes` bytes, or fewer at the end of the file.
    pub(super) fn read_bytes(&mut self, bytes: u64) -> Result<Vec<u8>> {
        let mut found = Vec::new();
        self.append_bytes(bytes, &mut found)?;
        Ok(found)
    }

    fn append_bytes(&mut self, bytes: u64, to: &mut Vec<u8>) -> Result<()> {
        let read = (&mut self.inner).take(bytes).read_to_end(to);
        let read = read.map_err(|error| self.failure(error))?;
        self.advance(read as u64);
        Ok(())
    }

    /// The next byte, without consuming it; `None` at the end of the file.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        match self.inner.fill_buf().map(|bytes| bytes.first().copied()) {
            Ok(byte) => Ok(byte),
            Err(error) => Err(self.failure(error)),
        }
    }

    pub(super) fn skip_newlines(&mut self) -> Result<()> {
        while self.peek()? == Some(b'\n') {
            self.inner.consume(1);
            self.advance(1);
        }
        Ok(())
    }

    /// Fails with `why` unless everything was read.
    pub(super) fn expect_end(&mut self, why: impl Fn() -> String) -> Result<()> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(self.wrong_byte(self.at, why())),
        }
    }

    /// Reads the vector of a word. `cut` makes the message for a file that ends within the vector.
    pub(super) fn read_row(
        &mut self,
        (values, dim, dtype): (&mut Vec<f32>, usize, Dtype),
        word: &str,
        cut: impl Fn() -> String,
    ) -> Result<()> {
        let (start, before) = (self.at, values.len());
        if let Some((at, value)) = self.read_values(values, dim, dtype)? {
            return Err(self.wrong_byte(at, not_finite(word, value) + &or_take(before / dim)));
        }
        if values.len() - before < dim {
            let why = format!("in the vector of {} {}", quoted(word), cut());
            return Err(self.wrong_byte(start, why));
        }
        Ok(())
    }

    /// Appends `count` values, or fewer at the end of the file. They are read piece by piece,
    /// because their number is only a promise of the header. Reading ends at a value that is not
    /// finite, which is returned with its byte.
    pub(super) fn read_values(
        &mut self,
        values: &mut Vec<f32>,
        count: usize,
        dtype: Dtype,
    ) -> Result<Option<(u64, f32)>> {
        let mut piece = Vec::with_capacity(1024);
        let mut left = count;
        while left > 0 {
            let count = left.min(1024 / dtype.bytes());
            piece.clear();
            let piece_at = self.at;
            self.append_bytes((count * dtype.bytes()) as u64, &mut piece)?;
            if piece.len() < count * dtype.bytes() {
                return Ok(None);
            }
            let before = values.len();
            match dtype {
                Dtype::F32 => values.extend(
                    piece
                        .as_chunks()
                        .0
                        .iter()
                        .map(|&bytes| f32::from_le_bytes(bytes)),
                ),
                Dtype::F16 => values.extend(
                    piece
                        .as_chunks()
                        .0
                        .iter()
                        .map(|&bytes| f16::from_le_bytes(bytes).to_f32()),
                ),
            }
            let new = &values[before..];
            if let Some(index) = new.iter().position(|value| !value.is_finite()) {
                let at = piece_at + (index * dtype.bytes()) as u64;
                return Ok(Some((at, new[index])));
            }
            left -= count;
        }
        Ok(None)
    }

    /// Skips `bytes` bytes. Returns false if the file ends before.
    pub(super) fn skip_bytes(&mut self, bytes: u64) -> Result<bool> {
        let mut left = bytes;
        while left > 0 {
            let piece = (&mut self.inner).take(left.min(REPORT_BYTES));
            let skipped = io::copy(&mut { piece }, &mut io::sink());
            let skipped = skipped.map_err(|error| self.failure(error))?;
            self.advance(skipped);
            if skipped == 0 {
                return Ok(false);
            }
            left -= skipped;
        }
        Ok(true)
    }

    /// Reads the vectors of words that were listed separately. The file must end after them, unless
    /// only some words are asked for.
    pub(super) fn read_listed(&mut self, listed: Listed, dim: usize, dtype: Dtype) -> Result<Rows> {
        let promised = plural(listed.words.seen, "row");
        let rows = self.read_rows_of(listed, dim, dtype)?;
        if !rows.words.is_full() {
            self.expect_end(|| {
                format!("the file goes on after the {promised} that its header promises")
            })?;
        }
        Ok(rows)
    }

    /// Reads the vectors of words that were listed separately, and leaves what follows them.
    pub(super) fn read_rows_of(
        &mut self,
        listed: Listed,
        dim: usize,
        dtype: Dtype,
    ) -> Result<Rows> {
        let Listed { words, left_out } = listed;
        let all = words.seen;
        let mut rows = Rows::begin(words, dim);
        rows.reserve(all, self.most_values(dtype.bytes() as u64));
        let promised = plural(all, "row");
        for row in 0..all {
            let is_kept = left_out.binary_search(&row).is_err();
            let word = if is_kept {
                rows.words.vocab.word(rows.ended as u32)
            } else {
                ""
            };
            let cut = || {
                format!(
                    "the file ends after {} of the {promised} that its header promises",
                    count(row)
                )
            };
            self.read_row((&mut rows.values, dim, dtype), word, cut)?;
            self.end_row(&mut rows, is_kept)?;
        }
        Ok(rows)
    }

    /// The error for the latest line, with the way to read the rows before it.
    pub(super) fn wrong_row(&self, why: String) -> Error {
        self.wrong_line(format!("{why}; `sed {}d` takes the line out", self.number))
    }

    /// The position of the latest line, for messages.
    pub(super) fn place(&self) -> String {
        format!("line {}", self.number)
    }

    /// The position of the line that was read `lines` lines before the latest, for messages.
    pub(super) fn place_before(&self, lines: u64) -> String {
        format!("line {}", self.number - lines)
    }

    /// The error for the latest line.
    pub(super) fn wrong_line(&self, why: String) -> Error {
        self.wrong(self.place(), why)
    }

    /// The error for byte `at`, counted from 0.
    pub(super) fn wrong_byte(&self, at: u64, why: String) -> Error {
        self.wrong(format!("byte {at}"), why)
    }

    pub(super) fn wrong(&self, place: String, why: String) -> Error {
        Error::Format {
            path: self.path.to_owned(),
            place,
            why,
        }
    }

    fn failure(&self, error: io::Error) -> Error {
        self.unpacked().failure(self.path, error, self.at)
    }
}

/// A file or standard input, as it is on disk.
struct Raw {
    raw: Box<dyn Read + Send>,
    bytes: Option<u64>,
    file: Option<FileId>,
}

impl Raw {
    fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == STDIN {
            return Ok(Self {
                raw: Box::new(io::stdin()),
                bytes: None,
                file: None,
            });
        }
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("read", path))?;
        if metadata.is_dir() {
            return Err(Error::io("read", path)(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self {
            raw: Box::new(file),
            bytes: metadata.is_file().then_some(metadata.len()),
            file: Some(FileId::of(&metadata)),
        })
    }
}
