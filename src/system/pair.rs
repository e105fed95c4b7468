//! Two files that belong together, such as an array and its words.
//!
//! No file system renames two files at once. So while the two may not belong together, a third file
//! says so: the *marker*, which has the second file's name with `.partial` behind it. The process
//! that renames them holds its lock. Before the first rename it is empty and says nothing.
//!
//! | who | does |
//! |---|---|
//! | another writer | waits for the lock; a marker that a killed process left becomes its own |
//! | a reader | waits for the lock; refuses the pair if the marker still says that it is mixed |
//! | a reader that has opened both | refuses them if the marker says so, or if the file that it opened first was replaced meanwhile |

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::atomic::{Staged, Temporary, folder_of, sync_folder};
use super::lock::{PATIENCE, lock};
use crate::error::{Error, Result, shown};

/// Writes two files that belong together, each as [`write_atomically`](super::write_atomically)
/// does.
///
/// Both are whole and on disk before either replaces an old file. If the second rename fails, the
/// first is undone. If the process is killed between the two renames, readers refuse the pair until
/// it is written again.
///
/// # Errors
/// [`Error::Io`] with the error of a body or of the file system, and the path of the file
/// concerned.
pub(crate) fn write_pair_atomically(
    (first, first_body): (&Path, impl FnOnce(&mut dyn Write) -> io::Result<()>),
    (second, second_body): (&Path, impl FnOnce(&mut dyn Write) -> io::Result<()>),
) -> Result<()> {
    let staged_first = Staged::write(first, first_body).map_err(Error::io("write", first))?;
    let staged_second = Staged::write(second, second_body).map_err(Error::io("write", second))?;
    let marker = Marker::place(&staged_second).map_err(Error::io("write", second))?;
    let earlier = Earlier::keep(&staged_first).map_err(Error::io("write", first))?;
    staged_first.publish().map_err(Error::io("write", first))?;
    staged_second.publish().map_err(|error| {
        if earlier.put_back().is_err() {
            marker.into_iter().for_each(Marker::leave);
        }
        Error::io("write", second)(error)
    })
}

/// What a marker says.
const MIXED: &str = "This file and that of its words are being replaced. If no process is at work \
                     on them any more, it was stopped between the two, and they may not belong \
                     together: write them again.\n";

/// The file that is there while a pair is being renamed. Dropping it removes it.
struct Marker {
    path: PathBuf,
    /// Locked.
    file: File,
}

impl Marker {
    /// Places the marker of a pair by its second file; `None` if that is a device or pipe.
    fn place(second: &Staged) -> io::Result<Option<Self>> {
        let Staged::File { file: second, .. } = second else {
            return Ok(None);
        };
        let path = marker_of(second);
        loop {
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            if !lock(&file, PATIENCE, || ()) {
                let why = format!("another process holds {}", shown(&path));
                return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
            }
            // The process that held the lock may have removed the file that was waited for.
            if FileId::at(&path) == Some(FileId::of(&file.metadata()?)) {
                file.write_all(MIXED.as_bytes())?;
                file.sync_all()?;
                sync_folder(folder_of(&path));
                return Ok(Some(Self { path, file }));
            }
        }
    }
}

impl Marker {
    /// Lets the marker stay, as the pair is mixed.
    fn leave(self) {
        let _ = self.file.unlock();
        std::mem::forget(self);
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // If it stays, readers refuse the pair, and the next writer removes it.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// The path of the marker of a pair.
fn marker_of(second: &Path) -> PathBuf {
    let second = fs::canonicalize(second).unwrap_or_else(|_| second.to_owned());
    let mut path = second.into_os_string();
    path.push(".partial");
    path.into()
}

/// Waits while a process renames the files of a pair.
///
/// # Errors
/// [`Error::Corpus`] when the process that renamed them was killed, or does not end.
pub(crate) fn wait_for_pair(first: &Path, second: &Path) -> Result<()> {
    let path = marker_of(second);
    let Ok(file) = File::open(&path) else {
        return Ok(());
    };
    let is_free = lock(&file, PATIENCE, || ());
    if is_free && !says_mixed(&path) {
        return Ok(());
    }
    let (first, path) = (shown(first), shown(&path));
    let why = if is_free {
        format!(
            "may not belong to {first}: a process that replaced both was stopped in between, as \
             {path} says; write the two again, which removes that file"
        )
    } else {
        format!("is being replaced, with {first}, by the process that holds {path}; read it later")
    };
    Err(refusal(second, why))
}

/// Checks that the two files of a pair, which are open both, belong together. `second` was opened
/// first, when its file was `opened`.
///
/// # Errors
/// [`Error::Corpus`] when they were replaced meanwhile.
pub(crate) fn check_pair(first: &Path, second: &Path, opened: FileId) -> Result<()> {
    if !says_mixed(&marker_of(second)) && FileId::at(second) == Some(opened) {
        return Ok(());
    }
    let why = format!(
        "was replaced, with {}, while it was read; read it again",
        shown(first)
    );
    Err(refusal(second, why))
}

fn says_mixed(marker: &Path) -> bool {
    fs::metadata(marker).is_ok_and(|metadata| metadata.len() > 0)
}

fn refusal(path: &Path, why: String) -> Error {
    Error::Corpus {
        path: path.to_owned(),
        why,
    }
}

/// What tells a file from another one that has taken its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    #[cfg(not(unix))]
    times_and_length: (
        Option<std::time::SystemTime>,
        Option<std::time::SystemTime>,
        u64,
    ),
}

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            #[cfg(unix)]
            device_and_inode: {
                use std::os::unix::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
            #[cfg(not(unix))]
            times_and_length: (
                metadata.created().ok(),
                metadata.modified().ok(),
                metadata.len(),
            ),
        }
    }

    /// The file that a path leads to; `None` if there is none.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

