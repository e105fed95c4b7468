//! Finds the columns of a file of word pairs: the two words, and people's score.
//!
//! The published sets differ. The score may follow the words or a part of speech. The judgements of
//! single people may stand before or after their mean. Columns may have names or not.
//!
//! The score is the first of these that exists:
//!
//! 1. the column that was asked for,
//! 2. the one whose name says so,
//! 3. the one that is the mean of those before or after it,
//! 4. the only one of numbers,
//! 5. the first one of numbers, with a note that this was a guess.
//!
//! Numbers before the words are considered only if none follow.

use std::collections::HashSet;
use std::ops::Range;

/// Parts of speech as these files write them, in lower case.
const PARTS_OF_SPEECH: [&str; 14] = [
    "a",
    "adj",
    "adjective",
    "adv",
    "adverb",
    "jj",
    "n",
    "nn",
    "noun",
    "r",
    "rb",
    "v",
    "vb",
    "verb",
];

/// Parts of the names of columns of means, in lower case.
const MEANS: [&str; 3] = ["mean", "average", "avg"];

/// Parts of the names of columns of scores, in lower case.
const SCORES: [&str; 7] = [
    "score",
    "simlex",
    "similarity",
    "relatedness",
    "rating",
    "gold",
    "human",
];

/// Parts of the names of columns of standard deviations, in lower case.
const DEVIATIONS: [&str; 4] = ["sd(", "std", "stdev", "deviation"];

/// With fewer lines than this after the first, the content of a column says little.
const LEAST_LINES: usize = 2;

/// A line, split into columns.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Number of the line, from 1.
    pub(super) number: usize,
    pub(super) cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// Splits a line at tabs if it has any, else at semicolons, else at commas, else at spaces. A
    /// single comma is taken for the decimal comma of a score.
    pub(super) fn new(number: usize, line: &'a str) -> Self {
        let separated =
            [('\t', 2), (';', 2), (',', 3)]
                .into_iter()
                .find_map(|(separator, least)| {
                    let cells = cells(line, separator);
                    (cells.len() >= least).then_some(cells)
                });
        Self {
            number,
            cells: separated.unwrap_or_else(|| line.split_whitespace().collect()),
        }
    }

    /// The number in a column.
    fn value(&self, column: usize) -> Option<f64> {
        number(self.cells.get(column)?)
    }
}

/// The cells between separators, without the quotes around them. A separator within quotes is text.
fn cells(line: &str, separator: char) -> Vec<&str> {
    let is_closed = line.matches('"').count().is_multiple_of(2);
    let (mut is_quoted, mut last) = (false, separator);
    let ends = |c: char| {
        // A quote opens at the start of a cell, and again where it is doubled to stand for itself.
        if c == '"' && is_closed && (is_quoted || last == separator || last == '"') {
            is_quoted = !is_quoted;
        }
        if c == separator || !c.is_whitespace() {
            last = c;
        }
        c == separator && !is_quoted
    };
    line.split(ends)
        .map(|cell| cell.trim().trim_matches('"'))
        .collect()
}

/// Parses a number with a decimal point or a decimal comma.
pub(super) fn number(cell: &str) -> Option<f64> {
    cell.parse()
        .ok()
        .or_else(|| cell.replacen(',', ".", 1).parse().ok())
}

/// The columns of a file, numbered from 0.
#[derive(Debug, PartialEq)]
pub(super) struct Columns {
    pub(super) words: [usize; 2],
    pub(super) score: usize,
    /// Whether the first line names the columns.
    pub(super) is_named: bool,
    /// A sentence for the user if the choice was a guess.
    pub(super) note: Option<String>,
}

