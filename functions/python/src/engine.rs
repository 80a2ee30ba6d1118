use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidemill_protocol::calls::{
    CallOutcome, CallPlan, CallRecord, Calls, KillReason, Pack, of_bucket,
};
use tidemill_protocol::record::Usage;
use tidemill_protocol::{Bucket, Engine, EngineError, TaskOutput, TaskRequest};
use tokio::time::{Instant, sleep_until};

use crate::answer::{Answer, Died, Outcome, Raised, Reason};
use crate::child::{Call, Limits};
use crate::interpreter::{Interpreter, StartError};
use crate::objects::Objects;
use crate::output::Captured;
use crate::parts::{NotWritten, Parts};
use crate::pool::Pool;

/// What calls have come to is written down after such a time, and then after twice as long, and so on: who
/// waits sees it soon, and a task of many seconds costs few requests more.
const FIRST_WRITE_AFTER: Duration = Duration::from_millis(100);
const NEXT_WRITE_AFTER_MAX: Duration = Duration::from_secs(5);

/// So many bytes are written down at once.
const PART_BYTES_MAX: usize = 16 << 20;

/// What is left of an execution's time for writing down what its calls have come to.
const WRITE_RESERVE: Duration = Duration::from_secs(3);

/// A call that begins within this part of an execution's time has had all that a function can give it.
const WHOLE_TIME: f64 = 0.1;

/// The variable that tells a child where shared objects are.
const SHARED: &str = "TIDEMILL_SHARED";

/// Makes calls of Python functions.
pub struct PythonEngine {
    bucket: Arc<dyn Bucket>,
    objects: Objects,
    pool: Pool,
    /// What a child may have.
    memory_bytes: u64,
}

impl PythonEngine {
    /// One that keeps shared objects in a folder. An interpreter is started at once, beside what else is
    /// done.
    pub fn new(
        bucket: Arc<dyn Bucket>,
        interpreter: Interpreter,
        folder: PathBuf,
        memory_bytes: u64,
    ) -> Self {
        let pool = Pool::new(interpreter.with(SHARED, folder.clone()));
        pool.warm_up();
        Self { objects: Objects::new(bucket.clone(), folder), bucket, pool, memory_bytes }
    }

    /// # Errors
    /// Functions of one minor version of Python are not to be read by another.
    async fn check_version(&self, calls: &Calls) -> Result<(), EngineError> {
        let version = self.pool.version().await.map_err(of_start)?;
        let minor = |version: &str| version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        if minor(&version) == minor(&calls.python) {
            return Ok(());
        }
        Err(EngineError::Refused(format!(
            "the function was pickled by Python {} and the worker has {version}: use the same minor version \
             on both sides",
            calls.python
        )))
    }
}

#[async_trait]
impl Engine for PythonEngine {
    async fn execute(&self, request: &TaskRequest<'_>) -> Result<TaskOutput, EngineError> {
        let started = Instant::now();
        let plan = CallPlan::of(request.plan)?;
        let run = &request.plan.run;
        self.check_version(&plan.calls).await?;
        self.objects.fetch(run, &plan.calls.shared).await?;
        let function = self.objects.function(run, &plan.calls.function).await?;
        let initializer = match &plan.calls.initializer {
            Some(name) => Some((name.to_string(), self.objects.function(run, name).await?)),
            None => None,
        };
        let call = Call {
            function_name: plan.calls.function.to_string(),
            function,
            initializer,
            arguments: bytes::Bytes::new(),
        };
        let mut usage = Usage::default();
        loop {
            let task = TaskCalls { engine: self, request, plan: &plan, call: &call, started };
            match task.make(&mut usage).await {
                Ok(output) => return Ok(output),
                Err(Stopped::NotWritten(NotWritten::Overtaken)) => {}
                Err(Stopped::NotWritten(NotWritten::Bucket(e))) => return Err(of_bucket(run, e)),
                Err(Stopped::Engine(e)) => return Err(e),
            }
        }
    }
}

/// The calls of one task.
struct TaskCalls<'a> {
    engine: &'a PythonEngine,
    request: &'a TaskRequest<'a>,
    plan: &'a CallPlan,
    /// Without arguments.
    call: &'a Call,
    started: Instant,
}

/// Why an execution ends before its last call.
enum Stopped {
    NotWritten(NotWritten),
    Engine(EngineError),
}

impl From<NotWritten> for Stopped {
    fn from(error: NotWritten) -> Self {
        Self::NotWritten(error)
    }
}

impl From<EngineError> for Stopped {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl TaskCalls<'_> {
    /// Makes those that are in no part yet.
    async fn make(&self, usage: &mut Usage) -> Result<TaskOutput, Stopped> {
        let Self { engine, request, plan, .. } = *self;
        let run = &request.plan.run;
        let calls = plan.calls_of(request.task);
        let parts = Parts::find(&engine.bucket, request, calls.start).await;
        let mut parts = parts.map_err(|e| of_bucket(run, e))?;
        let left = parts.end()..calls.end;
        if !left.is_empty() {
            let arguments = engine.objects.arguments(run, &plan.arguments, left).await?;
            usage.requests += 1;
            usage.read_bytes += arguments.iter().map(|a| a.len() as u64).sum::<u64>();
            self.make_all(arguments, &mut parts, usage).await?;
        }
        usage.milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        usage.large_tasks = u64::from(request.kind.larger().is_none());
        Ok(TaskOutput::created(parts.files, *usage))
    }

