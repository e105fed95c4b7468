//! Subwords: the n-grams of a word, numbered as in fastText, and the rows of W that words are
//! composed of.
//!
//! A word is put between `<` and `>`, and its n-grams are all runs of some characters (Unicode code
//! points) of that text. An n-gram has a bucket: its hash modulo the number of buckets. N-grams
//! that share a bucket share a vector.
//!
//! ```
//! use w2v_gpu::subwords::Subwords;
//!
//! let subwords = Subwords::new(3, 6, 2_000_000).expect("n-grams and buckets");
//! let mut ngrams = Vec::new();
//! subwords.each_ngram(b"cat", |ngram| ngrams.push(String::from_utf8_lossy(ngram).into_owned()));
//! assert_eq!(ngrams, ["<ca", "<cat", "<cat>", "cat", "cat>", "at>"]);
//! assert_eq!(subwords.buckets_of(b"cat").len(), 6);
//! ```

use std::cmp::Reverse;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::Result;
use crate::setting::require;

/// The longest n-grams, in characters. Models in use have at most 6; much longer ones are whole
/// words, and a damaged file could ask for as many as a word has pairs of characters.
pub const MAX_NGRAM: u32 = 64;

/// The largest number of buckets: files of fastText have it in 32 bits with a sign.
pub const MAX_BUCKETS: u32 = i32::MAX as u32;

/// Characters of the shortest and of the longest n-grams, written as `3-6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NgramLengths {
    /// Characters of the shortest, from 1 on.
    pub shortest: u32,
    /// Characters of the longest, at least as many, to [`MAX_NGRAM`].
    pub longest: u32,
}

impl FromStr for NgramLengths {
    type Err = String;

    /// Reads two numbers with a hyphen between them, or one that stands for both.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (shortest, longest) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let (Some(shortest), Some(longest)) = (number(shortest), number(longest)) else {
            return Err("these are no lengths of n-grams, such as 3-6".to_owned());
        };
        let lengths = Self { shortest, longest };
        match lengths.fault() {
            None => Ok(lengths),
            Some(fault) => Err(fault.to_owned()),
        }
    }
}

impl NgramLengths {
    /// Why there are no such n-grams, if so.
    pub(crate) fn fault(self) -> Option<&'static str> {
        if self.shortest == 0 {
            Some("an n-gram has at least 1 character; leave the option out to train words whole")
        } else if self.shortest > self.longest {
            Some("the shorter length comes first, as in 3-6")
        } else if self.longest > MAX_NGRAM {
            Some("an n-gram has at most 64 characters; 3-6 is usual")
        } else {
            None
        }
    }
}

impl fmt::Display for NgramLengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.shortest, self.longest)
    }
}

impl From<NgramLengths> for String {
    fn from(lengths: NgramLengths) -> Self {
        lengths.to_string()
    }
}

impl TryFrom<String> for NgramLengths {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

/// How n-grams are numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct BucketSettings {
    /// Numbers for n-grams; those that share one share a vector (--subwords)
    #[cfg_attr(feature = "cli", arg(
        long,
        default_value_t = BucketSettings::default().buckets,
        value_name = "N",
        help_heading = "Model"
    ))]
    pub buckets: u32,
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self { buckets: 2_000_000 }
    }
}

impl BucketSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for the first one out of its range.
    pub fn validate(&self) -> Result<()> {
        require(
            (1..=MAX_BUCKETS).contains(&self.buckets),
            "buckets",
            self.buckets,
            "there are 1 to 2147483647 buckets; 2000000 are usual. Without n-grams leave \
             `subwords` out",
        )
    }
}

/// The word that stands for a line end in fastText's models. It has no n-grams.
const LINE_END: &[u8] = b"</s>";

/// Which n-grams a word has, and how they are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subwords {
    /// Characters of the shortest n-grams.
    shortest: u32,
    /// Characters of the longest n-grams, at least 1.
    longest: u32,
    buckets: NonZeroU32,
}

impl Subwords {
    /// N-grams of `shortest` to `longest` characters in so many buckets; `None` where no word has
    /// an n-gram: without buckets, or with lengths between which there is none.
    pub fn new(shortest: u32, longest: u32, buckets: u32) -> Option<Self> {
        let buckets = NonZeroU32::new(buckets)?;
        (longest >= shortest.max(1)).then_some(Self {
            shortest,
            longest,
            buckets,
        })
    }

    /// Number of buckets.
    pub fn buckets(self) -> u32 {
        self.buckets.get()
    }

