//! Handles SIGINT (Ctrl-C), SIGTERM and SIGHUP during a training run. The first signal lets the run
//! end in order, the second ends it at once.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::system;
use anyhow::Result;

/// The signals that a run receives.
#[derive(Default)]
pub(super) struct Signals {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Whether the run is to stop.
    stop: AtomicBool,
    /// The number of the first signal received, or 0.
    first: AtomicU8,
}

/// The error of a run that a signal has ended.
#[derive(Debug)]
pub(super) struct Interrupted {
    signal: u8,
    how: String,
}

impl Signals {
    /// Listens from now on. Before that, a signal ends the process, as it does by default. A signal
    /// that the process ignores, as under `nohup` or in the background of a script, stays ignored.
    pub(super) fn listen() -> Result<Self> {
        let state = Arc::new(State::default());
        let listener = Arc::clone(&state);
        on_signal(move |signal| listener.receive(signal))?;
        Ok(Self { state })
    }

    /// The request to stop, which is true once a signal was received.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.state.stop
    }

    /// The error that ends the process with the message `how` and the exit code of the signal
    /// received.
    pub(super) fn interrupted(&self, how: String) -> Interrupted {
        Interrupted {
            signal: self.state.first.load(Ordering::Relaxed),
            how,
        }
    }

    /// Fails if a signal was received while the work was completed.
    pub(super) fn check(&self) -> Result<()> {
        if self.state.stop.load(Ordering::Relaxed) {
            return Err(self
                .interrupted("everything had been done and is written".to_owned())
                .into());
        }
        Ok(())
    }
}

impl State {
    fn receive(&self, signal: u8) {
        if self
            .first
            .compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            self.stop.store(true, Ordering::Relaxed);
            // The cursor is at the end of the bar's line on a terminal.
            let start = if io::stderr().is_terminal() { "\n" } else { "" };
            let name = name(signal);
            let _ = writeln!(
                io::stderr(),
                "{start}{name}: ending in good order; a second one stops at once"
            );
        } else {
            system::remove_temporaries();
            exit_at_once(128 + i32::from(signal));
        }
    }
}

impl Interrupted {
    /// The exit code: 128 plus the number of the signal, as shells have it.
    pub(super) fn exit_code(&self) -> u8 {
        128 + self.signal
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", name(self.signal), self.how)
    }
}

impl std::error::Error for Interrupted {}

const SIGHUP: u8 = 1;
const SIGINT: u8 = 2;

fn name(signal: u8) -> &'static str {
    match signal {
        SIGHUP => "SIGHUP",
        SIGINT => "SIGINT",
        _ => "SIGTERM",
    }
}

#[cfg(unix)]
fn on_signal(mut receive: impl FnMut(u8) + Send + 'static) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let ignored = ignored();
    let heeded = [SIGHUP, SIGINT, SIGTERM]
        .into_iter()
        .filter(|signal| ignored & 1 << (signal - 1) == 0);
    let mut signals = signal_hook::iterator::Signals::new(heeded)?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            // The numbers of all these signals are small.
            signals.forever().for_each(|signal| receive(signal as u8));
        })
        .map_err(crate::Error::no_threads("listening to signals"))?;
    Ok(())
}

/// Lets a file that grows beyond the limit of the system (`ulimit -f`) be an error of its writer,
/// which names it. By default the signal ends the process.
pub(super) fn survive_large_files() {
    #[cfg(unix)]
    {
        let unread = Arc::new(AtomicBool::new(false));
        // Without it, the process ends as it does by default.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, unread);
    }
}

/// The signals that the parent process wants ignored. Bit 0 stands for signal 1. No bit is set if
/// the system has no `/proc`.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Windows has Ctrl-C alone.
#[cfg(windows)]
fn on_signal(mut receive: impl FnMut(u8) + Send + 'static) -> Result<()> {
    Ok(ctrlc::set_handler(move || receive(SIGINT))?)
}

/// Ends the process without waiting for threads or drivers, which may be the ones that hang.
fn exit_at_once(code: i32) -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(code);
    #[cfg(not(unix))]
    std::process::exit(code)
}
