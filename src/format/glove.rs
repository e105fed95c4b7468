//! GloVe text: a line `word v1 v2 ... vD` for every word, and no header.

use std::io;

use super::input::Input;
use super::output::{Output, Table};
use super::rows::{Rows, word2vec_header};
use super::text::{push_line, push_row};
use super::{Holds, Kind, Loaded, TEXT_VALUE_BYTES};
use crate::error::Result;
use crate::vocab::Vocab;

pub(super) static FORMAT: Kind = Kind {
    extensions: &["glove"],
    title: "GloVe text",
    words: None,
    holds: Holds::WORDS,
    value_bytes: TEXT_VALUE_BYTES,
    read,
    write,
};

fn read(input: &mut Input<'_>) -> Result<Loaded> {
    if !input.next_line()? {
        return Err(input.wrong_line("the file holds no words".to_owned()));
    }
    let mut rows = Rows::begin(Vocab::default(), 0);
    push_row(input.text()?, &mut rows, "").map_err(|why| input.wrong_line(why))?;
    input.end_row(&mut rows)?;
    // As if all lines were as long as the first, and some more: room that is never used takes no memory.
    let estimate = input.left().unwrap_or(0) / (input.line.len() as u64 + 1) * rows.dim as u64;
    rows.reserve((estimate / 8 * 9).min(input.most_values(2)));
    let hint = match word2vec_header(&input.line) {
        Ok(_) => "; if line 1 is the header of word2vec text, name the file .txt, or use --from txt",
        Err(_) => "",
    };
    while input.next_line()? {
        if input.is_blank() {
            input.only_blank_lines_left(|| "a row after an empty line".to_owned())?;
            break;
        }
        push_row(input.text()?, &mut rows, "the first row has").map_err(|why| input.wrong_line(why + hint))?;
        input.end_row(&mut rows)?;
    }
    Ok(rows.finish().into())
}

fn write(table: &Table<'_>, out: &mut Output<'_>) -> io::Result<()> {
    table.write_rows(out, push_line)
}