    /// The lengths of the n-grams.
    pub fn lengths(self) -> NgramLengths {
        NgramLengths {
            shortest: self.shortest.max(1),
            longest: self.longest,
        }
    }

    /// Calls `take` with each n-gram of a word from left to right; of those with one start, with
    /// the shortest first. An n-gram that occurs twice is taken twice.
    ///
    /// The word may be no UTF-8. A character then is a byte with all continuation bytes after it.
    pub fn each_ngram(self, word: &[u8], mut take: impl FnMut(&[u8])) {
        if word == LINE_END {
            return;
        }
        let text = [b"<", word, b">"].concat();
        let starts: Vec<usize> = (0..text.len())
            .filter(|&at| !is_continuation(text[at]))
            .chain([text.len()])
            .collect();
        let chars = starts.len() - 1;
        let (shortest, longest) = (self.shortest.max(1) as usize, self.longest as usize);
        for first in 0..chars {
            for length in shortest..=longest.min(chars - first) {
                let end = first + length;
                // The marks of the word's ends are no n-grams by themselves.
                if length > 1 || first > 0 && end < chars {
                    take(&text[starts[first]..starts[end]]);
                }
            }
        }
    }

    /// The bucket of each n-gram of a word, in the order of [`Subwords::each_ngram`].
    pub fn buckets_of(self, word: &[u8]) -> Vec<u32> {
        let mut buckets = Vec::new();
        self.each_ngram(word, |ngram| buckets.push(self.bucket_of(ngram)));
        buckets
    }

    /// The bucket of an n-gram.
    fn bucket_of(self, ngram: &[u8]) -> u32 {
        hash(ngram) % self.buckets
    }
}

/// The rows of W of a model with subwords: one for each word, then one for each bucket that some
/// word uses. A word is composed of its **parts**, its own row and those of its n-grams: its
/// vector is their mean.
///
/// Buckets that no word uses have no row. They would never be trained, and there may be ten times
/// as many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubwordTable {
    subwords: Subwords,
    /// Word `id` has `parts[offsets[id]..offsets[id + 1]]`.
    offsets: Vec<usize>,
    /// The parts of each word, as rows of W: its own row, then the n-grams in their order.
    parts: Vec<u32>,
    /// The bucket of each row behind those of words.
    buckets: Vec<u32>,
    /// Number of different n-grams of all words.
    ngrams: u64,
    /// Number of those that share their bucket with another.
    sharing: u64,
}

/// What is known of a bucket.
#[derive(Default)]
struct Bucket {
    /// How often its n-grams occur in the text.
    uses: u64,
    /// Number of different n-grams.
    ngrams: u64,
}

impl SubwordTable {
    /// The table for words with their counts. Rows of buckets come in falling order of their use
    /// in the text, as words do; those used alike ascend by their numbers.
    pub fn new<'a>(subwords: Subwords, words: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut found: HashMap<u32, Bucket> = HashMap::new();
        let mut ngrams = HashSet::new();
        let (mut offsets, mut parts) = (vec![0], Vec::new());
        for (id, (word, count)) in words.enumerate() {
            parts.push(id as u32);
            subwords.each_ngram(word.as_bytes(), |ngram| {
                let bucket = subwords.bucket_of(ngram);
                parts.push(bucket);
                // Their hashes of 64 bits stand for the n-grams: two of a billion might be alike.
                let is_new = ngrams.insert(xxh3_64(ngram));
                let bucket = found.entry(bucket).or_default();
                bucket.uses += count;
                bucket.ngrams += u64::from(is_new);
            });
            offsets.push(parts.len());
        }
        let mut buckets: Vec<u32> = found.keys().copied().collect();
        buckets.sort_unstable_by_key(|bucket| (Reverse(found[bucket].uses), *bucket));
        let shared = found.values().filter(|bucket| bucket.ngrams > 1);
        let sharing = shared.map(|bucket| bucket.ngrams).sum();
        let words = offsets.len() as u32 - 1;
        let rows: HashMap<u32, u32> = buckets.iter().copied().zip(words..).collect();
        for word in offsets.windows(2) {
            let ngrams = &mut parts[word[0] + 1..word[1]];
            ngrams.iter_mut().for_each(|part| *part = rows[part]);
        }
        Self {
            subwords,
            offsets,
            parts,
            buckets,
            ngrams: ngrams.len() as u64,
            sharing,
        }
    }

    /// How n-grams are numbered.
    pub fn subwords(&self) -> Subwords {
        self.subwords
    }

    /// Number of words.
    pub fn words(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of rows of W: words, and buckets that they use.
    pub fn rows(&self) -> usize {
        self.words() + self.buckets.len()
    }

    /// The bucket of each row behind those of words.
    pub fn buckets(&self) -> &[u32] {
        &self.buckets
    }

    /// The parts of a word, as rows of W: its own row, then the n-grams in their order.
    #[inline]
    pub fn parts(&self, word: usize) -> &[u32] {
        &self.parts[self.offsets[word]..self.offsets[word + 1]]
    }

    /// Number of parts of all words together.
    pub fn parts_of_all(&self) -> usize {
        self.parts.len()
    }

    /// Number of different n-grams that the words have.
    pub fn ngrams(&self) -> u64 {
        self.ngrams
    }

    /// Number of n-grams that share their bucket with another.
    pub fn sharing_ngrams(&self) -> u64 {
        self.sharing
    }

    /// Number of words that have no n-gram, so that their own row is their only part.
    pub fn words_alone(&self) -> u64 {
        let ends = self.offsets.windows(2);
        ends.filter(|ends| ends[1] - ends[0] == 1).count() as u64
    }

    /// Bytes that the table takes in memory.
    pub fn bytes(&self) -> u64 {
        let Self {
            offsets,
            parts,
            buckets,
            ..
        } = self;
        (size_of_val(&offsets[..]) + size_of_val(&parts[..]) + size_of_val(&buckets[..])) as u64
    }
}

