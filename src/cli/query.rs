//! Questions about words: from the command line, typed at a prompt, or one on each line of stdin.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Stdout, Write};
use std::path::PathBuf;

use crate::Error;
use crate::text::{MARK, utf8_lines};
use crate::vectors::expression::{self, Expression};
use crate::vectors::format::Reading;
use crate::vectors::{Vectors, spelling};
use anyhow::Result;
use serde::Serialize;

use super::terminal::{escaped, to_stderr};
use super::{prompt, vectors};

/// Bytes of stdin that are read at once, if so many have arrived. Their questions are answered
/// together.
const ARRIVED: usize = 1 << 16;

/// The options of every command that answers questions about words.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The vectors, in a format that `convert` knows by its extension, plain or packed; - for
    /// standard input
    vectors: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Print a JSON object on a line of its own for each answer
    #[arg(long, help_heading = "Display")]
    json: bool,
}

/// The expressions of one question.
pub(super) type Question = Vec<Expression>;

/// How the expressions of a line make questions.
pub(super) enum Form {
    /// So many for each question.
    Each(usize),
    /// So many for each question, and each of them a word.
    Words(usize),
    /// The whole line is one question, of so many at least.
    Line(usize),
}

/// A command that answers questions about words.
pub(super) trait Command {
    /// An answer of this command.
    type Answer<'a>: Answer;

    /// The name of its arguments that are words.
    const WORDS: &'static str;
    /// How its questions are made.
    const FORM: Form;
    /// Its questions in a sentence, for a user at the prompt.
    const HELP: &'static str;

    /// The most questions that are answered together.
    fn at_once(&self) -> usize {
        1
    }

    /// The answers to some questions, or the reasons why there are none.
    fn answer<'a>(
        &self,
        vectors: &'a Vectors,
        questions: &'a [Question],
    ) -> Vec<Result<Self::Answer<'a>, Error>>;
}

/// An answer, which `--json` prints as an object.
pub(super) trait Answer: Serialize {
    /// Prints the answer for a person.
    fn show(&self, out: &mut dyn Write) -> io::Result<()>;

    /// What a person must know beside it. It is printed on stderr.
    fn note(&self) -> Option<String> {
        None
    }
}

/// The words of a question whose vectors are composed of their n-grams, each once.
pub(super) fn composed<'a>(vectors: &Vectors, question: &'a [Expression]) -> Vec<&'a str> {
    let terms = question.iter().flat_map(Expression::terms);
    let mut told = BTreeSet::new();
    terms
        .map(|term| &*term.word)
        .filter(|word| vectors.vocab.id(word.as_bytes()).is_none() && told.insert(*word))
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

/// Answers the words on the command line. If there are none, answers each line of stdin, or what is
/// typed at a prompt if stdin and stdout are terminals.
///
/// Questions without an answer are an error in the end. At a prompt they are not, because the user
/// has seen the message.
pub(super) fn ask<C: Command>(command: &C, asked: &Asked, words: &[String]) -> Result<()> {
    vectors::check_stdin(&asked.vectors, words)?;
    let vectors = vectors::read_to_ask(&asked.vectors, asked.reading)?;
    let mut session = Session {
        command,
        json: asked.json,
        vectors: &vectors,
        out: BufWriter::new(io::stdout()),
    };
    if !words.is_empty() {
        let refused = |why| Error::setting(C::WORDS, words.join(" "), why);
        let questions = session.questions(words).map_err(refused)?;
        let unanswered = session.answer(&questions)?;
        anyhow::ensure!(unanswered.is_empty(), "{}", unanswered.join("\n"));
        return Ok(());
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return prompt::ask(&vectors.vocab, C::WORDS, C::HELP, |line| {
            session.answer_lines(&[line.to_owned()]).map(|_| ())
        });
    }
    session.answer_stdin()
}

/// A command with the vectors that it is asked about.
struct Session<'a, C> {
    command: &'a C,
    json: bool,
    vectors: &'a Vectors,
    out: BufWriter<Stdout>,
}

