//! The figures of training as an event file of TensorBoard.
//!
//! The file is a row of records: the length, the content, and a checksum of each (TensorFlow, `tfrecord_writer`). The content is an `Event` in
//! protocol buffers (`event.proto`, `summary.proto`): a time, a step, and a tag with a number for each figure.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crc::{CRC_32_ISCSI, Crc};

use super::metrics::Metrics;
use crate::files::FileError;

/// In the run's folder.
const FOLDER: &str = "tensorboard";
/// TensorBoard knows its files by the second word of their names.
const NAME: &str = "events.out.tfevents.latent-cycles";

/// Its table is made by the compiler.
static CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// An event file that is written as training goes.
pub struct EventFile {
    path: PathBuf,
    file: File,
    /// When training would have begun if it had gone on without a break, in seconds since 1970.
    began: f64,
}

impl EventFile {
    /// Begins the file of a run's folder anew, with the figures of an earlier sitting.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(run: &Path, earlier: &[Metrics]) -> Result<Self, FileError> {
        let path = run.join(FOLDER).join(NAME);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        let began = now - earlier.last().map_or(0.0, |last| last.seconds);
        let open = || -> io::Result<File> {
            fs::create_dir_all(run.join(FOLDER))?;
            // A link would lead to a file elsewhere, and a pipe would wait for a reader.
            if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
                return Err(io::Error::other("what is there is not a regular file"));
            }
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
            file.write_all(&record(&version(began)))?;
            Ok(file)
        };
        let file = open().map_err(|source| FileError::Write {
            path: path.clone(),
            source,
        })?;
        let mut events = Self { path, file, began };
        earlier.iter().try_for_each(|metrics| events.append(metrics))?;
        Ok(events)
    }

    /// Appends the figures of one evaluation.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&mut self, metrics: &Metrics) -> Result<(), FileError> {
        let event = record(&event(self.began + metrics.seconds, metrics));
        self.file.write_all(&event).map_err(|source| FileError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

/// The first event of every file.
fn version(time: f64) -> Vec<u8> {
    [field_double(1, time), field_bytes(3, b"brain.Event:2")].concat()
}

fn event(time: f64, metrics: &Metrics) -> Vec<u8> {
    // Under their names in metrics.jsonl; what cannot be had is null there.
    let figures = serde_json::to_value(metrics.figures).unwrap_or_default();
    let mut summary = Vec::new();
    for (name, value) in figures.as_object().into_iter().flatten() {
        if let Some(value) = value.as_f64() {
            let number = [field_bytes(1, name.as_bytes()), field_float(2, value as f32)].concat();
            summary.extend(field_bytes(1, &number));
        }
    }
    [field_double(1, time), field_varint(2, metrics.step), field_bytes(5, &summary)].concat()
}

/// Length and content, each with its checksum.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let checksum = |bytes: &[u8]| masked(CHECKSUM.checksum(bytes)).to_le_bytes();
    [&length[..], &checksum(&length), content, &checksum(content)].concat()
}

/// As TensorFlow stores checksums, lest the checksum of data that hold one be weak.
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

// Fields of protocol buffers: the number and the kind of a field, then its value.

fn field_varint(number: u8, value: u64) -> Vec<u8> {
    [vec![number << 3], varint(value)].concat()
}

fn field_double(number: u8, value: f64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn field_bytes(number: u8, value: &[u8]) -> Vec<u8> {
    [vec![number << 3 | 2], varint(value.len() as u64), value.to_vec()].concat()
}

fn field_float(number: u8, value: f32) -> Vec<u8> {
    [&[number << 3 | 5][..], &value.to_le_bytes()].concat()
}

/// Seven bits a byte, the least significant first; all bytes but the last have the eighth bit set.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
