//! The corpus: text files and streams, and their encoding into a token store.
//!
//! One pass over the text counts its words, a second one encodes them as ids. Both use all threads
//! and a bounded amount of memory.
//!
//! Text may come from plain and compressed files, whole folders, pipes and standard input, in UTF-8
//! or UTF-16. Each line is a sentence, and whitespace separates words. Nothing is dropped silently:
//! [`TextReport`] counts whatever could not be taken as it stood.
//!
//! ```
//! use w2v_gpu::corpus::Corpus;
//! use w2v_gpu::vocab::Rules;
//!
//! let corpus = Corpus::open(&["data/corpus.txt".into()])?;
//! let (counts, report) = corpus.count(&Rules::default(), |_bytes_so_far| ())?;
//! assert!(counts.len() as u64 <= report.words);
//! # Ok::<(), w2v_gpu::Error>(())
//! ```

mod count;
mod input;
mod paths;
pub mod phrases;
mod reader;
mod sentences;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::Rng;
use rayon::prelude::*;

pub use paths::read_list;
pub use sentences::SentenceWriter;
pub(crate) use store::Index;
pub use store::{BLOCK_TOKENS, END, StoreWriter, TokenStore};

pub(crate) use self::input::Stamp;
use self::input::{Source, changed};
pub(crate) use self::reader::Chunk;
use self::reader::ChunkReader;
use crate::error::{Error, Result};
use crate::event::{Event, Pass};
use crate::quantity::count;
use crate::sampling::{Key, Stream};
use crate::text::{MAX_SENTENCE, Normalization, TextReport, for_each_word};
use crate::vocab::{Selection, Vocab};

/// The totals of the counting pass, which the encoding pass must find again.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Number of words.
    pub words: u64,
    /// Number of words that are in the vocabulary; `None` if words were not counted exactly.
    pub tokens: Option<u64>,
}

/// A corpus as word ids.
#[derive(Debug)]
pub struct Encoded {
    /// The sentences to train on.
    pub store: TokenStore,
    /// The sentences held out for validation, if any.
    pub held_out: Option<TokenStore>,
    /// Counts of words and oddities from the encoding pass.
    pub report: TextReport,
}

/// Everything that training takes from a corpus.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The words.
    pub(crate) vocab: Vocab,
    /// How many words there were, and which rules chose the vocabulary from them.
    pub(crate) selection: Selection,
    /// The text as ids of these words.
    pub(crate) encoded: Encoded,
}

/// Decides which sentences are held out. Each has the same chance, drawn by its position in the
/// corpus.
#[derive(Clone, Copy, Debug)]
pub struct HeldOut {
    key: Key,
    below: u64,
}

impl HeldOut {
    /// Holds out a `share` of the sentences, from 0 to 1.
    pub fn new(share: f64, seed: u64) -> Self {
        Self {
            key: Key::new(seed, 0, Stream::Validation),
            below: (share * 2f64.powi(64)) as u64,
        }
    }

    fn takes(self, position: u64) -> bool {
        self.key.at(position).next_u64() < self.below
    }
}

/// Text files and streams, in the order in which they are read.
#[derive(Clone, Debug)]
pub struct Corpus {
    sources: Arc<[Source]>,
    hidden: Vec<PathBuf>,
    /// Whether streams are copied for another pass.
    keep: bool,
    /// Bytes of text after which a pass ends.
    most: u64,
    /// The caller's request to stop, if it can make one.
    stop: Option<Arc<AtomicBool>>,
}

