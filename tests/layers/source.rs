//! Reads Rust as far as paths go: which modules a file names, in `use` and in between.

/// The modules and items that a source names from `crate`, `self` or `super`, each as a path from
/// the root of the crate. `module` is the source's own. Unit tests are left out.
pub(crate) fn uses(text: &str, module: &[&str]) -> Vec<Vec<String>> {
    let tokens = without_tests(&tokens(&code(text)));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = at == 0 || tokens[at - 1] != "::";
        let mut from = match &*tokens[at] {
            "crate" | "w2v_gpu" if starts => &[],
            "self" if starts => module,
            "super" if starts => parent(module),
            _ => {
                at += 1;
                continue;
            }
        };
        at += 1;
        while at + 1 < tokens.len() && tokens[at..at + 2] == ["::", "super"] {
            from = parent(from);
            at += 2;
        }
        let from = from.iter().map(|&name| name.to_owned()).collect();
        if tokens.get(at).is_some_and(|token| token == "::") {
            at = tree(&tokens, at + 1, from, &mut found);
        }
    }
    found
}

fn parent<'a>(module: &'a [&'a str]) -> &'a [&'a str] {
    &module[..module.len().saturating_sub(1)]
}

/// What a source hands on by `pub use`, as paths from its own module.
pub(crate) fn handed_on(text: &str) -> Vec<Vec<String>> {
    let tokens = tokens(&code(text));
    let mut found = Vec::new();
    for at in 2..tokens.len() {
        if tokens[at - 2..at] == ["pub", "use"] {
            tree(&tokens, at, Vec::new(), &mut found);
        }
    }
    found
}

/// The files of unit tests that a source names: `#[cfg(test)] mod tests;`.
pub(crate) fn files_of_tests(text: &str) -> Vec<String> {
    let tokens = tokens(&code(text));
    let declared = tokens.windows(CFG_TEST.len() + 3);
    declared
        .filter(|tokens| is_of_tests(tokens))
        .map(|tokens| &tokens[CFG_TEST.len()..])
        .filter(|rest| rest[0] == "mod" && rest[2] == ";")
        .map(|rest| rest[1].clone())
        .collect()
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn is_of_tests(tokens: &[String]) -> bool {
    tokens.len() >= CFG_TEST.len() && tokens[..CFG_TEST.len()] == CFG_TEST
}

/// Reads one tree of names, as in `a::{b, c::*}`, from a token on; returns the token behind it.
fn tree(
    tokens: &[String],
    mut at: usize,
    mut path: Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens[at] != "}" {
                    at = tree(tokens, at, path.clone(), found);
                    // The comma, or a new name.
                    while !matches!(&*tokens[at], "," | "}") {
                        at += 1;
                    }
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            Some("*" | "self") => at += 1,
            Some(name) if name.starts_with(is_word) => {
                path.push(name.to_owned());
                at += 1;
                if tokens.get(at).is_some_and(|token| token == "::") {
                    at += 1;
                    continue;
                }
            }
            _ => {}
        }
        found.push(path);
        return at;
    }
}

/// The tokens without any item below `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_of_tests(&tokens[at..]) {
            at = end_of_item(tokens, at + CFG_TEST.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The token behind an item: behind its `;`, or behind its braces.
fn end_of_item(tokens: &[String], mut at: usize) -> usize {
    let is_use = tokens[at..].iter().take(4).any(|token| token == "use");
    let mut depth = 0;
    while at < tokens.len() {
        match &*tokens[at] {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        at += 1;
        let ends = tokens[at - 1] == ";" || tokens[at - 1] == "}" && !is_use;
        if depth == 0 && ends {
            break;
        }
    }
    at
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, `::`, and every other character for itself.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The source with a space in the place of each comment, string and character.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = length_of_no_code(rest, code.ends_with(is_word));
        if length > 0 {
            code.push(' ');
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// The bytes of the comment, string or character that a text begins with; 0 where it is code.
fn length_of_no_code(text: &str, within_word: bool) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return length_of_block_comment(text);
    }
    if text.starts_with('"') {
        return length_of_quoted(text, '"');
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        // A lifetime has no second quotation mark.
        let mut characters = quoted.chars();
        let is_character = characters.next() == Some('\\') || characters.next() == Some('\'');
        return if is_character {
            length_of_quoted(text, '\'')
        } else {
            0
        };
    }
    let raw = text.strip_prefix('b').unwrap_or(text);
    if let Some(raw) = raw.strip_prefix('r').filter(|_| !within_word) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = text.len() - raw.len() + hashes + 1;
            let length = text[start..].find(&end).expect("the end of a raw string");
            return start + length + end.len();
        }
    }
    0
}

/// The bytes up to the quotation mark that ends what one begins.
fn length_of_quoted(text: &str, mark: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == mark {
            return at + 1;
        }
    }
    panic!("no end of a literal");
}

/// The bytes of a block comment; there may be others within it.
fn length_of_block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += text[at..]
                .chars()
                .next()
                .expect("the end of a comment")
                .len_utf8();
        }
        if depth == 0 {
            return at;
        }
    }
}

#[test]
fn paths_are_found_in_code_alone() {
    let text = r##"
        //! [`crate::doc`]
        use crate::{a::{B, c::*, self}, d as e};
        /* crate::no /* crate::nested */ crate::no */
        fn f<'a>(x: &'a str) -> char { let c = '"'; let d = '\''; self.field; c }
        const R: &str = r#"crate::raw " crate::raw"#; const B: &[u8] = b"crate::bytes";
        fn g() { super::h::<crate::i::J>(); super::super::k() }
        #[cfg(test)]
        use crate::{tested};
        #[cfg(test)]
        pub(crate) mod tests { fn f() { "}"; crate::tested::f() } }
        fn l(self) -> self::m::N { crate::o!() }
    "##;
    let found: Vec<String> = uses(text, &["x", "y"])
        .iter()
        .map(|path| path.join(" "))
        .collect();
    let expected = ["a B", "a c", "a", "d", "x h", "i J", "k", "x y m N", "o"];
    assert_eq!(found, expected);
}
