//! A prompt at which questions about words are typed: with editing, history and completion.

use std::io::{self, Write};

use crate::quantity::plural;
use crate::vectors::expression::quoted;
use crate::vocab::Vocab;
use anyhow::Result;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::vectors::tell;

/// What `:help` says beside the command's own sentence.
const HELP: &str = "  king - man + woman   words that are added and words that are taken away, with blanks around \
the signs
  king queen           a word that follows a word begins another expression
  \"new york\" - \"-\"     double quotes enclose a word with blanks, or one that is a sign
  Tab                  completes a word
  Up, Ctrl-R           earlier lines, and a search among them
  :quit, Ctrl-D        ends";

/// Reads lines until Ctrl-D, Ctrl-C or `:quit`, and hands each to `answer`. `words` is what they
/// hold, and stands before the cursor. `help` says how the command understands them.
pub(super) fn ask(
    vocab: &Vocab,
    words: &str,
    help: &str,
    mut answer: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let config = Config::builder().completion_type(CompletionType::List);
    let mut editor = Editor::with_history(config.build(), MemHistory::new())?;
    editor.set_helper(Some(Words(vocab)));
    tell([format!(
        "{}; :help explains, Tab completes",
        plural(vocab.len() as u64, "word")
    )]);
    loop {
        let line = match editor.readline(&format!("{}> ", words.to_lowercase())) {
            Ok(line) => line,
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        editor.add_history_entry(&line)?;
        match line.trim() {
            "" => {}
            ":quit" | ":q" => return Ok(()),
            ":help" | ":h" => writeln!(io::stdout(), "{help}\n{HELP}")?,
            line => answer(line)?,
        }
    }
}

/// Completes words of a vocabulary.
struct Words<'a>(&'a Vocab);

impl Completer for Words<'_> {
    type Candidate = String;

    /// The words that begin as what stands before the cursor, the most frequent first.
    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, typed) = begun(&line[..cursor]);
        let words = self.0.words().filter(|word| word.starts_with(typed));
        let is_quoted = line[start..].starts_with('"');
        let as_typed = |word: &str| match is_quoted {
            true => format!("\"{word}\""),
            false => quoted(word),
        };
        Ok((start, words.map(as_typed).collect()))
    }
}

/// Where the last word before the cursor begins, and what there is of it. A double quote that is
/// still open begins it, with all blanks after.
fn begun(before: &str) -> (usize, &str) {
    let mut open = None;
    let mut start = 0;
    for (at, character) in before.char_indices() {
        match character {
            '"' if open.is_none() && at == start => open = Some(at),
            '"' if open.is_some() => open = None,
            _ if character.is_whitespace() && open.is_none() => start = at + character.len_utf8(),
            _ => {}
        }
    }
    let quote = usize::from(open.is_some());
    (start, &before[start + quote..])
}

impl Hinter for Words<'_> {
    type Hint = String;
}

impl Highlighter for Words<'_> {}

impl Validator for Words<'_> {}

impl Helper for Words<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor_is_completed() {
        let words = ["the", "new york", "new", "news", "-", "\"hm"].map(|word| (word, 0));
        let vocab = Vocab::from_words(words).unwrap();
        let history = MemHistory::new();
        let complete = |line: &str| {
            let context = Context::new(&history);
            let (start, words) = Words(&vocab).complete(line, line.len(), &context).unwrap();
            (start, words.join(","))
        };
        for (line, start, words) in [
            ("ne", 0, "\"new york\",new,news"),
            ("the - new", 6, "\"new york\",new,news"),
            ("the + \"new ", 6, "\"new york\""),
            ("\"new york\" - t", 13, "the"),
            ("xyz", 0, ""),
            ("é t", 3, "the"),
        ] {
            assert_eq!(complete(line), (start, words.to_owned()), "{line}");
        }
    }
}