impl Corpus {
    /// Opens files, folders and streams.
    ///
    /// - A file is plain, or compressed by gzip, zstd, bzip2 or xz; its first bytes tell which.
    /// - A folder stands for all files below it, in byte order of their paths. Hidden files are
    ///   left out.
    /// - A stream is a pipe, or `-` for standard input. It can be read only once, so the first pass
    ///   copies it, still compressed, to a nameless file in the folder for temporary files
    ///   (`TMPDIR`). [`Corpus::read_once`] avoids the copy.
    ///
    /// Every file is opened once to check that it can be read and is no archive of another kind.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Corpus`] for the first path that fails.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let (files, hidden) = paths::expand(paths)?;
        let sources: Vec<Source> = files.into_iter().map(Source::new).collect::<Result<_>>()?;
        Ok(Self {
            sources: sources.into(),
            hidden,
            stop: None,
            keep: true,
            most: u64::MAX,
        })
    }

    /// Takes sentences in memory, each an iterator of words, and reads them once: they are written
    /// as text to a file without a name in the system's folder for temporary files (`TMPDIR`).
    ///
    /// ```
    /// use w2v_gpu::Corpus;
    ///
    /// let sentences = ["the cat sat", "a dog ran"].map(|text| text.split(' '));
    /// let corpus = Corpus::from_sentences(sentences)?;
    /// assert_eq!(corpus.bytes(), 22);
    /// # Ok::<(), w2v_gpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; [`Error::Corpus`] with the number of the
    /// sentence, from 1, for a word that is empty or holds whitespace, a control character or a
    /// byte order mark: no text can hold such a word.
    pub fn from_sentences<S, W>(sentences: impl IntoIterator<Item = S>) -> Result<Self>
    where
        S: IntoIterator<Item = W>,
        W: AsRef<str>,
    {
        let mut writer = SentenceWriter::new()?;
        for sentence in sentences {
            for word in sentence {
                writer.word(word.as_ref())?;
            }
            writer.end_sentence()?;
        }
        writer.finish()
    }

    /// This corpus, whose passes end with [`Error::Stopped`] once `stop` is true.
    #[must_use]
    pub fn stopping(self, stop: Arc<AtomicBool>) -> Self {
        Self {
            stop: Some(stop),
            ..self
        }
    }

    /// This corpus for a single pass, which makes no copies of streams.
    pub fn read_once(&self) -> Self {
        Self {
            keep: false,
            ..self.clone()
        }
    }

    /// The beginning of the corpus. A pass ends with the chunk (of some 4 MB) in which it reaches
    /// `most` bytes of text.
    pub fn head(&self, most: u64) -> Self {
        Self {
            most,
            ..self.clone()
        }
    }

    /// Size of all files on disk in bytes, still compressed, but at most the bytes that a pass will
    /// read; 0 while a stream was not read yet.
    pub fn bytes(&self) -> u64 {
        self.sources
            .iter()
            .map(Source::bytes)
            .sum::<Option<u64>>()
            .unwrap_or(0)
            .min(self.most)
    }

    /// The paths that are read, in order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().map(|source| source.path.as_path())
    }

    /// The paths, each with the state of the file when the corpus was opened (`None` for streams).
    pub(crate) fn stamps(&self) -> impl Iterator<Item = (&Path, Option<Stamp>)> {
        self.sources
            .iter()
            .map(|source| (source.path.as_path(), source.stamp()))
    }

    /// The files and folders that were left out because their names begin with a dot.
    pub fn hidden(&self) -> &[PathBuf] {
        &self.hidden
    }

    /// Encodes the text into a token store in the folder for temporary files (`TMPDIR`).
    ///
    /// Held-out sentences go to a store of their own. `form` must be the one that the vocabulary's
    /// words were counted in. `progress` is called with the number of bytes read so far.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be read or the store cannot be written; [`Error::Corpus`]
    /// when the text differs from the one that was counted.
    pub fn encode(
        &self,
        vocab: &Vocab,
        form: Normalization,
        held_out: Option<HeldOut>,
        expected: Option<Expected>,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Encoded> {
        let mut writer = StoreWriter::new()?;
        let mut held_out = held_out
            .map(|share| StoreWriter::new().map(|writer| (share, writer)))
            .transpose()?;
        let mut report = TextReport::default();
        let bytes = self.rounds(rayon::current_num_threads(), |chunks, done| {
            let parts: Vec<(Vec<u32>, TextReport)> = chunks
                .par_iter()
                .map(|chunk| encode_chunk(chunk, vocab, form))
                .collect();
            for (tokens, part) in &parts {
                match &mut held_out {
                    None => writer.write(tokens)?,
                    Some((share, held_out)) => {
                        for sentence in tokens.split_inclusive(|token| token & END != 0) {
                            // The position counts all sentences, whether held out or not.
                            let position = writer.tokens() + held_out.tokens();
                            if share.takes(position) {
                                &mut *held_out
                            } else {
                                &mut writer
                            }
                            .write(sentence)?;
                        }
                    }
                }
                report.add(part);
            }
            progress(done);
            Ok(())
        })?;
        report.bytes = bytes;
        let store = writer.finish()?;
        let held_out = held_out.map(|(_, writer)| writer.finish()).transpose()?;
        let tokens = store.tokens() + held_out.as_ref().map_or(0, TokenStore::tokens);
        self.check_same_words(expected, report.words, tokens)?;
        Ok(Encoded {
            store,
            held_out,
            report,
        })
    }

    /// Turns the bytes read in a pass over this corpus into events.
    pub(crate) fn reading(
        &self,
        pass: Pass,
        on_event: &mut (impl FnMut(Event) + Send),
    ) -> impl FnMut(u64) + Send {
        // The size of a pipe is known once it was read.
        let total = self.bytes();
        move |bytes| on_event(Event::Reading { pass, bytes, total })
    }

    /// Checks the totals of this pass against those of the counting pass. This finds a change that
    /// the files' times hide, as a coarse clock may.
    pub(crate) fn check_same_words(
        &self,
        expected: Option<Expected>,
        words: u64,
        tokens: u64,
    ) -> Result<()> {
        let Some(expected) = expected else {
            return Ok(());
        };
        let (what, before, now) = match expected.tokens {
            _ if expected.words != words => ("words", expected.words, words),
            Some(counted) if counted != tokens => ("words of the vocabulary", counted, tokens),
            _ => return Ok(()),
        };
        let path = self.files().next().unwrap_or(Path::new(""));
        let (before, now) = (count(before), count(now));
        let what = format!("{before} {what} were counted, {now} read again");
        Err(changed(path, "the corpus ", what))
    }

    /// Hands the text to `work` in rounds of at most `width` chunks. The next round is read while
    /// `work` is busy with this one.
    ///
    /// `work` is also given the bytes read up to the end of its round. Returns the bytes of all
    /// rounds.
    ///
    /// # Errors
    /// At the end, [`Error::Corpus`] if a file has changed since the corpus was opened.
    pub(crate) fn rounds(
        &self,
        width: usize,
        mut work: impl FnMut(&[Chunk], u64) -> Result<()> + Send,
    ) -> Result<u64> {
        self.groups(width, u64::MAX, |chunks, _, done| work(chunks, done))
    }

    /// Like [`rounds`](Self::rounds), but a round also ends with the chunk that completes `group`
    /// bytes of text. `work` is told whether its round ended so.
    fn groups(
        &self,
        width: usize,
        group: u64,
        mut work: impl FnMut(&[Chunk], bool, u64) -> Result<()> + Send,
    ) -> Result<u64> {
        let mut reader = ChunkReader::new(&self.sources, self.keep, self.most);
        let mut left = group;
        let mut chunks = reader.take(width, &mut left)?;
        let mut done = 0;
        while !chunks.is_empty() {
            self.stop_if_asked()?;
            done += chunks.iter().map(|chunk| chunk.bytes).sum::<u64>();
            let ends_group = left == 0;
            if ends_group {
                left = group;
            }
            let (worked, next) = rayon::join(
                || work(&chunks, ends_group, done),
                || reader.take(width, &mut left),
            );
            worked?;
            chunks = next?;
        }
        self.sources.iter().try_for_each(Source::check_unchanged)?;
        Ok(done)
    }

    fn stop_if_asked(&self) -> Result<()> {
        match &self.stop {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(Error::Stopped { step: 0 }),
            _ => Ok(()),
        }
    }
}

