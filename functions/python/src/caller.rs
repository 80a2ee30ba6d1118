use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tidemill_protocol::calls::{
    CallOutcome, CallRecord, Caller, Calls, KillReason, Made, RowsFile,
};
use tidemill_protocol::{EngineError, RunId};
use tokio::sync::mpsc;

use crate::answer::{Answer, Died, Outcome, Raised, Reason};
use crate::child::{Call, Limits};
use crate::files;
use crate::interpreter::{Interpreter, StartError};
use crate::objects::Objects;
use crate::output::Captured;
use crate::pool::Pool;

/// The variable that tells a child where shared objects are.
pub(crate) const SHARED: &str = "TIDEMILL_SHARED";

/// The variable that tells a child how many bytes of memory it may have.
pub(crate) const MEMORY: &str = "TIDEMILL_MEMORY";

/// Makes calls in a child.
pub struct PythonCaller {
    objects: Objects,
    pool: Pool,
    /// What a child may have.
    memory_bytes: u64,
}

impl PythonCaller {
    /// One that keeps shared objects in a folder. An interpreter is started at once, beside what else is
    /// done.
    pub fn new(objects: Objects, interpreter: Interpreter, memory_bytes: u64) -> Self {
        let shared: PathBuf = objects.folder().into();
        let interpreter = interpreter.with(SHARED, shared).with(MEMORY, memory_bytes.to_string());
        let pool = Pool::new(interpreter, 1);
        pool.warm_up();
        Self { objects, pool, memory_bytes }
    }

    fn limits(&self, calls: &Calls) -> Limits {
        Limits {
            time: calls.timeout.and_then(|s| Duration::try_from_secs_f64(s).ok()),
            memory_bytes: Some(self.memory_bytes),
        }
    }
}

/// # Errors
/// A function of one minor version of Python is not to be read by another.
pub(crate) async fn check_version(
    pool: &Pool,
    function: &str,
    python: &str,
) -> Result<(), EngineError> {
    let version = pool.version().await.map_err(of_start)?;
    let minor = |version: &str| version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    if minor(version) == minor(python) {
        return Ok(());
    }
    Err(EngineError::Refused(format!(
        "{function} was pickled by Python {python} and the worker has {version}: use the same minor version \
         on both sides"
    )))
}

/// What the calls of a run share.
pub struct Ready {
    run: RunId,
    /// Without arguments.
    call: Call,
}

#[async_trait]
impl Caller for PythonCaller {
    type Ready = Ready;

    async fn prepare(&self, run: &RunId, calls: &Calls) -> Result<Ready, EngineError> {
        check_version(&self.pool, "the function", &calls.python).await?;
        self.objects.fetch(run, &calls.shared).await?;
        let path = self.objects.unpack(run, &calls.archives).await?;
        let function = self.objects.function(run, &calls.function).await?;
        let initializer = match &calls.initializer {
            Some(name) => Some((name.to_string(), self.objects.function(run, name).await?)),
            None => None,
        };
        let function_name = calls.function.to_string();
        let arguments = Bytes::new();
        let call = Call { function_name, function, initializer, path, arguments, input: None };
        Ok(Ready { run: run.clone(), call })
    }

    async fn call(
        &self,
        ready: &Ready,
        calls: &Calls,
        arguments: Bytes,
        input: Option<&str>,
    ) -> Result<(CallRecord, Bytes), EngineError> {
        let input = match input {
            Some(key) => Some(self.objects.input(&ready.run, key).await?),
            None => None,
        };
        let call = Call { arguments, input, ..ready.call.clone() };
        let mut answered = self.pool.call(&call, self.limits(calls)).await.map_err(of_start)?;
        if let Err(Died { reason: Reason::OutOfMemory { .. }, is_first: false, .. }) = &answered {
            // what calls before it have left behind is not its own
            answered = self.pool.call(&call, self.limits(calls)).await.map_err(of_start)?;
        }
        Ok(match answered {
            Ok(answer) => of_answer(answer)?,
            Err(died) => (of_death(died), Bytes::new()),
        })
    }

