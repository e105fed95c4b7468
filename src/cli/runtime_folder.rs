//! The runtime folder of the user (`XDG_RUNTIME_DIR`), which drivers ask for.

use std::env;
use std::os::unix::fs::MetadataExt;

const NAME: &str = "XDG_RUNTIME_DIR";

/// Sets the variable to the folder that a login makes for the user, if it is not set. That is the
/// case on servers, in containers and in cron. Call it before any thread is started.
///
/// A layer of Mesa's drivers looks for a display there while adapters are listed. Without the
/// variable, libwayland prints an error on our stderr, though no display is wanted. With it,
/// libwayland finds no display and is silent. Messages of drivers stay as they are.
pub(super) fn name() {
    // A path that is not absolute counts as none: it is ignored, and libwayland complains about it
    // too.
    let is_named =
        env::var_os(NAME).is_some_and(|folder| folder.as_encoded_bytes().starts_with(b"/"));
    let Ok(user) = std::fs::metadata("/proc/self").map(|process| process.uid()) else {
        return;
    };
    if !is_named {
        #[expect(
            unsafe_code,
            reason = "there is no safe way to give the environment of this process a variable"
        )]
        // SAFETY: this is the beginning of the program: no thread has been started that could read
        // the environment meanwhile.
        unsafe {
            env::set_var(NAME, format!("/run/user/{user}"));
        }
    }
}
