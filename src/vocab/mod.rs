//! The vocabulary: which words are trained, their order, and how often each occurs.
//!
//! ```
//! use w2v_gpu::vocab::{Vocab, WordCounts};
//!
//! let mut counts = WordCounts::default();
//! b"the cat saw the dog".split(|&byte| byte == b' ').for_each(|word| counts.add(word));
//! let vocab = Vocab::from_counts(&counts, 1, None)?;
//! assert!(vocab.words().eq(["the", "cat", "dog", "saw"]));
//! assert_eq!((vocab.id(b"the"), vocab.counts()[0]), (Some(0), 2));
//! # Ok::<(), w2v_gpu::Error>(())
//! ```

mod counts;
mod file;
mod lossy;
mod rules;
mod settings;

use std::hash::BuildHasher;

pub use counts::{Countable, Counts, Word, WordCounts};
pub use file::{read_counts, write};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
pub(crate) use lossy::Lossy;
pub use rules::{Counting, Rules, WordOptions, WordSet};
pub use settings::VocabularySettings;

use crate::error::{Error, Result};
use crate::quantity::plural;

/// Words with their counts in the corpus, by falling count and then bytewise. The order is
/// therefore reproducible.
///
/// A word's index in this order is its id, and the row of its embedding.
#[derive(Clone, Debug, Default)]
pub struct Vocab {
    /// All words, one after the other.
    text: String,
    /// Word `id` ends at byte `ends[id]` of `text`.
    ends: Vec<usize>,
    counts: Vec<u64>,
    /// Ids by the hash of their words.
    index: HashTable<u32>,
    hasher: FixedState,
}

/// The largest vocabulary. Ids are `u32`, and the token store keeps one bit of each for itself.
pub const MAX_WORDS: usize = 1 << 31;

impl Vocab {
    /// Chooses the `max_words` most frequent words among those that occur at least `min_count`
    /// times.
    ///
    /// # Errors
    /// [`Error::EmptyVocabulary`] when no word is left; the message names the option that would
    /// keep some.
    pub fn from_counts(
        counts: &WordCounts,
        min_count: u64,
        max_words: Option<usize>,
    ) -> Result<Self> {
        Ok(Self::select(counts, min_count, max_words, &Rules::default())?.0)
    }

