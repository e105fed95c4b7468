//! Services of the operating system: whole files or none, locks, free memory and disk space, paths as
//! text.
//!
//! ```
//! use w2v_gpu::system::write_atomically;
//!
//! let path = std::env::temp_dir().join(format!("w2v-gpu-{}.txt", std::process::id()));
//! write_atomically(&path, |out| writeln!(out, "whole or not at all"))?;
//! assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole or not at all\n");
//! # std::fs::remove_file(&path).unwrap();
//! # Ok::<(), w2v_gpu::Error>(())
//! ```

mod atomic;
mod lock;
mod os_text;
mod pair;
mod reserve;
pub(crate) mod space;
mod threads;

use std::path::Path;

pub use atomic::{check_writable, remove_temporaries, write_atomically};
pub(crate) use atomic::{sweep, written_to};
pub use lock::PATIENCE;
pub(crate) use lock::lock;
pub use os_text::OsText;
pub(crate) use os_text::{optional_path, serialize_path};
pub(crate) use pair::{FileId, check_pair, wait_for_pair, write_pair_atomically};
pub use reserve::Reserve;
pub use space::{available_disk, available_memory, check_file_size, check_store};
pub use threads::{thread_count, thread_pool};

/// The name that stands for standard input.
pub const STDIN: &str = "-";

/// The name that stands for standard output.
pub const STDOUT: &str = "-";

/// Whether two paths lead to the same existing file or folder.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
