use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tidemill_protocol::record::RejectedPart;

use super::{REJECTED_BYTES_MAX, TooManyBadLines};

/// A bad line, as it is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reject {
    pub(super) file: String,
    /// Byte of the file where it starts; of a gzipped one, of what is in it.
    pub(super) offset: u64,
    /// Its number in the file, from 1, where the file is read from its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    pub(super) reason: String,
    /// Without what is not UTF-8.
    pub(super) text: String,
}

/// The bad lines that a task has found.
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    readings: Mutex<Vec<(RejectedPart, Arc<Reading>)>>,
    bytes: Arc<AtomicUsize>,
}

/// The bad lines of one reading of a part of a file.
#[derive(Debug, Default)]
pub(super) struct Reading {
    lines: Mutex<Vec<Reject>>,
    /// Of the task.
    bytes: Arc<AtomicUsize>,
}

impl Rejects {
    /// Starts a reading of a part; the lines of `part` are not counted yet.
    pub(super) fn read(&self, part: RejectedPart) -> Arc<Reading> {
        let reading = Arc::new(Reading { bytes: self.bytes.clone(), ..Reading::default() });
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.push((part, reading.clone()));
        reading
    }

    /// The objects that hold the bad lines, one for each part that has any. Of several readings of
    /// a part that which got farthest has all lines of the others.
    pub(crate) fn objects(&self) -> Vec<(RejectedPart, Bytes)> {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts: BTreeMap<RejectedPart, Vec<Reject>> = BTreeMap::new();
        for (part, reading) in readings.iter() {
            let lines = reading.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let known = parts.entry(*part).or_default();
            if lines.len() > known.len() {
                known.clone_from(&lines);
            }
        }
        let with_lines = parts.into_iter().filter(|(_, lines)| !lines.is_empty());
        with_lines.map(|(p, lines)| (p.of_lines(lines.len() as u64), object(&lines))).collect()
    }
}

fn object(lines: &[Reject]) -> Bytes {
    let mut text = vec![];
    for line in lines {
        // writing to memory, and a struct of texts and numbers, does not fail
        let _ = serde_json::to_writer(&mut text, line);
        text.push(b'\n');
    }
    text.into()
}

impl Reading {
    /// Sets a line aside.
    pub(super) fn add(&self, line: Reject) -> Result<(), TooManyBadLines> {
        let bytes = line.text.len() + line.reason.len() + line.file.len();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > REJECTED_BYTES_MAX {
            return Err(TooManyBadLines(line.file));
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> Vec<Reject> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
