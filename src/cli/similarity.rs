//! `similarity`: prints how near two words are.

use std::io::{self, Write};

use crate::Error;
use crate::vectors::{Vectors, similarity};
use anyhow::Result;
use serde::Serialize;

use super::query::{self, Answer, Asked, Command, Form, Question};
use super::terminal::escaped;

/// Prints the cosine of two words, from -1 to 1
///
/// A and B may be several words each, joined by + and - as in `neighbors`. Then their vectors are the
/// means of unit vectors.
///
/// Without words it asks for them on a terminal, and elsewhere reads them from stdin and answers
/// line by line.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "w2v-gpu similarity [OPTIONS] <VECTORS> [A B]...",
    after_help = "Examples:
  w2v-gpu similarity vectors.bin paris london
  w2v-gpu similarity vectors.bin 'king - man + woman' queen
  w2v-gpu similarity vectors.bin --json < pairs.txt"
)]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
    /// Two words for each question
    #[arg(value_name = "A B")]
    words: Vec<String>,
}

/// Prints the cosines of all pairs whose words have vectors, then fails if some have none.
pub(crate) fn run(args: &Args) -> Result<()> {
    query::ask(args, &args.asked, &args.words)
}

/// The answer to one question.
#[derive(Serialize)]
pub(crate) struct Similarity<'a> {
    a: String,
    b: String,
    /// The words whose vectors were composed of their n-grams; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    composed: Vec<&'a str>,
    cosine: f32,
}

impl Command for Args {
    type Answer<'a> = Similarity<'a>;

    const WORDS: &'static str = "A B";
    const FORM: Form = Form::Each(2);
    const HELP: &'static str = "Two expressions are answered with their cosine.";

    fn answer<'a>(
        &self,
        vectors: &'a Vectors,
        questions: &'a [Question],
    ) -> Vec<Result<Similarity<'a>, Error>> {
        let answer = |question: &'a Question| {
            let [a, b] = [&question[0], &question[1]];
            Ok(Similarity {
                a: a.to_string(),
                b: b.to_string(),
                composed: query::composed(vectors, question),
                cosine: similarity::similarity(vectors, a, b)?,
            })
        };
        questions.iter().map(answer).collect()
    }
}

impl Answer for Similarity<'_> {
    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let pair = query::title(&format!("{}, {}", self.a, self.b), &self.composed);
        writeln!(out, "{}  {:.4}", escaped(&pair), self.cosine)
    }
}
