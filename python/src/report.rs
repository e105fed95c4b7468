//! The page about a run.

use std::path::PathBuf;

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Deserialize;
use w2v_gpu::Vectors;
use w2v_gpu::record::log::{EndRecord, EpochRecord, ProgressRecord, RunLog, StartRecord};
use w2v_gpu::record::page::{Contents, Shown, WordMap, write_page};
use w2v_gpu::system::{thread_count, thread_pool, write_atomically};

use crate::errors::exception;
use crate::train::{matrix, vocabulary};

/// The record of a run.
#[derive(Deserialize)]
struct Record {
    start: StartRecord,
    progress: Vec<ProgressRecord>,
    epochs: Vec<EpochRecord>,
    end: EndRecord,
}

/// Writes the page about a run. `record` has its records as JSON, and `command` what trains it
/// again. The map shows the first `mapped` words.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one call hands everything over")]
pub(crate) fn write_report<'py>(
    py: Python<'py>,
    path: PathBuf,
    record: &str,
    command: String,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
    vectors: PyReadonlyArray2<'py, f32>,
    mapped: usize,
) -> PyResult<()> {
    let record: Record = serde_json::from_str(record)
        .map_err(|error| PyValueError::new_err(format!("the record of the run: {error}")))?;
    let vectors = Vectors::new(vocabulary(&words, counts.as_slice()?)?, matrix(&vectors)?);
    let log = RunLog {
        start: record.start,
        progress: record.progress,
        epochs: record.epochs,
        end: Some(record.end),
    };
    let runs = [Shown {
        name: "run".to_owned(),
        log,
        command,
    }];
    let written = py.detach(|| {
        let pool = thread_pool(thread_count(None)?, "drawing the map")?;
        let map = pool.install(|| WordMap::new(&vectors, mapped))?;
        let contents = Contents {
            runs: &runs,
            map: Some(&map),
            map_of: Some(0),
            reload: None,
        };
        write_atomically(&path, |out| write_page(&contents, out))
    });
    written.map_err(exception)
}
