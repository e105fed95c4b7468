//! File locks, by which a process has a file for itself.

use std::fs::{File, TryLockError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait for a process that was killed to release its locks.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Locks a file, and waits up to `patience` if another process holds the lock. A process that was
/// killed holds its locks until it is gone completely. `waiting` is called once, before the wait.
///
/// Returns whether the lock was taken. On a file system without locks it always is.
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
