//! Event files for TensorBoard: scalars by step, as protocol buffers in TFRecord frames.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::{Error, Result};

/// TensorBoard's `Event`, with the fields that scalars need.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    // The field is part of a oneof in TensorBoard's schema, so a value of 0 has to be written too.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.status` at the start of a run. It makes TensorBoard drop what earlier files of the
/// folder have from that step on.
const STARTED: i32 = 1;

/// An event file that grows during a run.
#[derive(Debug)]
pub struct EventFile<W = File> {
    out: W,
}

impl EventFile {
    /// Creates an event file in a folder, and the folder if it does not exist. Also returns the
    /// file's path.
    ///
    /// A new run has `first_step` 0 and takes the place of the folder's earlier runs. A resumed run
    /// continues from its `first_step`.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder or the file cannot be written.
    pub fn create(folder: &Path, first_step: u64) -> Result<(Self, PathBuf)> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let (out, path) = create_new(folder)?;
        let file = Self::begin(out, first_step).map_err(Error::io("write", &path))?;
        Ok((file, path))
    }
}

impl<W: Write> EventFile<W> {
    /// Begins an event file whose first scalars belong to `first_step`.
    ///
    /// # Errors
    /// Any error of `out`.
    pub fn begin(out: W, first_step: u64) -> io::Result<Self> {
        let mut file = Self { out };
        file.put(0, What::FileVersion("brain.Event:2".to_owned()))?;
        file.put(first_step, What::SessionLog(SessionLog { status: STARTED }))?;
        Ok(file)
    }

    /// Adds scalars at a step. Each has a tag.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn scalars<'a>(
        &mut self,
        step: u64,
        scalars: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> io::Result<()> {
        let scalar = |(tag, value): (&str, f64)| Scalar {
            tag: tag.to_owned(),
            simple_value: Some(value as f32),
        };
        self.put(
            step,
            What::Summary(Summary {
                value: scalars.into_iter().map(scalar).collect(),
            }),
        )
    }

    fn put(&mut self, step: u64, what: What) -> io::Result<()> {
        let event = Event {
            wall_time: now(),
            step: i64::try_from(step).unwrap_or(i64::MAX),
            what: Some(what),
        };
        self.out.write_all(&frame(&event.encode_to_vec()))?;
        self.out.flush()
    }
}

/// A file with a name that no other file in the folder has.
fn create_new(folder: &Path) -> Result<(File, PathBuf)> {
    // TensorBoard recognises files by "tfevents" in their names, and reads them in the order of
    // their names.
    let (seconds, process) = (now() as u64, std::process::id());
    let mut number = 0;
    loop {
        let path = folder.join(format!(
            "events.out.tfevents.{seconds:010}.{process}.{number}.w2v-gpu"
        ));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            created => return Ok((created.map_err(Error::io("write", &path))?, path)),
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// A TFRecord: length, checksum of the length, data, checksum of the data.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
}

/// CRC-32C, rotated and shifted. Without this, checksums of data that contain checksums are weak.
fn masked_crc(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
        .to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event of two scalars, encoded and framed by TensorBoard's own Python code.
    const RECORD: [&[u8]; 4] = [
        b"\x25\0\0\0\0\0\0\0",
        b"\xea\xbc\x36\xf3",
        b"\x09\0\0\0\0\0\0\xf8\x3f\x10\x03\x2a\x18\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f\x0a\x09\x0a\x02lr\x15\0\0\0\0",
        b"\xfb\x33\x89\xa7",
    ];

    #[test]
    fn an_event_has_the_bytes_that_tensorboard_gives_it() {
        let scalar = |tag: &str, value| Scalar {
            tag: tag.to_owned(),
            simple_value: Some(value),
        };
        let summary = Summary {
            value: vec![scalar("loss", 0.5), scalar("lr", 0.0)],
        };
        let event = Event {
            wall_time: 1.5,
            step: 3,
            what: Some(What::Summary(summary)),
        };
        let frame = frame(&event.encode_to_vec());
        assert_eq!(frame, RECORD.concat());
        assert_eq!(Event::decode(RECORD[2]).unwrap(), event);
    }

    /// Splits frames by their lengths and checks everything but the checksums.
    fn events(mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
            let data = &rest[4..][..u64::from_le_bytes(*length) as usize];
            events.push(Event::decode(data).unwrap());
            bytes = &rest[data.len() + 8..];
        }
        events
    }

    #[test]
    fn a_file_begins_with_its_version_and_a_start() {
        let mut file = EventFile::begin(Vec::new(), 5).unwrap();
        file.scalars(7, [("loss", 2.0)]).unwrap();
        let events = events(&file.out);
        let what: Vec<What> = events
            .iter()
            .filter_map(|event| event.what.clone())
            .collect();
        let scalar = Scalar {
            tag: "loss".to_owned(),
            simple_value: Some(2.0),
        };
        assert_eq!(
            what,
            [
                What::FileVersion("brain.Event:2".to_owned()),
                What::SessionLog(SessionLog { status: STARTED }),
                What::Summary(Summary {
                    value: vec![scalar]
                }),
            ]
        );
        assert_eq!(
            events.iter().map(|event| event.step).collect::<Vec<_>>(),
            [0, 5, 7]
        );
        assert!(events.iter().all(|event| event.wall_time > 1.7e9));
    }

    #[test]
    fn files_of_one_second_are_not_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..9)
            .map(|_| EventFile::create(folder.path(), 0).unwrap().1)
            .collect();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 9);
        assert!(paths.iter().all(|path| path.metadata().unwrap().len() > 0));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = EventFile::create(&file.path().join("runs"), 0)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("cannot make the folder") && error.contains("runs"),
            "{error}"
        );
    }
}
