//! `vector`: prints the vectors of words.

use std::io::{self, Write};

use crate::Error;
use crate::vectors::expression::{Expression, quoted};
use crate::vectors::{Vectors, similarity};
use anyhow::Result;
use serde::Serialize;

use super::query::{self, Answer, Asked, Command, Form, Question};
use super::terminal::escaped;

/// Prints the vectors of words, a line for each: the word and its values
///
/// The vector of a word is that of the file. Words that + and - join, as in `neighbors`, have the
/// mean of their unit vectors. Where the first column holds blanks, it stands in double quotes.
///
/// Without a WORD it asks for words on a terminal, and elsewhere reads them from stdin and answers
/// line by line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu vector vectors.bin paris berlin
  w2v-gpu vector model.bin unheardof --json
  w2v-gpu vector vectors.bin < words.txt > some.glove")]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
    /// The words
    #[arg(value_name = "WORD")]
    words: Vec<String>,
}

/// Prints the vectors of all words that have one, then fails if some have none.
pub(crate) fn run(args: &Args) -> Result<()> {
    query::ask(args, &args.asked, &args.words)
}

/// The answer to one question.
#[derive(Serialize)]
pub(crate) struct Vector<'a> {
    word: String,
    /// The words whose vectors were composed of their n-grams; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    composed: Vec<&'a str>,
    vector: Vec<f32>,
}

impl Command for Args {
    type Answer<'a> = Vector<'a>;

    const WORDS: &'static str = "WORD";
    const FORM: Form = Form::Each(1);
    const HELP: &'static str = "Each expression is answered with its vector.";

    fn answer<'a>(
        &self,
        vectors: &'a Vectors,
        questions: &'a [Question],
    ) -> Vec<Result<Vector<'a>, Error>> {
        let answer = |question: &'a Question| {
            Ok(Vector {
                word: question[0].to_string(),
                composed: query::composed(vectors, question),
                vector: mean(vectors, &question[0])?,
            })
        };
        questions.iter().map(answer).collect()
    }
}

/// The vector of a word as it is, or the mean of several unit vectors.
fn mean(vectors: &Vectors, asked: &Expression) -> Result<Vec<f32>, Error> {
    if let Some(word) = asked.single() {
        return Ok(vectors.vector(word)?.values.into_owned());
    }
    let mut sum = similarity::query(vectors, asked)?.vector.into_owned();
    let terms = asked.terms().len() as f32;
    sum.iter_mut().for_each(|value| *value /= terms);
    Ok(sum)
}

impl Answer for Vector<'_> {
    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{}", escaped(&quoted(&self.word)))?;
        self.vector
            .iter()
            .try_for_each(|value| write!(out, " {value}"))?;
        writeln!(out)
    }

    fn note(&self) -> Option<String> {
        let composed: Vec<String> = self.composed.iter().map(|word| escaped(word)).collect();
        let title = format!("composed of n-grams: {}", composed.join(", "));
        (!composed.is_empty()).then_some(title)
    }
}
