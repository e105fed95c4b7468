//! Makes texts fit for a terminal: escaped, and no wider than it is.

use std::io::{self, Write};

use super::options::rendered;
use crate::error::escaped_but;
use console::{Style, Term};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Number of columns where no terminal tells its own.
const USUAL_WIDTH: usize = 80;

/// Number of spaces between two columns of a table.
const GAP: usize = 2;

/// The smallest width to which a column of texts is reduced.
const LEAST_TEXT: usize = 12;

/// Number of columns of a terminal, or `USUAL_WIDTH` if it is none or does not tell.
pub(super) fn columns(terminal: &Term) -> usize {
    terminal
        .size_checked()
        .map(|(_, columns)| usize::from(columns))
        .filter(|&columns| columns > 0)
        .unwrap_or(USUAL_WIDTH)
}

/// A text from a file or a user, made fit to be shown: backslashes and characters that do not print
/// are escaped.
pub(super) fn escaped(text: &str) -> String {
    escaped_but(text, &[])
}

/// A whole message, made fit to be shown: its settings become options, and characters that do not
/// print are escaped. Line breaks and backslashes stay, so earlier escapes are not escaped again.
pub(super) fn message(text: &str) -> String {
    let text = rendered(text);
    escaped_but(&text, &['\\', '\n'])
}

/// Prints a message on stderr as a line of its own, the label at its start in colour. Stderr may be
/// closed by now, as behind `2>&1 | head`; the work goes on all the same.
pub(super) fn to_stderr(text: &str) {
    let text = message(text);
    let labels = [
        ("error:", Style::new().red()),
        ("warning:", Style::new().yellow()),
    ];
    let colored = labels.into_iter().find_map(|(label, style)| {
        let rest = text.strip_prefix(label)?;
        let label = style.bold().for_stderr().apply_to(label);
        Some(format!("{label}{rest}"))
    });
    let _ = writeln!(io::stderr(), "{}", colored.unwrap_or(text));
}

/// The number of columns that a text takes. A character of Chinese, Japanese or Korean takes two,
/// an accent by itself none.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that fits into `columns` columns, with an ellipsis if the text was cut.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut start, mut left) = (String::new(), columns.saturating_sub(1));
    for character in text.chars() {
        let Some(rest) = left.checked_sub(character.width().unwrap_or(0)) else {
            break;
        };
        left = rest;
        start.push(character);
    }
    if columns > 0 {
        start.push('…');
    }
    start
}

/// Prints rows as columns: the first is aligned left, the others right. The first row is the head.
pub(super) fn table(rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    let limit = columns(&Term::stdout());
    print_table(rows, |column| column == 0, limit, out)
}

/// Prints rows with notes at their ends as columns: the third column is aligned left too.
pub(super) fn table_with_notes(rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    let limit = columns(&Term::stdout());
    print_table(rows, |column| column != 1, limit, out)
}

/// Prints rows within `limit` columns of the terminal. If they need more, texts and heads are
/// wrapped. If that is not enough, some columns follow below the others. A row of one cell takes
/// the whole width.
fn print_table(
    rows: &[Vec<String>],
    is_left: fn(usize) -> bool,
    limit: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| {
        rows.iter()
            .filter(|row| row.len() > 1)
            .filter_map(move |row| row.get(column))
    };
    let widest = |column| cells(column).map(|cell| width(cell)).max().unwrap_or(0);
    // Numbers are not wrapped.
    let least = |column| match is_left(column) {
        true => widest(column).min(LEAST_TEXT),
        false => cells(column)
            .skip(1)
            .map(|cell| width(cell))
            .max()
            .unwrap_or(widest(column))
            .min(widest(column)),
    };
    let mut widths = Vec::new();
    let mut needed = 0;
    for column in 0..columns {
        needed += least(column) + GAP;
        if column > 1 && needed - GAP > limit {
            break;
        }
        widths.push(widest(column));
    }
    shrink(&mut widths, least, limit);
    let shown = widths.len();
    for row in rows {
        print_row(&row[..shown.min(row.len())], &widths, is_left, limit, out)?;
    }
    if shown == columns {
        return Ok(());
    }
    writeln!(out)?;
    let rest = |row: &Vec<String>| match row.get(shown..) {
        Some(rest) if row.len() > 1 => [&row[..1], rest].concat(),
        _ => row.clone(),
    };
    print_table(
        &rows.iter().map(rest).collect::<Vec<_>>(),
        is_left,
        limit,
        out,
    )
}

