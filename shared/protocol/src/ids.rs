//! Every id is a type of its own, so that a stage is never taken for a task.

use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A time in an id, to the millisecond.
const TIME: &str = "%Y%m%dT%H%M%S%3fZ";

/// The longest job name, in bytes: it is part of keys, which S3 limits to 1,024 bytes.
pub const JOB_NAME_BYTES_MAX: usize = 200;

/// The name of a job: its key under `jobs/` without the suffix, or the pipeline's name.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct JobName(String);

impl JobName {
    /// The longest usable name: characters that would be awkward in a key become `-`.
    pub fn new(name: &str) -> Self {
        let mut clean = String::with_capacity(name.len());
        for c in name.chars() {
            let ok = c.is_ascii_alphanumeric() || "-_./".contains(c);
            clean.push(if ok { c } else { '-' });
        }
        clean.truncate(JOB_NAME_BYTES_MAX);
        // a hidden or relative segment would make the results invisible to readers
        let segments = clean.split('/').map(|s| s.trim_start_matches(['.', '_']));
        let clean = segments.filter(|s| !s.is_empty()).collect::<Vec<_>>().join("/");
        Self(if clean.is_empty() { "job".into() } else { clean })
    }

    /// As keys have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as one segment of a key.
    fn slug(&self) -> String {
        self.0.replace(['/', '.'], "-")
    }
}

/// One execution of a job, e.g. `top-20260102T030405678Z-1f0a9c33`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl TryFrom<String> for RunId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl RunId {
    /// What the names of jobs begin with that take up a run.
    const RETRY: &'static str = "retry-";

    /// The id of the run that an event starts. It depends on the event alone, so an event that is
    /// delivered twice is one run, and a file that is uploaded twice (another sequencer) is two.
    pub fn of_event(job: &JobName, time: DateTime<Utc>, identity: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in identity {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let hash = hash.finalize();
        let hex: String = hash.iter().take(6).map(|b| format!("{b:02x}")).collect();
        Self(format!("{}-{}-{hex}", job.slug(), time.format(TIME)))
    }

    /// The id of the run of a submission, however often it is delivered.
    pub fn of_submission(job: &JobName, submission: &Submission) -> Self {
        Self(format!("{}-{submission}", job.slug()))
    }

    /// Parses an id that comes from outside.
    ///
    /// # Errors
    /// The text that is not a run id: empty, longer than 300 bytes, or with a character that a
    /// run id never has (so that no path can be smuggled in).
    pub fn parse(text: &str) -> Result<Self, String> {
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.is_empty() || text.len() > 300 || !text.chars().all(ok) {
            return Err(format!("'{text}' is not a run id"));
        }
        Ok(Self(text.into()))
    }

    /// Whether it can be a run of this job, or of its retry: names that differ may be the same in ids.
    pub fn may_be_of(&self, job: &JobName) -> bool {
        let retried = self.submission().and_then(|(name, _)| name.strip_prefix(Self::RETRY));
        self.is_of(job) || retried.is_some_and(|name| name.starts_with(&job.slug()))
    }

    /// Whether its name in ids is that of a job.
    pub fn is_of(&self, job: &JobName) -> bool {
        self.submission().is_some_and(|(name, _)| name == job.slug())
    }

    /// What it was submitted as, and the job's name as ids have it: `-` for `/` and `.`.
    pub fn submission(&self) -> Option<(&str, Submission)> {
        let at = self.0.len().checked_sub(Submission::CHARACTERS)?;
        let (name, submission) = (self.0.get(..at)?, self.0.get(at..)?);
        Some((name.strip_suffix('-')?, Submission::parse(submission)?))
    }

    /// As keys have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a submitter calls a submission: when it was made, and a number that no other has, e.g.
/// `20260102T030405678Z-1f0a9c33aa00`. It is a part of the job file's key and of the run's id, so whoever submits
/// knows its run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission(String);

impl Submission {
    /// How long its text is.
    const CHARACTERS: usize = 32;

    /// The bits of its number that are used.
    const NUMBER_BITS: u32 = 48;

    /// One of now, with a random number.
    pub fn new(now: DateTime<Utc>, number: u64) -> Self {
        let number = number & ((1 << Self::NUMBER_BITS) - 1);
        Self(format!("{}-{number:012x}", now.format(TIME)))
    }

    /// The submission that a text is.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, number) = text.split_once('-')?;
        let is_number = number.len() == 12
            && number.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let is_time = time.len() == 19
            && time.bytes().enumerate().all(|(n, b)| match n {
                8 => b == b'T',
                18 => b == b'Z',
                _ => b.is_ascii_digit(),
            });
        (is_number && is_time).then(|| Self(text.to_owned()))
    }
}

