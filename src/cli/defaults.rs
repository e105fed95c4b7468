//! Defaults of `train` that are not this program's own: another trainer's (`--preset`) and a file's
//! (`--config`).

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::Utf8Chunk;

use super::options;
use crate::Error;
use crate::config::Config;
use crate::error::shown;
use crate::system::OsText;
use crate::text::utf8_text;
use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Id, ValueEnum};
use serde_json::{Map, Value};

/// The command with the defaults of the typed `--config` file, and after them the defaults of a
/// preset and of the model.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Setting`] when it is no file of options or
/// names an unknown option.
pub(super) fn apply(mut train: Command, typed: &ArgMatches) -> Result<Command, Error> {
    let path = typed.get_one::<PathBuf>("config_file");
    let file = path.map(|path| read(path)).transpose()?.unwrap_or_default();
    let base = match chosen(typed, &file, "preset") {
        Some(preset) => Config::preset(preset, chosen(typed, &file, "model").unwrap_or_default()),
        None => Config::of(chosen(typed, &file, "model").unwrap_or_default()),
    };
    let ours = Config::default().settings();
    for (name, value) in base.settings() {
        if ours.get(&name) != Some(&value) {
            train = train.mut_arg(name, |arg| arg.default_value(options::typed(&value)));
        }
    }
    let mut given = Vec::new();
    for (name, value) in &file {
        train = set(
            train,
            path.map_or(Path::new(""), PathBuf::as_path),
            name,
            value,
            &mut given,
        )?;
    }
    Ok(train)
}

/// The value of an option that decides about the defaults of others: as typed, else as in the file.
fn chosen<T: ValueEnum + Send + Sync + 'static>(
    typed: &ArgMatches,
    file: &Map<String, Value>,
    option: &str,
) -> Option<T> {
    let is_typed = typed
        .value_source(option)
        .is_some_and(|source| source != ValueSource::DefaultValue);
    let of_file = || T::from_str(file.get(option)?.as_str()?, true).ok();
    typed
        .get_one::<T>(option)
        .filter(|_| is_typed)
        .cloned()
        .or_else(of_file)
}

/// The argument, made optional.
pub(super) fn optional(arg: Arg) -> Arg {
    arg.required(false)
        .required_unless_present(Resettable::Reset)
}

fn refuse(path: &Path, why: String) -> Error {
    Error::setting("config", shown(path), why)
}

/// The options of a file: lines `option = value` of TOML, or the settings of a run as JSON.
fn read(path: &Path) -> Result<Map<String, Value>, Error> {
    let text = File::open(path)
        .and_then(utf8_text)
        .and_then(io::read_to_string);
    let written = text.map_err(Error::io("read", path))?;
    if !written.trim_start().starts_with('{') {
        return toml::from_str(&written)
            .map_err(|error| refuse(path, format!("is no TOML file of options: {error}")));
    }
    let object: Map<String, Value> = serde_json::from_str(&written)
        .map_err(|error| refuse(path, format!("is no JSON object of options: {error}")))?;
    Ok(options_of_run(object))
}

/// The options among the settings of a run, as they are written beside its vectors. Its text and
/// its engine are left out. Any other object holds options alone.
fn options_of_run(mut object: Map<String, Value>) -> Map<String, Value> {
    let mut options = match object.get_mut("config") {
        Some(Value::Object(config)) => std::mem::take(config),
        _ => return object,
    };
    options.extend(object.remove_entry("embedding"));
    // Null stands for an option that the run was not given.
    options.retain(|_, value| !value.is_null());
    options
}

fn typed(value: &Value) -> OsText {
    options::typed(value).into()
}

/// Makes the file's value of an option the command's default. `given` holds the options that the
/// file has given before.
fn set(
    train: Command,
    path: &Path,
    name: &str,
    value: &Value,
    given: &mut Vec<Id>,
) -> Result<Command, Error> {
    let spelt = name.replace('_', "-");
    let option = train.get_arguments().find(|arg| {
        let other_names = arg.get_all_aliases().unwrap_or_default();
        arg.get_long() == Some(&*spelt)
            || other_names.contains(&&*spelt)
            || arg.is_positional() && arg.get_id() == name
    });
    let Some(id) = option
        .filter(|arg| arg.get_id() != "config_file" && arg.get_id() != "help")
        .map(|arg| arg.get_id().clone())
    else {
        return Err(refuse(
            path,
            format!(
                "{name:?} is no option of train; options are named as in `w2v-gpu train --help`"
            ),
        ));
    };
    if given.contains(&id) {
        return Err(refuse(
            path,
            format!("{name:?} is there under another name too; take one of the two out"),
        ));
    }
    given.push(id.clone());
    let values: Vec<OsText> = match value {
        Value::Array(values)
            if values
                .iter()
                .all(|value| !value.is_array() && !value.is_object()) =>
        {
            values.iter().map(typed).collect()
        }
        Value::Array(_) | Value::Object(_) | Value::Null => {
            return Err(refuse(
                path,
                format!("{name} must be a number, a text, true, false or a list of these"),
            ));
        }
        value => vec![typed(value)],
    };
    let values: Vec<OsString> = values.iter().map(OsText::to_os_string).collect();
    let is_control = |chunk: Utf8Chunk<'_>| chunk.valid().contains(char::is_control);
    if values
        .iter()
        .any(|value| value.as_encoded_bytes().utf8_chunks().any(is_control))
    {
        return Err(refuse(
            path,
            format!("{name} holds a control character, which no value has"),
        ));
    }
    // A required argument is no longer required once the file gives it.
    Ok(train.mut_arg(id, |arg| optional(arg.default_values(values))))
}
