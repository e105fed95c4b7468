//! The private module of the Python package `w2v-gpu`: what its classes take from the library.
//!
//! | file | does |
//! |---|---|
//! | `corpus` | files and iterables to corpora; counting; phrases |
//! | `train` | a run, with its messages to Python |
//! | `threads` | work without the GIL, while signals are heard |
//! | `vectors` | files of vectors, evaluation |
//! | `report` | the page about a run |
//! | `errors` | errors of the library as exceptions, with the names of Python's arguments |

mod corpus;
mod errors;
mod report;
mod saving;
mod subwords;
mod threads;
mod train;
mod vectors;

use std::ffi::OsString;

use pyo3::prelude::*;

/// The functions and classes of the module; `_core.pyi` describes them.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::corpus::Corpus;
    #[pymodule_export]
    use super::errors::W2vError;
    #[pymodule_export]
    use super::report::write_report;
    #[pymodule_export]
    use super::subwords::{buckets_of, compose_words, ngram_buckets, write_model};
    #[pymodule_export]
    use super::threads::Stop;
    #[pymodule_export]
    use super::train::{check, defaults, first_model, plan, train, tree_codes};
    #[pymodule_export]
    use super::vectors::{alike, evaluate_analogies, evaluate_pairs, read_vectors, write_vectors};
    #[pymodule_export]
    use super::{cli, devices};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}

/// Runs the program `w2v-gpu` with its name and arguments; returns its exit code.
#[pyfunction]
fn cli(py: Python<'_>, typed: Vec<OsString>) -> u8 {
    py.detach(|| w2v_gpu::cli::run(typed))
}

/// All adapters, as JSON.
#[pyfunction]
fn devices(py: Python<'_>) -> String {
    let adapters = py.detach(w2v_gpu::engine::choice::adapters);
    serde_json::json!(adapters).to_string()
}
