use chrono::{DateTime, Utc};

/// An upload, as a storage event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    pub bucket: String,
    /// Decoded: as the user wrote it.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Orders the events of one key.
    pub sequencer: String,
    pub time: DateTime<Utc>,
}
