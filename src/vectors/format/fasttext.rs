//! Models of fastText: its file `.bin`, version 12, little-endian.
//!
//! | bytes | content |
//! |---|---|
//! | i32, i32 | 793712314; the version |
//! | 12 × i32, f64 | the settings of the training, among them D, the model, the buckets and the lengths of n-grams |
//! | 3 × i32, 2 × i64 | entries, words, labels; tokens of the text, and -1 in a model that is not pruned |
//! | for each entry | its bytes and a 0, i64 count, i8 type, which is 0 for a word |
//! | u8, 2 × i64, f32... | 0 for values that are not quantised; rows and D; a row for each word, then one for each bucket |
//! | u8, 2 × i64, f32... | likewise W', with a row for each word |
//!
//! `.bin` is the extension of word2vec's binary too, so the first four bytes tell which of the two
//! a file is.
//!
//! A word's vector is composed of several rows ([`Composer`]). Rows of buckets come last, so those
//! that the words use are held in memory until all vectors are composed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rayon::prelude::*;

use super::input::{Input, TakeRow};
use super::output::{Output, VectorTable};
use super::rows::{Checked, Listed, Rows, fits_header};
use super::word::{MAX_WORD_BYTES, unfit};
use super::{Dtype, LoadedVectors};
use crate::batch::{Loss, ModelKind};
use crate::error::{Error, Result};
use crate::model::Matrix;
use crate::quantity::{count, plural};
use crate::subwords::{MAX_BUCKETS, MAX_NGRAM, NgramLengths, SubwordTable, Subwords};
use crate::system::write_atomically;
use crate::text::Unpacked;
use crate::vectors::Composer;
use crate::vocab::{MAX_WORDS, Vocab};

/// The first bytes of a model.
const MAGIC: [u8; 4] = 793_712_314i32.to_le_bytes();

/// The versions that are read. They differ for classifiers alone.
const VERSIONS: [i64; 2] = [11, 12];

/// The number of a classifier among the models.
const SUPERVISED: i64 = 3;

/// The last advice for a file that is not as fastText wrote it.
const AGAIN: &str = "copy or download it again";

/// What is wrong with vectors that a model with subwords is to start from, if they are no such model.
pub(super) const NO_PARTS: &str = "holds vectors of whole words, which are no parts of words; give a \
                                   model with subwords, as `save-model` and fastText write it, or \
                                   leave `subwords` out";

/// What is wanted of a model.
pub(super) enum Wanted<'a> {
    /// The vectors of the words, composed of their parts.
    Vectors,
    /// The rows of W: those of the words as they are, and those of the n-grams that a table has.
    Parts(&'a SubwordTable, TakePart<'a>),
    /// The rows of W', which belong to words.
    Output,
}

/// A function that takes the row of an n-gram, and the number that it has in W.
pub(super) type TakePart<'a> = &'a mut dyn FnMut(usize, &[f32]) -> Result<()>;

/// Bytes of a type of values with the size of a matrix, in front of its values.
const MATRIX_HEADER_BYTES: u64 = 17;

/// Whether a file that begins with `head` is a model.
pub(super) fn is_model(head: &[u8]) -> bool {
    head.starts_with(&MAGIC)
}

/// Whether a file, packed or not, is a model. Pipes are not touched.
pub(super) fn is_model_at(path: &Path) -> bool {
    let head = || -> Option<Vec<u8>> {
        let mut head = Vec::new();
        let file = path.is_file().then(|| File::open(path).ok())??;
        let unpacked = Unpacked::new(path, Box::new(file)).ok()?;
        unpacked
            .take(MAGIC.len() as u64)
            .read_to_end(&mut head)
            .ok()?;
        Some(head)
    };
    head().is_some_and(|head| is_model(&head))
}

/// Reads what is wanted of a model.
pub(super) fn read(input: &mut Input<'_>, wanted: Wanted<'_>) -> Result<LoadedVectors> {
    let settings = Settings::read(input)?;
    if let Wanted::Parts(table, _) = &wanted {
        let checked = settings.check_parts(table.subwords());
        checked.map_err(|why| input.wrong_byte(0, why))?;
    }
    let Dictionary {
        entries,
        listed,
        broken,
    } = Dictionary::read(input)?;
    let all = entries + u64::from(settings.buckets);
    matrix_header(input, "the matrix of words and n-grams", all, settings.dim)?;
    check_size(input, &settings, entries)?;
    let words = (entries, listed);
    match wanted {
        Wanted::Vectors => read_vectors(input, &settings, words, &broken),
        Wanted::Parts(table, take) => read_parts(input, &settings, words, (table, take)),
        Wanted::Output => read_output(input, &settings, words),
    }
}

