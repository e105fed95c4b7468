//! Colours: whether there are any, and which the help has.

use std::ffi::OsString;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ColorChoice, ValueEnum};

/// The colours of the help, and of mistakes on the command line.
pub(super) const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The option itself, which every command has.
#[derive(Debug, clap::Args)]
pub(super) struct Coloring {
    /// Colour what is for people; `auto` does on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t = ColorChoice::Auto,
        hide_short_help = true,
        help_heading = "Display"
    )]
    color: ColorChoice,
}

/// The choice on the command line. It is looked up before anything is parsed, because mistakes in
/// other arguments are shown in colours too.
pub(super) fn typed(arguments: &[OsString]) -> ColorChoice {
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    let mut choice = None;
    while let Some(argument) = arguments.next().filter(|&argument| argument != "--") {
        match argument.strip_prefix("--color") {
            Some("") => choice = arguments.next(),
            Some(value) => choice = value.strip_prefix('=').or(choice),
            None => {}
        }
    }
    let choice = choice.and_then(|choice| ColorChoice::from_str(choice, false).ok());
    choice.unwrap_or_default()
}

/// Makes what the program prints follow a choice. Without one, the library `console` follows the
/// terminal and NO_COLOR.
pub(super) fn follow(choice: ColorChoice) {
    let is_colored = match choice {
        ColorChoice::Auto => return,
        ColorChoice::Always => true,
        ColorChoice::Never => false,
    };
    console::set_colors_enabled(is_colored);
    console::set_colors_enabled_stderr(is_colored);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_found_wherever_it_stands() {
        for (line, choice) in [
            ("w2v-gpu eval", ColorChoice::Auto),
            ("w2v-gpu eval --color never x", ColorChoice::Never),
            ("w2v-gpu --color=always eval x", ColorChoice::Always),
            (
                "w2v-gpu eval --color=always --color never",
                ColorChoice::Never,
            ),
            ("w2v-gpu eval --color sometimes", ColorChoice::Auto),
            ("w2v-gpu eval --color", ColorChoice::Auto),
            ("w2v-gpu eval --colors never", ColorChoice::Auto),
            (
                "w2v-gpu neighbors v.bin -- --color never",
                ColorChoice::Auto,
            ),
        ] {
            let typed_words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(typed(&typed_words), choice, "{line}");
        }
    }
}
