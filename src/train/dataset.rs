//! A corpus made ready for training: its vocabulary, its encoded text, and the targets of its
//! windows.

use std::borrow::Cow;
use std::sync::Arc;

use super::cache::Cache;
use super::schedule::{Schedule, auto_batch, auto_batch_of_rank, auto_sync};
use crate::batch::{Batcher, HuffmanTree, Negatives, SPAN, Targets, Windows};
use crate::config::{Config, Loss, NegativesPer, ScheduleSettings, Sync};
use crate::corpus::{Contents, Corpus, Expected, HeldOut, TokenStore};
use crate::engine::choice::StepSettings;
use crate::engine::{LossFunction, Objective};
use crate::error::{Error, Result};
use crate::event::{Event, Pass, Prepared};
use crate::model::{Embedding, Matrix, Model};
use crate::quantity::plural;
use crate::sampling::{AliasTable, Subsampler, auto_sample};
use crate::subwords::SubwordTable;
use crate::system::check_store;
use crate::vectors::compose;
use crate::vocab::{Rules, Selection, Vocab, WordCounts, read_counts};

/// A corpus ready to be trained on.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The vocabulary.
    pub vocab: Vocab,
    /// Makes the batches of the run.
    pub batcher: Arc<Batcher>,
    /// Makes the batches of the sentences held out: one epoch, with the same batches on every call.
    pub validation: Option<Arc<Batcher>>,
    /// The numbers of words and oddities that were found in the corpus.
    pub prepared: Prepared,
    /// The configuration; settings left to be chosen have their chosen values.
    pub config: Config,
}

