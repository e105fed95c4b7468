//! `eval`: scores vectors.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::shown;
use crate::eval::{
    AnalogyScore, Answers, EvalOptions, Evaluation, Method, PairScore, Protocol, Score, Sets,
};
use crate::quantity::{count, plural};
use crate::system::{serialize_path, thread_pool};
use crate::vectors::Vectors;
use crate::vectors::format::Reading;
use anyhow::Result;
use serde::Serialize;

use super::hardware::Threads;
use super::terminal::{escaped, table};
use super::vectors;

/// Scores vectors by the similarity of word pairs and by analogies
///
/// For pairs the score is the correlation of cosines with people's judgements, by rank (Spearman)
/// and by value (Pearson), from -1 to 1. For analogies it is the share of right answers. How many
/// pairs and questions have all of their words among the vectors is always shown. The words of
/// VECTORS are taken to be in the order of their frequency. A fastText model with subwords answers
/// for other words too; the pairs and questions that need it are counted apart, as composed.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "w2v-gpu eval <VECTORS> [--pairs <FILE>...] [--analogies <FILE|FOLDER>...] \
                      [OPTIONS]",
    after_help = "Examples:
  w2v-gpu eval vectors.bin --pairs wordsim353.tsv simlex999.txt --analogies questions-words.txt
  w2v-gpu eval vectors.bin --analogies BATS_3.0 --method both
  w2v-gpu eval vectors.bin --pairs raters.csv --score-column average
  w2v-gpu eval vectors.bin --pairs men.txt --protocol hyperwords --json"
)]
#[command(group(clap::ArgGroup::new("sets").required(true).multiple(true).args(["pairs", "analogies"])))]
pub(crate) struct Args {
    /// The vectors, in a format that `convert` knows by its extension, plain or packed; - for
    /// standard input
    vectors: PathBuf,
    /// Files of lines `word word score`, separated by tabs, semicolons, commas or spaces, with or
    /// without further columns
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "Evaluation sets")]
    pairs: Vec<PathBuf>,
    /// Files of four words a line in sections (Google's format), or folders of .txt files (BATS)
    #[arg(long, value_name = "FILE|FOLDER", num_args = 1.., help_heading = "Evaluation sets")]
    analogies: Vec<PathBuf>,
    /// The column of people's scores in files of pairs, by its name or its number from 1 [default:
    /// what looks it]
    #[arg(long, value_name = "COLUMN", help_heading = "Evaluation sets")]
    score_column: Option<String>,
    /// Whose treatment of case and unknown words is followed
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "TOOL",
        help_heading = "Method"
    )]
    protocol: Protocol,
    /// How analogies are answered
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "METHOD",
        help_heading = "Method"
    )]
    method: Method,
    /// Ask and answer analogies among the N first words; 0 for all [default: 300000; word2vec:
    /// 30000; hyperwords: 0]
    #[arg(long, value_name = "N", help_heading = "Method")]
    restrict_vocab: Option<usize>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    reading: Reading,
    /// Print the scores as JSON
    #[arg(long, help_heading = "Display")]
    json: bool,
}

/// The report that `--json` prints.
#[derive(Serialize)]
struct EvalReport<'a> {
    #[serde(serialize_with = "serialize_path")]
    vectors: &'a Path,
    words: usize,
    dim: usize,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
}

/// Prints all scores, then fails if there is none.
pub(crate) fn run(args: &Args) -> Result<()> {
    let threads = args.threads.count()?;
    let sets = Sets::read(&args.pairs, &args.analogies, options(args))?;
    vectors::tell(sets.notes());
    let vectors = vectors::read_to_ask(&args.vectors, args.reading)?;
    let pool = thread_pool(threads, "scoring vectors")?;
    let evaluation = pool.install(|| {
        let composer = vectors.composer.as_ref();
        sets.evaluate(&vectors.vocab, &vectors.matrix, composer)
    });
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let (words, dim) = (vectors.vocab.len(), vectors.matrix.dim());
        let report = EvalReport {
            vectors: &args.vectors,
            words,
            dim,
            evaluation: &evaluation,
        };
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&evaluation, &mut out)?;
    }
    out.flush()?;
    vectors::tell(composed_line(&evaluation));
    vectors::tell(
        thin(&evaluation)
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    anyhow::ensure!(
        !evaluation.is_empty(),
        "{}",
        nothing_scored(args, &vectors, &evaluation)
    );
    Ok(())
}

fn options(args: &Args) -> EvalOptions {
    let default = EvalOptions::of(args.protocol);
    let restrict_vocab = match args.restrict_vocab {
        None => default.restrict_vocab,
        Some(0) => None,
        Some(words) => Some(words),
    };
    EvalOptions {
        method: args.method,
        restrict_vocab,
        score_column: args.score_column.clone(),
        ..default
    }
}

/// A line with the words that were composed, or the first of them.
fn composed_line(evaluation: &Evaluation) -> Option<String> {
    const SHOWN: usize = 10;
    let words = &evaluation.composed;
    let shown: Vec<String> = words.iter().take(SHOWN).map(|word| escaped(word)).collect();
    let more = match words.len().checked_sub(SHOWN) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {} more, which --json lists", count(more as u64)),
    };
    (!words.is_empty()).then(|| format!("composed of their n-grams: {}{more}", shown.join(", ")))
}

