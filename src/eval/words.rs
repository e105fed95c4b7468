//! The words of evaluation files, and their rows in a matrix.

use super::Protocol;
use crate::vocab::Vocab;

/// Stands for a missing row, or for a word that no evaluation file has.
const NONE: u32 = u32::MAX;

/// The different words of all evaluation files, numbered, in the form in which the protocol looks
/// them up.
#[derive(Clone, Debug)]
pub(super) struct Words {
    protocol: Protocol,
    words: Vocab,
}

impl Words {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            words: Vocab::default(),
        }
    }

    /// The number of a word. A new word gets the next number.
    pub(super) fn number(&mut self, word: &str) -> u32 {
        let word = self.protocol.fold_question(word);
        self.words.push(&word, 0);
        self.words.id(word.as_bytes()).expect("the word was pushed")
    }

    /// Looks up all words among the first `limit` words of a vocabulary.
    pub(super) fn find(&self, vocab: &Vocab, limit: Option<usize>) -> Found {
        let number = |word: &str| {
            self.words
                .id(self.protocol.fold_vector(word).as_bytes())
                .unwrap_or(NONE)
        };
        let numbers: Vec<u32> = vocab
            .words()
            .take(limit.unwrap_or(usize::MAX))
            .map(number)
            .collect();
        let mut rows: Vec<(u32, u32)> = numbers
            .iter()
            .zip(0..)
            .filter(|&(&word, _)| word != NONE)
            .map(|(&word, row)| (word, row))
            .collect();
        rows.sort_unstable();
        let mut starts = vec![0; self.words.len() + 1];
        rows.iter()
            .for_each(|&(word, _)| starts[word as usize + 1] += 1);
        for word in 1..starts.len() {
            starts[word] += starts[word - 1];
        }
        Found {
            numbers,
            starts,
            rows: rows.into_iter().map(|(_, row)| row).collect(),
        }
    }
}

/// The rows of each word of the evaluation files, and the word of each row.
#[derive(Debug)]
pub(super) struct Found {
    /// For each row: the number of its word, if the files have it.
    numbers: Vec<u32>,
    /// For each word: where its rows begin in the list of rows.
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl Found {
    /// Number of rows that were searched.
    pub(super) fn searched(&self) -> usize {
        self.numbers.len()
    }

    /// All rows of a word, ascending. There are several if the protocol ignores case.
    pub(super) fn rows(&self, word: u32) -> &[u32] {
        &self.rows[self.starts[word as usize]..self.starts[word as usize + 1]]
    }

    /// The row that gives a word its vector, which is its first.
    pub(super) fn row(&self, word: u32) -> Option<u32> {
        self.rows(word).first().copied()
    }

    /// The number of a row's word, if the files have it.
    pub(super) fn word(&self, row: u32) -> Option<u32> {
        Some(self.numbers[row as usize]).filter(|&word| word != NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(protocol: Protocol, limit: Option<usize>) -> [Vec<u32>; 4] {
        let mut words = Words::new(protocol);
        let numbers = ["Paris", "straße", "École", "paris"].map(|word| words.number(word));
        let vocab = Vocab::from_words(
            ["the", "paris", "PARIS", "STRASSE", "école", "Paris"].map(|word| (word, 0)),
        )
        .unwrap();
        let found = words.find(&vocab, limit);
        for (&word, row) in numbers
            .iter()
            .flat_map(|word| found.rows(*word).iter().map(move |row| (word, row)))
        {
            assert_eq!(found.word(*row), Some(word));
        }
        assert_eq!(found.word(0), None);
        assert_eq!(found.searched(), limit.unwrap_or(6));
        numbers.map(|word| found.rows(word).to_vec())
    }

    #[test]
    fn each_protocol_has_its_own_case() {
        let [paris, street, school, again] = found(Protocol::Gensim, None);
        assert_eq!(
            (paris.as_slice(), street.as_slice(), school.as_slice()),
            (&[1, 2, 5][..], &[3][..], &[4][..])
        );
        assert_eq!(paris, again);
        // C's toupper leaves é and ß as they are, and É is another letter.
        let [paris, street, school, again] = found(Protocol::Word2vec, None);
        assert_eq!(
            (paris.as_slice(), street.as_slice(), school.as_slice()),
            (&[1, 2, 5][..], &[][..], &[][..])
        );
        assert_eq!(paris, again);
        let [paris, street, school, again] = found(Protocol::Hyperwords, None);
        assert_eq!(
            (paris.as_slice(), street.as_slice(), school.as_slice()),
            (&[1][..], &[][..], &[4][..])
        );
        assert_eq!(paris, again);
    }

    #[test]
    fn words_beyond_the_limit_are_not_found() {
        let [paris, street, ..] = found(Protocol::Gensim, Some(3));
        assert_eq!(
            (paris.as_slice(), street.as_slice()),
            (&[1, 2][..], &[][..])
        );
    }
}
