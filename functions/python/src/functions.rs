//! Functions of statements, called over batches of rows.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use tidemill_protocol::calls::ContentName;
use tidemill_protocol::function::{Function, FunctionCaller, FunctionKind, Volatility};
use tidemill_protocol::{EngineError, RunId};
use tracing::info;

use crate::answer::{Answer, Died, Outcome, Raised, Reason};
use crate::caller::{MEMORY, SHARED, check_version, of_start};
use crate::child::{Call, Limits};
use crate::frame::Batch;
use crate::interpreter::Interpreter;
use crate::objects::Objects;
use crate::pool::Pool;

/// Calls functions in children.
pub struct PythonFunctions {
    objects: Objects,
    pool: Pool,
    /// What each child may have.
    memory_bytes: u64,
}

impl fmt::Debug for PythonFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonFunctions").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl PythonFunctions {
    /// So many children at once; one is started at once, beside what else is done.
    pub fn new(
        objects: Objects,
        interpreter: Interpreter,
        children: usize,
        memory_bytes: u64,
    ) -> Self {
        let shared: PathBuf = objects.folder().into();
        let interpreter = interpreter.with(SHARED, shared).with(MEMORY, memory_bytes.to_string());
        let pool = Pool::new(interpreter, children);
        pool.warm_up();
        Self { objects, pool, memory_bytes }
    }

    /// The call without its arguments, with all that it needs at its place.
    async fn prepared(
        &self,
        run: &RunId,
        name: &str,
        function: &Function,
    ) -> Result<Call, EngineError> {
        let (function_name, function, path) = match (&function.source, &function.pickled) {
            (Some(source), _) => {
                let known = format!("{name}-{}", ContentName::of(source.as_bytes()));
                (known, Bytes::copy_from_slice(source.as_bytes()), vec![])
            }
            (None, Some(pickled)) => {
                check_version(&self.pool, &format!("function {name}"), &pickled.python).await?;
                self.objects.fetch(run, &pickled.shared).await?;
                let path = self.objects.unpack(run, &pickled.archives).await?;
                let bytes = self.objects.function(run, &pickled.function).await?;
                (pickled.function.to_string(), bytes, path)
            }
            (None, None) => {
                return Err(EngineError::Refused(format!("function {name} has no code")));
            }
        };
        let arguments = Bytes::new();
        Ok(Call { function_name, function, initializer: None, path, arguments, input: None })
    }
}

#[async_trait]
impl FunctionCaller for PythonFunctions {
    async fn call(
        &self,
        run: &RunId,
        name: &str,
        function: &Function,
        types: Bytes,
        rows: Bytes,
    ) -> Result<Bytes, EngineError> {
        let call = self.prepared(run, name, function).await?;
        let batch = Batch {
            name: name.to_owned(),
            kind: function.kind,
            input: function.input,
            on_null: function.on_null,
            volatile: function.volatility == Volatility::Volatile,
            source: function.source.is_some(),
        };
        let arguments = [types, rows];
        let limits = Limits { time: None, memory_bytes: Some(self.memory_bytes) };
        let called = || self.pool.call_batch(&call, &batch, &arguments, limits);
        let mut answered = called().await.map_err(of_start)?;
        if answered.as_ref().is_err_and(may_go_well_again) {
            answered = called().await.map_err(of_start)?;
        }
        match answered {
            Ok(answer) => value(name, function.kind, answer),
            Err(died) => Err(of_death(name, &died)),
        }
    }
}

/// Whether it may not have been the call that ended its process: somebody from outside, or what calls before it have
/// left behind.
fn may_go_well_again(died: &Died) -> bool {
    !matches!(died.reason, Reason::OutOfMemory { .. }) || !died.is_first
}

fn value(name: &str, kind: FunctionKind, answer: Answer) -> Result<Bytes, EngineError> {
    let Answer { outcome, stdout, stderr, .. } = answer;
    for printed in [stdout.text(), stderr.text()] {
        if !printed.is_empty() {
            info!(function = name, "{}", printed.trim_end());
        }
    }
    let raised = match outcome {
        Outcome::Returned(_, bytes) => return Ok(bytes),
        Outcome::Raised(raised) | Outcome::NotReady(raised) => raised,
        Outcome::Late(_) => {
            return Err(EngineError::Refused(format!("function {name} was cancelled")));
        }
    };
    let Raised { type_name, message, traceback, unread, missing, row, wrong, .. } = raised;
    let place = match (row, kind) {
        (Some(row), FunctionKind::Aggregate) => format!(" ({row})"),
        (Some(row), _) => format!(" (row {row})"),
        (None, _) => String::new(),
    };
    let sentence = match missing {
        Some(module) if module == "pyarrow" => format!(
            "function {name} cannot be called: functions in statements need the package pyarrow where they run"
        ),
        Some(module) => format!(
            "function {name} needs the module {module}, which the workers do not have: name its package in \
             functions/python/packages/requirements.txt and deploy, or install it where tidemill local runs"
        ),
        None if wrong => format!("function {name} {message}{place}"),
        None if unread => {
            format!("function {name} cannot be read: {message}\n{}", traceback.trim_end())
        }
        None => {
            let type_name = type_name.strip_prefix("builtins.").unwrap_or(&type_name);
            let traceback = traceback.trim_end();
            let said = if message.is_empty() { String::new() } else { format!(": {message}") };
            format!("function {name} raised {type_name}{said}{place}\n{traceback}")
        }
    };
    Err(EngineError::Refused(sentence))
}

fn of_death(name: &str, died: &Died) -> EngineError {
    let said = died.stderr.text();
    let said = said.trim_end();
    let said = if said.is_empty() { String::new() } else { format!("\n{said}") };
    let sentence = format!("function {name}: {died}{said}");
    match died.reason {
        Reason::OutOfMemory { .. } => EngineError::OutOfMemory(format!(
            "{sentence}: a larger PythonSqlWorkerMemory, or a function that takes fewer rows at a time, helps"
        )),
        Reason::TimedOut(_) | Reason::Ended(_) | Reason::Disconnected(_) => {
            EngineError::Refused(sentence)
        }
    }
}
