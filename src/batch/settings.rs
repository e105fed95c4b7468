//! The settings of the objective: windows, loss and negatives.

use super::{Inputs, MAX_ARITY, SPAN_CENTERS};
use crate::error::Result;
#[cfg(feature = "cli")]
use crate::setting::{AUTO, given};
use crate::setting::{Conditional, OrAuto, require};

/// The windows, the loss, and the targets that a window's words are trained against.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct ObjectiveSettings {
    /// Largest distance between a context word and a center word
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = ObjectiveSettings::default().window,
        value_name = "WORDS",
        help_heading = "Objective"
    ))]
    pub window: u32,
    /// Let every window reach that far, instead of drawing each width from 1 to --window
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Objective"))]
    pub fixed_window: bool,
    /// What predicts what: each word of a window by itself the word in the middle (skip-gram), or
    /// their mean (cbow)
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_enum,
            default_value_t,
            value_name = "MODEL",
            help_heading = "Objective"
        )
    )]
    pub model: ModelKind,
    /// How the mean of a window is trained, under [`ModelKind::Cbow`].
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub cbow: CbowSettings,
    /// What is minimised for each pair: negative sampling, hierarchical softmax, or the softmax
    /// over all words
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_enum,
            default_value_t,
            value_name = "LOSS",
            help_heading = "Objective"
        )
    )]
    pub loss: Loss,
    /// How negatives are drawn, under [`Loss::Ns`].
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub negatives: NegativeSettings,
    /// The tree, under [`Loss::Hs`].
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub tree: TreeSettings,
    /// Thin out words of a larger share of the text; 0 keeps every occurrence, auto is 1e-4, or one
    /// over the number of words where they are fewer than 10,000
    #[cfg_attr(feature = "cli", arg(
        long,
        value_parser = given::<f64>,
        default_value = AUTO,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Objective"
    ))]
    pub sample: OrAuto<f64>,
}

impl Default for ObjectiveSettings {
    fn default() -> Self {
        Self {
            window: 5,
            fixed_window: false,
            model: ModelKind::SkipGram,
            cbow: CbowSettings::default(),
            loss: Loss::Ns,
            negatives: NegativeSettings::default(),
            tree: TreeSettings::default(),
            sample: None,
        }
    }
}

/// How negatives are drawn.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct NegativeSettings {
    /// Negative words drawn at a time (--loss ns)
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = NegativeSettings::default().negative,
        value_name = "N",
        help_heading = "Objective"
    ))]
    pub negative: u32,
    /// Draw negatives once for a window, shared by its pairs, or for each pair as word2vec.c does
    /// (--loss ns)
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_enum,
            default_value_t,
            value_name = "WHAT",
            help_heading = "Objective"
        )
    )]
    pub negatives_per: NegativesPer,
    /// Keep negatives that equal the context (--loss ns)
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Objective"))]
    pub no_skip_equal: bool,
    /// Negatives are drawn in proportion to their count to this power (--loss ns)
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = NegativeSettings::default().ns_exponent,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Objective"
    ))]
    pub ns_exponent: f64,
}

impl Default for NegativeSettings {
    fn default() -> Self {
        Self {
            negative: 5,
            negatives_per: NegativesPer::Window,
            no_skip_equal: false,
            ns_exponent: 0.75,
        }
    }
}

/// The tree of hierarchical softmax.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct TreeSettings {
    /// Branches of a node of the tree, 2 to 64: more make shorter paths of costlier choices (--loss
    /// hs)
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = TreeSettings::default().arity,
        value_name = "N",
        help_heading = "Objective"
    ))]
    pub arity: usize,
}

impl Default for TreeSettings {
    fn default() -> Self {
        Self { arity: 2 }
    }
}

/// How the centers of a window are trained together.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct CbowSettings {
    /// What each word of a window gets of the gradient by their mean: the whole, as in word2vec.c
    /// and gensim, or its share, as the chain rule has it (--model cbow)
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_enum,
            default_value_t,
            value_name = "WHAT",
            help_heading = "Objective"
        )
    )]
    pub cbow_gradient: CbowGradient,
}

/// The largest `window`, in words to each side.
pub const MAX_WINDOW: u32 = 1000;

