//! Analogies: "a is to b as c is to ?".

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::solve::{Asked, solve};
use super::words::{Found, Table, Words};
use super::{EvalOptions, input};
use crate::error::{Error, Result};
use crate::model::Matrix;
use crate::quantity::plural;
use crate::system::serialize_path;

/// The largest number of questions from a BATS file, where every pair of lines is one. Without a
/// limit, a small file could ask for more than memory holds. BATS has 98,000 questions.
const MOST_BATS_QUESTIONS: usize = 4_000_000;

/// The questions of a file, or of all files in a folder.
#[derive(Clone, Debug)]
pub(super) struct AnalogySet {
    file: PathBuf,
    layout: Layout,
    sections: Vec<Section>,
    questions: Vec<Question>,
    /// The right answers of all questions, question after question.
    answers: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Google,
    Bats,
}

#[derive(Clone, Debug)]
struct Section {
    name: String,
    questions: Range<usize>,
}

#[derive(Clone, Debug)]
struct Question {
    /// The words a, b and c.
    words: [u32; 3],
    /// The right answers, as a range of `AnalogySet::answers`. Any of them counts.
    answers: Range<usize>,
}

/// The share of analogies of a file or folder that were answered correctly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnalogyScore {
    /// The file, or the folder of files.
    #[serde(serialize_with = "serialize_path")]
    pub file: PathBuf,
    /// Number of words that questions and answers were restricted to.
    pub among: usize,
    /// All questions.
    pub total: Score,
    /// The questions of sections whose names do not begin with "gram"; `None` for a folder.
    pub semantic: Option<Score>,
    /// The questions of sections whose names begin with "gram", as in Google's set; `None` for a
    /// folder.
    pub syntactic: Option<Score>,
    /// Each section of the file, or each file of the folder.
    pub sections: Vec<SectionScore>,
}

/// The score of a section.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SectionScore {
    /// The section's name, or the name of a folder's file without its extension.
    pub name: String,
    /// The section's score.
    #[serde(flatten)]
    pub score: Score,
}

/// The number of questions and of correct answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Number of questions.
    pub total: usize,
    /// Questions whose three words and at least one answer are among the vectors.
    pub found: usize,
    /// Further questions that count, because some of their three words are not among the vectors
    /// and were composed of their n-grams. At least one answer is among the vectors.
    pub composed: usize,
    /// Questions that count for the accuracy: those found and composed, or all under a protocol
    /// that counts unknown words.
    pub counted: usize,
    /// Answers by 3CosAdd; `None` when that was not asked for.
    #[serde(rename = "3cosadd")]
    pub add: Option<Answers>,
    /// Answers by 3CosMul; `None` when that was not asked for.
    #[serde(rename = "3cosmul")]
    pub multiply: Option<Answers>,
}

/// The answers of one method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Answers {
    /// Number of correct answers.
    pub correct: usize,
    /// Share of correct answers among the questions that count, from 0 to 1; `None` if none counts.
    pub accuracy: Option<f64>,
}

impl AnalogySet {
    pub(super) fn read(path: &Path, words: &mut Words) -> Result<Self> {
        let mut set = Self {
            file: path.to_owned(),
            layout: if path.is_dir() {
                Layout::Bats
            } else {
                Layout::Google
            },
            sections: Vec::new(),
            questions: Vec::new(),
            answers: Vec::new(),
        };
        match set.layout {
            Layout::Google => set.read_google(path, words)?,
            Layout::Bats => {
                let files = text_files(path)?;
                if files.is_empty() {
                    return Err(input::is_folder(
                        path,
                        "the folder holds no .txt files, as BATS has them",
                    ));
                }
                files
                    .iter()
                    .try_for_each(|file| set.read_bats(file, words))?;
            }
        }
        Ok(set)
    }

