//! What the functions share towards AWS: environment, telemetry, clients, and the protocol's seams
//! on S3 and SQS.

mod batch;
mod body;
pub mod bucket;
mod deployment;
pub mod env;
pub mod event;
#[cfg(feature = "store")]
mod folder_reads;
pub mod links;
mod metrics;
mod multipart;
pub mod queue;
mod runtime;
mod s3_error;
#[cfg(feature = "store")]
mod store;
mod tasks;
pub mod telemetry;
mod trace;
mod visibility;

pub use batch::{Handled, batch};
pub use bucket::S3Bucket;
pub use deployment::{Deployment, StartError, bucket_from_env};
pub use queue::SqsQueues;
pub use runtime::{exit, runtime};
#[cfg(feature = "store")]
pub use store::reader;
pub use tasks::serve_tasks;
pub use trace::Trace;
pub use visibility::{Heartbeat, hide};
