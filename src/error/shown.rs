//! Names and texts of files and users, made fit to be shown.

use std::fmt::Write;
use std::path::Path;

/// Characters that `escape_debug` escapes, but that may be shown: quotes, and the joiners in the
/// spelling of Persian, Hindi and emoji.
const HARMLESS: [char; 4] = ['\'', '"', '\u{200c}', '\u{200d}'];

/// A path as messages show it: in one line, whatever characters it has.
///
/// Characters that do not print are escaped, a line break as `\n`. A byte that is not part of any
/// character is shown as its number, such as `\xe9`. Backslashes stay as they are, since a path of
/// Windows is made of them.
///
/// ```
/// use std::path::Path;
/// use w2v_gpu::error::shown;
///
/// assert_eq!(shown(Path::new("café.txt")), "café.txt");
/// assert_eq!(shown(Path::new("text\nerror: none")), "text\\nerror: none");
/// ```
pub fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        shown += &one_line(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string never fails.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// A value or an option that someone typed, as messages show it: in one line, with its backslashes
/// as they are.
pub(crate) fn one_line(text: &str) -> String {
    escaped_but(text, &['\\'])
}

/// A text whose characters that do not print are escaped, other than those of `harmless`.
pub(crate) fn escaped_but(text: &str, harmless: &[char]) -> String {
    let harmless = [&HARMLESS, harmless].concat();
    let mut escaped = String::new();
    for part in text.split_inclusive(&*harmless) {
        let rest = part.trim_end_matches(&*harmless);
        escaped.extend(rest.escape_debug());
        escaped.push_str(&part[rest.len()..]);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_one_line_whatever_its_characters() {
        for (path, expected) in [
            ("a b/c.txt", "a b/c.txt"),
            (r"C:\new\text", r"C:\new\text"),
            ("it's \"日本\"", "it's \"日本\""),
            ("a\nerror: b", "a\\nerror: b"),
            (
                "\u{1b}[2J\u{202e}\r\u{85}\u{2028}",
                "\\u{1b}[2J\\u{202e}\\r\\u{85}\\u{2028}",
            ),
        ] {
            assert_eq!(shown(Path::new(path)), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_characters_are_shown_by_their_numbers() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(OsStr::from_bytes(b"t\xe9\xff.txt"));
        assert_eq!(shown(path), "t\\xe9\\xff.txt");
    }
}
