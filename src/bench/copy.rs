//! Measures how fast the processor copies memory.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::error::Result;
use crate::system::thread_pool;

/// Bytes copied at a time by all threads together. They are far more than any cache holds.
const BYTES: usize = 256 << 20;

/// The least time of a measurement.
const ENOUGH: Duration = Duration::from_millis(100);

/// Bytes that `threads` threads read and write in a second when each copies its own part of a large
/// memory. The figure is twice the bytes copied.
///
/// # Errors
/// [`Error::Thread`](crate::Error::Thread) when the threads cannot be started.
pub fn copy_bandwidth(threads: usize) -> Result<f64> {
    let pool = thread_pool(threads, "measuring a copy")?;
    let part = BYTES / threads;
    let mut parts: Vec<(Vec<u8>, Vec<u8>)> = pool.install(|| {
        (0..threads)
            .into_par_iter()
            .map(|_| (vec![1; part], vec![2; part]))
            .collect()
    });
    let started = Instant::now();
    let mut copies = 0;
    while copies < 3 || started.elapsed() < ENOUGH {
        pool.install(|| {
            parts
                .par_iter_mut()
                .for_each(|(from, to)| to.copy_from_slice(from))
        });
        copies += 1;
    }
    Ok(2.0 * (part * threads * copies) as f64 / started.elapsed().as_secs_f64())
}