impl Columns {
    /// Finds the columns of a file with at least one line. `wanted` is the name of the score's
    /// column, or its number from 1.
    ///
    /// # Errors
    /// A sentence for the user when the column `wanted` does not exist.
    pub(super) fn find(rows: &[Row], wanted: Option<&str>) -> Result<Self, String> {
        let body = if rows.len() > 1 { &rows[1..] } else { rows };
        let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let is_numbers = |&column: &usize| {
            2 * body
                .iter()
                .filter(|row| row.value(column).is_some())
                .count()
                >= body.len()
        };
        let words = words(body, width, is_numbers);
        let mut numbers: Vec<usize> = (words[1] + 1..width).filter(is_numbers).collect();
        if numbers.is_empty() {
            numbers = (0..words[0])
                .filter(|column| is_numbers(column) && !counts_rows(*column, body))
                .collect();
        }
        let first = numbers.first().copied().unwrap_or(words[1] + 1);
        let is_name = |&column: &usize| {
            let cell = rows[0].cells.get(column);
            cell.is_some_and(|cell| number(cell).is_none() && cell.contains(char::is_alphabetic))
        };
        // The names of raters may be numbers.
        let names = numbers
            .iter()
            .chain([&first])
            .any(is_name)
            .then_some(&rows[0].cells[..]);
        let aligned = names.filter(|names| names.len() == body[0].cells.len());
        let named = by_name(&numbers, aligned);
        let (score, note) = match wanted {
            Some(wanted) => (asked(wanted, aligned, width)?, None),
            None => match named.or_else(|| by_mean(&numbers, body)) {
                Some(score) => (score, None),
                None => (
                    first,
                    (numbers.len() > 1).then(|| unsure(first, numbers.len(), aligned)),
                ),
            },
        };
        // A line whose score is a number is a pair, even if another number is missing in it.
        let is_named = named.is_some() || is_name(&first) || is_name(&score);
        Ok(Self {
            words,
            score,
            is_named,
            note,
        })
    }
}

/// Whether a column numbers the lines.
fn counts_rows(column: usize, body: &[Row]) -> bool {
    body.windows(2).all(|rows| {
        let [before, after] = [&rows[0], &rows[1]].map(|row| row.value(column));
        before
            .zip(after)
            .is_some_and(|(before, after)| after == before + 1.0)
    })
}

/// The columns of the words: the first two that hold neither numbers nor parts of speech nor kinds
/// of pairs, if there are two.
fn words(body: &[Row], width: usize, is_numbers: impl Fn(&usize) -> bool) -> [usize; 2] {
    let is_part = |cell: &&str| PARTS_OF_SPEECH.contains(&&*cell.to_lowercase());
    let is_parts = |&column: &usize| {
        column > 0
            && body
                .iter()
                .all(|row| row.cells.get(column).is_some_and(is_part))
    };
    let texts: Vec<usize> = (0..width)
        .filter(|column| !is_numbers(column) && !is_parts(column))
        .collect();
    let candidates = match texts[..] {
        [kind, first, second, ..]
            if has_kinds(kind, body)
                && !has_kinds(first, body)
                && !has_kinds(second, body)
                && !(kind..second).any(|column| is_numbers(&column)) =>
        {
            &texts[1..]
        }
        _ => &texts[..],
    };
    match *candidates {
        [first, second, ..] if body.len() >= LEAST_LINES && first < 2 => [first, second],
        _ => [0, 1],
    }
}

/// Whether a column may hold kinds of pairs: single letters, or few different values.
fn has_kinds(column: usize, body: &[Row]) -> bool {
    let cells: Vec<&str> = body
        .iter()
        .filter_map(|row| row.cells.get(column).copied())
        .collect();
    let different: HashSet<&str> = cells.iter().copied().collect();
    cells.iter().all(|cell| cell.chars().count() == 1) || 2 * different.len() <= cells.len()
}

/// The column that was asked for.
fn asked(wanted: &str, names: Option<&[&str]>, width: usize) -> Result<usize, String> {
    let found = match wanted.parse::<usize>() {
        Ok(number) => number.checked_sub(1).filter(|&column| column < width),
        Err(_) => names.and_then(|names| {
            names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(wanted.trim()))
        }),
    };
    found.ok_or_else(|| match names {
        Some(names) => format!(
            "there is no column {wanted:?}; its columns are {}",
            names.join(", ")
        ),
        None => format!(
            "there is no column {wanted:?}; it has {width} columns without names, numbered from 1"
        ),
    })
}

/// The one column of numbers whose name says that it holds means, or else scores.
fn by_name(numbers: &[usize], names: Option<&[&str]>) -> Option<usize> {
    let names: Vec<String> = names?.iter().map(|name| name.to_lowercase()).collect();
    let has = |column: usize, parts: &[&str]| parts.iter().any(|part| names[column].contains(part));
    let only = |parts: &[&str]| {
        let mut found = numbers.iter().filter(|&&column| {
            column < names.len() && has(column, parts) && !has(column, &DEVIATIONS)
        });
        found.next().filter(|_| found.next().is_none()).copied()
    };
    only(&MEANS).or_else(|| only(&SCORES))
}

