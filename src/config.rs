//! The settings of a training run.

use clap::Args;

use crate::error::{Error, Result};
use crate::schedule::MAX_BATCH;

/// What is trained and how. The defaults measured best on real text; they are not word2vec's own.
#[derive(Args, Clone, Debug, PartialEq, serde::Serialize)]
#[group(skip)]
pub struct Config {
    /// Dimensions of a vector
    #[arg(long, visible_aliases = ["size", "vector-size"], default_value_t = 100, value_name = "N", help_heading = "Model")]
    pub dim: usize,
    /// Seed of every random draw; the same seed gives the same vectors
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Model")]
    pub seed: u64,

    /// Drop words that occur less often
    #[arg(long, default_value_t = 5, value_name = "N", help_heading = "Vocabulary")]
    pub min_count: u64,
    /// Keep only the N most frequent words
    #[arg(long, value_name = "N", help_heading = "Vocabulary")]
    pub max_vocab: Option<usize>,

    /// Largest distance between a context word and a center word
    #[arg(long, default_value_t = 5, value_name = "WORDS", help_heading = "Objective")]
    pub window: u32,
    /// Let every window reach that far, instead of drawing each width from 1 to --window
    #[arg(long, help_heading = "Objective")]
    pub fixed_window: bool,
    /// Negative words drawn for each window
    #[arg(long, default_value_t = 5, value_name = "N", help_heading = "Objective")]
    pub negative: u32,
    /// Negatives are drawn in proportion to their count to this power
    #[arg(long, default_value_t = 0.75, value_name = "X", allow_negative_numbers = true, help_heading = "Objective")]
    pub ns_exponent: f64,
    /// Thin out words of a larger share of the text; 0 keeps every occurrence
    #[arg(
        long,
        default_value_t = 1e-4,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Objective"
    )]
    pub sample: f64,

    /// Passes over the corpus
    #[arg(long, visible_alias = "iter", default_value_t = 5, value_name = "N", help_heading = "Training")]
    pub epochs: u32,
    /// Learning rate at the start; it falls linearly
    #[arg(
        long,
        visible_alias = "alpha",
        default_value_t = 0.05,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    pub lr: f64,
    /// Learning rate below which it does not fall [default: a ten-thousandth of --lr]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Training")]
    pub min_lr: Option<f64>,
    /// Windows in a minibatch [default: a two-thousandth of the run, 256 to 65536]
    #[arg(long, value_name = "WINDOWS", help_heading = "Training")]
    pub batch: Option<usize>,
    /// Longest step of a row in one minibatch (its Euclidean length)
    #[arg(long, default_value_t = 0.25, value_name = "X", allow_negative_numbers = true, help_heading = "Training")]
    pub clip: f32,
    /// Train on the text in its own order
    #[arg(long, help_heading = "Training")]
    pub no_shuffle: bool,
}

/// The largest `--dim`, well beyond any vectors in use.
pub const MAX_DIM: usize = 4096;

/// The largest `--window`.
pub const MAX_WINDOW: u32 = 1000;

impl Default for Config {
    fn default() -> Self {
        Self {
            dim: 100,
            seed: 1,
            min_count: 5,
            max_vocab: None,
            window: 5,
            fixed_window: false,
            negative: 5,
            ns_exponent: 0.75,
            sample: 1e-4,
            epochs: 5,
            lr: 0.05,
            min_lr: None,
            batch: None,
            clip: 0.25,
            no_shuffle: false,
        }
    }
}

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first one out of its range.
    pub fn validate(&self) -> Result<()> {
        let require = |holds: bool, flag: &'static str, value: &dyn ToString, why: &str| {
            if holds { Ok(()) } else { Err(Error::Setting { flag, value: value.to_string(), why: why.to_owned() }) }
        };
        require(
            (1..=MAX_DIM).contains(&self.dim),
            "--dim",
            &self.dim,
            "a vector has 1 to 4096 dimensions; 50 to 300 are usual",
        )?;
        require(self.max_vocab != Some(0), "--max-vocab", &0, "keep at least one word, or leave the option out")?;
        require(
            (1..=MAX_WINDOW).contains(&self.window),
            "--window",
            &self.window,
            "a window reaches 1 to 1000 words to each side; 2 to 10 are usual",
        )?;
        require(
            self.negative > 0,
            "--negative",
            &self.negative,
            "positive pairs alone cannot be trained: every label would be 1, every vector would grow along one direction \
             and nothing would be learned; use at least 1, usually 5 to 20",
        )?;
        require(self.negative <= 1000, "--negative", &self.negative, "at most 1000 negatives are drawn for a window")?;
        require(
            self.ns_exponent.is_finite(),
            "--ns-exponent",
            &self.ns_exponent,
            "must be a finite number; 0.75 is usual",
        )?;
        require(
            self.sample.is_finite() && self.sample >= 0.0,
            "--sample",
            &self.sample,
            "a share of the text, 0 (keep all) or a small positive number such as 1e-4",
        )?;
        require(self.epochs > 0, "--epochs", &self.epochs, "train for at least one epoch")?;
        require(
            self.lr.is_finite() && self.lr > 0.0,
            "--lr",
            &self.lr,
            "the learning rate must be a positive number; 0.025 to 0.05 are usual",
        )?;
        if let Some(min_lr) = self.min_lr {
            require(
                (0.0..=self.lr).contains(&min_lr),
                "--min-lr",
                &min_lr,
                "must be from 0 up to the learning rate at the start (--lr)",
            )?;
        }
        if let Some(batch) = self.batch {
            require((1..=MAX_BATCH).contains(&batch), "--batch", &batch, "a minibatch has 1 to 65536 windows")?;
        }
        require(
            self.clip > 0.0 && self.clip.is_finite(),
            "--clip",
            &self.clip,
            "the row limit must be a positive number; 0.25 is usual",
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn what_nobody_typed_is_the_default() {
        assert_eq!(Typed::parse_from(["x"]).config, Config::default());
        Config::default().validate().unwrap();
    }

    #[test]
    fn every_setting_out_of_range_names_its_flag() {
        type Change = fn(&mut Config);
        let bad: [(&str, Change); 13] = [
            ("--dim 0", |c| c.dim = 0),
            ("--dim 5000", |c| c.dim = 5000),
            ("--max-vocab", |c| c.max_vocab = Some(0)),
            ("--window 0", |c| c.window = 0),
            ("--negative 0: positive pairs alone", |c| c.negative = 0),
            ("--ns-exponent", |c| c.ns_exponent = f64::INFINITY),
            ("--sample", |c| c.sample = -1.0),
            ("--epochs", |c| c.epochs = 0),
            ("--lr NaN", |c| c.lr = f64::NAN),
            ("--lr -0.1", |c| c.lr = -0.1),
            ("--min-lr", |c| c.min_lr = Some(1.0)),
            ("--batch", |c| c.batch = Some(0)),
            ("--clip", |c| c.clip = f32::NAN),
        ];
        for (message, change) in bad {
            let mut config = Config::default();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
