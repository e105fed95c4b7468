//! Word vectors: their files, questions about words, nearest words, analogies, and words of similar
//! spelling.

mod composer;
pub mod expression;
pub mod format;
pub mod similarity;
pub mod spelling;

use std::borrow::Cow;

pub use composer::{Composer, compose};

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
    /// What makes vectors for other words; `None` for vectors without subwords, and where nobody
    /// asked for it ([`Reading::compose`](format::Reading::compose)).
    pub composer: Option<Composer>,
}

/// The vector of a word.
#[derive(Clone, Debug)]
pub struct WordVector<'a> {
    /// The word's id; `None` for a word that is not in the vocabulary.
    pub id: Option<u32>,
    /// The values: the row of the word, or those composed of its n-grams.
    pub values: Cow<'a, [f32]>,
}

impl Vectors {
    /// Vectors without subwords.
    pub fn new(vocab: Vocab, matrix: Matrix) -> Self {
        Self {
            vocab,
            matrix,
            composer: None,
        }
    }

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

    /// The vector of a word, composed of its n-grams if the vocabulary lacks the word.
    ///
    /// # Errors
    /// [`Error::UnknownWord`] when the vocabulary lacks the word, and there is no composer or the
    /// word has no n-grams.
    pub fn vector(&self, word: &str) -> Result<WordVector<'_>> {
        let compose = || self.composer.as_ref()?.compose(word);
        let (id, values) = match self.id(word) {
            Ok(id) => (Some(id), self.matrix.row(id as usize).into()),
            Err(unknown) => match compose() {
                Some(values) => (None, values.into()),
                None => return Err(unknown),
            },
        };
        Ok(WordVector { id, values })
    }
}
