//! The two files that TensorFlow's Embedding Projector loads. The first has values between tabs,
//! the second one word a line. Neither has a header.

use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, VectorTable};
use super::rows::Listed;
use super::rows::{Rows, fits_line};
use super::word::quoted;
use super::words::WordsFile;
use super::{Abilities, FormatSpec, LoadedVectors, SEPARATOR_BYTES, TEXT_VALUE_BYTES};
use crate::error::Result;
use crate::error::shown;
use crate::quantity::plural;

pub(super) static FORMAT: FormatSpec = FormatSpec {
    extensions: &["tsv"],
    title: "Embedding Projector, its words in NAME.metadata.tsv",
    words: Some(WORDS),
    holds: Abilities::WORDS,
    fits: fits_line,
    value_bytes: TEXT_VALUE_BYTES,
    word_bytes: SEPARATOR_BYTES,
    read,
    write,
};

const WORDS: WordsFile = WordsFile {
    extension: "metadata.tsv",
    counts: false,
};

fn read(input: &mut Input<'_>) -> Result<LoadedVectors> {
    input.start_text()?;
    let words_path = WORDS.beside(input.path);
    let Listed { words, left_out } = WORDS.read(&words_path, input)?;
    let all = words.seen;
    let mut rows = Rows::begin(words, 0);
    for row in 0..all {
        if !input.next_line()? {
            let (rows, path, words) = (plural(row, "row"), shown(&words_path), plural(all, "word"));
            return Err(input.wrong_line(format!(
                "the file ends after {rows}, but {path} has {words}"
            )));
        }
        let found = rows
            .push_text(&input.text().0)
            .map_err(|why| input.wrong_line(why))?;
        if row == 0 {
            rows.dim = found;
            // A value takes at least a digit and a tab.
            rows.reserve(all, input.most_values(2));
        }
        let is_kept = left_out.binary_search(&row).is_err();
        if found == 0 || found != rows.dim {
            let word = if is_kept {
                rows.words.vocab.word(rows.ended as u32)
            } else {
                ""
            };
            let (word, dim) = (quoted(word), rows.dim);
            let values = plural(found as u64, "value");
            let why =
                format!("{values}, of {word}; the first row has {dim}, and there is at least 1");
            return Err(input.wrong_line(why));
        }
        input.end_row(&mut rows, is_kept)?;
    }
    if !rows.words.is_full() {
        let words = || format!("{} has {}", shown(&words_path), plural(all, "word"));
        input.only_blank_lines_left(|| format!("row {}, but {}", all + 1, words()))?;
    }
    rows.finish(None).map_err(|why| input.wrong_line(why))
}

fn write(table: &VectorTable<'_>, out: &mut Output<'_>) -> io::Result<()> {
    table.write_rows(out, |_, row, line| {
        for (index, value) in row.iter().enumerate() {
            let before = if index == 0 { "" } else { "\t" };
            // Writing to a Vec never fails.
            let _ = write!(line, "{before}{value}");
        }
        line.push(b'\n');
    })
}