/// The one column of numbers that is the mean of all those after it, or of all those before it.
fn by_mean(numbers: &[usize], body: &[Row]) -> Option<usize> {
    let is_mean = |&at: &usize| {
        let (before, after) = (0..at, at + 1..numbers.len());
        [before, after]
            .into_iter()
            .any(|others| others.len() > 1 && holds_mean(numbers, at, others, body))
    };
    let mut found = (0..numbers.len()).filter(is_mean);
    found
        .next()
        .filter(|_| found.next().is_none())
        .map(|at| numbers[at])
}

/// Whether a column is the mean of others, as exactly as its decimals allow. One line in twenty may
/// differ.
fn holds_mean(numbers: &[usize], at: usize, others: Range<usize>, body: &[Row]) -> bool {
    let decimals = |row: &Row| {
        row.cells
            .get(numbers[at])
            .and_then(|cell| cell.split_once(['.', ',']))
            .map_or(0, |(_, d)| d.len())
    };
    let decimals = body.iter().map(decimals).max().unwrap_or(0);
    // Some means are cut off instead of rounded. Whole numbers would be near a mean too often.
    let near = if decimals == 0 {
        1e-6
    } else {
        1.001 * 0.1f64.powi(decimals as i32)
    };
    let fits = |row: &&Row| {
        let values: Vec<f64> = numbers[others.clone()]
            .iter()
            .filter_map(|&column| row.value(column))
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        row.value(numbers[at])
            .is_some_and(|value| (value - mean).abs() <= near)
    };
    20 * body.iter().filter(fits).count() >= 19 * body.len()
}

