use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell};
use tracing::{info, warn};

use crate::answer::{Answer, Died};
use crate::child::{Call, Child, Limits};
use crate::interpreter::{Interpreter, StartError};

/// The child of a worker: there is one at a time, and calls take turns.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    interpreter: Arc<Interpreter>,
    /// One that waits for a call.
    idle: Arc<Mutex<Option<Child>>>,
    version: Arc<OnceCell<String>>,
}

impl Pool {
    pub(crate) fn new(interpreter: Interpreter) -> Self {
        let interpreter = Arc::new(interpreter);
        Self { interpreter, idle: Arc::default(), version: Arc::default() }
    }

    /// Has a child started while something else is done.
    pub(crate) fn warm_up(&self) {
        let pool = self.clone();
        tokio::spawn(async move {
            let mut idle = pool.idle.lock().await;
            if idle.is_none() {
                match pool.start(&[]).await {
                    Ok(child) => *idle = Some(child),
                    Err(e) => warn!(error = %e, "the interpreter does not start"),
                }
            }
        });
    }

    /// Starts a child, once more if somebody kills it meanwhile.
    async fn start(&self, path: &[PathBuf]) -> Result<Child, StartError> {
        match Child::start_with(&self.interpreter, path).await {
            Err(StartError::Killed { .. }) => Child::start_with(&self.interpreter, path).await,
            started => started,
        }
    }

    /// The version of Python: `3.13.1`.
    pub(crate) async fn version(&self) -> Result<&str, StartError> {
        let version = self.version.get_or_try_init(async || {
            let mut idle = self.idle.lock().await;
            let child = self.child(&mut idle, None).await?;
            let version = child.version().to_owned();
            *idle = Some(child);
            Ok::<_, StartError>(version)
        });
        Ok(version.await?.as_str())
    }

    /// The one that waits, or a new one, where calls need another path.
    async fn child(
        &self,
        idle: &mut Option<Child>,
        path: Option<&[PathBuf]>,
    ) -> Result<Child, StartError> {
        if let Some(mut child) = idle.take()
            && path.is_none_or(|path| child.path() == path)
            && child.is_alive()
        {
            return Ok(child);
        }
        self.start(path.unwrap_or_default()).await
    }

    /// Makes a call when those before it are done. A child that is called when this is dropped ends.
    pub(crate) async fn call(
        &self,
        call: &Call,
        limits: Limits,
    ) -> Result<Result<Answer, Died>, StartError> {
        self.with_child(&call.path, async |child| child.call(call, limits).await).await
    }

    /// Makes calls of an `async def` function beside each other, when those before them are done.
    pub(crate) async fn call_together(
        &self,
        call: &Call,
        arguments: &[Bytes],
        at_once: u32,
        limits: Limits,
        made: impl FnMut(usize, Answer),
    ) -> Result<Result<(), Died>, StartError> {
        let called = async |child: &mut Child| {
            child.call_together(call, arguments, at_once, limits, made).await
        };
        self.with_child(&call.path, called).await
    }

    async fn with_child<T>(
        &self,
        path: &[PathBuf],
        work: impl AsyncFnOnce(&mut Child) -> Result<T, Died>,
    ) -> Result<Result<T, Died>, StartError> {
        let mut idle = self.idle.lock().await;
        let mut child = self.child(&mut idle, Some(path)).await?;
        let answered = work(&mut child).await;
        match &answered {
            Ok(_) => *idle = Some(child),
            Err(died) => {
                info!(reason = %died, "the child is gone");
                self.warm_up();
            }
        }
        Ok(answered)
    }
}