    async fn make_all(
        &self,
        arguments: Vec<bytes::Bytes>,
        parts: &mut Parts<'_>,
        usage: &mut Usage,
    ) -> Result<(), Stopped> {
        let mut pack = Pack::starting_at(parts.end());
        let mut after = FIRST_WRITE_AFTER;
        let mut write_at = None;
        for arguments in arguments {
            let call = Call { arguments, ..self.call.clone() };
            let mut made = std::pin::pin!(self.made(&call));
            let made = loop {
                tokio::select! {
                    biased;
                    made = &mut made => break made,
                    () = at(write_at), if !pack.index.is_empty() => {
                        parts.write(pack.take()).await?;
                        after = (2 * after).min(NEXT_WRITE_AFTER_MAX);
                        write_at = None;
                    }
                }
            };
            match made {
                Ok((record, bytes)) => {
                    usage.peak_memory_bytes = usage.peak_memory_bytes.max(record.peak_memory_bytes);
                    pack.push_made(record, &bytes);
                }
                Err(stopped) => {
                    parts.write(pack).await?;
                    parts.settle().await?;
                    return Err(stopped.into());
                }
            }
            write_at = write_at.or(Some(Instant::now() + after));
            if pack.data_bytes() > PART_BYTES_MAX {
                parts.write(pack.take()).await?;
                write_at = None;
            }
        }
        parts.write(pack).await?;
        parts.settle().await?;
        Ok(())
    }

    /// What one call comes to, after as many attempts as it may have.
    async fn made(&self, call: &Call) -> Result<(CallRecord, bytes::Bytes), EngineError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (mut record, bytes) = self.attempted(call).await?;
            record.attempts = attempts;
            let raised = matches!(record.outcome, CallOutcome::Raised { .. });
            if !raised || attempts > self.plan.calls.retries {
                return Ok((record, bytes));
            }
        }
    }

    async fn attempted(&self, call: &Call) -> Result<(CallRecord, bytes::Bytes), EngineError> {
        let mut turn = self.engine.pool.turn().await;
        let passed = self.started.elapsed();
        let left = self.request.time_left.saturating_sub(passed + WRITE_RESERVE);
        let own = self.plan.calls.timeout.and_then(|s| Duration::try_from_secs_f64(s).ok());
        if left.is_zero() {
            return Err(unfinished());
        }
        let limits = Limits {
            time: Some(own.map_or(left, |own| own.min(left))),
            memory_bytes: Some(self.engine.memory_bytes),
        };
        match turn.call(call, limits).await.map_err(of_start)? {
            Ok(answer) => Ok(of_answer(answer)),
            Err(died) => match died.reason {
                Reason::OutOfMemory { .. } if self.request.kind.larger().is_some() => {
                    Err(EngineError::OutOfMemory(died.to_string()))
                }
                Reason::TimedOut(_)
                    if own.is_none_or(|own| left < own)
                        && passed > self.request.time_left.mul_f64(WHOLE_TIME) =>
                {
                    Err(unfinished())
                }
                _ => Ok((of_death(died), bytes::Bytes::new())),
            },
        }
    }
}

fn unfinished() -> EngineError {
    EngineError::Unfinished("the function's time is up, and calls are left".into())
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn of_answer(answer: Answer) -> (CallRecord, bytes::Bytes) {
    let Answer { outcome, stdout, stderr, took, peak_bytes } = answer;
    let (outcome, bytes) = match outcome {
        Outcome::Returned(value) => (CallOutcome::Returned, value),
        Outcome::Raised(Raised { type_name, message, traceback, pickled }) => {
            let outcome = CallOutcome::Raised { type_name, message, traceback };
            (outcome, pickled.unwrap_or_default())
        }
        Outcome::NotReady(raised) => {
            let message = format!("the initializer raised: {}", raised.traceback.trim_end());
            (CallOutcome::Killed { reason: KillReason::Initializer, message }, bytes::Bytes::new())
        }
    };
    (record(outcome, &stdout, &stderr, took, peak_bytes), bytes)
}

fn of_death(died: Died) -> CallRecord {
    let message = died.to_string();
    let Died { reason, stdout, stderr, peak_bytes } = died;
    let (reason, took) = match reason {
        Reason::TimedOut(after) => (KillReason::Timeout, after),
        Reason::OutOfMemory { .. } => (KillReason::Memory, Duration::ZERO),
        Reason::Ended(_) | Reason::Disconnected(_) => (KillReason::Crash, Duration::ZERO),
    };
    record(CallOutcome::Killed { reason, message }, &stdout, &stderr, took, peak_bytes)
}

fn record(
    outcome: CallOutcome,
    stdout: &Captured,
    stderr: &Captured,
    took: Duration,
    peak_memory_bytes: u64,
) -> CallRecord {
    let seconds = (took.as_secs_f64() * 1e6).round() / 1e6;
    let (stdout, stderr) = (stdout.text(), stderr.text());
    CallRecord { outcome, seconds, peak_memory_bytes, attempts: 1, stdout, stderr }
}

fn of_start(error: StartError) -> EngineError {
    match error {
        StartError::Machine(_) => {
            EngineError::Transient { what: error.to_string(), source: error.into() }
        }
        StartError::Program { .. } | StartError::NotReady { .. } => {
            EngineError::Refused(error.to_string())
        }
    }
}
