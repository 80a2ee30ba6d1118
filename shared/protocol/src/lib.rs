//! The bucket protocol: what is written where, in which order, and why.
//!
//! The bucket is the only state of a run. This crate defines every key ([`Key`]), every stored
//! record ([`record`]), and the only sequences of writes that change a run:
//! [`dispatch`] (event to tasks), [`work`] (one attempt of a task), [`advance`] (stage to stage),
//! [`watch`] (what a crash left half done) and [`end`] (outcome and what follows it). Storage, queue,
//! time and computation are behind the seams [`Bucket`], [`Queue`], [`Clock`], [`Planner`] and [`Engine`],
//! so the same code runs on S3, on the local emulator and in a simulation.

pub mod advance;
mod attempts;
pub mod bucket;
pub mod calls;
mod clock;
mod committed;
pub mod context;
pub mod cost;
pub mod dispatch;
pub mod end;
mod engine;
mod event;
mod foreign;
pub mod function;
pub mod ids;
pub mod job;
mod key;
pub mod param;
pub mod pipeline;
pub mod queue;
pub mod record;
pub mod report;
mod retry;
pub mod runs;
pub mod status;
pub mod timeline;
pub mod tuning;
pub mod watch;
pub mod work;

/// The target of events that are sets of numbers for whoever counts: `Tasks`, `FailedAttempts`,
/// `Stragglers`, `SucceededRuns`, `FailedRuns`, `CancelledRuns`, `Rows`, `Bytes`, `Seconds`,
/// `RunSeconds`.
pub const METRICS: &str = "metrics";

pub use bucket::{Bucket, BucketError};
pub use clock::{Clock, SystemClock};
pub use context::{Context, ProtocolError};
pub use cost::{Workers, dollars};
pub use engine::{Engine, EngineError, OutputFile, PlanRequest, Planner, TaskOutput, TaskRequest};
pub use event::ObjectEvent;
pub use foreign::{ForeignTable, OtherSystem};
pub use ids::{AttemptId, JobName, RunId, StageId, Submission, TaskId};
pub use key::{Key, is_hidden, is_table_folder};
pub use queue::{Queue, QueueError, WorkerKind};
