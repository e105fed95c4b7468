//! Questions about words as they are typed: `king - man + woman`.
//!
//! ```
//! use w2v_gpu::vectors::expression::parse;
//!
//! let is_word = |text: &str| ["king", "man", "woman", "new york", "-"].contains(&text);
//! let questions = parse(&["king - man + woman", "new york", "-"], is_word).expect("whole questions");
//! let questions: Vec<String> = questions.iter().map(ToString::to_string).collect();
//! assert_eq!(questions, ["king - man + woman", "new york", "-"]);
//! ```

use std::fmt;

/// A word of an expression, with its sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The word.
    pub word: String,
    /// Whether the word is taken away, and not added.
    pub is_negative: bool,
}

/// Words that are added and words that are taken away; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    terms: Vec<Term>,
}

impl Expression {
    /// A word by itself.
    pub fn word(word: impl Into<String>) -> Self {
        Self::of([(word, false)])
    }

    /// The question "a is to b as c is to ?", which is `b - a + c`.
    pub fn analogy([a, b, c]: [&str; 3]) -> Self {
        Self::of([(b, false), (a, true), (c, false)])
    }

    /// Words, each with whether it is taken away.
    fn of<const N: usize>(terms: [(impl Into<String>, bool); N]) -> Self {
        let term = |(word, is_negative): (_, bool)| Term {
            word: Into::into(word),
            is_negative,
        };
        Self {
            terms: terms.map(term).into(),
        }
    }

    /// The words with their signs, in the order in which they were typed.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The word, if the expression is nothing but one word that is added.
    pub fn single(&self) -> Option<&str> {
        match &*self.terms {
            [term] if !term.is_negative => Some(&term.word),
            _ => None,
        }
    }

    /// The words that are added, or those that are taken away.
    pub fn words(&self, is_negative: bool) -> impl Iterator<Item = &str> {
        let terms = self.terms.iter();
        terms
            .filter(move |term| term.is_negative == is_negative)
            .map(|term| &*term.word)
    }
}

/// The expression as it can be typed. Words that would be taken for something else are quoted; a
/// word by itself stands as it is.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(word) = self.single() {
            return f.write_str(word);
        }
        for (at, Term { word, is_negative }) in self.terms.iter().enumerate() {
            let sign = if *is_negative { "- " } else { "+ " };
            if at > 0 {
                f.write_str(" ")?;
            }
            if at > 0 || *is_negative {
                f.write_str(sign)?;
            }
            f.write_str(&quoted(word))?;
        }
        Ok(())
    }
}

/// A word such that [`parse`] takes it for one word.
pub fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && !word.contains(char::is_whitespace) && sign(word).is_none();
    if is_plain {
        word.to_owned()
    } else {
        format!("\"{word}\"")
    }
}

