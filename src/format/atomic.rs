//! Files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// How the names of temporary files begin and end.
const TEMPORARY_PREFIX: &str = ".w2v-gpu-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// The temporary files that may be there, for a process that ends without cleaning up.
static TEMPORARIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Takes away the temporary files of this process, as the last thing before it ends at once.
pub fn remove_temporaries() {
    for path in TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // Most have long been renamed.
        let _ = fs::remove_file(path);
    }
}

/// Takes away the temporary files in a folder, which processes that were killed have left: only to be called while nobody
/// writes one there.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a file by `body`, such that `path` holds either all of it or what was there before, whatever fails.
///
/// The text goes to a temporary file in the same folder, which is synced to disk and then renamed. A file already
/// there leaves its permissions to the new one; a symbolic link stays one, and what it points to is replaced; a device
/// or pipe, such as `/dev/stdout`, is written to directly.
///
/// # Errors
/// [`Error::Io`] with what `body` or the file system reported.
pub fn write_atomically(path: &Path, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    Staged::write(path, body).and_then(Staged::publish).map_err(Error::io("write", path))
}

/// Writes two files that belong together, each as [`write_atomically`] does.
///
/// Both are whole and on disk before either replaces what was there; if the second cannot, the first is taken back.
/// Only what stops the computer between the two renames leaves a new file beside an old one.
///
/// # Errors
/// [`Error::Io`] with what a body or the file system reported, and which of the files it concerns.
pub(super) fn write_pair_atomically(
    (first, first_body): (&Path, impl FnOnce(&mut dyn Write) -> io::Result<()>),
    (second, second_body): (&Path, impl FnOnce(&mut dyn Write) -> io::Result<()>),
) -> Result<()> {
    let staged_first = Staged::write(first, first_body).map_err(Error::io("write", first))?;
    let staged_second = Staged::write(second, second_body).map_err(Error::io("write", second))?;
    let earlier = Earlier::keep(&staged_first).map_err(Error::io("write", first))?;
    staged_first.publish().map_err(Error::io("write", first))?;
    staged_second.publish().map_err(|error| {
        earlier.put_back();
        Error::io("write", second)(error)
    })
}

/// What is written in full and takes its place by a rename.
enum Staged {
    /// A device or pipe has it already.
    Stream,
    File {
        temporary: NamedTempFile,
        file: PathBuf,
    },
}

impl Staged {
    fn write(path: &Path, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        match Target::of(path)? {
            Target::Stream => {
                buffered(&OpenOptions::new().write(true).open(path)?, body)?;
                Ok(Self::Stream)
            }
            Target::File(file) => {
                let temporary = temporary_beside(&file)?;
                buffered(temporary.as_file(), body)?;
                temporary.as_file().sync_all()?;
                Ok(Self::File { temporary, file })
            }
        }
    }

    fn publish(self) -> io::Result<()> {
        if let Self::File { temporary, file } = self {
            temporary.persist(&file).map_err(|error| error.error)?;
            sync_folder(folder_of(&file));
        }
        Ok(())
    }
}

/// What a file was before it is replaced.
enum Earlier {
    Stream,
    Nothing(PathBuf),
    File { copy: NamedTempFile, file: PathBuf },
}

impl Earlier {
    fn keep(staged: &Staged) -> io::Result<Self> {
        match staged {
            Staged::Stream => Ok(Self::Stream),
            Staged::File { file, .. } if !file.exists() => Ok(Self::Nothing(file.clone())),
            Staged::File { file, .. } => {
                let copy = temporary_beside(file)?;
                fs::copy(file, copy.path())?;
                Ok(Self::File { copy, file: file.clone() })
            }
        }
    }

    /// As far as that is possible: what failed before is the failure to report.
    fn put_back(self) {
        match self {
            Self::Stream => {}
            Self::Nothing(file) => drop(fs::remove_file(file)),
            Self::File { copy, file } => drop(copy.persist(file)),
        }
    }
}

/// Whether [`write_atomically`] could begin; asked before any work starts. `flag` is the one that named the file.
///
/// # Errors
/// [`Error::Setting`] with the flag, what is in the way (no such folder, no right to write there, a folder of that
/// name) and what to do.
pub fn check_writable(path: &Path, flag: &'static str) -> Result<()> {
    let mend = |why: String| Error::Setting { flag, value: path.display().to_string(), why };
    let ends_as_folder = path.to_string_lossy().ends_with(std::path::is_separator);
    if path.is_dir() || ends_as_folder || path.file_name().is_none() {
        return Err(mend("is the name of a folder; name a file".to_owned()));
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(mend(format!("there is no folder {}; create it, or name a file elsewhere", folder.display())));
    }
    let tried = Target::of(path).and_then(|target| match target {
        Target::Stream => Ok(()),
        Target::File(file) => {
            // A rename would replace a write-protected file all the same.
            if file.exists() {
                OpenOptions::new().write(true).open(&file)?;
            }
            temporary_beside(&file).map(drop)
        }
    });
    tried.map_err(|error| mend(format!("cannot be written: {error}; name a file elsewhere, or change the permissions")))
}

/// What a path leads to.
enum Target {
    /// A device, pipe or socket: there is nothing to rename over.
    Stream,
    /// A file, there or not, at the end of all symbolic links.
    File(PathBuf),
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => fs::canonicalize(path).map(Self::File),
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => Ok(Self::Stream),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
                // A link to what is not there yet. Links in a circle are another error, so this ends.
                Ok(link) => Self::of(&folder_of(path).join(link)),
                Err(_) => Ok(Self::File(path.to_owned())),
            },
            Err(error) => Err(error),
        }
    }
}

