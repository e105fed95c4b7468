//! Files that one process has for itself.

use std::fs::{File, TryLockError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait for what a process that was killed may have for a moment yet.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Locks a file, and waits up to `patience` for another process to let go of it: one that was
/// killed holds its locks until all of it is gone. `waiting` is called once, before the wait. Says
/// whether nobody else has the file.
///
/// Where a file system knows no locks, nobody does.
pub(crate) fn lock(file: &File, patience: Duration, waiting: impl FnOnce()) -> bool {
    let is_free = || !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    if is_free() {
        return true;
    }
    if patience.is_zero() {
        return false;
    }
    waiting();
    let started = Instant::now();
    while started.elapsed() < patience {
        sleep(PAUSE);
        if is_free() {
            return true;
        }
    }
    false
}