    async fn call_together(
        &self,
        ready: &Ready,
        calls: &Calls,
        arguments: Vec<Bytes>,
        made: mpsc::UnboundedSender<(usize, Made)>,
    ) -> Result<(), EngineError> {
        let at_once = calls.concurrency.unwrap_or(1).max(1);
        let mut left: Vec<usize> = (0..arguments.len()).collect();
        while !left.is_empty() {
            let asked: Vec<Bytes> = left.iter().map(|number| arguments[*number].clone()).collect();
            let mut is_answered = vec![false; asked.len()];
            let mut refused = None;
            let pass_on = |item: usize, answer| {
                is_answered[item] = true;
                match of_answer(answer) {
                    Ok(answer) => drop(made.send((left[item], answer))),
                    Err(e) => refused = Some(e),
                }
            };
            let limits = self.limits(calls);
            let called =
                self.pool.call_together(&ready.call, &asked, at_once, limits, pass_on).await;
            let called = called.map_err(of_start)?;
            if let Some(refused) = refused {
                return Err(refused);
            }
            if called.is_ok() {
                return Ok(());
            }
            let mut open = left.iter().zip(is_answered).filter(|(_, is)| !is).map(|(n, _)| *n);
            // they are begun in their order: one of these has ended the child, and shows itself alone
            for number in open.by_ref().take(at_once as usize) {
                let one = self.call(ready, calls, arguments[number].clone(), None).await?;
                let _ = made.send((number, one));
            }
            left = open.collect();
        }
        Ok(())
    }

    async fn file(
        &self,
        ready: &Ready,
        columns: Option<&str>,
        tables: Vec<Bytes>,
    ) -> Result<RowsFile, EngineError> {
        let call = files::call(&ready.call, columns, &tables);
        let limits = Limits { time: None, memory_bytes: Some(self.memory_bytes) };
        match self.pool.call(&call, limits).await.map_err(of_start)? {
            Ok(Answer { outcome: Outcome::Returned(_, packed), .. }) => {
                files::read(packed, self.objects.folder()).await
            }
            Ok(Answer { outcome: Outcome::Raised(raised), .. }) => {
                Err(EngineError::Refused(format!("no table can be written: {}", raised.message)))
            }
            Ok(answer) => {
                let what = format!("the interpreter has not written a file: {:?}", answer.outcome);
                Err(EngineError::Transient { source: what.clone().into(), what })
            }
            Err(died @ Died { reason: Reason::OutOfMemory { .. }, .. }) => {
                Err(EngineError::OutOfMemory(died.to_string()))
            }
            Err(died) => {
                Err(EngineError::Transient { what: died.to_string(), source: died.into() })
            }
        }
    }
}

/// # Errors
/// The function needs a module that is not there: so do all other calls.
fn of_answer(answer: Answer) -> Result<Made, EngineError> {
    let Answer { outcome, stdout, stderr, took, peak_bytes } = answer;
    let (outcome, bytes) = match outcome {
        Outcome::Returned(format, value) => (CallOutcome::Returned { format }, value),
        Outcome::Raised(Raised { missing: Some(module), .. }) => {
            return Err(EngineError::Refused(format!(
                "the workers have no module {module}, which the function needs: name its package in \
                 functions/python/packages/requirements.txt and deploy, or in env=tidemill.Env([…])"
            )));
        }
        Outcome::Raised(Raised { type_name, message, traceback, pickled, unread, .. }) => {
            let outcome = CallOutcome::Raised { type_name, message, traceback, unread };
            (outcome, pickled.unwrap_or_default())
        }
        Outcome::Late(after) => {
            let message = Reason::TimedOut(after).to_string();
            (CallOutcome::Killed { reason: KillReason::Timeout, message }, Bytes::new())
        }
        Outcome::NotReady(raised) => {
            let message = format!("the initializer raised: {}", raised.traceback.trim_end());
            (CallOutcome::Killed { reason: KillReason::Initializer, message }, Bytes::new())
        }
    };
    Ok((record(outcome, took, &stdout, &stderr, peak_bytes), bytes))
}

fn of_death(died: Died) -> CallRecord {
    let message = died.to_string();
    let Died { reason, stdout, stderr, took, peak_bytes, .. } = died;
    let reason = match reason {
        Reason::TimedOut(_) => KillReason::Timeout,
        Reason::OutOfMemory { .. } => KillReason::Memory,
        Reason::Ended(_) | Reason::Disconnected(_) => KillReason::Crash,
    };
    record(CallOutcome::Killed { reason, message }, took, &stdout, &stderr, peak_bytes)
}

fn record(
    outcome: CallOutcome,
    took: Duration,
    stdout: &Captured,
    stderr: &Captured,
    peak_memory_bytes: u64,
) -> CallRecord {
    let (stdout, stderr) = (stdout.text(), stderr.text());
    CallRecord { peak_memory_bytes, stdout, stderr, ..CallRecord::new(outcome, took) }
}

pub(crate) fn of_start(error: StartError) -> EngineError {
    match error {
        StartError::Machine(_) | StartError::Killed { .. } => {
            EngineError::Transient { what: error.to_string(), source: error.into() }
        }
        StartError::Program { .. } | StartError::NotReady { .. } => {
            EngineError::Refused(error.to_string())
        }
    }
}
