//! Rules for words: their normalization, and lists of words to keep or to leave out.

use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
use bytesize::ByteSize;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result, shown};
use crate::quantity;
use crate::system::optional_path;
use crate::text::Normalization;
use crate::text::list::{Lines, checked_word, wrong_line};

/// The smallest `--vocab-memory`, in bytes. Less would forget at once what it counts.
const LEAST_MEMORY: u64 = 1_000_000;

/// How words are taken from a text.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct WordOptions {
    /// Take words in lower case (Unicode's)
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Vocabulary"))]
    pub lowercase: bool,
    /// Take words in Unicode's normal form C: an accent by itself joins its letter
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Vocabulary"))]
    pub nfc: bool,
    /// Keep the words in FILE, one a line, however rare
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "FILE", help_heading = "Vocabulary")
    )]
    #[serde(with = "optional_path")]
    pub keep_words: Option<PathBuf>,
    /// Leave out the words in FILE, one a line
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "FILE", help_heading = "Vocabulary")
    )]
    #[serde(with = "optional_path")]
    pub stop_words: Option<PathBuf>,
    /// The memory that counting takes.
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub counting: Counting,
}

/// The memory that counting takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct Counting {
    /// Count in about this much memory, such as 4G: beyond it the rarest words, or pairs of words,
    /// are forgotten, and how far counts may then be off is reported [default: no limit]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SIZE", value_parser = memory_size, help_heading = "Vocabulary"))]
    pub vocab_memory: Option<u64>,
}

/// Parses the value of `--vocab-memory`, such as `500M` or `4GiB`, to bytes.
#[cfg(feature = "cli")]
fn memory_size(size: &str) -> std::result::Result<u64, String> {
    size.parse::<ByteSize>().map(|size| size.as_u64())
}

impl Counting {
    /// Checks the setting.
    ///
    /// # Errors
    /// [`Error::Setting`] when it is out of its range.
    pub fn validate(&self) -> Result<()> {
        match self.vocab_memory {
            Some(bytes) if bytes < LEAST_MEMORY => {
                let why = format!(
                    "counting needs {} at least, and 500M or more to be of use",
                    quantity::bytes(LEAST_MEMORY)
                );
                Err(Error::setting("vocab_memory", bytes, why))
            }
            _ => Ok(()),
        }
    }
}

impl WordOptions {
    /// How words are normalized.
    pub fn normalization(&self) -> Normalization {
        Normalization {
            lowercase: self.lowercase,
            nfc: self.nfc,
        }
    }

    /// The paths of the word lists.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.keep_words
            .iter()
            .chain(&self.stop_words)
            .map(PathBuf::as_path)
    }

    /// Checks the settings, without reading any file.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        self.counting.validate()
    }
}

/// [`WordOptions`] with their files read.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// How words are normalized.
    pub normalization: Normalization,
    /// Words to keep, however rare.
    pub keep: WordSet,
    /// Words to leave out.
    pub stop: WordSet,
    /// Bytes of memory for counting; `None` sets no limit.
    pub memory: Option<u64>,
}

impl Rules {
    /// Reads the lists. Their words are normalized like those of the text.
    ///
    /// # Errors
    /// [`Error::Setting`] as for [`WordOptions::validate`], and for a word in both lists;
    /// [`Error::Io`] and [`Error::Format`] for a list that cannot be read or has a line that is not
    /// one word.
    pub fn read(options: &WordOptions) -> Result<Self> {
        options.validate()?;
        let normalization = options.normalization();
        let words = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| WordSet::read(path, normalization))
                .transpose()
        };
        let keep = words(&options.keep_words)?.unwrap_or_default();
        let stop = words(&options.stop_words)?.unwrap_or_default();
        if let Some(word) = stop.0.iter().filter(|word| keep.contains(word)).min() {
            let value = shown(options.stop_words.as_deref().unwrap_or(Path::new("")));
            let why = format!(
                "the word {:?} is also in `keep_words`; take it out of one",
                String::from_utf8_lossy(word)
            );
            return Err(Error::setting("stop_words", value, why));
        }
        Ok(Self {
            normalization,
            keep,
            stop,
            memory: options.counting.vocab_memory,
        })
    }
}

/// A set of words.
#[derive(Clone, Debug, Default)]
pub struct WordSet(HashSet<Box<[u8]>, FixedState>);

impl WordSet {
    /// Reads a list, one word a line. Empty lines and byte order marks are skipped.
    fn read(path: &Path, normalization: Normalization) -> Result<Self> {
        let mut words = HashSet::default();
        for line in Lines::open(path)? {
            let (number, line) = line?;
            let word = std::str::from_utf8(line.trim_ascii())
                .map_err(|error| format!("not UTF-8 text from its byte {} on", error.valid_up_to()))
                .and_then(checked_word)
                .map_err(|why| wrong_line(path, number, why))?;
            words.insert(normalization.apply(word).as_bytes().into());
        }
        Ok(Self(words))
    }

    /// Whether the set contains a word, given as UTF-8 bytes.
    pub fn contains(&self, word: &[u8]) -> bool {
        self.0.contains(word)
    }

    /// A hash of the words. It does not depend on the order in which they were read.
    pub(crate) fn digest(&self) -> u64 {
        let mut words: Vec<&[u8]> = self.0.iter().map(|word| &**word).collect();
        words.sort_unstable();
        xxh3_64(&words.join(&b'\n'))
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
