//! Free memory and disk space.

use std::io;
use std::path::{Path, PathBuf};

use sysinfo::{
    MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System, get_current_pid,
};

use super::written_to;
use crate::error::{Error, Result};
use crate::quantity::two_sizes;

/// Bytes of memory that this process can still take, within its own limit (`ulimit -v`) and that of
/// its cgroup; `None` if the
/// system does not tell, as in a chroot without /proc.
pub fn available_memory() -> Option<u64> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let mut system = System::new_with_specifics(memory).ok()?;
    let available = of_total(system.available_memory(), system.total_memory())?;
    let Ok(pid) = get_current_pid() else {
        return Some(available);
    };
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        false,
        ProcessRefreshKind::nothing().with_memory(),
    );
    let Some(process) = system.process(pid) else {
        return Some(available);
    };
    // The rest of a cgroup's usage is cached files, which the system can drop.
    let limits = process.cgroup_limits();
    let in_group = limits.map(|limits| limits.total_memory.saturating_sub(limits.rss));
    let in_addresses = addresses_left(process.virtual_memory());
    [in_group, in_addresses]
        .into_iter()
        .flatten()
        .chain([available])
        .min()
}

/// Bytes of addresses that this process can still take within its own limit (`ulimit -v`); `None` if
/// it has none.
#[cfg(target_os = "linux")]
fn addresses_left(taken: u64) -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::As).current?;
    Some(limit.saturating_sub(taken))
}

#[cfg(not(target_os = "linux"))]
fn addresses_left(_: u64) -> Option<u64> {
    None
}

/// The size in bytes that the system lets a file of this process have (`ulimit -f`); `None` if there
/// is no limit, or the system does not tell.
fn largest_file() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, getrlimit};
        getrlimit(Resource::Fsize).current
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Checks that the system lets a file be so large. A device or pipe may take any number of bytes.
///
/// # Errors
/// [`Error::Io`] with the limit, and how to raise it.
pub fn check_file_size(path: &Path, bytes: u64) -> Result<()> {
    let limit = largest_file().filter(|limit| bytes > *limit && written_to(path).is_some());
    let Some(limit) = limit else { return Ok(()) };
    let [bytes, limit] = two_sizes(bytes, limit);
    let why = format!(
        "it takes about {bytes}, and a file may have {limit} here; raise that limit (ulimit -f)"
    );
    Err(Error::io("write", path)(io::Error::other(why)))
}

/// Bytes that can still be written to a folder's disk; `None` if the system does not tell, as some
/// network disks do not.
pub fn available_disk(folder: &Path) -> Option<u64> {
    let disk = fs4::statvfs(existing(folder)).ok()?;
    of_total(disk.available_space(), disk.total_space())
}

/// The free part of a memory or disk. `None` if its size is 0, as nothing is known of it then.
fn of_total(available: u64, total: u64) -> Option<u64> {
    (total > 0).then_some(available)
}

/// Whether two folders are on the same disk, as far as the system tells.
pub(crate) fn is_same_disk(a: &Path, b: &Path) -> bool {
    let (a, b) = (existing(a), existing(b));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| path.metadata().map(|metadata| metadata.dev());
        matches!((device(&a), device(&b)), (Ok(a), Ok(b)) if a == b)
    }
    #[cfg(not(unix))]
    {
        a == b
    }
}

/// The nearest existing folder at or above `folder`, which may not exist yet.
fn existing(folder: &Path) -> PathBuf {
    let named = folder
        .ancestors()
        .find(|folder| folder.exists())
        .filter(|folder| !folder.as_os_str().is_empty());
    named.unwrap_or(Path::new(".")).to_owned()
}

/// Checks that the disk for temporary files has room for a token store of `tokens` words.
///
/// # Errors
/// [`Error::DiskSpace`] if it has not.
pub fn check_store(tokens: u64) -> Result<()> {
    let folder = std::env::temp_dir();
    let available = available_disk(&folder);
    check_disk(
        "the token store (4 bytes a word)",
        &folder,
        tokens * 4,
        available,
        "set TMPDIR to a larger disk",
    )
}

pub(crate) fn check_disk(
    what: &str,
    folder: &Path,
    needed: u64,
    available: Option<u64>,
    mend: &'static str,
) -> Result<()> {
    match available.filter(|available| needed > *available) {
        Some(available) => {
            let (what, folder) = (what.to_owned(), folder.to_owned());
            Err(Error::DiskSpace {
                what,
                folder,
                needed,
                available,
                mend,
            })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::shown;

    #[test]
    fn the_system_says_what_is_left() {
        let memory = available_memory().unwrap();
        assert!((1 << 20..1 << 50).contains(&memory), "{memory}");
        let folder = tempfile::tempdir().unwrap();
        let to_be_made = folder.path().join("a/b");
        assert!(available_disk(&to_be_made).unwrap() > 0);
        assert!(is_same_disk(folder.path(), &to_be_made));
        assert!(available_disk(Path::new("v.bin")).unwrap() > 0);
    }

    #[test]
    fn what_has_no_size_is_unknown_and_not_full() {
        assert_eq!(of_total(0, 0), None);
        assert_eq!(of_total(0, 9), Some(0));
        check_disk("", Path::new(""), 1, of_total(0, 0), "").unwrap();
        check_disk("", Path::new(""), 1, of_total(0, 9), "").unwrap_err();
        // This file system reports no size.
        if cfg!(target_os = "linux") {
            assert_eq!(available_disk(Path::new("/proc")), None);
        }
    }

    #[test]
    fn a_token_store_beyond_the_disk_names_its_folder() {
        check_store(1).unwrap();
        let error = check_store(u64::MAX / 8).unwrap_err().to_string();
        assert!(
            error.contains("TMPDIR") && error.contains(&shown(&std::env::temp_dir())),
            "{error}"
        );
    }
}
