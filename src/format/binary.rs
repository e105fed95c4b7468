//! word2vec binary: a line `rows dim`, then for every word `word `, D little-endian f32 and a newline.
//!
//! word2vec.c and this crate write that newline, gensim does not: it is skipped as the start of the next word.

use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, Table};
use super::rows::{MAX_WORD_BYTES, Rows, quoted, runs_on, word2vec_header};
use super::{Dtype, Holds, Kind, Loaded};
use crate::error::Result;

pub(super) static FORMAT: Kind = Kind {
    extensions: &["bin"],
    title: "word2vec binary",
    words: None,
    holds: Holds::WORDS,
    value_bytes: 4,
    read,
    write,
};

/// No header is longer, in bytes: two numbers.
const MAX_HEADER_BYTES: u64 = 100;

fn read(input: &mut Input<'_>) -> Result<Loaded> {
    let mut word = Vec::new();
    input.read_until(b'\n', MAX_HEADER_BYTES, &mut word)?;
    let header = word2vec_header(&word)
        .and_then(|(promised, dim)| Ok((promised, Rows::promised(promised, dim, input.most_values(4))?)));
    let (promised, mut rows) = header.map_err(|why| input.wrong_byte(0, why))?;
    for id in 0..promised {
        input.skip_newlines()?;
        let start = input.at;
        if !input.read_until(b' ', MAX_WORD_BYTES as u64, &mut word)? {
            let why = match word.len() {
                0..MAX_WORD_BYTES => rows.cut_short(promised),
                _ => format!("no space within {MAX_WORD_BYTES} bytes, where a word must have ended"),
            };
            return Err(input.wrong_byte(start, why));
        }
        let pushed = match std::str::from_utf8(&word) {
            Ok(word) => rows.push_word(word, 0),
            Err(_) => Err(format!("the word {} is not UTF-8", quoted(&String::from_utf8_lossy(&word)))),
        };
        pushed.map_err(|why| input.wrong_byte(start, why))?;
        input.read_row(&mut rows, id as u32, promised, Dtype::F32)?;
    }
    input.skip_newlines()?;
    input.expect_end(|| runs_on(promised))?;
    Ok(rows.finish().into())
}

fn write(table: &Table<'_>, out: &mut Output<'_>) -> io::Result<()> {
    writeln!(out, "{} {}", table.rows, table.matrix.dim())?;
    table.write_rows(out, |word, row, line| {
        line.extend_from_slice(word.as_bytes());
        line.push(b' ');
        Dtype::F32.push(row, line);
        line.push(b'\n');
    })
}
