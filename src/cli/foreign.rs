//! The names of options and commands in other trainers, with their equivalents here.

use clap::Command;

/// The equivalent of another trainer's option.
enum Here {
    /// The name of our option.
    Option(&'static str),
    /// Advice to do something else. It is given in commands that read a text and have all options
    /// that the advice names.
    Advice(&'static str),
}

use Here::{Advice, Option as Named};

/// Options of word2vec.c, gensim, fastText and sklearn-like tools that have another name here. They
/// are in lower case and with hyphens.
const OPTIONS: [(&[&str], Here); 30] = [
    (
        &["hs"],
        Advice(
            "hierarchical softmax is --loss hs; without it negative sampling is trained (--loss \
             ns)",
        ),
    ),
    (
        &["sg", "skipgram", "skip-gram"],
        Advice("skip-gram is the default; the other model is --model cbow"),
    ),
    (
        &["cbow"],
        Advice("the model is --model cbow; without it skip-gram is trained"),
    ),
    (
        &["cbow-mean"],
        Advice("--model cbow always takes the mean: leave the option out"),
    ),
    (
        &["size", "vector-size", "dimension", "dimensions", "d"],
        Named("dim"),
    ),
    (&["neg", "negatives", "negative-samples"], Named("negative")),
    (&["ws", "window-size"], Named("window")),
    (&["epoch", "iter", "iterations"], Named("epochs")),
    (
        &["thread", "jobs", "num-threads", "n-jobs"],
        Named("threads"),
    ),
    (&["learning-rate", "start-alpha"], Named("lr")),
    (&["min-alpha", "end-alpha"], Named("min-lr")),
    (&["mincount", "min-freq"], Named("min-count")),
    (&["t", "subsample"], Named("sample")),
    (&["read-vocab"], Named("vocab")),
    (&["max-final-vocab"], Named("max-vocab")),
    (
        &["max-vocab-size"],
        Advice(
            "--vocab-memory limits what counting takes, and --max-vocab the words that are kept",
        ),
    ),
    (&["batch-words", "batch-size"], Named("batch")),
    (&["pretrainedvectors", "pretrained-vectors"], Named("init")),
    (&["saveoutput"], Named("save-output")),
    (&["topn", "k"], Named("top")),
    (&["out", "output-file"], Named("output")),
    (
        &["shrink-windows"],
        Advice(
            "windows shrink at random, as by default elsewhere; --fixed-window lets all reach as \
             far",
        ),
    ),
    (
        &["lrupdaterate"],
        Advice("the learning rate falls with every minibatch: leave the option out"),
    ),
    (
        &["train", "input", "corpus-file", "sentences", "corpus"],
        Advice("the text has no option before it, as in `w2v-gpu train TEXT -o OUT`"),
    ),
    (
        &["binary", "save-format"],
        Advice(
            "the extension of OUT chooses the format: .bin is word2vec's binary one, .txt and .vec \
             its text",
        ),
    ),
    (
        &["debug", "compute-loss"],
        Advice("loss and speed are shown as they are; -v shows more, and -q less"),
    ),
    (
        &["minn", "maxn", "min-n", "max-n"],
        Advice(
            "n-grams of 3 to 6 characters are --subwords 3-6; without it words are trained whole",
        ),
    ),
    (&["bucket"], Named("buckets")),
    (
        &["wordngrams", "word-ngrams"],
        Advice("n-grams of words are not trained; `w2v-gpu phrases` joins words beforehand"),
    ),
    (
        &["classes"],
        Advice("words are not sorted into classes here: cluster the vectors that are written"),
    ),
];

/// Commands of other trainers, and their equivalents here.
const COMMANDS: [(&[&str], &str); 7] = [
    (&["skipgram", "word2vec", "fit"], "train"),
    (&["cbow"], "train, with --model cbow"),
    (
        &["supervised"],
        "train, which trains word vectors and no classifier",
    ),
    (
        &["nn", "most-similar", "similar", "nearest", "distance"],
        "neighbors",
    ),
    (&["analogies", "word-analogy"], "analogy"),
    (&["word2phrase", "phrase", "phraser"], "phrases"),
    (
        &["test", "accuracy", "compute-accuracy", "evaluate"],
        "eval",
    ),
];

fn plain(name: &str) -> String {
    name.trim_start_matches('-')
        .to_lowercase()
        .replace('_', "-")
}

/// The long name of our option of which `name` is the long name or an alias, if there is one.
fn own<'a>(command: &'a Command, name: &str) -> Option<&'a str> {
    let names = |arg: &'a clap::Arg| {
        let others = arg.get_all_aliases().unwrap_or_default();
        arg.get_long()
            .filter(|long| *long == name || others.contains(&name))
    };
    command.get_arguments().find_map(names)
}

