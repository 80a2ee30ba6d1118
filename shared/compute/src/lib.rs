//! The common compute crate: SQL to stages, and the execution of their tasks, on DataFusion.
//!
//! [`DataFusionEngine`] implements the protocol's [`Engine`](tidemill_protocol::Engine). It reads
//! through an `object_store` and writes nothing: outputs are handed to the protocol, which commits
//! them. The way of a job:
//!
//! 1. [`table`]: the names in the SQL become tables, their files are listed, their schemas
//!    inferred, and both are pinned in the plan;
//! 2. [`stage`]: the physical plan is cut at its exchanges, each fragment encoded;
//! 3. [`task`]: a task decodes its fragment, runs its partitions, and spools one output object.

mod catalog;
mod columns;
mod corrections;
mod describe;
mod engine;
mod engine_plan;
mod error;
mod estimate;
mod explain;
mod fingerprint;
mod forms;
mod functions;
mod meter;
mod one_process;
mod parameters;
mod pass_through;
mod place;
mod plan;
mod planning_thread;
mod pool;
mod quarantine;
mod quotes;
mod resources;
mod session;
mod spread;
pub mod sql_type;
mod stage;
mod statement;
mod store;
mod table;
mod task;
mod unheeded;
mod volatile;
mod write;

pub use engine::DataFusionEngine;
pub use one_process::{one_process, plan_in_one_process};
pub use place::byte_at;
pub use resources::Resources;
pub use session::ENGINE_VERSION;