/// Whether a byte goes on with a character of UTF-8.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// The hash of an n-gram: FNV-1a of 32 bits, to which each byte is sign-extended.
///
/// The sign extension is an accident of fastText (a `char` is signed on most machines), and part of
/// its format by now. It matters for characters beyond ASCII.
pub fn hash(ngram: &[u8]) -> u32 {
    ngram.iter().fold(2_166_136_261, |hash: u32, &byte| {
        (hash ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(16_777_619)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The n-grams of fastText's defaults.
    fn usual() -> Subwords {
        Subwords::new(3, 6, 2_000_000).unwrap()
    }

    fn ngrams(subwords: Subwords, word: &str) -> Vec<String> {
        let mut ngrams = Vec::new();
        subwords.each_ngram(word.as_bytes(), |ngram| {
            ngrams.push(String::from_utf8(ngram.to_vec()).unwrap());
        });
        ngrams
    }

    /// Values that fastText and gensim compute.
    #[test]
    fn hashes_are_those_of_fasttext() {
        for (ngram, expected) in [
            ("", 2_166_136_261),
            ("a", 3_826_002_220),
            ("<th", 1_619_151_151),
            ("the", 3_020_861_980),
            ("<the>", 4_243_648_960),
            ("where", 90_969_176),
            ("ing>", 1_622_590_751),
            ("apple", 280_767_167),
            ("ü", 804_934_730),
            ("für", 617_465_516),
            ("<für>", 3_097_242_952),
            ("é", 1_023_043_777),
            ("e\u{301}", 1_950_048_031),
            ("жиз", 1_811_419_490),
            ("日本", 4_164_387_409),
            ("<日本>", 3_315_313_759),
            ("🙂", 570_329_163),
            ("команда", 1_725_507_386),
        ] {
            assert_eq!(hash(ngram.as_bytes()), expected, "{ngram}");
        }
        assert_eq!(hash(b"\x80"), 83_079_839);
        assert_eq!(hash(b"\xff"), 4_193_493_326);
    }

    #[test]
    fn words_have_the_buckets_of_fasttext_in_its_order() {
        for (word, expected) in [
            (
                "cat",
                &[916_747, 1_988_973, 1_428_137, 289_031, 1_127_995, 351_106][..],
            ),
            (
                "für",
                &[1_038_320, 548_646, 1_242_952, 1_465_516, 1_962_838, 232_994],
            ),
            ("a", &[1_087_600]),
            ("日本", &[758_587, 1_313_759, 196_157]),
            (
                "北海道",
                &[545_175, 868_374, 1_794_552, 45_468, 793_350, 1_360_570],
            ),
            (
                "한국어",
                &[1_124_397, 1_000_497, 1_127_197, 612_895, 12_787, 803_087],
            ),
            (
                "where",
                &[
                    167_652, 989_715, 1_526_707, 1_071_586, 420_941, 312_621, 969_176, 121_234,
                    1_473_420, 1_540_811, 114_991, 1_529_033, 1_568_469, 867_498,
                ],
            ),
        ] {
            assert_eq!(usual().buckets_of(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn ngrams_that_occur_twice_are_taken_twice() {
        let buckets = usual().buckets_of(b"banana");
        let ana: Vec<usize> = (0..buckets.len())
            .filter(|&at| buckets[at] == 283_141)
            .collect();
        assert_eq!((buckets.len(), ana), (18, vec![8, 15]));
    }

    #[test]
    fn the_marks_of_the_ends_are_no_ngrams_by_themselves() {
        let short = Subwords::new(1, 2, 100).unwrap();
        assert_eq!(ngrams(short, "né"), ["<n", "n", "né", "é", "é>"]);
        assert_eq!(ngrams(short, ""), ["<>"]);
        assert_eq!(ngrams(usual(), "a"), ["<a>"]);
    }

    #[test]
    fn line_ends_have_no_ngrams_and_no_word_has_those_that_cannot_be() {
        assert_eq!(usual().buckets_of(b"</s>"), [0; 0]);
        assert_eq!(Subwords::new(3, 6, 0), None);
        assert_eq!(Subwords::new(0, 0, 100), None);
        assert_eq!(Subwords::new(4, 3, 100), None);
        // A length that no word reaches.
        let long = Subwords::new(3, u32::MAX, 100).unwrap();
        assert_eq!(ngrams(long, "at"), ["<at", "<at>", "at>"]);
    }

    #[test]
    fn the_parts_of_a_word_are_its_row_and_those_of_its_ngrams() {
        let subwords = Subwords::new(3, 4, 50).unwrap();
        let words = [("cat", 5), ("banana", 3), ("</s>", 2), ("at", 1)];
        let table = SubwordTable::new(subwords, words.into_iter());
        assert_eq!(table.words(), 4);
        for (id, (word, _)) in words.into_iter().enumerate() {
            let parts = table.parts(id);
            assert_eq!(parts[0] as usize, id, "{word}");
            let buckets: Vec<u32> = parts[1..]
                .iter()
                .map(|&row| table.buckets()[row as usize - 4])
                .collect();
            assert_eq!(buckets, subwords.buckets_of(word.as_bytes()), "{word}");
        }
        let mut distinct = table.buckets().to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), table.buckets().len());
        assert_eq!(table.rows(), 4 + distinct.len());
        // <ca cat at> <cat cat>, <ba ban ana nan na> <ban bana anan nana ana>, <at <at> (at> again).
        assert_eq!(table.ngrams(), 5 + 10 + 2);
        assert_eq!(table.words_alone(), 1);
        let few = SubwordTable::new(Subwords::new(3, 4, 1).unwrap(), words.into_iter());
        assert_eq!((few.rows(), few.sharing_ngrams()), (5, 17));
    }

    #[test]
    fn buckets_come_in_falling_order_of_their_use() {
        let subwords = Subwords::new(2, 2, 1000).unwrap();
        let words = [("ab", 10), ("cb", 9), ("ad", 2)];
        let table = SubwordTable::new(subwords, words.into_iter());
        let bucket = |ngram: &[u8]| subwords.bucket_of(ngram);
        // b> 19, <a 12, ab 10, then <c and cb 9, <d.. 2.
        assert_eq!(
            table.buckets()[..3],
            [bucket(b"b>"), bucket(b"<a"), bucket(b"ab")]
        );
        let mut alike = [bucket(b"<c"), bucket(b"cb")];
        alike.sort_unstable();
        assert_eq!(table.buckets()[3..5], alike);
    }

    #[test]
    fn lengths_are_read_as_they_are_written() {
        let lengths = |text: &str| text.parse::<NgramLengths>();
        assert_eq!(lengths("3-6").unwrap().to_string(), "3-6");
        assert_eq!(lengths("5").unwrap().to_string(), "5-5");
        for (text, fault) in [
            ("6-3", "comes first"),
            ("0-3", "at least 1"),
            ("0", "at least 1"),
            ("3-65", "at most 64"),
            ("text.txt", "no lengths"),
            ("3-", "no lengths"),
            ("-3", "no lengths"),
        ] {
            let error = lengths(text).unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }

    /// Bytes that are no UTF-8, as words of cut lines have them.
    #[test]
    fn any_bytes_have_ngrams() {
        let mut ngrams = Vec::new();
        let pairs = Subwords::new(2, 2, 100).unwrap();
        pairs.each_ngram(b"\x80\xc3a\xff", |ngram| ngrams.push(ngram.to_vec()));
        assert_eq!(ngrams, [&b"<\x80\xc3"[..], b"\xc3a", b"a\xff", b"\xff>"]);
    }
}