/// Reads the vectors of the words, which are composed.
fn read_vectors(
    input: &mut Input<'_>,
    settings: &Settings,
    (entries, listed): (u64, Listed),
    broken: &Broken,
) -> Result<LoadedVectors> {
    let start = input.at;
    // Rows are handed on when they are complete.
    let each = input.each.take();
    let unwanted = entries - listed.words.seen;
    let mut rows = input.read_rows_of(listed, settings.dim, Dtype::F32)?;
    skip(input, unwanted * settings.row_bytes())?;
    let composer = read_composer(input, settings, &rows, broken)?;
    read_to_the_end(input, settings, entries)?;
    if let Some(composer) = &composer {
        complete(&mut rows, broken, composer);
    }
    if let Some(value) = rows.values.iter().find(|value| !value.is_finite()) {
        let why = format!("the sum of the rows of a word is {value}, not a finite number");
        return Err(input.wrong_byte(start, why));
    }
    hand_on(&mut rows, each)?;
    let mut loaded = rows
        .finish(Some(entries))
        .map_err(|why| input.wrong_byte(0, why))?;
    loaded.has_subwords = composer.is_some();
    loaded.vectors.composer = composer.filter(|_| input.reading.compose);
    Ok(loaded)
}

/// Reads the rows of the words as they are, and hands on the rows of the buckets that a table has.
fn read_parts(
    input: &mut Input<'_>,
    settings: &Settings,
    (entries, listed): (u64, Listed),
    (table, take): (&SubwordTable, TakePart<'_>),
) -> Result<LoadedVectors> {
    let unwanted = entries - listed.words.seen;
    let rows = input.read_rows_of(listed, settings.dim, Dtype::F32)?;
    skip(input, unwanted * settings.row_bytes())?;
    let mut places: Vec<usize> = (0..table.buckets().len()).collect();
    places.sort_unstable_by_key(|&place| table.buckets()[place]);
    let buckets = places.iter().map(|&place| table.buckets()[place]);
    let mut rows_of_w = places.iter().map(|place| table.words() + place);
    let mut hand_on = |row: &[f32]| match rows_of_w.next() {
        Some(place) => take(place, row),
        None => Ok(()),
    };
    each_bucket(input, settings, buckets, &mut hand_on)?;
    read_to_the_end(input, settings, entries)?;
    let finished = rows.finish(Some(entries));
    finished.map_err(|why| input.wrong_byte(0, why))
}

/// Reads the rows of the words in W'.
fn read_output(
    input: &mut Input<'_>,
    settings: &Settings,
    (entries, listed): (u64, Listed),
) -> Result<LoadedVectors> {
    skip(
        input,
        (entries + u64::from(settings.buckets)) * settings.row_bytes(),
    )?;
    matrix_header(input, "W'", entries, settings.dim)?;
    let unwanted = entries - listed.words.seen;
    let rows = input.read_rows_of(listed, settings.dim, Dtype::F32)?;
    skip(input, unwanted * settings.row_bytes())?;
    input.expect_end(other_bytes)?;
    let finished = rows.finish(Some(entries));
    finished.map_err(|why| input.wrong_byte(0, why))
}

/// The number of dimensions of a model whose words have such parts, by its settings alone, or why it
/// is no such model.
pub(super) fn dim_of_parts(input: &mut Input<'_>, expected: Subwords) -> Result<Checked<usize>> {
    let settings = Settings::read(input)?;
    let checked = settings.check_parts(expected);
    Ok(checked.map(|()| settings.dim))
}

/// The bytes of a word as they stand in the file.
fn word<'a>(words: &'a Vocab, broken: &'a Broken, id: usize) -> &'a [u8] {
    match broken.get(&(id as u32)) {
        Some(bytes) => bytes,
        None => words.word(id as u32).as_bytes(),
    }
}

/// Makes the row of each word its vector.
fn complete(rows: &mut Rows, broken: &Broken, composer: &Composer) {
    let Rows {
        dim, words, values, ..
    } = rows;
    let complete = |(id, row): (usize, &mut [f32])| {
        composer.complete(word(&words.vocab, broken, id), row);
    };
    values.par_chunks_mut(*dim).enumerate().for_each(complete);
}

/// Hands each word with its vector to `each`, if that is asked for. The vectors are then not kept.
fn hand_on(rows: &mut Rows, each: Option<TakeRow<'_>>) -> Result<()> {
    let Some(take) = each else { return Ok(()) };
    let vectors = rows.values.chunks_exact(rows.dim);
    for (word, vector) in rows.words.vocab.words().zip(vectors) {
        take(word, vector)?;
    }
    rows.values.clear();
    Ok(())
}

/// A number of a file, with its name in fastText's source and its place.
struct Number {
    name: &'static str,
    at: u64,
    value: i64,
}

impl Number {
    /// Reads a little-endian number of `N` bytes.
    fn read<const N: usize>(input: &mut Input<'_>, name: &'static str) -> Result<Self> {
        let at = input.at;
        let bytes = input.read_bytes(N as u64)?;
        if bytes.len() < N {
            let why = format!("the file ends before {name}; it was cut short: {AGAIN}");
            return Err(input.wrong_byte(at, why));
        }
        let sign = if bytes[N - 1] < 0x80 { 0 } else { 0xff };
        let mut long = [sign; 8];
        long[..N].copy_from_slice(&bytes);
        Ok(Self {
            name,
            at,
            value: i64::from_le_bytes(long),
        })
    }

    /// The error for this number.
    fn wrong(&self, input: &Input<'_>, why: &str) -> Error {
        let Self { name, at, value } = self;
        input.wrong_byte(*at, format!("{name} is {value}: {why}"))
    }

    /// The number, which must be one of `range` in a file that is whole.
    fn within(&self, input: &Input<'_>, range: std::ops::RangeInclusive<i64>) -> Result<u32> {
        if range.contains(&self.value)
            && let Ok(value) = u32::try_from(self.value)
        {
            return Ok(value);
        }
        let possible = match (range.start(), range.end()) {
            (least, most) if least == most => format!("only {least} is possible"),
            (least, most) => format!("from {least} to {most} is possible"),
        };
        let why = format!("{possible}; the file is damaged: {AGAIN}");
        Err(self.wrong(input, &why))
    }
}

/// The settings in the header by which vectors are read.
struct Settings {
    dim: usize,
    /// Number of rows for n-grams, 0 in a model without subwords.
    buckets: u32,
    /// Characters of the shortest and of the longest n-grams.
    chars: [u32; 2],
}

impl Settings {
    /// Reads the header up to the dictionary.
    fn read(input: &mut Input<'_>) -> Result<Self> {
        input.read_bytes(MAGIC.len() as u64)?;
        let version = Number::read::<4>(input, "version")?;
        if !VERSIONS.contains(&version.value) {
            let why = "a model of fastText of version 11 or 12 can be read; take the .vec file \
                       beside it, or write one with its print-word-vectors";
            return Err(version.wrong(input, why));
        }
        let dim = Number::read::<4>(input, "dim")?;
        for name in ["ws", "epoch", "minCount", "neg", "wordNgrams"] {
            Number::read::<4>(input, name)?;
        }
        let loss = Number::read::<4>(input, "loss")?;
        let model = Number::read::<4>(input, "model")?;
        let buckets = Number::read::<4>(input, "bucket")?;
        let chars = [
            Number::read::<4>(input, "minn")?,
            Number::read::<4>(input, "maxn")?,
        ];
        Number::read::<4>(input, "lrUpdateRate")?;
        Number::read::<8>(input, "t")?;
        if model.value == SUPERVISED {
            let why = "this is a classifier (supervised), whose words are trained for its labels \
                       alone; take a model of skipgram or cbow";
            return Err(model.wrong(input, why));
        }
        model.within(input, 1..=2)?;
        loss.within(input, 1..=4)?;
        let [shortest, longest] = chars;
        Ok(Self {
            dim: dim.within(input, 1..=i64::from(i32::MAX))? as usize,
            buckets: buckets.within(input, 0..=i64::from(MAX_BUCKETS))?,
            chars: [
                shortest.within(input, 0..=i64::from(MAX_NGRAM))?,
                longest.within(input, 0..=i64::from(MAX_NGRAM))?,
            ],
        })
    }

    fn subwords(&self) -> Option<Subwords> {
        Subwords::new(self.chars[0], self.chars[1], self.buckets)
    }

    /// Checks that the words have the parts of another model.
    fn check_parts(&self, expected: Subwords) -> Checked<()> {
        match self.subwords() {
            None => Err(NO_PARTS.to_owned()),
            Some(found) if found != expected => Err(format!(
                "its words have n-grams of {} characters in {}; add `subwords = {0}` and \
                 `buckets = {}`",
                found.lengths(),
                plural(u64::from(found.buckets()), "bucket"),
                found.buckets()
            )),
            Some(_) => Ok(()),
        }
    }

    /// Bytes of a row.
    fn row_bytes(&self) -> u64 {
        4 * self.dim as u64
    }
}

/// The bytes of kept words that are no UTF-8, by id. The n-grams of a word are those of its bytes.
type Broken = HashMap<u32, Vec<u8>>;

/// The words of a model.
struct Dictionary {
    /// Number of words in the file.
    entries: u64,
    /// The words that are kept.
    listed: Listed,
    broken: Broken,
}

impl Dictionary {
    fn read(input: &mut Input<'_>) -> Result<Self> {
        let size = Number::read::<4>(input, "size")?;
        let words = Number::read::<4>(input, "nwords")?;
        let labels = Number::read::<4>(input, "nlabels")?;
        Number::read::<8>(input, "ntokens")?;
        let pruned = Number::read::<8>(input, "pruneidx_size")?;
        let entries = u64::from(size.within(input, 1..=MAX_WORDS as i64)?);
        labels.within(input, 0..=0)?;
        words.within(input, size.value..=size.value)?;
        if pruned.value >= 0 {
            let why = "the model is pruned (quantize -cutoff): n-grams were left out; take the \
                       .bin that it was made of";
            return Err(pruned.wrong(input, why));
        }
        let mut dictionary = Self {
            entries,
            listed: Listed::new(input.reading),
            broken: HashMap::new(),
        };
        let mut word = Vec::new();
        for entry in 0..entries {
            dictionary.read_entry(input, &mut word, entry)?;
        }
        Ok(dictionary)
    }

    /// Reads an entry. `word` is a buffer.
    fn read_entry(&mut self, input: &mut Input<'_>, word: &mut Vec<u8>, entry: u64) -> Result<()> {
        let start = input.at;
        if !input.read_until(0, 1 + MAX_WORD_BYTES as u64, word)? {
            let why = match word.len() {
                0..=MAX_WORD_BYTES => format!(
                    "the file ends in word {} of {}; it was cut short: {AGAIN}",
                    count(entry + 1),
                    count(self.entries)
                ),
                _ => format!(
                    "no zero byte within {MAX_WORD_BYTES} bytes, where a word must have ended; \
                     the file is damaged: {AGAIN}"
                ),
            };
            return Err(input.wrong_byte(start, why));
        }
        let occurrences = Number::read::<8>(input, "the count of a word")?;
        Number::read::<1>(input, "the type of an entry")?.within(input, 0..=0)?;
        if occurrences.value < 0 {
            let why = format!("the file is damaged: {AGAIN}");
            return Err(occurrences.wrong(input, &why));
        }
        if self.listed.words.is_full() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(word);
        let is_broken = text.as_bytes() != word;
        let kept = self.listed.words.vocab.len();
        let place = || format!("byte {start}");
        self.listed
            .push(&text, is_broken, occurrences.value as u64, place)
            .map_err(|why| input.wrong_byte(start, why))?;
        if is_broken && self.listed.words.vocab.len() > kept {
            self.broken.insert(kept as u32, std::mem::take(word));
        }
        Ok(())
    }
}

/// Reads what stands in front of the values of a matrix. `what` is its name in messages.
fn matrix_header(input: &mut Input<'_>, what: &str, rows: u64, dim: usize) -> Result<()> {
    let quantised = Number::read::<1>(input, "the type of values")?;
    if quantised.value == 1 {
        let why = format!(
            "{what} is quantised, as in .ftz files: its vectors are gone but for codes; take the \
             .bin that it was made of"
        );
        return Err(quantised.wrong(input, &why));
    }
    quantised.within(input, 0..=0)?;
    for (name, expected) in [
        ("the number of rows", rows),
        ("the length of rows", dim as u64),
    ] {
        let found = Number::read::<8>(input, name)?;
        if found.value != expected as i64 {
            let why =
                format!("for {what} the header says {expected}; the file is damaged: {AGAIN}");
            return Err(found.wrong(input, &why));
        }
    }
    Ok(())
}

/// Compares the rest of the file with what its header promises, where its size is known. So no
/// memory is taken for rows that are not there.
fn check_size(input: &Input<'_>, settings: &Settings, words: u64) -> Result<()> {
    let Some(left) = input.left() else {
        return Ok(());
    };
    let rows = u128::from(2 * words + u64::from(settings.buckets));
    let promised = rows * u128::from(settings.row_bytes()) + u128::from(MATRIX_HEADER_BYTES);
    if promised == u128::from(left) {
        return Ok(());
    }
    let fault = match promised > u128::from(left) {
        true => "it was cut short",
        false => "other bytes follow the model",
    };
    let why = format!(
        "for {}, {} and {} the rest of the file is {promised} bytes, and there are {left}: {fault}; \
         {AGAIN}",
        plural(words, "word"),
        plural(u64::from(settings.buckets), "bucket"),
        plural(settings.dim as u64, "dimension")
    );
    Err(input.wrong_byte(input.at, why))
}

/// Skips bytes, which must be there.
fn skip(input: &mut Input<'_>, bytes: u64) -> Result<()> {
    match input.skip_bytes(bytes)? {
        true => Ok(()),
        false => Err(cut_in_matrix(input)),
    }
}

fn cut_in_matrix(input: &Input<'_>) -> Error {
    let why = format!("the file ends within a matrix; it was cut short: {AGAIN}");
    input.wrong_byte(input.at, why)
}

/// Reads the rows of the buckets, and moves behind the last one. All are kept to compose any word,
/// and otherwise those of the words in `rows`.
fn read_composer(
    input: &mut Input<'_>,
    settings: &Settings,
    rows: &Rows,
    broken: &Broken,
) -> Result<Option<Composer>> {
    let Some(subwords) = settings.subwords() else {
        skip(input, u64::from(settings.buckets) * settings.row_bytes())?;
        return Ok(None);
    };
    if input.reading.compose {
        let rows = read_buckets(input, settings, 0..settings.buckets)?;
        return Ok(Some(Composer::new(subwords, rows)));
    }
    let words = (0..rows.ended).map(|id| word(&rows.words.vocab, broken, id));
    let mut used: Vec<u32> = words.flat_map(|word| subwords.buckets_of(word)).collect();
    used.sort_unstable();
    used.dedup();
    let rows = read_buckets(input, settings, used.iter().copied())?;
    Ok(Some(Composer::of_some(subwords, used, rows)))
}

/// Reads the rows of some buckets, which ascend, and skips the others.
fn read_buckets(
    input: &mut Input<'_>,
    settings: &Settings,
    wanted: impl ExactSizeIterator<Item = u32>,
) -> Result<Matrix> {
    let mut values = Vec::new();
    let most = (wanted.len() as u64).saturating_mul(settings.dim as u64);
    // If that fails, memory grows as rows arrive.
    let _ = values.try_reserve_exact(most.min(input.most_values(4)) as usize);
    each_bucket(input, settings, wanted, &mut |row| {
        values.extend_from_slice(row);
        Ok(())
    })?;
    Ok(Matrix::from_values(settings.dim, values))
}

/// Hands on the rows of some buckets, which ascend, and moves behind the last bucket.
fn each_bucket(
    input: &mut Input<'_>,
    settings: &Settings,
    wanted: impl Iterator<Item = u32>,
    take: &mut dyn FnMut(&[f32]) -> Result<()>,
) -> Result<()> {
    let mut row = Vec::new();
    let mut next = 0;
    for bucket in wanted {
        skip(input, u64::from(bucket - next) * settings.row_bytes())?;
        row.clear();
        if let Some((at, value)) = input.read_values(&mut row, settings.dim, Dtype::F32)? {
            let why = format!("the row of bucket {bucket} holds {value}, not a finite number");
            return Err(input.wrong_byte(at, why));
        }
        if row.len() < settings.dim {
            return Err(cut_in_matrix(input));
        }
        take(&row)?;
        next = bucket + 1;
    }
    skip(
        input,
        u64::from(settings.buckets - next) * settings.row_bytes(),
    )
}

/// Reads W', of which nothing is kept, to see whether the file is whole. If its size is known, that
/// has told already.
fn read_to_the_end(input: &mut Input<'_>, settings: &Settings, words: u64) -> Result<()> {
    if input.left().is_some() {
        return Ok(());
    }
    matrix_header(input, "W'", words, settings.dim)?;
    skip(input, words * settings.row_bytes())?;
    input.expect_end(other_bytes)
}

fn other_bytes() -> String {
    format!("other bytes follow the model; {AGAIN}")
}

/// A model to be written for fastText and gensim.
///
/// [`write_fasttext`] writes it. All but the matrices tells a reader how the model was trained, so
/// that it can go on.
#[derive(Clone, Copy, Debug)]
pub struct FastTextModel<'a> {
    /// The words, with their counts.
    pub vocab: &'a Vocab,
    /// The rows of W in a model with subwords.
    pub subwords: Option<&'a SubwordTable>,
    /// W, with a row for each word, and those of its buckets behind them.
    pub input: &'a Matrix,
    /// W', with a row for each word.
    pub output: &'a Matrix,
    /// Largest distance between a context word and a center word.
    pub window: u32,
    /// Passes over the text.
    pub epochs: u32,
    /// Occurrences that a word needed to be trained.
    pub min_count: u64,
    /// Negative words drawn at a time.
    pub negatives: u32,
    /// The loss, which is no hierarchical softmax.
    pub loss: Loss,
    /// Skip-gram or CBOW.
    pub kind: ModelKind,
    /// The share of the text beyond which words were thinned out, 0 to 1.
    pub sample: f64,
}

