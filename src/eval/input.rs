//! Evaluation files, read as lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::quantity;
use crate::text::{MARK, utf8_text};

/// The largest file, in bytes. No evaluation set is nearly as large, so a larger file was named by
/// mistake.
const MOST_BYTES: u64 = 1 << 28;

/// The text of a file in UTF-8 or UTF-16, without the byte order mark at its start.
pub(super) fn read(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    let text = utf8_text(file).and_then(|text| text.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    text.map_err(Error::io("read", path))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(wrong(
            path,
            format!(
                "has more than {}: is it no evaluation set?",
                quantity::bytes(MOST_BYTES)
            ),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        wrong_line(
            path,
            line,
            "holds bytes that are not UTF-8; convert the file".to_owned(),
        )
    })
}

/// The lines with their numbers, from 1, without byte order marks at their ends. Empty lines and
/// comments are skipped.
pub(super) fn lines<'a>(
    text: &'a str,
    comments: &'a [&str],
) -> impl Iterator<Item = (usize, &'a str)> {
    (1..)
        .zip(
            text.lines()
                .map(|line| line.trim_matches(|c: char| c.is_whitespace() || c == MARK)),
        )
        .filter(|(_, line)| {
            !line.is_empty() && !comments.iter().any(|comment| line.starts_with(comment))
        })
}

/// The error for a faulty line.
pub(super) fn wrong_line(path: &Path, line: usize, why: String) -> Error {
    Error::Format {
        path: path.to_owned(),
        place: format!("line {line}"),
        why,
    }
}

/// The error for a faulty file.
pub(super) fn wrong(path: &Path, why: String) -> Error {
    Error::Format {
        path: path.to_owned(),
        place: "the file".to_owned(),
        why,
    }
}

/// The error for a folder in the place of a file.
pub(super) fn is_folder(path: &Path, why: &str) -> Error {
    Error::io("read", path)(io::Error::new(io::ErrorKind::IsADirectory, why.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_keep_their_numbers() {
        let text = "\n# a\n \u{feff}x \r\n//b\ny";
        assert_eq!(
            lines(text, &["#", "//"]).collect::<Vec<_>>(),
            [(3, "x"), (5, "y")]
        );
        assert_eq!(lines(text, &["#"]).count(), 3);
    }

    #[test]
    fn a_byte_order_mark_is_no_text_and_broken_bytes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "\u{feff}a\n").unwrap();
        assert_eq!(read(&path).unwrap(), "a\n");
        fs::write(
            &path,
            "\u{feff}a\n"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        assert_eq!(read(&path).unwrap(), "a\n");
        fs::write(&path, b"a\nb\n\xff\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("f: line 3: ") && error.contains("UTF-8"),
            "{error}"
        );
    }
}
