//! Vocabulary files: our own, with lines `word count` by falling count and then bytewise, and those
//! of other tools.
//!
//! | tool | lines |
//! |---|---|
//! | word2vec.c, GloVe, gensim's `fvocab` | `word count`; the first word of word2vec.c is `</s>`, which counts line ends |
//! | fastText's `dump ... dict` | first the number of words, then `word count type` |
//! | gensim's `Dictionary.save_as_text` | first the number of texts, then `id`, `word` and `count` between tabs |
//! | `sort \| uniq -c` | `count word` |

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use super::{Rules, Vocab, WordCounts};
use crate::error;
use crate::text::list::{Lines, checked_word, wrong_line};

/// How many lines are examined to find the columns.
const SAMPLE_LINES: usize = 100;

/// The word that stands for line ends in the vocabularies of word2vec.c and fastText.
const LINE_END: &str = "</s>";

/// Writes all words with their counts.
///
/// # Errors
/// Any error of `out`.
pub fn write(vocab: &Vocab, out: &mut dyn Write) -> io::Result<()> {
    vocab
        .words()
        .zip(vocab.counts())
        .try_for_each(|(word, count)| writeln!(out, "{word} {count}"))
}

/// Reads the words and counts of a vocabulary file, in any order. The words must already be
/// normalized as `rules` asks.
///
/// Some lines differ from ours but are plain in meaning: repeated words, words that no text can
/// have, broken characters, words with the count 0, further columns. They are mended or left out,
/// and `note` is called with a sentence about them. With `strict`, the first such line is an error.
///
/// # Errors
/// [`crate::Error::Io`] when the file cannot be read; [`crate::Error::Format`] for a line that is
/// no word and count, and for a file without words.
pub fn read_counts(
    path: &Path,
    rules: &Rules,
    strict: bool,
    mut note: impl FnMut(String),
) -> error::Result<WordCounts> {
    let mut lines = Lines::open(path)?;
    let sample = lines
        .by_ref()
        .take(SAMPLE_LINES)
        .collect::<error::Result<Vec<_>>>()?;
    let layout = if strict {
        Layout::OURS
    } else {
        Layout::of(&sample).map_err(|why| wrong_line(path, 1, why))?
    };
    let mut reader = Reader::new(rules, strict, layout);
    for line in sample.into_iter().map(Ok).chain(lines) {
        let (number, line) = line?;
        reader
            .line(number, &line)
            .map_err(|why| wrong_line(path, number, why))?;
    }
    reader
        .leave_out_line_ends()
        .map_err(|(number, why)| wrong_line(path, number, why))?;
    if reader.counts.is_empty() {
        let (number, why) = reader
            .first
            .unwrap_or((1, "there is no line of a word and its count".to_owned()));
        return Err(wrong_line(path, number, format!("holds no words: {why}")));
    }
    reader.notes().for_each(&mut note);
    Ok(reader.counts)
}

/// The columns of a vocabulary file, numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    columns: usize,
    word: usize,
    count: usize,
}

impl Layout {
    /// The layout `word count`.
    const OURS: Self = Self {
        columns: 2,
        word: 0,
        count: 1,
    };

    /// Finds the columns of most lines: the counts are numbers, and the words differ from line to
    /// line.
    ///
    /// # Errors
    /// A sentence for the user when the columns are ambiguous: all hold numbers, or several hold
    /// words.
    fn of(lines: &[(u64, Vec<u8>)]) -> Result<Self, String> {
        let lines: Vec<_> = lines
            .iter()
            .map(|(_, line)| String::from_utf8_lossy(line))
            .collect();
        let rows: Vec<Vec<&str>> = lines.iter().map(|line| columns(line)).collect();
        let of_width = |width: usize| rows.iter().filter(move |row| row.len() == width);
        let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = (2..=widest)
            .rev()
            .max_by_key(|&width| of_width(width).count())
            .unwrap_or(2);
        let count = of_width(width).count();
        let is_counts = |&column: &usize| {
            2 * of_width(width)
                .filter(|row| row[column].parse::<u64>().is_ok())
                .count()
                >= count
        };
        let different = |column: usize| {
            of_width(width)
                .map(|row| row[column])
                .collect::<HashSet<_>>()
                .len()
        };
        let is_words = |&column: &usize| !is_counts(&column) && 10 * different(column) >= 9 * count;
        let word = (0..width).find(is_words).unwrap_or(0);
        let counts = (word + 1..width)
            .find(is_counts)
            .or_else(|| (0..word).rev().find(is_counts));
        let counts = counts.unwrap_or(usize::from(word == 0));
        // A phrase of several words takes several columns. A part of speech has few values, so its
        // column is not one of them.
        let is_part =
            |column: usize| column != word && !is_counts(&column) && 2 * different(column) > count;
        if width > 2 && ((0..width).all(|column| is_counts(&column)) || (0..counts).any(is_part)) {
            return Err(format!(
                "it is not plain which of {width} columns are the words and the counts; write a \
                 word and its count a line, such as by `cut` or `awk '{{ print $2, $3 }}'`"
            ));
        }
        Ok(Self {
            columns: width,
            word,
            count: counts,
        })
    }
}

