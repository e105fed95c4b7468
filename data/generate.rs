//! Writes the small corpus of this folder and the analogy questions that go with it.
//!
//! ```text
//! generate CORPUS ANALOGIES
//! ```
//!
//! The sentences come from the grammar in `grammar.txt`, built in at compile time, and from
//! `SplitMix64` with a fixed seed. All arithmetic is on integers, so every machine writes the same
//! bytes.
//!
//! # The grammar file
//!
//! One statement a line, `#` for comments. A word in capitals is a *slot*, filled when a sentence
//! is made; `theme.SLOT` fills it as another theme would, from a row of that theme drawn on the
//! spot.
//!
//! | statement            | meaning                                                               |
//! |----------------------|-----------------------------------------------------------------------|
//! | `class NAME w w ...` | NAME is one of these words, early ones more often (Zipf-Mandelbrot)   |
//! | `rule NAME w w ...`  | NAME may be this phrase; all the phrases of a NAME are equally likely |
//! | `theme NAME WEIGHT`  | a theme begins, chosen in proportion to WEIGHT                        |
//! | `columns A B ...`    | the slots that the theme's rows fill                                  |
//! | `ask SECTION A B`    | the columns A and B are a relation, to be asked about                 |
//! | `row w w ...`        | words that belong together, early rows more often                     |
//!
//! A sentence is made by choosing a theme, choosing one of its rows, and expanding `SENTENCE`. A
//! slot means the row's word if there is such a column, else the theme's own class or rule, else
//! the one given before the first theme.
//!
//! # Why skip-gram learns the relations
//!
//! Skip-gram gives a word its vector by the company the word keeps, and company adds up. The
//! grammar gives the words of a row the *same* company of that row (france and paris both meet the
//! seine and ratatouille, which no other country does) and gives every word of a column the *same*
//! company of its role (all countries meet parliaments and borders, all capitals mayors and
//! suburbs). So a vector is about row plus role, and `paris - france + japan` takes the row of
//! japan with the role of a capital: tokyo. Gender, number, degree and tense are planted in the
//! same way, and the words of one theme share its verbs, qualities and places, which makes them
//! neighbours. Sentences across the themes, and some company borrowed from other rows, keep all
//! this from being too neat.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::{env, fs};

const GRAMMAR: &str = include_str!("grammar.txt");
const SENTENCES: usize = 45_000;
const SEED: u64 = 20_130_116;

/// Every pair of a relation is asked about together with so many of the pairs after it.
const QUESTIONS_PER_PAIR: usize = 12;

/// The law of Zipf and Mandelbrot: the word of rank r, from 0, weighs 1 / (r + `ZIPF_SHIFT`).
const ZIPF_SHIFT: usize = 5;

/// Rules may call rules, but not without end.
const MAX_DEPTH: usize = 16;

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let paths: Vec<OsString> = env::args_os().skip(1).collect();
    let [corpus, analogies] = paths.as_slice() else {
        eprintln!("usage: generate CORPUS ANALOGIES");
        return ExitCode::from(2);
    };
    match run(corpus, analogies) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("generate: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(corpus: &OsStr, analogies: &OsStr) -> Result<()> {
    let grammar = Grammar::parse(GRAMMAR)?;
    write_file(corpus, &grammar.corpus()?)?;
    write_file(analogies, &grammar.analogies())
}

