//! Evaluation of vectors: word pairs against people's judgement of similarity, and analogies.
//!
//! [`Sets`] reads the evaluation files once. [`Sets::evaluate`] then scores any vectors, from a
//! file or in the middle of training. The [`Protocol`] decides how words are compared, and how
//! words without a vector count.
//!
//! ```
//! use w2v_gpu::eval::{EvalOptions, Protocol, Sets};
//! use w2v_gpu::{model::Matrix, vocab::Vocab};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("pairs.tsv");
//! std::fs::write(&path, "cat\tdog\t8\ncat\tcar\t1\ndog\tcar\t2\n")?;
//! let sets = Sets::read(&[path], &[], EvalOptions::of(Protocol::Gensim))?;
//! let vocab = Vocab::from_words([("cat", 9), ("dog", 8), ("car", 7)])?;
//! let matrix = Matrix::from_values(2, vec![1.0, 0.1, 1.0, 0.2, -1.0, 1.0]);
//! let evaluation = sets.evaluate(&vocab, &matrix, None);
//! assert_eq!(evaluation.pairs[0].found, 3);
//! assert!(evaluation.scores()[0].score.is_some_and(|rho| rho > 0.99));
//! # Ok(())
//! # }
//! ```

mod analogies;
mod columns;
mod correlation;
mod input;
mod pairs;
mod protocol;
mod solve;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::analogies::{AnalogyScore, Answered, AnsweredSection, Answers, Score, SectionScore};
pub use self::correlation::{pearson, spearman};
pub use self::pairs::PairScore;
pub use self::protocol::{EvalOptions, Method, Protocol};
use crate::error::Result;
use crate::event::{NamedScore, NamedSection};
use crate::model::Matrix;
use crate::vectors::Composer;
use crate::vocab::Vocab;

/// Evaluation files, read and checked.
#[derive(Clone, Debug)]
pub struct Sets {
    options: EvalOptions,
    words: words::Words,
    pairs: Vec<pairs::PairSet>,
    analogies: Vec<analogies::AnalogySet>,
}

impl Sets {
    /// Reads files of word pairs, and files or BATS folders of analogies.
    ///
    /// A file of pairs has lines `word word score`, separated by tabs, semicolons, commas or
    /// spaces, with any further columns. Lines that begin with `#` are comments, and the first
    /// other line may name the columns. The score is [`EvalOptions::score_column`], or the column
    /// that looks most like one; see [`Sets::notes`].
    ///
    /// A file of analogies has four words a line, and `: name` before every section. A folder of
    /// analogies has `.txt` files with lines `word answer/answer/...`.
    ///
    /// # Errors
    /// - [`crate::Error::Io`] when a file cannot be read.
    /// - [`crate::Error::Format`] for a line that does not follow its format, and for an empty
    ///   file.
    /// - [`crate::Error::Setting`] when a file lacks the column asked for.
    pub fn read(pairs: &[PathBuf], analogies: &[PathBuf], options: EvalOptions) -> Result<Self> {
        let mut words = words::Words::new(options.protocol);
        let column = options.score_column.as_deref();
        let pairs = pairs
            .iter()
            .map(|path| pairs::PairSet::read(path, column, &mut words))
            .collect::<Result<_>>()?;
        let analogies = analogies
            .iter()
            .map(|path| analogies::AnalogySet::read(path, &mut words))
            .collect::<Result<_>>()?;
        Ok(Self {
            options,
            words,
            pairs,
            analogies,
        })
    }

