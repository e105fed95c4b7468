//! Threads: how many, and pools of them.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// The most threads that may be asked for.
const MAX_THREADS: usize = 1024;

/// The number of threads: the one that is asked for, or one for each core.
///
/// # Errors
/// [`Error::Setting`] when it is not from 1 to 1024.
pub fn thread_count(asked: Option<usize>) -> Result<usize> {
    match asked {
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Some(threads) if (1..=MAX_THREADS).contains(&threads) => Ok(threads),
        Some(threads) => Err(Error::setting(
            "threads",
            threads,
            "use 1 to 1024 threads, or leave the option out to use every core",
        )),
    }
}

/// A pool of threads for a work, such as "reading the corpus".
///
/// # Errors
/// [`Error::Thread`] when they cannot be started.
pub fn thread_pool(threads: usize, work: &str) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(Error::no_threads(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_threads_out_of_range_are_refused() {
        assert!(thread_count(None).unwrap() > 0);
        assert_eq!(thread_count(Some(1024)).unwrap(), 1024);
        for threads in [0, 1025] {
            let error = thread_count(Some(threads)).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`threads` {threads}: use 1 to 1024")),
                "{error}"
            );
        }
    }
}
