//! What `-h`, `--help` and the manual show beside the definitions of the arguments.

use clap::Command;

/// The options that `-h` shows of commands with more than ten, by their ids.
const USED: [(&str, &[&str]); 4] = [
    (
        "train",
        &[
            "output",
            "model",
            "loss",
            "dim",
            "subwords",
            "window",
            "min_count",
            "epochs",
            "lr",
            "engine",
        ],
    ),
    (
        "bench",
        &[
            "seconds", "sweep", "model", "loss", "dim", "window", "engine", "adapter", "verbose",
            "json",
        ],
    ),
    (
        "vocab",
        &[
            "output",
            "min_count",
            "max_vocab",
            "lowercase",
            "keep_words",
            "stop_words",
            "threads",
            "quiet",
            "json",
        ],
    ),
    (
        "phrases",
        &[
            "output",
            "threshold",
            "delta",
            "min_count",
            "passes",
            "separator",
            "threads",
            "quiet",
            "json",
        ],
    ),
];

/// The most columns of the help, however wide the terminal is.
const COLUMNS: usize = 100;

const EXIT_STATUS: &str = "  0  done
  1  something failed, as the message on standard error says
  2  wrong usage";

const STOPPED: &str = "  130, 143, 129  stopped by Ctrl-C, SIGTERM or SIGHUP";

const ENVIRONMENT: &str = "  NO_COLOR  no colours where it is set, as with --color never
  TMPDIR    the folder of temporary files";

const DEFAULTS: &str = "  W2V_GPU_*  other defaults of train: W2V_GPU_DIM is that of --dim";

const FILES_OF_TRAIN: &str = "  OUT                              the vectors
  OUT.json                         the settings of the run, which --config reads
  .vocab or .metadata.tsv for OUT  the words, if OUT is .npy or .tsv
  .w2v-gpu-*.tmp                   left of a killed process; it may be deleted";

/// The commands that ask at a prompt.
const ASKING: [&str; 5] = ["neighbors", "analogy", "similarity", "odd", "vector"];

const FILES_OF_ASKING: &str =
    "  ~/.local/state/w2v-gpu/history  the lines typed at a prompt; it may be deleted.
                                  XDG_STATE_HOME replaces ~/.local/state, and
                                  LOCALAPPDATA does on Windows";

/// The sections at the end of the long help and of the manual: titles with their lines. `None` is
/// the program itself.
pub(super) fn sections(command: Option<&str>) -> Vec<(&'static str, String)> {
    let trains = matches!(command, None | Some("train"));
    let with = |lines: &str, more: &str| match trains {
        true => format!("{lines}\n{more}"),
        false => lines.to_owned(),
    };
    let mut sections = vec![
        ("Exit status", with(EXIT_STATUS, STOPPED)),
        ("Environment", with(ENVIRONMENT, DEFAULTS)),
    ];
    let files = match command {
        Some("train") => Some(FILES_OF_TRAIN),
        Some(command) if ASKING.contains(&command) => Some(FILES_OF_ASKING),
        _ => None,
    };
    sections.extend(files.map(|files| ("Files", files.to_owned())));
    sections
}

/// The program with a short and a long help for each command.
pub(super) fn complete(program: Command) -> Command {
    let program = for_each_command(program, |command| {
        let name = command.get_name().to_owned();
        with_sections(shortened(command), Some(&name))
    });
    with_sections(program.max_term_width(COLUMNS), None)
}

/// The program with each of its commands changed.
pub(super) fn for_each_command(program: Command, change: impl Fn(Command) -> Command) -> Command {
    let names: Vec<String> = program
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    names.into_iter().fold(program, |program, name| {
        program.mut_subcommand(name, &change)
    })
}

/// The command with a `-h` that leaves out what few people use.
fn shortened(command: Command) -> Command {
    let name = command.get_name();
    let Some((_, shown)) = USED.iter().find(|(command, _)| *command == name) else {
        return command;
    };
    command.mut_args(|arg| {
        let is_used = arg.is_positional() || shown.contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_used)
    })
}

/// The command with its sections below its examples, in the long help.
fn with_sections(command: Command, name: Option<&str>) -> Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let sections = sections(name).into_iter();
    let sections = sections.map(|(title, lines)| format!("{title}:\n{lines}"));
    let texts: Vec<String> = examples.into_iter().chain(sections).collect();
    command.after_long_help(texts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    #[test]
    fn a_short_help_shows_ten_options_at_most_and_a_long_one_all() {
        let mut program = complete(Cli::command());
        program.build();
        let commands = program.get_subcommands_mut();
        for command in commands.filter(|command| command.get_name() != "help") {
            let name = command.get_name().to_owned();
            let options = command.get_opts().filter(|option| !option.is_hide_set());
            let (shown, hidden): (Vec<_>, Vec<_>) =
                options.partition(|option| !option.is_hide_short_help_set());
            assert!(shown.len() <= 10, "{name}: {shown:?}");
            let hidden: Vec<String> = hidden.iter().map(ToString::to_string).collect();
            let long = command.render_long_help().to_string();
            for option in hidden {
                assert!(long.contains(&option), "{name}: {option}");
            }
            assert!(
                long.contains("Exit status:") && long.contains("NO_COLOR"),
                "{name}"
            );
        }
    }

    #[test]
    fn what_a_short_help_shows_exists() {
        let program = Cli::command();
        for (name, shown) in USED {
            let command = program.find_subcommand(name).expect(name);
            for option in shown {
                let ids = command.get_arguments().map(|arg| arg.get_id().as_str());
                assert!(ids.into_iter().any(|id| id == *option), "{name}: {option}");
            }
        }
    }
}
