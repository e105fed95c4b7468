//! Questions about words: from the command line, typed at a prompt, or one on each line of stdin.

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;

use crate::Error;
use crate::text::{MARK, utf8_lines};
use crate::vectors::{Vectors, spelling};
use anyhow::Result;
use rustyline::error::ReadlineError;
use serde::Serialize;

use super::terminal::{escaped, message, table};

/// The options about the answers.
#[derive(Debug, clap::Args)]
pub(super) struct Display {
    /// How many words to print for each answer, at least 1
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value = "10",
        help_heading = "Display"
    )]
    pub(super) top: NonZeroUsize,
    /// Print a JSON object on a line of its own for each answer
    #[arg(long, help_heading = "Display")]
    pub(super) json: bool,
}

/// A word of an answer, with its cosine.
#[derive(Serialize)]
pub(super) struct Neighbor<'a> {
    word: &'a str,
    cosine: f32,
}

/// The words of the ids found, with their cosines.
pub(super) fn neighbors(vectors: &Vectors, found: Vec<(u32, f32)>) -> Vec<Neighbor<'_>> {
    found
        .into_iter()
        .map(|(id, cosine)| Neighbor {
            word: vectors.vocab.word(id),
            cosine,
        })
        .collect()
}

/// Those of the words of an answer whose vectors were composed of their n-grams.
pub(super) fn composed<'a, const N: usize>(
    vectors: &Vectors,
    words: [&'a String; N],
) -> Vec<&'a str> {
    let words = words.into_iter().map(String::as_str);
    words
        .filter(|word| vectors.vocab.id(word.as_bytes()).is_none())
        .collect()
}

/// The title of an answer, with the words whose vectors were composed.
pub(super) fn title(question: &str, composed: &[&str]) -> String {
    match composed {
        [] => question.to_owned(),
        [word] if *word == question => format!("{question} (composed of its n-grams)"),
        words => format!("{question} (composed of n-grams: {})", words.join(", ")),
    }
}

impl Display {
    /// Prints an answer: `object` as JSON, or `title` and the words below it.
    pub(super) fn print(
        &self,
        object: &impl Serialize,
        title: &str,
        neighbors: &[Neighbor],
        out: &mut impl Write,
    ) -> Result<()> {
        if self.json {
            serde_json::to_writer(&mut *out, object)?;
            return Ok(writeln!(out)?);
        }
        writeln!(out, "{}", escaped(title))?;
        let row = |neighbor: &Neighbor| {
            vec![
                format!("  {}", escaped(neighbor.word)),
                format!("{:.4}", neighbor.cosine),
            ]
        };
        Ok(table(&neighbors.iter().map(row).collect::<Vec<_>>(), out)?)
    }
}

/// The message about a question that cannot be answered. For an unknown word it also names words
/// that are spelt alike.
pub(super) fn why_not(vectors: &Vectors, error: &Error) -> String {
    let mut why = error.to_string();
    if let Error::UnknownWord { word, .. } = error {
        let alike = spelling::alike(&vectors.vocab, word, 5);
        let alike: Vec<String> = alike
            .into_iter()
            .map(|id| escaped(vectors.vocab.word(id)))
            .collect();
        if !alike.is_empty() {
            why.push_str(&format!("; spelt alike: {}", alike.join(", ")));
        }
    }
    why
}

/// Passes the words to `answer`, which prints to its second argument and returns a message for each
/// question without an answer. If there are no words, each line of stdin is passed to it. A prompt
/// is shown if stdin and stdout are terminals.
///
/// Questions without an answer are an error in the end. At a prompt they are not, because the user
/// has seen the message.
pub(super) fn ask(
    words: &[String],
    prompt: &str,
    mut answer: impl FnMut(&[String], &mut dyn Write) -> Result<Vec<String>>,
) -> Result<()> {
    let mut out = BufWriter::new(io::stdout());
    if !words.is_empty() {
        let unanswered = answer(words, &mut out)?;
        out.flush()?;
        anyhow::ensure!(unanswered.is_empty(), "{}", unanswered.join("\n"));
        return Ok(());
    }
    let mut unanswered = 0;
    let mut ask_line = |line: &str| -> Result<()> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if !words.is_empty() {
            let failures = answer(&words, &mut out)?;
            out.flush()?;
            unanswered += failures.len();
            failures.iter().for_each(|why| {
                // Stderr may be closed by now.
                let _ = writeln!(io::stderr(), "error: {}", message(why));
            });
        }
        Ok(())
    };
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return at_prompt(prompt, ask_line);
    }
    let mut stdin = utf8_lines(io::stdin().lock())?;
    let mut line = Vec::new();
    while stdin.read_until(b'\n', &mut line)? > 0 {
        ask_line(String::from_utf8_lossy(&line).trim_start_matches(MARK))?;
        line.clear();
    }
    anyhow::ensure!(
        unanswered == 0,
        "{unanswered} of the questions on stdin had no answer"
    );
    Ok(())
}

/// Reads lines with editing and history until Ctrl-D or Ctrl-C.
fn at_prompt(prompt: &str, mut ask_line: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut editor = rustyline::DefaultEditor::new()?;
    loop {
        match editor.readline(prompt) {
            Ok(line) => {
                editor.add_history_entry(&line)?;
                ask_line(&line)?;
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
