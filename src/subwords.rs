//! The n-grams of a word, numbered as in fastText, so that its models can be read.
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

use std::num::NonZeroU32;

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
        self.each_ngram(word, |ngram| buckets.push(hash(ngram) % self.buckets));
        buckets
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

    /// Bytes that are no UTF-8, as words of cut lines have them.
    #[test]
    fn any_bytes_have_ngrams() {
        let mut ngrams = Vec::new();
        let pairs = Subwords::new(2, 2, 100).unwrap();
        pairs.each_ngram(b"\x80\xc3a\xff", |ngram| ngrams.push(ngram.to_vec()));
        assert_eq!(ngrams, [&b"<\x80\xc3"[..], b"\xc3a", b"a\xff", b"\xff>"]);
    }
}