impl FastTextModel<'_> {
    /// Checks that a model with this loss can be written.
    ///
    /// # Errors
    /// [`Error::Setting`] for hierarchical softmax.
    pub fn check(loss: Loss) -> Result<()> {
        if loss != Loss::Hs {
            return Ok(());
        }
        let why = "a file of fastText does not hold the tree: fastText builds another one when it \
                   loads the file, whose nodes are not those of W'; leave `save_model` out, and \
                   take `save_output` for W' with the names of its nodes";
        Err(Error::setting("loss", "hs", why))
    }

    /// Size in bytes of the file for the words of `vocab` with `dim` dimensions. All buckets have a
    /// row there, also those that no word uses.
    pub fn bytes(vocab: &Vocab, subwords: Option<&SubwordTable>, dim: u64) -> u64 {
        const HEADER_BYTES: u64 = 92;
        /// The end of a word, its count and its type.
        const WORD_BYTES: u64 = 1 + 8 + 1;
        let text: u64 = vocab.words().map(|word| word.len() as u64).sum();
        let words = vocab.len() as u64;
        let buckets = subwords.map_or(0, |table| u64::from(table.subwords().buckets()));
        let matrices = (2 * words + buckets) * 4 * dim + 2 * MATRIX_HEADER_BYTES;
        HEADER_BYTES + text + words * WORD_BYTES + matrices
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let words = self.vocab.len() as u64;
        out.write_all(&self.header())?;
        for (word, &count) in self.vocab.words().zip(self.vocab.counts()) {
            if !fits_header(word) || word.contains('\0') {
                return Err(io::Error::new(io::ErrorKind::InvalidData, unfit(word)));
            }
            out.write_all(word.as_bytes())?;
            out.write_all(&[0])?;
            out.write_all(&count.to_le_bytes())?;
            out.write_all(&[0])?;
        }
        let buckets = self.subwords.map_or(0, |table| table.subwords().buckets());
        for (matrix, rows) in [
            (self.input, words + u64::from(buckets)),
            (self.output, words),
        ] {
            out.write_all(&[0])?;
            out.write_all(&rows.to_le_bytes())?;
            out.write_all(&(matrix.dim() as u64).to_le_bytes())?;
            let of_words = VectorTable {
                rows: self.vocab.len(),
                ..VectorTable::new(self.vocab, matrix)
            };
            let output = &mut Output {
                out: &mut *out,
                on_progress: &mut |_, _| (),
            };
            of_words.write_rows(output, |_, row, bytes| Dtype::F32.push(row, bytes))?;
            if let Some(table) = self.subwords.filter(|_| rows > words) {
                write_buckets(table, matrix, out)?;
            }
        }
        Ok(())
    }

    /// All that comes before the words.
    fn header(&self) -> Vec<u8> {
        let number = |value: u64| i32::try_from(value).unwrap_or(i32::MAX);
        let counts = self.vocab.counts();
        let loss = match self.loss {
            Loss::Hs => 1,
            Loss::Ns => 2,
            Loss::Softmax => 3,
        };
        let kind = match self.kind {
            ModelKind::Cbow => 1,
            ModelKind::SkipGram => 2,
        };
        // A reader may leave out words below minCount, which `keep_words` and `vocab` can bring in.
        let rarest = counts.iter().copied().min().unwrap_or(0);
        let words = number(self.vocab.len() as u64);
        let [buckets, shortest, longest] = self.subwords.map_or([0; 3], |table| {
            let NgramLengths { shortest, longest } = table.subwords().lengths();
            [table.subwords().buckets(), shortest, longest].map(|value| number(value.into()))
        });
        let settings = [
            VERSIONS[1] as i32,
            number(self.input.dim() as u64),
            number(self.window.into()),
            number(self.epochs.into()),
            number(self.min_count.min(rarest)),
            number(self.negatives.into()),
            1, // wordNgrams
            loss,
            kind,
            buckets,
            shortest,
            longest,
            100, // lrUpdateRate, fastText's default
        ];
        let tokens: u64 = counts.iter().sum();
        let mut header = MAGIC.to_vec();
        header.extend(settings.iter().flat_map(|value| value.to_le_bytes()));
        header.extend(self.sample.to_le_bytes());
        header.extend(
            [words, words, 0]
                .iter()
                .flat_map(|value| value.to_le_bytes()),
        );
        header.extend(tokens.to_le_bytes());
        // Not pruned.
        header.extend((-1i64).to_le_bytes());
        header
    }
}

