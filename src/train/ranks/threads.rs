//! Ranks that are threads of one process.

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Ranks;
use crate::error::{Error, Result};

/// One of several ranks in one process: a channel to each rank, and one from each.
///
/// A rank that is dropped has ended. The others learn of it when they next wait for it.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    to: Vec<Sender<Vec<u32>>>,
    from: Vec<Receiver<Vec<u32>>>,
}

impl Threads {
    /// As many ranks, each to be moved to the thread that it is.
    pub fn new(size: usize) -> Vec<Self> {
        let mut ranks: Vec<Self> = (0..size)
            .map(|rank| Self {
                rank,
                to: Vec::with_capacity(size),
                from: Vec::with_capacity(size),
            })
            .collect();
        for sender in 0..size {
            for receiver in 0..size {
                let (to, from) = unbounded();
                ranks[sender].to.push(to);
                ranks[receiver].from.push(from);
            }
        }
        ranks
    }
}

impl Ranks for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn exchange(&self, parts: Vec<Vec<u32>>) -> Result<Vec<Vec<u32>>> {
        for (to, part) in self.to.iter().zip(parts) {
            // A rank that has ended is noticed just below.
            let _ = to.send(part);
        }
        let receive = |(rank, from): (usize, &Receiver<_>)| {
            from.recv()
                .map_err(|_| Error::ranks(format!("rank {rank} has ended")))
        };
        self.from.iter().enumerate().map(receive).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What each of so many ranks makes of its part, in the order of the ranks.
    pub(in crate::train) fn on_each<T: Send>(
        size: usize,
        work: impl Fn(&Threads) -> T + Sync,
    ) -> Vec<T> {
        std::thread::scope(|scope| {
            let start = |ranks: Threads| {
                scope.spawn(|| {
                    let ranks = ranks;
                    work(&ranks)
                })
            };
            let threads: Vec<_> = Threads::new(size).into_iter().map(start).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().unwrap();
            threads.into_iter().map(join).collect()
        })
    }

    #[test]
    fn every_rank_receives_its_part_of_all() {
        for size in 1..5 {
            let received = on_each(size, |ranks| {
                let own = ranks.rank() as u32;
                // Parts of different lengths, and twice, so that calls do not mix.
                let parts = |call: u32| {
                    (0..size as u32)
                        .map(move |to| vec![own, to, call][..2 + to as usize % 2].to_vec())
                };
                (0..2).for_each(|call| _ = ranks.exchange(parts(call).collect()).unwrap());
                (
                    ranks.exchange(parts(9).collect()).unwrap(),
                    ranks.gather(vec![own; 3]).unwrap(),
                )
            });
            for (rank, (parts, all)) in received.into_iter().enumerate() {
                for from in 0..size {
                    let expected = [from as u32, rank as u32, 9];
                    assert_eq!(parts[from], expected[..2 + rank % 2]);
                    assert_eq!(all[from], [from as u32; 3]);
                }
            }
        }
    }

    #[test]
    fn a_rank_that_has_ended_is_named() {
        let errors = on_each(3, |ranks| match ranks.rank() {
            1 => None,
            _ => Some(ranks.gather(Vec::new()).unwrap_err().to_string()),
        });
        let expected = Some("several ranks: rank 1 has ended".to_owned());
        assert_eq!(errors, [expected.clone(), None, expected]);
    }
}
