//! The `w2v-gpu` command: see `w2v-gpu --help`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
