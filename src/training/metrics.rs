//! metrics.jsonl: one line per evaluation, appended and synced.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::evaluation::Figures;
use crate::files::{self, FileError};

/// One line of metrics.jsonl.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Updates done.
    pub step: u64,
    /// Seconds of training so far, evaluations and earlier sittings included.
    pub seconds: f64,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The open file.
pub struct MetricsFile {
    path: PathBuf,
    file: File,
    /// All that is in it.
    content: String,
}

impl MetricsFile {
    /// Opens the file for a run that goes on from `step`: later lines, which it will write again, are dropped, and so is a line that
    /// a kill left half written. Also gives the last line that stays.
    pub fn open(path: &Path, step: Option<u64>) -> Result<(Self, Option<Metrics>), FileError> {
        let mut kept = String::new();
        let mut last = None;
        if let (Some(step), true) = (step, path.exists()) {
            let content = files::read_at_most(path, 1 << 32)?;
            for line in String::from_utf8_lossy(&content).split_inclusive('\n') {
                match serde_json::from_str::<Metrics>(line) {
                    Ok(metrics) if metrics.step <= step && line.ends_with('\n') => {
                        kept.push_str(line);
                        last = Some(metrics);
                    }
                    _ => (),
                }
            }
        }
        let file = write_and_open(path, &kept)?;
        Ok((
            Self {
                path: path.to_owned(),
                file,
                content: kept,
            },
            last,
        ))
    }

    /// Appends a line and waits until it is on the disk.
    pub fn append(&mut self, metrics: &Metrics) -> Result<(), FileError> {
        let start = self.content.len();
        let written = serde_json::to_string(metrics).map_err(std::io::Error::from).and_then(|line| {
            self.content.push_str(&line);
            self.content.push('\n');
            self.file.write_all(&self.content.as_bytes()[start..])?;
            self.file.sync_data()
        });
        written.map_err(|source| FileError::Write {
            path: self.path.clone(),
            source,
        })?;
        self.restore()
    }

    /// Writes the file again, whole, if it was deleted, replaced or shortened while it was open.
    pub fn restore(&mut self) -> Result<(), FileError> {
        let length = self.path.symlink_metadata().map_or(0, |file| file.len());
        if length != self.content.len() as u64 {
            self.file = write_and_open(&self.path, &self.content)?;
        }
        Ok(())
    }
}

fn write_and_open(path: &Path, content: &str) -> Result<File, FileError> {
    files::write(path, content.as_bytes())?;
    OpenOptions::new().append(true).open(path).map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}