/// Writes the rows of all buckets in the order of their numbers. Those that no word uses are zeros, so
/// that an n-gram that was never seen says nothing of an unknown word.
fn write_buckets(table: &SubwordTable, input: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    let mut used: Vec<(u32, usize)> = (table.words()..)
        .zip(table.buckets())
        .map(|(row, &bucket)| (bucket, row))
        .collect();
    used.sort_unstable();
    let zeros = vec![0; 4 * input.dim()];
    let (mut bytes, mut next) = (Vec::new(), 0);
    for (bucket, row) in used {
        for _ in next..bucket {
            out.write_all(&zeros)?;
        }
        bytes.clear();
        Dtype::F32.push(input.row(row), &mut bytes);
        out.write_all(&bytes)?;
        next = bucket + 1;
    }
    for _ in next..table.subwords().buckets() {
        out.write_all(&zeros)?;
    }
    Ok(())
}

/// Writes a model in fastText's file format. The file appears whole or not at all.
///
/// # Errors
/// [`Error::Setting`] for hierarchical softmax; [`Error::Io`] when the file cannot be written, a
/// word is empty or holds a zero byte, or a value is not finite.
///
/// # Panics
/// When W has not as many rows as there are words and buckets in use, or W' as there are words.
pub fn write_fasttext(path: &Path, model: &FastTextModel<'_>) -> Result<()> {
    FastTextModel::check(model.loss)?;
    let rows = model.subwords.map_or(model.vocab.len(), SubwordTable::rows);
    for (matrix, rows) in [(model.input, rows), (model.output, model.vocab.len())] {
        assert_eq!(matrix.rows(), rows, "every row has a word or a bucket");
    }
    write_atomically(path, |out| model.write(out))
}
