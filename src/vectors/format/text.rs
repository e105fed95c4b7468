//! word2vec text: a line `rows dim`, then a line `word v1 v2 ... vD` for every word.

use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, VectorTable};
use super::rows::{
    Checked, Rows, SEPARATORS, cut_short, fields, fits_field, or_take, runs_on, word2vec_header,
};
use super::word::quoted;
use super::{Abilities, FormatSpec, LoadedVectors, SEPARATOR_BYTES, TEXT_VALUE_BYTES};
use crate::error::Result;
use crate::quantity::plural;
use crate::text::unmarked;

pub(super) static FORMAT: FormatSpec = FormatSpec {
    extensions: &["txt", "vec"],
    title: "word2vec text",
    words: None,
    holds: Abilities::WORDS,
    fits: fits_field,
    value_bytes: TEXT_VALUE_BYTES,
    word_bytes: SEPARATOR_BYTES,
    read,
    write,
};

/// Reads a file. Lines may end as on Windows. They may end in spaces, as word2vec.c and fastText
/// write them.
fn read(input: &mut Input<'_>) -> Result<LoadedVectors> {
    input.start_text()?;
    input.next_line()?;
    let header = word2vec_header(unmarked(&input.line)).map_err(|why| why + &no_header_hint(input));
    let (promised, dim) = header.map_err(|why| input.wrong_line(why))?;
    // A value takes at least a space and a digit.
    let rows = Rows::promised(input.reading, promised, dim, input.most_values(2));
    let rows = rows.and_then(|rows| check_dim(input, dim).map(|()| rows));
    let mut rows = rows.map_err(|why| input.wrong_line(why + &without_first_line(input)))?;
    while next_row(input, &mut rows, "the header says")? {
        if input.reading.strict && rows.words.seen > promised {
            return Err(input.wrong_line(runs_on(promised)));
        }
    }
    // A file that somebody has shortened ends with a whole line.
    let (seen, is_cut) = (rows.words.seen, !input.ended || input.reading.strict);
    if seen < promised && !rows.words.is_full() && (is_cut || seen == 0) {
        return Err(
            input.wrong_line(cut_short(rows.ended, promised) + &or_take_whole(input, rows.ended))
        );
    }
    rows.finish(Some(promised))
        .map_err(|why| input.wrong_line(why))
}

/// How to read the rows of a file that ends too soon, as the end of a message. A last line without
/// a line end may be incomplete.
fn or_take_whole(input: &Input<'_>, ended: usize) -> String {
    match input.ended {
        true => or_take(ended),
        false => {
            or_take(ended.saturating_sub(1)) + "; the last line may be cut, as nothing ends it"
        }
    }
}

/// Checks that the first rows can have the dimensions in the header. A row has more fields than
/// values if its word contains spaces, but most rows have not.
fn check_dim(input: &Input<'_>, dim: usize) -> Checked<()> {
    let lines = input.first_lines();
    let Some(usual) = usual_dim(lines.iter().skip(1).map(|line| &**line), Some(dim))
        .filter(|&usual| usual != dim)
    else {
        return Ok(());
    };
    Err(format!(
        "the header says {}, but the rows have {usual}",
        plural(dim as u64, "dimension")
    ))
}

/// The remedy for a first line that is no header.
fn no_header_hint(input: &Input<'_>) -> String {
    let line = String::from_utf8_lossy(unmarked(&input.line));
    if line.contains('\r') {
        return "; its lines end in carriage returns, which `tr '\\r' '\\n'` mends".to_owned();
    }
    if is_row(&line) {
        return "; a file without one is GloVe's: name it .glove, or add `from = glove` \
                (`no_header` does it, too, for convert)"
            .to_owned();
    }
    without_first_line(input)
}

/// Whether a line is a row. Otherwise it is a wrong header, whose two fields may be any numbers.
fn is_row(line: &str) -> bool {
    match values_at_end(line) {
        0 => false,
        1 => fields(line)
            .next()
            .is_some_and(|word| word.parse::<f32>().is_err()),
        _ => true,
    }
}

/// The remedy for a wrong first line that rows or a header follow.
fn without_first_line(input: &Input<'_>) -> String {
    let lines = input.first_lines();
    let mut others = lines.iter().skip(1).map(|line| &**line);
    if usual_dim(others.clone(), None).is_none() {
        return String::new();
    }
    let format = if others
        .next()
        .is_some_and(|line| word2vec_header(line.as_bytes()).is_ok())
    {
        "txt"
    } else {
        "glove"
    };
    format!(
        "; mend it, or take it away and read the rest by `tail -n +2 FILE | w2v-gpu convert - OUT \
         --from {format}`"
    )
}

/// Whether most rows after a header are text: a word, and then numbers to the end of the line.
pub(super) fn is_text(input: &Input<'_>, dim: usize) -> bool {
    let lines = input.first_lines();
    let rows = lines
        .iter()
        .skip(1)
        .filter(|line| !line.trim_ascii().is_empty())
        .take(MOST_ROWS);
    let (rows, text) = rows.fold((0, 0), |(rows, text), line| {
        (
            rows + 1,
            text + usize::from(values_at_end(line) >= dim.clamp(1, 2)),
        )
    });
    2 * text > rows
}

