//! Paths as text that can be read back.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::system::{Decoded, LONE, Unit, encoded};

/// A path, or another string of the operating system, as text for JSON and TOML.
///
/// A string that is Unicode is that text, unchanged. On Unix, a byte that is part of no character
/// is written as U+0000 and its two hexadecimal digits. On Windows, a 16-bit unit that is part of
/// no character is written as U+0000 and its four digits. No path has U+0000, so two paths never
/// have the same text.
///
/// ```
/// use std::path::Path;
/// use w2v_gpu::system::OsText;
///
/// let text = OsText::from(Path::new("50% of café.txt"));
/// assert_eq!(text.as_str(), "50% of café.txt");
/// assert_eq!(text.to_path(), Path::new("50% of café.txt"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OsText(String);

/// The mark before the digits of what is part of no character.
const MARK: char = '\0';

impl OsText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The string that this text was made of. U+0000 without such digits behind it stays, in which
    /// case no path can be opened.
    pub fn to_os_string(&self) -> OsString {
        let mut parts = self.0.split(MARK);
        let mut string = Decoded::default();
        string.push(parts.next().unwrap_or_default());
        for part in parts {
            match unit_at_start(part) {
                Some((unit, rest)) => {
                    string.push_unit(unit);
                    string.push(rest);
                }
                None => {
                    string.push("\0");
                    string.push(part);
                }
            }
        }
        string.into_os_string()
    }

    /// The path that this text was made of, as by [`OsText::to_os_string`].
    pub fn to_path(&self) -> PathBuf {
        self.to_os_string().into()
    }
}

impl From<&OsStr> for OsText {
    fn from(string: &OsStr) -> Self {
        Self(encoded(string))
    }
}

impl From<&Path> for OsText {
    fn from(path: &Path) -> Self {
        path.as_os_str().into()
    }
}

/// The unit whose digits a text begins with, and the rest of the text.
fn unit_at_start(text: &str) -> Option<(Unit, &str)> {
    let (digits, rest) = text.split_at_checked(Decoded::DIGITS)?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let unit = Unit::from_str_radix(digits, 16)
        .ok()
        .filter(|unit| is_number && LONE.contains(unit))?;
    Some((unit, rest))
}

/// Text that has been read, or is an option of a command.
impl From<String> for OsText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(unix)]
mod system {
    use std::ffi::{OsStr, OsString};
    use std::fmt::Write;
    use std::ops::RangeInclusive;
    use std::os::unix::ffi::OsStringExt;

    use super::MARK;

    /// A byte.
    pub(super) type Unit = u8;

    /// The bytes that may be part of no character, so that their digits are written.
    pub(super) const LONE: RangeInclusive<Unit> = 0x80..=0xff;

    pub(super) fn encoded(string: &OsStr) -> String {
        let mut text = String::new();
        for chunk in string.as_encoded_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                // Writing to a string never fails.
                let _ = write!(text, "{MARK}{byte:02x}");
            }
        }
        text
    }

    /// A string that is being put together.
    #[derive(Default)]
    pub(super) struct Decoded(Vec<u8>);

    impl Decoded {
        pub(super) const DIGITS: usize = 2;

        pub(super) fn push(&mut self, text: &str) {
            self.0.extend_from_slice(text.as_bytes());
        }

        pub(super) fn push_unit(&mut self, byte: Unit) {
            self.0.push(byte);
        }

        pub(super) fn into_os_string(self) -> OsString {
            OsString::from_vec(self.0)
        }
    }
}

#[cfg(windows)]
mod system {
    use std::ffi::{OsStr, OsString};
    use std::fmt::Write;
    use std::ops::RangeInclusive;
    use std::os::windows::ffi::{OsStrExt, OsStringExt};

    use super::MARK;

    /// A unit of UTF-16.
    pub(super) type Unit = u16;

    /// The surrogates, which may be part of no character, so that their digits are written.
    pub(super) const LONE: RangeInclusive<Unit> = 0xd800..=0xdfff;

    pub(super) fn encoded(string: &OsStr) -> String {
        let mut text = String::new();
        for character in char::decode_utf16(string.encode_wide()) {
            match character {
                Ok(character) => text.push(character),
                // Writing to a string never fails.
                Err(lone) => drop(write!(text, "{MARK}{:04x}", lone.unpaired_surrogate())),
            }
        }
        text
    }

    /// A string that is being put together.
    #[derive(Default)]
    pub(super) struct Decoded(Vec<u16>);

    impl Decoded {
        pub(super) const DIGITS: usize = 4;

        pub(super) fn push(&mut self, text: &str) {
            self.0.extend(text.encode_utf16());
        }

        pub(super) fn push_unit(&mut self, unit: Unit) {
            self.0.push(unit);
        }

        pub(super) fn into_os_string(self) -> OsString {
            OsString::from_wide(&self.0)
        }
    }
}

/// How serde writes a setting that is a path, if it is given: as [`OsText`].
pub(crate) mod optional_path {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::OsText;

    pub(crate) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(OsText::from).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        let text = Option::<OsText>::deserialize(deserializer)?;
        Ok(text.map(|text| text.to_path()))
    }
}

/// Writes a path, within what serde writes, as [`OsText`].
///
/// # Errors
/// Those of the serializer.
pub(crate) fn serialize_path<S: serde::Serializer>(
    path: impl AsRef<Path>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    OsText::from(path.as_ref()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unicode_is_its_own_text() {
        for path in ["", "a/b.txt", "café 日本 😀", "100%", r"a\x00b", "a\nb"] {
            let text = OsText::from(Path::new(path));
            assert_eq!((text.as_str(), text.to_path()), (path, PathBuf::from(path)));
        }
    }

    #[cfg(unix)]
    #[test]
    fn any_bytes_are_read_back() {
        use proptest::prelude::*;
        use std::os::unix::ffi::OsStrExt;
        let known = OsText::from(OsStr::from_bytes(b"t\xe9.txt"));
        assert_eq!(known.as_str(), "t\0e9.txt");
        proptest!(|(bytes in prop::collection::vec(1u8.., 0..40))| {
            let string = OsStr::from_bytes(&bytes);
            let json = serde_json::to_string(&OsText::from(string)).unwrap();
            let read: OsText = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read.to_os_string(), string);
        });
    }

    /// Such a text was made by nobody. Its path cannot be opened.
    #[test]
    fn a_mark_without_the_digits_of_a_lone_unit_stays() {
        for text in [
            "\0",
            "a\0",
            "\0z9",
            "\0+9",
            "\0\u{e9}9",
            "a\0\0",
            "a\x00000e9",
        ] {
            let path = OsText::from(text.to_owned()).to_path();
            assert!(std::fs::metadata(&path).is_err());
            assert_eq!(path, PathBuf::from(text));
            assert_eq!(OsText::from(&*path).as_str(), text);
        }
    }
}
