//! The cache of a corpus: the counted and encoded corpus, kept in a folder for the next run on the
//! same text.
//!
//! | file | does |
//! |---|---|
//! | `key` | says what a cached corpus was read from, and how |
//! | `file` | one as bytes, with checksums |
//!
//! The corpus and the options name the file. So each way of reading a corpus has one file, which is
//! replaced when the text has changed. A file is used only if it is whole and its key is the run's
//! own; otherwise the corpus is read as if there were none. Files appear whole or not at all. A
//! process that reads a file keeps it open, whatever happens to its name. So any number of runs may
//! share a folder.

mod file;
mod key;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use self::key::Key;
use crate::config::Config;
use crate::corpus::{Contents, Corpus};
use crate::error::{Error, Result, shown};
use crate::event::{Cached, Event};
use crate::system::{sweep, write_atomically};
use crate::vocab::Rules;

/// A folder of cached corpora. They take about 4 bytes a word, and may be deleted at any time.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens a folder, or makes it. `setting` names the setting that gave the folder.
    ///
    /// # Errors
    /// [`Error::Setting`] when the folder cannot be made.
    pub fn open(folder: &Path, setting: &'static str) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| {
            Error::setting(
                setting,
                shown(folder),
                format!("cannot be made a folder: {error}; name another one"),
            )
        })?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The contents of `corpus`, from the cache if they are there. Otherwise `read` makes them, and
    /// they are written to the cache. `rules` are read from the lists that `config` names.
    ///
    /// # Errors
    /// The errors of `read`. A failure of the cache is told as an [`Event::Cached`], and the run
    /// goes on without it.
    pub(crate) fn contents<E: FnMut(Event)>(
        &self,
        corpus: &Corpus,
        config: &Config,
        rules: &Rules,
        on_event: &mut E,
        read: impl FnOnce(&mut E) -> Result<Contents>,
    ) -> Result<Contents> {
        let key = match Key::new(corpus, config, rules) {
            Ok(key) => key,
            Err(why) => {
                on_event(Event::Cached(Cached::Impossible { why }));
                return read(on_event);
            }
        };
        let path = self.folder.join(key.file_name());
        match file::read(&path, &key) {
            Ok(Some(contents)) => {
                on_event(Event::Cached(Cached::Used { path }));
                return Ok(contents);
            }
            Ok(None) => {}
            Err(why) => on_event(Event::Cached(Cached::Rejected {
                path: path.clone(),
                why,
            })),
        }
        let contents = read(on_event)?;
        // The corpus may have changed while it was read: the key must still hold.
        let is_same = Key::new(corpus, config, rules).as_ref() == Ok(&key);
        let saved = if is_same {
            self.save(&path, &key, &contents)
                .map_err(|error| error.to_string())
        } else {
            Err("a file that was read has changed since".to_owned())
        };
        on_event(Event::Cached(match saved {
            Ok(bytes) => Cached::Written { path, bytes },
            Err(why) => Cached::NotWritten { why },
        }));
        Ok(contents)
    }

    /// Writes a file; returns its size.
    fn save(&self, path: &Path, key: &Key, contents: &Contents) -> Result<u64> {
        let _writing = self.writing();
        write_atomically(path, |out| file::write(key, contents, out))?;
        Ok(fs::metadata(path).map_or(0, |metadata| metadata.len()))
    }

    /// Takes the lock that is held while a file is written. If nobody else writes, the remains of
    /// killed processes are deleted.
    fn writing(&self) -> Option<File> {
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join("cache.lock"))
            .ok()?;
        if lock.try_lock().is_ok() {
            sweep(&self.folder);
            lock.unlock().ok()?;
        }
        // On a file system without locks nothing is deleted.
        lock.lock_shared().ok()?;
        Some(lock)
    }
}
