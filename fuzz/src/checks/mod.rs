//! What must hold of every reader, whatever bytes it is given.

pub mod readers;
pub mod texts;

use std::fs;
use std::path::Path;

/// What a check does with an input. The number chooses among options of the reader.
type Check = Box<dyn FnMut(&[u8], u8)>;

/// A reader under test.
pub struct Target {
    /// The name of the target.
    pub name: &'static str,
    /// Valid inputs. The n-th has n as its choice.
    pub seeds: Vec<Vec<u8>>,
    /// Gives the reader an input, and panics if what it makes of it breaks its word.
    pub check: Check,
}

impl Target {
    /// A target of a name, with its seeds and its check.
    pub fn new(
        name: &'static str,
        seeds: Vec<Vec<u8>>,
        check: impl FnMut(&[u8], u8) + 'static,
    ) -> Self {
        Self {
            name,
            seeds,
            check: Box::new(check),
        }
    }
}

/// Writes a file anew: some file systems wait for the disk when a file is overwritten.
pub fn put(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}
