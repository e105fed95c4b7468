//! The settings of a training run, in groups. Most groups are defined in the module that uses them.
//!
//! Settings have flat names wherever they are written: `{"dim": 100, "epochs": 5}` in JSON,
//! `dim = 100` in TOML. Serde reads a configuration from either. An unknown name is refused, and a
//! setting that is not given has its default.
//!
//! ```
//! use w2v_gpu::config::Config;
//!
//! let config: Config = serde_json::from_str(r#"{"dim": 50, "loss": "hs"}"#).unwrap();
//! assert_eq!((config.model.dim, config.schedule.epochs), (50, 5));
//! assert!(serde_json::from_str::<Config>(r#"{"dimm": 50}"#).is_err());
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Map, Value};

pub use crate::batch::{CbowGradient, Loss, ModelKind, NegativesPer, ObjectiveSettings};
use crate::batch::{MAX_BATCH, MIN_BATCH};
use crate::error::{Error, Result, shown};
pub use crate::model::ModelSettings;
use crate::model::{Model, Storage};
#[cfg(feature = "cli")]
use crate::setting::{AUTO, given};
use crate::setting::{Conditional, OrAuto, require};
use crate::subwords::SubwordTable;
use crate::system::optional_path;
use crate::vectors::format::{FastTextModel, Reading};
use crate::vocab::Vocab;
pub use crate::vocab::VocabularySettings;

/// The settings of a training run. The defaults measured best on real text; they are not word2vec's
/// own.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Map<String, Value>")]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct Config {
    /// The shape of the model.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub model: ModelSettings,
    /// The vectors to start from.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub init: InitSettings,
    /// The rules that choose the vocabulary.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub vocabulary: VocabularySettings,
    /// The loss, the windows and the negatives.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub objective: ObjectiveSettings,
    /// Number of epochs, learning rate and size of a step.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub schedule: ScheduleSettings,
    /// The sentences that are held out.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub validation: ValidationSettings,
    /// The ranks that train together.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub ranks: RanksSettings,
}

/// The vectors to start from.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct InitSettings {
    /// Start from the vectors in FILE, of any format that is written, for the words that it has;
    /// others as usual. With --subwords, from the rows of a model of fastText
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "VECTORS", help_heading = "Model")
    )]
    #[serde(with = "optional_path")]
    pub init: Option<PathBuf>,
    /// Start the context vectors (W') likewise, as --save-output writes them or a model of fastText
    /// has them; otherwise they start from zero
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "VECTORS", help_heading = "Model")
    )]
    #[serde(with = "optional_path")]
    pub init_output: Option<PathBuf>,
    /// How the files of these two settings are read.
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(skip)]
    pub reading: Reading,
}

/// Number of epochs, learning rate and size of a step.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct ScheduleSettings {
    /// Passes over the corpus
    #[cfg_attr(feature = "cli", arg(
        long,
        visible_alias = "iter",
        default_value_t = ScheduleSettings::default().epochs,
        value_name = "N",
        help_heading = "Training"
    ))]
    pub epochs: u32,
    /// Learning rate at the start; it falls linearly [default: 0.05; 0.15 with --model cbow]
    #[cfg_attr(feature = "cli", arg(
        long,
        visible_alias = "alpha",
        default_value_t = ScheduleSettings::default().lr,
        hide_default_value = true,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    ))]
    pub lr: f64,
    /// Learning rate below which it does not fall [default: a ten-thousandth of --lr]
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "X",
            allow_negative_numbers = true,
            help_heading = "Training"
        )
    )]
    pub min_lr: Option<f64>,
    /// Windows in a minibatch; auto is a two-thousandth of the run, 16 to 65536
    #[cfg_attr(feature = "cli", arg(
        long,
        value_parser = given::<usize>,
        default_value = AUTO,
        value_name = "WINDOWS",
        allow_negative_numbers = true,
        help_heading = "Training"
    ))]
    pub batch: OrAuto<usize>,
    /// Longest step of a row in one minibatch (its Euclidean length)
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = ScheduleSettings::default().clip,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    ))]
    pub clip: f32,
    /// Train on the text in its own order
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Training"))]
    pub no_shuffle: bool,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self {
            epochs: 5,
            lr: 0.05,
            min_lr: None,
            batch: None,
            clip: 0.25,
            no_shuffle: false,
        }
    }
}

