//! The errors of the library, each with the file or setting that mends it.
//!
//! In the texts of errors, events and notes a setting stands between backticks by its name, with
//! its value where there is one: `` `min_count` ``, `` `engine = cpu` ``. A program that shows such
//! a text may write the setting as its users know it: the command line writes `--min-count`.
//!
//! ```
//! use w2v_gpu::{Config, Error};
//!
//! let error = Config::with(|config| config.model.dim = 0).validate().unwrap_err();
//! assert!(matches!(error, Error::Setting { setting: "dim", .. }));
//! assert!(error.to_string().starts_with("`dim` 0: "));
//! ```

mod shown;

use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
pub(crate) use self::shown::escaped_but;
pub(crate) use self::shown::one_line;
pub use self::shown::shown;
use crate::quantity::{plural, two_sizes};

/// Every error of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("cannot {action} {}: {source}", shown(path))]
    Io {
        /// The action that failed, a verb such as "read".
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A corpus file is no text that can be trained on, or a packed file of any kind cannot be
    /// unpacked.
    #[error("{}: {why}", shown(path))]
    Corpus {
        /// The file.
        path: PathBuf,
        /// The defect of the file, and how to mend it.
        why: String,
    },
    /// No word is left to train on.
    #[error("the vocabulary is empty: {why}")]
    EmptyVocabulary {
        /// Why the vocabulary is empty, and which option changes that.
        why: String,
    },
    /// The vocabulary has words, but the text has no pair of them to train on.
    #[error("there is nothing to train on: {why}")]
    NoPairs {
        /// Why there is no pair, and which option changes that.
        why: String,
    },
    /// A setting is out of its range.
    #[error("`{setting}` {}: {why}", one_line(value))]
    Setting {
        /// The name of the setting, as in configuration files: `min_count`.
        setting: &'static str,
        /// The value given.
        value: String,
        /// The range of the setting, with the reason.
        why: String,
    },
    /// A file of vectors, an evaluation file or the record of a run does not follow its format.
    #[error("{}: {place}: {why}", shown(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// The place of the mistake: a line or a byte position.
        place: String,
        /// The content that the format has in that place.
        why: String,
    },
    /// The name of a file does not say which format it has.
    #[error("{}: the file name: {why}", shown(path))]
    FileName {
        /// The file.
        path: PathBuf,
        /// The endings that the name may have.
        why: String,
    },
    /// A word is not in the vocabulary.
    #[error("the word {word:?} is not among the {} of the vectors", plural(*words as u64, "word"))]
    UnknownWord {
        /// The word asked for.
        word: String,
        /// The number of words in the vocabulary.
        words: usize,
    },
    /// A word's vector has no direction, because it is zero.
    #[error(
        "the vector of {word:?} is zero: it has no direction, so that no word is nearer to it than \
         another"
    )]
    ZeroVector {
        /// The word asked for.
        word: String,
    },
    /// No adapter fits the request.
    #[error("{why}\n{}", listing(adapters))]
    Adapter {
        /// The request, and why no adapter fits it.
        why: String,
        /// One line for each adapter of the machine.
        adapters: Vec<String>,
    },
    /// The machine has too little memory for the run.
    #[error(
        "training needs {} of memory ({largest}), but {} are free: lower `dim`, `max_vocab` or \
         `batch`, raise `min_count`, or take fewer `threads`",
        two_sizes(*needed, *available)[0],
        two_sizes(*needed, *available)[1]
    )]
    HostMemory {
        /// Memory that the run needs, in bytes.
        needed: u64,
        /// Free memory, in bytes.
        available: u64,
        /// The largest part of the needed memory, with its size.
        largest: String,
    },
    /// A disk has too little space for the files that will be written.
    #[error(
        "{}: {what} and all else that goes to that disk need {}, but {} are free: {mend}",
        shown(folder),
        two_sizes(*needed, *available)[0],
        two_sizes(*needed, *available)[1]
    )]
    DiskSpace {
        /// The files that will be written.
        what: String,
        /// The folder of these files.
        folder: PathBuf,
        /// Disk space that all files on that disk need, in bytes.
        needed: u64,
        /// Free disk space, in bytes.
        available: u64,
        /// The advice to the user.
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
        /// Bytes that the buffer or resource needs.
        needed: u64,
        /// Bytes that the adapter allows for it.
        allowed: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// The device ran out of memory.
    #[error(
        "{adapter} ran out of memory while {doing}: lower `dim`, `max_vocab` or `batch`, or use \
         `engine = cpu`"
    )]
    DeviceMemory {
        /// The adapter's name and backend.
        adapter: String,
        /// The work at which memory ran out.
        doing: String,
    },
    /// The device was lost or rejected work.
    #[error(
        "{adapter} failed while {doing}: {why}; update its driver, try another `adapter`, or use \
         `engine = cpu`"
    )]
    Device {
        /// The adapter's name and backend.
        adapter: String,
        /// The work at which the device failed.
        doing: String,
        /// The driver's message.
        why: String,
    },
    /// A thread could not be started, or ended before its work was done.
    #[error("{doing}: {why}")]
    Thread {
        /// The work of the thread, as a noun phrase: "making batches".
        doing: String,
        /// How the thread failed, and what to do.
        why: String,
    },
    /// The caller asked for half of a step, but the engine has no halves, or the order was wrong.
    #[error("a step in halves: {why}")]
    Halves {
        /// The reason why this half cannot be done.
        why: String,
    },
    /// The ranks of a run cannot train together, or one of them has ended.
    #[error("several ranks: {why}")]
    Ranks {
        /// Why they cannot go on, and what mends it.
        why: String,
    },
    /// The run was stopped on request before it had trained on any pair.
    #[error("stopped as asked after batch {step}")]
    Stopped {
        /// Number of batches trained.
        step: u64,
    },
    /// The loss is not finite, or far above the loss of a model whose scores are all zero.
    #[error(
        "training diverged: the loss was {loss} per pair after batch {step} (learning rate {lr}), \
         and {blank_loss} before any training; lower `lr` or `clip`; the output file was not written"
    )]
    Diverged {
        /// Number of batches trained when the divergence was noticed.
        step: u64,
        /// The learning rate at that point.
        lr: f32,
        /// Mean loss per pair since the loss was last read.
        loss: f64,
        /// Mean loss per pair, over the same batches, of a model whose scores are all zero.
        blank_loss: f64,
    },
}