impl Dataset {
    /// Prepares a corpus on the threads of the current rayon pool. Its words are counted, or their
    /// counts are taken from [`vocab`](crate::vocab::VocabularySettings::vocab); then the text is encoded.
    ///
    /// # Errors
    /// An error when the configuration, a file or the resulting vocabulary is not fit for training.
    pub fn prepare(
        corpus: &Corpus,
        config: &Config,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<Self> {
        Self::prepare_cached(corpus, config, None, on_event)
    }

    /// Prepares a corpus like [`Dataset::prepare`], with a cache. A corpus that an earlier run has
    /// cached is taken from there; otherwise it is written there for the next run.
    ///
    /// # Errors
    /// As [`Dataset::prepare`]. A failure of the cache is an event, not an error.
    pub fn prepare_cached(
        corpus: &Corpus,
        config: &Config,
        cache: Option<&Cache>,
        mut on_event: impl FnMut(Event) + Send,
    ) -> Result<Self> {
        config.validate()?;
        let rules = Rules::read(&config.vocabulary.words)?;
        let contents = match cache {
            None => read(corpus, config, &rules, &mut on_event)?,
            Some(cache) => cache.contents(corpus, config, &rules, &mut on_event, |on_event| {
                read(corpus, config, &rules, on_event)
            })?,
        };
        Self::new(contents, config, on_event)
    }

    /// Prepares a corpus like [`Dataset::prepare`], with a vocabulary that is chosen already. Its
    /// order is kept. The settings that choose a vocabulary have no effect.
    ///
    /// # Errors
    /// As [`Dataset::prepare`].
    pub fn prepare_with(
        corpus: &Corpus,
        vocab: Vocab,
        config: &Config,
        mut on_event: impl FnMut(Event) + Send,
    ) -> Result<Self> {
        config.validate()?;
        let rules = Rules::read(&config.vocabulary.words)?;
        let selection = Selection {
            different: vocab.len() as u64,
            tokens: vocab.tokens(),
            ..Selection::default()
        };
        let chosen = (vocab, selection);
        let contents = encoded(
            &corpus.read_once(),
            config,
            &rules,
            chosen,
            None,
            &mut on_event,
        )?;
        Self::new(contents, config, on_event)
    }

    fn new(contents: Contents, config: &Config, mut on_event: impl FnMut(Event)) -> Result<Self> {
        let Contents {
            vocab,
            selection,
            encoded,
        } = contents;
        let held_out = encoded.held_out.as_ref().map_or(0, TokenStore::tokens);
        let sample = config
            .objective
            .sample
            .unwrap_or_else(|| auto_sample(vocab.len()));
        let subsampler = Subsampler::new(vocab.counts(), sample);
        let tokens = encoded.store.tokens();
        let prepared = Prepared {
            text: encoded.report,
            selection,
            vocabulary: vocab.len() as u64,
            tokens,
            held_out,
            sample,
            kept: subsampler.expected() * tokens as f64 / vocab.tokens() as f64,
        };
        on_event(Event::Prepared(prepared));

        let config = resolved(config, &prepared);
        let batch = config.schedule.batch.expect("resolved just above");
        let targets = Arc::new(targets(&vocab, &config));
        let subwords = config.model.ngrams().map(|ngrams| {
            let words = vocab.words().zip(vocab.counts().iter().copied());
            Arc::new(SubwordTable::new(ngrams, words))
        });
        let batcher = |store, epochs| {
            Arc::new(Batcher {
                store,
                subsampler: subsampler.clone(),
                targets: Arc::clone(&targets),
                inputs: config.objective.inputs(),
                words: vocab.len(),
                subwords: subwords.clone(),
                windows: Windows {
                    window: config.objective.window,
                    fixed: config.objective.fixed_window,
                },
                epochs,
                seed: config.model.seed,
                shuffle: !config.schedule.no_shuffle,
                span: SPAN,
                batch,
            })
        };
        let validation = encoded.held_out.map(|store| batcher(store, 1));
        if let Some(validation) = &validation {
            check_shares(&encoded.store, validation, &config)?;
        }
        if !encoded.store.has_pair()? {
            return Err(Error::NoPairs {
                why: "no line of the corpus holds two words of the vocabulary, and a line is a \
                      sentence; lower `min_count`, or join lines that belong together"
                    .to_owned(),
            });
        }
        let batcher = batcher(encoded.store, config.schedule.epochs);
        check_blocks(&batcher, &config)?;
        Ok(Self {
            vocab,
            batcher,
            validation,
            prepared,
            config,
        })
    }

    /// From now on, cuts the text into minibatches of about `windows` windows.
    ///
    /// # Panics
    /// When batches are being made, or the data set was cloned.
    pub fn set_batch(&mut self, windows: usize) {
        Arc::get_mut(&mut self.batcher)
            .expect("nobody else holds the batcher")
            .batch = windows;
        self.config.schedule.batch = Some(windows);
    }

    /// From now on, makes spans of at most `windows` windows. This is for measurements: training
    /// has spans of [`SPAN`].
    ///
    /// # Panics
    /// When batches are being made, or the data set was cloned.
    pub fn set_span(&mut self, windows: usize) {
        Arc::get_mut(&mut self.batcher)
            .expect("nobody else holds the batcher")
            .span = windows;
    }

    /// Number of words of all epochs.
    pub fn total_words(&self) -> u64 {
        self.batcher.store.tokens() * u64::from(self.batcher.epochs)
    }

    /// Words of the corpus that hold so many windows, on average, at least one.
    pub(super) fn words_of(&self, windows: f64) -> u64 {
        let share = self.prepared.kept / self.batcher.store.tokens() as f64;
        ((windows / share) as u64).max(1)
    }

    /// Number of windows of all epochs, on average.
    pub(super) fn kept(&self) -> f64 {
        self.prepared.kept * f64::from(self.batcher.epochs)
    }

    /// Number of ranks that the text is dealt to: one where they share every batch.
    pub(super) fn dealt_ranks(&self) -> usize {
        match self.config.ranks.sync {
            Some(Sync::Exact) => 1,
            _ => self.config.ranks.ranks.unwrap_or(1),
        }
    }

    /// Whether rows of W' are those of a tree.
    pub(super) fn has_tree(&self) -> bool {
        self.config.objective.loss == Loss::Hs
    }

    /// How an engine makes its steps.
    pub fn step_settings(&self) -> StepSettings {
        StepSettings {
            clip: self.config.schedule.clip,
            storage: self.config.model.storage,
            seed: self.config.model.seed,
        }
    }

    /// The loss that an engine computes.
    pub fn objective(&self) -> Objective {
        Objective {
            inputs: self.batcher.inputs,
            loss: match self.config.objective.loss {
                Loss::Hs if self.config.objective.tree.arity > 2 => LossFunction::Choice {
                    branches: self.config.objective.tree.arity,
                },
                Loss::Ns | Loss::Hs => LossFunction::Sigmoid,
                Loss::Softmax => LossFunction::Softmax,
            },
            subwords: self.batcher.subwords.is_some(),
        }
    }

    /// Number of multiply-adds that a run with the full softmax takes. Each batch takes three
    /// products of its different centers, all words and all dimensions. The number of different
    /// centers is estimated from the words' frequencies.
    pub fn softmax_operations(&self) -> f64 {
        let (dim, window) = (self.config.model.dim, self.config.objective.window);
        let epochs = self.config.schedule.epochs;
        let windows = self.prepared.kept * f64::from(epochs);
        // A span has a center at each of its positions, and centers beyond it that its windows
        // reach.
        let centers = self.batcher.batch as f64 * (1.0 + f64::from(window) / SPAN as f64);
        let kept = self.batcher.subsampler.expected();
        let different = |(id, &count): (usize, &u64)| {
            let share = count as f64 * self.batcher.subsampler.probability(id as u32) / kept;
            -(-share * centers).exp_m1()
        };
        let different: f64 = self.vocab.counts().iter().enumerate().map(different).sum();
        3.0 * different
            * (self.vocab.len() * dim) as f64
            * (windows / self.batcher.batch as f64).ceil()
    }

    /// The vectors of the words in a model of this run. Words that are composed of parts are composed
    /// here.
    pub fn embedding<'a>(&self, model: &'a Model, which: Embedding) -> Cow<'a, Matrix> {
        let Some(table) = &self.batcher.subwords else {
            return model.embedding(which);
        };
        match which {
            Embedding::Input => Cow::Owned(compose(table, &model.input)),
            Embedding::Output => Cow::Borrowed(&model.output),
            Embedding::Average => Cow::Owned(compose(table, &model.input).mean_with(&model.output)),
        }
    }

    /// The model that training starts from when no vectors are given (see
    /// [`crate::train::init::start`]).
    pub fn model(&self) -> Model {
        Model::with_rows(
            self.batcher.input_rows(),
            self.batcher.output_rows(),
            self.config.model.dim,
            self.config.model.seed,
        )
    }
}

