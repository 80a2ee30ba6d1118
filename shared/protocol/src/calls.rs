//! Calls of a Python function: what a job asks for, and the objects that they come and go in.

mod engine;
mod pack;
mod parts;
mod plan;
mod table;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Refusal;
use crate::key::Key;

pub use engine::{CallEngine, Caller, Made};
pub use pack::{CallOutcome, CallRecord, KillReason, Pack, PackError, PackIndex, ValueFormat};
pub use plan::{CallPlan, CallPlanner, of_bucket, read_index};
pub use table::{CallTable, RowsFile};

/// The longest time-out of a call, in seconds: a function ends after 15 minutes (AWS Lambda quotas), and
/// needs some of them for what surrounds a call.
pub const TIMEOUT_SECONDS_MAX: f64 = 840.0;

/// What a job of calls asks for. The bytes of function and arguments are pickles, which only Python reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The pickled function.
    pub function: ContentName,
    /// A pickled pair of a callable and its positional arguments, which a process runs before its first
    /// call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initializer: Option<ContentName>,
    /// Objects that function and arguments refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<ContentName>,
    /// Archives of modules (tar, gzip), which the interpreter looks into before its own path, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<ContentName>,
    /// The key of a [`Pack`]: the pickled pair of positional and keyword arguments of each call.
    pub arguments: String,
    /// The version of Python that they were pickled by: `3.13`.
    pub python: String,
    /// What the function is called, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Seconds after which a call is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// MiB that a call is expected to need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// How often a call that raises is made again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// How many calls of an `async def` function a process runs at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Seconds that a call is expected to take, if somebody knows: short ones share tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Calls {
    /// # Errors
    /// A sentence that names the member that cannot be.
    pub(crate) fn check(&self, key: &str) -> Result<(), Refusal> {
        if !self.arguments.starts_with(Key::CALLS) {
            let (arguments, calls) = (&self.arguments, Key::CALLS);
            let why = format!("{key}: arguments is '{arguments}': it must be a key under {calls}");
            return Err(Refusal::at("/calls/arguments", why));
        }
        if let Some(seconds) = self.timeout
            && !(seconds > 0.0 && seconds <= TIMEOUT_SECONDS_MAX)
        {
            let why = format!(
                "{key}: timeout is {seconds}: it must be above 0 and at most {TIMEOUT_SECONDS_MAX} \
                 seconds, which a function has for a call"
            );
            return Err(Refusal::at("/calls/timeout", why));
        }
        if self.concurrency == Some(0) {
            let why = format!("{key}: concurrency is 0: it must be at least 1");
            return Err(Refusal::at("/calls/concurrency", why));
        }
        Ok(())
    }
}

/// The name of an object by its bytes: their SHA-256, in hexadecimal digits.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct ContentName(String);

impl ContentName {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self::of_hash(&sha2::Sha256::digest(bytes))
    }

    /// Of what is read.
    ///
    /// # Errors
    /// Reading failed.
    pub fn of_reader(mut bytes: impl std::io::Read) -> std::io::Result<Self> {
        use sha2::Digest;
        let mut hash = sha2::Sha256::new();
        let mut piece = vec![0; 1 << 20];
        loop {
            match bytes.read(&mut piece)? {
                0 => break,
                n => hash.update(&piece[..n]),
            }
        }
        Ok(Self::of_hash(&hash.finalize()))
    }

    fn of_hash(hash: &[u8]) -> Self {
        Self(hash.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// As keys have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 64 || !text.bytes().all(is_digit) {
            return Err(format!("'{text}' is no SHA-256 in 64 hexadecimal digits"));
        }
        Ok(Self(text))
    }
}

impl From<ContentName> for String {
    fn from(name: ContentName) -> Self {
        name.0
    }
}

impl fmt::Display for ContentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
