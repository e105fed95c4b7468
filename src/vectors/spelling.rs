//! Words that are spelt alike, to suggest when one is not found.

use rayon::prelude::*;

use crate::vocab::Vocab;

/// Nothing is spelt like a longer text, in characters.
const MOST_CHARS: usize = 100;

/// The `top` words of a vocabulary that are spelt most like `word`, the most alike first and among
/// equals the most frequent: as ids.
///
/// A word is alike when, case aside, one edit makes it the same, two from 4 characters on, or three
/// from 8 on: a character left out, put in, replaced, or swapped with the next.
pub fn alike(vocab: &Vocab, word: &str, top: usize) -> Vec<u32> {
    let word = word.to_lowercase();
    let chars = word.chars().count();
    if chars > MOST_CHARS {
        return Vec::new();
    }
    let most = 1 + usize::from(chars >= 4) + usize::from(chars >= 8);
    let edits = |id: u32| {
        let other = vocab.word(id);
        // Every character missing is an edit; this passes over most words, and those of any length.
        if other.chars().take(MOST_CHARS + 4).count().abs_diff(chars) > most + 1 {
            return None;
        }
        let edits = strsim::osa_distance(&word, &other.to_lowercase());
        (edits <= most && edits < chars.max(1)).then_some((edits, id))
    };
    let mut found: Vec<(usize, u32)> = (0..vocab.len() as u32)
        .into_par_iter()
        .filter_map(edits)
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id)| id).take(top).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(word: &str) -> Vec<&'static str> {
        let words = [
            "the",
            "paris",
            "parish",
            "Berlin",
            "pairs",
            "straße",
            "a",
            "of",
            "guitar",
            "guitars",
            "İstanbul",
        ];
        let vocab = Vocab::from_words(words.map(|word| (word, 0))).unwrap();
        alike(&vocab, word, 3)
            .into_iter()
            .map(|id| words[id as usize])
            .collect()
    }

    #[test]
    fn the_most_alike_come_first_and_among_equals_the_most_frequent() {
        // parsi: two letters swapped, then pairs and parish at two edits.
        assert_eq!(suggested("parsi"), ["paris", "parish", "pairs"]);
        assert_eq!(suggested("guitarr"), ["guitar", "guitars"]);
        assert_eq!(suggested("BERLIN"), ["Berlin"]);
        assert_eq!(suggested("Straße"), ["straße"]);
        assert_eq!(suggested("istanbul"), ["İstanbul"]);
    }

    #[test]
    fn what_is_nothing_like_any_word_has_no_suggestion() {
        for word in ["xyzzy", "q", "", "quetzalcoatl", &"paris".repeat(1000)] {
            assert_eq!(suggested(word), [""; 0], "{word}");
        }
    }
}