impl<C: Command> Session<'_, C> {
    /// The questions of a line, or of the words on the command line.
    fn questions(&self, pieces: &[String]) -> Result<Vec<Question>, String> {
        let is_word = |text: &str| self.vectors.vocab.id(text.as_bytes()).is_some();
        let expressions = expression::parse(pieces, is_word)?;
        C::FORM.check(&expressions)?;
        Ok(match C::FORM {
            Form::Line(_) => vec![expressions],
            Form::Each(each) | Form::Words(each) => {
                expressions.chunks(each).map(<[_]>::to_vec).collect()
            }
        })
    }

    /// Prints the answers to some questions. Returns a message for each that has none.
    fn answer(&mut self, questions: &[Question]) -> Result<Vec<String>> {
        let mut unanswered = Vec::new();
        for questions in questions.chunks(self.command.at_once()) {
            for answer in self.command.answer(self.vectors, questions) {
                match answer {
                    Ok(answer) if self.json => {
                        serde_json::to_writer(&mut self.out, &answer)?;
                        writeln!(self.out)?;
                    }
                    Ok(answer) => {
                        answer.show(&mut self.out)?;
                        vectors::tell(answer.note());
                    }
                    Err(error) => unanswered.push(why_not(self.vectors, &error)),
                }
            }
        }
        self.out.flush()?;
        Ok(unanswered)
    }

    /// Answers lines, and prints a message about each question without an answer. Returns the number
    /// of these.
    fn answer_lines(&mut self, lines: &[String]) -> Result<usize> {
        let mut questions = Vec::new();
        let mut unanswered = Vec::new();
        for line in lines {
            match self.questions(std::slice::from_ref(line)) {
                Ok(of_line) => questions.extend(of_line),
                Err(why) => unanswered.push(format!("{line:?}: {why}")),
            }
        }
        unanswered.extend(self.answer(&questions)?);
        for why in &unanswered {
            to_stderr(&format!("error: {why}"));
        }
        Ok(unanswered.len())
    }

    /// Answers the lines of stdin. Lines that have arrived together are answered together, and no
    /// line waits for a later one.
    fn answer_stdin(&mut self) -> Result<()> {
        let stdin = BufReader::with_capacity(ARRIVED, io::stdin().lock());
        let mut stdin = utf8_lines(stdin)?;
        let (mut unanswered, mut rest) = (0, Vec::new());
        while let Some(lines) = arrived(&mut *stdin, &mut rest)? {
            unanswered += self.answer_lines(&lines)?;
        }
        anyhow::ensure!(
            unanswered == 0,
            "{unanswered} of the questions on stdin had no answer"
        );
        Ok(())
    }
}

impl Form {
    /// Checks that expressions make whole questions.
    fn check(&self, expressions: &[Expression]) -> Result<(), String> {
        let given = expressions.len();
        match *self {
            Self::Each(each) | Self::Words(each) if !given.is_multiple_of(each) => {
                let each = if each == 2 { "two" } else { "three" };
                Err(format!("give {each} words for each question, not {given}"))
            }
            Self::Line(least) if given < least => {
                Err(format!("give {least} words or more, not {given}"))
            }
            Self::Words(_) => match expressions.iter().find(|one| one.single().is_none()) {
                Some(expression) => Err(format!(
                    "{expression} is no word; `w2v-gpu neighbors` adds and subtracts words"
                )),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// The whole lines that have arrived, without blank ones; `None` at the end. `rest` is the beginning
/// of the line after them.
fn arrived(input: &mut dyn BufRead, rest: &mut Vec<u8>) -> io::Result<Option<Vec<String>>> {
    let whole = loop {
        let bytes = input.fill_buf()?;
        let read = bytes.len();
        if read == 0 && rest.is_empty() {
            return Ok(None);
        }
        rest.extend_from_slice(bytes);
        input.consume(read);
        match memchr::memrchr(b'\n', rest) {
            Some(end) => break end + 1,
            None if read == 0 => break rest.len(),
            None => {}
        }
    };
    let text = String::from_utf8_lossy(&rest[..whole]);
    let trimmed = |line: &str| line.trim_start_matches(MARK).trim().to_owned();
    let lines = text.lines().map(trimmed);
    let lines = lines.filter(|line| !line.is_empty()).collect();
    rest.drain(..whole);
    Ok(Some(lines))
}

/// The message about a question that cannot be answered. For an unknown word it also names words
/// that are spelt alike.
fn why_not(vectors: &Vectors, error: &Error) -> String {
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
