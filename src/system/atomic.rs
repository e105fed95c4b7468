//! Writes files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use super::STDOUT;
use crate::error::{Error, Result, shown};

/// Prefix and suffix of the names of temporary files.
const TEMPORARY_PREFIX: &str = ".w2v-gpu-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Paths of temporary files that may still exist. A process that ends without cleaning up removes
/// them first.
static TEMPORARIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the temporary files of this process. Call it last, before the process ends at once.
pub fn remove_temporaries() {
    for path in TEMPORARIES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .drain(..)
    {
        // Most of them were renamed long ago.
        let _ = fs::remove_file(path);
    }
}

/// Removes the temporary files that killed processes have left in a folder. Call it only while
/// nobody writes one there.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a file by `body`. Whatever fails, `path` holds either the whole new file or the old one.
///
/// The bytes go to a temporary file in the same folder, which is synced to disk and then renamed.
/// On Linux that file has no name before, if the file system can do this. A process that is killed
/// then leaves nothing behind.
///
/// - The new file takes the permissions of the old one.
/// - A symbolic link stays, and the file that it points to is replaced.
/// - A device or pipe, such as `/dev/stdout`, is written to directly. So is standard output, `-`.
///
/// # Errors
/// [`Error::Io`] with the error of `body` or of the file system.
pub fn write_atomically(
    path: &Path,
    body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    Staged::write(path, body)
        .and_then(Staged::publish)
        .map_err(Error::io("write", path))
}

/// Output that is written in full, and published by a rename.
pub(super) enum Staged {
    /// A device or pipe: the output has left already.
    Stream,
    File {
        temporary: Temporary,
        file: PathBuf,
    },
}

impl Staged {
    pub(super) fn write(
        path: &Path,
        body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Self> {
        match Target::of(path)? {
            Target::Stdout => {
                buffered(io::stdout().lock(), body)?;
                Ok(Self::Stream)
            }
            Target::Stream => {
                buffered(OpenOptions::new().write(true).open(path)?, body)?;
                Ok(Self::Stream)
            }
            Target::File(file) => {
                let temporary = Temporary::beside(&file)?;
                buffered(temporary.file(), body)?;
                temporary.file().sync_all()?;
                Ok(Self::File { temporary, file })
            }
        }
    }

    pub(super) fn publish(self) -> io::Result<()> {
        if let Self::File { temporary, file } = self {
            temporary.persist(&file)?;
            sync_folder(folder_of(&file));
        }
        Ok(())
    }
}

/// Checks that [`write_atomically`] could begin, before any work starts. `setting` is the one that
/// named the file.
///
/// # Errors
/// [`Error::Setting`] with the setting, the obstacle (no such folder, no permission to write, a
/// folder of that name) and the remedy.
pub fn check_writable(path: &Path, setting: &'static str) -> Result<()> {
    let mend = |why: String| Error::setting(setting, shown(path), why);
    let ends_as_folder = path.to_string_lossy().ends_with(std::path::is_separator);
    if path.is_dir() || ends_as_folder || path.file_name().is_none() {
        return Err(mend("is the name of a folder; name a file".to_owned()));
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(mend(format!(
            "there is no folder {}; create it, or name a file elsewhere",
            shown(folder)
        )));
    }
    let tried = Target::of(path).and_then(|target| match target {
        Target::Stdout | Target::Stream => Ok(()),
        Target::File(file) => {
            // A rename would replace even a write-protected file.
            if file.exists() {
                OpenOptions::new().write(true).open(&file)?;
            }
            Temporary::beside(&file).map(drop)
        }
    });
    tried.map_err(|error| {
        mend(format!(
            "cannot be written: {error}; name a file elsewhere, or change the permissions"
        ))
    })
}

/// The kind of thing that a path leads to.
enum Target {
    /// Standard output.
    Stdout,
    /// A device, pipe or socket, which cannot be replaced by a rename.
    Stream,
    /// A file, existing or not, after following all symbolic links.
    File(PathBuf),
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == STDOUT {
            return Ok(Self::Stdout);
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => fs::canonicalize(path).map(Self::File),
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => Ok(Self::Stream),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
                // A link to a file that does not exist yet. Links in a circle give another error,
                // so this recursion ends.
                Ok(link) => Self::of(&folder_of(path).join(link)),
                Err(_) => Ok(Self::File(path.to_owned())),
            },
            Err(error) => Err(error),
        }
    }
}