/// Counts and encodes a corpus.
fn read(
    corpus: &Corpus,
    config: &Config,
    rules: &Rules,
    on_event: &mut (impl FnMut(Event) + Send),
) -> Result<Contents> {
    let once;
    let corpus = if config.vocabulary.vocab.is_some() {
        once = corpus.read_once();
        &once
    } else {
        corpus
    };
    let (counts, words) = counted(corpus, config, rules, on_event)?;
    let (vocab, selection) = Vocab::select(
        &counts,
        config.vocabulary.min_count,
        config.vocabulary.max_vocab,
        rules,
    )?;
    drop(counts);
    let exact = selection.undercount == 0;
    if words.is_some() {
        check_store(selection.tokens)?;
    }
    let expected = words.map(|words| Expected {
        words,
        tokens: exact.then_some(selection.tokens),
    });
    encoded(
        corpus,
        config,
        rules,
        (vocab, selection),
        expected,
        on_event,
    )
}

/// Checks that there are words enough for a pair.
fn check_words(vocab: &Vocab) -> Result<()> {
    if vocab.len() >= 2 {
        return Ok(());
    }
    Err(Error::NoPairs {
        why:
            "only one word is in the vocabulary, and a pair needs two; lower `min_count` or raise \
              `max_vocab`"
                .to_owned(),
    })
}

/// Encodes a corpus by a chosen vocabulary.
fn encoded(
    corpus: &Corpus,
    config: &Config,
    rules: &Rules,
    (vocab, selection): (Vocab, Selection),
    expected: Option<Expected>,
    on_event: &mut (impl FnMut(Event) + Send),
) -> Result<Contents> {
    check_words(&vocab)?;
    let held_out = config
        .validation
        .validation
        .map(|share| HeldOut::new(share, config.model.seed));
    let reading = corpus.reading(Pass::Encode, on_event);
    let encoded = corpus.encode(&vocab, rules.normalization, held_out, expected, reading)?;
    encoded.report.check_words()?;
    if encoded.store.tokens() + encoded.held_out.as_ref().map_or(0, TokenStore::tokens) == 0 {
        let why =
            "no word of the vocabulary occurs in the corpus; check that `vocab` was made from such \
             text".to_owned();
        return Err(Error::NoPairs { why });
    }
    Ok(Contents {
        vocab,
        selection,
        encoded,
    })
}

