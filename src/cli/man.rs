//! `man`: the manual as roff, for those who package the program.

use std::io::{self, Write};

use crate::Error;
use anyhow::Result;
use clap::CommandFactory;

/// Prints the page of the manual about the program, or about one of its commands, as roff
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu man > w2v-gpu.1
  w2v-gpu man train > w2v-gpu-train.1
  w2v-gpu man eval | man -l -")]
pub(crate) struct Args {
    /// The command
    command: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut program = super::Cli::command();
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => page_of(&program, name)?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}

/// The command `name`, which its page calls `w2v-gpu-NAME`.
fn page_of(program: &clap::Command, name: &str) -> Result<clap::Command> {
    let commands = || {
        program
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
    };
    let Some(command) = commands().find(|command| command.get_name() == name) else {
        let names: Vec<&str> = commands().map(clap::Command::get_name).collect();
        let why = format!("is none of {}", names.join(", "));
        return Err(Error::setting("COMMAND", format!("{name:?}"), why).into());
    };
    Ok(command
        .clone()
        .name(command.get_display_name().unwrap_or(name).to_owned()))
}
