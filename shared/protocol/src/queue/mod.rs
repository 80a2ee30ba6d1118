//! The seam to the queues.

mod kind;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::record::{TaskMessage, WatchMessage};

pub use kind::WorkerKind;

/// The queues that a function sends to: at least once, unordered.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends tasks to workers of a kind, in batches as large as the queue takes.
    ///
    /// # Errors
    /// If any of them may not have been sent.
    async fn send(&self, to: WorkerKind, messages: &[TaskMessage]) -> Result<(), QueueError>;

    /// Has a run watched; the watcher looks at it after `delay` for the first time.
    ///
    /// # Errors
    /// If the message may not have been sent.
    async fn watch(&self, message: &WatchMessage, delay: Duration) -> Result<(), QueueError>;
}

/// Why messages may not have been sent.
#[derive(Debug, thiserror::Error)]
#[error("sending {count} messages failed")]
pub struct QueueError {
    pub count: usize,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Queues in memory, for tests: all tasks are in one, and nobody watches.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    messages: Mutex<VecDeque<(WorkerKind, TaskMessage)>>,
}

impl MemoryQueue {
    /// The next message.
    pub fn pop(&self) -> Option<TaskMessage> {
        self.pop_kind().map(|(_, message)| message)
    }

    /// The next message, and which worker it is for.
    pub fn pop_kind(&self) -> Option<(WorkerKind, TaskMessage)> {
        self.messages.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, to: WorkerKind, messages: &[TaskMessage]) -> Result<(), QueueError> {
        let mut queue = self.messages.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        queue.extend(messages.iter().map(|message| (to, message.clone())));
        Ok(())
    }

    async fn watch(&self, _: &WatchMessage, _: Duration) -> Result<(), QueueError> {
        Ok(())
    }
}
