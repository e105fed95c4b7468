//! The folder of a user's programs, which drivers ask for.

use std::env;
use std::os::unix::fs::MetadataExt;

const NAME: &str = "XDG_RUNTIME_DIR";

/// Names the folder that a login gives to a user's programs, where none is named, as on servers, in
/// containers and in cron. To be called before any thread is started.
///
/// A layer of Mesa's drivers asks for a display there while adapters are listed. Without a name,
/// libwayland calls that an error on our stderr, though no display is wanted; with one it finds
/// none and is silent. Messages of drivers stay as they are.
pub(super) fn name() {
    // A path that is not absolute is to be ignored, and is complained of too.
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
        // SAFETY: this is the beginning of `main`: no thread has been started that could read the
        // environment meanwhile.
        unsafe {
            env::set_var(NAME, format!("/run/user/{user}"));
        }
    }
}
