//! The pair of files that TensorFlow's Embedding Projector loads: values between tabs, and a word a line in a file of
//! their own, neither of them with a header.

use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, Table};
use super::rows::{Rows, quoted};
use super::words::WordsFile;
use super::{Holds, Kind, Loaded, TEXT_VALUE_BYTES};
use crate::error::Result;

pub(super) static FORMAT: Kind = Kind {
    extensions: &["tsv"],
    title: "Embedding Projector, its words in NAME.metadata.tsv",
    words: Some(WORDS),
    holds: Holds::WORDS,
    value_bytes: TEXT_VALUE_BYTES,
    read,
    write,
};

const WORDS: WordsFile = WordsFile { extension: "metadata.tsv", counts: false };

fn read(input: &mut Input<'_>) -> Result<Loaded> {
    let words_path = WORDS.path(input.path);
    let vocab = WORDS.read(&words_path)?;
    let words = vocab.len();
    let mut rows = Rows::begin(vocab, 0);
    for id in 0..words {
        if !input.next_line()? {
            let path = words_path.display();
            return Err(input.wrong_line(format!("the file ends after {id} rows, but {path} has {words} words")));
        }
        let found = rows.push_text(input.text()?).map_err(|why| input.wrong_line(why))?;
        if id == 0 {
            rows.dim = found;
            // A value takes at least a digit and a tab.
            rows.reserve(((words - 1) as u64).saturating_mul(found as u64).min(input.most_values(2)));
        }
        if found == 0 || found != rows.dim {
            let word = quoted(rows.vocab.word(id as u32));
            let why = format!("{found} values, of {word}; the first row has {}, and there is at least 1", rows.dim);
            return Err(input.wrong_line(why));
        }
        input.end_row(&mut rows)?;
    }
    input.only_blank_lines_left(|| format!("row {}, but {} has {words} words", words + 1, words_path.display()))?;
    Ok(rows.finish().into())
}

fn write(table: &Table<'_>, out: &mut Output<'_>) -> io::Result<()> {
    table.write_rows(out, |_, row, line| {
        for (index, value) in row.iter().enumerate() {
            let before = if index == 0 { "" } else { "\t" };
            // A Vec takes all that is written to it.
            let _ = write!(line, "{before}{value}");
        }
        line.push(b'\n');
    })
}