/// Which sentences are held out, and what their loss decides.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct ValidationSettings {
    /// Hold out this share of the sentences, and report their loss after each epoch
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "SHARE",
            allow_negative_numbers = true,
            help_heading = "Training"
        )
    )]
    pub validation: Option<f64>,
    /// Stop after N epochs in a row whose validation loss is no new low, and keep the vectors of
    /// the lowest
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", help_heading = "Training")
    )]
    pub patience: Option<u32>,
}

/// The ranks that train together: engines with a share of the text each.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct RanksSettings {
    /// Number of ranks, each of which trains on its share of the text; auto is one for each
    /// --adapter, and one otherwise. The same number gives the same vectors
    #[cfg_attr(feature = "cli", arg(
        long,
        value_parser = given::<usize>,
        default_value = AUTO,
        value_name = "N",
        help_heading = "Ranks"
    ))]
    pub ranks: OrAuto<usize>,
    /// Windows that each rank trains on before the ranks combine what they have learned; auto is a
    /// 2,500th of the run over all ranks. `exact` makes every step one of all ranks, on the CPU,
    /// with the vectors of a single rank
    #[cfg_attr(feature = "cli", arg(
        long,
        value_parser = given::<Sync>,
        default_value = AUTO,
        value_name = "WINDOWS|exact",
        help_heading = "Ranks"
    ))]
    pub sync: OrAuto<Sync>,
}

/// When several ranks combine what they have learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Sync {
    /// In every step.
    Exact,
    /// After so many windows of each rank, at least 1.
    Windows(u64),
}

/// The word for [`Sync::Exact`].
const EXACT: &str = "exact";

impl FromStr for Sync {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == EXACT {
            return Ok(Self::Exact);
        }
        let windows = text.parse().map(Self::Windows);
        windows.map_err(|error| format!("no number of windows ({error}), nor {EXACT}"))
    }
}

impl TryFrom<Value> for Sync {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
            .parse()
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => out.write_str(EXACT),
            Self::Windows(windows) => windows.fmt(out),
        }
    }
}

impl From<Sync> for Value {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Exact => EXACT.into(),
            Sync::Windows(windows) => windows.into(),
        }
    }
}

/// The most ranks of a run.
pub const MAX_RANKS: usize = 1024;

impl RanksSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        if let Some(ranks) = self.ranks {
            let why = "a run has 1 to 1024 ranks";
            require((1..=MAX_RANKS).contains(&ranks), "ranks", ranks, why)?;
        }
        if self.sync == Some(Sync::Windows(0)) {
            let why = "must be a number of windows above 0, `exact` or `auto`: ranks that never \
                       meet train models of their own";
            return Err(Error::setting("sync", 0, why));
        }
        Ok(())
    }
}

/// The other trainers whose defaults `--preset` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Preset {
    /// word2vec.c.
    Word2vec,
    /// gensim 4's `Word2Vec`.
    Gensim,
    /// fastText's `skipgram` or `cbow`, with `-maxn 0`: without subwords.
    Fasttext,
}

/// The default `lr` of CBOW. It moves each word of a window once for all targets of the window.
const CBOW_LR: f64 = 0.15;

