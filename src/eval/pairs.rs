//! Word pairs with people's judgement of their similarity: WordSim-353, SimLex-999, MEN, RareWords
//! and others.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::columns::{Columns, Row, number};
use super::correlation::{pearson, spearman};
use super::words::{Found, Table, Words};
use super::{Protocol, input};
use crate::error::Error;
use crate::error::shown;
use crate::model::Matrix;
use crate::system::serialize_path;
use crate::vectors::similarity::cosine;

/// The pairs of a file.
#[derive(Clone, Debug)]
pub(super) struct PairSet {
    file: PathBuf,
    pairs: Vec<([u32; 2], f64)>,
    /// The column of the scores, from 1.
    score_column: usize,
    /// A sentence for the user if that column was a guess.
    note: Option<String>,
}

/// The correlation of cosines with people's judgement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairScore {
    /// The file of the pairs.
    #[serde(serialize_with = "serialize_path")]
    pub file: PathBuf,
    /// The column of people's scores, from 1.
    pub score_column: usize,
    /// Number of words among which the pairs were looked up.
    pub among: usize,
    /// Pairs in the file.
    pub total: usize,
    /// Pairs of which both words are among the vectors.
    pub found: usize,
    /// Further pairs that count, because words that are not among the vectors were composed of
    /// their n-grams.
    pub composed: usize,
    /// Spearman's rank correlation, from -1 to 1; `None` if one side has fewer than two different
    /// values.
    pub spearman: Option<f64>,
    /// Pearson's correlation, from -1 to 1; `None` if one side has fewer than two different values.
    pub pearson: Option<f64>,
}

impl PairSet {
    /// Reads a file. `wanted` is the score's column, by name or by number from 1; without it, the
    /// column that looks most like a score is taken.
    pub(super) fn read(
        path: &Path,
        wanted: Option<&str>,
        words: &mut Words,
    ) -> crate::error::Result<Self> {
        if path.is_dir() {
            return Err(input::is_folder(
                path,
                "it is a folder; pairs are in files, and only analogies in folders",
            ));
        }
        let text = input::read(path)?;
        let rows: Vec<Row> = input::lines(&text, &["#"])
            .map(|(number, line)| Row::new(number, line))
            .collect();
        if let Some(Row { number, cells }) = rows.iter().find(|row| row.cells.len() < 3) {
            let why = format!(
                "expected two words and a score, and found {:.80?}",
                cells.join(" ")
            );
            return Err(input::wrong_line(path, *number, why));
        }
        let none = || {
            input::wrong(
                path,
                "holds no word pairs, which are lines of two words and a score".to_owned(),
            )
        };
        if rows.is_empty() {
            return Err(none());
        }
        let columns = Columns::find(&rows, wanted).map_err(|why| {
            let value = wanted.unwrap_or_default().to_owned();
            Error::setting("score_column", value, format!("{}: {why}", shown(path)))
        })?;
        let mut pairs = Vec::with_capacity(rows.len());
        for row in &rows[usize::from(columns.is_named)..] {
            let (pair, score) =
                pair(row, &columns).map_err(|why| input::wrong_line(path, row.number, why))?;
            pairs.push((pair.map(|word| words.number(word)), score));
        }
        if pairs.is_empty() {
            return Err(none());
        }
        Ok(Self {
            file: path.to_owned(),
            pairs,
            score_column: columns.score + 1,
            note: columns.note,
        })
    }

    /// A sentence for the user if the score's column was a guess.
    pub(super) fn note(&self) -> Option<String> {
        self.note
            .as_ref()
            .map(|note| format!("{}: {note}", shown(&self.file)))
    }

    /// The words of the pairs that count because these words were composed.
    pub(super) fn composed<'a>(&'a self, table: Table<'a>) -> impl Iterator<Item = u32> + 'a {
        let pairs = self.pairs.iter().map(|(words, _)| words);
        pairs
            .filter(move |words| words.iter().all(|&word| table.place(word).is_some()))
            .flatten()
            .copied()
            .filter(move |&word| table.has_composed(word))
    }

    pub(super) fn score(&self, matrix: &Matrix, found: &Found, protocol: Protocol) -> PairScore {
        let (mut people, mut vectors) = (Vec::new(), Vec::new());
        let table = found.table(matrix);
        let (mut known, mut composed) = (0, 0);
        for &(words, score) in &self.pairs {
            let similarity = match words.map(|word| table.place(word)) {
                [Some(a), Some(b)] => {
                    match table.is_composed(a) || table.is_composed(b) {
                        true => composed += 1,
                        false => known += 1,
                    }
                    cosine(table.row(a), table.row(b))
                }
                _ if protocol.counts_unknown() => 0.0,
                _ => continue,
            };
            people.push(score);
            vectors.push(f64::from(similarity));
        }
        PairScore {
            file: self.file.clone(),
            score_column: self.score_column,
            among: found.searched(),
            total: self.pairs.len(),
            found: known,
            composed,
            spearman: spearman(&people, &vectors),
            pearson: pearson(&people, &vectors),
        }
    }
}

