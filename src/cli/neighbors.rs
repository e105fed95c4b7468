//! `neighbors`: prints the words nearest to given ones.

use std::io::Write;
use std::path::PathBuf;

use crate::vectors::format::Reading;
use crate::vectors::{Vectors, similarity};
use anyhow::Result;
use serde::Serialize;

use super::query::{self, Display, Neighbor};
use super::vectors;

/// Prints the words nearest to given ones, by the cosine of their vectors
///
/// Without a WORD it asks for words on a terminal, and elsewhere reads them from stdin and answers
/// line by line. A word that has no vector is answered with those that are spelt alike, or, in a
/// fastText model with subwords, by a vector composed of its n-grams.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu neighbors vectors.bin paris berlin --top 5
  w2v-gpu neighbors vectors.bin
  w2v-gpu neighbors vectors.bin --json < words.txt")]
pub(crate) struct Args {
    /// The vectors, in a format that `convert` knows by its extension, plain or packed; - for
    /// standard input
    vectors: PathBuf,
    /// The words to find the nearest of
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    display: Display,
}

/// Prints the nearest words of every word that has a vector, then fails if some have none.
pub(crate) fn run(args: &Args) -> Result<()> {
    vectors::check_stdin(&args.vectors, &args.words)?;
    let vectors = vectors::read_to_ask(&args.vectors, args.reading)?;
    query::ask(&args.words, "word> ", |words, mut out| {
        print(words, &args.display, &vectors, &mut out)
    })
}

/// The answer for one word.
#[derive(Serialize)]
struct Answer<'a> {
    word: &'a str,
    /// Whether the vector of the word was composed of its n-grams; left out if it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    composed: bool,
    neighbors: &'a [Neighbor<'a>],
}

/// Prints the answers. Returns a message for each word that has none.
fn print(
    words: &[String],
    display: &Display,
    vectors: &Vectors,
    out: &mut impl Write,
) -> Result<Vec<String>> {
    let mut unanswered = Vec::new();
    for word in words {
        match similarity::nearest(vectors, word, display.top.get()) {
            Ok(found) => {
                let neighbors = query::neighbors(vectors, found);
                let composed = query::composed(vectors, [word]);
                display.print(
                    &Answer {
                        word,
                        composed: !composed.is_empty(),
                        neighbors: &neighbors,
                    },
                    &query::title(word, &composed),
                    &neighbors,
                    out,
                )?;
            }
            Err(error) => unanswered.push(query::why_not(vectors, &error)),
        }
    }
    Ok(unanswered)
}
