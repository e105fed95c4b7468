//! The words of evaluation files, and their rows in a matrix.

use super::Protocol;
use crate::model::Matrix;
use crate::vectors::Composer;
use crate::vocab::Vocab;

/// Stands for a missing row, or for a word that no evaluation file has.
const NONE: u32 = u32::MAX;

/// The different words of all evaluation files, numbered, in the form in which the protocol looks
/// them up.
#[derive(Clone, Debug)]
pub(super) struct Words {
    protocol: Protocol,
    words: Vocab,
    /// For each word: the first form in which the files have it.
    spellings: Vec<String>,
}

impl Words {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            words: Vocab::default(),
            spellings: Vec::new(),
        }
    }

    /// The number of a word. A new word gets the next number.
    pub(super) fn number(&mut self, word: &str) -> u32 {
        let folded = self.protocol.fold_question(word);
        if self.words.push(&folded, 0) {
            self.spellings.push(word.to_owned());
        }
        let number = self.words.id(folded.as_bytes());
        number.expect("the word was pushed")
    }

    /// The word of a number, in the form in which it is looked up.
    pub(super) fn word(&self, number: u32) -> &str {
        self.words.word(number)
    }

    /// The number of a word of the vectors, or [`NONE`].
    fn number_of(&self, word: &str) -> u32 {
        let word = self.protocol.fold_vector(word);
        self.words.id(word.as_bytes()).unwrap_or(NONE)
    }

    /// Looks up all words among the first `limit` words of a vocabulary.
    pub(super) fn find(&self, vocab: &Vocab, limit: Option<usize>) -> Found {
        let numbers: Vec<u32> = vocab
            .words()
            .take(limit.unwrap_or(usize::MAX))
            .map(|word| self.number_of(word))
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
            composed: Vec::new(),
            vectors: Vec::new(),
        }
    }

    /// Composes vectors for the words that a vocabulary lacks, and adds them to what was found
    /// there. A word is composed in the form that the protocol looks up, or as it stands in the
    /// files if the protocol ignores case.
    pub(super) fn compose(&self, found: &mut Found, vocab: &Vocab, composer: &Composer) {
        let mut is_known = vec![false; self.words.len()];
        for number in vocab.words().map(|word| self.number_of(word)) {
            if number != NONE {
                is_known[number as usize] = true;
            }
        }
        found.composed = vec![NONE; self.words.len()];
        let mut next = 0;
        for word in (0..self.words.len()).filter(|&word| !is_known[word]) {
            if let Some(vector) = composer.compose(self.composed_form(word as u32)) {
                found.vectors.extend(vector);
                found.composed[word] = next;
                next += 1;
            }
        }
    }

    /// The form of a word of which its vector is composed.
    pub(super) fn composed_form(&self, word: u32) -> &str {
        match self.protocol {
            Protocol::Hyperwords => self.words.word(word),
            Protocol::Gensim | Protocol::Word2vec => &self.spellings[word as usize],
        }
    }
}

/// The rows of each word of the evaluation files, and the word of each row.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// For each row: the number of its word, if the files have it.
    numbers: Vec<u32>,
    /// For each word: where its rows begin in the list of rows.
    starts: Vec<usize>,
    rows: Vec<u32>,
    /// For each word: its place among the composed vectors, or [`NONE`]. Empty if none was
    /// composed.
    composed: Vec<u32>,
    /// The composed vectors, one after the other.
    vectors: Vec<f32>,
}

impl Found {
    /// The vectors of the words, those that were composed among them.
    pub(super) fn table<'a>(&'a self, matrix: &'a Matrix) -> Table<'a> {
        Table {
            matrix,
            found: self,
        }
    }

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

/// The rows of a matrix, numbered as there, and after them the composed vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    matrix: &'a Matrix,
    found: &'a Found,
}

impl<'a> Table<'a> {
    /// The number of the row of a word.
    pub(super) fn place(self, word: u32) -> Option<u32> {
        let composed = || self.found.composed.get(word as usize).copied();
        self.found.row(word).or_else(|| {
            composed()
                .filter(|&row| row != NONE)
                .map(|row| self.matrix.rows() as u32 + row)
        })
    }

    /// Whether a row is a composed vector.
    pub(super) fn is_composed(self, row: u32) -> bool {
        row as usize >= self.matrix.rows()
    }

    /// Whether the vector of a word is a composed one.
    pub(super) fn has_composed(self, word: u32) -> bool {
        self.place(word).is_some_and(|row| self.is_composed(row))
    }

    /// A row.
    pub(super) fn row(self, row: u32) -> &'a [f32] {
        match (row as usize).checked_sub(self.matrix.rows()) {
            None => self.matrix.row(row as usize),
            Some(composed) => &self.found.vectors[composed * self.dim()..][..self.dim()],
        }
    }

    pub(super) fn dim(self) -> usize {
        self.matrix.dim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subwords::Subwords;

    #[test]
    fn words_that_the_vocabulary_lacks_are_composed_in_the_form_of_the_files() {
        let composer = Composer::new(
            Subwords::new(3, 3, 1).unwrap(),
            Matrix::from_values(1, vec![0.5]),
        );
        let vocab = Vocab::from_words([("the", 0), ("paris", 0)]).unwrap();
        let matrix = Matrix::from_values(1, vec![1.0, 2.0]);
        for (protocol, composed) in [
            (Protocol::Gensim, &["Oslo", "Rome"][..]),
            // It looks for lower-case words.
            (Protocol::Hyperwords, &["oslo", "rome"]),
        ] {
            let mut words = Words::new(protocol);
            let [oslo, paris, ..] =
                ["Oslo", "Paris", "", "OSLO", "Rome"].map(|it| words.number(it));
            // A word beyond the limit is known, and stays without a row.
            let mut found = words.find(&vocab, Some(1));
            words.compose(&mut found, &vocab, &composer);
            let table = found.table(&matrix);
            let forms: Vec<&str> = (0..words.words.len() as u32)
                .filter(|&word| table.has_composed(word))
                .map(|word| words.composed_form(word))
                .collect();
            assert_eq!(forms, composed);
            assert_eq!((table.place(oslo), table.place(paris)), (Some(2), None));
            assert_eq!((table.row(1), table.row(2)), (&[2.0][..], &[0.5][..]));
            assert!(table.is_composed(2) && !table.is_composed(1));
        }
    }

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