/// A result with the library's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Makes an [`Error::Setting`] from the name of the setting, the value given, and the range
    /// with its reason.
    pub fn setting(setting: &'static str, value: impl ToString, why: impl Into<String>) -> Self {
        Self::Setting {
            setting,
            value: value.to_string(),
            why: why.into(),
        }
    }

    /// Makes an [`Error::Ranks`].
    pub(crate) fn ranks(why: impl Into<String>) -> Self {
        Self::Ranks { why: why.into() }
    }

    /// Makes an [`Error::Io`] in `map_err` from the action that failed and its path.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// Makes an [`Error::Thread`] in `map_err` when the threads for a work could not be started.
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

    /// Whether a file ended before all that its header promises. The readers of all formats say so
    /// in these words.
    pub fn is_cut_short(&self) -> bool {
        matches!(self, Self::Format { why, .. } if why.contains("the file ends"))
    }

    /// Whether a typed setting or file name is wrong, rather than a file's contents or the machine.
    pub fn is_wrong_usage(&self) -> bool {
        matches!(self, Self::Setting { .. } | Self::FileName { .. })
    }
}

/// The way to an adapter where there is none.
pub(crate) const DRIVER_ADVICE: &str = if cfg!(windows) {
    // Programs of some targets hold the shader compiler that DX12 needs; others do not.
    "install a Vulkan or DX12 driver (a program for ARM, or of GNU's tools, also needs \
     dxcompiler.dll, 1.8.2502 or newer, beside it for DX12)"
} else {
    "install a Vulkan, Metal or DX12 driver (on Debian and Ubuntu the software driver is `apt-get \
     install mesa-vulkan-drivers`)"
};

fn listing(adapters: &[String]) -> String {
    if adapters.is_empty() {
        return format!("no adapter was found: {DRIVER_ADVICE}, or use `engine = cpu`");
    }
    format!("the adapters are:\n{}", adapters.join("\n"))
}
