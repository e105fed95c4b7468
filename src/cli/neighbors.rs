//! `neighbors`: prints the words nearest to given ones.

use std::io::{self, Write};

use crate::Error;
use crate::vectors::Vectors;
use anyhow::Result;
use serde::Serialize;

use super::nearest::{Neighbors, Options};
use super::query::{self, Answer, Asked, Command, Form, Question};

/// Prints the words nearest to given ones, by the cosine of their vectors
///
/// Each WORD is a question of its own, unless + or - with blanks around it joins it to the word
/// before: `king - man + woman` asks for the words nearest to the mean of three unit vectors, one of
/// them negated. The words of a question are no answers to it.
///
/// A word may contain + and -, as in `c++`. An argument or a line that is a word of VECTORS as a
/// whole is that word, with its blanks. Double quotes enclose a word that would be understood
/// otherwise; the shell needs quotes around them.
///
/// Without a WORD it asks for words on a terminal, and elsewhere reads them from stdin and answers
/// line by line. A word that has no vector is answered with those that are spelt alike, or, in a
/// fastText model with subwords, by a vector composed of its n-grams.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu neighbors vectors.bin paris berlin --top 5
  w2v-gpu neighbors vectors.bin king - man + woman --restrict-vocab 30000
  w2v-gpu neighbors vectors.npy 'new york + london' '\"-\" + dash'
  w2v-gpu neighbors vectors.bin
  w2v-gpu neighbors vectors.bin --json < words.txt")]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
    /// The words to find the nearest of, with + and - between those that belong together
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    #[command(flatten)]
    options: Options,
}

/// Prints the nearest words of every question, then fails if some have none.
pub(crate) fn run(args: &Args) -> Result<()> {
    query::ask(args, &args.asked, &args.words)
}

/// The answer to one question.
#[derive(Serialize)]
pub(crate) struct Nearest<'a> {
    #[serde(flatten)]
    asked: Of<'a>,
    neighbors: Neighbors<'a>,
    #[serde(skip)]
    title: String,
}

/// What an answer is about.
#[derive(Serialize)]
#[serde(untagged)]
enum Of<'a> {
    Word {
        word: &'a str,
        /// Whether the vector of the word was composed of its n-grams; left out if it was not.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        composed: bool,
    },
    Expression {
        positive: Vec<&'a str>,
        negative: Vec<&'a str>,
        /// The words whose vectors were composed of their n-grams; left out if there are none.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        composed: Vec<&'a str>,
    },
}

impl Command for Args {
    type Answer<'a> = Nearest<'a>;

    const WORDS: &'static str = "WORD";
    const FORM: Form = Form::Each(1);
    const HELP: &'static str = "Each expression is answered with the words nearest to it.";

    fn at_once(&self) -> usize {
        self.options.at_once()
    }

    fn answer<'a>(
        &self,
        vectors: &'a Vectors,
        questions: &'a [Question],
    ) -> Vec<Result<Nearest<'a>, Error>> {
        let found = self.options.nearest(vectors, &questions.concat());
        let answer = |(question, found): (&'a Question, Result<_, _>)| {
            let asked = &question[0];
            let composed = query::composed(vectors, question);
            Ok(Nearest {
                title: query::title(&asked.to_string(), &composed),
                asked: match asked.single() {
                    Some(word) => Of::Word {
                        word,
                        composed: !composed.is_empty(),
                    },
                    None => Of::Expression {
                        positive: asked.words(false).collect(),
                        negative: asked.words(true).collect(),
                        composed,
                    },
                },
                neighbors: found?,
            })
        };
        questions.iter().zip(found).map(answer).collect()
    }
}

impl Answer for Nearest<'_> {
    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        self.neighbors.show(&self.title, out)
    }
}
