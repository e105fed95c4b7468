//! A prompt at which questions about words are typed: with editing, history and completion.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::shown;
use crate::quantity::plural;
use crate::vectors::expression::quoted;
use crate::vocab::Vocab;
use anyhow::Result;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::vectors::tell;

/// What `:help` says beside the command's own sentence.
const HELP: &str = "  king - man + woman   words that are added and words that are taken away, with blanks around \
the signs
  king queen           a word that follows a word begins another expression
  \"new york\" - \"-\"     double quotes enclose a word with blanks, or one that is a sign
  Tab                  completes a word
  Up, Ctrl-R           earlier lines, also of other sessions, and a search among them
  :quit, Ctrl-D        ends";

/// The most lines that are kept for later sessions.
const KEPT_LINES: usize = 1000;

/// Reads lines until Ctrl-D, Ctrl-C or `:quit`, and hands each to `answer`. `words` is what they
/// hold, and stands before the cursor. `help` says how the command understands them. The lines are
/// kept for later sessions.
pub(super) fn ask(
    vocab: &Vocab,
    words: &str,
    help: &str,
    answer: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(KEPT_LINES)?;
    let mut editor: Asker = Editor::with_config(config.build())?;
    editor.set_helper(Some(Words(vocab)));
    let file = history_file();
    // There is no file before the first session.
    let _ = file.as_ref().map(|file| editor.load_history(file));
    tell([format!(
        "{}; :help explains, Tab completes",
        plural(vocab.len() as u64, "word")
    )]);
    let ended = read_lines(
        &mut editor,
        &format!("{}> ", words.to_lowercase()),
        help,
        answer,
    );
    if let Some(file) = file
        && let Err(error) = keep(&mut editor, &file)
    {
        let file = shown(&file);
        tell([format!(
            "warning: {file} cannot keep the lines typed: {error}"
        )]);
    }
    ended
}

/// The editor of lines.
type Asker<'a> = Editor<Words<'a>, FileHistory>;

fn read_lines(
    editor: &mut Asker<'_>,
    prompt: &str,
    help: &str,
    mut answer: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    loop {
        let line = match editor.readline(prompt) {
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

/// Adds the lines of this session to the file.
fn keep(editor: &mut Asker<'_>, file: &Path) -> rustyline::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    editor.append_history(file)
}

/// The file that keeps the lines of all sessions, in the user's folder for such files; `None` where
/// nothing names that folder.
fn history_file() -> Option<PathBuf> {
    let named = |variable: &str| {
        let folder = env::var_os(variable).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let folder = match cfg!(windows) {
        true => named("LOCALAPPDATA")?,
        false => named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))?,
    };
    Some(folder.join("w2v-gpu").join("history"))
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
    use rustyline::history::MemHistory;

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
