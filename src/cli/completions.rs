//! `completions`: prints completions for a shell.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Arg, Command, CommandFactory, ValueHint};
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
    Ok(io::stdout().write_all(script(args.shell)?.as_bytes())?)
}

/// The completions of a shell, with the generator's mistakes corrected.
fn script(shell: Shell) -> Result<String> {
    // The generator panics if it cannot write, as into a closed pipe. Into memory it always can.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_folders_and_files(), "w2v-gpu", &mut script);
    let script = String::from_utf8(script)?;
    Ok(match shell {
        // The generator spells the program's name in two ways, because of its hyphen. Then no
        // command is recognized.
        Shell::Bash => script.replace("w2v__subcmd__gpu", "w2v__gpu"),
        // With two colons, no option would be completed after the first argument.
        Shell::Zsh => script.replace("'*::", "'*:"),
        _ => script,
    })
}

/// The program; its options say of a path whether it is a folder or a file.
fn with_folders_and_files() -> Command {
    let hint = |arg: Arg| {
        let is_folder = arg
            .get_value_names()
            .is_some_and(|names| names.iter().any(|name| name == "DIR"));
        match arg.get_value_hint() {
            ValueHint::AnyPath if is_folder => arg.value_hint(ValueHint::DirPath),
            ValueHint::AnyPath => arg.value_hint(ValueHint::FilePath),
            _ => arg,
        }
    };
    super::help::for_each_command(super::Cli::command(), |command| command.mut_args(hint))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        super::super::Cli::command().debug_assert();
    }
}
