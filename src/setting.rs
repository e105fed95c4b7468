//! How settings are read and checked.
//!
//! ```
//! use w2v_gpu::setting::given;
//!
//! assert_eq!(given::<f64>("auto"), Ok(None));
//! assert_eq!(given::<f64>("1e-4"), Ok(Some(1e-4)));
//! assert!(given::<f64>("many").is_err());
//! ```

use std::str::FromStr;

use crate::error::{Error, Result};

/// A setting that the program chooses unless it is given. (clap takes a field of type `Option` for
/// one that may be left out, by its name alone; these have a default, which is `auto`.)
pub type OrAuto<T> = Option<T>;

/// How one asks for the program's choice.
pub const AUTO: &str = "auto";

/// Reads a setting that may be left to the program.
///
/// # Errors
/// Why the text is neither `auto` nor a value.
pub fn given<T: FromStr<Err: ToString>>(text: &str) -> std::result::Result<OrAuto<T>, String> {
    if text == AUTO {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|error: T::Err| format!("{}, nor is it {AUTO}", error.to_string()))
}

/// Settings that have an effect under another setting alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditional {
    /// Their names.
    pub names: Vec<String>,
    /// The other setting, as `name` or `name = value`.
    pub needs: &'static str,
    /// Whether that is set.
    pub holds: bool,
}

impl Conditional {
    /// All settings of a group.
    pub(crate) fn all_of(group: &impl serde::Serialize, needs: &'static str, holds: bool) -> Self {
        let names = match serde_json::to_value(group) {
            Ok(serde_json::Value::Object(settings)) => {
                settings.into_iter().map(|(name, _)| name).collect()
            }
            _ => Vec::new(),
        };
        Self {
            names,
            needs,
            holds,
        }
    }
}

/// Checks a setting: `holds` says whether its `value` is in the range, and `why` what the range is,
/// with its reason.
///
/// # Errors
/// [`Error::Setting`] when it is not.
pub(crate) fn require(
    holds: bool,
    setting: &'static str,
    value: impl ToString,
    why: &str,
) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::setting(setting, value, why))
    }
}
