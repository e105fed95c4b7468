//! Parses the command line, with the defaults from the environment and from files, and explains
//! mistakes.

use std::ffi::OsString;

use crate::Error;
use crate::error::one_line;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::{Cli, color, defaults, environment, foreign, help, train};

/// Parses a command line, which begins with the program's name. The defaults of `train` can be
/// changed by environment variables (`W2V_GPU_DIM` for `--dim`), by `--preset` and by `--config`.
///
/// # Errors
/// An error when the file of defaults is not valid. A mistake on the command line ends the program
/// at once.
pub(super) fn parse(typed: Vec<OsString>) -> Result<Cli, Error> {
    let program = help::complete(Cli::command()).color(color::typed(&typed));
    let mut command = with_negative_numbers(program);
    if let Some(error) = single_dash(command.clone(), &typed) {
        error.exit();
    }
    command = command.mut_subcommand("train", environment::with_variables);
    // The file of defaults may give a missing option, so the first parse accepts its absence.
    let lenient = command
        .clone()
        .mut_subcommand("train", |train| train.mut_args(defaults::optional));
    let first_look = lenient.try_get_matches_from(&typed).ok();
    if let Some(typed) = first_look.and_then(|typed| typed.subcommand_matches("train").cloned()) {
        let mut refused = None;
        command = command.mut_subcommand("train", |train| {
            defaults::apply(train.clone(), &typed).unwrap_or_else(|error| {
                refused = Some(error);
                train
            })
        });
        if let Some(error) = refused {
            return Err(error);
        }
    }
    let matches = command
        .try_get_matches_from_mut(&typed)
        .unwrap_or_else(|error| explained(error, &command, &typed));
    if let Some(typed) = matches.subcommand_matches("train") {
        environment::warn(&command);
        if let Some(why) = train::conflict(typed) {
            command.error(ErrorKind::ArgumentConflict, why).exit();
        }
    }
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// Lets every option take a number below zero. So the error message is about the number, and not
/// about an option `-1`.
fn with_negative_numbers(program: Command) -> Command {
    let numbers = |arg: Arg| {
        let takes_value = arg.get_long().is_some() && arg.get_action().takes_values();
        if takes_value {
            arg.allow_negative_numbers(true)
        } else {
            arg
        }
    };
    help::for_each_command(program, |command| command.mut_args(numbers))
}

/// The error for an option with one dash and a whole name, as word2vec.c and fastText have it.
/// Otherwise `-output x` would be taken for `-o utput`.
fn single_dash(mut program: Command, typed: &[OsString]) -> Option<clap::Error> {
    program.build();
    let name = typed.get(1)?.to_str()?;
    let has_command = program.find_subcommand(name).is_some();
    let command = program.find_subcommand_mut(if has_command { name } else { "train" })?;
    let options = typed[1..]
        .iter()
        .take_while(|arg| *arg != "--")
        .filter_map(|arg| arg.to_str());
    let is_single = |arg: &&str| arg.len() > 2 && arg.starts_with('-') && !arg.starts_with("--");
    let (option, advice) = options
        .filter(is_single)
        .find_map(|arg| Some((arg, foreign::option(command, arg)?)))?;
    let place = if has_command {
        ""
    } else {
        ", behind a command such as train"
    };
    let message = format!(
        "unexpected argument '{option}' found\n\n  tip: names take two dashes here{place}: {advice}"
    );
    Some(command.error(ErrorKind::UnknownArgument, message))
}

/// Ends the program with an error to which advice is added.
fn explained(mut error: clap::Error, program: &Command, typed: &[OsString]) -> ! {
    escape(&mut error);
    let text = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let command = typed.get(1).and_then(|name| program.find_subcommand(name));
    let advice = match error.kind() {
        ErrorKind::UnknownArgument => command
            .zip(text(ContextKind::InvalidArg))
            .and_then(|(command, option)| foreign::option(command, &option)),
        ErrorKind::InvalidSubcommand => {
            text(ContextKind::InvalidSubcommand).and_then(|name| foreign::command(&name))
        }
        ErrorKind::ValueValidation => {
            text(ContextKind::InvalidValue).and_then(|value| below_zero(&value))
        }
        _ => None,
    };
    if let Some(advice) = advice {
        // Clap's guess by spelling means another option or command.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![advice.into()]),
        );
    }
    error.exit()
}

/// Escapes what was typed, so that a line break in it makes no line of its own.
fn escape(error: &mut clap::Error) {
    let all = |texts: &[String]| texts.iter().map(|text| one_line(text)).collect();
    let escaped: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(one_line(text)))),
            ContextValue::Strings(texts) => Some((kind, ContextValue::Strings(all(texts)))),
            _ => None,
        })
        .collect();
    for (kind, value) in escaped {
        if kind == ContextKind::InvalidArg && error.get(kind) != Some(&value) {
            // Clap's advice repeats the argument as it was typed.
            error.remove(ContextKind::Suggested);
        }
        error.insert(kind, value);
    }
}

fn below_zero(value: &str) -> Option<String> {
    let is_negative = value.starts_with('-') && value.parse::<f64>().is_ok();
    is_negative.then(|| {
        "no number below 0 has a meaning here; leave the option out for its default".to_owned()
    })
}
