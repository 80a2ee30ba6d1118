use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tracing::{info, warn};

use crate::answer::{Answer, Died};
use crate::child::{Call, Child, Limits};
use crate::frame::Batch;
use crate::interpreter::{Interpreter, StartError};

/// The children of a worker: there are so many at a time, and calls take turns.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    interpreter: Arc<Interpreter>,
    /// Those that wait for a call.
    idle: Arc<Mutex<Vec<Child>>>,
    turns: Arc<Semaphore>,
    version: Arc<OnceCell<String>>,
}

impl Pool {
    pub(crate) fn new(interpreter: Interpreter, children: usize) -> Self {
        let (interpreter, turns) = (Arc::new(interpreter), Arc::new(Semaphore::new(children)));
        Self { interpreter, idle: Arc::default(), turns, version: Arc::default() }
    }

    /// Has a child started while something else is done.
    pub(crate) fn warm_up(&self) {
        let pool = self.clone();
        tokio::spawn(async move {
            let _turn = pool.turn().await;
            if pool.idle().is_empty() {
                match pool.start(&[]).await {
                    Ok(child) => pool.idle().push(child),
                    Err(e) => warn!(error = %e, "the interpreter does not start"),
                }
            }
        });
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Child>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be a child more at work.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok() // it is never closed
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
            let _turn = self.turn().await;
            let child = self.child(None).await?;
            let version = child.version().to_owned();
            self.idle().push(child);
            Ok::<_, StartError>(version)
        });
        Ok(version.await?.as_str())
    }

    /// One that waits, or a new one: those that wait may have another path than the calls need.
    async fn child(&self, path: Option<&[PathBuf]>) -> Result<Child, StartError> {
        if let Some(child) = self.waiting(path) {
            return Ok(child);
        }
        self.start(path.unwrap_or_default()).await
    }

    fn waiting(&self, path: Option<&[PathBuf]>) -> Option<Child> {
        let mut idle = self.idle();
        let is_of_use = |child: &Child| path.is_none_or(|path| child.path() == path);
        while let Some(place) = idle.iter().position(is_of_use) {
            let mut child = idle.swap_remove(place);
            if child.is_alive() {
                return Some(child);
            }
        }
        idle.pop(); // it makes room for another
        None
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

    /// Makes a call over a batch of rows, when there is a child for it.
    pub(crate) async fn call_batch(
        &self,
        call: &Call,
        batch: &Batch,
        arguments: &[Bytes; 2],
        limits: Limits,
    ) -> Result<Result<Answer, Died>, StartError> {
        let called =
            async |child: &mut Child| child.call_batch(call, batch, arguments, limits).await;
        self.with_child(&call.path, called).await
    }

    async fn with_child<T>(
        &self,
        path: &[PathBuf],
        work: impl AsyncFnOnce(&mut Child) -> Result<T, Died>,
    ) -> Result<Result<T, Died>, StartError> {
        let _turn = self.turn().await;
        let mut child = self.child(Some(path)).await?;
        let answered = work(&mut child).await;
        match &answered {
            Ok(_) => self.idle().push(child),
            Err(died) => {
                info!(reason = %died, "the child is gone");
                self.warm_up();
            }
        }
        Ok(answered)
    }
}
