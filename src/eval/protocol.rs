//! What three tools do about case and unknown words.

use std::borrow::Cow;

use serde::Serialize;

/// The tool whose treatment of case and of words without a vector is followed.
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
/// Of several words that are equal in upper case the first, which is the most frequent, gives the
/// vector. Sources: `evaluate_word_pairs`, `evaluate_word_analogies` and `most_similar_cosmul` of
/// gensim's `KeyedVectors`; `compute-accuracy.c` (30,000 words are what word2vec's demos ask it
/// for); `ws_eval.py` and `analogy_eval.py` of Levy and Goldberg's hyperwords.
///
/// Three oddities are left out. gensim looks at the five best answers only, so that it could run
/// out of them if all were case variants of the question. hyperwords sorts the scores of pairs as
/// text, "10.0" before "9.0". And it gives an analogy's own words the score 0 instead of leaving
/// them out, which matters only if all others score below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Case is ignored, pairs and analogies with unknown words are skipped.
    #[default]
    Gensim,
    /// As gensim, but only ASCII letters lose their case.
    Word2vec,
    /// Lower case, and what has unknown words counts as it can.
    Hyperwords,
}

impl Protocol {
    /// A word of an evaluation file, in the form in which it is looked up.
    pub(super) fn fold_question(self, word: &str) -> Cow<'_, str> {
        match self {
            Self::Hyperwords => word.to_lowercase().into(),
            Self::Gensim | Self::Word2vec => self.fold_vector(word),
        }
    }

    /// A word of the vectors, in the form in which it is found.
    pub(super) fn fold_vector(self, word: &str) -> Cow<'_, str> {
        match self {
            Self::Gensim => word.to_uppercase().into(),
            Self::Word2vec => word.to_ascii_uppercase().into(),
            Self::Hyperwords => word.into(),
        }
    }

    /// Pairs are looked up among that many of the first words; `None` for all.
    pub(super) fn pair_words(self) -> Option<usize> {
        matches!(self, Self::Gensim).then_some(300_000)
    }

    /// Analogies are asked and answered among that many of the first words; `None` for all.
    fn analogy_words(self) -> Option<usize> {
        match self {
            Self::Gensim => Some(300_000),
            Self::Word2vec => Some(30_000),
            Self::Hyperwords => None,
        }
    }

    /// Whether pairs and analogies with unknown words count instead of being skipped.
    pub(super) fn counts_unknown(self) -> bool {
        matches!(self, Self::Hyperwords)
    }

    /// Whether no word that equals a question's word but for its case may be the answer.
    pub(super) fn excludes_variants(self) -> bool {
        matches!(self, Self::Gensim)
    }

    /// The best answer must score above this.
    pub(super) fn floor(self) -> f32 {
        if matches!(self, Self::Word2vec) {
            0.0
        } else {
            f32::NEG_INFINITY
        }
    }

    /// Added to 3CosMul's denominator.
    pub(super) fn epsilon(self) -> f32 {
        match self {
            Self::Gensim => 1e-6,
            Self::Word2vec => 1e-3,
            Self::Hyperwords => 0.01,
        }
    }
}

/// How the answer `x` to "a is to b as c is to x" is scored; `s` is the cosine, and `s'` is (1 + s)
/// / 2.
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
    /// The treatment of case and unknown words.
    pub protocol: Protocol,
    /// How analogies are scored.
    pub method: Method,
    /// Analogies are asked and answered among that many of the first words; `None` for all.
    pub restrict_vocab: Option<usize>,
    /// The column of people's scores in files of word pairs, by its name or its number from 1;
    /// `None` for the one that looks it.
    pub score_column: Option<String>,
}

impl EvalOptions {
    /// What the protocol's tool does unless told otherwise, with 3CosAdd.
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
