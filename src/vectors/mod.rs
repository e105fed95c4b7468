//! Word vectors: their files, nearest words, analogies, and words of similar spelling.

pub mod format;
pub mod similarity;
pub mod spelling;

use crate::error::{Error, Result};
use crate::model::Matrix;
use crate::vocab::Vocab;

/// Word vectors: the words in order, and one row for each.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// The words. Their counts are 0 where a file did not tell.
    pub vocab: Vocab,
    /// Row `id` is the vector of word `id`. There are as many rows as words.
    pub matrix: Matrix,
}

impl Vectors {
    /// The id of a word.
    ///
    /// # Errors
    /// [`Error::UnknownWord`] when the vocabulary lacks the word.
    pub fn id(&self, word: &str) -> Result<u32> {
        self.vocab
            .id(word.as_bytes())
            .ok_or_else(|| Error::UnknownWord {
                word: word.to_owned(),
                words: self.vocab.len(),
            })
    }
}
