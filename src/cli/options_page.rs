//! `docs/options.md`: every option of every command, made of the definitions that the command line
//! itself reads.

use std::env;
use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use super::Cli;

const PAGE: &str = "docs/options.md";

/// Writes the page; without the variable the test only compares.
const RENEWAL: &str = "RENEW_DOCS=1 cargo test --lib options_page";

#[test]
fn the_page_of_options_is_that_of_the_command_line() {
    let (path, made) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), page());
    if env::var_os("RENEW_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{PAGE} is stale; renew it: {RENEWAL}");
}

#[test]
fn texts_keep_their_meaning_in_a_table() {
    assert_eq!(
        prose("a <B> or `c|d`, *e* [f] g_h\n\n- i"),
        r"a \<B> or `c\|d`, \*e\* \[f] g\_h - i"
    );
    assert_eq!(
        meaning_and_default("Threads [default: one for each core]"),
        ("Threads", Some("one for each core"))
    );
    assert_eq!(meaning_and_default("Threads"), ("Threads", None));
}

/// The whole page.
fn page() -> String {
    let mut program = Cli::command();
    program.build();
    let commands = program.get_subcommands_mut();
    let sections = commands
        .filter(|command| command.get_name() != "help")
        .map(section);
    format!(
        "# Options\n\n\
         Every command with its arguments and options, made of the definitions that the command line \
         itself reads.\n`{RENEWAL}` renews this page, and the same test fails where it is stale. \
         `--help` shows the same\nin the terminal, and `-h` what people use most. Every command also \
         takes `--version` and `--color`.\n\
         [The guide](guide.md) says when to use what.\n{}",
        sections.collect::<String>()
    )
}

/// What a command does, its usage, a table for each group of options, and its examples.
fn section(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    let about = command.get_long_about().or(command.get_about());
    let paragraphs = about.map(|about| about.to_string().replace('<', r"\<"));
    let examples = command.get_after_long_help().or(command.get_after_help());
    let tables = groups(command).into_iter().map(|(heading, arguments)| {
        let rows = arguments.into_iter().map(row).collect::<String>();
        format!("\n### {heading}\n\n| option | default | meaning |\n|---|---|---|\n{rows}")
    });
    format!(
        "\n## {}\n\n{}\n\n{}{}{}",
        command.get_name(),
        paragraphs.unwrap_or_default(),
        fenced(usage.trim_start_matches("Usage: ")),
        tables.collect::<String>(),
        examples.map_or_else(String::new, |examples| format!(
            "\n{}",
            fenced(&examples.to_string())
        )),
    )
}

/// The arguments of a command under the headings of its `--help`, in the same order.
fn groups(command: &Command) -> Vec<(&str, Vec<&Arg>)> {
    let mut groups = vec![("Arguments", Vec::new()), ("Options", Vec::new())];
    let is_common = |arg: &Arg| ["help", "version", "color"].contains(&arg.get_id().as_str());
    for arg in command
        .get_arguments()
        .filter(|arg| !is_common(arg) && !arg.is_hide_set())
    {
        let plain = if arg.is_positional() {
            "Arguments"
        } else {
            "Options"
        };
        let heading = arg.get_help_heading().unwrap_or(plain);
        match groups.iter_mut().find(|(name, _)| *name == heading) {
            Some((_, group)) => group.push(arg),
            None => groups.push((heading, vec![arg])),
        }
    }
    groups.retain(|(_, group)| !group.is_empty());
    groups
}

/// An argument as a row of a table.
fn row(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let (meaning, default_in_words) = meaning_and_default(&help);
    let defaults = arg.get_default_values().iter();
    let defaults = defaults.map(|value| code(&value.to_string_lossy()));
    let default = match default_in_words {
        Some(words) => prose(words),
        None if arg.get_action().takes_values() => defaults.collect::<Vec<_>>().join(", "),
        None => String::new(),
    };
    format!(
        "| {} | {default} | {}{} |\n",
        names(arg),
        prose(meaning),
        values(arg)
    )
}

/// Splits the default off a help text that ends with it.
fn meaning_and_default(help: &str) -> (&str, Option<&str>) {
    help.strip_suffix(']')
        .and_then(|help| help.rsplit_once(" [default: "))
        .map_or((help, None), |(meaning, default)| (meaning, Some(default)))
}

/// All names of an argument, the last one with its value.
fn names(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    let aliases = aliases.iter().map(|alias| format!("--{alias}"));
    let names = short.into_iter().chain([arg.to_string()]).chain(aliases);
    names.map(|name| code(&name)).collect::<Vec<_>>().join(", ")
}

/// The values that an argument may have, each on a line of its own if something is said of it.
fn values(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    let values = arg.get_possible_values();
    let shown = values.iter().map(|value| {
        let help = value.get_help().map(ToString::to_string);
        let line = help.map(|help| format!("<br>{}: {}", code(value.get_name()), prose(&help)));
        line.unwrap_or_else(|| format!(" {}", code(value.get_name())))
    });
    let shown = shown.collect::<String>();
    if shown.starts_with(' ') {
        return format!("<br>One of{shown}");
    }
    shown
}

/// A text on one line, whose characters mean nothing to Markdown.
fn prose(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut quoted = false;
    for c in text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
    {
        quoted ^= c == '`';
        if c == '|' || !quoted && "\\<*_[".contains(c) {
            line.push('\\');
        }
        line.push(c);
    }
    line
}

/// A name or value as code within a table.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', r"\|"))
}

/// Lines that stand as they are.
fn fenced(text: &str) -> String {
    format!("```text\n{}\n```\n", text.trim_end())
}