/// Splits a line into columns: at tabs if it has any, else at blanks.
fn columns(line: &str) -> Vec<&str> {
    match line.contains('\t') {
        true => line.split('\t').map(str::trim_ascii).collect(),
        false => line.split_ascii_whitespace().collect(),
    }
}

/// Collects the lines of a vocabulary file.
struct Reader<'a> {
    rules: &'a Rules,
    /// Whether a line unlike ours is an error.
    strict: bool,
    layout: Layout,
    counts: WordCounts,
    /// The sum of all counts.
    tokens: u64,
    /// Lines read so far, without the empty ones.
    lines: u64,
    /// The line number of [`LINE_END`]. It is set if that is the first word, or if another tool
    /// wrote the file.
    line_end: Option<u64>,
    /// Number of lines that were mended or left out.
    odd: u64,
    /// Line number of the first such line, and the reason.
    first: Option<(u64, String)>,
}

impl<'a> Reader<'a> {
    fn new(rules: &'a Rules, strict: bool, layout: Layout) -> Self {
        let counts = WordCounts::default();
        Self {
            rules,
            strict,
            layout,
            counts,
            tokens: 0,
            lines: 0,
            line_end: None,
            odd: 0,
            first: None,
        }
    }

    /// Takes a line.
    ///
    /// # Errors
    /// A sentence for the user that says what is wrong with the line.
    fn line(&mut self, number: u64, line: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(line);
        let (row, shown) = (columns(&text), text.trim_ascii());
        let is_number = |column: &str| column.parse::<u64>().is_ok();
        self.lines += 1;
        if let [only] = row[..]
            && is_number(only)
            && !self.strict
        {
            return self.lone_number(number, &text);
        }
        let (Some(word), Some(count)) = (row.get(self.layout.word), row.get(self.layout.count))
        else {
            return Err(no_word_and_count(&text));
        };
        if row.len() > self.layout.columns
            && !text.contains('\t')
            && row.last().copied().is_some_and(is_number)
        {
            return self.note(
                number,
                format!(
                    "the word of {shown:.60?} holds a space, as none of a text does, and is \
                         left out"
                ),
            );
        }
        if row.len() != self.layout.columns {
            self.note(
                number,
                format!(
                    "{shown:.60?} has {} columns, and other lines {}",
                    row.len(),
                    self.layout.columns
                ),
            )?;
        }
        match count.parse() {
            Ok(count) => self.word(number, word, count, matches!(text, Cow::Owned(_))),
            // A header names its columns, so a number here is a broken count and no header.
            Err(_) if self.lines == 1 && !self.strict && count.parse::<f64>().is_err() => self
                .note(
                    number,
                    format!("{shown:.60?} names the columns, or has no count, and is left out"),
                ),
            Err(_) => Err(no_word_and_count(&text)),
        }
    }

    /// Takes a line that holds one number and nothing else.
    ///
    /// # Errors
    /// A sentence for the user that says what is wrong with the line.
    fn lone_number(&mut self, number: u64, text: &str) -> Result<(), String> {
        if text.starts_with([' ', '\t']) {
            let note = format!("{text:?} has whitespace for a word and is left out");
            return self.note(number, note);
        }
        // On the first line it is the number of words, or of texts.
        match self.lines {
            1 => Ok(()),
            _ => Err(no_word_and_count(text)),
        }
    }

