//! The seam to the task queue.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::record::TaskMessage;

/// A queue of tasks: at least once, unordered.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends messages, in batches as large as the queue takes.
    ///
    /// # Errors
    /// If any of them may not have been sent.
    async fn send(&self, messages: &[TaskMessage]) -> Result<(), QueueError>;
}

#[derive(Debug, thiserror::Error)]
#[error("sending {count} task messages failed")]
pub struct QueueError {
    pub count: usize,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A queue in memory, for tests and simulations.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    messages: Mutex<VecDeque<TaskMessage>>,
}

impl MemoryQueue {
    pub fn pop(&self) -> Option<TaskMessage> {
        self.messages.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, messages: &[TaskMessage]) -> Result<(), QueueError> {
        let mut queue = self.messages.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        queue.extend(messages.iter().cloned());
        Ok(())
    }
}
