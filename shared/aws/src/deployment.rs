//! The deployment that a function belongs to: what it builds once per cold start.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsMessage;
use tidemill_protocol::job::Limits;
use tidemill_protocol::{AttemptId, Context, SystemClock, WorkerKind, Workers};

use crate::bucket::S3Bucket;
use crate::env::{self, MissingVariable};
use crate::queue::SqsQueues;
use crate::telemetry;
use crate::trace::Trace;

/// What is left of an invocation's time for ending a run.
const RUN_END_RESERVE: Duration = Duration::from_secs(5);

/// A deadline that has passed for so long is none.
const LONG_AGO: Duration = Duration::from_secs(24 * 60 * 60);

/// The time of an invocation that has no deadline.
const DEFAULT_INVOCATION_TIME: Duration = Duration::from_secs(60);

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    #[error("the reader of the bucket cannot be set up")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The deployment as one of its functions sees it: clients, names and limits.
#[derive(Clone)]
pub struct Deployment {
    pub config: SdkConfig,
    pub bucket_name: String,
    pub bucket: Arc<S3Bucket>,
    pub queues: SqsQueues,
    pub sqs: aws_sdk_sqs::Client,
    /// Which kind of worker this process is, if it is one.
    pub kind: WorkerKind,
    workers: Workers,
    limits: Limits,
    log: String,
}

/// The bucket of the deployment alone, and the endpoint of S3 where that is not AWS: of a function that sends nothing.
///
/// # Errors
/// A variable is missing.
pub async fn bucket_from_env() -> Result<(S3Bucket, Option<String>), MissingVariable> {
    let name = env::required(env::BUCKET)?;
    let config = aws_config::load_from_env().await;
    let endpoint = config.endpoint_url().map(str::to_owned);
    Ok((S3Bucket::new(crate::bucket::client(&config), name), endpoint))
}

impl Deployment {
    /// Reads the environment and builds the clients.
    ///
    /// # Errors
    /// A variable is missing.
    pub async fn from_env() -> Result<Self, MissingVariable> {
        let bucket_name = env::required(env::BUCKET)?;
        let config = aws_config::load_from_env().await;
        let sqs = aws_sdk_sqs::Client::new(&config);
        let queues = SqsQueues::new(sqs.clone());
        let kind = env::optional(env::WORKER_KIND).and_then(|name| WorkerKind::of_name(&name));
        let kind = kind.unwrap_or_default();
        let bucket = Arc::new(S3Bucket::new(crate::bucket::client(&config), bucket_name.clone()));
        let log = env::optional(env::LOG_STREAM).unwrap_or_else(|| "standard error".into());
        let (workers, limits) = (workers(), limits());
        Ok(Self { config, bucket_name, bucket, queues, sqs, kind, workers, limits, log })
    }

    /// The context of one delivery of one message.
    pub fn context(&self, message: &SqsMessage, invocation: &lambda_runtime::Context) -> Context {
        telemetry::forget();
        Context {
            bucket: self.bucket.clone(),
            queue: Arc::new(self.queues.of(Trace::of(message, invocation))),
            clock: Arc::new(SystemClock),
            attempt: AttemptId(uuid::Uuid::new_v4().simple().to_string()),
            log: self.log.clone(),
            last_lines: telemetry::last_lines,
            delivery: delivery(message),
            time_left: time_left(invocation),
            message: message.message_id.clone().unwrap_or_default(),
            kind: self.kind,
            workers: self.workers,
            limits: self.limits,
        }
    }
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::optional(name)?.parse().ok()
}

fn limits() -> Limits {
    Limits { deadline: number(env::DEADLINE), max_cost_usd: number(env::MAX_COST_USD) }
}

/// The workers of the deployment, as the template tells all functions.
fn workers() -> Workers {
    let default = Workers::default();
    Workers {
        mib: number(env::WORKER_MEMORY).unwrap_or(default.mib),
        large_mib: number(env::LARGE_WORKER_MEMORY).unwrap_or(default.large_mib),
        python_mib: number(env::PYTHON_WORKER_MEMORY).unwrap_or(default.python_mib),
        large_python_mib: number(env::LARGE_PYTHON_WORKER_MEMORY)
            .unwrap_or(default.large_python_mib),
        python_sql_mib: number(env::PYTHON_SQL_WORKER_MEMORY).unwrap_or(default.python_sql_mib),
        concurrency: number(env::WORKER_CONCURRENCY).unwrap_or(default.concurrency),
        pollers: number(env::PROVISIONED_POLLERS).unwrap_or(default.pollers),
    }
}

/// The time to the invocation's deadline, less what is needed to say that it has passed.
fn time_left(invocation: &lambda_runtime::Context) -> Duration {
    let left = match invocation.deadline().duration_since(SystemTime::now()) {
        Ok(left) => left,
        // `cargo lambda watch` gives a number of milliseconds where Lambda gives a time
        Err(e) if e.duration() > LONG_AGO => DEFAULT_INVOCATION_TIME,
        Err(_) => Duration::ZERO,
    };
    left.saturating_sub(RUN_END_RESERVE)
}

/// How many times a message has been delivered, this time included.
fn delivery(message: &SqsMessage) -> u32 {
    let count = message.attributes.get("ApproximateReceiveCount");
    count.and_then(|n| n.parse().ok()).unwrap_or(1)
}
