//! The folder of a run's checkpoints.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Checkpoint, Fingerprint, file};
use crate::error::{Error, Result, shown};
use crate::system::{PATIENCE, is_same_file, lock, sweep, write_atomically};
use crate::train::state::Snapshot;

/// Number of checkpoints kept: the newest, and one to fall back to.
const KEPT: usize = 2;

/// A folder of checkpoints. No other run uses it while this value lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The locked file. The lock ends with the process.
    _lock: File,
}

/// The newest usable checkpoint of a folder.
#[derive(Debug)]
pub struct LoadedCheckpoint {
    /// The newest checkpoint that is whole.
    pub checkpoint: Checkpoint,
    /// The damage of newer checkpoints, whose files were renamed to end in `.damaged`.
    pub damaged: Vec<Error>,
}

impl Folder {
    /// Opens a folder, or makes it. `setting` names the setting that gave the folder. The
    /// half-written files of a killed process are deleted.
    ///
    /// # Errors
    /// [`Error::Setting`] when the folder cannot be written to or another run uses it.
    pub fn open(path: &Path, setting: &'static str) -> Result<Self> {
        Self::open_within(path, setting, Duration::ZERO, || ())
    }

    /// Opens a folder like [`Folder::open`], but waits up to `patience` for the run that uses it. A
    /// killed process holds its lock until all of it is gone. `waiting` is called once, before the
    /// wait.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn open_within(
        path: &Path,
        setting: &'static str,
        patience: Duration,
        waiting: impl FnOnce(),
    ) -> Result<Self> {
        let mend = |why: String| Error::setting(setting, shown(path), why);
        fs::create_dir_all(path).map_err(|error| {
            mend(format!(
                "cannot be made a folder: {error}; name another one"
            ))
        })?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"));
        let file = file.map_err(|error| {
            mend(format!(
                "cannot be written to: {error}; name a folder elsewhere"
            ))
        })?;
        if !lock(&file, patience, waiting) {
            return Err(mend(
                "another run saves its checkpoints there; name another folder, or end that run"
                    .to_owned(),
            ));
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: file,
        };
        // While the folder is locked, no other run writes there.
        sweep(path);
        Ok(folder)
    }

    /// Opens the folder of a new run. `waiting` is called if another run's end is waited for.
    ///
    /// # Errors
    /// As [`Folder::open`] and [`Folder::is_empty`]; [`Error::Setting`] for `checkpoint` when the
    /// folder holds checkpoints.
    fn for_new_run(path: &Path, waiting: impl FnOnce()) -> Result<Self> {
        let folder = Self::open_within(path, "checkpoint", PATIENCE, waiting)?;
        if folder.is_empty()? {
            return Ok(folder);
        }
        let value = shown(path);
        let why = format!(
            "holds checkpoints already; go on from them with `resume = {value}`, or name another \
             folder"
        );
        Err(Error::setting("checkpoint", value, why))
    }

    /// Opens the folder of a run that is to go on, and reads its newest whole checkpoint. `waiting`
    /// is called if another run's end is waited for.
    ///
    /// # Errors
    /// As [`Folder::open`] and [`Folder::load`]; [`Error::Setting`] for `resume` when there is no
    /// such folder, or no checkpoint in it.
    fn to_resume(path: &Path, waiting: impl FnOnce()) -> Result<(Self, LoadedCheckpoint)> {
        let wrong = |why: &str| Error::setting("resume", shown(path), why);
        if !path.is_dir() {
            return Err(wrong(
                "there is no such folder; name the one that `checkpoint` named",
            ));
        }
        let folder = Self::open_within(path, "resume", PATIENCE, waiting)?;
        let loaded = folder.load()?.ok_or_else(|| {
            wrong(
                "holds no checkpoint; name the folder that `checkpoint` named, or leave `resume` \
                 out to start anew",
            )
        })?;
        Ok((folder, loaded))
    }

    /// Opens the folder that a run is saved to, and reads the checkpoint that it goes on from: a run
    /// that goes on from `resume` is saved there, unless `checkpoint` names another folder. `waiting`
    /// is called with a folder if another run's end is waited for.
    ///
    /// # Errors
    /// As [`Folder::open`], [`Folder::is_empty`] and [`Folder::load`]; [`Error::Setting`] when
    /// `resume` is no folder with a checkpoint, or `checkpoint` holds checkpoints of another run.
    pub fn of_run(
        checkpoint: Option<&Path>,
        resume: Option<&Path>,
        mut waiting: impl FnMut(&Path),
    ) -> Result<(Option<Self>, Option<LoadedCheckpoint>)> {
        let (mut folder, mut loaded) = (None, None);
        if let Some(path) = resume {
            let (opened, newest) = Self::to_resume(path, || waiting(path))?;
            (folder, loaded) = (Some(opened), Some(newest));
        }
        let is_same =
            |other: &Path| resume.is_some_and(|path| path == other || is_same_file(path, other));
        if let Some(path) = checkpoint.filter(|path| !is_same(path)) {
            folder = Some(Self::for_new_run(path, || waiting(path))?);
        }
        Ok((folder, loaded))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder has no checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be read.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.files()?.is_empty())
    }

    /// Reads the newest checkpoint that is whole; `None` when there is no checkpoint at all.
    /// Damaged checkpoints that are newer get the ending `.damaged`.
    ///
    /// # Errors
    /// [`Error::Format`] when all are damaged, [`Error::Setting`] when another version of the
    /// program wrote the newest whole one, [`Error::Io`] when one cannot be read.
    pub fn load(&self) -> Result<Option<LoadedCheckpoint>> {
        let mut damaged = Vec::new();
        for (_, path) in self.files()? {
            match file::read(&path) {
                Ok(checkpoint) => {
                    damaged.iter().try_for_each(set_aside)?;
                    return Ok(Some(LoadedCheckpoint {
                        checkpoint,
                        damaged,
                    }));
                }
                Err(error @ Error::Format { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        match damaged.into_iter().next() {
            None => Ok(None),
            Some(Error::Format { path, place, why }) => {
                let why = format!(
                    "{why}; no other checkpoint there is whole: start anew with another folder"
                );
                Err(Error::Format { path, place, why })
            }
            Some(error) => Err(error),
        }
    }

    /// Writes a checkpoint, deletes all but the last two, and returns the path of the new file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written; the earlier checkpoints stay.
    pub(super) fn save(&self, run: &Fingerprint, snapshot: &Snapshot) -> Result<PathBuf> {
        let path = self
            .path
            .join(format!("{:012}.{EXTENSION}", snapshot.reached.steps));
        write_atomically(&path, |out| file::write(run, snapshot, out))?;
        for (_, old) in self.files()?.into_iter().skip(KEPT) {
            // An old checkpoint that stays does no harm.
            let _ = fs::remove_file(old);
        }
        Ok(path)
    }

    /// The checkpoints with their numbers of steps, the newest first.
    fn files(&self) -> Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(Error::io("read the folder", &self.path))? {
            let path = entry
                .map_err(Error::io("read the folder", &self.path))?
                .path();
            if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
                && let Some(step) = path
                    .file_stem()
                    .and_then(|stem| stem.to_str()?.parse().ok())
            {
                files.push((step, path));
            }
        }
        files.sort_unstable_by(|a, b| b.cmp(a));
        Ok(files)
    }
}

/// The file extension of checkpoints.
const EXTENSION: &str = "checkpoint";

/// Renames a damaged checkpoint, so that it counts as a checkpoint no more.
fn set_aside(error: &Error) -> Result<()> {
    let Error::Format { path, .. } = error else {
        return Ok(());
    };
    fs::rename(path, path.with_extension(format!("{EXTENSION}.damaged")))
        .map_err(Error::io("rename", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::train::checkpoint::fingerprint::tests::of;
    use crate::train::checkpoint::tests::snapshot;

    fn folder_with(steps: &[u64]) -> (tempfile::TempDir, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().join("a/run"), "checkpoint").unwrap();
        for &step in steps {
            folder
                .save(&of(&Config::default()), &snapshot(step, false))
                .unwrap();
        }
        (temporary, folder)
    }

    fn loaded_step(folder: &Folder) -> (u64, usize) {
        let LoadedCheckpoint {
            checkpoint,
            damaged,
        } = folder.load().unwrap().unwrap();
        (checkpoint.snapshot.reached.steps, damaged.len())
    }

    #[test]
    fn the_last_two_are_kept() {
        let (_temporary, folder) = folder_with(&[]);
        assert!(folder.is_empty().unwrap() && folder.load().unwrap().is_none());
        let (_temporary, folder) = folder_with(&[9, 10, 100, 100]);
        let steps: Vec<u64> = folder
            .files()
            .unwrap()
            .into_iter()
            .map(|(step, _)| step)
            .collect();
        assert_eq!(steps, [100, 10]);
        assert_eq!(loaded_step(&folder), (100, 0));
    }

    #[test]
    fn a_damaged_one_is_set_aside() {
        let (_temporary, folder) = folder_with(&[1, 2]);
        let newest = folder.files().unwrap().remove(0).1;
        let whole = fs::read(&newest).unwrap();
        fs::write(&newest, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(loaded_step(&folder), (1, 1));
        assert!(newest.with_extension("checkpoint.damaged").exists());
        // From here on there is again a checkpoint to fall back to.
        folder
            .save(&of(&Config::default()), &snapshot(3, false))
            .unwrap();
        assert_eq!(
            (loaded_step(&folder), folder.files().unwrap().len()),
            ((3, 0), 2)
        );
        for (_, path) in folder.files().unwrap() {
            fs::write(path, "nothing").unwrap();
        }
        let error = folder.load().unwrap_err().to_string();
        assert!(
            error.contains("000000000003.checkpoint") && error.contains("no other checkpoint"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_is_waited_for_as_long_as_asked() {
        let (_temporary, folder) = folder_with(&[1]);
        let path = folder.path().to_owned();
        let (minute, mut waits) = (Duration::from_secs(60), 0);
        Folder::open_within(&path, "resume", Duration::from_millis(50), || waits += 1).unwrap_err();
        let mut held = Some(folder);
        let give_up = || {
            waits += 1;
            drop(held.take());
        };
        Folder::open_within(&path, "resume", minute, give_up).unwrap();
        Folder::open_within(&path, "resume", minute, || unreachable!("nobody has it")).unwrap();
        assert_eq!(waits, 2);
    }

    #[test]
    fn a_folder_has_one_user_and_is_swept() {
        let (_temporary, folder) = folder_with(&[1]);
        let error = Folder::open(folder.path(), "checkpoint")
            .unwrap_err()
            .to_string();
        assert!(error.contains("another run"), "{error}");
        let path = folder.path().to_owned();
        fs::write(path.join(".w2v-gpu-abc.tmp"), "half").unwrap();
        drop(folder);
        let folder = Folder::open(&path, "checkpoint").unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
        drop(folder);
        let file = path.join("lock");
        assert!(
            Folder::open(&file, "checkpoint")
                .unwrap_err()
                .to_string()
                .contains("`checkpoint`")
        );
    }
}