    /// Reads lines of four words, in sections that begin with `: name`.
    fn read_google(&mut self, path: &Path, words: &mut Words) -> Result<()> {
        let text = input::read(path)?;
        for (number, line) in input::lines(&text, &["#", "//"]) {
            if let Some(name) = line.strip_prefix(':') {
                self.begin(name.trim().to_owned());
                continue;
            }
            let [a, b, c, answer] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                let why = format!(
                    "expected four words, or a colon and the name of a section, and found \
                     {line:.80?}"
                );
                return Err(input::wrong_line(path, number, why));
            };
            if self.sections.is_empty() {
                self.begin(name_of(path));
            }
            let at = self.answers.len();
            self.answers.push(words.number(answer));
            self.ask([a, b, c].map(|word| words.number(word)), at..at + 1);
        }
        if self.questions.is_empty() {
            return Err(input::wrong(
                path,
                "holds no analogies, which are lines of four words".to_owned(),
            ));
        }
        Ok(())
    }

    /// Reads lines of a word and its answers. Each pair of different lines makes a question, in
    /// which the first answer of the first line is the example.
    fn read_bats(&mut self, path: &Path, words: &mut Words) -> Result<()> {
        let text = input::read(path)?;
        let mut lines = Vec::new();
        for (number, line) in input::lines(&text, &[]) {
            let pair = line
                .split_once('\t')
                .or_else(|| line.split_once(char::is_whitespace));
            let at = self.answers.len();
            let answers = pair
                .map(|(_, answers)| answers.split('/').map(str::trim))
                .into_iter()
                .flatten();
            self.answers.extend(
                answers
                    .filter(|answer| !answer.is_empty())
                    .map(|answer| words.number(answer)),
            );
            match pair {
                Some((word, _)) if self.answers.len() > at => {
                    lines.push((words.number(word.trim()), at..self.answers.len()));
                }
                _ => {
                    let why = format!(
                        "expected a word and its answers, as in `word answer/answer`: {line:.80?}"
                    );
                    return Err(input::wrong_line(path, number, why));
                }
            }
        }
        if lines.len() < 2 {
            let why = format!(
                "holds {}; it takes two to make questions",
                plural(lines.len() as u64, "line")
            );
            return Err(input::wrong(path, why));
        }
        if self.questions.len() + lines.len() * (lines.len() - 1) > MOST_BATS_QUESTIONS {
            let why = format!(
                "all pairs of its {}, with those of the files before it, are more than {}",
                plural(lines.len() as u64, "line"),
                plural(MOST_BATS_QUESTIONS as u64, "question")
            );
            return Err(input::wrong(path, why));
        }
        self.begin(name_of(path));
        for (i, (a, example)) in lines.iter().enumerate() {
            for (_, (c, answers)) in lines.iter().enumerate().filter(|&(j, _)| j != i) {
                self.ask([*a, self.answers[example.start], *c], answers.clone());
            }
        }
        Ok(())
    }

    fn begin(&mut self, name: String) {
        let at = self.questions.len();
        self.sections.push(Section {
            name,
            questions: at..at,
        });
    }

    /// Adds a question to the last section.
    fn ask(&mut self, words: [u32; 3], answers: Range<usize>) {
        self.questions.push(Question { words, answers });
        if let Some(section) = self.sections.last_mut() {
            section.questions.end = self.questions.len();
        }
    }

    pub(super) fn score(
        &self,
        matrix: &Matrix,
        found: &Found,
        options: &EvalOptions,
    ) -> AnalogyScore {
        let verdicts = self.verdicts(matrix, found, options);
        let of = |section: &Section| &verdicts[section.questions.clone()];
        let syntactic = |section: &Section| section.name.starts_with("gram");
        let part = |wanted: bool| {
            let sections = self
                .sections
                .iter()
                .filter(|&section| syntactic(section) == wanted);
            (self.layout == Layout::Google).then(|| Score::of(sections.flat_map(of), options))
        };
        AnalogyScore {
            file: self.file.clone(),
            among: found.searched(),
            total: Score::of(&verdicts, options),
            semantic: part(false),
            syntactic: part(true),
            sections: self
                .sections
                .iter()
                .map(|section| SectionScore {
                    name: section.name.clone(),
                    score: Score::of(of(section), options),
                })
                .collect(),
        }
    }

    /// The questions that count, section by section, and whether each was answered correctly by a
    /// method that the options ask for.
    pub(super) fn answered(
        &self,
        matrix: &Matrix,
        found: &Found,
        options: &EvalOptions,
        words: &Words,
    ) -> Vec<AnsweredSection> {
        let verdicts = self.verdicts(matrix, found, options);
        let answered = |index: usize| {
            let (question, verdict) = (&self.questions[index], verdicts[index]);
            let [a, b, c] = question.words;
            let answer = self.answers[question.answers.start];
            verdict.counts.then(|| Answered {
                words: [a, b, c, answer].map(|word| words.word(word).to_owned()),
                is_right: verdict.add || verdict.multiply,
            })
        };
        let section = |section: &Section| AnsweredSection {
            name: section.name.clone(),
            total: section.questions.len(),
            answered: section.questions.clone().filter_map(answered).collect(),
        };
        self.sections.iter().map(section).collect()
    }

    /// The words of the questions that count because these words were composed.
    pub(super) fn composed<'a>(
        &'a self,
        found: &'a Found,
        table: Table<'a>,
    ) -> impl Iterator<Item = u32> + 'a {
        self.questions
            .iter()
            .filter(move |question| self.can_be_asked(question, found, table))
            .flat_map(|question| question.words)
            .filter(move |&word| table.has_composed(word))
    }

    /// Whether the three words of a question have vectors, and an answer is among those searched.
    fn can_be_asked(&self, question: &Question, found: &Found, table: Table<'_>) -> bool {
        let answers = &self.answers[question.answers.clone()];
        question
            .words
            .iter()
            .all(|&word| table.place(word).is_some())
            && answers.iter().any(|&word| found.row(word).is_some())
    }

    /// Answers every question.
    fn verdicts(&self, matrix: &Matrix, found: &Found, options: &EvalOptions) -> Vec<Verdict> {
        let EvalOptions { protocol, .. } = options;
        let table = found.table(matrix);
        let verdict = |question: &Question| {
            let is_asked = self.can_be_asked(question, found, table);
            let is_composed = question.words.iter().any(|&word| table.has_composed(word));
            let counts = is_asked || (protocol.counts_unknown() && found.searched() > 0);
            Verdict {
                found: is_asked && !is_composed,
                composed: is_asked && is_composed,
                counts,
                add: false,
                multiply: false,
            }
        };
        let mut verdicts: Vec<Verdict> = self.questions.iter().map(verdict).collect();
        let counted: Vec<usize> = (0..verdicts.len())
            .filter(|&index| verdicts[index].counts)
            .collect();
        let asked: Vec<Asked> = counted
            .iter()
            .map(|&index| {
                let words = self.questions[index].words;
                let excluded = words.map(|word| {
                    let rows = found.rows(word);
                    if protocol.excludes_variants() {
                        rows
                    } else {
                        &rows[..rows.len().min(1)]
                    }
                });
                Asked {
                    rows: words.map(|word| table.place(word).unwrap_or(0)),
                    excluded,
                }
            })
            .collect();
        for (&index, best) in counted
            .iter()
            .zip(solve(table, found.searched(), &asked, options))
        {
            let answers = &self.answers[self.questions[index].answers.clone()];
            let is_right = |row: u32| found.word(row).is_some_and(|word| answers.contains(&word));
            verdicts[index].add = best.add.is_some_and(is_right);
            verdicts[index].multiply = best.multiply.is_some_and(is_right);
        }
        verdicts
    }
}

