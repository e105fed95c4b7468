//! The settings of the objective: windows, loss and negatives.

use crate::error::Result;
#[cfg(feature = "cli")]
use crate::setting::{AUTO, given};
use crate::setting::{OrAuto, require};

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
    /// Negative words drawn at a time (--loss ns)
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = ObjectiveSettings::default().negative,
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
        default_value_t = ObjectiveSettings::default().ns_exponent,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Objective"
    ))]
    pub ns_exponent: f64,
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
            loss: Loss::Ns,
            negative: 5,
            negatives_per: NegativesPer::Window,
            no_skip_equal: false,
            ns_exponent: 0.75,
            sample: None,
        }
    }
}

/// The largest `window`, in words to each side.
pub const MAX_WINDOW: u32 = 1000;

/// The largest number of negatives in a draw.
const MAX_NEGATIVE: u32 = 1000;

/// The largest `ns_exponent`; the smallest is its negative. Beyond them, counts to that power are
/// no finite numbers, or one word alone is ever drawn.
const MAX_EXPONENT: f64 = 10.0;

impl ObjectiveSettings {
    /// The settings of negatives, which have an effect under [`Loss::Ns`] alone.
    pub const OF_NEGATIVES: [&str; 4] =
        ["negative", "negatives_per", "no_skip_equal", "ns_exponent"];

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
            self.negative > 0 || self.loss != Loss::Ns,
            "negative",
            self.negative,
            "positive pairs alone cannot be trained: every label would be 1, every vector would \
             grow along one direction and nothing would be learned; use at least 1, usually 5 to \
             20",
        )?;
        require(
            self.negative <= MAX_NEGATIVE,
            "negative",
            self.negative,
            "at most 1000 negatives are drawn for a window",
        )?;
        require(
            self.ns_exponent.abs() <= MAX_EXPONENT,
            "ns_exponent",
            self.ns_exponent,
            "must be a number from -10 to 10; 0.75 is usual",
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

/// The loss that is minimised for each (center, context) pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Loss {
    /// Negative sampling: the context against some noise words.
    #[default]
    Ns,
    /// Hierarchical softmax: a path of choices through a Huffman tree.
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
