//! What the readers must hold, whatever bytes they are given, as targets of libFuzzer.
//!
//! `tests/fuzz` gives the same checks damaged copies of valid files. libFuzzer looks for inputs that
//! take new ways through the code. `.ci/fuzz-by-coverage` runs every target for some time.

#![allow(
    unreachable_pub,
    reason = "the tests of the library have these modules as their own"
)]

pub mod checks;
mod common;

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use checks::Target;

thread_local! {
    static TARGET: RefCell<Option<Target>> = const { RefCell::new(None) };
}

/// Makes the target, and writes its seeds to the folder of inputs that libFuzzer was given.
pub fn start(make: fn() -> Target) {
    let target = make();
    let folder = std::env::args()
        .skip(1)
        .map(PathBuf::from)
        .find(|path| path.is_dir());
    for (number, seed) in target.seeds.iter().enumerate() {
        let Some(folder) = &folder else { break };
        let input = [&seed[..], &[number as u8]].concat();
        fs::write(folder.join(format!("seed-{number}")), input).unwrap();
    }
    TARGET.set(Some(target));
}

/// Gives the target an input: its last byte is the choice.
pub fn feed(input: &[u8]) {
    let (choice, bytes) = input
        .split_last()
        .map_or((0, input), |(last, rest)| (*last, rest));
    TARGET.with_borrow_mut(|target| {
        let target = target.as_mut().expect("`start` is called before any input");
        (target.check)(bytes, choice);
    });
}

/// The program of a target: `target!(w2v_gpu_fuzz::checks::texts::text);`.
#[macro_export]
macro_rules! target {
    ($make:expr) => {
        libfuzzer_sys::fuzz_target!(
            init: $crate::start(|| $make),
            |input: &[u8]| $crate::feed(input)
        );
    };
}