/// Warnings about the files of which less than half was found.
fn thin(evaluation: &Evaluation) -> Vec<String> {
    let Evaluation {
        pairs, analogies, ..
    } = evaluation;
    let pairs = pairs.iter().map(|set| {
        (
            &set.file,
            "pairs",
            set.found + set.composed,
            set.total,
            set.among,
        )
    });
    let analogies = analogies.iter().map(|set| {
        (
            &set.file,
            "questions",
            set.total.found + set.total.composed,
            set.total.total,
            set.among,
        )
    });
    let warning = |(file, what, found, total, among): (&PathBuf, _, _, _, usize)| {
        format!(
            "{}: only {} of {} {what} have all their words among {}; the score is that of these \
             alone",
            shown(file),
            count(found as u64),
            count(total as u64),
            plural(among as u64, "word")
        )
    };
    pairs
        .chain(analogies)
        .filter(|&(_, _, found, total, _)| 2 * found < total)
        .map(warning)
        .collect()
}

/// The reason why there is no score.
fn nothing_scored(args: &Args, vectors: &Vectors, evaluation: &Evaluation) -> String {
    let pairs = |set: &PairScore| set.found + set.composed;
    match evaluation.pairs.iter().find(|set| pairs(set) >= 2) {
        Some(set) => format!(
            "nothing could be evaluated: of the {} pairs found of {}, either the scores or the \
             cosines are all the same",
            pairs(set),
            shown(&set.file)
        ),
        None => nothing_found(args, vectors),
    }
}

fn nothing_found(args: &Args, vectors: &Vectors) -> String {
    let first: Vec<String> = vectors
        .vocab
        .words()
        .take(5)
        .map(|word| format!("{word:?}"))
        .collect();
    let hint = match args.protocol {
        Protocol::Hyperwords => {
            "it looks for lower-case words alone: --protocol gensim ignores case"
        }
        Protocol::Gensim | Protocol::Word2vec => {
            "it ignores case: are the files in the language of the vectors?"
        }
    };
    format!(
        "nothing could be evaluated: too few words of the files are among those of {}, which begin \
         with {}; with --protocol {}, {hint}",
        shown(&args.vectors),
        first.join(", "),
        clap::ValueEnum::to_possible_value(&args.protocol)
            .as_ref()
            .map_or("", |value| value.get_name()),
    )
}

fn print(evaluation: &Evaluation, out: &mut impl Write) -> io::Result<()> {
    let Evaluation {
        options,
        pairs,
        analogies,
        composed,
    } = evaluation;
    let with_composed = !composed.is_empty();
    let among = |what: &str, words: usize| format!("{what} among {}", plural(words as u64, "word"));
    if let Some(PairScore { among: words, .. }) = pairs.first() {
        let mut header = vec![among("pairs", *words), "found".to_owned()];
        header.extend(with_composed.then(|| "composed".to_owned()));
        header.extend(["Spearman", "Pearson"].map(str::to_owned));
        table(
            &[header]
                .into_iter()
                .chain(pairs.iter().map(|set| pair_row(set, with_composed)))
                .collect::<Vec<_>>(),
            out,
        )?;
    }
    if !pairs.is_empty() && !analogies.is_empty() {
        writeln!(out)?;
    }
    if let Some(AnalogyScore { among: words, .. }) = analogies.first() {
        let mut header = vec![among("analogies", *words), "found".to_owned()];
        header.extend(with_composed.then(|| "composed".to_owned()));
        header.extend((options.method != Method::CosMul).then(|| "3CosAdd".to_owned()));
        header.extend((options.method != Method::CosAdd).then(|| "3CosMul".to_owned()));
        table(
            &[header]
                .into_iter()
                .chain(
                    analogies
                        .iter()
                        .flat_map(|set| analogy_rows(set, with_composed)),
                )
                .collect::<Vec<_>>(),
            out,
        )?;
    }
    Ok(())
}

fn pair_row(set: &PairScore, with_composed: bool) -> Vec<String> {
    let mut row = vec![shown(&set.file), part(set.found, set.total)];
    row.extend(with_composed.then(|| set.composed.to_string()));
    row.extend([set.spearman, set.pearson].map(four));
    row
}

/// The rows of a table: the sections, the two kinds of sections, then the whole set.
fn analogy_rows(set: &AnalogyScore, with_composed: bool) -> Vec<Vec<String>> {
    let row = |name: String, score: &Score| {
        let answers = |Answers { correct, accuracy }| {
            format!("{} ({})", four(accuracy), part(correct, score.counted))
        };
        let mut row = vec![name, part(score.found, score.total)];
        row.extend(with_composed.then(|| score.composed.to_string()));
        row.extend(
            [score.add, score.multiply]
                .into_iter()
                .flatten()
                .map(answers),
        );
        row
    };
    let sections = set
        .sections
        .iter()
        .map(|section| row(format!("  {}", escaped(&section.name)), &section.score));
    let kinds = [
        ("  semantic", &set.semantic),
        ("  syntactic", &set.syntactic),
    ];
    let kinds = kinds
        .into_iter()
        .filter_map(|(name, score)| score.as_ref().map(|score| row(name.to_owned(), score)));
    sections
        .chain(kinds)
        .chain([row(shown(&set.file), &set.total)])
        .collect()
}

fn part(some: usize, all: usize) -> String {
    format!("{some}/{all}")
}

/// A score with four decimals, or a dash if there is none.
fn four(score: Option<f64>) -> String {
    score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))
}