impl Config {
    /// The default settings after `change` was applied to them.
    ///
    /// ```
    /// use w2v_gpu::config::Config;
    ///
    /// let config = Config::with(|config| config.model.dim = 300);
    /// assert_eq!((config.model.dim, config.model.seed), (300, 1));
    /// ```
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut config = Self::default();
        change(&mut config);
        config
    }

    /// The default settings of a model.
    pub fn of(model: ModelKind) -> Self {
        Self::with(|config| {
            config.objective.model = model;
            if model == ModelKind::Cbow {
                config.schedule.lr = CBOW_LR;
            }
        })
    }

    /// A model of a run with these settings, which stand in the header of fastText's file.
    pub fn fasttext_model<'a>(
        &self,
        vocab: &'a Vocab,
        subwords: Option<&'a SubwordTable>,
        model: &'a Model,
    ) -> FastTextModel<'a> {
        let objective = &self.objective;
        FastTextModel {
            vocab,
            subwords,
            input: &model.input,
            output: &model.output,
            window: objective.window,
            epochs: self.schedule.epochs,
            min_count: self.vocabulary.min_count,
            negatives: objective.negatives.negative,
            loss: objective.loss,
            kind: objective.model,
            sample: objective.sample.unwrap_or(0.0),
        }
    }

    /// Another trainer's defaults for a model, under our names. Settings that other trainers lack
    /// (`batch`, `clip`) keep our defaults.
    pub fn preset(preset: Preset, model: ModelKind) -> Self {
        let mut config = Self::of(model);
        config.objective.cbow.cbow_gradient = CbowGradient::Whole;
        config.objective.negatives.negatives_per = NegativesPer::Pair;
        config.objective.sample = Some(1e-3);
        config.schedule.lr = 0.025;
        match preset {
            Preset::Word2vec if model == ModelKind::Cbow => config.schedule.lr = 0.05,
            Preset::Word2vec => {}
            Preset::Gensim => config.schedule.min_lr = Some(1e-4),
            // fastText draws negatives by the square root of their counts. Its learning rate falls
            // to 0.
            Preset::Fasttext => {
                config.objective.sample = Some(1e-4);
                config.objective.negatives.ns_exponent = 0.5;
                config.schedule.lr = 0.05;
                config.schedule.min_lr = Some(0.0);
            }
        }
        config
    }

    /// All settings by name, as JSON values.
    pub fn settings(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(settings)) => settings,
            _ => Map::new(),
        }
    }

    /// The settings that have an effect under another setting alone.
    pub fn conditional(&self) -> impl Iterator<Item = Conditional> {
        let of_model = std::iter::once(self.model.conditional());
        of_model.chain(self.objective.conditional())
    }

    /// Whether a setting has an effect with the others as they are.
    pub fn matters(&self, setting: &str) -> bool {
        let idle =
            |group: &Conditional| !group.holds && group.names.iter().any(|name| name == setting);
        !self.conditional().any(|group| idle(&group))
    }

    /// Checks that so many ranks can train what the settings ask for. `on_cpu` says whether the
    /// ranks' engines are on the CPU.
    ///
    /// # Errors
    /// [`Error::Setting`] where they cannot.
    pub(crate) fn check_ranks(&self, on_cpu: bool) -> Result<()> {
        let RanksSettings { ranks, sync } = self.ranks;
        let Some(ranks) = ranks else {
            let Some(sync) = sync else { return Ok(()) };
            let why = "is for several ranks, and this run has one; leave it out, or add `ranks`";
            return Err(Error::setting("sync", sync, why));
        };
        require(
            self.objective.loss != Loss::Softmax,
            "ranks",
            ranks,
            "a full softmax moves every row of W' in each step, which ranks would have to send \
             each other; use `loss = ns`, or leave out `ranks`",
        )?;
        require(
            self.model.subwords.is_none(),
            "ranks",
            ranks,
            "cannot share the rows of n-grams yet; leave out `subwords` or `ranks`",
        )?;
        require(
            self.model.storage == Storage::F32,
            "ranks",
            ranks,
            "with `storage = f16` rows would be rounded each time that ranks combine them; leave \
             one of the two out",
        )?;
        require(
            on_cpu || sync != Some(Sync::Exact),
            "sync",
            EXACT,
            "is for the CPU; use `engine = cpu`, or a number of windows",
        )
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        if let Some(path) = &self.init.init_output {
            require(
                self.objective.loss != Loss::Hs,
                "init_output",
                shown(path),
                "with `loss = hs` W' has rows of the tree's inner nodes, and none of words that \
                 vectors could be for; leave it out",
            )?;
        }
        self.vocabulary.validate()?;
        if let Some(subwords) = self.model.subwords {
            require(
                self.objective.loss != Loss::Softmax,
                "subwords",
                subwords,
                "cannot be trained with `loss = softmax`, which takes the rows of W as they are; \
                 use `loss = ns` or `loss = hs`",
            )?;
        }
        self.objective.validate()?;
        self.schedule.validate()?;
        self.validation.validate()?;
        self.ranks.validate()
    }
}

