//! Text: bytes of a file to words.
//!
//! | file | does |
//! |---|---|
//! | `packed` | which compression a file has, by its first bytes |
//! | `unpacked` | its bytes, unpacked while they are read |
//! | `encoding` | UTF-16 to UTF-8, byte order marks |
//! | `tokenizer` | lines to words |
//! | `normal` | the form of a word: case, Unicode normalization |
//! | `list` | small files, line by line |

mod encoding;
pub(crate) mod list;
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

/// A sentence of more words in the vocabulary than this is cut into pieces; no window reaches
/// across a cut.
pub const MAX_SENTENCE: usize = 1 << 14;

/// A longer word, in bytes, is skipped and counted in [`TextReport::long_words`].
pub const MAX_WORD_BYTES: usize = 1024;

/// What a pass over the text came across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TextReport {
    /// Bytes read, of compressed files as they lie on disk.
    pub bytes: u64,
    /// Lines with at least one word.
    pub lines: u64,
    /// Words, the skipped ones not included.
    pub words: u64,
    /// Words with bytes that are not UTF-8; these bytes were replaced by U+FFFD.
    pub invalid_utf8: u64,
    /// Words longer than [`MAX_WORD_BYTES`], skipped.
    pub long_words: u64,
    /// Places where a line too long to be one sentence was cut.
    pub cuts: u64,
}

impl TextReport {
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
