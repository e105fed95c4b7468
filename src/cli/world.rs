//! The processes that a launcher of MPI, such as `mpirun`, started for one run.

use crate::Error;
use crate::engine::choice::Process;
#[cfg(feature = "mpi")]
use crate::train::ranks::Mpi;
use crate::train::ranks::Ranks;

/// The other processes of the run, if there are any.
pub(super) struct World {
    #[cfg(feature = "mpi")]
    mpi: Option<Mpi>,
}

/// The variables by which launchers tell how many processes they started: those of Open MPI, of
/// MPICH and its kin, and of Slurm for jobs by PMIx.
const SIZES: [(&str, &str); 3] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_SIZE", "PMI_SIZE"),
    ("PMIX_RANK", "SLURM_NTASKS"),
];

/// The number of processes that a launcher started, by the environment; `None` without a launcher.
fn launched(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let (_, size) = SIZES.iter().find(|(sign, _)| variable(sign).is_some())?;
    variable(size)?.parse().ok()
}

impl World {
    /// Joins the other processes, if a launcher started any.
    ///
    /// # Errors
    /// [`Error::Setting`] for several processes without MPI in the program: each would train the
    /// same model and write the same file. Also for a launcher of another MPI than the program's.
    /// [`Error::Ranks`] when MPI does not begin.
    pub(super) fn join() -> Result<Self, Error> {
        let size = launched(|name| std::env::var(name).ok());
        #[cfg(feature = "mpi")]
        {
            let mpi = size.map(|_| Mpi::begin()).transpose()?;
            let known = mpi.as_ref().map(|mpi| mpi.size());
            if let (Some(size), Some(1)) = (size.filter(|&size| size > 1), known) {
                let why = "the launcher is of another MPI than this program, whose processes do \
                           not find each other; use the `mpirun` of the MPI that it was built with";
                return Err(Error::setting("ranks", size, why));
            }
            if mpi.is_some() {
                end_all_on_panic();
            }
            Ok(Self { mpi })
        }
        #[cfg(not(feature = "mpi"))]
        match size {
            Some(size) if size > 1 => Err(Error::setting(
                "ranks",
                size,
                "a launcher of MPI started several processes, and this program was built without \
                 MPI, so that each would train the same model and write the same file; build it \
                 with `cargo install w2v-gpu --features mpi`, or start one",
            )),
            _ => Ok(Self {}),
        }
    }

    /// The ranks of the run, unless this process is the only one.
    pub(super) fn ranks(&self) -> Option<&dyn Ranks> {
        #[cfg(feature = "mpi")]
        return self
            .mpi
            .as_ref()
            .filter(|mpi| mpi.size() > 1)
            .map(|mpi| mpi as &dyn Ranks);
        #[cfg(not(feature = "mpi"))]
        None
    }

    /// The place of this process among those of the run.
    pub(super) fn process(&self) -> Option<Process> {
        #[cfg(feature = "mpi")]
        return self
            .mpi
            .as_ref()
            .filter(|mpi| mpi.size() > 1)
            .map(Mpi::process);
        #[cfg(not(feature = "mpi"))]
        None
    }

    /// The name of this machine, where there are several ranks.
    pub(super) fn host(&self) -> &str {
        #[cfg(feature = "mpi")]
        return self.mpi.as_ref().map_or("", Mpi::host);
        #[cfg(not(feature = "mpi"))]
        ""
    }

    /// Ends the run. When a rank has failed, it says so and ends all of them.
    pub(super) fn end(self, result: anyhow::Result<()>) -> anyhow::Result<()> {
        #[cfg(feature = "mpi")]
        if let (Some(mpi), Err(error)) = (self.mpi.as_ref().filter(|mpi| mpi.size() > 1), &result)
            && !error.is::<super::signals::Interrupted>()
        {
            end_all(mpi, error);
        }
        result
    }
}

/// Tells the error of this rank and ends all. An error that all ranks have, such as a wrong option,
/// is told by rank 0 alone: the others give it the time to.
#[cfg(feature = "mpi")]
fn end_all(mpi: &Mpi, error: &anyhow::Error) -> ! {
    use std::io::Write;

    let mut who = String::new();
    if mpi.rank() > 0 {
        std::thread::sleep(std::time::Duration::from_secs(1));
        who = format!("rank {} ({}): ", mpi.rank(), mpi.host());
    }
    let message = super::terminal::message(&error.to_string());
    // In one piece, as launchers put lines of their own in between. Stderr may be closed by now.
    let line = format!("error: {who}{message}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    let is_usage = error.downcast_ref().is_some_and(Error::is_wrong_usage);
    mpi.abort(if is_usage { 2 } else { 1 })
}

/// A rank that panics would leave the others waiting for ever.
#[cfg(feature = "mpi")]
fn end_all_on_panic() {
    let thread = std::thread::current().id();
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        // The panics of other threads become errors of this one.
        if std::thread::current().id() == thread {
            Mpi::abort_all(101);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_their_variables() {
        let of = |variables: &'static [(&str, &str)]| {
            launched(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "4")]), Some(4));
        assert_eq!(of(&[("PMI_SIZE", "1"), ("PMI_RANK", "0")]), Some(1));
        assert_eq!(of(&[("PMIX_RANK", "0"), ("SLURM_NTASKS", "8")]), Some(8));
        // A job of Slurm that is not of MPI.
        assert_eq!(of(&[("SLURM_NTASKS", "8")]), None);
    }
}
