//! The encoded corpus on disk: word ids as `u32`, sentence after sentence, in blocks.

use std::fs::File;
use std::io::{BufWriter, Write};

use memmap2::MmapOptions;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};

/// Set on the last token of each sentence; the other 31 bits are the word's id.
pub const END: u32 = 1 << 31;

/// A block holds whole sentences and ends with the first sentence that fills this many tokens.
///
/// Blocks are what is read at a time: 64 KB and more, which suits every kind of disk.
pub const BLOCK_TOKENS: usize = 1 << 14;

/// Writes a store.
pub struct StoreWriter {
    out: BufWriter<File>,
    tokens: u64,
    starts: Vec<u64>,
    digest: Xxh3,
}

impl StoreWriter {
    /// Starts a store in the system's folder for temporary files. It has no name and vanishes with the process.
    ///
    /// # Errors
    /// [`Error::Io`] when no file can be made there.
    pub fn new() -> Result<Self> {
        let file =
            tempfile::tempfile().map_err(store_error("create the token store in (set TMPDIR to a larger disk)"))?;
        Ok(Self { out: BufWriter::with_capacity(1 << 20, file), tokens: 0, starts: vec![0], digest: Xxh3::new() })
    }

    /// Tokens written so far.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Appends whole sentences.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk is full or fails.
    pub fn write(&mut self, tokens: &[u32]) -> Result<()> {
        self.out
            .write_all(bytemuck::cast_slice(tokens))
            .map_err(store_error("write the token store to (4 bytes a word; set TMPDIR to a larger disk)"))?;
        self.digest.update(bytemuck::cast_slice(tokens));
        let mut rest = tokens;
        loop {
            let start = self.starts[self.starts.len() - 1];
            let filled = (self.tokens - start) as usize;
            // The first sentence end at or after the token that fills the block.
            let earliest = BLOCK_TOKENS.saturating_sub(filled + 1);
            let Some(end) = rest.iter().skip(earliest).position(|token| token & END != 0) else { break };
            let taken = earliest + end + 1;
            self.tokens += taken as u64;
            self.starts.push(self.tokens);
            rest = &rest[taken..];
        }
        self.tokens += rest.len() as u64;
        Ok(())
    }

    /// Ends the store.
    ///
    /// # Errors
    /// [`Error::Io`] when the last bytes cannot be written.
    pub fn finish(mut self) -> Result<TokenStore> {
        if self.starts.last() != Some(&self.tokens) {
            self.starts.push(self.tokens);
        }
        let file = self
            .out
            .into_inner()
            .map_err(|e| e.into_error())
            .map_err(store_error("write the token store to (4 bytes a word; set TMPDIR to a larger disk)"))?;
        Ok(TokenStore { file, starts: self.starts, digest: self.digest.digest() })
    }
}

/// An encoded corpus, read block by block.
#[derive(Debug)]
pub struct TokenStore {
    file: File,
    /// Where each block starts, and where the last one ends, in tokens.
    starts: Vec<u64>,
    digest: u64,
}

impl TokenStore {
    /// Number of tokens.
    pub fn tokens(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    /// A hash of all tokens, by which another corpus is told from this one.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.starts.len() - 1
    }

    /// Position of a block's first token in the corpus.
    pub fn block_start(&self, block: usize) -> u64 {
        self.starts[block]
    }

    /// Appends a block's tokens to `tokens`.
    ///
    /// # Errors
    /// [`Error::Io`] when the store cannot be mapped.
    pub fn read_block(&self, block: usize, tokens: &mut Vec<u32>) -> Result<()> {
        let range = self.starts[block] * 4..self.starts[block + 1] * 4;
        if range.is_empty() {
            return Ok(());
        }
        let mut options = MmapOptions::new();
        options.offset(range.start).len((range.end - range.start) as usize);
        #[expect(unsafe_code, reason = "a memory map is only sound while nobody changes the file")]
        // SAFETY: the file has no name and is never written after `finish`, so no one can change or shorten it.
        let map = unsafe { options.map(&self.file) }.map_err(store_error("map the token store in"))?;
        // Mapped for this block alone, so that pages already used don't add up to the size of the corpus.
        let at = tokens.len();
        tokens.resize(at + map.len() / 4, 0);
        bytemuck::cast_slice_mut(&mut tokens[at..]).copy_from_slice(&map);
        Ok(())
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
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// However the tokens come in, they come out in order, in blocks of whole sentences of the stated size.
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
