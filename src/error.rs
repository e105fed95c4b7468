//! What can go wrong, each with the file or setting that mends it.
//!
//! In the texts of errors, events and notes a setting stands between backticks by its name, with
//! its value where there is one: `` `min_count` ``, `` `engine = cpu` ``. Whoever shows a text may
//! write it as its users know it, as the command line does with `--min-count`.
//!
//! ```
//! use w2v_gpu::{Config, Error};
//!
//! let error = Config::with(|config| config.model.dim = 0).validate().unwrap_err();
//! assert!(matches!(error, Error::Setting { setting: "dim", .. }));
//! assert!(error.to_string().starts_with("`dim` 0: "));
//! ```

use std::path::{Path, PathBuf};

use crate::quantity::{plural, two_sizes};

/// Everything the library can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, such as "read".
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A corpus file is not text that can be trained on, or a packed file of any kind cannot be
    /// unpacked.
    #[error("{}: {why}", path.display())]
    Corpus {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// No word is left to train on.
    #[error("the vocabulary is empty: {why}")]
    EmptyVocabulary {
        /// How it came to be empty and which option changes it.
        why: String,
    },
    /// There is a vocabulary, and no pair of its words to train on.
    #[error("there is nothing to train on: {why}")]
    NoPairs {
        /// How it came to that and which option changes it.
        why: String,
    },
    /// A setting is out of its range.
    #[error("`{setting}` {value}: {why}")]
    Setting {
        /// The name of the setting, as in configuration files: `min_count`.
        setting: &'static str,
        /// The value given.
        value: String,
        /// The range, with the reason.
        why: String,
    },
    /// A file of vectors, an evaluation file or the record of a run does not follow its format.
    #[error("{}: {place}: {why}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where: a line or a byte position.
        place: String,
        /// What was expected there.
        why: String,
    },
    /// The name of a file does not say which format it has.
    #[error("{}: the file name: {why}", path.display())]
    FileName {
        /// The file.
        path: PathBuf,
        /// How its name must end.
        why: String,
    },
    /// A word is not in the vocabulary.
    #[error("the word {word:?} is not among the {} of the vectors", plural(*words as u64, "word"))]
    UnknownWord {
        /// The word asked for.
        word: String,
        /// The size of the vocabulary.
        words: usize,
    },
    /// A word's vector has no direction.
    #[error(
        "the vector of {word:?} is zero: it has no direction, so that no word is nearer to it than \
         another"
    )]
    ZeroVector {
        /// The word asked for.
        word: String,
    },
    /// No adapter fits what was asked for.
    #[error("{why}\n{}", listing(adapters))]
    Adapter {
        /// What was asked for and why nothing fits.
        why: String,
        /// One line for each adapter there is.
        adapters: Vec<String>,
    },
    /// The machine cannot hold the run.
    #[error(
        "training needs {} of memory ({largest}), but {} are free: lower `dim`, `max_vocab` or \
         `batch`, raise `min_count`, or take fewer `threads`",
        two_sizes(*needed, *available)[0],
        two_sizes(*needed, *available)[1]
    )]
    HostMemory {
        /// Bytes needed.
        needed: u64,
        /// Bytes that are free.
        available: u64,
        /// The largest part of it.
        largest: String,
    },
    /// A disk cannot hold what will be written.
    #[error(
        "{}: {what} and all else that goes to that disk need {}, but {} are free: {mend}",
        folder.display(),
        two_sizes(*needed, *available)[0],
        two_sizes(*needed, *available)[1]
    )]
    DiskSpace {
        /// What will be written.
        what: String,
        /// Where.
        folder: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes that are free.
        available: u64,
        /// What to do.
        mend: &'static str,
    },
    /// The adapter cannot hold the model.
    #[error(
        "{what} needs {}, but {adapter} allows {}: lower `dim`, `max_vocab` or `batch`, or use \
         `engine = cpu`",
        two_sizes(*needed, *allowed)[0],
        two_sizes(*needed, *allowed)[1]
    )]
    DeviceLimit {
        /// The buffer or resource concerned.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes the adapter allows.
        allowed: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// The device ran out of memory.
    #[error(
        "out of memory on the device while {doing}: lower `dim`, `max_vocab` or `batch`, or use \
         `engine = cpu`"
    )]
    DeviceMemory {
        /// What was being done.
        doing: String,
    },
    /// The device was lost or rejected work.
    #[error(
        "the device failed while {doing}: {why}; update its driver, try another `adapter`, or use \
         `engine = cpu`"
    )]
    Device {
        /// What was being done.
        doing: String,
        /// What the driver said.
        why: String,
    },
    /// A thread could not be started, or ended before its work was done.
    #[error("{doing}: {why}")]
    Thread {
        /// The work, as a noun phrase: "making batches".
        doing: String,
        /// What became of the thread, and what to do.
        why: String,
    },
    /// Half of a step was asked of an engine that has no halves, or not in their order.
    #[error("a step in halves: {why}")]
    Halves {
        /// What stands against it.
        why: String,
    },
    /// Whoever asked for the run asked it to stop before it had learned anything.
    #[error("stopped as asked after batch {step}")]
    Stopped {
        /// Batches trained.
        step: u64,
    },
    /// The loss is no number any more, or far above that of a model that knows nothing.
    #[error(
        "training diverged: the loss was {loss} per pair after batch {step} (learning rate {lr}), \
         and {blank} before any training; lower `lr` or `clip`; the output file was not written"
    )]
    Diverged {
        /// Batches trained until it was noticed.
        step: u64,
        /// The learning rate at that point.
        lr: f32,
        /// Mean loss per pair since the last report.
        loss: f64,
        /// The same of a model whose scores are all zero.
        blank: f64,
    },
}

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::Setting`]: the name of the setting, the value given, and the range with its
    /// reason.
    pub fn setting(setting: &'static str, value: impl ToString, why: impl Into<String>) -> Self {
        Self::Setting {
            setting,
            value: value.to_string(),
            why: why.into(),
        }
    }

    /// An [`Error::Io`] maker for `map_err`: what was attempted and where.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// An [`Error::Thread`] maker for `map_err`, of threads that could not be started for a work.
    pub fn no_threads<E: ToString>(doing: &str) -> impl FnOnce(E) -> Self {
        move |error| Self::Thread {
            doing: doing.to_owned(),
            why: format!(
                "no thread could be started ({}); raise the limit of threads (ulimit -u), or lower \
                 `threads`",
                error.to_string()
            ),
        }
    }

    /// Whether the mistake is in what was typed, and not in a file or the machine.
    pub fn is_wrong_usage(&self) -> bool {
        matches!(self, Self::Setting { .. } | Self::FileName { .. })
    }
}

fn listing(adapters: &[String]) -> String {
    if adapters.is_empty() {
        return "no adapter was found: install a Vulkan, Metal or DX12 driver (on Debian and Ubuntu \
                the software driver is `apt-get install mesa-vulkan-drivers`), or use `engine = cpu`"
            .to_owned();
    }
    format!("the adapters are:\n{}", adapters.join("\n"))
}
