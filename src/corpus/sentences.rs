//! Sentences in memory, written as text to a file without a name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use super::Corpus;
use super::input::Source;
use crate::error::{Error, Result};
use crate::text::is_separator;

/// Writes a corpus word by word, to a file without a name in the system's folder for temporary
/// files (`TMPDIR`).
///
/// ```
/// use w2v_gpu::corpus::SentenceWriter;
///
/// let mut writer = SentenceWriter::new()?;
/// for word in ["the", "cat", "sat"] {
///     writer.word(word)?;
/// }
/// writer.end_sentence()?;
/// assert_eq!(writer.finish()?.bytes(), 12);
/// # Ok::<(), w2v_gpu::Error>(())
/// ```
#[derive(Debug)]
pub struct SentenceWriter {
    out: BufWriter<File>,
    /// The number of the sentence at hand, from 1.
    sentence: u64,
    /// Whether the sentence at hand has a word.
    has_word: bool,
}

impl SentenceWriter {
    /// A writer of an empty corpus.
    ///
    /// # Errors
    /// [`Error::Io`] when no file can be made.
    pub fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(unwritten)?;
        Ok(Self {
            out: BufWriter::with_capacity(1 << 16, file),
            sentence: 1,
            has_word: false,
        })
    }

    /// The number of the sentence at hand, from 1.
    pub fn sentence(&self) -> u64 {
        self.sentence
    }

    /// Appends a word to the sentence at hand.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; [`Error::Corpus`] with the number of the
    /// sentence for a word that is empty or holds whitespace, a control character or a byte order
    /// mark: no text can hold such a word.
    pub fn word(&mut self, word: &str) -> Result<()> {
        if !fits(word) {
            return Err(Error::Corpus {
                path: "the sentences".into(),
                why: format!(
                    "sentence {} has the word {word:.60?}: a word is not empty and holds neither \
                     whitespace nor control characters; replace them, as in new_york",
                    self.sentence
                ),
            });
        }
        if std::mem::replace(&mut self.has_word, true) {
            self.out.write_all(b" ").map_err(unwritten)?;
        }
        self.out.write_all(word.as_bytes()).map_err(unwritten)
    }

    /// Ends the sentence at hand.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn end_sentence(&mut self) -> Result<()> {
        self.sentence += 1;
        self.has_word = false;
        self.out.write_all(b"\n").map_err(unwritten)
    }

    /// The corpus of all that was written.
    ///
    /// # Errors
    /// [`Error::Io`] when the last bytes cannot be written.
    pub fn finish(self) -> Result<Corpus> {
        let file = self
            .out
            .into_inner()
            .map_err(|error| unwritten(error.into_error()))?;
        Ok(Corpus {
            sources: Arc::new([Source::kept(file)]),
            hidden: Vec::new(),
            keep: true,
            most: u64::MAX,
            stop: None,
        })
    }
}

/// Whether a text can hold a word. Most words are plain ASCII, for which a look at the bytes is
/// enough.
fn fits(word: &str) -> bool {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_graphic());
    !word.is_empty() && (is_plain || !word.contains(is_separator))
}

fn unwritten(error: io::Error) -> Error {
    Error::io("write sentences to", std::env::temp_dir())(error)
}
