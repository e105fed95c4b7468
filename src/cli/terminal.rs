//! What is fit to be shown on a terminal.

use std::io::{self, Write};

/// What `escape_debug` escapes, but may be shown: quotes, and the joiners that Persian, Hindi and emoji are spelt with.
const HARMLESS: [char; 4] = ['\'', '"', '\u{200c}', '\u{200d}'];

/// A text from a file or a user as it may be shown: with what does not print, and backslashes, escaped.
pub(super) fn escaped(text: &str) -> String {
    escaped_but(text, &HARMLESS)
}

/// A whole message as it may be shown, whatever names and texts of others it quotes: its lines stay lines, and what was
/// escaped in it before stays as it is.
pub(super) fn message(text: &str) -> String {
    escaped_but(text, &[&HARMLESS[..], &['\\', '\n']].concat())
}

fn escaped_but(text: &str, harmless: &[char]) -> String {
    let mut escaped = String::new();
    for part in text.split_inclusive(harmless) {
        let rest = part.trim_end_matches(harmless);
        escaped.extend(rest.escape_debug());
        escaped.push_str(&part[rest.len()..]);
    }
    escaped
}

/// Prints rows as columns: the first to the left, the others to the right.
pub(super) fn table(rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    columns(rows, |column| column == 0, out)
}

/// The same with notes at the end of rows: the third column is to the left too.
pub(super) fn table_with_notes(rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    columns(rows, |column| column != 1, out)
}

fn columns(rows: &[Vec<String>], is_left: fn(usize) -> bool, out: &mut impl Write) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            if is_left(column) && column + 1 == row.len() {
                write!(out, "{gap}{cell}")?;
            } else if is_left(column) {
                write!(out, "{gap}{cell:width$}")?
            } else {
                write!(out, "{gap}{cell:>width$}")?
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        assert_eq!(escaped("\u{1b}[2J\u{202e}a\n"), "\\u{1b}[2J\\u{202e}a\\n");
        for text in ["", "d'or \"été\"", "हिन्दी", "می\u{200c}خواهم", "''"] {
            assert_eq!(escaped(text), text);
        }
        assert_eq!(escaped("\\\""), "\\\\\"");
        assert_eq!(message("a \"\\u{1b}\"\n  \u{1b}[2J\r\u{2066}b\n"), "a \"\\u{1b}\"\n  \\u{1b}[2J\\r\\u{2066}b\n");
    }

    #[test]
    fn columns_are_aligned() {
        let mut out = Vec::new();
        let rows = [vec!["é", "1"], vec!["abc", "200", "x"], vec![]];
        table(&rows.map(|row| row.into_iter().map(str::to_owned).collect()), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "é      1\nabc  200  x\n\n");
    }
}
