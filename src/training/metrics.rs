//! metrics.jsonl: one line per evaluation, appended and synced.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::evaluation::Figures;
use crate::files::{self, FileError, UnreadLine};

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
    /// Where the path entropy production is held at a target, its weight in the objective: nats of log-likelihood for a nat of entropy per step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_entropy_weight: Option<f64>,
    /// The path entropy production of the persistent chains, nats per step; only of two independent transitions whose states are not listed. Where it is far from
    /// `path_entropy_production`, that of chains from noise, these are not in their steady state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_entropy_production_chains: Option<f64>,
}

/// The open file.
pub struct MetricsFile {
    path: PathBuf,
    file: File,
    /// All that is in it.
    content: String,
}

/// What a run that goes on finds in its metrics.jsonl.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    /// The lines that stay.
    text: String,
    /// The last of them.
    pub last: Option<Metrics>,
    /// Lines that are dropped because they cannot be read.
    pub unread: Vec<UnreadLine>,
}

impl Earlier {
    /// From the content of the file, for a run that goes on from `step`. Later lines, which it will write again, are dropped, and so is a
    /// last one without an end, which a kill left half written.
    pub fn from_bytes(path: &Path, content: &[u8], step: u64) -> Self {
        let mut earlier = Self::default();
        let content = String::from_utf8_lossy(content);
        let whole = content.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        for (number, line) in whole.enumerate() {
            match serde_json::from_str::<Metrics>(line) {
                Ok(metrics) if metrics.step > step => (),
                Ok(metrics) => {
                    earlier.text.push_str(line);
                    earlier.last = Some(metrics);
                }
                Err(_) if line.trim().is_empty() => (),
                Err(_) => earlier.unread.push(UnreadLine {
                    path: path.to_owned(),
                    line: number + 1,
                }),
            }
        }
        earlier
    }
}

impl MetricsFile {
    /// Opens the file for a run that goes on from `step`, or begins, with what stays of an earlier file.
    pub fn open(path: &Path, step: Option<u64>) -> Result<(Self, Earlier), FileError> {
        let earlier = match step {
            Some(step) if path.exists() => Earlier::from_bytes(path, &files::read_at_most(path, files::LONGEST_LINES)?, step),
            _ => Earlier::default(),
        };
        let file = write_and_open(path, &earlier.text)?;
        Ok((
            Self {
                path: path.to_owned(),
                file,
                content: earlier.text.clone(),
            },
            earlier,
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
