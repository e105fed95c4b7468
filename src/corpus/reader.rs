//! Reads files in large chunks of whole lines.

use super::input::{Input, Source};
use crate::error::Result;
use crate::text::{MAX_WORD_BYTES, separators};

/// Bytes of text read at a time. A line that does not fit is cut between two words.
pub(super) const CHUNK_BYTES: usize = 4 << 20;

/// Whole lines of one file.
pub(crate) struct Chunk {
    pub(crate) text: Vec<u8>,
    /// Whether the first line began in the chunk before.
    pub(crate) continued: bool,
    /// Bytes read from the file for this chunk, still compressed.
    pub(super) bytes: u64,
}

impl Chunk {
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
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

/// Reads files one after the other. The text alone decides where chunks are cut.
pub(super) struct ChunkReader<'a> {
    sources: std::slice::Iter<'a, Source>,
    /// Whether streams will be read again.
    keep: bool,
    /// Bytes of text still to be read.
    left: u64,
    current: Option<Input<'a>>,
    /// The beginning of a line whose end was not read yet.
    carry: Vec<u8>,
    /// Whether the last line was cut between two words.
    continued: bool,
    /// Set inside a word that is too long to keep: how many of its bytes `carry` begins with.
    /// Everything up to the next separator belongs to this word.
    long_word: Option<usize>,
}

impl<'a> ChunkReader<'a> {
    /// A reader that stops after the chunk in which `most` bytes are reached.
    pub(super) fn new(sources: &'a [Source], keep: bool, most: u64) -> Self {
        let sources = sources.iter();
        Self {
            sources,
            keep,
            left: most,
            current: None,
            carry: Vec::new(),
            continued: false,
            long_word: None,
        }
    }

    /// The next chunks: at most `count`, and none beyond the chunk that brings `left`, a number of
    /// bytes of text, down to 0. At the end of the corpus there are none.
    pub(super) fn take(&mut self, count: usize, left: &mut u64) -> Result<Vec<Chunk>> {
        let mut chunks = Vec::with_capacity(count);
        while chunks.len() < count && *left > 0 {
            let Some(chunk) = self.next()? else { break };
            *left = left.saturating_sub(chunk.text.len() as u64);
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    fn next(&mut self) -> Result<Option<Chunk>> {
        if self.left == 0 {
            return Ok(None);
        }
        let input = match &mut self.current {
            Some(current) => current,
            None => match self.sources.next() {
                None => return Ok(None),
                Some(source) => self.current.insert(Input::open(source, self.keep)?),
            },
        };
        let mut text = Vec::with_capacity(CHUNK_BYTES);
        text.append(&mut self.carry);
        let fresh = text.len();
        let more = input.read(CHUNK_BYTES - fresh, &mut text)?;
        let bytes = input.new_raw_bytes();
        let rest_of_word = self
            .long_word
            .and_then(|kept| Some(kept..kept + separators(&text[kept..]).next()?.start));
        if let Some(rest) = rest_of_word {
            text.drain(rest);
            self.long_word = None;
        }
        let mut continued = std::mem::take(&mut self.continued);
        if !more {
            self.current = None;
            self.long_word = None;
        } else if let Some(end) = memchr::memrchr(b'\n', &text) {
            self.carry = text.split_off(end + 1);
        } else if let Some(end) = text.iter().rposition(u8::is_ascii_whitespace) {
            self.carry = text.split_off(end + 1);
            self.continued = true;
        } else if let Some(last) = separators(&text).last() {
            self.carry = text.split_off(last.end);
            self.continued = true;
        } else {
            // One word fills everything that was read. Enough of it is kept to be counted as too
            // long. Its last bytes are kept as well, because a separator may begin there.
            let is_inner = |byte: &&u8| (0x80..0xc0).contains(*byte);
            let kept = MAX_WORD_BYTES + 1;
            let kept = kept + text[kept..].iter().take(3).take_while(is_inner).count();
            let lead = text[text.len() - 3..]
                .iter()
                .rposition(|&byte| byte >= 0xc0);
            let tail = lead.map_or(text.len(), |lead| text.len() - 3 + lead);
            text.drain(kept..tail);
            self.long_word = Some(kept);
            self.carry = std::mem::take(&mut text);
            self.continued = std::mem::take(&mut continued);
        }
        self.left = self.left.saturating_sub(text.len() as u64);
        Ok(Some(Chunk {
            text,
            continued,
            bytes,
        }))
    }
}