/// The folder of the file that would be written at `path`; `None` for a device or pipe.
pub(crate) fn written_to(path: &Path) -> Option<PathBuf> {
    match Target::of(path) {
        Ok(Target::File(file)) => Some(folder_of(&file).to_owned()),
        Ok(Target::Stdout | Target::Stream) | Err(_) => None,
    }
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn buffered(
    file: impl Write,
    body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    body(&mut out)?;
    out.flush()
}

/// A file that will replace another one.
pub(super) enum Temporary {
    /// A file without a name. It vanishes with the process, however that ends.
    Unnamed(File),
    /// A file with a name, for other systems and for file systems such as NFS.
    Named(NamedTempFile),
}

impl Temporary {
    /// A temporary file in the folder of `file`, with the permissions that `file` has or would get.
    pub(super) fn beside(file: &Path) -> io::Result<Self> {
        let folder = folder_of(file);
        let temporary = match unnamed_in(folder) {
            Some(unnamed) => Self::Unnamed(unnamed),
            None => Self::named_in(folder)?,
        };
        #[cfg(unix)]
        if let Ok(metadata) = fs::metadata(file) {
            temporary.file().set_permissions(metadata.permissions())?;
        }
        Ok(temporary)
    }

    fn named_in(folder: &Path) -> io::Result<Self> {
        let create = |path: &Path| {
            File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)
        };
        make_named(folder, create).map(Self::Named)
    }

    pub(super) fn file(&self) -> &File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(named) => named.as_file(),
        }
    }

    /// Renames the temporary file to `file`.
    pub(super) fn persist(self, file: &Path) -> io::Result<()> {
        match self {
            Self::Named(named) => named.persist(file).map(drop).map_err(|error| error.error),
            // A link cannot replace a file and a rename can, so the file first gets a temporary
            // name.
            Self::Unnamed(unnamed) => persist_unnamed(unnamed, file, link),
        }
    }
}