/// The ids of a chunk's words. The last token of each sentence is marked with [`END`].
fn encode_chunk(chunk: &Chunk, vocab: &Vocab, form: Normalization) -> (Vec<u32>, TextReport) {
    let mut report = TextReport::default();
    let mut tokens: Vec<u32> = Vec::with_capacity(chunk.text.len() / 5);
    for_each_line(chunk, &mut report, |line, report| {
        let start = tokens.len();
        let mut sentence = start;
        for_each_word(line, form, report, |word| {
            let Some(id) = vocab.id(word) else { return };
            if tokens.len() - sentence == MAX_SENTENCE {
                tokens[sentence + MAX_SENTENCE - 1] |= END;
                sentence = tokens.len();
            }
            tokens.push(id);
        });
        if tokens.len() > start {
            *tokens.last_mut().expect("a token was pushed") |= END;
            report.cuts += ((tokens.len() - start - 1) / MAX_SENTENCE) as u64;
        }
    });
    (tokens, report)
}

/// Hands every line of a chunk to `visit`, and counts those with words. A line that continues one
/// of the chunk before counts as a cut.
pub(crate) fn for_each_line(
    chunk: &Chunk,
    report: &mut TextReport,
    mut visit: impl FnMut(&[u8], &mut TextReport),
) {
    for (number, line) in chunk.lines().enumerate() {
        let before = report.words;
        visit(line, report);
        if report.words > before {
            if number == 0 && chunk.continued {
                report.cuts += 1;
            } else {
                report.lines += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::SystemTime;

    use super::*;

    fn corpus(text: &[u8]) -> (tempfile::NamedTempFile, Corpus) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let corpus = Corpus::open(&[file.path().to_owned()]).unwrap();
        (file, corpus)
    }

    fn count(corpus: &Corpus) -> Result<(crate::vocab::WordCounts, TextReport)> {
        corpus.count(&crate::vocab::Rules::default(), |_| ())
    }

    fn encode(corpus: &Corpus, vocab: &Vocab) -> Result<Encoded> {
        corpus.encode(vocab, Normalization::default(), None, None, |_| ())
    }

    #[test]
    fn a_pass_ends_where_its_caller_asks_it_to() {
        let stop = Arc::new(AtomicBool::new(false));
        let (_file, corpus) = corpus(b"a b c\n");
        let corpus = corpus.stopping(Arc::clone(&stop));
        assert_eq!(count(&corpus).unwrap().1.words, 3);
        stop.store(true, Ordering::Relaxed);
        let error = count(&corpus).unwrap_err();
        assert!(matches!(error, Error::Stopped { step: 0 }), "{error}");
    }

    /// Sentences in memory give the ids that the same text in a file gives, and are read any
    /// number of times.
    #[test]
    fn sentences_in_memory_are_text() {
        let text = "é b a b\n\na b c\n";
        let sentences = || text.lines().map(|line| line.split_whitespace());
        let in_memory = Corpus::from_sentences(sentences()).unwrap();
        let vocab = Vocab::from_counts(&count(&in_memory).unwrap().0, 1, None).unwrap();
        let (_, expected, report) = encoded(text.as_bytes());
        for _ in 0..2 {
            let Encoded {
                store, report: own, ..
            } = encode(&in_memory, &vocab).unwrap();
            let mut tokens = Vec::new();
            store.read_block(0, &mut tokens).unwrap();
            assert_eq!(
                (tokens, own.words, own.lines),
                (expected.clone(), report.words, 2)
            );
        }
        for word in ["", "new york", "a\u{0}", "\u{feff}a"] {
            let sentences = [vec!["a"], vec!["b", word]];
            let error = Corpus::from_sentences(sentences).unwrap_err().to_string();
            assert!(error.contains("sentence 2 has the word"), "{error}");
        }
    }

    /// Whole sentences are held out, about as many as asked for, and the same ones for the same
    /// seed.
    #[test]
    fn sentences_are_held_out() {
        let text: String = (0..4000).map(|n| format!("a b{n} c{n} d\n")).collect();
        let (_file, corpus) = corpus(text.as_bytes());
        let vocab = Vocab::from_counts(&count(&corpus).unwrap().0, 1, None).unwrap();
        let held_out = |share, seed| {
            let encoded = corpus
                .encode(
                    &vocab,
                    Normalization::default(),
                    Some(HeldOut::new(share, seed)),
                    None,
                    |_| (),
                )
                .unwrap();
            let held_out = encoded.held_out.unwrap();
            assert_eq!(encoded.store.tokens() + held_out.tokens(), 16_000);
            let mut tokens = Vec::new();
            (0..held_out.blocks())
                .for_each(|block| held_out.read_block(block, &mut tokens).unwrap());
            assert!(
                tokens
                    .chunks(4)
                    .all(|sentence| sentence[3] & END != 0 && sentence[0] == tokens[0])
            );
            tokens
        };
        let tenth = held_out(0.1, 1);
        // 400 sentences of 4000, give or take four standard deviations.
        assert!(
            (tenth.len() as f64 / 4.0 - 400.0).abs() < 76.0,
            "{}",
            tenth.len()
        );
        assert_eq!(tenth, held_out(0.1, 1));
        assert_ne!(tenth, held_out(0.1, 2));
        assert!(held_out(1e-18, 1).is_empty());
    }

    fn encoded(text: &[u8]) -> (Vocab, Vec<u32>, TextReport) {
        let (_file, corpus) = corpus(text);
        let (counts, counted) = count(&corpus).unwrap();
        let vocab = Vocab::from_counts(&counts, 1, None).unwrap();
        let Encoded { store, report, .. } = encode(&corpus, &vocab).unwrap();
        assert_eq!((counted.words, counted.lines), (report.words, report.lines));
        let mut tokens = Vec::new();
        for block in 0..store.blocks() {
            store.read_block(block, &mut tokens).unwrap();
        }
        (vocab, tokens, report)
    }

    #[test]
    fn lines_become_sentences() {
        let (vocab, tokens, report) = encoded(b"a b\tc\r\n\n  \na a");
        assert_eq!(vocab.words().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(tokens, [0, 1, 2 | END, 0, END]);
        assert_eq!(
            report,
            TextReport {
                bytes: 14,
                lines: 2,
                words: 5,
                ..TextReport::default()
            }
        );
    }

    #[test]
    fn a_line_too_long_is_cut_and_counted() {
        let (_, tokens, report) = encoded("w ".repeat(MAX_SENTENCE * 2 + 1).as_bytes());
        assert_eq!(tokens.len(), MAX_SENTENCE * 2 + 1);
        let ends: Vec<usize> = (0..tokens.len())
            .filter(|&i| tokens[i] & END != 0)
            .collect();
        assert_eq!(
            ends,
            [MAX_SENTENCE - 1, MAX_SENTENCE * 2 - 1, MAX_SENTENCE * 2]
        );
        assert_eq!(report.cuts, 2);
    }

    #[test]
    fn a_line_longer_than_any_buffer_loses_no_word() {
        let words = reader::CHUNK_BYTES; // of two bytes each, so two chunks
        let (_, tokens, report) = encoded("w ".repeat(words).as_bytes());
        assert_eq!(
            (tokens.len(), report.words, report.lines),
            (words, words as u64, 1)
        );
        // The chunks have as many words as a whole number of sentences, so no piece is shorter.
        assert_eq!(report.cuts, (words / MAX_SENTENCE - 1) as u64);
    }

    #[test]
    fn a_word_longer_than_any_buffer_is_one_skipped_word() {
        let mut text = b"a ".to_vec();
        text.resize(reader::CHUNK_BYTES * 2 + 17, b'x');
        text.extend(b" b\nc");
        let (vocab, tokens, report) = encoded(&text);
        assert_eq!((report.long_words, report.lines), (1, 2));
        assert_eq!(
            tokens
                .iter()
                .map(|t| vocab.word(t & !END))
                .collect::<String>(),
            "abc"
        );
    }

    /// The head of a corpus is whole lines, the same ones in every pass.
    #[test]
    fn the_head_of_a_corpus() {
        let lines = reader::CHUNK_BYTES / 2;
        let (_file, corpus) = corpus("a b c\n".repeat(lines).as_bytes());
        let all = count(&corpus).unwrap().1;
        assert_eq!(all.lines, lines as u64);
        for (most, chunks) in [(1, 1), (reader::CHUNK_BYTES as u64 + 1, 2), (1 << 40, 3)] {
            let head = corpus.head(most);
            let (counts, counted) = count(&head).unwrap();
            let encoded = encode(&head, &Vocab::from_counts(&counts, 1, None).unwrap()).unwrap();
            assert_eq!(
                (counted.lines, counted.words),
                (encoded.report.lines, encoded.report.words)
            );
            assert_eq!(counted.words, 3 * counted.lines);
            assert_eq!(counted.bytes.div_ceil(reader::CHUNK_BYTES as u64), chunks);
            assert_eq!(counted.lines == all.lines, chunks == 3);
        }
    }

    /// Separators other than ASCII blanks end words everywhere, also where a chunk has to end.
    #[test]
    fn words_between_other_separators_are_not_lost_in_a_line_longer_than_any_buffer() {
        for separator in ["\0", "\u{7f}", "\u{85}", "\u{3000}"] {
            let words = 2 * reader::CHUNK_BYTES / (3 + separator.len());
            let (vocab, tokens, report) =
                encoded(format!("été{separator}").repeat(words).as_bytes());
            assert_eq!(
                (vocab.len(), tokens.len(), report.long_words),
                (1, words, 0),
                "{separator:?}"
            );
            // The separator lies across the end of the first chunk, and ends a word too long to
            // keep.
            for before in 0..=separator.len() {
                let long = "x".repeat(reader::CHUNK_BYTES - before);
                let (vocab, tokens, report) = encoded(format!("{long}{separator}a\nb").as_bytes());
                assert_eq!(
                    (tokens, report.long_words),
                    (vec![END, 1 | END], 1),
                    "{separator:?}"
                );
                assert!(vocab.words().eq(["a", "b"]));
            }
        }
    }

    #[test]
    fn words_outside_the_vocabulary_leave_the_sentence() {
        let (_file, corpus) = corpus(b"a x b\nx\na b");
        let (counts, _) = count(&corpus).unwrap();
        let vocab = Vocab::from_counts(&counts, 2, Some(2)).unwrap();
        assert_eq!(vocab.words().collect::<Vec<_>>(), ["a", "b"]);
        let store = encode(&corpus, &vocab).unwrap().store;
        let mut tokens = Vec::new();
        store.read_block(0, &mut tokens).unwrap();
        assert_eq!(tokens, [0, 1 | END, 0, 1 | END]);
    }

    /// If a file was appended to, cut, replaced or removed, the next pass says so and names it.
    #[test]
    fn a_file_that_changed_since_it_was_opened_is_refused() {
        type Change = fn(&Path) -> std::io::Result<()>;
        let text = b"a b c\n";
        let changes: [(Change, &str); 4] = [
            (
                |path| std::fs::write(path, b"a b c\na b"),
                "it had 6 bytes, and now has 9",
            ),
            (
                |path| std::fs::write(path, b"a b\n"),
                "it had 6 bytes, and now has 4",
            ),
            (
                |path| touch(path, SystemTime::UNIX_EPOCH),
                "another file has taken its place",
            ),
            (|path| std::fs::remove_file(path), "No such file"),
        ];
        for (change, expected) in changes {
            let (_same, same) = corpus(text);
            let (file, corpus) = corpus(text);
            let vocab = Vocab::from_counts(&count(&corpus).unwrap().0, 1, None).unwrap();
            encode(&corpus, &vocab).unwrap();
            let path = file.path().to_owned();
            let work = |_: &[Chunk], _| change(&path).map_err(Error::io("change", &path));
            let error = corpus.rounds(1, work).unwrap_err();
            let Error::Corpus { path: named, why } = &error else {
                panic!("{error}")
            };
            assert_eq!(named, &path);
            assert!(
                why.starts_with("changed while it was read: ") && why.contains(expected),
                "{why}"
            );
            encode(&same, &vocab).unwrap();
        }
    }

    fn touch(path: &Path, modified: SystemTime) -> std::io::Result<()> {
        std::fs::File::options()
            .write(true)
            .open(path)?
            .set_modified(modified)
    }

    /// A change that leaves length and time as they were is found by the number of words.
    #[test]
    fn a_corpus_of_other_words_than_were_counted_is_refused() {
        let (file, corpus) = corpus(b"a b c\n");
        let modified = file.path().metadata().unwrap().modified().unwrap();
        let (counts, report) = count(&corpus).unwrap();
        let vocab = Vocab::from_counts(&counts, 1, Some(2)).unwrap();
        let exact = Expected {
            words: report.words,
            tokens: Some(vocab.tokens()),
        };
        let encode = |text: &[u8], expected| {
            std::fs::write(file.path(), text)
                .and_then(|()| touch(file.path(), modified))
                .unwrap();
            corpus.encode(
                &vocab,
                Normalization::default(),
                None,
                Some(expected),
                |_| (),
            )
        };
        encode(b"a b c\n", exact).unwrap();
        let swapped = encode(b"a a b\n", exact).unwrap_err().to_string();
        assert!(
            swapped
                .contains("changed while it was read: 2 words of the vocabulary were counted, 3"),
            "{swapped}"
        );
        encode(
            b"a a b\n",
            Expected {
                tokens: None,
                ..exact
            },
        )
        .unwrap();
        let fewer = encode(
            b"a  bc\n",
            Expected {
                tokens: None,
                ..exact
            },
        )
        .unwrap_err()
        .to_string();
        assert!(
            fewer.contains("changed while it was read: 3 words were counted"),
            "{fewer}"
        );
    }
}
