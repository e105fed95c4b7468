//! `odd`: finds the word that does not belong to the others.

use std::io::{self, Write};

use crate::Error;
use crate::vectors::{Vectors, similarity};
use anyhow::Result;
use console::style;
use serde::Serialize;

use super::query::{self, Answer, Asked, Command, Form, Question};
use super::terminal::{escaped, table_with_notes};

/// Prints which of some words does not belong to the others
///
/// It is the word whose vector has the least cosine with the mean of the unit vectors of all. All
/// words follow with these cosines, from the odd one to the most central.
///
/// Without words it asks for them on a terminal, and elsewhere reads them from stdin and answers
/// line by line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu odd vectors.bin breakfast cereal dinner lunch
  w2v-gpu odd vectors.bin --json < lines-of-words.txt")]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
    /// The words, three at least
    #[arg(value_name = "WORD")]
    words: Vec<String>,
}

/// Prints the odd word of those given.
pub(crate) fn run(args: &Args) -> Result<()> {
    query::ask(args, &args.asked, &args.words)
}

/// The answer to one question.
#[derive(Serialize)]
pub(crate) struct Odd<'a> {
    odd: String,
    /// The words whose vectors were composed of their n-grams; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    composed: Vec<&'a str>,
    /// All words, the odd one first.
    words: Vec<Member>,
    #[serde(skip)]
    title: String,
}

#[derive(Serialize)]
struct Member {
    word: String,
    /// The cosine with the mean of all.
    cosine: f32,
}

impl Command for Args {
    type Answer<'a> = Odd<'a>;

    const WORDS: &'static str = "WORD";
    const FORM: Form = Form::Line(3);
    const HELP: &'static str = "The words of a line are answered with the odd one of them.";

    fn answer<'a>(
        &self,
        vectors: &'a Vectors,
        questions: &'a [Question],
    ) -> Vec<Result<Odd<'a>, Error>> {
        let answer = |question: &'a Question| {
            let cosines = similarity::centrality(vectors, question)?;
            let composed = query::composed(vectors, question);
            let asked: Vec<String> = question.iter().map(ToString::to_string).collect();
            let title = query::title(&asked.join(", "), &composed);
            let members = asked.into_iter().zip(cosines);
            let mut words: Vec<Member> = members
                .map(|(word, cosine)| Member { word, cosine })
                .collect();
            words.sort_by(|a, b| a.cosine.total_cmp(&b.cosine));
            let odd = words[0].word.clone();
            Ok(Odd {
                odd,
                composed,
                words,
                title,
            })
        };
        questions.iter().map(answer).collect()
    }
}

impl Answer for Odd<'_> {
    fn show(&self, mut out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", style(escaped(&self.title)).bold())?;
        let row = |(at, member): (usize, &Member)| {
            let word = format!("  {}", escaped(&member.word));
            let mut row = vec![word, format!("{:.4}", member.cosine)];
            row.extend((at == 0).then(|| "the odd one".to_owned()));
            row
        };
        let rows: Vec<_> = self.words.iter().enumerate().map(row).collect();
        table_with_notes(&rows, &mut out)
    }
}