fn write_file(path: &OsStr, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The generator of Steele, Lea and Flood (2014): a counter, well mixed.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`: the high half of a product.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// Things to choose from, each with its weight.
struct Choice<T> {
    items: Vec<(u64, T)>,
    total: u64,
}

impl<T> Default for Choice<T> {
    fn default() -> Self {
        Choice {
            items: Vec::new(),
            total: 0,
        }
    }
}

impl<T> Choice<T> {
    fn push(&mut self, weight: u64, item: T) {
        self.items.push((weight, item));
        self.total += weight;
    }

    /// Adds an item that weighs a little less than the one before it.
    fn push_ranked(&mut self, item: T) {
        self.push(1_000_000 / (self.items.len() + ZIPF_SHIFT) as u64, item);
    }

    /// One of the items; none only if there is none that weighs anything.
    fn draw(&self, random: &mut SplitMix64) -> Option<&T> {
        let mut left = random.below(self.total);
        for (weight, item) in &self.items {
            if left < *weight {
                return Some(item);
            }
            left -= weight;
        }
        None
    }
}

type Phrase = Vec<&'static str>;
type Rules = HashMap<&'static str, Choice<Phrase>>;

#[derive(Default)]
struct Theme {
    name: &'static str,
    rules: Rules,
    columns: Phrase,
    relations: Vec<Relation>,
    rows: Choice<Phrase>,
}

/// Two columns whose words are pairs of the same kind.
struct Relation {
    section: &'static str,
    from: usize,
    to: usize,
}

impl Theme {
    fn column(&self, slot: &str) -> Option<usize> {
        self.columns.iter().position(|column| *column == slot)
    }

    fn draw_row(&self, random: &mut SplitMix64) -> &[&'static str] {
        self.rows.draw(random).map_or(&[], Vec::as_slice)
    }
}

#[derive(Default)]
struct Grammar {
    rules: Rules,
    themes: Choice<Theme>,
}

impl Grammar {
    fn parse(text: &'static str) -> Result<Grammar> {
        let mut grammar = Grammar::default();
        for (index, line) in text.lines().enumerate() {
            let words: Phrase = line.split_whitespace().collect();
            if !words.is_empty() && !line.starts_with('#') {
                grammar
                    .add(&words)
                    .ok_or_else(|| format!("grammar.txt:{}: cannot read {line:?}", index + 1))?;
            }
        }
        Ok(grammar)
    }

    /// Adds one statement, or gives `None` if it is not one.
    fn add(&mut self, statement: &[&'static str]) -> Option<()> {
        let theme = self.themes.items.last_mut().map(|(_, theme)| theme);
        match (statement, theme) {
            (["theme", name, weight], _) => {
                self.themes.push(
                    weight.parse().ok()?,
                    Theme {
                        name,
                        ..Theme::default()
                    },
                );
            }
            (["class", name, words @ ..], theme) => {
                let choice = theme
                    .map_or(&mut self.rules, |theme| &mut theme.rules)
                    .entry(name)
                    .or_default();
                for word in words {
                    choice.push_ranked(vec![*word]);
                }
            }
            (["rule", name, words @ ..], theme) => {
                let choice = theme
                    .map_or(&mut self.rules, |theme| &mut theme.rules)
                    .entry(name)
                    .or_default();
                choice.push(1, words.to_vec());
            }
            (["columns", columns @ ..], Some(theme)) => theme.columns = columns.to_vec(),
            (["ask", section, from, to], Some(theme)) => {
                let (from, to) = (theme.column(from)?, theme.column(to)?);
                theme.relations.push(Relation { section, from, to });
            }
            (["row", words @ ..], Some(theme)) if words.len() == theme.columns.len() => {
                theme.rows.push_ranked(words.to_vec());
            }
            _ => return None,
        }
        Some(())
    }

    /// The sentences, one a line.
    fn corpus(&self) -> Result<String> {
        let mut writer = Writer {
            grammar: self,
            random: SplitMix64(SEED),
            text: String::new(),
        };
        for _ in 0..SENTENCES {
            let theme = self
                .themes
                .draw(&mut writer.random)
                .ok_or("the grammar has no themes")?;
            let row = theme.draw_row(&mut writer.random);
            writer.expand("SENTENCE", theme, row, 0)?;
            writer.text.pop();
            writer.text.push('\n');
        }
        Ok(writer.text)
    }

    /// The questions in the format of Google's `questions-words.txt`. Themes in succession that ask
    /// in the same section add to it, but pairs are only asked about with pairs of their own theme.
    fn analogies(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for (_, theme) in &self.themes.items {
            let rows = &theme.rows.items;
            for relation in &theme.relations {
                if section != relation.section {
                    section = relation.section;
                    text.extend([": ", section, "\n"]);
                }
                let pair = |index: usize| {
                    let (_, row) = &rows[index % rows.len()];
                    [row[relation.from], row[relation.to]].join(" ")
                };
                for first in 0..rows.len() {
                    for step in 1..rows.len().min(QUESTIONS_PER_PAIR + 1) {
                        text.extend([&pair(first), " ", &pair(first + step), "\n"]);
                    }
                }
            }
        }
        text
    }

    fn theme(&self, name: &str) -> Option<&Theme> {
        self.themes
            .items
            .iter()
            .map(|(_, theme)| theme)
            .find(|theme| theme.name == name)
    }
}

/// The text made so far and what it is made with.
struct Writer<'a> {
    grammar: &'a Grammar,
    random: SplitMix64,
    text: String,
}

impl Writer<'_> {
    /// Writes what `word` stands for in a sentence about this row, a space after each word.
    fn expand(
        &mut self,
        word: &'static str,
        theme: &Theme,
        row: &[&'static str],
        depth: usize,
    ) -> Result<()> {
        if let Some((name, slot)) = word.split_once('.') {
            let other = self
                .grammar
                .theme(name)
                .ok_or_else(|| format!("there is no theme {name}"))?;
            let other_row = other.draw_row(&mut self.random);
            return self.expand(slot, other, other_row, depth);
        }
        let is_slot = word.starts_with(|first: char| first.is_ascii_uppercase());
        let plain = if is_slot {
            theme.column(word).and_then(|column| row.get(column))
        } else {
            Some(&word)
        };
        if let Some(plain) = plain {
            self.text.extend([plain, " "]);
            return Ok(());
        }
        let phrase = theme
            .rules
            .get(word)
            .or_else(|| self.grammar.rules.get(word))
            .and_then(|choice| choice.draw(&mut self.random))
            .filter(|_| depth < MAX_DEPTH)
            .ok_or_else(|| format!("the theme {} cannot fill the slot {word}", theme.name))?;
        phrase
            .iter()
            .try_for_each(|word| self.expand(word, theme, row, depth + 1))
    }
}
