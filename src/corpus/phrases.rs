//! Phrases: joins words that come together more often than chance would have it.
//!
//! Two neighbouring words a b are scored as in "Distributed Representations of Words and Phrases
//! and their Compositionality" (Mikolov et al. 2013):
//!
//! > score(a, b) = (count(a b) - delta) / (count(a) count(b)) * words of the text
//!
//! Without delta, the score says how many times more often the pair occurs than in randomly ordered
//! words. Delta discounts the chance meetings of rare words. Pairs that score above a threshold are
//! joined from left to right in each line; a joined word is not joined again in that pass. The next
//! pass takes joined words as words, so after n passes a phrase has up to 2^n words.
//!
//! The joined text is not stored. Every pass reads the corpus twice, joining again the pairs of the
//! passes before it: first to count words, then to count pairs of frequent words. A last reading
//! writes the text.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::{Chunk, Corpus, Expected, for_each_line};
use crate::error::{Error, Result};
use crate::event::{Event, Pass};
use crate::text::{MAX_WORD_BYTES, TextReport, for_each_raw_word, is_separator};
use crate::vocab::{Countable, Counting, Counts, Word, WordCounts};

/// How phrases are found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[cfg_attr(feature = "cli", group(skip))]
pub struct PhraseOptions {
    /// Join words whose score is above this: the higher, the fewer phrases
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            default_value_t = 100.0,
            value_name = "X",
            allow_negative_numbers = true
        )
    )]
    pub threshold: f64,
    /// Taken off the count of a pair in its score [default: --min-count]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub delta: Option<f64>,
    /// Do not join words, nor pairs, that occur less often
    #[cfg_attr(feature = "cli", arg(long, default_value_t = 5, value_name = "N"))]
    pub min_count: u64,
    /// Passes; each joins what those before it made, so that N of them make phrases of up to 2^N
    /// words
    #[cfg_attr(feature = "cli", arg(long, default_value_t = 1, value_name = "N"))]
    pub passes: u32,
    /// What stands between the words of a phrase
    #[cfg_attr(feature = "cli", arg(long, default_value = "_", value_name = "TEXT"))]
    pub separator: String,
    /// The memory that counting takes.
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub counting: Counting,
}

impl Default for PhraseOptions {
    fn default() -> Self {
        let separator = "_".to_owned();
        Self {
            threshold: 100.0,
            delta: None,
            min_count: 5,
            passes: 1,
            separator,
            counting: Counting::default(),
        }
    }
}

/// The largest `--passes`: phrases of up to 1024 words.
const MAX_PASSES: u32 = 10;

impl PhraseOptions {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        let refuse = |setting: &'static str, value: String, why: &str| {
            Err(Error::setting(setting, value, why))
        };
        if !self.threshold.is_finite() {
            return refuse(
                "threshold",
                self.threshold.to_string(),
                "must be a finite number; 100 is usual",
            );
        }
        if let Some(delta) = self
            .delta
            .filter(|delta| !(delta.is_finite() && *delta >= 0.0))
        {
            return refuse(
                "delta",
                delta.to_string(),
                "must be 0 or a positive number; `min_count` is usual",
            );
        }
        if !(1..=MAX_PASSES).contains(&self.passes) {
            return refuse(
                "passes",
                self.passes.to_string(),
                "1 to 10 passes; 2 or 3 are usual",
            );
        }
        if self.separator.is_empty() || self.separator.contains(is_separator) {
            let value = format!("{:?}", self.separator);
            return refuse(
                "separator",
                value,
                "must be text without spaces or control characters, such as _",
            );
        }
        self.counting.validate()
    }

    /// The score of a pair that occurs `together` times, by the formula at the top of this module.
    fn score(&self, together: u64, first: u64, second: u64, words: u64) -> f64 {
        let delta = self.delta.unwrap_or(self.min_count as f64);
        (together as f64 - delta) / (first as f64 * second as f64) * words as f64
    }
}

/// The totals of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// Words in the text as it was before this pass.
    pub words: u64,
    /// Different words that occur often enough.
    pub frequent: u64,
    /// Different pairs of these words.
    pub pairs: u64,
    /// Different pairs that are joined.
    pub joined: u64,
    /// Counts of words and pairs are too low by at most this. It is above 0 only if the memory
    /// limit was reached.
    pub undercount: u64,
}

/// The pairs that each pass joins.
#[derive(Debug, Default)]
pub struct Phrases {
    passes: Vec<Joins>,
    separator: Vec<u8>,
}

/// Two neighbouring word ids.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
struct Pair(u32, u32);

impl From<&Self> for Pair {
    fn from(pair: &Self) -> Self {
        *pair
    }
}

impl Countable for Pair {
    fn heap_bytes(&self) -> u64 {
        0
    }
}