    /// Takes a word with its count.
    ///
    /// # Errors
    /// A sentence for the user that says what is wrong with the word.
    fn word(&mut self, number: u64, word: &str, count: u64, is_broken: bool) -> Result<(), String> {
        let is_first = self.counts.is_empty() && self.odd == 0;
        if word == LINE_END && !self.strict && (is_first || self.layout != Layout::OURS) {
            self.line_end = self.line_end.or(Some(number));
        }
        if let Err(why) = checked_word(word) {
            return self.note(number, format!("{why}; it is left out"));
        }
        if count == 0 {
            return self.note(
                number,
                format!("the word {word:?} has the count 0 and is left out"),
            );
        }
        if self.rules.normalization.apply(word) != word {
            let why = "is not in the form that `lowercase` or `nfc` asks for, so no word of the \
                       text would match it";
            return Err(format!(
                "the word {word:?} {why}; count again with the same options"
            ));
        }
        if self.counts.get(word.as_bytes()) > 0 {
            return self.note(
                number,
                format!("the word {word:?} stands in an earlier line, too, which counts"),
            );
        }
        if is_broken {
            self.note(
                number,
                format!("not UTF-8 text; the word is taken as {word:?}, as a text would have it"),
            )?;
        }
        self.tokens = self
            .tokens
            .checked_add(count)
            .ok_or("the counts add up to more than 64 bits hold")?;
        self.counts.add_many(word.as_bytes(), count);
        Ok(())
    }

    /// Removes the word that counts line ends in files of other tools.
    ///
    /// A text may contain `</s>` as a word. A file of ours then lists it in the order of its count.
    fn leave_out_line_ends(&mut self) -> Result<(), (u64, String)> {
        let Some(number) = self.line_end else {
            return Ok(());
        };
        let (count, most) = (
            self.counts.get(LINE_END.as_bytes()),
            self.counts.iter().map(|(_, count)| count).max(),
        );
        if count > 0 && (self.layout != Layout::OURS || Some(count) < most) {
            self.counts.remove(LINE_END.as_bytes());
            let why =
                format!("{LINE_END} stands for the ends of lines in other tools and is left out");
            self.note(number, why).map_err(|why| (number, why))?;
        }
        Ok(())
    }

    /// Records a line that is mended or left out.
    ///
    /// # Errors
    /// `why`, when `strict` asks for lines like ours.
    fn note(&mut self, number: u64, why: String) -> Result<(), String> {
        if self.strict {
            return Err(format!("{why}: `strict` refuses that"));
        }
        self.odd += 1;
        if self.first.as_ref().is_none_or(|(first, _)| number < *first) {
            self.first = Some((number, why));
        }
        Ok(())
    }

    /// The sentences to report about the file.
    fn notes(&self) -> impl Iterator<Item = String> {
        let Layout {
            columns,
            word,
            count,
        } = self.layout;
        let layout = (self.layout != Layout::OURS).then(|| {
            format!(
                "of {columns} columns, number {} is taken for the words and {} for their counts",
                word + 1,
                count + 1
            )
        });
        let odd = self.first.as_ref().map(|(number, why)| {
            format!(
                "{} of {} lines are mended or left out, the first being line {number}: {why}",
                self.odd, self.lines
            )
        });
        layout.into_iter().chain(odd)
    }
}

