use serde::{Deserialize, Serialize};

use crate::cost::{Bounds, Estimate};
use crate::ids::{RunId, StageId};
use crate::queue::WorkerKind;
use crate::record::PinnedObject;

/// `plan.json`: the stages of a run. Immutable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub run: RunId,
    /// The engine and its version; a worker of another version refuses the plan.
    pub engine: String,
    /// Inputs come before their readers; the last stage makes the result.
    pub stages: Vec<Stage>,
    /// The exchanged bytes that make one task worth sending; 0 gives every partition its own.
    pub task_bytes: u64,
    /// Dollars that the run's workers may take, if the job says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
    /// What the run is expected to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// The plan of the statement that the run's rows explain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explains: Option<Box<Plan>>,
    /// Why the plan is one task, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<String>,
    /// The table that the files go to after the outcome, if they do not go to `results/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publication: Option<Publication>,
    /// What only the engine reads: tables with their pinned files, fragments.
    pub engine_plan: serde_json::Value,
}

/// What the files of a run become part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The table's folder, e.g. `tables/orders/`.
    pub folder: String,
    /// The files that give way to the new ones, at these versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<PinnedObject>,
}

/// The part of a plan between exchanges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    pub id: StageId,
    /// The exchanges it reads.
    pub inputs: Vec<Input>,
    /// Which worker runs its tasks.
    #[serde(default, skip_serializing_if = "WorkerKind::is_normal")]
    pub worker: WorkerKind,
    /// How many partitions its fragment has.
    pub partitions: u32,
    /// Its operators need all partitions in one task.
    pub whole: bool,
    /// It reads tables, whose splits its partitions are.
    pub scans: bool,
    /// Stored bytes of what its scans read.
    #[serde(default)]
    pub scan_bytes: u64,
    #[serde(default)]
    pub expected: StageIo,
    /// The input of which a slot may be read by several tasks, some of its objects by each: its
    /// rows pass through the stage one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splits: Option<StageId>,
    /// Equal for stages that do the same over the same versions of the same files; empty where
    /// nothing says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// The earlier run whose tasks of this stage are taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<RunId>,
    pub output: Output,
    /// The stage's operators, for people.
    pub operators: String,
}

/// What all tasks of a stage together are expected to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageIo {
    /// Stored bytes that its scans read at most, and GET requests for them.
    pub table_bytes: u64,
    pub table_requests: u64,
    /// Those of both that are for footers, which a process keeps.
    pub footer_bytes: u64,
    pub footer_requests: u64,
    /// What is known of parts of files may spare reading them.
    pub prunes: bool,
    /// Of its exchange; 0 of a result.
    pub written_bytes: Bounds<u64>,
    /// Milliseconds of calls of functions that say what a row takes.
    #[serde(skip_serializing_if = "Bounds::is_nothing")]
    pub call_millis: Bounds<u64>,
    /// Each of its partitions writes so much, whatever the tables have.
    pub bounded: bool,
}

/// An exchange that a stage reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub stage: StageId,
    pub read: Read,
}

/// What a task reads of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Partition `p` reads slot `p` of every object.
    Slot,
    /// Every task reads everything: a gather or a broadcast.
    All,
}

/// What a stage's tasks write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Output {
    /// Objects of `slots` slots for the next stage.
    Exchange { slots: u32 },
    /// A part of the result each.
    Result,
}

impl Stage {
    /// Whether its rows take so long that each partition is a task, however few bytes it has.
    pub(crate) fn is_slow(&self) -> bool {
        self.expected.call_millis.high > 0
    }
}

impl Plan {
    /// The stage of this number.
    pub fn stage(&self, id: StageId) -> Option<&Stage> {
        self.stages.get(usize::from(id.0))
    }

    /// Stages that wait for no other: the planner sends them.
    pub fn leaves(&self) -> impl Iterator<Item = &Stage> {
        let waits = |stage| self.inputs(stage).any(|input| input.reused.is_none());
        self.stages.iter().filter(move |s| s.reused.is_none() && !waits(s))
    }

    /// The run that holds what a stage's tasks commit.
    pub fn home<'a>(&'a self, stage: &'a Stage) -> &'a RunId {
        stage.reused.as_ref().unwrap_or(&self.run)
    }

    /// The stages whose exchanges a stage reads, in the order of its inputs.
    pub fn inputs(&self, stage: &Stage) -> impl Iterator<Item = &Stage> {
        stage.inputs.iter().filter_map(|input| self.stage(input.stage))
    }

    /// Stages that read an exchange of `id`.
    pub fn readers(&self, id: StageId) -> impl Iterator<Item = &Stage> {
        self.stages.iter().filter(move |s| s.inputs.iter().any(|i| i.stage == id))
    }

    /// Whether a stage makes the result.
    pub fn is_last(&self, id: StageId) -> bool {
        usize::from(id.0) + 1 == self.stages.len()
    }
}