/// Word ids by word.
type Ids = HashMap<Word, u32, FixedState>;

/// The pairs that one pass joins, and the ids of all words that are frequent enough.
#[derive(Debug, Default)]
struct Joins {
    ids: Ids,
    pairs: HashSet<Pair, FixedState>,
}

impl Joins {
    fn id(&self, word: &[u8]) -> Option<u32> {
        self.ids.get(word).copied()
    }

    /// Joins words from left to right. A joined word is not joined again.
    fn join(&self, words: &Words, separator: &[u8], joined: &mut Words) {
        joined.clear();
        // Id and length of the word before, if it may be joined.
        let mut before: Option<(u32, usize)> = None;
        for word in words.iter() {
            let id = self.id(word);
            if let (Some((first, length)), Some(second)) = (before, id)
                && self.pairs.contains(&Pair(first, second))
                && length + separator.len() + word.len() <= MAX_WORD_BYTES
            {
                joined.append(separator, word);
                before = None;
            } else {
                joined.push(word);
                before = id.map(|id| (id, word.len()));
            }
        }
    }
}

/// The words of a line, in one buffer.
#[derive(Default)]
struct Words {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Words {
    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn push(&mut self, word: &[u8]) {
        self.text.extend_from_slice(word);
        self.ends.push(self.text.len());
    }

    /// Extends the last word by the separator and another word.
    fn append(&mut self, separator: &[u8], word: &[u8]) {
        self.ends.pop();
        self.text.extend_from_slice(separator);
        self.push(word);
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.text[start..end])
    }
}

impl Phrases {
    /// Finds the phrases of a corpus on the threads of the current rayon pool. Also returns the
    /// totals of each pass.
    ///
    /// # Errors
    /// [`Error::Setting`] for an option out of its range; [`Error::Io`] and [`Error::Corpus`] when
    /// a file cannot be read.
    pub fn find(
        corpus: &Corpus,
        options: &PhraseOptions,
        mut on_event: impl FnMut(Event) + Send,
    ) -> Result<(Self, Vec<Found>)> {
        options.validate()?;
        let mut phrases = Self {
            passes: Vec::new(),
            separator: options.separator.as_bytes().to_vec(),
        };
        let mut found = Vec::new();
        for _ in 0..options.passes {
            let (joins, pass) = phrases.next_pass(corpus, options, &mut on_event)?;
            phrases.passes.push(joins);
            found.push(pass);
        }
        Ok((phrases, found))
    }

    fn next_pass(
        &self,
        corpus: &Corpus,
        options: &PhraseOptions,
        on_event: &mut (impl FnMut(Event) + Send),
    ) -> Result<(Joins, Found)> {
        let (counts, text) = self.count_words(corpus, options, on_event)?;
        let undercount = counts.undercount();
        let (ids, word_counts) = frequent(counts, options.min_count);
        let mut joins = Joins {
            ids,
            pairs: HashSet::default(),
        };
        let (pairs, again) = self.count_pairs(corpus, options, &joins, on_event)?;
        let expected = Expected {
            words: text.words,
            tokens: None,
        };
        corpus.check_same_words(Some(expected), again.words, 0)?;
        let is_joined = |&(Pair(first, second), together): &(&Pair, u64)| {
            let (a, b) = (word_counts[*first as usize], word_counts[*second as usize]);
            together >= options.min_count
                && options.score(together, a, b, text.words) > options.threshold
        };
        joins.pairs = pairs
            .iter_keys()
            .filter(is_joined)
            .map(|(pair, _)| *pair)
            .collect();
        let found = Found {
            words: text.words,
            frequent: joins.ids.len() as u64,
            pairs: pairs.len() as u64,
            joined: joins.pairs.len() as u64,
            undercount: undercount.max(pairs.undercount()),
        };
        Ok((joins, found))
    }

    /// Counts the words of the text as all passes so far have joined it.
    fn count_words(
        &self,
        corpus: &Corpus,
        options: &PhraseOptions,
        on_event: &mut (impl FnMut(Event) + Send),
    ) -> Result<(WordCounts, TextReport)> {
        corpus.tally(
            options.counting.vocab_memory,
            |_| false,
            corpus.reading(Pass::Count, on_event),
            |chunk, counts: &mut WordCounts, report| {
                self.for_each_joined(chunk, report, |words| {
                    words.iter().for_each(|word| counts.add(word))
                });
            },
        )
    }

    /// Counts the pairs of neighbours that both are words of `joins`.
    fn count_pairs(
        &self,
        corpus: &Corpus,
        options: &PhraseOptions,
        joins: &Joins,
        on_event: &mut (impl FnMut(Event) + Send),
    ) -> Result<(Counts<Pair>, TextReport)> {
        corpus.tally(
            options.counting.vocab_memory,
            |_| false,
            corpus.reading(Pass::Pairs, on_event),
            |chunk, counts: &mut Counts<Pair>, report| {
                self.for_each_joined(chunk, report, |words| {
                    let mut before = None;
                    for id in words.iter().map(|word| joins.id(word)) {
                        if let (Some(first), Some(second)) = (before, id) {
                            counts.add(&Pair(first, second));
                        }
                        before = id;
                    }
                });
            },
        )
    }