    /// Sentences for the user about files in which the column of the score was a guess.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.pairs.iter().filter_map(pairs::PairSet::note)
    }

    /// Whether there are no evaluation files.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.analogies.is_empty()
    }

    /// Scores vectors. Row `id` of the matrix belongs to word `id`, and the most frequent word
    /// comes first. With a composer, words of the files that the vocabulary lacks get composed
    /// vectors; they are no answers to analogies.
    ///
    /// The work is done by rayon's current pool. The result does not depend on the number of
    /// threads.
    ///
    /// # Panics
    /// When the numbers of words and rows differ.
    pub fn evaluate(
        &self,
        vocab: &Vocab,
        matrix: &Matrix,
        composer: Option<&Composer>,
    ) -> Evaluation {
        assert_eq!(vocab.len(), matrix.rows(), "every row has a word");
        let protocol = self.options.protocol;
        let find = |limit| {
            let mut found = self.words.find(vocab, limit);
            if let Some(composer) = composer {
                self.words.compose(&mut found, vocab, composer);
            }
            found
        };
        let mut composed = BTreeSet::new();
        let pairs = if self.pairs.is_empty() {
            Vec::new()
        } else {
            let found = find(protocol.pair_words());
            let table = found.table(matrix);
            composed.extend(self.pairs.iter().flat_map(|set| set.composed(table)));
            self.pairs
                .iter()
                .map(|set| set.score(matrix, &found, protocol))
                .collect()
        };
        let analogies = if self.analogies.is_empty() {
            Vec::new()
        } else {
            let found = find(self.options.restrict_vocab);
            let table = found.table(matrix);
            composed.extend(
                self.analogies
                    .iter()
                    .flat_map(|set| set.composed(&found, table)),
            );
            self.analogies
                .iter()
                .map(|set| set.score(matrix, &found, &self.options))
                .collect()
        };
        let composed = composed
            .into_iter()
            .map(|word| self.words.composed_form(word));
        Evaluation {
            options: self.options.clone(),
            pairs,
            analogies,
            composed: composed.map(str::to_owned).collect(),
        }
    }

    /// Asks all analogies, as [`Sets::evaluate`] does, and returns each question that counts with
    /// its outcome: for each file, its sections.
    ///
    /// # Panics
    /// When the numbers of words and rows differ.
    pub fn answers(&self, vocab: &Vocab, matrix: &Matrix) -> Vec<Vec<AnsweredSection>> {
        assert_eq!(vocab.len(), matrix.rows(), "every row has a word");
        let found = self.words.find(vocab, self.options.restrict_vocab);
        let answered =
            |set: &analogies::AnalogySet| set.answered(matrix, &found, &self.options, &self.words);
        self.analogies.iter().map(answered).collect()
    }
}

/// The scores of vectors on all files of a [`Sets`], in the order given.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The options that the scores were computed with.
    #[serde(flatten)]
    pub options: EvalOptions,
    /// One score for each file of word pairs.
    pub pairs: Vec<PairScore>,
    /// One score for each file or folder of analogies.
    pub analogies: Vec<AnalogyScore>,
    /// The words that count although the vocabulary lacks them, as their vectors were composed of
    /// their n-grams; in the order in which the files have them.
    pub composed: Vec<String>,
}

impl Evaluation {
    /// The score of each file, and how much of the file was found, in the order given.
    pub fn scores(&self) -> Vec<NamedScore> {
        let name = |file: &Path| {
            file.file_stem()
                .unwrap_or(file.as_os_str())
                .to_string_lossy()
                .into_owned()
        };
        let pairs = self.pairs.iter().map(|set| NamedScore {
            name: name(&set.file),
            measure: "Spearman",
            score: set.spearman,
            found: set.found,
            total: set.total,
            among: set.among,
            sections: Vec::new(),
        });
        let analogies = self.analogies.iter().flat_map(|set| {
            let by: [(_, AnswersOf); 2] = [
                ("3CosAdd", |score| score.add),
                ("3CosMul", |score| score.multiply),
            ];
            by.into_iter().filter_map(|(measure, answers)| {
                let (found, total, among) = (set.total.found, set.total.total, set.among);
                Some(NamedScore {
                    name: name(&set.file),
                    measure,
                    score: answers(&set.total)?.accuracy,
                    found,
                    total,
                    among,
                    sections: named_sections(&set.sections, answers),
                })
            })
        });
        pairs.chain(analogies).collect()
    }

    /// Whether no file gave a score: no correlation is defined, and no analogy has all of its
    /// words.
    pub fn is_empty(&self) -> bool {
        self.pairs.iter().all(|set| set.spearman.is_none())
            && self
                .analogies
                .iter()
                .all(|set| set.total.found + set.total.composed == 0)
    }
}

/// Takes the answers of one method from a score.
type AnswersOf = fn(&Score) -> Option<Answers>;

/// The scores of sections by the method whose answers `answers` takes.
fn named_sections(sections: &[SectionScore], answers: AnswersOf) -> Vec<NamedSection> {
    let named = |SectionScore { name, score }: &SectionScore| NamedSection {
        name: name.clone(),
        score: answers(score).and_then(|answers| answers.accuracy),
        found: score.found,
        total: score.total,
    };
    sections.iter().map(named).collect()
}
