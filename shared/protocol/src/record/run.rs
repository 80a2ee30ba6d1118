use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{JobName, RunId};
use crate::job::JobSpec;

/// How long a run may take that does not say: longer than any that is meant to end.
const DEADLINE: TimeDelta = TimeDelta::hours(6);

/// `run.json`: what was asked for, by which event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    pub run: RunId,
    pub job: JobName,
    pub source: Source,
    /// `now()` of the run's SQL, and the start of its clock.
    pub created: DateTime<Utc>,
    /// The job, or nothing if the job file was refused.
    pub spec: Option<JobSpec>,
    /// The object that the table `input` of a pipeline is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<PinnedObject>,
    /// The earlier run that this one takes up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<RunId>,
}

impl Run {
    /// How long after [`Run::created`] it has to end.
    pub fn deadline(&self) -> TimeDelta {
        let asked = self.spec.as_ref().and_then(|s| s.options.deadline);
        asked.map_or(DEADLINE, |seconds| TimeDelta::seconds(i64::from(seconds)))
    }
}

/// The upload that started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    pub bucket: String,
    pub key: String,
    pub etag: String,
    pub sequencer: String,
    pub time: DateTime<Utc>,
    /// The pipeline, if the upload was to its prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinnedObject {
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
}
