//! The file that a run is recorded in, while the run goes on.
//!
//! An existing file is not touched until the new record is complete. Until then the record grows in
//! a file of the same name with `.1` appended, or the next free number. A run that did not end
//! leaves an incomplete record under such a name, and the resumed run continues it there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Record, StartRecord, record, write_line};
use crate::error::{Error, Result, shown};
use crate::system::{FileId, PATIENCE, lock, write_atomically};
use crate::train::state::TrainState;

/// The record of a run, which grows line by line.
#[derive(Debug)]
pub struct LogFile {
    /// Locked while it grows, so that no other run writes to it.
    file: File,
    /// The path under which it grows.
    place: PathBuf,
    /// The path that it gets once it is complete.
    path: PathBuf,
}

/// The record that an earlier process has left of a run.
struct Earlier {
    place: PathBuf,
    start: StartRecord,
    /// The whole lines after the first, up to the step from which the run continues.
    kept: Vec<u8>,
    has_end: bool,
}

impl LogFile {
    /// Begins the record `asked` for. If the run is `resumed` from a checkpoint and its record is
    /// found, continues that record.
    ///
    /// A resumed run waits up to [`PATIENCE`] for another process to release the record. `waiting`
    /// is called before each wait.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; [`Error::Setting`] when another run is being
    /// recorded there.
    pub fn begin(
        asked: &Path,
        start: StartRecord,
        resumed: Option<&TrainState>,
        mut waiting: impl FnMut(),
    ) -> Result<Self> {
        // A link stays, and the file that it points to is replaced.
        let path = if asked.is_symlink() {
            fs::canonicalize(asked).ok()
        } else {
            None
        };
        let path = path.unwrap_or_else(|| asked.to_owned());
        if path.exists() && !path.is_file() {
            return Self::stream(path, &start);
        }
        let patience = if resumed.is_some() {
            PATIENCE
        } else {
            Duration::ZERO
        };
        let there = places(&path).take_while(|place| place.exists());
        let held = there.map(|place| hold(&place, patience, &mut waiting));
        let mut held = held.collect::<Result<Vec<_>>>()?;
        if cfg!(windows) {
            // There, a file that is open cannot be replaced.
            held.clear();
        }
        match resumed.and_then(|reached| Earlier::latest(&path, &start, reached)) {
            // Nobody else takes the earlier record until this run has locked what replaces it.
            Some(earlier) if !earlier.has_end => Self::go_on(path, earlier, start),
            Some(Earlier {
                start: first, kept, ..
            }) => {
                drop(held);
                Self::anew(path, &first.continued_by(start), &kept)
            }
            None => {
                drop(held);
                Self::anew(path, &start, &[])
            }
        }
    }

    /// Goes on with the record of an earlier process of the run, which did not end.
    fn go_on(path: PathBuf, earlier: Earlier, start: StartRecord) -> Result<Self> {
        let Earlier {
            place,
            start: first,
            kept,
            ..
        } = earlier;
        let start = first.continued_by(start);
        write_atomically(&place, |out| write_begin(out, &start, &kept))?;
        let file = File::options()
            .append(true)
            .open(&place)
            .map_err(Error::io("write", &place))?;
        if lock(&file, Duration::ZERO, || ()) {
            Ok(Self { file, place, path })
        } else {
            Err(in_use(&place))
        }
    }

    /// Begins a record in a new file.
    fn anew(path: PathBuf, start: &StartRecord, kept: &[u8]) -> Result<Self> {
        let free =
            places(&path).find_map(|place| claim(&place).transpose().map(|file| (place, file)));
        let Some((place, file)) = free else {
            return Err(in_use(&path));
        };
        let mut file = file?;
        if let Err(error) = write_begin(&mut file, start, kept) {
            let _ = fs::remove_file(&place);
            return Err(Error::io("write", &place)(error));
        }
        Ok(Self { file, place, path })
    }

