//! The identity of the run that a checkpoint belongs to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::Xxh3;

use crate::batch::Batcher;
use crate::config::{Config, ObjectiveSettings, RanksSettings, ScheduleSettings};
use crate::engine::Engine;
use crate::error::shown;
use crate::quantity::{count, plural};
use crate::system::OsText;
use crate::train::dataset::Dataset;
use crate::train::init::Init;
use crate::vocab::Vocab;

/// Everything that decides the vectors of a run. A run that resumes is compared with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The settings by name; those left to be chosen have their chosen values.
    settings: Map<String, Value>,
    vocabulary: Digest,
    corpus: Digest,
    held_out: Option<Digest>,
    /// The vectors that the run started from.
    #[serde(default)]
    init: Init,
    /// The description of the engine, in one line that begins with its kind.
    engine: String,
}

/// The size of a vocabulary or text, and a hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Digest {
    words: u64,
    hash: u64,
}

impl Fingerprint {
    /// The fingerprint of a run on `data` by `engine` that starts from no given vectors.
    pub fn new(data: &Dataset, engine: &dyn Engine) -> Self {
        Self {
            settings: data.config.settings(),
            vocabulary: of_vocabulary(&data.vocab),
            corpus: of_text(&data.batcher),
            held_out: data.validation.as_deref().map(of_text),
            init: Init::default(),
            engine: engine.describe(),
        }
    }