/// The folder that takes a file written to `path`; none where it goes to a device or pipe.
pub(crate) fn written_to(path: &Path) -> Option<PathBuf> {
    match Target::of(path) {
        Ok(Target::File(file)) => Some(folder_of(&file).to_owned()),
        Ok(Target::Stream) | Err(_) => None,
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn buffered(file: &File, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    body(&mut out)?;
    out.flush()
}

/// A temporary file in the folder of `file`, with the permissions that `file` has or would get.
fn temporary_beside(file: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX).suffix(TEMPORARY_SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new file, the umask takes its part of this.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let temporary = {
        // Locked before the file is there, so that none is missed.
        let mut temporaries = TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner);
        temporaries.retain(|path| path.exists());
        let temporary = builder.tempfile_in(folder_of(file))?;
        temporaries.push(temporary.path().to_owned());
        temporary
    };
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(file) {
        temporary.as_file().set_permissions(metadata.permissions())?;
    }
    Ok(temporary)
}

/// Makes a rename last through a power failure.
///
/// Before that the folder names either whole file, so one that cannot be synced is no reason to fail.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) -> Result<()> {
        write_atomically(path, |out| out.write_all(text.as_bytes()))
    }

    fn files_in(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn replaces_a_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        for text in ["old", "new"] {
            put(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(files_in(folder.path()), 1);
    }

    #[test]
    fn a_failure_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (old, none) = (folder.path().join("old.txt"), folder.path().join("none.txt"));
        put(&old, "old").unwrap();
        for path in [&old, &none] {
            let error = write_atomically(path, |out| {
                out.write_all(&vec![b'x'; 3 << 20])?;
                Err(io::Error::other("the disk is full"))
            });
            let error = error.unwrap_err().to_string();
            assert_eq!(error, format!("cannot write {}: the disk is full", path.display()));
        }
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(files_in(folder.path()), 1);
    }

    #[test]
    fn a_panic_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        put(&path, "old").unwrap();
        let panicked = std::panic::catch_unwind(|| write_atomically(&path, |_| panic!("a bug")));
        assert!(panicked.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(files_in(folder.path()), 1);
    }

    /// The second file's name is taken by a folder while it is written: its rename fails.
    #[test]
    fn a_pair_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (words, vectors) = (folder.path().join("v.vocab"), folder.path().join("v.npy"));
        let text = |text: &'static str| move |out: &mut dyn Write| out.write_all(text.as_bytes());
        let blocked = |out: &mut dyn Write| {
            fs::remove_file(&vectors).ok();
            fs::create_dir(&vectors)?;
            out.write_all(b"new")
        };
        let fails = |error: Error| assert!(error.to_string().starts_with("cannot write"), "{error}");

        fails(write_pair_atomically((&words, text("new")), (&vectors, blocked)).unwrap_err());
        assert!(!words.exists());
        fs::remove_dir(&vectors).unwrap();

        write_pair_atomically((&words, text("old")), (&vectors, text("old"))).unwrap();
        fails(write_pair_atomically((&words, text("new")), (&vectors, |_| Err(io::Error::other("full")))).unwrap_err());
        assert_eq!(fs::read_to_string(&vectors).unwrap(), "old");
        fails(write_pair_atomically((&words, text("new")), (&vectors, blocked)).unwrap_err());
        assert_eq!(fs::read_to_string(&words).unwrap(), "old");
        assert_eq!(files_in(folder.path()), 2);
    }

    #[test]
    fn temporary_files_can_be_taken_away_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = temporary_beside(&folder.path().join("v.txt")).unwrap();
        assert_eq!(files_in(folder.path()), 1);
        // Not `remove_temporaries`, which would take those of tests beside this one.
        assert!(TEMPORARIES.lock().unwrap().iter().any(|path| path == temporary.path()));
    }

    #[test]
    fn check_writable_says_what_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        check_writable(&folder.path().join("v.txt"), "-o/--output").unwrap();
        check_writable(Path::new("v.txt"), "-o/--output").unwrap();
        assert_eq!(files_in(folder.path()), 0);

        for (name, why) in [
            ("", "is the name of a folder"),
            ("..", "is the name of a folder"),
            ("new.txt/", "is the name of a folder"),
            ("none/v.txt", "there is no folder"),
        ] {
            let error = check_writable(&folder.path().join(name), "-o/--output").unwrap_err().to_string();
            assert!(error.starts_with("-o/--output ") && error.contains(why), "{error}");
        }
        assert!(put(folder.path(), "new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn keeps_permissions_and_gives_new_files_the_usual_ones() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let folder = tempfile::tempdir().unwrap();
        let (usual, path) = (folder.path().join("usual"), folder.path().join("v.txt"));
        File::create(&usual).unwrap();
        put(&path, "old").unwrap();
        assert_eq!(mode(&path), mode(&usual));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o662)).unwrap();
        put(&path, "new").unwrap();
        assert_eq!(mode(&path), 0o662);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let (link, file) = (folder.path().join("link.txt"), folder.path().join("data/v.txt"));
        std::os::unix::fs::symlink("data/v.txt", &link).unwrap();
        // First it points to nothing, then to a file.
        for text in ["old", "new"] {
            check_writable(&link, "-o/--output").unwrap();
            put(&link, text).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert!(fs::symlink_metadata(&file).unwrap().is_file());
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        let circle = folder.path().join("circle.txt");
        std::os::unix::fs::symlink("circle.txt", &circle).unwrap();
        assert!(check_writable(&circle, "-o/--output").is_err());
        assert!(put(&circle, "new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let null = Path::new("/dev/null");
        check_writable(null, "-o/--output").unwrap();
        put(null, "gone").unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }
}