/// Gives a file without a name that of `file`. Where the file system makes such files, but gives them
/// no names by `link`, a copy that has one takes its place.
fn persist_unnamed(
    unnamed: File,
    file: &Path,
    link: impl Fn(&File, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder_of(file);
    match make_named(folder, |path| link(&unnamed, path)) {
        Ok(named) => named.persist(file).map_err(|error| error.error),
        Err(error) if !folder.is_dir() => Err(error),
        Err(_) => {
            let copy = Temporary::named_in(folder)?;
            copy.file()
                .set_permissions(unnamed.metadata()?.permissions())?;
            (&unnamed).rewind()?;
            io::copy(&mut &unnamed, &mut copy.file())?;
            copy.file().sync_all()?;
            copy.persist(file)
        }
    }
}

/// Calls `make` with a new temporary name in a folder, and remembers that name in [`TEMPORARIES`].
fn make_named<T>(
    folder: &Path,
    make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<NamedTempFile<T>> {
    // Locked before the file exists, so that no file is missed.
    let mut temporaries = TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner);
    temporaries.retain(|path| path.exists());
    let named = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .suffix(TEMPORARY_SUFFIX)
        .make_in(folder, make)?;
    temporaries.push(named.path().to_owned());
    Ok(named)
}

/// A file in a folder that has no name there; `None` where the system or the file system cannot do
/// this.
#[cfg(target_os = "linux")]
fn unnamed_in(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};
    // The umask is applied to this, as for any new file.
    let mode = Mode::from_raw_mode(0o666);
    let file = File::from(
        open(
            folder,
            OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
            mode,
        )
        .ok()?,
    );
    descriptor(&file).exists().then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn unnamed_in(_: &Path) -> Option<File> {
    None
}

/// Gives a nameless file a name.
#[cfg(target_os = "linux")]
fn link(unnamed: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(
        CWD,
        descriptor(unnamed),
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A path to an open file, whether it has a name or not.
#[cfg(target_os = "linux")]
fn descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Makes a rename survive a power failure.
///
/// An error is ignored: without the sync, the folder still names the old or the new file, and each
/// is whole.
pub(super) fn sync_folder(folder: &Path) {
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
        let (old, none) = (
            folder.path().join("old.txt"),
            folder.path().join("none.txt"),
        );
        put(&old, "old").unwrap();
        for path in [&old, &none] {
            let error = write_atomically(path, |out| {
                out.write_all(&vec![b'x'; 3 << 20])?;
                Err(io::Error::other("the disk is full"))
            });
            let error = error.unwrap_err().to_string();
            assert_eq!(
                error,
                format!("cannot write {}: the disk is full", shown(path))
            );
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

    /// A temporary file that has a name is remembered until it is renamed.
    #[test]
    fn temporary_files_with_names_can_be_taken_away_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        put(&path, "old").unwrap();
        let Temporary::Named(named) = Temporary::named_in(folder.path()).unwrap() else {
            panic!("a name")
        };
        assert_eq!(files_in(folder.path()), 2);
        // `remove_temporaries` would remove those of concurrent tests too.
        assert!(
            TEMPORARIES
                .lock()
                .unwrap()
                .iter()
                .any(|path| path == named.path())
        );
        named.as_file().write_all(b"new").unwrap();
        Temporary::Named(named).persist(&path).unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), files_in(folder.path())),
            (b"new".to_vec(), 1)
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_not_whole_yet_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let Some(unnamed) = unnamed_in(folder.path()) else {
            return eprintln!(
                "skipped: {} is on a file system where files need names",
                shown(folder.path())
            );
        };
        drop(unnamed);
        let path = folder.path().join("v.txt");
        for text in [&b"old"[..], b"new"] {
            let before = files_in(folder.path());
            write_atomically(&path, |out| {
                assert_eq!(files_in(folder.path()), before);
                out.write_all(text)
            })
            .unwrap();
            assert_eq!(
                (fs::read(&path).unwrap(), files_in(folder.path())),
                (text.to_vec(), 1)
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_that_gives_no_names_to_files_gets_a_copy() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        put(&path, "old").unwrap();
        let unnamed = tempfile::tempfile_in(folder.path()).unwrap();
        (&unnamed).write_all(b"new").unwrap();
        unnamed
            .set_permissions(fs::Permissions::from_mode(0o640))
            .unwrap();
        let refuse = |_: &File, _: &Path| Err(io::ErrorKind::PermissionDenied.into());
        persist_unnamed(unnamed, &path, refuse).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(files_in(folder.path()), 1);
    }

    #[test]
    fn check_writable_says_what_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        check_writable(&folder.path().join("v.txt"), "output").unwrap();
        check_writable(Path::new("v.txt"), "output").unwrap();
        assert_eq!(files_in(folder.path()), 0);

        for (name, why) in [
            ("", "is the name of a folder"),
            ("..", "is the name of a folder"),
            ("new.txt/", "is the name of a folder"),
            ("none/v.txt", "there is no folder"),
        ] {
            let error = check_writable(&folder.path().join(name), "output")
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("`output` ") && error.contains(why),
                "{error}"
            );
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
        let (link, file) = (
            folder.path().join("link.txt"),
            folder.path().join("data/v.txt"),
        );
        std::os::unix::fs::symlink("data/v.txt", &link).unwrap();
        // The link first points to nothing, then to a file.
        for text in ["old", "new"] {
            check_writable(&link, "output").unwrap();
            put(&link, text).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert!(fs::symlink_metadata(&file).unwrap().is_file());
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        let circle = folder.path().join("circle.txt");
        std::os::unix::fs::symlink("circle.txt", &circle).unwrap();
        assert!(check_writable(&circle, "output").is_err());
        assert!(put(&circle, "new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let null = Path::new("/dev/null");
        check_writable(null, "output").unwrap();
        put(null, "gone").unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }
}
