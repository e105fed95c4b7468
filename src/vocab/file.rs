//! Vocabulary files: lines `word count`, by falling count and then bytewise.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use super::rules::checked_word;
use super::{Rules, Vocab, WordCounts};
use crate::corpus::MAX_WORD_BYTES;
use crate::error::{Error, Result};

/// A line without end is not read into memory: a word, its count, and room to spare.
const MAX_LINE_BYTES: u64 = MAX_WORD_BYTES as u64 + 256;

/// Writes all words with their counts.
///
/// # Errors
/// What `out` reports.
pub fn write(vocab: &Vocab, out: &mut dyn Write) -> io::Result<()> {
    vocab.words().zip(vocab.counts()).try_for_each(|(word, count)| writeln!(out, "{word} {count}"))
}

/// Reads the words of a vocabulary file, in any order. They must have the form that words of a text would be taken in.
///
/// # Errors
/// [`Error::Io`] when it cannot be read; [`Error::Format`] with the line that is not a new word and a count above 0, or when
/// there is none.
pub fn read_counts(path: &Path, rules: &Rules) -> Result<WordCounts> {
    let mut counts = WordCounts::default();
    let mut tokens = 0u64;
    for_each_line(path, |line| {
        let wrong = || format!("expected a word, a space and its count, and found {line:.60?}");
        let (word, count) = line.trim_ascii_end().rsplit_once([' ', '\t']).ok_or_else(wrong)?;
        let (word, count): (_, u64) = (checked_word(word.trim_ascii_end())?, count.parse().map_err(|_| wrong())?);
        if count == 0 {
            return Err(format!("the word {word:?} has the count 0; take out words that do not occur"));
        }
        if rules.normalization.apply(word) != word {
            let why = "is not in the form that --lowercase or --nfc asks for, so no word of the text would match it";
            return Err(format!("the word {word:?} {why}; count again with the same options"));
        }
        if counts.get(word.as_bytes()) > 0 {
            return Err(format!("the word {word:?} stands in an earlier line, too"));
        }
        tokens = tokens.checked_add(count).ok_or("the counts add up to more than 64 bits hold")?;
        counts.add_many(word.as_bytes(), count);
        Ok(())
    })?;
    if counts.is_empty() {
        return Err(Error::Format {
            path: path.to_owned(),
            place: "line 1".to_owned(),
            why: "holds no words".to_owned(),
        });
    }
    Ok(counts)
}

/// Hands out the lines of a small text file, empty ones passed over; what is wrong with one is told with its number.
pub(super) fn for_each_line(path: &Path, mut visit: impl FnMut(&str) -> std::result::Result<(), String>) -> Result<()> {
    let mut file = BufReader::new(File::open(path).map_err(Error::io("open", path))?);
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = (&mut file).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(Error::io("read", path))?;
        if read == 0 {
            break;
        }
        let wrong = |why: String| Error::Format { path: path.to_owned(), place: format!("line {number}"), why };
        if read as u64 == MAX_LINE_BYTES {
            return Err(wrong(format!("longer than {MAX_LINE_BYTES} bytes; is this a list of words?")));
        }
        let text = std::str::from_utf8(&line)
            .map_err(|error| wrong(format!("not UTF-8 text from its byte {} on", error.valid_up_to())))?;
        if !text.trim_ascii().is_empty() {
            visit(text).map_err(wrong)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Normalization;

    fn read(text: &[u8], rules: &Rules) -> std::result::Result<Vec<(String, u64)>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let counts = read_counts(file.path(), rules).map_err(|error| error.to_string())?;
        let vocab = Vocab::from_counts(&counts, 1, None).unwrap();
        Ok(vocab.words().map(str::to_owned).zip(vocab.counts().iter().copied()).collect())
    }

    #[test]
    fn what_was_written_is_read() {
        let vocab = Vocab::from_words([("é", 9), ("a", 3), ("b", 3)]).unwrap();
        let mut file = Vec::new();
        write(&vocab, &mut file).unwrap();
        assert_eq!(file, "é 9\na 3\nb 3\n".as_bytes());
        let expected: Vec<(String, u64)> = [("é", 9), ("a", 3), ("b", 3)].map(|(w, n)| (w.to_owned(), n)).into();
        assert_eq!(read(&file, &Rules::default()).unwrap(), expected);
        assert_eq!(read("b\t3\r\n\na  3\né 9".as_bytes(), &Rules::default()).unwrap(), expected);
    }

    #[test]
    fn a_broken_line_is_named() {
        let long = [&[b'x'; 4000][..], b" 3"].concat();
        let lower = Rules { normalization: Normalization { lowercase: true, nfc: false }, ..Rules::default() };
        let cases: [(&[u8], &Rules, &str); 11] = [
            (b"", &Rules::default(), "line 1: holds no words"),
            (b"a 1\nb", &Rules::default(), "line 2: expected a word, a space and its count, and found \"b\""),
            (b"a 1\nb c", &Rules::default(), "line 2: expected a word"),
            (b"a 1\nb -1", &Rules::default(), "line 2: expected a word"),
            (b"a 1\nb c 3", &Rules::default(), "line 2: expected one word"),
            (b"a 1\nb 0", &Rules::default(), "line 2: the word \"b\" has the count 0"),
            (b"a 1\nb 2\na 3", &Rules::default(), "line 3: the word \"a\" stands in an earlier line"),
            (b"a 1\n\xff 2", &Rules::default(), "line 2: not UTF-8"),
            (b"a 18446744073709551615\nb 1", &Rules::default(), "line 2: the counts add up"),
            (&long, &Rules::default(), "line 1: longer than"),
            (b"a 1\nB 2", &lower, "line 2: the word \"B\" is not in the form"),
        ];
        for (text, rules, message) in cases {
            let error = read(text, rules).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
