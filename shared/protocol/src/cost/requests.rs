//! How many requests the protocol makes, beside those for tables and exchanges.

use super::figures::Bounds;
use super::price;
use crate::ids::TaskId;

/// Requests to the bucket; DELETE is free.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Requests {
    /// GET and HEAD.
    pub(crate) reads: f64,
    /// PUT, COPY and LIST.
    pub(crate) writes: f64,
}

/// Of the planner and the end of a run: the key under `recent/`, `run.json`, `plan.json`, the outcome, the marker,
/// the timeline, `closed`; the
/// last stage's commits and the sweep are listed. The tables are looked at besides, and the watcher
/// looks at a run every 30 seconds.
pub(crate) const RUN_REQUESTS: Requests = Requests { reads: 4.0, writes: 9.0 };

/// Records that a message reads: the outcome; in a process that is new to the stage its layout; in one
/// that is new to the run, `run.json` and `plan.json`.
pub(crate) const READS_PER_MESSAGE: Bounds<f64> = Bounds { low: 1.0, high: 4.0 };

/// The same where processes take several messages of a run.
pub(crate) const USUAL_READS_PER_MESSAGE: f64 = 2.0;

/// What decides how many requests a stage makes.
#[derive(Debug, Clone)]
pub(crate) struct StageShape {
    pub(crate) tasks: f64,
    pub(crate) messages: f64,
    /// The tasks of each stage that it reads.
    pub(crate) inputs: Vec<f64>,
    pub(crate) is_last: bool,
    /// Between the ends of [`READS_PER_MESSAGE`].
    pub(crate) reads_per_message: f64,
}

impl StageShape {
    /// Requests for the control records of a stage, and what its tasks create.
    pub(crate) fn requests(&self) -> Requests {
        let Self { tasks, messages, inputs, is_last, reads_per_message } = self;
        // a start each, a commit each, a part of the result each; a message of several tasks, or of one
        // of several, lists its group
        let parts = if *is_last { *tasks } else { 0.0 };
        let lists = if *tasks > 1.0 { *messages } else { 0.0 };
        let of_tasks = messages + tasks + parts + lists;
        // whoever sees a group whole reads what it committed, and creates and lists records of groups
        let groups = groups(*tasks);
        let of_groups =
            Requests { reads: if groups > 0.0 { *tasks } else { 0.0 }, writes: 2.0 * groups };
        // its layout is made of what its inputs committed; it is sent; it is done
        let opened: f64 = inputs.iter().map(|tasks| records(*tasks)).sum();
        let own = if *is_last { 2.0 } else { 3.0 };
        // how the run ended is made of the last commits and of the layouts of all that read others
        let ended = if *is_last { records(*tasks) } else { 0.0 } + f64::from(!inputs.is_empty());
        let looks = inputs.len() as f64 * (inputs.len() as f64 - 1.0).max(0.0);
        Requests {
            reads: messages * reads_per_message + of_groups.reads + opened + ended + looks,
            writes: of_tasks + of_groups.writes + own + inputs.len() as f64,
        }
    }
}

/// Groups that a stage of so many tasks has records of.
fn groups(tasks: f64) -> f64 {
    let group = f64::from(TaskId::GROUP_TASKS);
    if tasks > group { (tasks / group).ceil() } else { 0.0 }
}

/// Records that tell what so many tasks committed: those of groups, or their own.
fn records(tasks: f64) -> f64 {
    let groups = groups(tasks);
    if groups > 0.0 { groups } else { tasks }
}

impl Requests {
    pub(crate) fn sum(self) -> f64 {
        self.reads + self.writes
    }

    /// Dollars for them, and for so many messages with their invocations.
    pub(crate) fn usd(self, messages: f64) -> f64 {
        self.reads * price::GET_USD
            + self.writes * price::PUT_USD
            + messages * (price::INVOCATION_USD + 3.0 * price::QUEUE_REQUEST_USD)
    }
}

impl std::ops::Add for Requests {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { reads: self.reads + other.reads, writes: self.writes + other.writes }
    }
}
