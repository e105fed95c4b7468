//! word2vec text: a line `rows dim`, then a line `word v1 v2 ... vD` for every word.

use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, Table};
use super::rows::{Checked, Rows, SEPARATORS, quoted, runs_on, word2vec_header};
use super::{Holds, Kind, Loaded, TEXT_VALUE_BYTES};
use crate::error::Result;

pub(super) static FORMAT: Kind = Kind {
    extensions: &["txt", "vec"],
    title: "word2vec text",
    words: None,
    holds: Holds::WORDS,
    value_bytes: TEXT_VALUE_BYTES,
    read,
    write,
};

/// Reads a file. Lines may end as on Windows, and spaces may stand at their end, as word2vec.c and fastText leave them.
fn read(input: &mut Input<'_>) -> Result<Loaded> {
    input.next_line()?;
    let header = word2vec_header(&input.line).map_err(|why| why + no_header_hint(&input.line));
    let (promised, dim) = header.map_err(|why| input.wrong_line(why))?;
    // A value takes at least a space and a digit.
    let mut rows = Rows::promised(promised, dim, input.most_values(2)).map_err(|why| input.wrong_line(why))?;
    for _ in 0..promised {
        if !input.next_line()? {
            return Err(input.wrong_line(rows.cut_short(promised)));
        }
        push_row(input.text()?, &mut rows, "the header says").map_err(|why| input.wrong_line(why))?;
        input.end_row(&mut rows)?;
    }
    input.only_blank_lines_left(|| runs_on(promised))?;
    Ok(rows.finish().into())
}

/// What to do about a first line that is a row.
fn no_header_hint(line: &[u8]) -> &'static str {
    let line = String::from_utf8_lossy(line);
    let mut values = line.split_ascii_whitespace().skip(1).peekable();
    if values.peek().is_some() && values.all(|value| value.parse::<f32>().is_ok()) {
        "; a file without one is GloVe's: name it .glove, or convert it with --no-header (or --from glove)"
    } else {
        ""
    }
}

/// Takes a line `word v1 v2 ... vD`; `says` is where D is from. Where it is not known yet, it is what this row has.
pub(super) fn push_row(line: &str, rows: &mut Rows, says: &str) -> Checked<()> {
    let (word, values) = line.split_once(SEPARATORS).unwrap_or((line, ""));
    rows.push_word(word, 0)?;
    let found = rows.push_text(values).map_err(|why| {
        let fields = values.split(SEPARATORS).filter(|text| !text.is_empty()).count();
        let hint = if rows.dim > 0 && fields > rows.dim { "; the word seems to hold spaces" } else { "" };
        why + hint
    })?;
    if rows.dim == 0 {
        rows.dim = found;
    }
    match found {
        0 => Err(format!("{} has no values", quoted(word))),
        found if found == rows.dim => Ok(()),
        found => Err(format!("{} has {found} values, but {says} {}", quoted(word), rows.dim)),
    }
}

fn write(table: &Table<'_>, out: &mut Output<'_>) -> io::Result<()> {
    writeln!(out, "{} {}", table.rows, table.matrix.dim())?;
    table.write_rows(out, push_line)
}

/// Appends a line, without the space that word2vec.c leaves at its end.
pub(super) fn push_line(word: &str, row: &[f32], line: &mut Vec<u8>) {
    line.extend_from_slice(word.as_bytes());
    for value in row {
        // The fewest digits that read back exactly; a Vec takes all that is written to it.
        let _ = write!(line, " {value}");
    }
    line.push(b'\n');
}
