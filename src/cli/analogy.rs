//! `analogy`: answers "A is to B as C is to ?".

use std::io::Write;
use std::path::PathBuf;

use crate::Error;
use crate::vectors::format::Reading;
use crate::vectors::{Vectors, similarity};
use anyhow::Result;
use serde::Serialize;

use super::query::{self, Display, Neighbor};
use super::vectors;

/// Prints the words that answer "A is to B as C is to ?", those nearest to B - A + C
///
/// The three vectors are made equally long first (3CosAdd), and the three words are no answers.
/// Without words it asks for them on a terminal, and elsewhere reads them from stdin and answers
/// line by line.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "w2v-gpu analogy [OPTIONS] <VECTORS> [A B C]...",
    after_help = "Examples:
  w2v-gpu analogy vectors.bin greece athens norway
  w2v-gpu analogy vectors.bin man king woman big bigger small -n 3
  w2v-gpu analogy vectors.bin --json < questions.txt"
)]
pub(crate) struct Args {
    /// The vectors, in a format that `convert` knows by its extension, plain or packed; - for
    /// standard input
    vectors: PathBuf,
    /// Three words for each question
    #[arg(value_name = "A B C")]
    words: Vec<String>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    display: Display,
}

/// Prints the answers to all questions whose words have vectors, then fails if some have none.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(why) = not_threes(&args.words) {
        return Err(Error::setting("A B C", args.words.join(" "), why).into());
    }
    vectors::check_stdin(&args.vectors, &args.words)?;
    let vectors = vectors::read_to_ask(&args.vectors, args.reading)?;
    query::ask(&args.words, "A B C> ", |words, mut out| {
        match not_threes(words) {
            Some(why) => Ok(vec![format!("{:?}: {why}", words.join(" "))]),
            None => print(words, &args.display, &vectors, &mut out),
        }
    })
}

/// The answer to one question.
#[derive(Serialize)]
struct Answer<'a> {
    a: &'a str,
    b: &'a str,
    c: &'a str,
    /// The words whose vectors were composed of their n-grams; left out if there are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    composed: &'a [&'a str],
    answers: &'a [Neighbor<'a>],
}

/// The error message for a number of words that does not make whole questions.
fn not_threes(words: &[String]) -> Option<String> {
    (!words.len().is_multiple_of(3))
        .then(|| format!("give three words for each question, not {}", words.len()))
}

/// Prints the answers. Returns a message for each question that has none.
fn print(
    words: &[String],
    display: &Display,
    vectors: &Vectors,
    out: &mut impl Write,
) -> Result<Vec<String>> {
    let mut unanswered = Vec::new();
    for [a, b, c] in words.as_chunks::<3>().0 {
        match similarity::analogy(vectors, [a, b, c], display.top.get()) {
            Ok(found) => {
                let answers = query::neighbors(vectors, found);
                let composed = query::composed(vectors, [a, b, c]);
                display.print(
                    &Answer {
                        a,
                        b,
                        c,
                        composed: &composed,
                        answers: &answers,
                    },
                    &query::title(&format!("{b} - {a} + {c}"), &composed),
                    &answers,
                    out,
                )?;
            }
            Err(error) => unanswered.push(query::why_not(vectors, &error)),
        }
    }
    Ok(unanswered)
}
