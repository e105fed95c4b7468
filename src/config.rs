//! The settings of a training run.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::batch::{MAX_BATCH, MIN_BATCH};
use crate::error::{Error, Result};
use crate::model::Storage;
use crate::vectors::format::Reading;
use crate::vocab::WordOptions;

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
    /// In what the GPU keeps the matrices: f16 takes half the memory, rounded at random so that no
    /// step is lost on average
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "TYPE",
        help_heading = "Model"
    )]
    pub storage: Storage,
    /// Start from the vectors in FILE, of any format that is written, for the words that it has;
    /// others as usual
    #[arg(long, value_name = "VECTORS", help_heading = "Model")]
    pub init: Option<PathBuf>,
    /// Start the context vectors (W') likewise, as --save-output writes them; otherwise they start
    /// from zero
    #[arg(long, value_name = "VECTORS", help_heading = "Model")]
    pub init_output: Option<PathBuf>,
    /// How these two are read.
    #[command(flatten)]
    #[serde(skip)]
    pub reading: Reading,

    /// Drop words that occur less often
    #[arg(
        long,
        default_value_t = 5,
        value_name = "N",
        help_heading = "Vocabulary"
    )]
    pub min_count: u64,
    /// Keep only the N most frequent words
    #[arg(long, value_name = "N", help_heading = "Vocabulary")]
    pub max_vocab: Option<usize>,
    /// Take the words and counts in FILE, as `w2v-gpu vocab` writes them, instead of counting
    #[arg(long, value_name = "FILE", help_heading = "Vocabulary")]
    pub vocab: Option<PathBuf>,
    /// How words are taken from the text.
    #[command(flatten)]
    #[serde(flatten)]
    pub words: WordOptions,

    /// Largest distance between a context word and a center word
    #[arg(
        long,
        default_value_t = 5,
        value_name = "WORDS",
        help_heading = "Objective"
    )]
    pub window: u32,
    /// Let every window reach that far, instead of drawing each width from 1 to --window
    #[arg(long, help_heading = "Objective")]
    pub fixed_window: bool,
    /// What is minimised for each pair: negative sampling, hierarchical softmax, or the softmax
    /// over all words
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "LOSS",
        help_heading = "Objective"
    )]
    pub loss: Loss,
    /// Negative words drawn at a time (--loss ns)
    #[arg(
        long,
        default_value_t = 5,
        value_name = "N",
        help_heading = "Objective"
    )]
    pub negative: u32,
    /// Draw negatives once for a window, shared by its pairs, or for each pair as word2vec.c does
    /// (--loss ns)
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHAT",
        help_heading = "Objective"
    )]
    pub negatives_per: NegativesPer,
    /// Keep negatives that equal the context (--loss ns)
    #[arg(long, help_heading = "Objective")]
    pub no_skip_equal: bool,
    /// Negatives are drawn in proportion to their count to this power (--loss ns)
    #[arg(
        long,
        default_value_t = 0.75,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Objective"
    )]
    pub ns_exponent: f64,
    /// Thin out words of a larger share of the text; 0 keeps every occurrence, auto is 1e-4, or one
    /// over the number of words where they are fewer than 10,000
    #[arg(
        long,
        value_parser = given::<f64>,
        default_value = AUTO,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Objective"
    )]
    pub sample: OrAuto<f64>,

    /// Passes over the corpus
    #[arg(
        long,
        visible_alias = "iter",
        default_value_t = 5,
        value_name = "N",
        help_heading = "Training"
    )]
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
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    pub min_lr: Option<f64>,
    /// Windows in a minibatch; auto is a two-thousandth of the run, 16 to 65536
    #[arg(
        long,
        value_parser = given::<usize>,
        default_value = AUTO,
        value_name = "WINDOWS",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    pub batch: OrAuto<usize>,
    /// Longest step of a row in one minibatch (its Euclidean length)
    #[arg(
        long,
        default_value_t = 0.25,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    pub clip: f32,
    /// Train on the text in its own order
    #[arg(long, help_heading = "Training")]
    pub no_shuffle: bool,
    /// Hold out this share of the sentences, and report their loss after each epoch
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    pub validation: Option<f64>,
    /// Stop after N epochs in a row whose validation loss is no new low, and keep the vectors of
    /// the lowest
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub patience: Option<u32>,
}

/// A setting that the program chooses unless it is given. (clap takes a field of type `Option` for
/// one that may be left out, by its name alone; these have a default, which is `auto`.)
pub type OrAuto<T> = Option<T>;

/// How one asks for the program's choice.
const AUTO: &str = "auto";

/// Reads a setting that may be left to the program.
fn given<T: FromStr<Err: ToString>>(text: &str) -> std::result::Result<OrAuto<T>, String> {
    if text == AUTO {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|error: T::Err| format!("{}, nor is it {AUTO}", error.to_string()))
}

