//! The token store: the encoded corpus on disk, as word ids (`u32`), sentence after sentence, in
//! blocks.
//!
//! Each block has a checksum that is compared on every read. So a block that the disk has damaged
//! is never trained on.
//!
//! ```
//! use w2v_gpu::corpus::{END, StoreWriter};
//!
//! let mut writer = StoreWriter::new()?;
//! writer.write(&[3, 1, 4 | END])?;
//! let store = writer.finish()?;
//! let mut tokens = Vec::new();
//! store.read_block(0, &mut tokens)?;
//! assert_eq!(tokens, [3, 1, 4 | END]);
//! # Ok::<(), w2v_gpu::Error>(())
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crc32c::{crc32c, crc32c_append};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};
use crate::text::MAX_SENTENCE;

/// The bit set on the last token of each sentence. The other 31 bits are the word's id.
pub const END: u32 = 1 << 31;

/// The size of a block, in tokens. A block holds whole sentences and ends with the first sentence
/// that reaches this size.
///
/// Blocks are read whole: 64 KB or more at a time, which suits every kind of disk.
pub const BLOCK_TOKENS: usize = 1 << 14;

/// The message for a block whose bytes differ from those written.
const DAMAGED: &str = "it does not hold what was written any more; start again, and check the disk \
                       if that happens once more";

/// Writes a store.
pub struct StoreWriter {
    out: BufWriter<File>,
    tokens: u64,
    index: Index,
    /// CRC-32C of the current block so far.
    checksum: u32,
    digest: Xxh3,
}

impl StoreWriter {
    /// Starts a store in the folder for temporary files. The file has no name and vanishes with the
    /// process.
    ///
    /// # Errors
    /// [`Error::Io`] when no file can be made there.
    pub fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(store_error(
            "create the token store in (set TMPDIR to a larger disk)",
        ))?;
        let index = Index {
            starts: vec![0],
            checksums: Vec::new(),
            digest: 0,
        };
        let out = BufWriter::with_capacity(1 << 20, file);
        Ok(Self {
            out,
            tokens: 0,
            index,
            checksum: 0,
            digest: Xxh3::new(),
        })
    }

    /// Tokens written so far.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Appends whole sentences, each with [`END`] on its last token.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk is full or fails.
    pub fn write(&mut self, tokens: &[u32]) -> Result<()> {
        self.out
            .write_all(bytemuck::cast_slice(tokens))
            .map_err(store_error(
                "write the token store to (4 bytes a word; set TMPDIR to a larger disk)",
            ))?;
        self.digest.update(bytemuck::cast_slice(tokens));
        let mut rest = tokens;
        loop {
            let filled = (self.tokens - self.index.tokens()) as usize;
            // The sentence end to look for is that of the token that fills the block, or a later
            // one.
            let earliest = BLOCK_TOKENS.saturating_sub(filled + 1);
            let Some(end) = rest
                .iter()
                .skip(earliest)
                .position(|token| token & END != 0)
            else {
                break;
            };
            let taken = earliest + end + 1;
            self.take(&rest[..taken]);
            self.end_block();
            rest = &rest[taken..];
        }
        self.take(rest);
        Ok(())
    }

    fn take(&mut self, tokens: &[u32]) {
        self.tokens += tokens.len() as u64;
        self.checksum = crc32c_append(self.checksum, bytemuck::cast_slice(tokens));
    }

    fn end_block(&mut self) {
        self.index.starts.push(self.tokens);
        self.index
            .checksums
            .push(std::mem::take(&mut self.checksum));
    }

    /// Completes the store.
    ///
    /// # Errors
    /// [`Error::Io`] when the last bytes cannot be written.
    pub fn finish(mut self) -> Result<TokenStore> {
        if self.index.tokens() < self.tokens {
            self.end_block();
        }
        self.index.digest = self.digest.digest();
        let file = self
            .out
            .into_inner()
            .map_err(|e| e.into_error())
            .map_err(store_error(
                "write the token store to (4 bytes a word; set TMPDIR to a larger disk)",
            ))?;
        Ok(TokenStore::new(
            Arc::new(Mutex::new(file)),
            &std::env::temp_dir(),
            0,
            self.index,
        ))
    }
}

/// The positions and checksums of a store's blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    /// The first token of each block, and the end of the last block, counted in tokens.
    starts: Vec<u64>,
    /// CRC-32C of each block.
    checksums: Vec<u32>,
    /// XXH3 of all tokens.
    digest: u64,
}

impl Index {
    /// Number of tokens.
    pub(crate) fn tokens(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Whether a writer could have made these blocks: contiguous, none of them empty or too large.
    pub(crate) fn is_sound(&self) -> bool {
        let largest = (BLOCK_TOKENS + MAX_SENTENCE) as u64;
        let follow = |pair: &[u64]| pair[0] < pair[1] && pair[1] - pair[0] <= largest;
        self.starts.first() == Some(&0)
            && self.starts.len() == self.checksums.len() + 1
            && self.starts.windows(2).all(follow)
    }
}

/// An encoded corpus, read block by block.
#[derive(Debug)]
pub struct TokenStore {
    /// Locked by one thread at a time, as reading a block first moves the file's position.
    file: Arc<Mutex<File>>,
    /// The path for messages: the file, or the folder of a file without a name.
    place: PathBuf,
    /// Where the tokens begin in the file, in bytes.
    offset: u64,
    index: Index,
}

impl TokenStore {
    /// A store whose blocks begin at byte `offset` of a file. Messages call the file `place`.
    pub(crate) fn new(file: Arc<Mutex<File>>, place: &Path, offset: u64, index: Index) -> Self {
        Self {
            file,
            place: place.to_owned(),
            offset,
            index,
        }
    }