    /// Begins a record on a device or pipe, which takes each line at once.
    fn stream(path: PathBuf, start: &StartRecord) -> Result<Self> {
        let mut file = File::options()
            .write(true)
            .open(&path)
            .map_err(Error::io("write", &path))?;
        let written = record("start", start)
            .map_err(io::Error::from)
            .and_then(|start| write_line(&mut file, &start));
        written.map_err(Error::io("write", &path))?;
        Ok(Self {
            file,
            place: path.clone(),
            path,
        })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn put(&mut self, record: &Map<String, Value>) -> io::Result<()> {
        write_line(&mut self.file, record)
    }

    /// The path under which the record grows, unless it has its final name.
    pub fn growing(&self) -> Option<&Path> {
        (self.place != self.path).then_some(&self.place)
    }

    /// Renames the record to its final name, once it is complete.
    ///
    /// # Errors
    /// Any error of the file system, or that another run has begun its record there meanwhile.
    pub fn publish(&mut self) -> io::Result<()> {
        if self.place != self.path {
            drop(hold(&self.path, Duration::ZERO, || ()).map_err(io::Error::other)?);
            self.file.sync_all()?;
            fs::rename(&self.place, &self.path)?;
            self.place.clone_from(&self.path);
        }
        Ok(())
    }
}

impl StartRecord {
    /// The start of a run that began with this one, and that another process continues as `now`.
    fn continued_by(self, now: Self) -> Self {
        Self {
            started: self.started,
            ..now
        }
    }
}

impl Earlier {
    /// The latest record of a run that has `reached` a checkpoint, in one of the places of `path`.
    fn latest(path: &Path, start: &StartRecord, reached: &TrainState) -> Option<Self> {
        let places: Vec<PathBuf> = places(path).take_while(|place| place.exists()).collect();
        // Complete records are older than those of runs that did not end.
        let latest_first = places.into_iter().rev();
        latest_first
            .filter_map(|place| Self::read(place, start, reached))
            .next()
    }

    /// Reads the record of the run that `start` continues from `reached`; `None` if the file is no
    /// record of that run.
    fn read(place: PathBuf, start: &StartRecord, reached: &TrainState) -> Option<Self> {
        let bytes = fs::read(&place).ok()?;
        let mut lines = bytes
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| line.ends_with(b"\n"));
        let Some(Record::Start(first)) = parsed(lines.next()?) else {
            return None;
        };
        if !is_same_run(&first, start) {
            return None;
        }
        let (mut kept, mut has_end) = (Vec::new(), false);
        for line in lines {
            match parsed(line)? {
                Record::Progress(progress) if progress.step <= reached.steps => kept.extend(line),
                Record::Epoch(epoch) if epoch.epoch < reached.epochs => kept.extend(line),
                Record::Evaluated(evaluated) if evaluated.epoch < reached.epochs => {
                    kept.extend(line)
                }
                Record::End(_) => has_end = true,
                // The resumed run does this part again.
                _ => {}
            }
        }
        Some(Self {
            place,
            start: first,
            kept,
            has_end,
        })
    }
}

fn parsed(line: &[u8]) -> Option<Record> {
    serde_json::from_slice(line).ok()
}

/// Whether two runs give the same vectors, as far as both of them go.
fn is_same_run(a: &StartRecord, b: &StartRecord) -> bool {
    let but_epochs = |config: &Map<String, Value>| {
        let mut config = config.clone();
        config.shift_remove("epochs");
        config
    };
    but_epochs(&a.config) == but_epochs(&b.config) && a.prepared == b.prepared
}

/// The paths under which a record may grow, in the order in which they are tried.
fn places(path: &Path) -> impl Iterator<Item = PathBuf> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    std::iter::once(path.to_owned()).chain((1..).map(numbered))
}

/// Whether a path has content that could be lost.
fn is_taken(place: &Path) -> bool {
    place
        .metadata()
        .is_ok_and(|metadata| !metadata.is_file() || metadata.len() > 0)
}

/// Creates and locks the file at `place`; `None` if the path has content that could be lost.
fn claim(place: &Path) -> Result<Option<File>> {
    if is_taken(place) {
        hold(place, Duration::ZERO, || ())?;
        return Ok(None);
    }
    let file = File::options()
        .append(true)
        .create(true)
        .open(place)
        .map_err(Error::io("write", place))?;
    if !lock(&file, Duration::ZERO, || ()) {
        return Err(in_use(place));
    }
    // Meanwhile another run may have begun a record there and failed.
    let length = file.metadata().map_err(Error::io("write", place))?.len();
    Ok((length == 0).then_some(file))
}

