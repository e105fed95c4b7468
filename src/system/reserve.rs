//! Open files that are held back for later.

use std::fs::File;
use std::io;

/// Open files that a process holds back, so that it can open as many others later, whatever else it
/// opens until then. A system lets a process have a limited number of them (`ulimit -n`).
#[derive(Debug)]
pub struct Reserve(
    #[expect(dead_code, reason = "the files are held for their number alone")] Vec<File>,
);

impl Reserve {
    /// Holds `number` open files back until it is dropped. On systems other than Unix it holds none.
    ///
    /// # Errors
    /// The system's error, when it does not let this process have so many.
    pub fn of_files(number: usize) -> io::Result<Self> {
        let number = if cfg!(unix) { number } else { 0 };
        // Every process has this folder, also in a chroot without devices.
        let files = (0..number).map(|_| File::open("/"));
        files.collect::<io::Result<_>>().map(Self)
    }
}
