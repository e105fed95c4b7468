//! From the paths that a user names to the files that are read.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, Result};
use crate::system::STDIN;
use crate::text::{unmarked, utf8_text};

/// The files and streams of a corpus, and the hidden entries that were left out of its folders:
/// those whose names begin with a dot.
pub(super) fn expand(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut hidden) = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() != STDIN && path.is_dir() {
            files.extend(files_below(path, &mut hidden)?);
        } else {
            files.push(path.clone());
        }
    }
    let mut streams: HashSet<&Path> = HashSet::new();
    if let Some(path) = files
        .iter()
        .find(|path| !path.is_file() && !streams.insert(path.as_path()))
    {
        let why = "is no file and named twice, and can be read once".to_owned();
        return Err(Error::Corpus {
            path: path.clone(),
            why,
        });
    }
    Ok((files, hidden))
}

/// All files below a folder, in byte order of their paths. Appends the hidden entries to `hidden`.
fn files_below(folder: &Path, hidden: &mut Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let is_hidden = |entry: &DirEntry| {
        entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let mut files = Vec::new();
    let mut entries = WalkDir::new(folder).follow_links(true).into_iter();
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            Error::io("read", path)(error.into())
        })?;
        if is_hidden(&entry) {
            if entry.file_type().is_dir() {
                entries.skip_current_dir();
            }
            hidden.push(entry.into_path());
        } else if entry.file_type().is_file() {
            files.push(entry.into_path());
        } else if !entry.file_type().is_dir() {
            let why =
                "is no file; take it out of the folder, or name the files themselves".to_owned();
            return Err(Error::Corpus {
                path: entry.into_path(),
                why,
            });
        }
    }
    if files.is_empty() {
        let why = "is a folder without any files that are not hidden".to_owned();
        return Err(Error::Corpus {
            path: folder.to_owned(),
            why,
        });
    }
    let bytes = |path: &PathBuf| path.as_os_str().as_encoded_bytes().to_owned();
    files.sort_by_cached_key(bytes);
    hidden.sort_by_cached_key(bytes);
    Ok(files)
}

/// Reads a list of paths, one a line. Empty lines and byte order marks are skipped. The list `-` is
/// standard input.
///
/// # Errors
/// [`Error::Io`] when the list cannot be read; [`Error::Format`] for a line that cannot be a path;
/// [`Error::Corpus`] when the list holds no path.
pub fn read_list(list: &Path) -> Result<Vec<PathBuf>> {
    let mut text = Vec::new();
    let is_stdin = list.as_os_str() == STDIN;
    match is_stdin {
        true => utf8_text(std::io::stdin()),
        false => std::fs::File::open(list).and_then(utf8_text),
    }
    .and_then(|mut list| list.read_to_end(&mut text))
    .map_err(Error::io("read", list))?;
    let mut paths = Vec::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = unmarked(line.strip_suffix(b"\r").unwrap_or(line));
        let wrong = |why: &str| Error::Format {
            path: list.to_owned(),
            place: format!("line {}", number + 1),
            why: why.to_owned(),
        };
        if line.is_empty() {
            continue;
        }
        if line.contains(&0) {
            return Err(wrong(
                "holds a zero byte, which no path has; write one path a line",
            ));
        }
        if is_stdin && line == STDIN.as_bytes() {
            return Err(wrong(
                "names standard input, which the list itself comes from",
            ));
        }
        paths.push(path_of(line).ok_or_else(|| wrong("is not UTF-8, as paths are here"))?);
    }
    if paths.is_empty() {
        return Err(Error::Corpus {
            path: list.to_owned(),
            why: "names no files; write one path a line".to_owned(),
        });
    }
    Ok(paths)
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere a path may be impossible"
)]
fn path_of(line: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(Path::new(std::ffi::OsStr::from_bytes(line)).to_owned())
}

#[cfg(not(unix))]
fn path_of(line: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(line).ok().map(PathBuf::from)
}
