//! The command line: parses it, runs the command, and ends with its exit code.

mod analogy;
mod bar;
mod bench;
mod checkpoint;
mod color;
mod completions;
mod convert;
mod defaults;
mod devices;
mod environment;
mod eval;
mod follow;
mod foreign;
mod hardware;
mod help;
mod lines;
mod man;
mod metrics;
mod nearest;
mod neighbors;
mod odd;
mod options;
#[cfg(test)]
mod options_page;
mod outputs;
mod parse;
mod phrases;
mod plan;
mod progress;
mod prompt;
mod query;
mod report;
#[cfg(target_os = "linux")]
mod runtime_folder;
mod signals;
mod similarity;
mod terminal;
mod text;
mod train;
mod vector;
mod vectors;
mod vocab;
mod world;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::Error;
use crate::system::STDOUT;
use clap::{Parser, Subcommand};

use self::signals::Interrupted;

/// Train word vectors (word2vec: skip-gram and CBOW) on any GPU and on the CPU, reproducible bit for bit
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
#[command(styles = color::STYLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    coloring: color::Coloring,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Devices(devices::Args),
    Bench(Box<bench::Args>),
    Eval(eval::Args),
    Neighbors(neighbors::Args),
    Analogy(analogy::Args),
    Similarity(similarity::Args),
    Odd(odd::Args),
    Vector(vector::Args),
    Convert(convert::Args),
    Report(report::Args),
    Vocab(vocab::Args),
    Phrases(phrases::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Man(man::Args),
}

/// Runs the command that was typed: the program's name and its arguments. Returns the exit code,
/// which is 0 when the command is done, 2 for wrong usage, 1 for other failures. A mistake in the
/// arguments ends the process at once. No other thread may run yet.
pub fn run(typed: impl IntoIterator<Item = OsString>) -> u8 {
    #[cfg(target_os = "linux")]
    runtime_folder::name();
    signals::survive_large_files();
    let typed: Vec<OsString> = typed.into_iter().collect();
    color::follow(color::typed(&typed));
    let result = parse::parse(typed)
        .map_err(anyhow::Error::from)
        .and_then(|cli| execute(&cli.command));
    match result {
        Ok(()) => 0,
        Err(error) if is_broken_pipe(&error) => 0,
        Err(error) => {
            let interrupted = error.downcast_ref::<Interrupted>();
            let what = if interrupted.is_some() { "" } else { "error: " };
            terminal::to_stderr(&format!("{what}{error}"));
            match (interrupted, error.downcast_ref()) {
                (Some(interrupted), _) => interrupted.exit_code(),
                (None, Some(error)) if Error::is_wrong_usage(error) => 2,
                (None, _) => 1,
            }
        }
    }
}

fn execute(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Neighbors(args) => neighbors::run(args),
        Command::Analogy(args) => analogy::run(args),
        Command::Similarity(args) => similarity::run(args),
        Command::Odd(args) => odd::run(args),
        Command::Vector(args) => vector::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Report(args) => report::run(args),
        Command::Vocab(args) => vocab::run(args),
        Command::Phrases(args) => phrases::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Whether the reader of our standard output has gone, as `head` does. That is no failure of ours.
/// A pipe that was named as a file is another matter: its output is lost.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    if let Some(Error::Io { path, .. }) = error.downcast_ref()
        && ![STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
            .iter()
            .any(|stdout| path == Path::new(stdout))
    {
        return false;
    }
    error.chain().any(|cause| {
        let kind = cause
            .downcast_ref::<io::Error>()
            .map(io::Error::kind)
            .or_else(|| {
                cause
                    .downcast_ref::<serde_json::Error>()
                    .and_then(serde_json::Error::io_error_kind)
            });
        kind == Some(io::ErrorKind::BrokenPipe)
    })
}

/// Sends the library's log to stderr: warnings; with `-v` also the negotiation with the device;
/// with `-vv` everything of ours.
fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(console::colors_enabled_stderr())
        .without_time()
        .init();
}
