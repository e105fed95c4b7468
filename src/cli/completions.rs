//! `completions`: for the shell.

use std::io::{self, Write};

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu completions bash > ~/.local/share/bash-completion/completions/w2v-gpu
  w2v-gpu completions zsh > ~/.zfunc/_w2v-gpu
  w2v-gpu completions fish > ~/.config/fish/completions/w2v-gpu.fish")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    // The generator panics where it cannot write, as into a pipe that was closed; into memory it always can.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "w2v-gpu", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        super::super::Cli::command().debug_assert();
    }
}
