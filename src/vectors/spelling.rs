//! Words of similar spelling, to suggest when a word is not found.

use rayon::prelude::*;

use crate::vocab::Vocab;

/// Longest text, in characters, for which suggestions are sought.
const MOST_CHARS: usize = 100;

/// The ids of the `top` words of a vocabulary that are spelt most like `word`. The most similar
/// come first; among equally similar words, the most frequent.
///
/// Case is ignored. A word counts as similar when one edit makes it equal, or two edits if `word`
/// has at least 4 characters, or three if it has at least 8. An edit leaves out, inserts or
/// replaces a character, or swaps two neighbours.
pub fn alike(vocab: &Vocab, word: &str, top: usize) -> Vec<u32> {
    let word = word.to_lowercase();
    let chars = word.chars().count();
    if chars > MOST_CHARS {
        return Vec::new();
    }
    let most = 1 + usize::from(chars >= 4) + usize::from(chars >= 8);
    let edits = |id: u32| {
        let other = vocab.word(id);
        // Each missing character is an edit, so a difference in length rules most words out.
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
        // From parsi: two letters swapped, then pairs and parish at two edits.
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
