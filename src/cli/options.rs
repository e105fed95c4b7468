//! Settings as options. The library names a setting (`min_count`); the user types an option
//! (`--min-count`).

use std::collections::HashSet;
use std::sync::LazyLock;

use clap::CommandFactory;
use serde_json::Value;

use super::Cli;
use crate::config::Config;

/// The names of all settings for which some command has an option.
static SETTINGS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let program = Cli::command();
    let options = program
        .get_subcommands()
        .flat_map(|command| command.get_arguments())
        .filter_map(|option| option.get_long());
    options.map(|long| long.replace('-', "_")).collect()
});

/// The option of a setting.
pub(super) fn option(setting: &str) -> String {
    match setting {
        "output" => "-o/--output".to_owned(),
        _ => format!("--{}", setting.replace('_', "-")),
    }
}

/// A text of the library as it is shown to the user. Settings between backticks become options. The
/// name of an argument, in capitals, loses its backticks.
pub(super) fn rendered(text: &str) -> String {
    let mut rendered = String::with_capacity(text.len());
    let mut parts = text.split('`');
    rendered.extend(parts.next());
    while let Some(quoted) = parts.next() {
        let Some(after) = parts.next() else {
            // This backtick has no partner.
            rendered.extend(["`", quoted]);
            break;
        };
        let (name, value) = match quoted.split_once(" = ") {
            Some((name, value)) => (name, Some(value)),
            None => (quoted, None),
        };
        if SETTINGS.contains(name) {
            rendered.push_str(&option(name));
            rendered.extend(value.into_iter().flat_map(|value| [" ", value]));
        } else if !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
            rendered.push_str(name);
        } else {
            rendered.extend(["`", quoted, "`"]);
        }
        rendered.push_str(after);
    }
    rendered
}

/// The settings as a user would type them. Settings that the objective does not use are left out.
pub(super) fn of(config: &Config) -> Vec<String> {
    let settings = config.settings();
    let options = settings.iter().filter(|(name, _)| config.matters(name));
    options
        .map(|(name, value)| words(name, value).join(" "))
        .filter(|option| !option.is_empty())
        .collect()
}

/// A setting as a user would type it: its option, and the value of one that takes a value. A
/// setting that is not set, or off, has no words.
pub(super) fn words(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Null | Value::Bool(false) => Vec::new(),
        Value::Bool(true) => vec![option(name)],
        value => vec![option(name), typed(value)],
    }
}

/// A value as a user would type it.
pub(super) fn typed(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::batch::Loss;
    use crate::config::{ModelKind, Preset};
    use crate::model::Storage;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn settings_become_options() {
        for (text, shown) in [
            ("`min_count` 0: too low", "--min-count 0: too low"),
            (
                "use `engine = cpu`, or `clip`",
                "use --engine cpu, or --clip",
            ),
            ("`output` x.bin: no", "-o/--output x.bin: no"),
            ("`OUT` x: no", "OUT x: no"),
            ("`A B C` x: no", "A B C x: no"),
            ("run `apt-get install x`", "run `apt-get install x`"),
            ("a ` by itself, `dim", "a ` by itself, `dim"),
            ("`unheard_of = 1`", "`unheard_of = 1`"),
            ("", ""),
        ] {
            assert_eq!(rendered(text), shown);
        }
    }

    #[test]
    fn settings_that_nobody_typed_have_their_defaults() {
        assert_eq!(Typed::parse_from(["x"]).config, Config::default());
    }

    /// The options that describe a configuration give the same configuration when they are typed.
    #[test]
    fn options_lead_back_to_the_settings() {
        let presets = [Preset::Word2vec, Preset::Gensim, Preset::Fasttext];
        let models = [ModelKind::SkipGram, ModelKind::Cbow];
        let mut configs: Vec<Config> = presets
            .iter()
            .flat_map(|&preset| models.map(|model| Config::preset(preset, model)))
            .collect();
        let mut other = Config::default();
        other.model.storage = Storage::F16;
        other.vocabulary.max_vocab = Some(9);
        other.objective.fixed_window = true;
        other.validation.validation = Some(0.25);
        configs.push(other);
        let mut other = Config::default();
        other.vocabulary.vocab = Some("words.txt".into());
        other.vocabulary.words.lowercase = true;
        other.vocabulary.words.counting.vocab_memory = Some(4 << 30);
        configs.push(other);
        for config in configs {
            let options = of(&config).join(" ");
            let typed = Typed::parse_from(format!("x {options}").split(' ')).config;
            assert_eq!(typed, config, "{options}");
        }
    }

    #[test]
    fn settings_of_negatives_are_left_out_where_none_are_drawn() {
        let mut config = Config::default();
        config.objective.loss = Loss::Hs;
        let options = of(&config).join(" ");
        assert!(options.contains("--loss hs"), "{options}");
        assert!(
            !options.contains("neg") && !options.contains("exponent"),
            "{options}"
        );
    }
}
