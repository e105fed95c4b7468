//! What the operating system gives: whole files or none, locks, memory and disk that are left.

mod atomic;
mod lock;
pub(crate) mod space;
mod threads;

use std::path::Path;

pub use atomic::{check_writable, remove_temporaries, write_atomically};
pub(crate) use atomic::{sweep, write_pair_atomically, written_to};
pub use lock::PATIENCE;
pub(crate) use lock::lock;
pub use space::{available_disk, available_memory, check_store};
pub use threads::{thread_count, thread_pool};

/// The name of standard input among files that are read.
pub const STDIN: &str = "-";

/// The name of standard output among files that are written.
pub const STDOUT: &str = "-";

/// Whether two paths lead to one file or folder that is there.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