/// What is wrong with a line that is no word with its count.
fn no_word_and_count(line: &str) -> String {
    let shown = line.trim_ascii();
    format!("expected a word, a space and its count, and found {shown:.60?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{MAX_WORD_BYTES, Normalization};

    /// The words by falling count, and the notes.
    type Taken = (Vec<(String, u64)>, Vec<String>);

    fn taken(text: &[u8], rules: &Rules, strict: bool) -> Result<Taken, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let mut notes = Vec::new();
        let counts = read_counts(file.path(), rules, strict, |what| notes.push(what))
            .map_err(|error| error.to_string())?;
        let vocab = Vocab::from_counts(&counts, 1, None).unwrap();
        Ok((
            vocab
                .words()
                .map(str::to_owned)
                .zip(vocab.counts().iter().copied())
                .collect(),
            notes,
        ))
    }

    fn words<const N: usize>(words: [(&str, u64); N]) -> Vec<(String, u64)> {
        words.map(|(word, count)| (word.to_owned(), count)).into()
    }

    #[test]
    fn what_was_written_is_read() {
        let vocab = Vocab::from_words([("é", 9), ("</s>", 3), ("a", 3), ("b", 3)]).unwrap();
        let mut file = Vec::new();
        write(&vocab, &mut file).unwrap();
        assert_eq!(file, "é 9\n</s> 3\na 3\nb 3\n".as_bytes());
        let expected = (words([("é", 9), ("</s>", 3), ("a", 3), ("b", 3)]), vec![]);
        assert_eq!(taken(&file, &Rules::default(), true).unwrap(), expected);
        assert_eq!(taken(&file, &Rules::default(), false).unwrap(), expected);
        let other = "b\t3\r\n\na  3\n\u{feff}é 9\n</s> 3";
        assert_eq!(
            taken(other.as_bytes(), &Rules::default(), true).unwrap(),
            expected
        );
        // The most frequent word of a text may be `</s>`, and numbers may be words.
        let numbers = (words([("</s>", 9), ("17", 4), ("4", 3)]), vec![]);
        assert_eq!(
            taken(b"</s> 9\n17 4\n4 3\n", &Rules::default(), false).unwrap(),
            numbers
        );
    }

    #[test]
    fn vocabularies_of_other_tools_are_read() {
        let expected = words([("river", 9), ("17", 5), ("stone", 3)]);
        for (text, note) in [
            (
                "</s> 0\nriver 9\n17 5\nstone 3\n",
                "1 of 4 lines are mended or left out, the first being line 1: the word \"</s>\" \
                 has the count 0",
            ),
            (
                "</s> 7\nriver 9\n17 5\nstone 3\n",
                "the first being line 1: </s> stands for the ends of lines",
            ),
            (
                "4\nriver 9 word\n17 5 word\n</s> 4 word\nstone 3 word\n",
                "of 3 columns, number 1 is taken for the words and 2",
            ),
            (
                "120\n0\triver\t9\n1\t17\t5\n2\tstone\t3\n",
                "of 3 columns, number 2 is taken for the words and 3",
            ),
            (
                "      9 river\n      5 17\n      3 stone\n",
                "of 2 columns, number 2 is taken for the words and 1",
            ),
            (
                "1 river 9 .5\n2 17 5 .3\n3 stone 3 .2\n",
                "of 4 columns, number 2 is taken for the words and 3",
            ),
            (
                "word\tcount\nriver\t9\n17\t5\nstone\t3\n",
                "the first being line 1: \"word\\tcount\" names the columns",
            ),
        ] {
            let (words, notes) = taken(text.as_bytes(), &Rules::default(), false).unwrap();
            assert_eq!(words, expected, "{text}");
            assert!(notes[0].contains(note), "{text}: {notes:?}");
            // Every line of the file that begins with `</s> 7` is like one of ours.
            assert_eq!(
                taken(text.as_bytes(), &Rules::default(), true).is_ok(),
                text.starts_with("</s> 7"),
                "{text}"
            );
        }
        let phrases = "new york 30\nnew jersey 20\nsan jose 9\n";
        for text in ["1 17 9\n2 4 5\n", phrases] {
            let error = taken(text.as_bytes(), &Rules::default(), false).unwrap_err();
            assert!(
                error.contains("line 1: it is not plain which of 3 columns")
                    && error.contains("awk"),
                "{error}"
            );
        }
        let kinds = "river noun 9\n17 number 5\nstone noun 3\nlake noun 2\n";
        let expected = words([("river", 9), ("17", 5), ("stone", 3), ("lake", 2)]);
        assert_eq!(
            taken(kinds.as_bytes(), &Rules::default(), false).unwrap().0,
            expected
        );
    }

    /// Each odd line is mended or left out, counted and reported. With `strict` it is an error.
    #[test]
    fn lines_that_no_text_gives_are_told_and_the_others_stay() {
        let long = format!("{} 5", "x".repeat(MAX_WORD_BYTES + 1));
        for (line, note, more) in [
            (
                "river 5".as_bytes(),
                "the word \"river\" stands in an earlier line",
                None,
            ),
            (b"new york 5", "\"new york 5\" holds a space", None),
            (
                "new\u{a0}york 5".as_bytes(),
                "found \"new\\u{a0}york\"",
                None,
            ),
            ("\u{3000} 5".as_bytes(), "found \"\\u{3000}\"", None),
            ("a\u{feff}b 5".as_bytes(), "expected one word", None),
            (b"\t5", "found \"\"", None),
            (b"  5", "has whitespace for a word", None),
            (b"lake 0", "the word \"lake\" has the count 0", None),
            (b"lake\t5\tnoun", "has 3 columns", Some("lake")),
            (
                b"la\xe6\x9d 5",
                "not UTF-8 text; the word is taken as \"la\u{fffd}\"",
                Some("la\u{fffd}"),
            ),
            (long.as_bytes(), "are left out of any text", None),
        ] {
            let text = [b"river 9\n", line, b"\nstone 3\n"].concat();
            let mut expected = words([("river", 9), ("stone", 3)]);
            expected.splice(1..1, more.map(|word: &str| (word.to_owned(), 5)));
            let (words, notes) = taken(&text, &Rules::default(), false).unwrap();
            assert_eq!(words, expected, "{note}");
            let [note_of_line] = &notes[..] else {
                panic!("{notes:?}")
            };
            let told = "1 of 3 lines are mended or left out, the first being line 2: ";
            assert!(
                note_of_line.starts_with(told) && note_of_line.contains(note),
                "{note_of_line}"
            );
            let error = taken(&text, &Rules::default(), true).unwrap_err();
            assert!(error.contains("line 2: "), "{error}");
        }
    }

    #[test]
    fn marks_and_utf16_are_no_part_of_words() {
        let expected = (words([("river", 9), ("été", 3)]), vec![]);
        let text = "river 9\r\nété 3\r\n";
        let utf16 =
            |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let marked = [
            "\u{feff}river 9\n\u{feff}été 3",
            "\u{feff}\u{feff}river\t9\n\n\u{feff}\nété\t3",
        ];
        let marked = marked.map(|text| text.as_bytes().to_vec());
        for bytes in marked
            .into_iter()
            .chain([utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)])
        {
            assert_eq!(taken(&bytes, &Rules::default(), true).unwrap(), expected);
        }
    }

    #[test]
    fn a_broken_line_is_named() {
        let long = [&[b'x'; 4000][..], b" 3"].concat();
        let lower = Rules {
            normalization: Normalization {
                lowercase: true,
                nfc: false,
            },
            ..Rules::default()
        };
        let cases: [(&[u8], &Rules, &str); 12] = [
            (b"", &Rules::default(), "line 1: holds no words"),
            (
                b"the\nand\n",
                &Rules::default(),
                "line 1: expected a word, a space and its count, and found \"the\"",
            ),
            (
                b"a b",
                &Rules::default(),
                "line 1: holds no words: \"a b\" names the columns, or has no count",
            ),
            (
                b"the 6e1\na 5\n",
                &Rules::default(),
                "line 1: expected a word, a space and its count, and found \"the 6e1\"",
            ),
            (
                b"the 60.5\na 5\n",
                &Rules::default(),
                "line 1: expected a word",
            ),
            (
                b"a 1\nb",
                &Rules::default(),
                "line 2: expected a word, a space and its count, and found \"b\"",
            ),
            (b"a 1\nb c", &Rules::default(), "line 2: expected a word"),
            (b"a 1\nb -1", &Rules::default(), "line 2: expected a word"),
            (b"a 1\n2\n", &Rules::default(), "line 2: expected a word"),
            (
                b"a 18446744073709551615\nb 1",
                &Rules::default(),
                "line 2: the counts add up",
            ),
            (&long, &Rules::default(), "line 1: longer than"),
            (
                b"a 1\nB 2",
                &lower,
                "line 2: the word \"B\" is not in the form",
            ),
        ];
        for (text, rules, message) in cases {
            let error = taken(text, rules, false).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
