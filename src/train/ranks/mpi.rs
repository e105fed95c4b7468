//! Ranks that MPI started as processes, on one machine or several.

use std::cell::OnceCell;
use std::fmt;

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::{Universe, initialize_with_threading, processor_name};
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;

use super::Ranks;
use crate::engine::choice::Process;
use crate::error::{Error, Result};

/// This process as one of the ranks that MPI started. MPI ends when it is dropped.
pub struct Mpi {
    world: SimpleCommunicator,
    process: Process,
    host: OnceCell<String>,
    /// Ends MPI; the last to be dropped.
    _universe: Universe,
}

impl fmt::Debug for Mpi {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Mpi");
        shown.field("rank", &self.rank());
        shown.field("process", &self.process);
        shown.finish_non_exhaustive()
    }
}

impl Mpi {
    /// Begins MPI. The calling thread alone may use it.
    ///
    /// # Errors
    /// [`Error::Ranks`] when MPI has begun already.
    pub fn begin() -> Result<Self> {
        let begun = initialize_with_threading(Threading::Funneled);
        let (universe, _) = begun.ok_or_else(|| Error::ranks("MPI has begun already"))?;
        let world = universe.world();
        let host = world.split_shared(world.rank());
        let process = Process {
            ranks: world.size() as usize,
            local: host.rank() as usize,
            locals: host.size() as usize,
        };
        Ok(Self {
            world,
            process,
            host: OnceCell::new(),
            _universe: universe,
        })
    }

    /// The place of this process among those of the run.
    pub fn process(&self) -> Process {
        self.process
    }

    /// The name of this rank's machine.
    pub fn host(&self) -> &str {
        self.host
            .get_or_init(|| processor_name().unwrap_or_else(|_| "unknown host".to_owned()))
    }

    /// Ends all ranks at once, with an exit code.
    pub fn abort(&self, code: u8) -> ! {
        self.world.abort(code.into())
    }

    /// Ends all ranks at once, from where there is no [`Mpi`] at hand.
    pub fn abort_all(code: u8) -> ! {
        SimpleCommunicator::world().abort(code.into())
    }

    /// The largest of a number over all ranks.
    fn max(&self, own: u64) -> u64 {
        let mut largest = 0;
        let max = SystemOperation::max();
        self.world.all_reduce_into(&own, &mut largest, max);
        largest
    }

    /// Exchanges parts that are short enough for the numbers of MPI, which have 31 bits.
    fn exchange_short(&self, parts: &[&[u32]]) -> Vec<Vec<u32>> {
        let counts: Vec<i32> = parts.iter().map(|part| part.len() as i32).collect();
        let mut received_counts = vec![0; parts.len()];
        self.world
            .all_to_all_into(&counts[..], &mut received_counts[..]);
        let sent = parts.concat();
        let mut received = vec![0u32; received_counts.iter().sum::<i32>() as usize];
        let starts = starts(&received_counts);
        {
            let sent = Partition::new(&sent[..], &counts[..], self::starts(&counts));
            let mut places =
                PartitionMut::new(&mut received[..], &received_counts[..], &starts[..]);
            self.world.all_to_all_varcount_into(&sent, &mut places);
        }
        let ends = starts.iter().zip(&received_counts);
        ends.map(|(&start, &count)| received[start as usize..][..count as usize].to_vec())
            .collect()
    }
}

/// Where lists of so many items begin, one after the other.
fn starts(counts: &[i32]) -> Vec<i32> {
    let start = |next: &mut i32, &count: &i32| {
        let start = *next;
        *next += count;
        Some(start)
    };
    counts.iter().scan(0, start).collect()
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.process.ranks
    }

    fn exchange(&self, parts: Vec<Vec<u32>>) -> Result<Vec<Vec<u32>>> {
        let longest = parts.iter().map(Vec::len).max().unwrap_or(0);
        let longest = self.max(longest as u64) as usize;
        // All parts of all ranks together stay below 2^31 words in each round.
        let most = (i32::MAX as usize / self.size()).max(1);
        let mut received = vec![Vec::new(); self.size()];
        for start in (0..longest).step_by(most) {
            let cut = |part: &'_ Vec<u32>| start.min(part.len())..(start + most).min(part.len());
            let short: Vec<&[u32]> = parts.iter().map(|part| &part[cut(part)]).collect();
            for (all, more) in received.iter_mut().zip(self.exchange_short(&short)) {
                all.extend(more);
            }
        }
        Ok(received)
    }
}
