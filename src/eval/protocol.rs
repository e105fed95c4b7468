//! How three tools treat case and unknown words in evaluations.

use std::borrow::Cow;

use serde::Serialize;

/// The tool whose treatment of case and unknown words is followed. An unknown word has no vector.
///
/// | | gensim 4 | word2vec's `compute-accuracy` | hyperwords |
/// |---|---|---|---|
/// | a word of the files is | upper-cased | upper-cased, ASCII alone | lower-cased |
/// | a word of the vectors is | upper-cased | upper-cased, ASCII alone | taken as it is |
/// | pairs are looked up among | 300,000 words | all words (it has no pairs) | all words |
/// | analogies are among | 300,000 words | 30,000 words | all words |
/// | a pair with an unknown word | is skipped | is skipped | has the similarity 0 |
/// | an analogy with an unknown word | is skipped | is skipped | counts, with the most frequent word's vector |
/// | no answer to an analogy are | its words in any case | the vectors its words took | its words |
/// | the best answer | | must score above 0 | |
/// | 3CosMul's ε | 1e-6 | 1e-3 (it has none; the method's paper) | 0.01, as it adds it to (1 + cosine) / 2 |
///
/// When several words are equal in upper case, the first one gives the vector, which is the most
/// frequent.
///
/// Sources: `evaluate_word_pairs`, `evaluate_word_analogies` and `most_similar_cosmul` of gensim's
/// `KeyedVectors`; `compute-accuracy.c` (word2vec's demos ask it for 30,000 words); `ws_eval.py`
/// and `analogy_eval.py` of Levy and Goldberg's hyperwords.
///
/// Three oddities are not imitated:
///
/// - gensim looks at the five best answers only. It could run out of them if all were case variants
///   of the question's words.
/// - hyperwords sorts the scores of pairs as text, "10.0" before "9.0".
/// - hyperwords gives an analogy's own words the score 0 instead of leaving them out. This matters
///   only if all other words score below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Case is ignored; pairs and analogies with unknown words are skipped.
    #[default]
    Gensim,
    /// Like gensim, but only ASCII letters lose their case.
    Word2vec,
    /// Lower case; pairs and analogies with unknown words count.
    Hyperwords,
}

impl Protocol {
    /// The form in which a word of an evaluation file is looked up.
    pub(super) fn fold_question(self, word: &str) -> Cow<'_, str> {
        match self {
            Self::Hyperwords => word.to_lowercase().into(),
            Self::Gensim | Self::Word2vec => self.fold_vector(word),
        }
    }

    /// The form in which a word of the vectors is found.
    pub(super) fn fold_vector(self, word: &str) -> Cow<'_, str> {
        match self {
            Self::Gensim => word.to_uppercase().into(),
            Self::Word2vec => word.to_ascii_uppercase().into(),
            Self::Hyperwords => word.into(),
        }
    }

    /// How many of the first words pairs are looked up among; `None` for all.
    pub(super) fn pair_words(self) -> Option<usize> {
        matches!(self, Self::Gensim).then_some(300_000)
    }

    /// How many of the first words analogies are asked and answered among; `None` for all.
    fn analogy_words(self) -> Option<usize> {
        match self {
            Self::Gensim => Some(300_000),
            Self::Word2vec => Some(30_000),
            Self::Hyperwords => None,
        }
    }

    /// Whether pairs and analogies with unknown words count. If not, they are skipped.
    pub(super) fn counts_unknown(self) -> bool {
        matches!(self, Self::Hyperwords)
    }

    /// Whether a case variant of a question's word is excluded as an answer.
    pub(super) fn excludes_variants(self) -> bool {
        matches!(self, Self::Gensim)
    }

    /// The score that the best answer must exceed.
    pub(super) fn floor(self) -> f32 {
        if matches!(self, Self::Word2vec) {
            0.0
        } else {
            f32::NEG_INFINITY
        }
    }

    /// The ε that is added to 3CosMul's denominator.
    pub(super) fn epsilon(self) -> f32 {
        match self {
            Self::Gensim => 1e-6,
            Self::Word2vec => 1e-3,
            Self::Hyperwords => 0.01,
        }
    }
}

/// The score of an answer `x` to "a is to b as c is to x"; `s` is the cosine, and `s'` is (1 + s) /
/// 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Method {
    /// s(x, b) - s(x, a) + s(x, c)
    #[default]
    #[cfg_attr(feature = "cli", value(name = "3cosadd"))]
    #[serde(rename = "3cosadd")]
    CosAdd,
    /// s'(x, b) s'(x, c) / (s'(x, a) + ε)
    #[cfg_attr(feature = "cli", value(name = "3cosmul"))]
    #[serde(rename = "3cosmul")]
    CosMul,
    /// Each of the two
    #[serde(rename = "both")]
    Both,
}

impl Method {
    pub(super) fn adds(self) -> bool {
        self != Self::CosMul
    }

    pub(super) fn multiplies(self) -> bool {
        self != Self::CosAdd
    }
}

/// How to evaluate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvalOptions {
    /// The tool whose treatment of case and unknown words is followed.
    pub protocol: Protocol,
    /// How the answers to analogies are scored.
    pub method: Method,
    /// How many of the first words analogies are asked and answered among; `None` for all.
    pub restrict_vocab: Option<usize>,
    /// The column of people's scores in files of word pairs, by its name or its number from 1.
    /// `None` takes the column that looks most like a score.
    pub score_column: Option<String>,
}

impl EvalOptions {
    /// The defaults of the protocol's tool, with 3CosAdd.
    pub fn of(protocol: Protocol) -> Self {
        let restrict_vocab = protocol.analogy_words();
        Self {
            protocol,
            method: Method::default(),
            restrict_vocab,
            score_column: None,
        }
    }
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self::of(Protocol::default())
    }
}
