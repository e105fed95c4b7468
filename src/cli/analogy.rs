//! `analogy`: answers "A is to B as C is to ?".

use std::io::{self, Write};

use crate::Error;
use crate::vectors::Vectors;
use crate::vectors::expression::Expression;
use anyhow::Result;
use serde::Serialize;

use super::nearest::{Neighbors, Options};
use super::query::{self, Answer, Asked, Command, Form, Question};

/// Prints the words that answer "A is to B as C is to ?", those nearest to B - A + C
///
/// The three vectors are made equally long first (3CosAdd), and the three words are no answers.
/// `neighbors` answers any other sum of words.
///
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
    #[command(flatten)]
    asked: Asked,
    /// Three words for each question
    #[arg(value_name = "A B C")]
    words: Vec<String>,
    #[command(flatten)]
    options: Options,
}

/// Prints the answers to all questions whose words have vectors, then fails if some have none.
pub(crate) fn run(args: &Args) -> Result<()> {
    query::ask(args, &args.asked, &args.words)
}

/// The answer to one question.
#[derive(Serialize)]
pub(crate) struct Answers<'a> {
    a: &'a str,
    b: &'a str,
    c: &'a str,
    /// The words whose vectors were composed of their n-grams; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    composed: Vec<&'a str>,
    answers: Neighbors<'a>,
    #[serde(skip)]
    title: String,
}

impl Command for Args {
    type Answer<'a> = Answers<'a>;

    const WORDS: &'static str = "A B C";
    const FORM: Form = Form::Words(3);
    const HELP: &'static str =
        "Three words A B C are answered with the words nearest to B - A + C.";

    fn at_once(&self) -> usize {
        self.options.at_once()
    }

    fn answer<'a>(
        &self,
        vectors: &'a Vectors,
        questions: &'a [Question],
    ) -> Vec<Result<Answers<'a>, Error>> {
        let asked: Vec<[&str; 3]> = questions.iter().map(|question| words(question)).collect();
        let sums: Vec<Expression> = asked.iter().copied().map(Expression::analogy).collect();
        let found = self.options.nearest(vectors, &sums);
        let each = questions.iter().zip(asked).zip(sums.iter().zip(found));
        each.map(|((question, [a, b, c]), (sum, found))| {
            let composed = query::composed(vectors, question);
            Ok(Answers {
                a,
                b,
                c,
                title: query::title(&sum.to_string(), &composed),
                composed,
                answers: found?,
            })
        })
        .collect()
    }
}

/// The three words of a question.
fn words(question: &[Expression]) -> [&str; 3] {
    std::array::from_fn(|at| question[at].single().unwrap_or_default())
}

impl Answer for Answers<'_> {
    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        self.answers.show(&self.title, out)
    }
}