/// What stands between blanks, or between quotes.
#[derive(Clone, Debug)]
enum Token<'a> {
    Word(&'a str),
    /// `+` or `-`.
    Sign(&'a str),
}

/// Reads what was typed: arguments of the command line, or a line. `is_word` says whether the
/// vectors have a word.
///
/// - A piece that is a word of the vectors as a whole is that word, with all its blanks and signs.
/// - Any other piece is cut at blanks. Double quotes keep together what is between them, and make it
///   a word.
/// - `+` and `-` between two words join them. A word that follows a word begins another expression.
/// - Elsewhere, `+` or `-` is a word if the vectors have it. Before the first word it is a sign
///   otherwise.
///
/// # Errors
/// A message when `+` or `-` has no word after it.
pub fn parse(
    pieces: &[impl AsRef<str>],
    is_word: impl Fn(&str) -> bool,
) -> Result<Vec<Expression>, String> {
    let tokens: Vec<Token> = pieces
        .iter()
        .flat_map(|piece| tokens(piece.as_ref(), &is_word))
        .collect();
    let mut expressions: Vec<Expression> = Vec::new();
    // The sign before the next word, and whether that word joins those before it.
    let mut open = None;
    for (at, token) in tokens.iter().enumerate() {
        let is_last = at + 1 == tokens.len();
        let word = match *token {
            Token::Word(word) => word,
            Token::Sign(text) if open.is_none() && !is_last && !expressions.is_empty() => {
                open = sign(text);
                continue;
            }
            Token::Sign(text) if is_word(text) => text,
            Token::Sign(text) if at == 0 && !is_last => {
                open = sign(text);
                continue;
            }
            Token::Sign(text) => return Err(misplaced(text)),
        };
        let joins = open.is_some() && !expressions.is_empty();
        let term = Term {
            word: word.to_owned(),
            is_negative: open.take().unwrap_or(false),
        };
        match expressions.last_mut() {
            Some(expression) if joins => expression.terms.push(term),
            _ => expressions.push(Expression { terms: vec![term] }),
        }
    }
    Ok(expressions)
}

/// The message for a sign that neither joins two words nor is one.
fn misplaced(sign: &str) -> String {
    format!(
        "{sign} stands between two words, with blanks around it, as in `king - man + woman`; \"{sign}\" \
         in double quotes is a word"
    )
}

/// Whether a text is a sign: `Some(true)` for `-`, `Some(false)` for `+`.
fn sign(text: &str) -> Option<bool> {
    match text {
        "-" => Some(true),
        "+" => Some(false),
        _ => None,
    }
}

/// The words and signs of a piece.
fn tokens<'a>(piece: &'a str, is_word: &impl Fn(&str) -> bool) -> Vec<Token<'a>> {
    let token = |text: &'a str| match sign(text) {
        Some(_) => Token::Sign(text),
        None => Token::Word(text),
    };
    if sign(piece).is_none() && is_word(piece) || piece.trim().is_empty() {
        return vec![Token::Word(piece)];
    }
    let mut tokens = Vec::new();
    let mut rest = piece.trim_start();
    while !rest.is_empty() {
        let plain = rest.split(char::is_whitespace).next().unwrap_or(rest);
        let length = match within_quotes(rest) {
            Some(word) if !is_word(plain) => {
                tokens.push(Token::Word(word));
                word.len() + 2
            }
            _ => {
                tokens.push(token(plain));
                plain.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

/// What the double quotes at the start of a text enclose. A blank or the end must follow them.
fn within_quotes(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let ends = |&(at, _): &(usize, &str)| {
        let after = inner[at + 1..].chars().next();
        after.is_none_or(char::is_whitespace)
    };
    let (end, _) = inner.match_indices('"').find(ends)?;
    Some(&inner[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is understood, among vectors of some words. An expression shows its words in brackets.
    fn understood(pieces: &[&str], words: &[&str]) -> Result<Vec<String>, String> {
        let show = |expression: &Expression| {
            let term = |Term { word, is_negative }: &Term| {
                format!("{}[{word}]", if *is_negative { '-' } else { '+' })
            };
            expression.terms().iter().map(term).collect()
        };
        let expressions = parse(pieces, |text| words.contains(&text))?;
        Ok(expressions.iter().map(show).collect())
    }

    #[test]
    fn signs_between_words_join_them() {
        for pieces in [
            &["king - man + woman storm"][..],
            &["king", "-", "man", "+", "woman", "storm"],
            &[" king  -", "man +  woman", "storm\t"],
        ] {
            assert_eq!(
                understood(pieces, &["king", "storm"]).unwrap(),
                ["+[king]-[man]+[woman]", "+[storm]"]
            );
        }
        assert_eq!(
            understood(&["- man + king"], &[]).unwrap(),
            ["-[man]+[king]"]
        );
        assert_eq!(understood(&["+ king"], &[]).unwrap(), ["+[king]"]);
    }

    #[test]
    fn words_may_contain_signs_blanks_and_quotes() {
        for word in ["c++", "state-of-the-art", "-ing", "+1", "--", "d\"or"] {
            let both = format!("{word} + {word}");
            assert_eq!(
                understood(&[&both], &[]).unwrap(),
                [format!("+[{word}]+[{word}]")]
            );
        }
        let known = ["new york", "a - b", "\"hm", "-"];
        assert_eq!(
            understood(&["new york", "a - b"], &known).unwrap(),
            ["+[new york]", "+[a - b]"]
        );
        assert_eq!(
            understood(&["\"new york\" - new"], &known).unwrap(),
            ["+[new york]-[new]"]
        );
        assert_eq!(
            understood(&["\"hm + \"a b\""], &known).unwrap(),
            ["+[\"hm]+[a b]"]
        );
        assert_eq!(
            understood(&["\"a\"b\" + \"open"], &known).unwrap(),
            ["+[a\"b]+[\"open]"]
        );
        assert_eq!(understood(&["", " "], &known).unwrap(), ["+[]", "+[ ]"]);
    }

    #[test]
    fn a_sign_that_joins_nothing_is_a_word_if_the_vectors_have_it() {
        let both = ["+", "-"];
        for (text, meaning) in [
            ("-", &["+[-]"][..]),
            ("king -", &["+[king]", "+[-]"]),
            ("king - -", &["+[king]-[-]"]),
            ("- - -", &["+[-]-[-]"]),
            ("- king", &["+[-]", "+[king]"]),
            ("king \"-\" man", &["+[king]", "+[-]", "+[man]"]),
            ("king - man", &["+[king]-[man]"]),
        ] {
            assert_eq!(understood(&[text], &both).unwrap(), meaning, "{text}");
        }
        for text in ["-", "king -", "king - - man", "king + -"] {
            let why = understood(&[text], &[]).unwrap_err();
            assert!(
                why.starts_with("- stands between two words"),
                "{text}: {why}"
            );
        }
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        for text in [
            "king - man + woman",
            "- man + king",
            "\"new york\" - \"-\"",
            "- \"\" + a",
        ] {
            let shown = parse(&[text], |_| false).unwrap()[0].to_string();
            assert_eq!(shown, text);
        }
        assert_eq!(Expression::word("new york").to_string(), "new york");
        assert_eq!(
            Expression::analogy(["a", "b", "c"]).to_string(),
            "b - a + c"
        );
    }
}
