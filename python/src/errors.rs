//! Errors of the library as exceptions of Python, with the names that Python's arguments have.

use pyo3::create_exception;
use pyo3::exceptions::{
    PyEOFError, PyKeyError, PyMemoryError, PyOSError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;

use w2v_gpu::Error;

create_exception!(
    w2v_gpu,
    W2vError,
    PyRuntimeError,
    "Training cannot go on: no words or pairs are left, the loss diverged, or a device failed."
);

/// The arguments whose names differ from those of the library's settings.
const ARGUMENTS: [(&str, &str); 14] = [
    ("buckets", "bucket"),
    ("dim", "vector_size"),
    ("fixed_window", "shrink_windows=False"),
    ("from", "extension"),
    ("keep_words", "trim_rule"),
    ("lr", "alpha"),
    ("max_vocab", "max_final_vocab"),
    ("min_lr", "min_alpha"),
    ("model = cbow", "sg=0"),
    ("no_skip_equal", "skip_equal=False"),
    ("stop_words", "trim_rule"),
    ("subwords", "min_n-max_n"),
    ("threads", "workers"),
    ("vocab", "build_vocab"),
];

/// The exception for an error of the library.
pub(crate) fn exception(error: Error) -> PyErr {
    let text = renamed(&error.to_string());
    match error {
        _ if error.is_cut_short() => PyEOFError::new_err(text),
        Error::Io { path, source, .. } => match source.raw_os_error() {
            // With a number, Python chooses the subclass: FileNotFoundError and others.
            Some(number) => PyOSError::new_err((number, text, path)),
            None => PyOSError::new_err(text),
        },
        Error::Setting { .. }
        | Error::FileName { .. }
        | Error::Corpus { .. }
        | Error::Format { .. }
        | Error::ZeroVector { .. } => PyValueError::new_err(text),
        Error::UnknownWord { .. } => PyKeyError::new_err(text),
        Error::HostMemory { .. } | Error::DeviceMemory { .. } => PyMemoryError::new_err(text),
        _ => W2vError::new_err(text),
    }
}

/// A text of the library in which the settings between backticks are arguments of Python.
pub(crate) fn renamed(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let shown = parts.map(|(number, part)| match number % 2 {
        0 => part.to_owned(),
        _ => argument(part),
    });
    shown.collect()
}

/// A setting as it is written in Python: `engine = cpu` is engine='cpu'.
fn argument(setting: &str) -> String {
    if let Some((_, argument)) = ARGUMENTS.iter().find(|(ours, _)| *ours == setting) {
        return (*argument).to_owned();
    }
    let Some((name, value)) = setting.split_once(" = ") else {
        return setting.to_owned();
    };
    let is_plain = value.parse::<f64>().is_ok();
    let name = ARGUMENTS
        .iter()
        .find(|(ours, _)| *ours == name)
        .map_or(name, |(_, argument)| argument);
    match is_plain {
        true => format!("{name}={value}"),
        false => format!("{name}='{value}'"),
    }
}