/// The note about a guess.
fn unsure(score: usize, numbers: usize, names: Option<&[&str]>) -> String {
    let name = names.map_or_else(String::new, |names| format!(" ({:?})", names[score]));
    format!(
        "the score is taken from column {}{name}, the first of {numbers} columns of numbers; \
         `score_column` takes another, by its name or number",
        score + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, wanted: Option<&str>) -> Result<Columns, String> {
        let rows: Vec<Row> = (1..)
            .zip(text.lines())
            .map(|(number, line)| Row::new(number, line))
            .collect();
        Columns::find(&rows, wanted)
    }

    /// The columns of the words and the score, from 1; whether there are names; whether there is a
    /// note.
    fn found(text: &str) -> (usize, usize, usize, bool, bool) {
        let Columns {
            words: [a, b],
            score,
            is_named,
            note,
        } = find(text, None).unwrap();
        (a + 1, b + 1, score + 1, is_named, note.is_some())
    }

    #[test]
    fn the_score_is_found_in_the_layouts_in_use() {
        for (text, expected) in [
            // Raters before their mean, with names and without.
            (
                "word1, word2, r1, r2, r3, average\na, b, 10, 0, 9, 6.33\nc, d, 1, 2, 0, 1.0\n",
                (1, 2, 6, true, false),
            ),
            (
                "a,b,10,0,9,6.33\nc,d,1,2,0,1.0\ne,f,2,9,10,7.0\n",
                (1, 2, 6, false, false),
            ),
            (
                "w1;w2;A;B;C;D\na;b;10;0;9;6.33\nc;d;1;2;0;1\ne;f;2;9;10;7\n",
                (1, 2, 6, true, false),
            ),
            // Raters after their mean, some of them missing.
            (
                "Word 1,Word 2,Human (mean),1,2,3\na,b,6.33,10,0,9\nc,d,1,1,2,0\n",
                (1, 2, 3, true, false),
            ),
            (
                "a\tb\t6.33\t10\t0\t9\nc\td\t1.50\t1\t2\t-\ne\tf\t7.00\t2\t9\t10\n",
                (1, 2, 3, false, false),
            ),
            // A part of speech before the score, with names and without.
            (
                "a\tb\tV\t6.81\tSYNONYMS\nc\td\tV\t1.2\tNONE\n",
                (1, 2, 4, false, false),
            ),
            (
                "word1\tword2\tPOS\tSimLex999\tconc(w1)\tSD(SimLex)\na\tb\tA\t1.58\t2.72\t0.9\nc\td\tN\t9\t5\t1\n",
                (1, 2, 4, true, false),
            ),
            // A part of speech after each word, and a number before them.
            (
                "old n new n 1.5\nhot a cold a 2\nsun n day n 3\n",
                (1, 3, 5, false, false),
            ),
            (
                "id,word1,word2,sim\n1,a,b,5\n2,c,d,6\n3,e,f,7\n",
                (2, 3, 4, true, false),
            ),
            // Words that look like something else.
            ("17 4 0.5\n4 9 0.25\n9 17 1\n", (1, 2, 3, false, false)),
            ("a n 3\nn v 4\nv a 5\n", (1, 2, 3, false, false)),
            ("\"a\",\"b\",\"7.5\"\n", (1, 2, 3, false, false)),
            // Decimal commas.
            (
                "w1;w2;Mittelwert;n\nriver;brook;6,33;3\nriver;stone;1,0;9\nstone;rock;7,0;4\n",
                (1, 2, 3, true, true),
            ),
            (
                "a\tb\t10\t0\t9\t6,33\nc\td\t1\t2\t0\t1,0\ne\tf\t2\t9\t10\t7,0\n",
                (1, 2, 6, false, false),
            ),
            ("a b 6,33\nc d 1\ne f 7,0\n", (1, 2, 3, false, false)),
            // Separators within quotes, and quotes that are none.
            (
                "\"river\",\"brook\",\"6,33\"\n\"a; b\",\"c \"\"d\"\", e\",\"1,0\"\n",
                (1, 2, 3, false, false),
            ),
            ("5\" disk,a,3\nb,6\" disk,4\n", (1, 2, 3, false, false)),
            // Kinds before the words.
            (
                "i\ttiger\tcat\t7.35\nt\tbook\tpaper\t7.46\nS\tking\tcabbage\t0.23\n",
                (2, 3, 4, false, false),
            ),
            (
                "kind,w1,w2,score\nsyn,tiger,cat,7\nsyn,book,paper,8\nno,king,rook,1\nno,car,sun,2\n",
                (2, 3, 4, true, false),
            ),
            (
                "river brook x 6\nriver stone x 2\nriver lake y 5\n",
                (1, 2, 4, false, false),
            ),
            // The score before the words, and the numbers of lines there.
            (
                "6.33 river brook\n1.0 river stone\n7 stone rock\n",
                (2, 3, 1, false, false),
            ),
            (
                "score,w1,w2\n6,river,brook\n1,river,stone\n7,stone,rock\n",
                (2, 3, 1, true, false),
            ),
            (
                "0 river brook\n1 river stone\n2 stone rock\n",
                (2, 3, 4, false, false),
            ),
            // Raters that are named by numbers, and a judgement that is missing in the first line.
            (
                "w1,w2,1,2,mean\na,b,7,8,7.6\nc,d,1,5,3\n",
                (1, 2, 5, true, false),
            ),
            ("a,b,7,none\nc,d,1,5\ne,f,1,5\n", (1, 2, 3, false, true)),
            // Nothing decides.
            ("a b 7 8 8.1\nc d 1 5 2\n", (1, 2, 3, false, true)),
            (
                "w1,w2,rater1,rater2\na,b,7,8\nc,d,1,5\n",
                (1, 2, 3, true, true),
            ),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_column_is_taken_by_name_or_number() {
        let text = "word1,word2,First,second\na,b,7,8\nc,d,1,5\n";
        let score = |wanted| find(text, Some(wanted)).map(|columns| columns.score);
        assert_eq!(
            [score("first"), score(" Second"), score("4")],
            [Ok(2), Ok(3), Ok(3)]
        );
        for wanted in ["0", "5", "third"] {
            let error = score(wanted).unwrap_err();
            assert!(
                error.contains("its columns are word1, word2, First, second"),
                "{error}"
            );
        }
        let error = find("a b 1 2\nc d 3 4\n", Some("mean")).unwrap_err();
        assert!(error.contains("it has 4 columns without names"), "{error}");
        let note = find(text, None).unwrap().note.unwrap();
        assert!(
            note.contains("column 3 (\"First\"), the first of 2")
                && note.contains("`score_column`"),
            "{note}"
        );
    }
}