    /// The fingerprint of the same run when it starts from the given vectors `init`.
    pub fn starting_from(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// The vectors that the run started from.
    pub fn init(&self) -> Init {
        self.init
    }

    /// The description of the run's engine, in one line that begins with its kind.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// The settings of `config`, with those left to be chosen as the checkpoint's run chose them.
    ///
    /// # Errors
    /// The settings that would change the vectors, each with its value in the checkpoint's run and
    /// in `config`.
    pub(super) fn complete(&self, config: &Config) -> Result<Config, String> {
        // A setting that did not exist then had the effect of its default.
        let defaults = Config::default().settings();
        let then = |name| {
            let then = self.settings.get(name).or_else(|| defaults.get(name));
            then.cloned().unwrap_or_default()
        };
        let config = Config {
            objective: ObjectiveSettings {
                sample: config.objective.sample.or_else(|| then("sample").as_f64()),
                ..(config.clone()).objective
            },
            schedule: ScheduleSettings {
                batch: config.schedule.batch.or_else(|| {
                    then("batch")
                        .as_u64()
                        .and_then(|batch| batch.try_into().ok())
                }),
                min_lr: config.schedule.min_lr.or_else(|| then("min_lr").as_f64()),
                ..(config.clone()).schedule
            },
            ranks: RanksSettings {
                ranks: config.ranks.ranks.or_else(|| {
                    then("ranks")
                        .as_u64()
                        .and_then(|ranks| ranks.try_into().ok())
                }),
                sync: config
                    .ranks
                    .sync
                    .or_else(|| serde_json::from_value(then("sync")).ok()),
            },
            ..config.clone()
        };
        let now = config.settings();
        let has_grown = |name: &str, then: &Value, now: &Value| {
            name == "epochs" && now.as_u64() > then.as_u64()
        };
        let (mut were, mut are) = (Vec::new(), Vec::new());
        for (name, now) in &now {
            let then = then(name);
            let (was, is) = (option(name, &then), option(name, now));
            if was != is && config.matters(name) && !has_grown(name, &then, now) {
                were.push(was);
                are.push(is);
            }
        }
        if were.is_empty() {
            return Ok(config);
        }
        let (were, are) = (were.join(" and "), are.join(" and "));
        Err(format!(
            "{were}, and this one {are}: give the options of then"
        ))
    }

    /// Checks that `data` is the data set of the checkpoint's run.
    ///
    /// # Errors
    /// The difference between that run and `data`.
    pub(super) fn check(&self, data: &Dataset) -> Result<(), String> {
        self.complete(&data.config)?;
        let (then, now) = (self.vocabulary, of_vocabulary(&data.vocab));
        if then != now {
            let how = if then.words == now.words {
                ", but others or others as often"
            } else {
                ""
            };
            return Err(format!(
                "another vocabulary, of {}, and this one {}{how}: give the CORPUS of then, and the \
                 options with which it was read",
                plural(then.words, "word"),
                count(now.words)
            ));
        }
        if self.corpus != of_text(&data.batcher)
            || self.held_out != data.validation.as_deref().map(of_text)
        {
            return Err(
                "the words of CORPUS in another order or other lines: give its files as they were \
                 then"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// A setting as it is typed.
fn option(name: &str, value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => format!("no `{name}`"),
        Value::Bool(true) => format!("`{name}`"),
        Value::String(text) => {
            let text = OsText::from(text.clone());
            format!("`{name} = {}`", shown(&text.to_path()))
        }
        other => format!("`{name} = {other}`"),
    }
}

fn of_vocabulary(vocab: &Vocab) -> Digest {
    let mut hash = Xxh3::new();
    for (word, count) in vocab.words().zip(vocab.counts()) {
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word.as_bytes());
        hash.update(&count.to_le_bytes());
    }
    Digest {
        words: vocab.len() as u64,
        hash: hash.digest(),
    }
}

fn of_text(batcher: &Batcher) -> Digest {
    Digest {
        words: batcher.store.tokens(),
        hash: batcher.store.digest(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{Loss, ModelKind};

    /// The fingerprint of a run on an empty corpus.
    pub(in crate::train::checkpoint) fn of(config: &Config) -> Fingerprint {
        let nothing = Digest { words: 0, hash: 0 };
        let engine = "cpu".to_owned();
        Fingerprint {
            settings: config.settings(),
            vocabulary: nothing,
            corpus: nothing,
            held_out: None,
            init: Init::default(),
            engine,
        }
    }

    #[test]
    fn what_would_change_the_vectors_is_named() {
        let resolved = Config::with(|config| {
            config.schedule.batch = Some(512);
            config.schedule.min_lr = Some(5e-6);
        });
        let run = of(&resolved);
        // A run of before there was `model` trained skip-gram.
        let mut earlier = run.clone();
        earlier.settings.remove("model").unwrap();
        earlier.complete(&resolved).unwrap();
        let other = Config::with(|config| config.objective.model = ModelKind::Cbow);
        assert!(
            earlier
                .complete(&other)
                .unwrap_err()
                .contains("`model = skip-gram`")
        );
        // Settings left to be chosen keep their values, and more epochs are allowed.
        assert_eq!(run.complete(&Config::default()).unwrap(), resolved);
        assert_eq!(
            run.complete(&Config::with(|config| config.schedule.epochs = 9))
                .unwrap()
                .schedule
                .batch,
            Some(512)
        );
        for (config, expected) in [
            (
                Config::with(|config| config.schedule.epochs = 4),
                "`epochs = 5`, and this one `epochs = 4`",
            ),
            (
                Config::with(|config| config.schedule.batch = Some(256)),
                "`batch = 512`, and this one `batch = 256`",
            ),
            (
                Config::with(|config| config.vocabulary.max_vocab = Some(9)),
                "no `max_vocab`, and this one `max_vocab = 9`",
            ),
            (
                Config::with(|config| {
                    config.objective.fixed_window = true;
                    config.model.seed = 2;
                }),
                "`seed = 1` and no `fixed_window`, and this one",
            ),
            (
                Config::with(|config| config.schedule.lr = 0.1 + 0.2),
                "`lr = 0.05`, and this one `lr = 0.30000000000000004`",
            ),
        ] {
            let why = run.complete(&config).unwrap_err();
            assert!(why.starts_with(expected), "{why}");
        }
        // Without negatives, the settings of negatives have no effect.
        let run = of(&Config {
            objective: ObjectiveSettings {
                loss: Loss::Hs,
                ..resolved.objective
            },
            ..resolved
        });
        run.complete(&Config::with(|config| {
            config.objective.loss = Loss::Hs;
            config.objective.negatives.negative = 9;
        }))
        .unwrap();
    }
}
