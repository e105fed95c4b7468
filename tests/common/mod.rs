//! What several test programs share.

/// Lets the programs that are started from here be stopped by signals.
///
/// A shell that runs the tests in the background has them ignore SIGINT, `nohup` has them ignore
/// SIGHUP, and programs inherit what is ignored. A signal that has a handler here is one of the
/// usual kind for them.
#[cfg(target_os = "linux")]
pub(crate) fn let_children_be_interrupted() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, always).unwrap();
    }
}
