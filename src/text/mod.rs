//! Text: from the bytes of a file to words.
//!
//! | file | does |
//! |---|---|
//! | `packed` | recognises compression by a file's first bytes |
//! | `unpacked` | unpacks a file while it is read |
//! | `encoding` | decodes UTF-16, strips byte order marks |
//! | `tokenizer` | splits lines into words |
//! | `normal` | lowercases and normalizes words |
//! | `list` | reads small files line by line |

mod encoding;
pub(crate) mod list;
mod members;
mod normal;
mod packed;
mod tokenizer;
mod unpacked;

pub(crate) use encoding::{ByteOrder, Encoding, MARK, unmarked};
pub use encoding::{utf8_lines, utf8_text};
pub use normal::Normalization;
pub(crate) use packed::{BYTE_ORDER_MARK, Packing, check_no_tar, without_packing};
pub(crate) use tokenizer::{for_each_raw_word, for_each_word, is_separator, separators};
pub(crate) use unpacked::{Unpacked, head};

use crate::error::{Error, Result};
use crate::quantity::plural;

/// The longest sentence, in words of the vocabulary. A longer line is cut into several sentences,
/// and no [window](crate::batch::Batch) reaches across a cut.
pub const MAX_SENTENCE: usize = 1 << 14;

/// The longest word, in bytes. A longer one is skipped and counted in [`TextReport::long_words`].
pub const MAX_WORD_BYTES: usize = 1024;

/// Counts of the words and oddities that one pass over the text met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TextReport {
    /// Bytes read from disk or pipe; for a compressed file, its compressed size.
    pub bytes: u64,
    /// Lines with at least one word.
    pub lines: u64,
    /// Words, without the skipped ones.
    pub words: u64,
    /// Words with bytes that are not UTF-8. These bytes were replaced by U+FFFD.
    pub invalid_utf8: u64,
    /// Words skipped because they are longer than [`MAX_WORD_BYTES`].
    pub long_words: u64,
    /// Cuts made in lines that were too long for one sentence.
    pub cuts: u64,
}

impl TextReport {
    /// Checks that not all words of the text were skipped.
    ///
    /// # Errors
    /// [`Error::EmptyVocabulary`] when there are words, and all are longer than [`MAX_WORD_BYTES`].
    pub fn check_words(&self) -> Result<()> {
        if self.words > 0 || self.long_words == 0 {
            return Ok(());
        }
        let why = format!(
            "the corpus holds {}, all longer than {MAX_WORD_BYTES} bytes and left out; separate the \
             words by spaces",
            plural(self.long_words, "word")
        );
        Err(Error::EmptyVocabulary { why })
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            bytes,
            lines,
            words,
            invalid_utf8,
            long_words,
            cuts,
        } = other;
        self.bytes += bytes;
        self.lines += lines;
        self.words += words;
        self.invalid_utf8 += invalid_utf8;
        self.long_words += long_words;
        self.cuts += cuts;
    }
}