    /// Hands the text with its phrases joined to `visit`, piece by piece.
    ///
    /// Lines stay lines, with one space between words. Words that are too long are left out. All
    /// else stays, bytes that are not UTF-8 included.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Corpus`] when a file cannot be read; any error of `visit`.
    pub fn apply(
        &self,
        corpus: &Corpus,
        mut visit: impl FnMut(&[u8]) -> Result<()> + Send,
        mut on_event: impl FnMut(Event) + Send,
    ) -> Result<TextReport> {
        let mut report = TextReport::default();
        // Written between two lines, so it is empty before the first.
        let mut line_end: &[u8] = b"";
        let mut reading = corpus.reading(Pass::Join, &mut on_event);
        let bytes = corpus.rounds(rayon::current_num_threads(), |chunks, bytes| {
            let parts: Vec<(Vec<u8>, TextReport)> = chunks
                .par_iter()
                .map(|chunk| self.joined_text(chunk))
                .collect();
            for (chunk, (text, part)) in chunks
                .iter()
                .zip(&parts)
                .filter(|(chunk, _)| !chunk.text.is_empty())
            {
                report.add(part);
                visit(if chunk.continued { b" " } else { line_end })?;
                visit(text)?;
                line_end = b"\n";
            }
            reading(bytes);
            Ok(())
        })?;
        visit(line_end)?;
        Ok(TextReport { bytes, ..report })
    }

    /// The lines of a chunk with phrases joined, without the newline of the last line.
    fn joined_text(&self, chunk: &Chunk) -> (Vec<u8>, TextReport) {
        let mut text = Vec::with_capacity(chunk.text.len());
        let mut report = TextReport::default();
        self.for_each_joined(chunk, &mut report, |words| {
            for (number, word) in words.iter().enumerate() {
                if number > 0 {
                    text.push(b' ');
                }
                text.extend_from_slice(word);
            }
            text.push(b'\n');
        });
        text.pop();
        (text, report)
    }

    /// Hands the words of each line of a chunk to `visit`, joined by all passes so far. The report
    /// counts the joined words.
    fn for_each_joined(
        &self,
        chunk: &Chunk,
        report: &mut TextReport,
        mut visit: impl FnMut(&Words),
    ) {
        let (mut words, mut joined) = (Words::default(), Words::default());
        for_each_line(chunk, report, |line, report| {
            words.clear();
            for_each_raw_word(line, |word, _| {
                if word.len() > MAX_WORD_BYTES {
                    report.long_words += 1;
                } else {
                    words.push(word);
                }
            });
            for joins in &self.passes {
                joins.join(&words, &self.separator, &mut joined);
                std::mem::swap(&mut words, &mut joined);
            }
            report.words += words.ends.len() as u64;
            visit(&words);
        });
    }
}