/// The state of a path before its file is replaced.
enum Earlier {
    Stream,
    Nothing(PathBuf),
    File { copy: Temporary, file: PathBuf },
}

impl Earlier {
    fn keep(staged: &Staged) -> io::Result<Self> {
        match staged {
            Staged::Stream => Ok(Self::Stream),
            Staged::File { file, .. } if !file.exists() => Ok(Self::Nothing(file.clone())),
            Staged::File { file, .. } => {
                let copy = Temporary::beside(file)?;
                io::copy(&mut File::open(file)?, &mut copy.file())?;
                Ok(Self::File {
                    copy,
                    file: file.clone(),
                })
            }
        }
    }

    /// Restores this state.
    fn put_back(self) -> io::Result<()> {
        match self {
            Self::Stream => Ok(()),
            Self::Nothing(file) => fs::remove_file(file),
            Self::File { copy, file } => copy.persist(&file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Text = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()>>;

    fn text(text: &'static str) -> Text {
        Box::new(move |out| out.write_all(text.as_bytes()))
    }

    /// A folder, and the names of a pair in it.
    fn pair() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (words, vectors) = (folder.path().join("v.vocab"), folder.path().join("v.npy"));
        (folder, words, vectors)
    }

    /// The second file's rename fails, because a folder takes its name while it is written.
    #[test]
    fn a_pair_is_replaced_whole_or_not_at_all() {
        let (folder, words, vectors) = pair();
        let blocked = |out: &mut dyn Write| {
            fs::remove_file(&vectors).ok();
            fs::create_dir(&vectors)?;
            out.write_all(b"new")
        };
        let fails =
            |error: Error| assert!(error.to_string().starts_with("cannot write"), "{error}");

        fails(write_pair_atomically((&words, text("new")), (&vectors, blocked)).unwrap_err());
        assert!(!words.exists());
        fs::remove_dir(&vectors).unwrap();

        write_pair_atomically((&words, text("old")), (&vectors, text("old"))).unwrap();
        fails(
            write_pair_atomically(
                (&words, text("new")),
                (&vectors, |_| Err(io::Error::other("full"))),
            )
            .unwrap_err(),
        );
        assert_eq!(fs::read_to_string(&vectors).unwrap(), "old");
        fails(write_pair_atomically((&words, text("new")), (&vectors, blocked)).unwrap_err());
        assert_eq!(fs::read_to_string(&words).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    /// What a reader finds, or why it refuses it.
    fn read(words: &Path, vectors: &Path) -> Result<[String; 2]> {
        wait_for_pair(words, vectors)?;
        let opened = File::open(vectors).unwrap();
        let opened_words = File::open(words).unwrap();
        check_pair(words, vectors, FileId::of(&opened.metadata().unwrap()))?;
        Ok([opened_words, opened].map(|file| io::read_to_string(file).unwrap()))
    }

    #[test]
    fn a_pair_whose_writer_was_killed_between_its_renames_is_refused_until_it_is_written_again() {
        let (folder, words, vectors) = pair();
        write_pair_atomically((&words, text("old")), (&vectors, text("old"))).unwrap();
        assert_eq!(read(&words, &vectors).unwrap(), ["old", "old"]);
        // A killed process has the lock no more, and the marker stays.
        let staged = Staged::write(&vectors, text("new")).unwrap();
        let killed = Marker::place(&staged).unwrap().unwrap();
        killed.leave();
        fs::write(&words, "new").unwrap();
        let error = read(&words, &vectors).unwrap_err().to_string();
        assert!(
            error.contains("v.npy: may not belong to") && error.contains("v.npy.partial says"),
            "{error}"
        );
        write_pair_atomically((&words, text("newer")), (&vectors, text("newer"))).unwrap();
        assert_eq!(read(&words, &vectors).unwrap(), ["newer", "newer"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_pair_that_is_replaced_between_the_opening_of_its_files_is_refused() {
        let (_folder, words, vectors) = pair();
        write_pair_atomically((&words, text("old")), (&vectors, text("old"))).unwrap();
        let opened = FileId::of(&File::open(&vectors).unwrap().metadata().unwrap());
        check_pair(&words, &vectors, opened).unwrap();
        // The old file is kept, so that the new one cannot get its inode.
        let _old = File::open(&vectors).unwrap();
        write_pair_atomically((&words, text("new")), (&vectors, text("new"))).unwrap();
        let error = check_pair(&words, &vectors, opened)
            .unwrap_err()
            .to_string();
        assert!(error.contains("was replaced"), "{error}");
    }

    /// Two writers and a reader: whatever is read belongs together.
    #[test]
    fn writers_of_one_pair_take_turns_and_readers_see_no_mixed_pair() {
        let (folder, words, vectors) = pair();
        write_pair_atomically((&words, text("a")), (&vectors, text("a"))).unwrap();
        let write = |content: &'static str| {
            for _ in 0..40 {
                write_pair_atomically((&words, text(content)), (&vectors, text(content))).unwrap();
            }
        };
        std::thread::scope(|scope| {
            let writers = [scope.spawn(|| write("a")), scope.spawn(|| write("b"))];
            while writers.iter().any(|writer| !writer.is_finished()) {
                if let Ok([words, vectors]) = read(&words, &vectors) {
                    assert_eq!(words, vectors);
                }
            }
        });
        let [words, vectors] = read(&words, &vectors).unwrap();
        assert!(words == vectors && fs::read_dir(folder.path()).unwrap().count() == 2);
    }
}