    /// Number of tokens.
    pub fn tokens(&self) -> u64 {
        self.index.tokens()
    }

    /// A hash of all tokens; different corpora have different ones.
    pub fn digest(&self) -> u64 {
        self.index.digest
    }

    /// The positions and checksums of the blocks.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.index.checksums.len()
    }

    /// Position of a block's first token in the corpus.
    pub fn block_start(&self, block: usize) -> u64 {
        self.index.starts[block]
    }

    /// Appends a block's tokens to `tokens`.
    ///
    /// # Errors
    /// [`Error::Io`] when the block cannot be read, or differs from what was written.
    pub fn read_block(&self, block: usize, tokens: &mut Vec<u32>) -> Result<()> {
        let (start, end) = (self.index.starts[block], self.index.starts[block + 1]);
        let at = tokens.len();
        tokens.resize(at + (end - start) as usize, 0);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut tokens[at..]);
        let is_whole = match self.read_at(self.offset + start * 4, bytes) {
            Ok(()) => crc32c(bytes) == self.index.checksums[block],
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(self.read_error(error)),
        };
        if is_whole {
            Ok(())
        } else {
            Err(self.read_error(io::Error::new(io::ErrorKind::InvalidData, DAMAGED)))
        }
    }

    /// Whether any sentence has two words.
    ///
    /// # Errors
    /// As for [`read_block`](Self::read_block).
    pub fn has_pair(&self) -> Result<bool> {
        let mut tokens = Vec::new();
        for block in 0..self.blocks() {
            tokens.clear();
            self.read_block(block, &mut tokens)?;
            // A token without the mark is followed by another one of its sentence.
            if tokens.iter().any(|token| token & END == 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_error(&self, error: io::Error) -> Error {
        Error::io("read the token store in", &self.place)(error)
    }

    fn read_at(&self, position: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(bytes)
    }
}

fn store_error(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    Error::io(action, std::env::temp_dir())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_store_has_no_blocks() {
        let store = StoreWriter::new().unwrap().finish().unwrap();
        assert_eq!((store.tokens(), store.blocks()), (0, 0));
        assert!(store.index().is_sound());
    }

    /// Another program has written to the file, or cut it.
    #[test]
    fn a_block_that_is_not_what_was_written_is_refused() {
        let mut writer = StoreWriter::new().unwrap();
        let sentence: Vec<u32> = (0..BLOCK_TOKENS as u32)
            .map(|i| if i % 4 == 3 { i | END } else { i })
            .collect();
        (0..3).for_each(|_| writer.write(&sentence).unwrap());
        let store = writer.finish().unwrap();
        let file = store.file.lock().unwrap().try_clone().unwrap();
        let whole = |block| store.read_block(block, &mut Vec::new());
        (0..3).for_each(|block| whole(block).unwrap());
        let mut other = &file;
        other
            .seek(SeekFrom::Start(BLOCK_TOKENS as u64 * 4 + 9))
            .unwrap();
        other.write_all(&[77]).unwrap();
        let error = whole(1).unwrap_err().to_string();
        assert!(error.contains("does not hold what was written"), "{error}");
        whole(2).unwrap();
        file.set_len(BLOCK_TOKENS as u64 * 12 - 1).unwrap();
        whole(2).unwrap_err();
    }

    #[test]
    fn blocks_that_no_writer_made_are_told() {
        let sound = |starts: &[u64]| {
            let checksums = vec![0; starts.len().saturating_sub(1)];
            Index {
                starts: starts.to_vec(),
                checksums,
                digest: 0,
            }
            .is_sound()
        };
        assert!(sound(&[0, 1, BLOCK_TOKENS as u64 * 2]));
        assert!(
            !Index {
                starts: vec![0, 1],
                checksums: Vec::new(),
                digest: 0
            }
            .is_sound()
        );
        for starts in [
            &[][..],
            &[1, 2],
            &[0, 2, 2],
            &[0, 2, 1],
            &[0, u64::MAX],
            &[0, BLOCK_TOKENS as u64 * 2 + 1],
        ] {
            assert!(!sound(starts), "{starts:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// However the tokens are written, they are read back in order, in blocks of whole
        /// sentences and of the stated size.
        #[test]
        fn blocks_hold_whole_sentences(lengths in prop::collection::vec(1usize..9000, 1..20), pieces in 1usize..5) {
            let sentences: Vec<Vec<u32>> = lengths
                .iter()
                .map(|&n| (0..n as u32).map(|i| if i + 1 == n as u32 { i | END } else { i }).collect())
                .collect();
            let mut writer = StoreWriter::new().unwrap();
            for part in sentences.chunks(pieces) {
                writer.write(&part.concat()).unwrap();
            }
            let store = writer.finish().unwrap();
            prop_assert!(store.index().is_sound());
            let mut all = Vec::new();
            for block in 0..store.blocks() {
                prop_assert_eq!(store.block_start(block), all.len() as u64);
                let before = all.len();
                store.read_block(block, &mut all).unwrap();
                let own = &all[before..];
                prop_assert!(own.last().unwrap() & END != 0);
                let last_sentence = own[..own.len() - 1].iter().rposition(|t| t & END != 0).map_or(0, |at| at + 1);
                prop_assert!(last_sentence < BLOCK_TOKENS);
                prop_assert!(own.len() >= BLOCK_TOKENS || block + 1 == store.blocks());
            }
            prop_assert_eq!(all, sentences.concat());
        }
    }
}