/// Ids and counts of the words that occur often enough.
fn frequent(counts: WordCounts, min_count: u64) -> (Ids, Vec<u64>) {
    let mut ids = Ids::default();
    let mut of_ids = Vec::new();
    for (word, count) in counts.into_keys().filter(|(_, count)| *count >= min_count) {
        ids.insert(
            word,
            u32::try_from(of_ids.len()).expect("memory holds fewer than 2^32 words"),
        );
        of_ids.push(count);
    }
    (ids, of_ids)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Write as _;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn joined(text: &[u8], options: &PhraseOptions) -> (Vec<u8>, Vec<Found>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let corpus = Corpus::open(&[PathBuf::from(file.path())]).unwrap();
        let (phrases, found) = Phrases::find(&corpus, options, |_| ()).unwrap();
        let mut out = Vec::new();
        let visit = |text: &[u8]| {
            out.extend_from_slice(text);
            Ok(())
        };
        phrases.apply(&corpus, visit, |_| ()).unwrap();
        (out, found)
    }

    /// Among 14 words, `new` and `york` occur 3 times each, always together: (3 - 1) / (3 * 3) * 14
    /// = 3.1. `york is` and `is big` occur twice, `big` 3 times: (2 - 1) / (3 * 2) * 14 = 2.3 for
    /// both.
    #[test]
    fn a_pair_above_the_threshold_is_joined() {
        let text = b"new york is big\n\nnew\tyork  is big\r\nnew york\nbig y\xff z q";
        let options = |threshold| PhraseOptions {
            threshold,
            delta: Some(1.0),
            min_count: 2,
            ..PhraseOptions::default()
        };
        let (out, found) = joined(text, &options(3.0));
        assert_eq!(
            out,
            b"new_york is big\n\nnew_york is big\nnew_york\nbig y\xff z q\n"
        );
        assert_eq!(
            found,
            [Found {
                words: 14,
                frequent: 4,
                pairs: 3,
                joined: 1,
                undercount: 0
            }]
        );
        assert_eq!(
            joined(text, &options(3.2)).0,
            b"new york is big\n\nnew york is big\nnew york\nbig y\xff z q\n"
        );
        // From left to right: `york is` scores as well, but york was joined already.
        assert_eq!(
            joined(text, &options(2.0)).0,
            b"new_york is_big\n\nnew_york is_big\nnew_york\nbig y\xff z q\n"
        );
        // Among 9 words, `new_york` occurs 3 times, `is_big` twice, and both together twice: (2 -
        // 1) / (3 * 2) * 9 = 1.5.
        let twice = |threshold| PhraseOptions {
            passes: 2,
            separator: "~".to_owned(),
            ..options(threshold)
        };
        assert_eq!(
            joined(text, &twice(2.0)).0,
            b"new~york is~big\n\nnew~york is~big\nnew~york\nbig y\xff z q\n"
        );
        assert!(
            joined(text, &twice(1.4))
                .0
                .starts_with(b"new~york~is~big\n")
        );
    }

    #[test]
    fn a_phrase_is_no_longer_than_a_word_may_be() {
        let text = format!("{0} {0}\n", "x".repeat(MAX_WORD_BYTES / 2)).repeat(9);
        let options = PhraseOptions {
            threshold: -1.0,
            delta: Some(0.0),
            ..PhraseOptions::default()
        };
        assert_eq!(joined(text.as_bytes(), &options).0, text.as_bytes());
        let text = format!("a {} b\n", "x".repeat(MAX_WORD_BYTES + 1));
        let never = PhraseOptions {
            threshold: 1e9,
            ..options
        };
        assert_eq!(joined(text.as_bytes(), &never).0, b"a b\n");
    }

    #[test]
    fn a_line_longer_than_a_chunk_stays_a_line() {
        let text = "ab cd ".repeat(1_000_000);
        let options = PhraseOptions {
            threshold: 1e9,
            ..PhraseOptions::default()
        };
        assert!(joined(text.as_bytes(), &options).0 == format!("{}\n", text.trim_end()).as_bytes());
    }

    /// The obvious way: the whole text in memory, words as strings.
    fn reference(lines: &[Vec<String>], options: &PhraseOptions) -> Vec<Vec<String>> {
        let mut lines = lines.to_vec();
        for _ in 0..options.passes {
            let mut words: HashMap<String, u64> = HashMap::new();
            let mut pairs: HashMap<(String, String), u64> = HashMap::new();
            for line in &lines {
                line.iter()
                    .for_each(|word| *words.entry(word.clone()).or_default() += 1);
                line.windows(2)
                    .for_each(|p| *pairs.entry((p[0].clone(), p[1].clone())).or_default() += 1);
            }
            let total: u64 = words.values().sum();
            let joins = |a: &String, b: &String| {
                let (a_count, b_count, together) =
                    (words[a], words[b], pairs[&(a.clone(), b.clone())]);
                let score = (together as f64 - options.delta.unwrap_or(options.min_count as f64))
                    / (a_count as f64 * b_count as f64)
                    * total as f64;
                a_count.min(b_count).min(together) >= options.min_count && score > options.threshold
            };
            let join = |line: &Vec<String>| {
                let (mut joined, mut at) = (Vec::new(), 0);
                while at < line.len() {
                    if at + 1 < line.len() && joins(&line[at], &line[at + 1]) {
                        joined.push(format!("{}{}{}", line[at], options.separator, line[at + 1]));
                        at += 2;
                    } else {
                        joined.push(line[at].clone());
                        at += 1;
                    }
                }
                joined
            };
            lines = lines.iter().map(join).collect();
        }
        lines
    }

    proptest! {
        #[test]
        fn agrees_with_the_obvious_way(
            lines in prop::collection::vec(prop::collection::vec("[abcd_]{1,2}", 0..12), 1..30),
            threshold in 0.1f64..4.0,
            min_count in 0u64..4,
            delta in prop::option::of(0.0f64..3.0),
            passes in 1u32..4,
        ) {
            let options = PhraseOptions { threshold, delta, min_count, passes, ..PhraseOptions::default() };
            let text: String = lines.iter().map(|line| line.join(" ") + "\n").collect();
            let expected: String =
                reference(&lines, &options).iter().map(|line| line.join(" ") + "\n").collect();
            prop_assert_eq!(String::from_utf8(joined(text.as_bytes(), &options).0).unwrap(), expected);
        }
    }
}