impl TryFrom<Map<String, Value>> for Config {
    type Error = String;

    /// Takes the settings given by name. All others have their defaults.
    fn try_from(given: Map<String, Value>) -> std::result::Result<Self, String> {
        let known = Self::default().settings();
        if let Some(name) = given.keys().find(|name| !known.contains_key(*name)) {
            let edits = |known: &&String| strsim::osa_distance(known, name);
            let nearest = known
                .keys()
                .min_by_key(edits)
                .filter(|known| edits(known) <= 2);
            let hint = nearest.map_or_else(String::new, |known| {
                format!("; is it {known} that is meant?")
            });
            return Err(format!("{name:?} is no setting{hint}"));
        }
        let given = Value::Object(given);
        let group = |error: serde_json::Error| error.to_string();
        Ok(Self {
            model: serde::Deserialize::deserialize(&given).map_err(group)?,
            init: serde::Deserialize::deserialize(&given).map_err(group)?,
            vocabulary: serde::Deserialize::deserialize(&given).map_err(group)?,
            objective: serde::Deserialize::deserialize(&given).map_err(group)?,
            schedule: serde::Deserialize::deserialize(&given).map_err(group)?,
            validation: serde::Deserialize::deserialize(&given).map_err(group)?,
            ranks: serde::Deserialize::deserialize(&given).map_err(group)?,
        })
    }
}

impl ScheduleSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        require(
            self.epochs > 0,
            "epochs",
            self.epochs,
            "train for at least one epoch",
        )?;
        require(
            self.lr.is_finite() && self.lr > 0.0,
            "lr",
            self.lr,
            "the learning rate must be a positive number; 0.025 to 0.05 are usual, 0.05 to 0.15 \
             with `model = cbow`",
        )?;
        if let Some(min_lr) = self.min_lr {
            require(
                (0.0..=self.lr).contains(&min_lr),
                "min_lr",
                min_lr,
                "must be from 0 up to the learning rate at the start (`lr`)",
            )?;
        }
        if let Some(batch) = self.batch {
            require(
                (MIN_BATCH..=MAX_BATCH).contains(&batch),
                "batch",
                batch,
                "a minibatch has 16 to 1048576 windows: positions are trained in spans of 16",
            )?;
        }
        require(
            self.clip > 0.0 && self.clip.is_finite(),
            "clip",
            self.clip,
            "the row limit must be a positive number; 0.25 is usual",
        )
    }
}

