//! Events: what the library reports while it works. It prints nothing; its caller decides what to
//! show.
//!
//! `docs/glossary.md` explains run, epoch, minibatch and pair.
//!
//! ```
//! use w2v_gpu::{Config, Corpus, Event, Trainer};
//!
//! let corpus = Corpus::from_sentences([["a", "b"]; 50])?;
//! let mut words = 0;
//! Trainer::new(Config::default())?.prepare(&corpus, |event| {
//!     if let Event::Prepared(prepared) = event {
//!         words = prepared.vocabulary;
//!     }
//! })?;
//! assert_eq!(words, 2);
//! # Ok::<(), w2v_gpu::Error>(())
//! ```

use std::path::PathBuf;
use std::time::Duration;

use crate::quantity::{count, plural};
use crate::system::serialize_path;
use crate::text::TextReport;
use crate::vocab::Selection;

/// A report of the library to its caller.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A pass over the text goes on.
    Reading {
        /// The pass.
        pass: Pass,
        /// Bytes read so far.
        bytes: u64,
        /// Bytes in all; 0 if not known, as for a pipe.
        total: u64,
    },
    /// A file was not taken exactly as it stands.
    Noted {
        /// The file.
        path: PathBuf,
        /// What was done, as the end of a sentence that begins with the file's path and a colon.
        what: String,
    },
    /// The corpus's cache was used, written or refused.
    Cached(Cached),
    /// The corpus is counted and encoded.
    Prepared(Prepared),
    /// Training goes on; sent after some time.
    Progress(Progress),
    /// A point of the run's curves, sent after each equal share of the run. It covers the time
    /// since the last point.
    Point(Progress),
    /// An epoch is over.
    Epoch(Epoch),
    /// The vectors of an epoch are evaluated.
    Evaluated(Evaluated),
    /// An engine is being measured.
    Measuring(Measuring),
    /// A checkpoint is on disk.
    Saved(Saved),
    /// A checkpoint could not be written. The run goes on, and earlier checkpoints stay.
    NotSaved {
        /// The failure and its place.
        why: String,
    },
}

/// The passes over a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Counting words.
    Count,
    /// Encoding words as ids.
    Encode,
    /// Counting pairs of words.
    Pairs,
    /// Joining words to phrases.
    Join,
}

/// The use of a corpus's cache.
#[derive(Clone, Debug)]
pub enum Cached {
    /// The corpus was taken from the cache.
    Used {
        /// The cache file.
        path: PathBuf,
    },
    /// The cache file is of no use. The corpus is read, and the file will be replaced.
    Rejected {
        /// The cache file.
        path: PathBuf,
        /// The fault of the file.
        why: String,
    },
    /// The corpus was read, and is kept for the next run.
    Written {
        /// The cache file.
        path: PathBuf,
        /// Size of the file in bytes.
        bytes: u64,
    },
    /// The corpus was read, but could not be kept. The run goes on.
    NotWritten {
        /// The failure and its place.
        why: String,
    },
    /// This corpus cannot be cached and is read on every run.
    Impossible {
        /// The part of the corpus that cannot be recognised again.
        why: String,
    },
}

/// The numbers of a prepared corpus.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Prepared {
    /// Counts of the words and oddities in the text.
    pub text: TextReport,
    /// The totals of choosing the vocabulary.
    pub selection: Selection,
    /// Number of words in the vocabulary.
    pub vocabulary: u64,
    /// Occurrences of vocabulary words in the sentences to train on.
    pub tokens: u64,
    /// Occurrences of vocabulary words in the held-out sentences.
    pub held_out: u64,
    /// The value of `--sample`, given or chosen: words with a larger share of the text are thinned
    /// out.
    pub sample: f64,
    /// Occurrences that subsampling keeps in an epoch, on average.
    pub kept: f64,
}

/// Below this share of the text, a warning is due that hardly anything is left to train on.
const NEXT_TO_NOTHING: f64 = 0.1;