/// The advice for an option that `command` does not know.
pub(super) fn option(command: &Command, typed: &str) -> Option<String> {
    let name = plain(typed.split('=').next().unwrap_or_default());
    if let Some(own) = own(command, &name) {
        return Some(format!("the option is --{own}"));
    }
    let (_, here) = OPTIONS.iter().find(|(names, _)| names.contains(&&*name))?;
    let reads_text = command
        .get_positionals()
        .any(|arg| arg.get_id() == "corpus");
    match here {
        Named(ours) => own(command, ours).map(|ours| format!("the option is --{ours}")),
        Advice(advice) => {
            let fits = reads_text && named_in(advice).all(|flag| has(command, flag));
            fits.then(|| (*advice).to_owned())
        }
    }
}

/// The options that an advice names, with their hyphens.
fn named_in(advice: &str) -> impl Iterator<Item = &str> {
    let words = advice.split(' ').filter(|word| word.starts_with('-'));
    words.map(|word| word.trim_end_matches([')', ':', ';', ',', '`']))
}

/// Whether a command has this option, long or short.
fn has(command: &Command, flag: &str) -> bool {
    match flag.strip_prefix("--") {
        Some(name) => own(command, name).is_some(),
        None => command.get_arguments().any(|arg| {
            arg.get_short()
                .is_some_and(|short| flag[1..].starts_with(short))
        }),
    }
}

/// The advice for a command that does not exist.
pub(super) fn command(typed: &str) -> Option<String> {
    let name = plain(typed);
    let (_, ours) = COMMANDS.iter().find(|(names, _)| names.contains(&&*name))?;
    Some(format!("the command is w2v-gpu {ours}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    #[test]
    fn every_answer_names_options_and_commands_that_there_are() {
        let program = Cli::command();
        let train = program.find_subcommand("train").unwrap();
        for (names, here) in &OPTIONS {
            for name in *names {
                assert_eq!(*name, plain(name));
                match here {
                    Named("top") => assert!(
                        option(program.find_subcommand("neighbors").unwrap(), name).is_some()
                    ),
                    _ => assert!(option(train, name).is_some(), "{name}"),
                }
            }
            let Advice(advice) = here else { continue };
            assert!(named_in(advice).all(|flag| has(train, flag)), "{advice}");
        }
        for (names, ours) in COMMANDS {
            assert!(
                program
                    .find_subcommand(ours.split(',').next().unwrap())
                    .is_some()
            );
            assert!(
                names
                    .iter()
                    .all(|name| program.find_subcommand(name).is_none())
            );
        }
    }

    #[test]
    fn a_name_in_another_spelling_is_that_option() {
        let program = Cli::command();
        let train = program.find_subcommand("train").unwrap();
        for (typed, ours) in [
            ("-size", "--dim"),
            ("--min_count=3", "--min-count"),
            ("-minCount", "--min-count"),
        ] {
            assert_eq!(
                option(train, typed).unwrap(),
                format!("the option is {ours}")
            );
        }
        assert_eq!(option(train, "--nonsense"), None);
    }

    #[test]
    fn advice_names_no_option_that_the_command_does_not_have() {
        let program = Cli::command();
        let advice =
            |command: &str, typed: &str| option(program.find_subcommand(command).unwrap(), typed);
        assert!(advice("train", "--hs").unwrap().contains("--loss hs"));
        assert!(
            advice("vocab", "--max-vocab-size")
                .unwrap()
                .contains("--vocab-memory")
        );
        assert!(
            advice("phrases", "--sentences")
                .unwrap()
                .contains("no option before it")
        );
        for (command, typed) in [
            ("vocab", "--hs"),
            ("convert", "--hs"),
            ("phrases", "--max-vocab-size"),
            ("vocab", "--debug"),
        ] {
            assert_eq!(advice(command, typed), None, "{command} {typed}");
        }
    }
}