impl ValidationSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        if let Some(share) = self.validation {
            require(
                share > 0.0 && share < 1.0,
                "validation",
                share,
                "a share of the sentences between 0 and 1; 0.01 is usual for a large corpus",
            )?;
        }
        let Some(patience) = self.patience else {
            return Ok(());
        };
        require(
            patience > 0,
            "patience",
            patience,
            "wait for at least one epoch",
        )?;
        require(
            self.validation.is_some(),
            "patience",
            patience,
            "needs sentences to judge by: add `validation`, such as 0.01",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        Config::default().validate().unwrap();
    }

    /// A configuration that is written and read again is unchanged, in JSON and in TOML.
    #[test]
    fn a_configuration_reads_back() {
        let mut config = Config::preset(Preset::Fasttext, ModelKind::SkipGram);
        config.model.dim = 7;
        config.init.init = Some("old.bin".into());
        config.vocabulary.words.lowercase = true;
        config.validation.validation = Some(0.5);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
        let toml = "dim = 7\nloss = \"softmax\"\nlowercase = true\nsample = 1e-3";
        let read: Config = toml::from_str(toml).unwrap();
        assert_eq!((read.model.dim, read.objective.loss), (7, Loss::Softmax));
        assert_eq!(
            (read.vocabulary.words.lowercase, read.objective.sample),
            (true, Some(1e-3))
        );
    }

    #[test]
    fn names_and_values_that_are_none_are_refused() {
        for (text, why) in [
            (
                r#"{"dimm": 3}"#,
                "\"dimm\" is no setting; is it dim that is meant?",
            ),
            (r#"{"frequency": 3}"#, "\"frequency\" is no setting"),
            (r#"{"dim": "many"}"#, "invalid type: string \"many\""),
            (r#"{"loss": "l2"}"#, "unknown variant `l2`"),
        ] {
            let error = serde_json::from_str::<Config>(text)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn negatives_are_needed_for_negative_sampling_alone() {
        let none = Config::with(|config| config.objective.negatives.negative = 0);
        none.validate().unwrap_err();
        Config {
            objective: ObjectiveSettings {
                loss: Loss::Hs,
                ..none.objective
            },
            ..none
        }
        .validate()
        .unwrap();
    }

    #[test]
    fn every_setting_out_of_range_is_named() {
        type Change = fn(&mut Config);
        let bad: [(&str, Change); 23] = [
            ("`init_output` v.bin: with `loss = hs`", |c| {
                (c.objective.loss, c.init.init_output) = (Loss::Hs, Some("v.bin".into()))
            }),
            ("`dim` 0", |c| c.model.dim = 0),
            ("`dim` 5000", |c| c.model.dim = 5000),
            ("`max_vocab`", |c| c.vocabulary.max_vocab = Some(0)),
            ("`vocab_memory` 5: counting needs", |c| {
                c.vocabulary.words.counting.vocab_memory = Some(5)
            }),
            ("`vocab_memory` 2000000: limits", |c| {
                (c.vocabulary.vocab, c.vocabulary.words.counting.vocab_memory) =
                    (Some("words.txt".into()), Some(2_000_000));
            }),
            ("`window` 0", |c| c.objective.window = 0),
            ("`negative` 0: positive pairs alone", |c| {
                c.objective.negatives.negative = 0
            }),
            ("`ns_exponent`", |c| {
                c.objective.negatives.ns_exponent = f64::INFINITY
            }),
            ("`ns_exponent` NaN", |c| {
                c.objective.negatives.ns_exponent = f64::NAN
            }),
            ("`ns_exponent` 100", |c| {
                c.objective.negatives.ns_exponent = 100.0
            }),
            ("`ns_exponent` -1000", |c| {
                c.objective.negatives.ns_exponent = -1000.0
            }),
            ("`sample`", |c| c.objective.sample = Some(-1.0)),
            ("`epochs`", |c| c.schedule.epochs = 0),
            ("`lr` NaN", |c| c.schedule.lr = f64::NAN),
            ("`lr` -0.1", |c| c.schedule.lr = -0.1),
            ("`min_lr`", |c| c.schedule.min_lr = Some(1.0)),
            ("`batch`", |c| c.schedule.batch = Some(0)),
            ("`clip`", |c| c.schedule.clip = f32::NAN),
            ("`validation` 0", |c| c.validation.validation = Some(0.0)),
            ("`validation` NaN", |c| {
                c.validation.validation = Some(f64::NAN)
            }),
            ("`patience` 0", |c| {
                (c.validation.validation, c.validation.patience) = (Some(0.1), Some(0))
            }),
            ("`patience` 2: needs", |c| c.validation.patience = Some(2)),
        ];
        for (message, change) in bad {
            let mut config = Config::default();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