impl Prepared {
    /// Warnings when hardly anything of the text is trained on: for each cause a sentence, with the
    /// option that keeps more.
    pub fn warnings(&self) -> Vec<String> {
        let Self {
            text,
            vocabulary,
            tokens,
            held_out,
            sample,
            kept,
            ..
        } = self;
        let mut warnings = Vec::new();
        let found = tokens + held_out;
        if (found as f64) < NEXT_TO_NOTHING * text.words as f64 {
            warnings.push(format!(
                "only {} of the text's {} are in the vocabulary: lower `min_count`, raise \
                 `max_vocab`, or give a `vocab` of such text",
                count(found),
                plural(text.words, "word")
            ));
        }
        if *kept < NEXT_TO_NOTHING * *tokens as f64 {
            let auto = crate::sampling::auto_sample(*vocabulary as usize);
            let advice = if *sample == auto {
                "give 0 to keep all".to_owned()
            } else {
                format!("leave the option out (auto is {auto}), or give 0 to keep all")
            };
            warnings.push(format!(
                "`sample = {sample}` keeps {} of {} in an epoch: among {} all are that frequent; \
                 {advice}",
                count(kept.round() as u64),
                plural(*tokens, "word"),
                plural(*vocabulary, "different word"),
            ));
        }
        warnings
    }
}

/// The state of training, and what happened since the last report.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Progress {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Minibatches trained so far.
    pub step: u64,
    /// Words of the corpus seen so far, over all epochs. Words dropped by subsampling count too.
    pub words: u64,
    /// Words of the corpus over all epochs.
    pub total_words: u64,
    /// Examples trained so far: (center, context) pairs, or windows in CBOW.
    pub pairs: u64,
    /// Mean loss per example since the last report.
    pub loss: f64,
    /// Learning rate of the latest minibatch.
    pub lr: f32,
    /// Time spent training so far.
    pub elapsed: Duration,
    /// The part of that time spent waiting for the batcher.
    pub waited: Duration,
}

/// The state of a measurement.
#[derive(Clone, Debug)]
pub struct Measuring {
    /// The engine, and which part of it is measured.
    pub what: String,
    /// Time since measuring began. It includes the preparation of the corpus.
    pub elapsed: Duration,
    /// Time that the whole measurement should take.
    pub budget: Duration,
}

/// The scores of the vectors after an epoch.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Evaluated {
    /// The epoch, from 0.
    pub epoch: u32,
    /// A score for each evaluation file and measure.
    pub scores: Vec<NamedScore>,
}

/// The score of vectors on one file.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NamedScore {
    /// The file's name, without folder and extension.
    pub name: String,
    /// The name of the measure: Spearman's correlation for pairs, the accuracy by 3CosAdd or
    /// 3CosMul for analogies.
    pub measure: &'static str,
    /// The score; `None` if too few words were found.
    pub score: Option<f64>,
    /// Pairs or questions whose words were found.
    pub found: usize,
    /// Pairs or questions in the file.
    pub total: usize,
    /// Number of words among which they were looked up.
    pub among: usize,
    /// The scores of the file's sections; none for pairs.
    pub sections: Vec<NamedSection>,
}

/// The score of vectors on a section of an evaluation file.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NamedSection {
    /// The section's name.
    pub name: String,
    /// The score; `None` if no question was found.
    pub score: Option<f64>,
    /// Questions whose words were found.
    pub found: usize,
    /// Questions in the section.
    pub total: usize,
}

/// A checkpoint on disk.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Saved {
    /// Path of the checkpoint file.
    #[serde(serialize_with = "serialize_path")]
    pub path: PathBuf,
    /// Minibatches trained until the checkpoint.
    pub step: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Time that writing took, in parallel with training.
    pub elapsed: Duration,
}

/// The totals of one pass over the corpus.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Examples trained in this epoch.
    pub pairs: u64,
    /// Mean loss per example over the epoch.
    pub loss: f64,
    /// Mean loss per example of the held-out sentences, after the epoch; `None` if nothing is held
    /// out.
    pub validation: Option<f64>,
}