/// Makes the widest columns narrower until all fit into `limit`, but none narrower than its least
/// width.
fn shrink(widths: &mut [usize], least: impl Fn(usize) -> usize, limit: usize) {
    let least: Vec<usize> = (0..widths.len()).map(least).collect();
    while widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) > limit {
        let can_give = (0..widths.len()).filter(|&column| widths[column] > least[column].max(1));
        let Some(column) = can_give.max_by_key(|&column| widths[column]) else {
            break;
        };
        widths[column] -= 1;
    }
}

fn print_row(
    row: &[String],
    widths: &[usize],
    is_left: fn(usize) -> bool,
    limit: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    if let [cell] = row {
        return wrap(cell, limit)
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"));
    }
    let cells: Vec<Vec<String>> = row
        .iter()
        .zip(widths)
        .map(|(cell, &width)| wrap(cell, width))
        .collect();
    let lines = cells.iter().map(Vec::len).max().unwrap_or(1);
    for at in 0..lines {
        let mut line = String::new();
        for (column, (cell, &columns)) in cells.iter().zip(widths).enumerate() {
            let text = cell.get(at).map_or("", String::as_str);
            let room = " ".repeat(columns.saturating_sub(width(text)));
            let gap = " ".repeat(if column == 0 { 0 } else { GAP });
            line += &if is_left(column) {
                gap + text + &room
            } else {
                gap + &room + text
            };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The lines of a text in `columns` columns, broken at spaces and within longer words. All lines
/// but the first are indented.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let indent = text.len() - text.trim_start_matches(' ').len();
    let start = |indent: usize| " ".repeat(if 2 * indent > columns { 0 } else { indent });
    let (mut lines, mut line) = (Vec::new(), start(indent));
    let next = |line: &mut String, lines: &mut Vec<String>| {
        lines.push(std::mem::replace(line, start(indent + 2)))
    };
    for word in text.split_whitespace() {
        let is_empty = line.trim_start().is_empty();
        let gap = if is_empty { "" } else { " " };
        if width(&line) + gap.len() + width(word) <= columns {
            line += &(gap.to_owned() + word);
            continue;
        }
        if !is_empty {
            next(&mut line, &mut lines);
        }
        for character in word.chars() {
            let fits = width(&line) + character.width().unwrap_or(0) <= columns;
            if !fits && !line.trim_start().is_empty() {
                next(&mut line, &mut lines);
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
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
        assert_eq!(
            message("a \"\\u{1b}\"\n  \u{1b}[2J\r\u{2066}b\n"),
            "a \"\\u{1b}\"\n  \\u{1b}[2J\\r\\u{2066}b\n"
        );
    }

    /// The table that [`print_table`] prints.
    fn printed(rows: &[&[&str]], limit: usize) -> String {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|&cell| cell.to_owned()).collect())
            .collect();
        let mut out = Vec::new();
        print_table(&rows, |column| column == 0, limit, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_by_what_the_terminal_shows() {
        assert_eq!(
            printed(&[&["é", "1"], &["abc", "200", "x"], &[]], 80),
            "é      1\nabc  200  x\n\n"
        );
        // A syllable of Korean takes two columns, an accent by itself none.
        assert_eq!(
            printed(&[&["한국", "1"], &["e\u{301}a", "20"]], 80),
            "한국   1\ne\u{301}a    20\n"
        );
    }

    #[test]
    fn a_table_fits_the_width_and_loses_nothing() {
        let name = "a very long name of a file that is named at length/and/lies/deep";
        let head = [
            "",
            "one head of several words",
            "another head of several words",
        ];
        let rows: [&[&str]; 4] = [
            &head,
            &["a heading that stands alone and is longer than the table"],
            &[name, "12345", "1 (2)"],
            &["b", "6", "7"],
        ];
        for limit in [20, 30, 40, 60, 80, 200] {
            let table = printed(&rows, limit);
            assert!(
                table.lines().all(|line| width(line) <= limit),
                "{limit}\n{table}"
            );
            for number in ["12345", "1 (2)"] {
                assert!(table.contains(number), "{table}");
            }
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            assert!(
                letters(&table)
                    >= rows
                        .iter()
                        .flat_map(|row| row.iter())
                        .map(|cell| letters(cell))
                        .sum(),
                "{table}"
            );
        }
    }

    #[test]
    fn columns_that_do_not_fit_follow_below() {
        let table = printed(
            &[&["", "a", "b"], &["name", "1234567890", "1234567890"]],
            20,
        );
        assert_eq!(
            table,
            "               a\nname  1234567890\n\n               b\nname  1234567890\n"
        );
    }

    #[test]
    fn what_is_cut_ends_in_an_ellipsis() {
        let cuts = [0, 1, 3, 4, 9].map(|columns| cut("한국어", columns));
        assert_eq!(cuts, ["", "…", "한…", "한…", "한국어"]);
    }
}