    /// Like [`Vocab::from_counts`], but under rules. Words to keep stay whatever their count, and
    /// take the places of others if there are more than `max_words`. Stop words are left out.
    ///
    /// # Errors
    /// Those of [`Vocab::from_counts`]; [`Error::Setting`] when more words are to be kept than
    /// `max_words`.
    pub fn select(
        counts: &WordCounts,
        min_count: u64,
        max_words: Option<usize>,
        rules: &Rules,
    ) -> Result<(Self, Selection)> {
        let mut selection = Selection {
            different: counts.len() as u64,
            undercount: counts.undercount(),
            ..Selection::default()
        };
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for (word, count) in counts.iter() {
            if rules.keep.contains(word) {
                kept.push((word, count));
            } else if rules.stop.contains(word) {
                selection.stop_words += 1;
                selection.stopped += count;
            } else if count >= min_count {
                others.push((word, count));
            }
        }
        selection.absent = (rules.keep.len() - kept.len()) as u64;
        let most = max_words.unwrap_or(MAX_WORDS).min(MAX_WORDS);
        let Some(room) = most.checked_sub(kept.len()) else {
            let why = format!(
                "`keep_words` keeps {} of the text alone; raise it",
                plural(kept.len() as u64, "word")
            );
            return Err(Error::setting("max_vocab", most, why));
        };
        if kept.is_empty() && others.is_empty() {
            return Err(Error::EmptyVocabulary {
                why: why_empty(counts, min_count),
            });
        }
        let order = |a: &(&[u8], u64), b: &(&[u8], u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0));
        others.sort_unstable_by(order);
        others.truncate(room);
        others.append(&mut kept);
        others.sort_unstable_by(order);
        let mut vocab = Self::default();
        for (word, count) in others {
            // The tokenizer cuts words from valid UTF-8, so nothing is replaced here.
            vocab.push(&String::from_utf8_lossy(word), count);
        }
        selection.tokens = vocab.tokens();
        Ok((vocab, selection))
    }

    /// A vocabulary of words that are already in order.
    ///
    /// # Errors
    /// The first word that occurs twice.
    pub fn from_words<'a>(
        words: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> std::result::Result<Self, String> {
        let mut vocab = Self::default();
        for (word, count) in words {
            if !vocab.push(word, count) {
                return Err(word.to_owned());
            }
        }
        Ok(vocab)
    }

    /// Appends a word, unless it is there already. Returns whether it was new.
    pub fn push(&mut self, word: &str, count: u64) -> bool {
        if self.id(word.as_bytes()).is_some() {
            return false;
        }
        let id = u32::try_from(self.len()).expect("a vocabulary holds fewer than 2^32 words");
        let hash = self.hasher.hash_one(word.as_bytes());
        self.text.push_str(word);
        self.ends.push(self.text.len());
        self.counts.push(count);
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.index.insert_unique(hash, id, |&other| {
            hasher.hash_one(word_at(text, ends, other).as_bytes())
        });
        true
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The id of a word, given as UTF-8 bytes.
    pub fn id(&self, word: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(word);
        self.index
            .find(hash, |&id| self.word(id).as_bytes() == word)
            .copied()
    }

    /// The word with this id, which must be below [`Vocab::len`].
    pub fn word(&self, id: u32) -> &str {
        word_at(&self.text, &self.ends, id)
    }

    /// The words, by id.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|id| self.word(id as u32))
    }

    /// Occurrences in the corpus, by id; 0 where a file did not tell.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Occurrences of all words together.
    pub fn tokens(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The totals of choosing a vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Selection {
    /// Different words that were counted.
    pub different: u64,
    /// Occurrences of the chosen words.
    pub tokens: u64,
    /// The largest error of the counts: a count is too low by at most this, and a word that was not
    /// found occurs at most this often. It is above 0 only if a memory limit was reached.
    pub undercount: u64,
    /// Different stop words that were counted and left out.
    pub stop_words: u64,
    /// Occurrences of these stop words.
    pub stopped: u64,
    /// Words to keep that the text does not contain.
    pub absent: u64,
}

fn why_empty(counts: &WordCounts, min_count: u64) -> String {
    let forgotten = counts.undercount();
    let of_rest = match forgotten {
        0 => String::new(),
        _ => format!(
            "; others, of at most {} each, were forgotten for lack of `vocab_memory`",
            plural(forgotten, "occurrence")
        ),
    };
    match counts.iter().map(|(_, count)| count).max() {
        None if forgotten > 0 => format!(
            "all words that were counted, of at most {} each, were forgotten for lack of memory; \
             raise `vocab_memory`",
            plural(forgotten, "occurrence")
        ),
        None => "the corpus holds no words; check the CORPUS files".to_owned(),
        Some(most) => format!(
            "no word occurs {} (of {} the most frequent: {most}{of_rest}); lower `min_count`, or check \
             `stop_words`",
            plural(min_count, "time"),
            plural(counts.len() as u64, "different word")
        ),
    }
}

fn word_at<'a>(text: &'a str, ends: &[usize], id: u32) -> &'a str {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &text[start..ends[id]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> WordCounts {
        let mut counts = WordCounts::default();
        text.split(' ').for_each(|word| counts.add(word.as_bytes()));
        counts
    }

    #[test]
    fn orders_by_count_then_bytes_and_finds_every_word() {
        let vocab = Vocab::from_counts(&counted("b a c b a d é é é z"), 2, None).unwrap();
        assert_eq!(vocab.words().collect::<Vec<_>>(), ["é", "a", "b"]);
        assert_eq!(vocab.counts(), [3, 2, 2]);
        assert_eq!(vocab.tokens(), 7);
        for id in 0..3 {
            assert_eq!(vocab.id(vocab.word(id).as_bytes()), Some(id));
        }
        assert_eq!(vocab.id(b"c"), None);
    }

    #[test]
    fn keeps_only_the_most_frequent() {
        let vocab = Vocab::from_counts(&counted("b a c b a a"), 1, Some(2)).unwrap();
        assert_eq!(vocab.words().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_empty_vocabulary_names_the_option_that_fills_it() {
        let error = Vocab::from_counts(&counted("a b a"), 5, None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`min_count`") && error.contains("the most frequent: 2"),
            "{error}"
        );
        let error = Vocab::from_counts(&WordCounts::default(), 1, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("holds no words"), "{error}");
    }

    #[test]
    fn a_word_given_twice_is_named() {
        assert_eq!(
            Vocab::from_words([("a", 1), ("b", 1), ("a", 1)]).unwrap_err(),
            "a"
        );
    }
}
