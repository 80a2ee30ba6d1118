use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};
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

/// The child is for whoever has this. One that is called when it is dropped ends.
pub(crate) struct Turn {
    pool: Pool,
    idle: OwnedMutexGuard<Option<Child>>,
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
                match Child::start(&pool.interpreter).await {
                    Ok(child) => *idle = Some(child),
                    Err(e) => warn!(error = %e, "the interpreter does not start"),
                }
            }
        });
    }

    /// The version of Python: `3.13.1`.
    pub(crate) async fn version(&self) -> Result<&str, StartError> {
        let version = self.version.get_or_try_init(async || {
            let mut idle = self.idle.lock().await;
            let child = self.child(&mut idle).await?;
            let version = child.version().to_owned();
            *idle = Some(child);
            Ok::<_, StartError>(version)
        });
        Ok(version.await?.as_str())
    }

    /// The one that waits, or a new one.
    async fn child(&self, idle: &mut Option<Child>) -> Result<Child, StartError> {
        match idle.take() {
            Some(child) => Ok(child),
            None => Child::start(&self.interpreter).await,
        }
    }

    /// Waits until no other call is made.
    pub(crate) async fn turn(&self) -> Turn {
        Turn { pool: self.clone(), idle: self.idle.clone().lock_owned().await }
    }
}

impl Turn {
    /// Makes a call.
    pub(crate) async fn call(
        &mut self,
        call: &Call,
        limits: Limits,
    ) -> Result<Result<Answer, Died>, StartError> {
        let mut child = self.pool.child(&mut self.idle).await?;
        let answered = child.call(call, limits).await;
        match &answered {
            Ok(_) => *self.idle = Some(child),
            Err(died) => {
                info!(reason = %died, "the child is gone");
                self.pool.warm_up();
            }
        }
        Ok(answered)
    }
}