/// The number of first rows by which dimensions are judged.
const MOST_ROWS: usize = 100;

/// The number of values that most of the first rows have. `expected` counts like one more row.
/// Among equally common numbers, the one that comes first wins.
pub(super) fn usual_dim<'a>(
    lines: impl Iterator<Item = &'a str>,
    expected: Option<usize>,
) -> Option<usize> {
    let found = lines.take(MOST_ROWS).map(values_at_end);
    let dims: Vec<usize> = expected
        .into_iter()
        .chain(found)
        .filter(|&dim| dim > 0)
        .collect();
    let votes = |dim: usize| dims.iter().filter(|&&other| other == dim).count();
    // `max_by_key` returns the last of equal numbers, hence the reversal.
    dims.iter().copied().rev().max_by_key(|&dim| votes(dim))
}

/// The most values that a row can have: the numbers at its end, without those that must belong to
/// its word.
fn values_at_end(line: &str) -> usize {
    let fields: Vec<&str> = fields(line).collect();
    let numbers = fields
        .iter()
        .rev()
        .take_while(|field| field.parse::<f32>().is_ok())
        .count();
    if line.starts_with(SEPARATORS) {
        numbers
    } else {
        numbers.min(fields.len().saturating_sub(1))
    }
}

/// Reads the next row. Returns false at the end, or when as many rows were read as were asked for.
/// `says` tells where the number of dimensions comes from, for messages.
pub(super) fn next_row(input: &mut Input<'_>, rows: &mut Rows, says: &str) -> Result<bool> {
    if rows.words.is_full() {
        return Ok(false);
    }
    let Some(blank) = input.next_row()? else {
        return Ok(false);
    };
    for before in (1..=blank).rev() {
        let place = input.place_before(before);
        let pushed = rows.words.push_blank(|| place.clone());
        pushed.map_err(|why| input.wrong(place, why))?;
    }
    let (line, broken) = input.text();
    let is_binary = broken || line.contains('\0');
    let word = push_values(&line, rows, says).map_err(|why| match is_binary {
        true => input.wrong_line(why + "; if this is word2vec binary, add `from = bin`"),
        false => input.wrong_row(why),
    })?;
    let is_kept = rows
        .words
        .push(word, broken, 0, || input.place())
        .map_err(|why| input.wrong_line(why))?;
    input.end_row(rows, is_kept)?;
    Ok(true)
}

/// Takes the values of a line `word v1 v2 ... vD`, which are its last D fields. Returns the word.
fn push_values<'a>(line: &'a str, rows: &mut Rows, says: &str) -> Checked<&'a str> {
    let before = rows.values.len();
    if rows.dim == 0 {
        rows.dim = values_at_end(line).max(1);
    }
    let (word, values) = line.split_once(SEPARATORS).unwrap_or((line, ""));
    if !word.is_empty() && rows.push_text(values) == Ok(rows.dim) {
        return Ok(word);
    }
    rows.values.truncate(before);
    let Some((word, values)) = split_row(line, rows.dim) else {
        return Err(match fields(values).count() {
            0 => format!("{} has no values", quoted(word)),
            found => format!(
                "{} has {}, but {says} {}",
                quoted(word),
                plural(found as u64, "value"),
                rows.dim
            ),
        });
    };
    rows.push_text(values)?;
    Ok(word)
}

/// The word of a row and its last `dim` fields; `None` if there are fewer fields. The word may
/// contain separators, or be one.
fn split_row(line: &str, dim: usize) -> Option<(&str, &str)> {
    let line = line.trim_end_matches(SEPARATORS);
    let mut start = line.len();
    for _ in 0..dim {
        let before = line[..start].trim_end_matches(SEPARATORS);
        if before.is_empty() {
            return None;
        }
        start = before.rfind(SEPARATORS).map_or(0, |at| at + 1);
    }
    let (before, values) = line.split_at(start);
    // At least one separator ends the word. If there is nothing else, further separators are the
    // word.
    let word = before.trim_end_matches(SEPARATORS);
    let word = if word.is_empty() {
        before.strip_suffix(SEPARATORS)?
    } else {
        word
    };
    Some((word, values))
}

fn write(table: &VectorTable<'_>, out: &mut Output<'_>) -> io::Result<()> {
    writeln!(out, "{} {}", table.rows, table.matrix.dim())?;
    table.write_rows(out, push_line)
}

/// Appends a line. Unlike word2vec.c, it leaves no space at the end.
pub(super) fn push_line(word: &str, row: &[f32], line: &mut Vec<u8>) {
    line.extend_from_slice(word.as_bytes());
    for value in row {
        // These are the fewest digits that read back exactly. Writing to a Vec never fails.
        let _ = write!(line, " {value}");
    }
    line.push(b'\n');
}
