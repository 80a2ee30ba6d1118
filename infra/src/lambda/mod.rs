//! Lambda: real function processes, each with a Runtime API of its own.

mod environment;
mod invocation;
mod mapping;
mod process;
mod runtime_api;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};

pub(crate) use invocation::InvokeError;
pub(crate) use mapping::Mapping;

use crate::faults::{Delivery, Injector};
use crate::template::FunctionSpec;
pub(crate) use environment::FunctionEnvironment;
use process::Process;

/// How a function's process is started.
#[derive(Debug, Clone)]
pub struct FunctionCommand {
    pub program: PathBuf,
    /// Arguments before the name of the function's binary.
    pub arguments: Vec<String>,
    /// The interpreter of managed Python runtimes.
    pub python: PathBuf,
    /// Variables that those have beside the ones of Lambda, as they are on this machine.
    pub environment: Vec<(String, String)>,
    /// What becomes of a line that a process writes.
    pub log: fn(&str),
}

/// A function with its processes.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) spec: FunctionSpec,
    command: FunctionCommand,
    environment: FunctionEnvironment,
    /// How many processes there may be.
    slots: Arc<Semaphore>,
    /// Warm processes, the last used first.
    idle: Mutex<Vec<Process>>,
    faults: Option<Arc<Injector>>,
}

impl Function {
    pub(crate) fn new(
        spec: FunctionSpec,
        command: FunctionCommand,
        environment: FunctionEnvironment,
        faults: Option<Arc<Injector>>,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(environment.concurrency.max(1)));
        Self { spec, command, environment, slots, idle: Mutex::default(), faults }
    }

    /// Waits for one of the function's places, so that work is taken only when it can be done.
    pub(crate) async fn place(&self) -> tokio::sync::OwnedSemaphorePermit {
        match self.slots.clone().acquire_owned().await {
            Ok(permit) => permit,
            Err(_) => std::future::pending().await, // never closed
        }
    }

    /// Invokes the function in one of its places, with messages if they are what it is invoked for.
    pub(crate) async fn invoke(
        &self,
        _place: &tokio::sync::OwnedSemaphorePermit,
        payload: bytes::Bytes,
        deliveries: &[Delivery<'_>],
    ) -> Result<bytes::Bytes, InvokeError> {
        let warm = self.idle.lock().await.pop();
        let mut process = match warm {
            Some(process) if process.is_alive() => process,
            _ => self.start().await?,
        };
        let faults = self.faults.as_ref().filter(|_| !deliveries.is_empty());
        let guard =
            faults.map(|f| f.begin(&self.spec.id, process.name(), deliveries, process.killer()));
        let result = process.invoke(payload, self.spec.timeout).await;
        if guard.is_some_and(|guard| guard.dies_at_last()) {
            return Err(InvokeError::Crashed(process.kill().await));
        }
        if result.as_ref().err().is_none_or(InvokeError::leaves_process_alive) {
            self.idle.lock().await.push(process);
        }
        result
    }

    /// A process that waits for work. A start that fails is repeated once, as Lambda does.
    async fn start(&self) -> Result<Process, InvokeError> {
        let start = async || {
            let started = Process::start(&self.spec, &self.command, &self.environment).await;
            let mut process = started.map_err(InvokeError::Start)?;
            process.wait_until_polled().await?;
            Ok(process)
        };
        match start().await {
            Err(_) => start().await,
            started => started,
        }
    }

    /// Ends the idle processes; those at work end with the emulator.
    pub(crate) async fn stop(&self) {
        self.idle.lock().await.clear();
    }
}
