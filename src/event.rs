//! What a run tells while it works. The library prints nothing; whoever calls it decides what is
//! shown.

use std::path::PathBuf;
use std::time::Duration;

use crate::quantity::{count, plural};
use crate::text::TextReport;
use crate::vocab::Selection;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A pass over the text goes on.
    Reading {
        /// Which pass.
        pass: Pass,
        /// Bytes done.
        bytes: u64,
        /// Bytes in all; 0 where that is not known, as of a pipe.
        total: u64,
    },
    /// A file was taken otherwise than it stands.
    Noted {
        /// The file.
        path: PathBuf,
        /// What was done, as the end of a sentence that begins with the file's name and a colon.
        what: String,
    },
    /// What became of the cache of the corpus.
    Cached(Cached),
    /// The corpus is counted and encoded.
    Prepared(Prepared),
    /// Training goes on: told after some time.
    Progress(Progress),
    /// The same after an equal share of the run, for its curves: since the last point.
    Point(Progress),
    /// An epoch is over.
    Epoch(Epoch),
    /// The vectors of an epoch are evaluated.
    Evaluated(Evaluated),
    /// An engine is being measured.
    Measuring(Measuring),
    /// A checkpoint is on disk.
    Saved(Saved),
    /// A checkpoint could not be written. The run goes on, and the checkpoints before it stay.
    NotSaved {
        /// What failed and where.
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

/// What became of the cache of a corpus.
#[derive(Clone, Debug)]
pub enum Cached {
    /// The corpus was taken from it.
    Used {
        /// The file.
        path: PathBuf,
    },
    /// A file is there and of no use: the corpus is read, and the file replaced.
    Rejected {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The corpus was read, and is kept for the next run.
    Written {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The corpus was read, and could not be kept. The run goes on.
    NotWritten {
        /// What failed and where.
        why: String,
    },
    /// This corpus is read on every run.
    Impossible {
        /// Which part of it cannot be known again.
        why: String,
    },
}

/// What the corpus holds.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Prepared {
    /// What reading came across.
    pub text: TextReport,
    /// How the vocabulary came about.
    pub selection: Selection,
    /// Words in the vocabulary.
    pub vocabulary: u64,
    /// Occurrences of words in the vocabulary that are trained on.
    pub tokens: u64,
    /// Occurrences in the sentences held out for validation.
    pub held_out: u64,
    /// The share of the text beyond which words are thinned out.
    pub sample: f64,
    /// Occurrences that subsampling keeps in an epoch, on average.
    pub kept: f64,
}

/// Below this share of a text, what is left to train on is next to nothing.
const NEXT_TO_NOTHING: f64 = 0.1;

impl Prepared {
    /// Where next to nothing of the text is trained on, for each cause a sentence with the option
    /// that keeps more.
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
            warnings.push(format!(
                "`sample = {sample}` keeps {} of {} in an epoch: among {} all are that frequent; \
                 leave the option out (auto is {}), or give 0 to keep all",
                count(kept.round() as u64),
                plural(*tokens, "word"),
                plural(*vocabulary, "different word"),
                crate::sampling::auto_sample(*vocabulary as usize)
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
    /// Words of the corpus seen so far, over all epochs, those dropped by subsampling included.
    pub words: u64,
    /// Words of all epochs.
    pub total_words: u64,
    /// Pairs trained so far.
    pub pairs: u64,
    /// Mean loss per pair since the last report.
    pub loss: f64,
    /// Learning rate of the latest minibatch.
    pub lr: f32,
    /// Time spent training.
    pub elapsed: Duration,
    /// Of that, time spent waiting for the batcher.
    pub waited: Duration,
}

/// What is being measured.
#[derive(Clone, Debug)]
pub struct Measuring {
    /// The engine, and what of it.
    pub what: String,
    /// Time since measuring began, the preparation of the corpus included.
    pub elapsed: Duration,
    /// Time that all of it should take.
    pub budget: Duration,
}

/// The vectors after an epoch, judged.
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
    /// Of pairs Spearman's correlation, of analogies the accuracy by 3CosAdd or 3CosMul.
    pub measure: &'static str,
    /// The score; `None` where too few words were found for one.
    pub score: Option<f64>,
    /// Pairs or questions whose words were found.
    pub found: usize,
    /// Pairs or questions in the file.
    pub total: usize,
    /// Words that they were looked up among.
    pub among: usize,
}

/// A checkpoint on disk.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Saved {
    /// Its file.
    pub path: PathBuf,
    /// Minibatches trained until then.
    pub step: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Time that writing took, beside training.
    pub elapsed: Duration,
}

/// One pass over the corpus.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Pairs trained in it.
    pub pairs: u64,
    /// Mean loss per pair over the epoch.
    pub loss: f64,
    /// Mean loss per pair of the sentences held out, after the epoch.
    pub validation: Option<f64>,
}
