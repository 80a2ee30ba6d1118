use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 4] = b"TDC1";
const TRAILER_BYTES: usize = 8;

/// An object of many small things: the arguments of calls, or what they came to.
///
/// On disk: the bytes of one call after another, then the [`PackIndex`] as JSON, its length (u32, little
/// endian), `TDC1`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pack {
    pub index: PackIndex,
    /// The bytes of all calls.
    data: Vec<u8>,
}

/// The end of a pack: where the bytes of each call lie, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PackIndex {
    /// The number of its first call in the run.
    #[serde(default)]
    pub first: u64,
    /// Call `first + n` is the bytes from `offsets[n]` to `offsets[n + 1]`.
    pub offsets: Vec<u64>,
    /// The key of the result's file that each call reads, if any does: of arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Option<String>>,
    /// What became of each call, if they have been made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<CallRecord>,
}

impl Default for PackIndex {
    fn default() -> Self {
        Self { first: 0, offsets: vec![0], inputs: vec![], records: vec![] }
    }
}

/// What became of a call, beside its pickled value or exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    #[serde(flatten)]
    pub outcome: CallOutcome,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seconds: f64,
    /// Of the process and its children; looked at ten times a second.
    #[serde(default, skip_serializing_if = "is_none")]
    pub peak_memory_bytes: u64,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

impl CallRecord {
    /// Of one attempt that took so long and printed nothing.
    pub fn new(outcome: CallOutcome, took: Duration) -> Self {
        let seconds = (took.as_secs_f64() * 1e6).round() / 1e6;
        let (stdout, stderr) = (String::new(), String::new());
        Self { outcome, seconds, peak_memory_bytes: 0, attempts: 1, stdout, stderr }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallOutcome {
    /// Its bytes are the value.
    Returned {
        #[serde(rename = "as", default, skip_serializing_if = "ValueFormat::is_pickle")]
        format: ValueFormat,
    },
    /// Its bytes are the pickled exception; none, if that cannot be pickled.
    Raised {
        /// With its module: `builtins.ValueError`.
        #[serde(rename = "type")]
        type_name: String,
        message: String,
        /// As Python prints it.
        traceback: String,
        /// The function or its arguments could not be read, so the call was not made.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// Its process did not survive it.
    Killed { reason: KillReason, message: String },
}

/// How a value is written. Who reads a pickle runs code; the others are read without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueFormat {
    #[default]
    Pickle,
    Json,
    /// A stream of Arrow IPC, that was a `pyarrow.Table`.
    Table,
    /// The same, of a `pyarrow.RecordBatch`.
    Batch,
    /// The same, of a `pandas.DataFrame`.
    Pandas,
    /// The same, of a `polars.DataFrame`.
    Polars,
}

impl ValueFormat {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_pickle(&self) -> bool {
        *self == Self::Pickle
    }

    /// Whether it is a stream of Arrow IPC.
    pub fn is_arrow(self) -> bool {
        match self {
            Self::Pickle | Self::Json => false,
            Self::Table | Self::Batch | Self::Pandas | Self::Polars => true,
        }
    }
}

/// Why a call has neither a value nor an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillReason {
    Timeout,
    Memory,
    /// The process ended, or broke its connection.
    Crash,
    /// The process could not be made ready for calls.
    Initializer,
}

/// Why bytes are no pack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    #[error("the object does not end in the index of a pack of calls")]
    NoIndex,
    #[error("the index is {0} bytes long: read that many and try again")]
    Longer(u64),
    #[error("the index does not fit an object of {0} bytes")]
    Damaged(u64),
}

impl Pack {
    /// An empty one, whose first call has this number.
    pub fn starting_at(first: u64) -> Self {
        Self { index: PackIndex { first, ..PackIndex::default() }, data: vec![] }
    }