/// The words and the score of a line, or the reason why it is wrong.
fn pair<'a>(row: &Row<'a>, columns: &Columns) -> Result<([&'a str; 2], f64), String> {
    let cell = |column: usize, what: &str| {
        row.cells
            .get(column)
            .copied()
            .ok_or_else(|| format!("there is no column {} with the {what}", column + 1))
    };
    let words = [
        cell(columns.words[0], "first word")?,
        cell(columns.words[1], "second word")?,
    ];
    let another = "`score_column` takes another column";
    let score = cell(columns.score, "score").map_err(|why| format!("{why}; {another}"))?;
    number(score)
        .filter(|value| value.is_finite())
        .map(|value| (words, value))
        .ok_or_else(|| {
            format!(
                "the score is {score:.40?}, in column {}, not a finite number; {another}",
                columns.score + 1
            )
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::vocab::Vocab;

    fn read(text: &str) -> crate::error::Result<(PairSet, Words)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs");
        fs::write(&path, text).unwrap();
        let mut words = Words::new(Protocol::Gensim);
        Ok((PairSet::read(&path, None, &mut words)?, words))
    }

    #[test]
    fn reads_every_common_layout() {
        let pairs = [([0, 1], 7.5), ([2, 0], -1.0)];
        for text in [
            "a\tb\t7.5\nc\ta\t-1",
            "Word 1,Word 2,Human (mean)\r\na,b,7.50\r\nc,a,-1\r\n",
            "# a comment\n\na b 7.5 more columns\n# another\nC A -1e0 x y\n",
            "# comment\nfirst second score\na  b  7.5\nc  a  -1",
            "word1\tword2\tPOS\tSimLex999\tconc\na\tb\tA\t7.5\t2\nc\ta\tN\t-1\t3\n",
            "a;b;7,5\nc;a;-1,0\n",
            "\"a\",\"b\",\"7,5\"\n\"c\",\"a\",\"-1,0\"\n",
            "\u{feff}a\tb\t7.5\t7\t8\nc\ta\t-1\t0\t0",
            "\u{feff}word1,word2,score\n\u{feff}a,b,7.5\nc,a,-1\n",
        ] {
            assert_eq!(read(text).unwrap().0.pairs, pairs, "{text}");
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, place, why) in [
            ("", "the file", "no word pairs"),
            ("# only\n", "the file", "no word pairs"),
            ("word1 word2 score\n", "the file", "no word pairs"),
            ("a b 1\nc d x\n", "line 2", "the score is \"x\""),
            ("h1 h2 h3\nh1 h2 h3\n", "line 2", "the score is \"h3\""),
            ("a b NaN\n", "line 1", "the score is \"NaN\""),
            ("a b 1\nc d inf\n", "line 2", "the score is \"inf\""),
            ("# x\n\na b\n", "line 3", "expected two words and a score"),
            (
                "a\tb\tPOS\tscore\nc\td\tN\n",
                "line 2",
                "the score is \"N\", in column 3",
            ),
            (
                "a\tb\tN\t1\nc\td\tN\t2\ne\tf\tN\n",
                "line 3",
                "no column 4 with the score; `score_column`",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.contains(place) && error.contains(why),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn unknown_words_are_skipped_or_count_as_the_protocol_has_it() {
        let vocab = Vocab::from_words([("a", 0), ("b", 0), ("c", 0), ("B", 0)]).unwrap();
        let matrix = Matrix::from_values(2, vec![1.0, 0.0, 1.0, 1.0, -1.0, 0.1, 0.0, 0.0]);
        // Cosines: a b 0.71, a c -1.00, b c -0.63.
        let text = "A b 3\na c 1\nb c 2\na unknown 9\n";
        let (set, words) = read(text).unwrap();
        let score = set.score(&matrix, &words.find(&vocab, None), Protocol::Gensim);
        assert_eq!((score.found, score.total), (3, 4));
        assert!((score.spearman.unwrap() - 1.0).abs() < 1e-12);
        let score = set.score(&matrix, &words.find(&vocab, None), Protocol::Hyperwords);
        // Ranks 3 1 2 4 against 4 1 2 3: 1 - 6 * 2 / (4 * 15).
        assert_eq!((score.found, score.total), (3, 4));
        assert!((score.spearman.unwrap() - 0.8).abs() < 1e-12);
        let score = set.score(&matrix, &words.find(&vocab, Some(1)), Protocol::Gensim);
        assert_eq!(
            (score.found, score.spearman, score.pearson),
            (0, None, None)
        );
    }
}
