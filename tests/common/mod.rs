//! What the test programs share: folders, the program itself, and packed files.
//!
//! A test makes a [`Dir`], writes its files there, and runs the program in it:
//!
//! ```ignore
//! let dir = Dir::with_text();
//! dir.train(&["text.txt", "-o", "v.txt"]).assert().success();
//! assert!(dir.read("v.txt").starts_with("12 8\n"));
//! ```

#![allow(
    dead_code,
    reason = "each test program is a crate of its own, and none needs all of this"
)]

pub(crate) mod fasttext;
pub(crate) mod pack;

#[cfg(unix)]
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use assert_cmd::Command;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_w2v-gpu");

/// Options of `train` that make it quick: small rows, one epoch, and no word left out.
pub(crate) const QUICK: [&str; 6] = ["--dim", "8", "--epochs", "1", "--sample", "0"];

/// A folder of one test, removed with it.
pub(crate) struct Dir(TempDir);

impl Dir {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with `text.txt`: 600 lines of eight words, of which `the` is there twice. Twelve
    /// words differ: the, cat, sat, on, mat and the digits from 0 to 6. Each occurs often enough.
    pub(crate) fn with_text() -> Self {
        let text: String = (0..600)
            .map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i % 5))
            .collect();
        Self::with_files(&[("text.txt", text.as_bytes())])
    }

    /// A folder with these files.
    pub(crate) fn with_files(files: &[(&str, &[u8])]) -> Self {
        let dir = Self::new();
        for (name, content) in files {
            dir.file(name, content);
        }
        dir
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file, be it there or not.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Whether there is such a file or folder.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Writes a file, and makes the folders on the way to it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The text of a file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The content of a file.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.root())
    }

    /// `w2v-gpu ARGS` in this folder.
    pub(crate) fn w2v(&self, args: &[&str]) -> Command {
        let mut command = w2v(args);
        command.current_dir(self.root());
        command
    }

    /// `w2v-gpu train ARGS` in this folder, on the CPU and [quick](QUICK) unless `args` say
    /// otherwise.
    pub(crate) fn train(&self, args: &[&str]) -> Command {
        self.train_on("cpu", args)
    }

    /// The same on another engine.
    pub(crate) fn train_on(&self, engine: &str, args: &[&str]) -> Command {
        self.w2v(&quick_train(engine, args))
    }

    /// `w2v-gpu ARGS` in this folder, for tests that do something while it runs.
    pub(crate) fn process(&self, args: &[&str]) -> process::Command {
        let mut command = process::Command::new(PROGRAM);
        command
            .current_dir(self.root())
            .args(args)
            .stdin(Stdio::null());
        command
    }

    /// `w2v-gpu ARGS` in this folder, where no file may be larger than so many KB: a full disk.
    #[cfg(unix)]
    pub(crate) fn limited<S: AsRef<OsStr>>(
        &self,
        kilobytes: u64,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let limit = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"");
        let mut command = Command::new("bash");
        command
            .current_dir(self.root())
            .args(["-c", &limit, "bash", PROGRAM])
            .args(args);
        command
    }
}

/// The arguments of [`Dir::train_on`].
pub(crate) fn quick_train<'a>(engine: &'a str, args: &[&'a str]) -> Vec<&'a str> {
    [&["train", "--engine", engine], &QUICK[..], args].concat()
}

/// `w2v-gpu ARGS`, for tests without a folder.
pub(crate) fn w2v(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args);
    command
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A file of `data/`, such as the bundled corpus.
pub(crate) fn bundled(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}

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
