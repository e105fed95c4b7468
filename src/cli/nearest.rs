//! What the commands share that answer with nearest words.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use crate::Error;
use crate::quantity::plural;
use crate::vectors::Vectors;
use crate::vectors::expression::Expression;
use crate::vectors::similarity::{at_once, nearest_to_each, query};
use console::style;
use serde::Serialize;

use super::terminal::{escaped, table};

/// The options about the words that are answers.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// How many words to print for each answer, at least 1
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value = "10",
        help_heading = "Display"
    )]
    top: NonZeroUsize,
    /// Answer with the N first words alone, the most frequent in most files; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    restrict_vocab: usize,
}

impl Options {
    /// The most questions that are answered together.
    pub(super) fn at_once(&self) -> usize {
        at_once(self.top.get())
    }

    /// The nearest words of each expression.
    pub(super) fn nearest<'a>(
        &self,
        vectors: &'a Vectors,
        asked: &[Expression],
    ) -> Vec<Result<Neighbors<'a>, Error>> {
        let queries = asked.iter().map(|asked| query(vectors, asked));
        let (mut known, mut errors) = (Vec::new(), Vec::new());
        for query in queries {
            errors.push(query.map(|query| known.push(query)).err());
        }
        let candidates = match self.restrict_vocab {
            0 => usize::MAX,
            words => words,
        };
        let found = nearest_to_each(&vectors.matrix, &known, candidates, self.top.get());
        let mut found = found.into_iter();
        let mut answer = |error| match error {
            Some(error) => Err(error),
            None => Ok(Neighbors::new(vectors, found.next().unwrap_or_default())),
        };
        errors.into_iter().map(&mut answer).collect()
    }
}

/// The words of an answer, nearest first.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Neighbors<'a>(Vec<Neighbor<'a>>);

#[derive(Serialize)]
struct Neighbor<'a> {
    word: &'a str,
    cosine: f32,
    /// Occurrences in the corpus; `None` where the file does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl<'a> Neighbors<'a> {
    fn new(vectors: &'a Vectors, found: Vec<(u32, f32)>) -> Self {
        let neighbor = |(id, cosine)| Neighbor {
            word: vectors.vocab.word(id),
            cosine,
            count: Some(vectors.vocab.counts()[id as usize]).filter(|&count| count > 0),
        };
        Self(found.into_iter().map(neighbor).collect())
    }

    /// Prints a title, and the words below it.
    pub(super) fn show(&self, title: &str, mut out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", style(escaped(title)).bold())?;
        let row = |neighbor: &Neighbor| {
            let times = neighbor.count.map(|count| plural(count, "time"));
            let mut row = vec![
                format!("  {}", escaped(neighbor.word)),
                format!("{:.4}", neighbor.cosine),
            ];
            row.extend(times);
            row
        };
        table(&self.0.iter().map(row).collect::<Vec<_>>(), &mut out)
    }
}