/// What is minimised for each (center, context) pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Negative sampling: the context against some noise words.
    #[default]
    Ns,
    /// Hierarchical softmax: a path of choices through a Huffman tree.
    Hs,
    /// The softmax over the whole vocabulary, as skip-gram was first defined.
    Softmax,
}

/// What shares a draw of negatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NegativesPer {
    /// All pairs of a window: far faster, as good.
    #[default]
    Window,
    /// Each pair has its own, as in word2vec.c.
    Pair,
}

/// Other trainers whose defaults `--preset` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// word2vec.c with `-cbow 0`.
    Word2vec,
    /// gensim 4's `Word2Vec` with `sg=1`.
    Gensim,
    /// fastText's `skipgram` with `-maxn 0`: without subwords.
    Fasttext,
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
            storage: Storage::F32,
            init: None,
            init_output: None,
            reading: Reading::default(),
            min_count: 5,
            max_vocab: None,
            vocab: None,
            words: WordOptions::default(),
            window: 5,
            fixed_window: false,
            loss: Loss::Ns,
            negative: 5,
            negatives_per: NegativesPer::Window,
            no_skip_equal: false,
            ns_exponent: 0.75,
            sample: None,
            epochs: 5,
            lr: 0.05,
            min_lr: None,
            batch: None,
            clip: 0.25,
            no_shuffle: false,
            validation: None,
            patience: None,
        }
    }
}

impl Config {
    /// The settings of negatives, which matter to [`Loss::Ns`] alone.
    pub const OF_NEGATIVES: [&str; 4] =
        ["negative", "negatives_per", "no_skip_equal", "ns_exponent"];

    /// Another trainer's defaults under our names. What its minibatches of one pair need no setting
    /// for stays ours.
    pub fn preset(preset: Preset) -> Self {
        let theirs = Self {
            negatives_per: NegativesPer::Pair,
            lr: 0.025,
            sample: Some(1e-3),
            ..Self::default()
        };
        match preset {
            Preset::Word2vec => theirs,
            Preset::Gensim => Self {
                min_lr: Some(1e-4),
                ..theirs
            },
            // fastText draws negatives by the square root of their counts, and its rate falls to 0.
            Preset::Fasttext => Self {
                lr: 0.05,
                sample: Some(1e-4),
                ns_exponent: 0.5,
                min_lr: Some(0.0),
                ..theirs
            },
        }
    }

