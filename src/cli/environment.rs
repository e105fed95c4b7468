//! Environment variables that change the defaults of `train`.

use std::env;

use clap::{Arg, Command};

use super::terminal::to_stderr;

/// The beginning of the names of all these variables.
const PREFIX: &str = "W2V_GPU_";

/// `train` with the defaults of the environment. An option has a variable for each of its names. If
/// several are set, the earliest name wins.
pub(super) fn with_variables(train: Command) -> Command {
    train.mut_args(|arg| {
        let variables = variables(&arg);
        let set = variables
            .iter()
            .find(|variable| env::var_os(variable).is_some());
        match set.or(variables.first()) {
            Some(variable) => arg.env(variable.clone()).hide_env(true),
            None => arg,
        }
    })
}

/// The variables of an option, its own name first. An argument that is no setting has none.
fn variables(arg: &Arg) -> Vec<String> {
    let is_setting = !["help", "version", "color"].contains(&arg.get_id().as_str());
    let own = arg.get_long().filter(|_| is_setting);
    let others = own.and_then(|_| arg.get_all_aliases()).unwrap_or_default();
    let variable = |name: &str| format!("{PREFIX}{}", name.replace('-', "_").to_uppercase());
    own.into_iter().chain(others).map(variable).collect()
}

/// Warns of variables that have no effect. Their names belong to no option, or the variable of an
/// earlier name of the same option is set.
pub(super) fn warn(program: &Command) {
    let Some(train) = program.find_subcommand("train") else {
        return;
    };
    let options: Vec<Vec<String>> = train.get_arguments().map(variables).collect();
    let set = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in set.filter(|name| name.starts_with(PREFIX)) {
        if let Some(why) = unread(&name, &options) {
            to_stderr(&format!("warning: the environment variable {name} {why}"));
        }
    }
}

/// The reason why a variable has no effect; `None` if it has one.
fn unread(name: &str, options: &[Vec<String>]) -> Option<String> {
    if let Some(names) = options
        .iter()
        .find(|names| names.iter().any(|other| other == name))
    {
        let read = names.iter().find(|other| env::var_os(other).is_some())?;
        return (read != name).then(|| format!("is ignored, as {read} is set too"));
    }
    // The edits from one name to the other are counted without the prefix, which both have.
    let (typed, most) = (
        name[PREFIX.len()..].to_uppercase(),
        1 + (name.len() - PREFIX.len()) / 4,
    );
    let edits = |known: &str| strsim::osa_distance(&known[PREFIX.len()..], &typed);
    let nearest = options
        .iter()
        .flatten()
        .map(|known| (edits(known), known))
        .min();
    let hint = nearest.filter(|(edits, _)| *edits <= most).map_or_else(
        || "options are named as in `w2v-gpu train --help`".to_owned(),
        |(_, known)| format!("is it {known} that is meant?"),
    );
    Some(format!(
        "belongs to no option of train and is ignored; {hint}"
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn what_nobody_reads_is_told_with_the_nearest_name() {
        let program = super::super::Cli::command();
        let train = program.find_subcommand("train").unwrap();
        let options: Vec<Vec<String>> = train.get_arguments().map(variables).collect();
        let why = |name: &str| unread(name, &options);
        for name in [
            "W2V_GPU_DIM",
            "W2V_GPU_SIZE",
            "W2V_GPU_VECTOR_SIZE",
            "W2V_GPU_MIN_COUNT",
            "W2V_GPU_CONFIG",
        ] {
            assert_eq!(why(name), None, "{name}");
        }
        for (typed, meant) in [
            ("W2V_GPU_DIMM", "W2V_GPU_DIM"),
            ("W2V_GPU_min_count", "W2V_GPU_MIN_COUNT"),
            ("W2V_GPU_MINCOUNT", "W2V_GPU_MIN_COUNT"),
            ("W2V_GPU_EPOCH", "W2V_GPU_EPOCHS"),
        ] {
            assert!(
                why(typed)
                    .unwrap()
                    .ends_with(&format!("is it {meant} that is meant?")),
                "{typed}"
            );
        }
        assert!(
            why("W2V_GPU_FRUIT_BASKET")
                .unwrap()
                .ends_with("`w2v-gpu train --help`")
        );
    }
}