/// The words with their counts, and the number of all words of the text. Counts that a file gives
/// come without that number.
fn counted(
    corpus: &Corpus,
    config: &Config,
    rules: &Rules,
    on_event: &mut (impl FnMut(Event) + Send),
) -> Result<(WordCounts, Option<u64>)> {
    let Some(path) = &config.vocabulary.vocab else {
        let reading = corpus.reading(Pass::Count, on_event);
        let (counts, report) = corpus.count(rules, reading)?;
        report.check_words()?;
        return Ok((counts, Some(report.words)));
    };
    let note = |what| {
        on_event(Event::Noted {
            path: path.clone(),
            what,
        })
    };
    let counts = read_counts(path, rules, config.init.reading.strict, note)?;
    Ok((counts, None))
}

/// The configuration with the values of settings that were left to be chosen.
fn resolved(config: &Config, prepared: &Prepared) -> Config {
    let mut config = config.clone();
    let ScheduleSettings {
        epochs, lr, min_lr, ..
    } = config.schedule;
    let windows = prepared.kept * f64::from(epochs);
    let ranks = config.ranks.ranks.unwrap_or(1);
    let batch = || match config.ranks.sync {
        Some(Sync::Exact) => auto_batch(windows),
        _ => auto_batch_of_rank(windows, ranks),
    };
    let batch = config.schedule.batch.unwrap_or_else(batch);
    if ranks > 1 {
        let sync = || Sync::Windows(auto_sync(windows, ranks));
        config.ranks.sync = Some(config.ranks.sync.unwrap_or_else(sync));
    }
    config.objective.sample = Some(prepared.sample);
    config.schedule.batch = Some(batch);
    config.schedule.min_lr = Some(Schedule::new(lr, min_lr, prepared.tokens).min_lr());
    config
}

fn targets(vocab: &Vocab, config: &Config) -> Targets {
    match config.objective.loss {
        Loss::Ns => Targets::Negatives(Negatives {
            noise: AliasTable::noise(vocab.counts(), config.objective.negatives.ns_exponent),
            count: config.objective.negatives.negative,
            per_pair: config.objective.negatives.negatives_per == NegativesPer::Pair,
            skip_equal: !config.objective.negatives.no_skip_equal,
        }),
        Loss::Hs => Targets::Path(HuffmanTree::new(
            vocab.counts(),
            config.objective.tree.arity,
        )),
        Loss::Softmax => Targets::Context,
    }
}

/// Checks that there is text to train on, and a pair to validate with.
fn check_shares(store: &TokenStore, validation: &Arc<Batcher>, config: &Config) -> Result<()> {
    let refuse = |why: &str| {
        let value = config.validation.validation.unwrap_or_default().to_string();
        Err(Error::setting("validation", value, why))
    };
    if store.tokens() == 0 {
        return refuse("leaves no sentence to train on; hold out a smaller share");
    }
    for batch in validation.batches(1) {
        if batch?.examples() > 0 {
            return Ok(());
        }
    }
    refuse(
        "no two words of the vocabulary stand in one sentence of those held out; hold out a larger \
         share",
    )
}

/// Checks that each rank has a block of every group to train on.
fn check_blocks(batcher: &Batcher, config: &Config) -> Result<()> {
    let (ranks, most) = (config.ranks.ranks.unwrap_or(1), batcher.most_ranks());
    if ranks <= most || config.ranks.sync == Some(Sync::Exact) {
        return Ok(());
    }
    let why = format!(
        "the text has {}, and each rank needs one of its own: at most {} can share it",
        plural(batcher.store.blocks() as u64, "block of 16,384 words"),
        plural(most as u64, "rank")
    );
    Err(Error::setting("ranks", ranks, why))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Compares the estimate with the numbers of centers that the batches really hold.
    #[test]
    fn the_work_of_a_softmax_is_estimated_well() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus.txt");
        let corpus = Corpus::open(&[path]).unwrap();
        for (sample, batch) in [(0.0, 512), (1e-3, 4096)] {
            let (sample, batch) = (Some(sample), Some(batch));
            let config = Config::with(|config| {
                config.objective.loss = Loss::Softmax;
                config.objective.sample = sample;
                config.model.dim = 10;
                config.schedule.epochs = 1;
                config.schedule.batch = batch;
            });
            let data = Dataset::prepare(&corpus, &config, |_| ()).unwrap();
            let centers: usize = data
                .batcher
                .batches(1)
                .map(|batch| batch.unwrap().center_rows.len())
                .sum();
            let exact = 3.0 * (centers * data.vocab.len() * 10) as f64;
            let ratio = data.softmax_operations() / exact;
            assert!((ratio - 1.0).abs() < 0.15, "{ratio}");
        }
    }
}