/// A stage's number in its plan, from 0; inputs have smaller numbers than their readers.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct StageId(pub u16);

/// A task's number in its stage, from 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct TaskId(pub u32);

impl TaskId {
    /// Tasks of one group are listed together when the stage advances.
    pub const GROUP_TASKS: u32 = 64;

    /// The first of a group.
    pub(crate) fn first_of(group: u32) -> Self {
        Self(group * Self::GROUP_TASKS)
    }

    /// The number of the group that the task is listed with.
    pub fn group(self) -> u32 {
        self.0 / Self::GROUP_TASKS
    }
}

/// One execution of a task; unique over all processes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AttemptId(pub String);

macro_rules! display {
    ($($t:ty),*) => {$(impl fmt::Display for $t {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    })*};
}
display!(JobName, RunId, Submission, StageId, TaskId, AttemptId);

#[cfg(test)]
mod tests {
    use super::*;

    fn time() -> DateTime<Utc> {
        "2026-01-02T03:04:05.678Z".parse().expect("a time")
    }

    #[test]
    fn the_same_event_is_the_same_run_and_another_sequencer_is_another() {
        let job = JobName::new("top");
        let a = RunId::of_event(&job, time(), &["b", "jobs/top.sql", "1", "e"]);
        let b = RunId::of_event(&job, time(), &["b", "jobs/top.sql", "1", "e"]);
        let c = RunId::of_event(&job, time(), &["b", "jobs/top.sql", "2", "e"]);
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert!(a.as_str().starts_with("top-20260102T030405678Z-"));
    }

    #[test]
    fn a_submission_is_known_by_its_time_and_its_number() {
        let submission = Submission::new(time(), 0xffff_1f0a_9c33_aa00);
        assert_eq!(submission.to_string(), "20260102T030405678Z-1f0a9c33aa00");
        assert_eq!(Submission::parse(&submission.to_string()), Some(submission.clone()));
        let run = RunId::of_submission(&JobName::new("a/top"), &submission);
        assert_eq!(run.as_str(), "a-top-20260102T030405678Z-1f0a9c33aa00");
        assert_eq!(run.submission(), Some(("a-top", submission)));
        assert!(run.may_be_of(&JobName::new("a/top")) && !run.may_be_of(&JobName::new("a")));
        let retry =
            RunId::of_submission(&JobName::new("retry-a-top-00ff"), &Submission::new(time(), 1));
        assert!(retry.may_be_of(&JobName::new("a/top")) && !retry.may_be_of(&JobName::new("b")));
        for other in [
            "",
            "top",
            "20260102T030405678Z",
            "20260102T030405678Z-1f0a",
            "2026-01-02T03-1f0a9c33aa00",
        ] {
            assert_eq!(Submission::parse(other), None, "{other}");
        }
    }

    #[test]
    fn parts_of_the_identity_do_not_run_into_each_other() {
        let job = JobName::new("top");
        let a = RunId::of_event(&job, time(), &["ab", "c"]);
        let b = RunId::of_event(&job, time(), &["a", "bc"]);
        assert_ne!(a, b);
    }

    #[test]
    fn a_job_name_is_always_usable_in_a_key() {
        for (name, clean) in [
            ("a b", "a-b"),
            ("_x/.y", "x/y"),
            ("../../etc", "etc"),
            ("a///b", "a/b"),
            ("", "job"),
            ("é", "-"),
        ] {
            assert_eq!(JobName::new(name).as_str(), clean);
        }
    }

    #[test]
    fn a_path_is_not_a_run_id() {
        assert!(RunId::parse("../x").is_err());
        assert!(RunId::parse("").is_err());
        assert!(serde_json::from_str::<RunId>("\"../x\"").is_err());
        assert!(RunId::parse("top-20260102T030405678Z-00ff").is_ok());
    }
}
