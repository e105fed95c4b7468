//! word2vec binary: a line `rows dim`, then for every word `word `, D little-endian f32 and a
//! newline.
//!
//! word2vec.c and this crate write that newline, gensim does not. A reader skips it before the next
//! word.

use std::borrow::Cow;
use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, VectorTable};
use super::rows::{Rows, cut_short, fits_field, or_take, runs_on, word2vec_header};
use super::text::is_text;
use super::word::{MAX_WORD_BYTES, quoted};
use super::{Abilities, Dtype, FormatSpec, LoadedVectors, SEPARATOR_BYTES};
use crate::error::Result;
use crate::text::unmarked;

pub(super) static FORMAT: FormatSpec = FormatSpec {
    extensions: &["bin"],
    title: "word2vec binary",
    words: None,
    holds: Abilities::WORDS,
    fits: fits_field,
    value_bytes: 4,
    word_bytes: SEPARATOR_BYTES,
    read,
    write,
};

/// The longest header, in bytes: two numbers.
const MAX_HEADER_BYTES: u64 = 100;

fn read(input: &mut Input<'_>) -> Result<LoadedVectors> {
    input.skip_mark()?;
    let mut word = Vec::new();
    input.read_until(b'\n', MAX_HEADER_BYTES, &mut word)?;
    let header = word2vec_header(unmarked(&word)).and_then(|(promised, dim)| {
        Ok((
            promised,
            Rows::promised(input.reading, promised, dim, input.most_values(4))?,
        ))
    });
    let (promised, mut rows) = header.map_err(|why| input.wrong_byte(0, why))?;
    if is_text(input, rows.dim) {
        return Err(input.wrong_byte(
            0,
            "this is word2vec text; name it .txt, or add `from = txt`".to_owned(),
        ));
    }
    // Whether a newline ends each row, as the first row shows.
    let mut has_newlines = None;
    let mut before = Look::Usual;
    // Number of promised rows that are kept.
    let mut kept = 0;
    while !rows.words.is_full() {
        if rows.words.seen > 0 && has_newlines.is_none() {
            has_newlines = Some(input.peek()? == Some(b'\n'));
        }
        input.skip_newlines()?;
        if input.peek()?.is_none() {
            break;
        }
        let (start, is_promised) = (input.at, rows.words.seen < promised);
        if input.reading.strict && !is_promised {
            return Err(input.wrong_byte(start, runs_on(promised)));
        }
        let read = read_row(
            input,
            &mut word,
            &mut rows,
            promised,
            (has_newlines, before),
        );
        // After the promised rows, other bytes may follow that are no row.
        let runs_on = || input.wrong_byte(start, runs_on(promised) + &or_take(kept));
        before = read.map_err(|error| if is_promised { error } else { runs_on() })?;
        if is_promised {
            kept = rows.ended;
        }
    }
    let seen = rows.words.seen;
    if seen < promised && !rows.words.is_full() && (input.reading.strict || seen == 0) {
        return Err(input.wrong_byte(
            input.at,
            cut_short(rows.ended, promised) + &or_take(rows.ended),
        ));
    }
    rows.finish(Some(promised))
        .map_err(|why| input.wrong_byte(0, why))
}

/// Reads a row. `word` is a buffer for its word.
///
/// Rows have no end marks, only a length. A word that was cut at a space would shift all rows after
/// it, so a row that looks shifted is refused.
fn read_row(
    input: &mut Input<'_>,
    word: &mut Vec<u8>,
    rows: &mut Rows,
    promised: u64,
    (has_newlines, before): (Option<bool>, Look),
) -> Result<Look> {
    let start = input.at;
    let is_ended = input.read_until(b' ', MAX_WORD_BYTES as u64, word)?;
    let text = String::from_utf8_lossy(word);
    let is_doubtful = before == Look::Wild || before == Look::Odd && is_shifted(&text);
    if has_newlines == Some(false) && is_doubtful {
        let why = format!(
            "the word {} follows values of no usual size; {SHIFTED}",
            quoted(&text)
        );
        // The row before this one is in doubt.
        let mend = match rows.ended {
            0 | 1 => "; write the vectors again as text".to_owned(),
            ended => or_take(ended - 1),
        };
        return Err(input.wrong_byte(start, why + &mend));
    }
    if !is_ended {
        let why = match text.len() {
            0..MAX_WORD_BYTES => cut_short(rows.ended, promised) + &or_take(rows.ended),
            _ => format!("no space within {MAX_WORD_BYTES} bytes, where a word must have ended"),
        };
        return Err(input.wrong_byte(start, why));
    }
    let broken = matches!(text, Cow::Owned(_));
    let pushed = rows
        .words
        .push(&text, broken, 0, || format!("byte {start}"));
    let is_kept = pushed.map_err(|why| input.wrong_byte(start, why))?;
    let (dim, ended) = (rows.dim, rows.ended);
    input.read_row((&mut rows.values, dim, Dtype::F32), &text, || {
        cut_short(ended, promised) + &or_take(ended)
    })?;
    let look = Look::of(&rows.values[rows.values.len() - dim..]);
    if has_newlines == Some(true) && input.peek()?.is_some_and(|next| next != b'\n') {
        let why = format!(
            "no newline after the vector of {}, as after those before; {SHIFTED}",
            quoted(&text)
        );
        return Err(input.wrong_byte(input.at, why + &or_take(ended)));
    }
    input.end_row(rows, is_kept)?;
    Ok(look)
}

/// How plausible the values of a row look. A row that begins too early or too late has values made
/// of letters, or of the bytes of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Usual,
    /// One value is larger or smaller than in almost any vector.
    Odd,
    /// No training produces such a row.
    Wild,
}

impl Look {
    fn of(row: &[f32]) -> Self {
        let huge = row.iter().filter(|value| value.abs() > 1e12).count();
        let tiny = row
            .iter()
            .filter(|&&value| value != 0.0 && value.abs() < 1e-12)
            .count();
        match (huge, tiny) {
            (0, 0) => Self::Usual,
            (0, _) if 2 * tiny <= row.len() => Self::Odd,
            _ => Self::Wild,
        }
    }
}

/// The reason that messages give for shifted rows.
const SHIFTED: &str =
    "the file is damaged, or the word before holds a space, for which the format has no place";

/// Whether a word looks like the last bytes of a vector followed by the next word, as happens when
/// a vector begins too early. A word may be cut within its last character, and whitespace may be a
/// word.
fn is_shifted(word: &str) -> bool {
    let whole = word.trim_end_matches(char::REPLACEMENT_CHARACTER);
    let is_broken =
        whole.is_empty() && !word.is_empty() || whole.contains(char::REPLACEMENT_CHARACTER);
    is_broken || word.contains(char::is_control) && !word.trim().is_empty()
}

fn write(table: &VectorTable<'_>, out: &mut Output<'_>) -> io::Result<()> {
    writeln!(out, "{} {}", table.rows, table.matrix.dim())?;
    table.write_rows(out, |word, row, line| {
        line.extend_from_slice(word.as_bytes());
        line.push(b' ');
        Dtype::F32.push(row, line);
        line.push(b'\n');
    })
}
