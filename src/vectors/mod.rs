//! Word vectors: their files, nearest words and analogies, words that are spelt alike.

pub mod format;
pub mod similarity;
pub mod spelling;

use crate::error::{Error, Result};
use crate::model::Matrix;
use crate::vocab::Vocab;

/// Word vectors: the words in order and a row for each.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// The words; their counts are 0 where a file did not say.
    pub vocab: Vocab,
    /// Row `id` is the vector of word `id`; there are as many rows as words.
    pub matrix: Matrix,
}

impl Vectors {
    /// The id of a word.
    ///
    /// # Errors
    /// [`Error::UnknownWord`] when there is no such word.
    pub fn id(&self, word: &str) -> Result<u32> {
        self.vocab
            .id(word.as_bytes())
            .ok_or_else(|| Error::UnknownWord {
                word: word.to_owned(),
                words: self.vocab.len(),
            })
    }
}
