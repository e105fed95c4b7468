//! Reads files in large chunks of whole lines.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::MAX_WORD_BYTES;
use crate::error::{Error, Result};

/// Bytes read at a time. A line that does not fit is cut between two words.
pub(super) const CHUNK_BYTES: usize = 4 << 20;

/// First bytes of compressed files, which would otherwise be trained on as if they were words.
const COMPRESSED: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gzip -dc"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstd -dc"),
    (b"BZh", "bzip2", "bzip2 -dc"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz", "xz -dc"),
];

const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Opens a text file; refuses folders and compressed files, and skips a byte order mark.
pub(super) fn open(path: &Path) -> Result<File> {
    let corpus_error = |why: String| Error::Corpus { path: path.to_owned(), why };
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    if file.metadata().map_err(Error::io("read", path))?.is_dir() {
        return Err(corpus_error("is a folder; name the text files in it".to_owned()));
    }
    let mut head = Vec::with_capacity(8);
    file.by_ref().take(8).read_to_end(&mut head).map_err(Error::io("read", path))?;
    for (magic, name, command) in COMPRESSED {
        if head.starts_with(magic) {
            return Err(corpus_error(format!("is compressed by {name}; unpack it first: {command} FILE > FILE.txt")));
        }
    }
    let start = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() as u64 } else { 0 };
    file.seek(std::io::SeekFrom::Start(start)).map_err(Error::io("read", path))?;
    Ok(file)
}

/// Whole lines of one file.
pub(super) struct Chunk {
    pub(super) text: Vec<u8>,
    /// Whether the first line began in the chunk before.
    pub(super) continued: bool,
    /// Bytes of the file that this chunk stands for.
    pub(super) bytes: u64,
}

impl Chunk {
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.text[..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            rest = &rest[(end + 1).min(rest.len())..];
            Some(line)
        })
    }
}

/// Reads files one after the other. Where the chunks are cut depends on the text alone.
pub(super) struct ChunkReader<'a> {
    paths: std::slice::Iter<'a, PathBuf>,
    current: Option<(&'a PathBuf, File)>,
    /// The beginning of a line whose end was not read yet.
    carry: Vec<u8>,
    /// Whether the last line was cut between two words.
    continued: bool,
    /// Within a word too long to keep: everything up to the next whitespace belongs to it.
    in_long_word: bool,
}

impl<'a> ChunkReader<'a> {
    pub(super) fn new(paths: &'a [PathBuf]) -> Self {
        Self { paths: paths.iter(), current: None, carry: Vec::new(), continued: false, in_long_word: false }
    }

    /// The next chunks, at most `count`; none at the end.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<Chunk>> {
        let mut chunks = Vec::with_capacity(count);
        while chunks.len() < count {
            match self.next()? {
                Some(chunk) => chunks.push(chunk),
                None => break,
            }
        }
        Ok(chunks)
    }

    fn next(&mut self) -> Result<Option<Chunk>> {
        let (path, file) = match &mut self.current {
            Some(current) => current,
            None => match self.paths.next() {
                None => return Ok(None),
                Some(path) => self.current.insert((path, open(path)?)),
            },
        };
        let mut text = Vec::with_capacity(CHUNK_BYTES);
        text.append(&mut self.carry);
        let fresh = text.len();
        let wanted = CHUNK_BYTES - fresh;
        let bytes = file.take(wanted as u64).read_to_end(&mut text).map_err(Error::io("read", path))?;
        if self.in_long_word {
            let rest = text[fresh..].iter().position(u8::is_ascii_whitespace);
            self.in_long_word = rest.is_none();
            text.drain(fresh..rest.map_or(text.len(), |rest| fresh + rest));
        }
        let mut continued = std::mem::take(&mut self.continued);
        if bytes < wanted {
            self.current = None;
            self.in_long_word = false;
        } else if let Some(end) = memchr::memrchr(b'\n', &text) {
            self.carry = text.split_off(end + 1);
        } else if let Some(end) = text.iter().rposition(u8::is_ascii_whitespace) {
            self.carry = text.split_off(end + 1);
            self.continued = true;
        } else {
            // One word fills everything that was read: enough of it is kept to be counted as too long.
            text.truncate(MAX_WORD_BYTES + 1);
            self.in_long_word = true;
            self.carry = std::mem::take(&mut text);
            self.continued = std::mem::take(&mut continued);
        }
        Ok(Some(Chunk { text, continued, bytes: bytes as u64 }))
    }
}
