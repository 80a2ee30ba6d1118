//! SQS: at least once, unordered, with visibility and redrive. The queues of the template keep
//! their messages on disk, so that a restart loses none.

mod attributes;
mod fair_queue;
mod http;
mod input;
mod journal;
mod message;
mod queue;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use attributes::Attributes;
pub(crate) use http::{Sqs, is_request};
pub(crate) use message::{MessageAttribute, Received, TRACE_HEADER};
pub(crate) use queue::Queue;

/// All queues by name.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<BTreeMap<String, Arc<Queue>>>);

impl Queues {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Queue>> {
        self.lock().get(name).cloned()
    }

    /// Creates a queue, or returns the one of that name.
    pub(crate) fn create(&self, name: &str, attributes: Attributes) -> Arc<Queue> {
        let mut queues = self.lock();
        let new = || Arc::new(Queue::new(name.to_owned(), attributes));
        queues.entry(name.to_owned()).or_insert_with(new).clone()
    }

    pub(crate) fn insert(&self, queue: Queue) {
        self.lock().insert(queue.name.clone(), Arc::new(queue));
    }

    pub(crate) fn delete(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Sets where a queue's dead letters go.
    pub(crate) fn set_redrive(&self, queue: &Queue, target: &str, max_receives: u32) -> bool {
        let Some(target) = self.get(target) else { return false };
        queue.set_redrive(Some((target, max_receives)));
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Queue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
