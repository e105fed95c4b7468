//! The settings of a vocabulary.

use std::path::PathBuf;

use super::WordOptions;
use crate::error::Result;
use crate::setting::require;
use crate::system::optional_path;

/// Which words there are: the settings by which a text is counted.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct VocabularySettings {
    /// Drop words that occur less often
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = VocabularySettings::default().min_count,
        value_name = "N",
        help_heading = "Vocabulary"
    ))]
    pub min_count: u64,
    /// Keep only the N most frequent words
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", help_heading = "Vocabulary")
    )]
    pub max_vocab: Option<usize>,
    /// Take the words and counts in FILE, as `w2v-gpu vocab` writes them, instead of counting
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "FILE", help_heading = "Vocabulary")
    )]
    #[serde(with = "optional_path")]
    pub vocab: Option<PathBuf>,
    /// How words are taken from the text.
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub words: WordOptions,
}

impl Default for VocabularySettings {
    fn default() -> Self {
        Self {
            min_count: 5,
            max_vocab: None,
            vocab: None,
            words: WordOptions::default(),
        }
    }
}

impl VocabularySettings {
    /// Checks the settings themselves, and no file.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for the first one out of its range.
    pub fn validate(&self) -> Result<()> {
        require(
            self.max_vocab != Some(0),
            "max_vocab",
            0,
            "keep at least one word, or leave the option out",
        )?;
        self.words.validate()?;
        require(
            self.vocab.is_none() || self.words.counting.vocab_memory.is_none(),
            "vocab_memory",
            self.words.counting.vocab_memory.unwrap_or_default(),
            "limits counting, and with `vocab` nothing is counted; leave one of the two out",
        )
    }
}
