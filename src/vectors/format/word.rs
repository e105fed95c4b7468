//! A word of a vectors file: how it is quoted, and why it may fit nowhere.

/// The longest word, in bytes. It is far longer than a word of a corpus can be; a longer one comes
/// from a file without spaces.
pub(super) const MAX_WORD_BYTES: usize = 1 << 16;

/// The reason why readers would misread a word.
pub(super) fn unfit(word: &str) -> String {
    if word.is_empty() {
        return "a row has no word".to_owned();
    }
    if word.len() > MAX_WORD_BYTES {
        return format!(
            "the word {} has {} bytes, more than {MAX_WORD_BYTES}",
            quoted(word),
            word.len()
        );
    }
    match word.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) if c.is_control() => format!(
            "the word {} holds the control character {c:?}",
            quoted(word)
        ),
        c => {
            let c = c.unwrap_or(' ');
            format!(
                "the word {} holds the whitespace {c:?}, where readers would split it",
                quoted(word)
            )
        }
    }
}

/// The start of a text from a file, escaped for an error message.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