/// The questions of a section that count.
#[derive(Clone, Debug, PartialEq)]
pub struct AnsweredSection {
    /// The section's name, or the name of a folder's file without its extension.
    pub name: String,
    /// Number of questions in the section, those that do not count among them.
    pub total: usize,
    /// The questions that count, in the order of the file.
    pub answered: Vec<Answered>,
}

/// A question that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The words a, b, c and the first right answer, in the form in which the protocol looks them
    /// up.
    pub words: [String; 4],
    /// Whether the answer found is right.
    pub is_right: bool,
}

/// The result of a question.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    found: bool,
    composed: bool,
    counts: bool,
    /// Whether the answer by 3CosAdd was correct.
    add: bool,
    /// Whether the answer by 3CosMul was correct.
    multiply: bool,
}

impl Score {
    fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>, options: &EvalOptions) -> Self {
        let (mut total, mut found, mut composed, mut counted) = (0, 0, 0, 0);
        let (mut add, mut multiply) = (0, 0);
        for verdict in verdicts {
            total += 1;
            found += usize::from(verdict.found);
            composed += usize::from(verdict.composed);
            counted += usize::from(verdict.counts);
            add += usize::from(verdict.add);
            multiply += usize::from(verdict.multiply);
        }
        let answers = |correct| Answers {
            correct,
            accuracy: (counted > 0).then(|| correct as f64 / counted as f64),
        };
        Self {
            total,
            found,
            composed,
            counted,
            add: options.method.adds().then(|| answers(add)),
            multiply: options.method.multiplies().then(|| answers(multiply)),
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The `.txt` files in a folder and the folders below it, in the order of their names.
fn text_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder)
        .and_then(Iterator::collect)
        .map_err(Error::io("read", folder))?;
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        // A link to a folder is not followed, so a loop of links does no harm.
        if entry
            .file_type()
            .map_err(Error::io("read", &path))?
            .is_dir()
        {
            files.extend(text_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
        {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Method, Protocol};
    use crate::vocab::Vocab;

    /// A regular world: countries lie at x = 0 and capitals at x = 1, each pair on a line of its
    /// own.
    fn world(words: &[(&str, [f32; 3])]) -> (Vocab, Matrix) {
        let vocab = Vocab::from_words(words.iter().map(|(word, _)| (*word, 0))).unwrap();
        (
            vocab,
            Matrix::from_values(3, words.iter().flat_map(|(_, row)| *row).collect()),
        )
    }

    const PLACES: [(&str, [f32; 3]); 7] = [
        ("athens", [1.0, 1.0, 0.0]),
        ("greece", [0.0, 1.0, 0.0]),
        ("oslo", [1.0, 0.0, 1.0]),
        ("norway", [0.0, 0.0, 1.0]),
        ("Norway", [0.01, 0.0, 1.0]),
        ("south", [-1.0, -1.0, 0.1]),
        ("nowhere", [-1.0, -0.5, -1.0]),
    ];

    fn read(text: &str, protocol: Protocol) -> Result<(AnalogySet, Words)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("questions.txt");
        fs::write(&path, text).unwrap();
        let mut words = Words::new(protocol);
        Ok((AnalogySet::read(&path, &mut words)?, words))
    }

    fn scored(text: &str, protocol: Protocol, limit: Option<usize>) -> AnalogyScore {
        let (set, words) = read(text, protocol).unwrap();
        let (vocab, matrix) = world(&PLACES);
        let options = EvalOptions {
            method: Method::Both,
            ..EvalOptions::of(protocol)
        };
        set.score(&matrix, &words.find(&vocab, limit), &options)
    }

    fn counts(score: &Score) -> (usize, usize, usize, usize, usize) {
        let correct = |answers: Option<Answers>| answers.unwrap().correct;
        (
            score.total,
            score.found,
            score.counted,
            correct(score.add),
            correct(score.multiply),
        )
    }

    const GOOGLE: &str = "//Copyright\n: capitals\nAthens Greece Oslo Norway\nOslo Norway Athens \
                          Greece\nOslo Norway Paris France\n: empty\n: gram1-x\nathens greece oslo \
                          south\n";

    #[test]
    fn sections_and_totals_add_up() {
        let score = scored(GOOGLE, Protocol::Gensim, None);
        // The word south points away from athens, for which 3CosMul divides by 0.001. So it is the
        // answer to athens:greece :: oslo.
        let sections: Vec<_> = score
            .sections
            .iter()
            .map(|section| (&*section.name, counts(&section.score)))
            .collect();
        assert_eq!(
            sections,
            [
                ("capitals", (3, 2, 2, 2, 1)),
                ("empty", (0, 0, 0, 0, 0)),
                ("gram1-x", (1, 1, 1, 0, 1))
            ]
        );
        assert_eq!(counts(&score.semantic.unwrap()), (3, 2, 2, 2, 1));
        assert_eq!(counts(&score.syntactic.unwrap()), (1, 1, 1, 0, 1));
        assert_eq!(counts(&score.total), (4, 3, 3, 2, 2));
        assert_eq!(score.total.add.unwrap().accuracy, Some(2.0 / 3.0));
        assert_eq!(score.sections[1].score.add.unwrap().accuracy, None);
    }

    #[test]
    fn the_questions_that_count_are_told_with_their_outcome() {
        let (set, words) = read(GOOGLE, Protocol::Gensim).unwrap();
        let (vocab, matrix) = world(&PLACES);
        let options = EvalOptions::of(Protocol::Gensim);
        let found = words.find(&vocab, None);
        let sections = set.answered(&matrix, &found, &options, &words);
        let outcome = |question: &Answered| (question.words.join(" "), question.is_right);
        let outcomes: Vec<_> = sections
            .iter()
            .map(|section| {
                let outcomes: Vec<_> = section.answered.iter().map(outcome).collect();
                (&*section.name, section.total, outcomes)
            })
            .collect();
        let right = |words: &str| (words.to_owned(), true);
        let wrong = |words: &str| (words.to_owned(), false);
        assert_eq!(
            outcomes,
            [
                (
                    "capitals",
                    3,
                    vec![
                        right("ATHENS GREECE OSLO NORWAY"),
                        right("OSLO NORWAY ATHENS GREECE")
                    ]
                ),
                ("empty", 0, vec![]),
                ("gram1-x", 1, vec![wrong("ATHENS GREECE OSLO SOUTH")]),
            ]
        );
    }

    #[test]
    fn a_restricted_vocabulary_takes_words_from_questions_and_answers() {
        let score = scored(GOOGLE, Protocol::Gensim, Some(3));
        assert_eq!(counts(&score.total), (4, 0, 0, 0, 0));
        assert_eq!(scored(GOOGLE, Protocol::Gensim, Some(4)).total.found, 2);
        // Even where unknown words count, a question whose words are all unknown cannot be
        // answered.
        assert_eq!(
            counts(&scored(GOOGLE, Protocol::Hyperwords, Some(0)).total),
            (4, 0, 0, 0, 0)
        );
    }

    #[test]
    fn case_variants_of_a_question_are_no_answer_to_gensim_alone() {
        // The answer nearest to norway is Norway. That is correct for word2vec, which leaves out
        // only the lower-case word.
        let question = "athens greece norway norway\n";
        assert_eq!(counts(&scored(question, Protocol::Gensim, None).total).3, 0);
        assert_eq!(
            counts(&scored(question, Protocol::Word2vec, None).total).3,
            1
        );
        // For hyperwords, Norway is another word and not the answer.
        assert_eq!(
            counts(&scored(question, Protocol::Hyperwords, None).total).3,
            0
        );
    }

    #[test]
    fn unknown_words_count_to_hyperwords_alone() {
        // Paris gets the vector of the first word, athens, which may then itself be the answer.
        let text = "oslo norway unheard greece\nunheard greece oslo norway\noslo norway athens \
                    unheard\noslo norway unheard athens\n";
        assert_eq!(
            counts(&scored(text, Protocol::Gensim, None).total),
            (4, 0, 0, 0, 0)
        );
        assert_eq!(
            counts(&scored(text, Protocol::Word2vec, None).total),
            (4, 0, 0, 0, 0)
        );
        let score = scored(text, Protocol::Hyperwords, None).total;
        assert_eq!((score.total, score.found, score.counted), (4, 0, 4));
        assert_eq!(score.add.unwrap().correct, 2);
    }

    #[test]
    fn all_pairs_of_a_bats_file_are_questions_and_any_answer_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("3_Encyclopedic");
        fs::create_dir(&inner).unwrap();
        fs::write(
            inner.join("E01 [capital].txt"),
            "athens\tgreece/hellas\noslo unheard/norway\nunheard x\n",
        )
        .unwrap();
        fs::write(
            folder.path().join("a.txt"),
            "athens\tgreece\r\noslo\tsouth/nowhere\r\n",
        )
        .unwrap();
        fs::write(folder.path().join("readme.md"), "not a question").unwrap();
        let mut words = Words::new(Protocol::Gensim);
        let set = AnalogySet::read(folder.path(), &mut words).unwrap();
        let (vocab, matrix) = world(&PLACES);
        let score = set.score(&matrix, &words.find(&vocab, None), &EvalOptions::default());
        assert_eq!((score.semantic, score.syntactic), (None, None));
        let names: Vec<_> = score
            .sections
            .iter()
            .map(|section| &*section.name)
            .collect();
        assert_eq!(names, ["E01 [capital]", "a"]);
        // Only athens:greece :: oslo:norway of the six questions can be asked. In the other
        // direction, the example is unknown.
        let sections: Vec<Score> = score.sections.iter().map(|section| section.score).collect();
        assert_eq!(
            (
                sections[0].total,
                sections[0].found,
                sections[0].add.unwrap().correct
            ),
            (6, 1, 1)
        );
        assert_eq!((sections[1].total, sections[1].found), (2, 2));
        assert_eq!(sections[0].multiply, None);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, place, why) in [
            ("", "the file", "no analogies"),
            (": a\n: b\n", "the file", "no analogies"),
            (": a\na b c d\na b c\n", "line 3", "expected four words"),
            ("a b c d e\n", "line 1", "expected four words"),
        ] {
            let error = read(text, Protocol::Gensim).unwrap_err().to_string();
            assert!(
                error.contains(place) && error.contains(why),
                "{text:?}: {error}"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let read = || {
            AnalogySet::read(folder.path(), &mut Words::new(Protocol::Gensim))
                .unwrap_err()
                .to_string()
        };
        assert!(read().contains("no .txt files"), "{}", read());
        for (text, why) in [
            ("athens\n", "line 1: expected a word and its answers"),
            ("a\tb\nc\t / \n", "line 2: expected a word and its answers"),
            ("a\tb\n", "it takes two"),
            (&"a b\n".repeat(2001), "all pairs of its 2,001 lines"),
        ] {
            fs::write(folder.path().join("a.txt"), text).unwrap();
            assert!(read().contains(why), "{}", read());
        }
    }
}