    /// The settings by name.
    pub fn settings(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(settings)) => settings,
            _ => serde_json::Map::new(),
        }
    }

    /// The settings as command-line options, those that do not matter to the objective left out.
    pub fn options(&self) -> Vec<String> {
        self.settings()
            .iter()
            .filter(|(name, _)| {
                self.loss == Loss::Ns || !Self::OF_NEGATIVES.contains(&name.as_str())
            })
            .filter_map(|(name, value)| {
                let flag = format!("--{}", name.replace('_', "-"));
                match value {
                    serde_json::Value::Null | serde_json::Value::Bool(false) => None,
                    serde_json::Value::Bool(true) => Some(flag),
                    serde_json::Value::String(text) => Some(format!("{flag} {text}")),
                    other => Some(format!("{flag} {other}")),
                }
            })
            .collect()
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first one out of its range.
    pub fn validate(&self) -> Result<()> {
        let require = |holds: bool, flag: &'static str, value: &dyn ToString, why: &str| {
            if holds {
                Ok(())
            } else {
                Err(Error::Setting {
                    flag,
                    value: value.to_string(),
                    why: why.to_owned(),
                })
            }
        };
        require(
            (1..=MAX_DIM).contains(&self.dim),
            "--dim",
            &self.dim,
            "a vector has 1 to 4096 dimensions; 50 to 300 are usual",
        )?;
        if let Some(path) = &self.init_output {
            require(
                self.loss != Loss::Hs,
                "--init-output",
                &path.display(),
                "with --loss hs W' has rows of the tree's inner nodes, and none of words that \
                 vectors could be for; leave it out",
            )?;
        }
        require(
            self.max_vocab != Some(0),
            "--max-vocab",
            &0,
            "keep at least one word, or leave the option out",
        )?;
        self.words.validate()?;
        require(
            self.vocab.is_none() || self.words.vocab_memory.is_none(),
            "--vocab-memory",
            &self.words.vocab_memory.unwrap_or_default(),
            "limits counting, and with --vocab nothing is counted; leave one of the two out",
        )?;
        require(
            (1..=MAX_WINDOW).contains(&self.window),
            "--window",
            &self.window,
            "a window reaches 1 to 1000 words to each side; 2 to 10 are usual",
        )?;
        require(
            self.negative > 0 || self.loss != Loss::Ns,
            "--negative",
            &self.negative,
            "positive pairs alone cannot be trained: every label would be 1, every vector would \
             grow along one direction and nothing would be learned; use at least 1, usually 5 to \
             20",
        )?;
        require(
            self.negative <= 1000,
            "--negative",
            &self.negative,
            "at most 1000 negatives are drawn for a window",
        )?;
        require(
            self.ns_exponent.is_finite(),
            "--ns-exponent",
            &self.ns_exponent,
            "must be a finite number; 0.75 is usual",
        )?;
        if let Some(sample) = self.sample {
            require(
                sample.is_finite() && sample >= 0.0,
                "--sample",
                &sample,
                "a share of the text, 0 (keep all) or a small positive number such as 1e-4",
            )?;
        }
        require(
            self.epochs > 0,
            "--epochs",
            &self.epochs,
            "train for at least one epoch",
        )?;
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
            require(
                (MIN_BATCH..=MAX_BATCH).contains(&batch),
                "--batch",
                &batch,
                "a minibatch has 16 to 1048576 windows: positions are trained in spans of 16",
            )?;
        }
        require(
            self.clip > 0.0 && self.clip.is_finite(),
            "--clip",
            &self.clip,
            "the row limit must be a positive number; 0.25 is usual",
        )?;
        if let Some(share) = self.validation {
            require(
                share > 0.0 && share < 1.0,
                "--validation",
                &share,
                "a share of the sentences between 0 and 1; 0.01 is usual for a large corpus",
            )?;
        }
        if let Some(patience) = self.patience {
            require(
                patience > 0,
                "--patience",
                &patience,
                "wait for at least one epoch",
            )?;
            require(
                self.validation.is_some(),
                "--patience",
                &patience,
                "needs sentences to judge by: add --validation, such as 0.01",
            )?;
        }
        Ok(())
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

    /// The options that describe a configuration, typed again, give the same configuration.
    #[test]
    fn options_lead_back_to_the_settings() {
        let mut configs = [Preset::Word2vec, Preset::Gensim, Preset::Fasttext]
            .map(Config::preset)
            .to_vec();
        configs.push(Config {
            storage: Storage::F16,
            max_vocab: Some(9),
            fixed_window: true,
            validation: Some(0.25),
            ..Config::default()
        });
        let words = WordOptions {
            lowercase: true,
            vocab_memory: Some(4 << 30),
            ..WordOptions::default()
        };
        configs.push(Config {
            vocab: Some("words.txt".into()),
            words,
            ..Config::default()
        });
        for config in configs {
            let options = config.options().join(" ");
            assert_eq!(
                Typed::parse_from(format!("x {options}").split(' ')).config,
                config,
                "{options}"
            );
        }
        let options = Config {
            loss: Loss::Hs,
            ..Config::default()
        }
        .options()
        .join(" ");
        assert!(
            options.contains("--loss hs")
                && !options.contains("neg")
                && !options.contains("exponent"),
            "{options}"
        );
    }

    #[test]
    fn negatives_are_needed_for_negative_sampling_alone() {
        let none = Config {
            negative: 0,
            ..Config::default()
        };
        none.validate().unwrap_err();
        Config {
            loss: Loss::Hs,
            ..none
        }
        .validate()
        .unwrap();
    }

    #[test]
    fn every_setting_out_of_range_names_its_flag() {
        type Change = fn(&mut Config);
        let bad: [(&str, Change); 20] = [
            ("--init-output v.bin: with --loss hs", |c| {
                (c.loss, c.init_output) = (Loss::Hs, Some("v.bin".into()))
            }),
            ("--dim 0", |c| c.dim = 0),
            ("--dim 5000", |c| c.dim = 5000),
            ("--max-vocab", |c| c.max_vocab = Some(0)),
            ("--vocab-memory 5: counting needs", |c| {
                c.words.vocab_memory = Some(5)
            }),
            ("--vocab-memory 2000000: limits", |c| {
                (c.vocab, c.words.vocab_memory) = (Some("words.txt".into()), Some(2_000_000));
            }),
            ("--window 0", |c| c.window = 0),
            ("--negative 0: positive pairs alone", |c| c.negative = 0),
            ("--ns-exponent", |c| c.ns_exponent = f64::INFINITY),
            ("--sample", |c| c.sample = Some(-1.0)),
            ("--epochs", |c| c.epochs = 0),
            ("--lr NaN", |c| c.lr = f64::NAN),
            ("--lr -0.1", |c| c.lr = -0.1),
            ("--min-lr", |c| c.min_lr = Some(1.0)),
            ("--batch", |c| c.batch = Some(0)),
            ("--clip", |c| c.clip = f32::NAN),
            ("--validation 0", |c| c.validation = Some(0.0)),
            ("--validation NaN", |c| c.validation = Some(f64::NAN)),
            ("--patience 0", |c| {
                (c.validation, c.patience) = (Some(0.1), Some(0))
            }),
            ("--patience 2: needs", |c| c.patience = Some(2)),
        ];
        for (message, change) in bad {
            let mut config = Config::default();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