/// Writes the start of a record and the lines `kept` from an earlier one.
fn write_begin(out: &mut dyn Write, start: &StartRecord, kept: &[u8]) -> io::Result<()> {
    write_line(out, &record("start", start)?)?;
    out.write_all(kept)
}

/// Locks the file at a place; `None` if it cannot be opened, which gives an error when it is written.
///
/// # Errors
/// [`Error::Setting`] when another run is writing to it.
fn hold(place: &Path, patience: Duration, mut waiting: impl FnMut()) -> Result<Option<File>> {
    loop {
        let Ok(file) = File::open(place) else {
            return Ok(None);
        };
        if !lock(&file, patience, &mut waiting) {
            return Err(in_use(place));
        }
        let metadata = file.metadata().map_err(Error::io("read", place))?;
        // The run that held the lock may have replaced the file.
        if FileId::at(place) == Some(FileId::of(&metadata)) {
            return Ok(Some(file));
        }
    }
}

fn in_use(place: &Path) -> Error {
    let why =
        "another run is being recorded there; name another file, or wait for its end".to_owned();
    Error::setting("metrics", shown(place), why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn start(dim: u32, epochs: u32) -> StartRecord {
        serde_json::from_value(json!({
            "version": 1, "program": "w2v-gpu 0", "started": format!("{epochs}"), "engine": "cpu",
            "hardware": {"cores": 2, "threads": 1, "system": "linux"}, "corpus": ["a"], "output": "/v.bin",
            "config": {"dim": dim, "epochs": epochs}, "prepared": {"tokens": 9},
        }))
        .unwrap()
    }

    fn progress(step: u64) -> Map<String, Value> {
        let Value::Object(fields) = json!({
            "record": "progress", "step": step, "words": step, "total_words": 9, "pairs": 1, "loss": 1.0, "lr": 0.1,
            "elapsed": 1.0, "words_per_second": 1.0,
        }) else {
            unreachable!()
        };
        fields
    }

    fn line(fields: Value) -> Map<String, Value> {
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        fields
    }

    fn end() -> Map<String, Value> {
        line(json!({"record": "end", "training": {}, "words_per_second": 1.0, "seconds": {}}))
    }

    fn epoch(epoch: u32) -> Map<String, Value> {
        line(json!({"record": "epoch", "epoch": epoch, "pairs": 7, "loss": 2.5}))
    }

    fn at(steps: u64, epochs: u32) -> TrainState {
        TrainState {
            steps,
            epochs,
            ..TrainState::default()
        }
    }

    fn begin(path: &Path, start: StartRecord, resumed: Option<&TrainState>) -> Result<LogFile> {
        LogFile::begin(path, start, resumed, || ())
    }

    /// The steps of a record's reports, the number of its epochs, and whether it has an end.
    fn read(path: &Path) -> (Vec<u64>, usize, bool) {
        let log = super::super::read(path).unwrap();
        (
            log.progress.iter().map(|progress| progress.step).collect(),
            log.epochs.len(),
            log.end.is_some(),
        )
    }

    #[test]
    fn a_file_that_is_there_stays_until_the_record_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let second = folder.path().join("run.jsonl.1");
        fs::write(&path, "precious").unwrap();
        for _ in 0..2 {
            // This run fails, and the next one leaves its record alone.
            begin(&path, start(1, 2), None)
                .unwrap()
                .put(&progress(1))
                .unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"precious");
            assert_eq!(read(&second), (vec![1], 0, false));
        }
        let mut log = begin(&path, start(1, 2), None).unwrap();
        assert!(log.growing().unwrap().ends_with("run.jsonl.3"));
        log.put(&end()).unwrap();
        log.publish().unwrap();
        assert_eq!((read(&path), log.growing()), ((vec![], 0, true), None));
        assert!(!folder.path().join("run.jsonl.3").exists() && second.exists());
    }

    #[test]
    fn a_resumed_run_goes_on_where_its_checkpoint_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        for is_there in [false, true] {
            let precious = || fs::write(&path, if is_there { "precious" } else { "" }).unwrap();
            precious();
            let mut log = begin(&path, start(1, 2), None).unwrap();
            let place = log.growing().unwrap_or(&path).to_owned();
            for fields in [progress(3), progress(5), epoch(0), progress(6), progress(8)] {
                log.put(&fields).unwrap();
            }
            log.file.write_all(b"{\"record\":\"progr").unwrap();
            drop(log);
            // The run was killed after batch 8, with a checkpoint of batch 6.
            let mut log = begin(&path, start(1, 2), Some(&at(6, 1))).unwrap();
            assert_eq!(log.growing().unwrap_or(&path), place);
            log.put(&progress(9)).unwrap();
            assert_eq!(read(&place), (vec![3, 5, 6, 9], 1, false));
            log.put(&end()).unwrap();
            log.publish().unwrap();
            assert_eq!(read(&path), (vec![3, 5, 6, 9], 1, true));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        // With more epochs, the complete record stays until the longer one is complete.
        let mut log = begin(&path, start(1, 3), Some(&at(9, 1))).unwrap();
        assert_eq!(read(&path), (vec![3, 5, 6, 9], 1, true));
        for fields in [progress(12), epoch(1), end()] {
            log.put(&fields).unwrap();
        }
        log.publish().unwrap();
        assert_eq!(read(&path), (vec![3, 5, 6, 9, 12], 2, true));
        let log = super::super::read(&path).unwrap();
        assert_eq!(
            (log.start.started.as_str(), &log.start.config["epochs"]),
            ("2", &3.into())
        );
    }

    /// A run waits for a record that the run before it replaces, and then takes what replaced it.
    #[test]
    fn a_lock_is_that_of_the_file_that_has_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let (place, newer) = (folder.path().join("run.jsonl"), folder.path().join("newer"));
        fs::write(&place, "old").unwrap();
        fs::write(&newer, "new").unwrap();
        let mut held = hold(&place, Duration::ZERO, || ()).unwrap();
        hold(&place, Duration::ZERO, || ()).unwrap_err();
        let replace = || {
            if held.is_some() {
                fs::rename(&newer, &place).unwrap();
                held = None;
            }
        };
        let file = hold(&place, Duration::from_secs(60), replace)
            .unwrap()
            .unwrap();
        assert_eq!(io::read_to_string(file).unwrap(), "new");
    }

    /// The first run's record is about to get a name under which another run has begun by then.
    #[test]
    fn a_record_replaces_none_that_is_growing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        fs::write(&path, "precious").unwrap();
        let mut first = begin(&path, start(1, 2), None).unwrap();
        fs::remove_file(&path).unwrap();
        let mut second = begin(&path, start(2, 2), None).unwrap();
        second.put(&progress(1)).unwrap();
        let error = first.publish().unwrap_err().to_string();
        assert!(error.contains("another run is being recorded"), "{error}");
        assert_eq!(read(&path), (vec![1], 0, false));
        assert!(first.growing().unwrap().exists());
    }

    #[test]
    fn the_record_of_another_run_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let mut log = begin(&path, start(1, 2), None).unwrap();
        log.put(&progress(1)).unwrap();
        drop(log);
        let log = begin(&path, start(2, 2), Some(&at(6, 1))).unwrap();
        assert!(log.growing().is_some());
        assert_eq!(read(&path), (vec![1], 0, false));
    }

    #[test]
    fn two_runs_do_not_share_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        for is_there in [false, true] {
            fs::write(&path, if is_there { "precious" } else { "" }).unwrap();
            let log = begin(&path, start(1, 2), None).unwrap();
            let error = begin(&path, start(1, 2), None).unwrap_err().to_string();
            assert!(
                error.contains("another run is being recorded there"),
                "{error}"
            );
            drop(log);
            begin(&path, start(1, 2), None).unwrap();
        }
    }

    /// Both runs have found the path free before either of them takes it.
    #[test]
    fn of_two_runs_that_begin_at_once_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let first = claim(&path).unwrap().unwrap();
        let error = claim(&path).unwrap_err().to_string();
        assert!(
            error.contains("another run is being recorded there"),
            "{error}"
        );
        drop(first);
        assert!(claim(&path).unwrap().is_some());
    }
}
