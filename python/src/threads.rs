//! Work in a thread of its own, while the calling thread hears its messages and Python's signals.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use w2v_gpu::Error;

use crate::errors::exception;

/// The time between two looks at pending signals, such as Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// A request to stop, which may be made from any thread.
#[pyclass(frozen, module = "w2v_gpu._core")]
#[derive(Default)]
pub(crate) struct Stop {
    flag: Arc<AtomicBool>,
}

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Makes the request.
    fn set(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }
}

impl Stop {
    /// The request, true once it is made.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}

/// Does `work` in a thread of its own, without the GIL. `hear` is called with each message of the
/// work on the calling thread, where Python runs the handlers of signals. If one of them raises an
/// exception, the work is asked to stop, and its result is returned beside the exception.
pub(crate) fn supervise<T: Send, M: Send>(
    py: Python<'_>,
    stop: &Stop,
    work: impl FnOnce(Sender<M>) -> Result<T, Error> + Send,
    mut hear: impl FnMut(Python<'_>, M) -> PyResult<()> + Send,
) -> (Result<T, Error>, Option<PyErr>) {
    py.detach(|| {
        thread::scope(|scope| {
            let (sender, messages) = channel();
            let worker = scope.spawn(|| work(sender));
            let mut raised = None;
            loop {
                let message = match messages.recv_timeout(SIGNAL_INTERVAL) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                // Nobody hears the rest of a work that is to stop.
                if raised.is_some() {
                    continue;
                }
                let heard = Python::attach(|py| {
                    message.map_or(Ok(()), |message| hear(py, message))?;
                    py.check_signals()
                });
                if let Err(error) = heard {
                    stop.set();
                    raised = Some(error);
                }
            }
            let result = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            (result, raised)
        })
    })
}

/// Does `work`, which sends no messages, like [`supervise`]. An exception wins over the result.
pub(crate) fn supervise_quietly<T: Send>(
    py: Python<'_>,
    stop: &Stop,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (result, raised) = supervise(py, stop, |_: Sender<()>| work(), |_, ()| Ok(()));
    raised.map_or_else(|| result.map_err(exception), Err)
}
