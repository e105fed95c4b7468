//! Lower case and Unicode normalization of words.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// How a word is changed before it is counted or looked up. By default it is not changed.
///
/// ```
/// use w2v_gpu::text::Normalization;
///
/// let form = Normalization { lowercase: true, nfc: true };
/// assert_eq!(form.apply("Cafe\u{301}"), "café");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Normalization {
    /// Converts to Unicode lower case.
    pub lowercase: bool,
    /// Converts to Unicode normal form C: a letter and its accent become one character where there
    /// is one.
    pub nfc: bool,
}

impl Normalization {
    /// The word in this form. Lowercasing comes first, because it may leave a word that is not in
    /// form C.
    pub fn apply(self, word: &str) -> Cow<'_, str> {
        let word = match self.lowercase {
            true if !word.is_ascii() => Cow::Owned(word.to_lowercase()),
            true if word.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Owned(word.to_ascii_lowercase())
            }
            _ => Cow::Borrowed(word),
        };
        if self.nfc && !word.is_ascii() && is_nfc_quick(word.chars()) != IsNormalized::Yes {
            return Cow::Owned(word.nfc().collect());
        }
        word
    }

    /// Whether this form leaves an ASCII word as it is.
    pub(super) fn leaves_ascii(self, word: &[u8]) -> bool {
        !self.lowercase || !word.iter().any(u8::is_ascii_uppercase)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_take_their_form() {
        let apply =
            |lowercase, nfc, word| Normalization { lowercase, nfc }.apply(word).into_owned();
        assert_eq!(apply(false, false, "E\u{301}"), "E\u{301}");
        assert_eq!(apply(true, false, "E\u{301}A"), "e\u{301}a");
        assert_eq!(apply(false, true, "E\u{301}"), "É");
        assert_eq!(apply(true, true, "E\u{301}"), "é");
        assert_eq!(apply(true, false, "ΣΑΣ"), "σας");
        assert_eq!(apply(true, true, "Word"), "word");
    }

    proptest! {
        /// Applying a form twice changes nothing more, and a form never splits a word.
        #[test]
        fn forms_are_stable(word in "\\PC{1,12}", lowercase: bool, nfc: bool) {
            let normalization = Normalization { lowercase, nfc };
            let once = normalization.apply(&word).into_owned();
            prop_assert_eq!(&normalization.apply(&once), &once);
            let separators = |word: &str| word.chars().filter(|c| c.is_whitespace() || c.is_control()).count();
            prop_assert_eq!(separators(&once), separators(&word));
        }
    }
}