/// The largest `window` of [`ModelKind::Cbow`]: all centers of a window are in one span.
pub const MAX_CBOW_WINDOW: u32 = SPAN_CENTERS as u32 / 2;

/// The largest number of negatives in a draw.
const MAX_NEGATIVE: u32 = 1000;

/// The largest `ns_exponent`; the smallest is its negative. Beyond them, counts to that power are
/// no finite numbers, or one word alone is ever drawn.
const MAX_EXPONENT: f64 = 10.0;

impl ObjectiveSettings {
    /// The settings that have an effect under another setting alone.
    pub fn conditional(&self) -> [Conditional; 3] {
        [
            Conditional::all_of(&self.negatives, "loss = ns", self.loss == Loss::Ns),
            Conditional::all_of(&self.tree, "loss = hs", self.loss == Loss::Hs),
            Conditional::all_of(&self.cbow, "model = cbow", self.model == ModelKind::Cbow),
        ]
    }

    /// How the centers of a window meet its targets.
    pub fn inputs(&self) -> Inputs {
        match self.model {
            ModelKind::SkipGram => Inputs::Each,
            ModelKind::Cbow => Inputs::Mean(self.cbow.cbow_gradient),
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for the first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        require(
            (1..=MAX_WINDOW).contains(&self.window),
            "window",
            self.window,
            "a window reaches 1 to 1000 words to each side; 2 to 10 are usual",
        )?;
        require(
            self.model != ModelKind::Cbow || self.loss != Loss::Softmax,
            "model",
            "cbow",
            "cannot be trained with `loss = softmax`, whose products take each center by itself; \
             use `loss = ns` or `loss = hs`",
        )?;
        require(
            self.model != ModelKind::Cbow || self.window <= MAX_CBOW_WINDOW,
            "window",
            self.window,
            "with `model = cbow` a window reaches at most 13 words to each side, as the mean of \
             its 26 words is made at once",
        )?;
        require(
            self.negatives.negative > 0 || self.loss != Loss::Ns,
            "negative",
            self.negatives.negative,
            "positive pairs alone cannot be trained: every label would be 1, every vector would \
             grow along one direction and nothing would be learned; use at least 1, usually 5 to \
             20",
        )?;
        require(
            self.negatives.negative <= MAX_NEGATIVE,
            "negative",
            self.negatives.negative,
            "at most 1000 negatives are drawn for a window",
        )?;
        require(
            self.negatives.ns_exponent.abs() <= MAX_EXPONENT,
            "ns_exponent",
            self.negatives.ns_exponent,
            "must be a number from -10 to 10; 0.75 is usual",
        )?;
        require(
            (2..=MAX_ARITY).contains(&self.tree.arity),
            "arity",
            self.tree.arity,
            "a node of the tree has 2 to 64 branches",
        )?;
        let sample = self.sample.unwrap_or_default();
        require(
            sample.is_finite() && sample >= 0.0,
            "sample",
            sample,
            "a share of the text, 0 (keep all) or a small positive number such as 1e-4",
        )
    }
}

/// What predicts what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ModelKind {
    /// Each center by itself predicts the context.
    #[default]
    SkipGram,
    /// Continuous bag of words: the mean of the centers predicts the context.
    Cbow,
}

impl ModelKind {
    /// What an example is, which has one loss: a (center, context) pair, or a window.
    pub fn example(self) -> &'static str {
        match self {
            Self::SkipGram => "pair",
            Self::Cbow => "window",
        }
    }
}

/// What each center gets of the gradient by the mean of a window's centers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum CbowGradient {
    /// All of it, as in word2vec.c, gensim and fastText. For a window of m centers it is m times
    /// the gradient of the loss by W.
    #[default]
    Whole,
    /// One part in as many as there are centers: the gradient of the loss.
    Share,
}

/// The loss that is minimised for each (center, context) pair, or for the mean of the centers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Loss {
    /// Negative sampling: the context against some noise words.
    #[default]
    Ns,
    /// Hierarchical softmax: a path of choices through a Huffman tree ([`TreeSettings`]).
    Hs,
    /// The softmax over the whole vocabulary, as skip-gram was first defined.
    Softmax,
}

/// Which pairs share a draw of negatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum NegativesPer {
    /// All pairs of a window: far faster, as good.
    #[default]
    Window,
    /// Each pair has its own, as in word2vec.c.
    Pair,
}
