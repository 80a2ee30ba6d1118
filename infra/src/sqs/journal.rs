//! What a queue holds, on disk: a file for each message, from its sending to its deletion.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::message::NewMessage;

/// The files of one queue.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
}

/// A message as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JournalEntry {
    pub(super) id: String,
    pub(super) message: NewMessage,
    /// Milliseconds since 1970.
    pub(super) sent: i64,
    pub(super) source: Option<String>,
}

impl Journal {
    /// Opens the files of a queue, and reads what an earlier process left.
    pub(super) fn open(folder: PathBuf) -> io::Result<(Self, Vec<JournalEntry>)> {
        fs::create_dir_all(&folder)?;
        let mut entries = vec![];
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            match serde_json::from_slice(&fs::read(&path)?) {
                Ok(message) => entries.push(message),
                Err(_) => fs::remove_file(path)?, // cut off when the process was killed
            }
        }
        entries.sort_by_key(|entry: &JournalEntry| entry.sent);
        Ok((Self { folder }, entries))
    }

    pub(super) fn keep(&self, message: &JournalEntry) {
        let written = serde_json::to_vec(message)
            .map_err(io::Error::from)
            .and_then(|bytes| fs::write(self.folder.join(&message.id), bytes));
        if let Err(e) = written {
            tracing::error!(error = %e, "a message would not survive a restart");
        }
    }

    pub(super) fn forget(&self, id: &str) {
        let _ = fs::remove_file(self.folder.join(id)); // it may never have been written
    }
}
