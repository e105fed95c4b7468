//! Hostile input: every reader is fed with damaged copies of valid files, for half a second each,
//! or as many seconds as `W2V_GPU_FUZZ_SECONDS` says. None may panic, hand out what breaks its
//! word, or take more memory than a bound relative to the size of its input. The inputs are the
//! same on every run; a failure names the number that makes its input again. Where memory was
//! refused and the process ended, the input is in the last folder for temporary files that it left.

#[path = "../common/mod.rs"]
mod common;
mod driver;
mod targets;

/// The checks of every reader, which the targets of libFuzzer share (`fuzz/`).
#[path = "../../fuzz/src/checks/mod.rs"]
#[allow(
    unreachable_pub,
    reason = "the crate of the targets of libFuzzer hands these modules on"
)]
mod checks;
