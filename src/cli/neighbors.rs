//! `neighbors`: the words nearest to given ones.

use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Serialize;
use w2v_gpu::format::{self, Vectors};
use w2v_gpu::similarity;

/// Prints the words nearest to given ones, by the cosine of their vectors
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The vectors: .txt or .vec (word2vec text) or .bin (word2vec binary)
    vectors: PathBuf,
    /// The words to find the nearest of
    #[arg(value_name = "WORD", required = true)]
    words: Vec<String>,
    /// How many words to print for each
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    top: NonZeroUsize,
    /// Print a JSON object on a line of its own for each word
    #[arg(long)]
    json: bool,
}

/// Prints the nearest words of every word that has a vector, then fails if some have none.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let vectors = format::read(&args.vectors)?;
    print(args, &vectors, &mut BufWriter::new(io::stdout().lock()))
}

/// The answer for one word.
#[derive(Serialize)]
struct Answer<'a> {
    word: &'a str,
    neighbors: Vec<Neighbor<'a>>,
}

#[derive(Serialize)]
struct Neighbor<'a> {
    word: &'a str,
    cosine: f32,
}

fn print(args: &Args, vectors: &Vectors, out: &mut impl Write) -> anyhow::Result<()> {
    let mut unknown = Vec::new();
    for word in &args.words {
        match similarity::nearest(vectors, word, args.top.get()) {
            Ok(nearest) => {
                let neighbors =
                    nearest.into_iter().map(|(id, cosine)| Neighbor { word: vectors.vocab.word(id), cosine }).collect();
                let answer = Answer { word, neighbors };
                if args.json { print_json(&answer, out)? } else { print_table(&answer, out)? }
            }
            Err(error) => unknown.push(error.to_string()),
        }
    }
    out.flush()?;
    anyhow::ensure!(unknown.is_empty(), "{}", unknown.join("\n"));
    Ok(())
}

fn print_json(answer: &Answer, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, answer)?;
    Ok(writeln!(out)?)
}

fn print_table(answer: &Answer, out: &mut impl Write) -> anyhow::Result<()> {
    let width = answer.neighbors.iter().map(|neighbor| neighbor.word.chars().count()).max().unwrap_or(0);
    writeln!(out, "{}", answer.word)?;
    for Neighbor { word, cosine } in &answer.neighbors {
        writeln!(out, "  {word:width$}  {cosine:7.4}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches};
    use w2v_gpu::model::Matrix;
    use w2v_gpu::vocab::Vocab;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let command = Args::augment_args(clap::Command::new("neighbors").no_binary_name(true));
        Args::from_arg_matches(&command.try_get_matches_from(line.split(' '))?)
    }

    fn printed(line: &str) -> (String, Result<(), String>) {
        let vectors = Vectors {
            vocab: Vocab::from_words([("a", 0), ("été", 0), ("c", 0)]).unwrap(),
            matrix: Matrix::from_values(2, vec![1.0, 0.0, 4.0, 3.0, -1.0, 0.0]),
        };
        let mut out = Vec::new();
        let result = print(&parse(line).unwrap(), &vectors, &mut out).map_err(|error| error.to_string());
        (String::from_utf8(out).unwrap(), result)
    }

    #[test]
    fn prints_a_table_for_each_word() {
        let (out, result) = printed("v.bin a c");
        assert_eq!(out, "a\n  été   0.8000\n  c    -1.0000\nc\n  été  -0.8000\n  a    -1.0000\n");
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn prints_json_lines() {
        let (out, result) = printed("v.bin a c -n 1 --json");
        assert_eq!(
            out,
            "{\"word\":\"a\",\"neighbors\":[{\"word\":\"été\",\"cosine\":0.8}]}\n\
             {\"word\":\"c\",\"neighbors\":[{\"word\":\"été\",\"cosine\":-0.8}]}\n"
        );
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn prints_what_is_known_and_names_what_is_not() {
        let (out, result) = printed("v.bin x a y -n1");
        assert_eq!(out, "a\n  été   0.8000\n");
        let error = result.unwrap_err();
        assert!(error.contains("\"x\"") && error.contains("\n") && error.contains("\"y\""), "{error}");
    }

    #[test]
    fn asks_for_a_word_and_at_least_one_neighbor() {
        assert!(parse("v.bin").is_err());
        assert!(parse("v.bin a -n 0").is_err());
        assert_eq!(parse("v.bin a").unwrap().top.get(), 10);
    }
}
