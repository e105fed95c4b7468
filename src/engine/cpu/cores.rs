//! The threads of the engine and the instructions of the processor.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use pulp::Arch;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::engine::{LossFunction, Objective};
use crate::error::{Error, Result};

/// How often a thread that waits for others lets those run that are ready, before it goes to sleep.
const WAITS: usize = 1000;

/// The threads of the engine and the instructions of the processor.
#[derive(Debug)]
pub(super) struct Cores {
    /// The best instruction set that the processor has.
    pub(super) arch: Arch,
    /// Threads at work in a step, the calling thread included.
    pub(super) threads: usize,
    /// For a softmax all threads. Otherwise all but the calling thread, which works too; at least
    /// one, since a pool needs one.
    pub(super) pool: ThreadPool,
}

impl Cores {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`Error::Thread`] when they cannot be started.
    pub(super) fn start(objective: Objective, threads: usize) -> Result<Self> {
        let others = match objective.loss {
            LossFunction::Sigmoid | LossFunction::Choice { .. } => threads.saturating_sub(1).max(1),
            LossFunction::Softmax => threads,
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(others)
            .thread_name(|index| format!("cpu-engine-{index}"))
            .build()
            .map_err(Error::no_threads("training"))?;
        Ok(Self {
            arch: Arch::new(),
            threads,
            pool,
        })
    }

    /// Calls `work` once on each thread, with the thread's number. The current thread is the first;
    /// threads of the pool are the others, always by the same numbers, so that their caches have
    /// what they worked on before.
    pub(super) fn on_all(&self, work: impl Fn(usize) + Sync) {
        let done = AtomicUsize::new(1);
        self.pool.in_place_scope(|scope| {
            if self.threads > 1 {
                scope.spawn_broadcast(|_, thread| {
                    work(1 + thread.index());
                    done.fetch_add(1, Ordering::Release);
                });
            }
            work(0);
            // All end at nearly the same time: to go to sleep takes longer than to wait.
            for _ in 0..WAITS {
                if done.load(Ordering::Acquire) == self.threads {
                    break;
                }
                std::thread::yield_now();
            }
        });
    }
}

/// A range that threads take chunk by chunk, each as it gets to it.
#[derive(Debug)]
pub(super) struct Chunks {
    next: AtomicUsize,
    length: usize,
    chunk: usize,
}

impl Chunks {
    /// The range up to `length`, in chunks of `chunk`, at least 1.
    pub(super) fn new(length: usize, chunk: usize) -> Self {
        Self {
            next: AtomicUsize::new(0),
            length,
            chunk,
        }
    }
}

impl Iterator for &Chunks {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        let first = self.next.fetch_add(self.chunk, Ordering::Relaxed);
        (first < self.length).then(|| first..self.length.min(first + self.chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_take_every_element_once() {
        for (length, chunk) in [(0, 1), (1, 5), (10, 3), (12, 4)] {
            let chunks = Chunks::new(length, chunk);
            let mut all = std::thread::scope(|scope| {
                let take = || chunks.flatten().collect::<Vec<usize>>();
                let threads = [(); 3].map(|()| scope.spawn(take));
                threads.map(|thread| thread.join().unwrap()).concat()
            });
            all.sort_unstable();
            assert_eq!(all, (0..length).collect::<Vec<_>>(), "{length}, {chunk}");
        }
    }
}