    /// Adds the arguments of the next call.
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.index.offsets.push(self.data.len() as u64);
    }

    /// Adds what became of the next call.
    pub fn push_made(&mut self, record: CallRecord, bytes: &[u8]) {
        self.push(bytes);
        self.index.records.push(record);
    }

    /// Takes what is in it; what is added then follows.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let next = Self::starting_at(self.index.first + self.index.len() as u64);
        std::mem::replace(self, next)
    }

    /// Bytes of the calls that are in it.
    pub fn data_bytes(&self) -> usize {
        self.data.len()
    }

    /// The object's bytes.
    pub fn encode(self) -> Bytes {
        let Self { index, mut data } = self;
        let index = serde_json::to_vec(&index).unwrap_or_default();
        data.extend_from_slice(&index);
        data.extend_from_slice(&u32::try_from(index.len()).unwrap_or(u32::MAX).to_le_bytes());
        data.extend_from_slice(MAGIC);
        data.into()
    }
}

impl PackIndex {
    /// The bytes that a reader should fetch at first, to have most indices at once.
    pub const LIKELY_BYTES: u64 = 64 * 1024;

    /// How many calls it has.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether it has no call.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decodes the index from the last bytes of an object of `size` bytes.
    ///
    /// # Errors
    /// [`PackError::Longer`] if `tail` does not hold all of it; else the bytes are damaged.
    pub fn decode(tail: &[u8], size: u64) -> Result<Self, PackError> {
        let body = tail.strip_suffix(MAGIC).ok_or(PackError::NoIndex)?;
        let (body, length) = body.split_last_chunk::<4>().ok_or(PackError::NoIndex)?;
        let length = u32::from_le_bytes(*length) as usize;
        let needed = (length + TRAILER_BYTES) as u64;
        let data_bytes = size.checked_sub(needed).ok_or(PackError::NoIndex)?;
        let from = body.len().checked_sub(length).ok_or(PackError::Longer(needed))?;
        let index: Self = serde_json::from_slice(&body[from..]).map_err(|_| PackError::NoIndex)?;
        let fits = index.offsets.first() == Some(&0)
            && index.offsets.is_sorted()
            && index.offsets.last() == Some(&data_bytes)
            && (index.inputs.is_empty() || index.inputs.len() == index.len())
            && (index.records.is_empty() || index.records.len() == index.len());
        if fits { Ok(index) } else { Err(PackError::Damaged(size)) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(bytes: &u64) -> bool {
    *bytes == 0
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(attempts: &u32) -> bool {
    *attempts == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack() -> Pack {
        let mut pack = Pack::starting_at(7);
        let record = |outcome| CallRecord {
            outcome,
            seconds: 0.5,
            peak_memory_bytes: 0,
            attempts: 1,
            stdout: "hello\n".into(),
            stderr: String::new(),
        };
        pack.push_made(record(CallOutcome::Returned { format: ValueFormat::Json }), b"value");
        let message = "the call took longer than 1 second".to_owned();
        pack.push_made(record(CallOutcome::Killed { reason: KillReason::Timeout, message }), b"");
        pack
    }

    #[test]
    fn what_became_of_calls_comes_back_from_the_end_of_its_object() {
        let index = pack().index;
        let bytes = pack().encode();
        let size = bytes.len() as u64;
        assert_eq!(PackIndex::decode(&bytes, size).as_ref(), Ok(&index));
        assert_eq!((index.len(), index.offsets.clone()), (2, vec![0, 5, 5]));
        let Err(PackError::Longer(needed)) = PackIndex::decode(&bytes[bytes.len() - 20..], size)
        else {
            panic!("a short tail was accepted")
        };
        let tail = &bytes[bytes.len() - usize::try_from(needed).expect("small")..];
        assert_eq!(PackIndex::decode(tail, size), Ok(index));
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic() {
        let bytes = pack().encode();
        for at in 0..bytes.len() {
            for value in [0, 0xff, b'9', b'-'] {
                let mut damaged = bytes.to_vec();
                damaged[at] = value;
                if let Ok(index) = PackIndex::decode(&damaged, damaged.len() as u64) {
                    assert_eq!(index.offsets.last(), Some(&5));
                }
                let _ = PackIndex::decode(&damaged[at..], damaged.len() as u64);
            }
        }
        assert_eq!(PackIndex::decode(b"", 0), Err(PackError::NoIndex));
    }
}
