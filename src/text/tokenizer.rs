//! Splits a line into words.

use std::ops::Range;

use super::{MARK, MAX_WORD_BYTES, Normalization, TextReport};

/// Hands every word of a line to `visit`, normalized to `form`, and counts it in `report`.
///
/// Words are separated by whitespace and control characters, all of Unicode's included. So no
/// program that reads the vectors splits a word of the vocabulary. Byte order marks separate words
/// too, since one stands wherever files were joined. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn for_each_word(
    line: &[u8],
    form: Normalization,
    report: &mut TextReport,
    mut visit: impl FnMut(&[u8]),
) {
    for_each_raw_word(line, |raw, ascii| {
        let text;
        let formed;
        let word = if ascii && form.leaves_ascii(raw) {
            raw
        } else {
            text = String::from_utf8_lossy(raw);
            report.invalid_utf8 += u64::from(matches!(text, std::borrow::Cow::Owned(_)));
            formed = form.apply(&text);
            formed.as_bytes()
        };
        // A raw word that is too long may arrive without its end, so it is skipped however short
        // its normalized form is.
        if raw.len().max(word.len()) > MAX_WORD_BYTES {
            report.long_words += 1;
        } else {
            report.words += 1;
            visit(word);
        }
    });
}

/// Hands every word of a line to `visit` unchanged, and tells whether it is pure ASCII.
pub(crate) fn for_each_raw_word(line: &[u8], mut visit: impl FnMut(&[u8], bool)) {
    let mut start = 0;
    let mut ascii = true;
    let mut end_word = |word: &[u8], ascii: bool| {
        if ascii {
            visit(word, true)
        } else {
            split_unicode(word, &mut visit)
        }
    };
    for (at, &byte) in line.iter().enumerate() {
        if byte <= b' ' || byte == 0x7f {
            if at > start {
                end_word(&line[start..at], ascii);
            }
            start = at + 1;
            ascii = true;
        } else {
            ascii &= byte < 0x80;
        }
    }
    if line.len() > start {
        end_word(&line[start..], ascii);
    }
}

/// Whether a character separates words. No word contains one.
pub(crate) fn is_separator(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == MARK
}

/// The byte ranges of the separators of a text, in order.
pub(crate) fn separators(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    text.utf8_chunks().flat_map(move |part| {
        let start = end;
        end += part.valid().len() + part.invalid().len();
        let separators = part
            .valid()
            .char_indices()
            .filter(|&(_, c)| is_separator(c));
        separators.map(move |(at, c)| start + at..start + at + c.len_utf8())
    })
}

/// Splits a piece that is not ASCII: it may be invalid UTF-8 or contain separators beyond ASCII.
fn split_unicode(bytes: &[u8], visit: &mut impl FnMut(&[u8], bool)) {
    // This loop is a third faster than one over `separators`, and languages other than English
    // spend their time here.
    let (mut start, mut at) = (0, 0);
    for part in bytes.utf8_chunks() {
        for (offset, c) in part
            .valid()
            .char_indices()
            .filter(|&(_, c)| is_separator(c))
        {
            if at + offset > start {
                visit(&bytes[start..at + offset], false);
            }
            start = at + offset + c.len_utf8();
        }
        at += part.valid().len() + part.invalid().len();
    }
    if bytes.len() > start {
        visit(&bytes[start..], false);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &[u8]) -> (Vec<String>, TextReport) {
        words_in(Normalization::default(), line)
    }

    fn words_in(form: Normalization, line: &[u8]) -> (Vec<String>, TextReport) {
        let mut report = TextReport::default();
        let mut words = Vec::new();
        for_each_word(line, form, &mut report, |word| {
            words.push(String::from_utf8(word.to_vec()).unwrap())
        });
        (words, report)
    }

    #[test]
    fn separators_beyond_ascii_separate() {
        assert_eq!(
            words("a\u{a0}b\u{2003}ç\u{85}d \u{3000} e\u{0}f\u{7f}g".as_bytes()).0,
            ["a", "b", "ç", "d", "e", "f", "g"]
        );
    }

    #[test]
    fn a_byte_order_mark_is_part_of_no_word() {
        assert_eq!(
            words("\u{feff}a b\u{feff}\u{feff}c \u{feff}d\u{feff} \u{feff}".as_bytes()).0,
            ["a", "b", "c", "d"]
        );
    }

    #[test]
    fn invalid_bytes_are_replaced_and_counted() {
        let (words, report) = words(b"ok b\xffad caf\xc3\xa9 \xc3");
        assert_eq!(words, ["ok", "b\u{fffd}ad", "café", "\u{fffd}"]);
        assert_eq!((report.words, report.invalid_utf8), (4, 2));
    }

    #[test]
    fn words_too_long_are_skipped_and_counted() {
        let line = [
            vec![b'x'; MAX_WORD_BYTES],
            vec![b' '],
            vec![b'y'; MAX_WORD_BYTES + 1],
            b" z".to_vec(),
        ]
        .concat();
        let (words, report) = words(&line);
        assert_eq!(words.len(), 2);
        assert_eq!((report.words, report.long_words), (2, 1));
    }

    /// The kelvin sign takes three bytes; in lower case it takes one.
    #[test]
    fn a_word_too_long_is_none_in_a_shorter_form() {
        let lowercase = Normalization {
            lowercase: true,
            nfc: false,
        };
        let (words, report) = words_in(lowercase, "\u{212a}".repeat(MAX_WORD_BYTES / 2).as_bytes());
        assert_eq!((words.len(), report.long_words), (0, 1));
        assert_eq!(words_in(lowercase, "A \u{212a}B".as_bytes()).0, ["a", "kb"]);
    }

    proptest! {
        #[test]
        fn agrees_with_splitting_by_character(line in "\\PC{0,40}[ \\t\u{a0}\u{2028}]\\PC{0,40}") {
            let expected: Vec<&str> =
                line.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
            prop_assert_eq!(words(line.as_bytes()).0, expected);
        }

        #[test]
        fn any_bytes_give_clean_words(line in prop::collection::vec(any::<u8>(), 0..200)) {
            for word in words(&line).0 {
                prop_assert!(!word.is_empty() && !word.contains(is_separator));
            }
        }
    }
}
