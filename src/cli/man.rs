//! `man`: the manual as roff, for those who package the program.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::system::write_atomically;
use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::{Cli, help};

/// Prints the page of the manual about the program, or about one of its commands, as roff
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu man --output /usr/local/share/man/man1
  w2v-gpu man > w2v-gpu.1
  w2v-gpu man train > w2v-gpu-train.1
  w2v-gpu man eval | man -l -")]
pub(crate) struct Args {
    /// The command
    command: Option<String>,
    /// Write all pages into this folder: w2v-gpu.1, w2v-gpu-train.1 and so on
    #[arg(short, long, value_name = "DIR", conflicts_with = "command")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut program = Cli::command();
    program.build();
    if let Some(folder) = &args.output {
        return write_all(&program, folder);
    }
    let page = match &args.command {
        None => page(program, None)?,
        Some(name) => page_of(&program, find(&program, name)?)?,
    };
    Ok(io::stdout().write_all(&page)?)
}

/// The commands that have a page.
fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    let commands = program.get_subcommands();
    commands.filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn find<'a>(program: &'a Command, name: &str) -> Result<&'a Command> {
    commands(program)
        .find(|command| command.get_name() == name)
        .ok_or_else(|| {
            let names: Vec<&str> = commands(program).map(Command::get_name).collect();
            let why = format!("is none of {}", names.join(", "));
            Error::setting("COMMAND", format!("{name:?}"), why).into()
        })
}

/// Writes the page of the program and that of each command.
fn write_all(program: &Command, folder: &Path) -> Result<()> {
    let mut pages = vec![("w2v-gpu".to_owned(), page(program.clone(), None)?)];
    for command in commands(program) {
        let name = format!("w2v-gpu-{}", command.get_name());
        pages.push((name, page_of(program, command)?));
    }
    for (name, page) in pages {
        write_atomically(&folder.join(name + ".1"), |out| out.write_all(&page))?;
    }
    Ok(())
}

/// The page of a command, which calls it `w2v-gpu-NAME`.
fn page_of(program: &Command, command: &Command) -> Result<Vec<u8>> {
    let name = command.get_name();
    let full = format!("{}-{name}", program.get_name());
    page(command.clone().name(full), Some(name))
}

/// A page: what the library makes of a command, then our sections. `name` is the name of the
/// command.
fn page(command: Command, name: Option<&str>) -> Result<Vec<u8>> {
    let has_examples = command.get_after_help().is_some();
    let has_commands = command.has_subcommands();
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    if has_examples {
        man.render_extra_section(&mut page)?;
    }
    for (title, lines) in help::sections(name) {
        let mut section = Roff::new();
        section.control("SH", [&*title.to_uppercase()]);
        section.control("nf", []);
        section.text(
            lines
                .lines()
                .map(|line| roman(format!("{}\n", line.trim_start())))
                .collect::<Vec<_>>(),
        );
        section.control("fi", []);
        section.to_writer(&mut page)?;
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}
