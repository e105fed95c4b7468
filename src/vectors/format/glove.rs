//! GloVe text: a line `word v1 v2 ... vD` for every word, and no header.

use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, VectorTable};
use super::rows::{Checked, Rows, SEPARATORS, Words, fits_field, word2vec_header};
use super::text::{next_row, push_line, usual_dim};
use super::word::quoted;
use super::{Abilities, FormatSpec, LoadedVectors, SEPARATOR_BYTES, TEXT_VALUE_BYTES};
use crate::error::Result;
use crate::text::{BYTE_ORDER_MARK, MARK};

pub(super) static FORMAT: FormatSpec = FormatSpec {
    extensions: &["glove"],
    title: "GloVe text",
    words: None,
    holds: Abilities::WORDS,
    fits: fits_field,
    value_bytes: TEXT_VALUE_BYTES,
    word_bytes: SEPARATOR_BYTES,
    read,
    write,
};

fn read(input: &mut Input<'_>) -> Result<LoadedVectors> {
    input.start_text()?;
    let dim = dim(input).map_err(|why| input.wrong("line 1".to_owned(), why))?;
    let mut rows = Rows::begin(Words::new(input.reading), dim);
    if next_row(input, &mut rows, SAYS)? {
        // Estimates the rows as if all lines were as long as the first, plus a margin. Reserved
        // room that is never used takes no memory.
        let estimate = input.most_left() / (input.line.len() as u64 + 1) / 8 * 9;
        rows.reserve(estimate, input.most_values(2));
    }
    while next_row(input, &mut rows, SAYS)? {}
    rows.finish(None).map_err(|why| input.wrong_line(why))
}

/// Where the number of dimensions comes from, for messages.
const SAYS: &str = "most rows have";

/// The number of values in a row, judged by the first rows, of which only few have words with
/// spaces and numbers. It is 0 if rows are so long that the first one alone has to decide.
fn dim(input: &Input<'_>) -> Checked<usize> {
    let lines = input.first_lines();
    let mut lines = lines
        .iter()
        .map(|line| &**line)
        .skip_while(|line| line.trim_ascii().is_empty());
    let Some(first) = lines.next() else {
        return if input.is_all_there() {
            Err("the file holds no words".to_owned())
        } else {
            Ok(0)
        };
    };
    let of_others = usual_dim(lines.clone(), None);
    if let Ok((_, dim)) = word2vec_header(first.as_bytes())
        && dim > 1
        && !first.starts_with(SEPARATORS)
        && of_others == Some(dim)
    {
        let why = "this is the header of word2vec text; name the file .txt, or add `from = txt`";
        return Err(why.to_owned());
    }
    usual_dim(std::iter::once(first).chain(lines), None)
        .ok_or_else(|| format!("{} has no values", quoted(first)))
}

fn write(table: &VectorTable<'_>, out: &mut Output<'_>) -> io::Result<()> {
    // If the first word begins with U+FEFF, a byte order mark goes before it. Readers drop only
    // that.
    if table
        .words()
        .next()
        .is_some_and(|(word, _)| word.starts_with(MARK))
    {
        out.write_all(BYTE_ORDER_MARK)?;
    }
    table.write_rows(out, push_line)
}
