use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_protocol::record::{TaskMessage, WatchMessage};
use tidemill_protocol::{ObjectEvent, WorkerKind};

use super::clock::ManualClock;

/// How long a message stays hidden after its receiver was last heard of.
pub(super) const HIDDEN: Duration = Duration::from_secs(30);

/// A message and its queue.
#[derive(Debug, Clone)]
pub(super) enum InFlight {
    Event(ObjectEvent),
    Task(WorkerKind, TaskMessage),
    Watch(WatchMessage),
    Cancel(ObjectEvent),
    /// Given up by its queue.
    Dead(Box<InFlight>),
}

impl InFlight {
    /// How often it is received before it is given up.
    fn limit(&self) -> u32 {
        match self {
            Self::Task(WorkerKind::Large, _) => 3,
            Self::Event(_) | Self::Task(..) => 5,
            Self::Watch(_) | Self::Cancel(_) | Self::Dead(_) => u32::MAX,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) in_flight: InFlight,
    pub(super) receives: u32,
    /// When it can be received.
    visible: Duration,
    /// Its receiver lives and renews it.
    held: bool,
}

/// All queues: at least once, unordered, with redrive.
pub(super) struct Queues {
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<u64, Message>,
    next: u64,
    /// Numbers of messages that became visible at a time, for whoever polls.
    news: Vec<(u64, Duration)>,
}

impl Queues {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    pub(super) fn send(&self, in_flight: InFlight, delay: Duration) {
        let visible = self.clock.elapsed() + delay;
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.messages.insert(number, Message { in_flight, receives: 0, visible, held: false });
        state.news.push((number, visible));
    }

    /// What has become, or will become visible since the last call.
    pub(super) fn news(&self) -> Vec<(u64, Duration)> {
        std::mem::take(&mut self.lock().news)
    }

    /// Receives a message, if it is visible; a message that was received too often is given up
    /// instead. `again` receives it though somebody else has.
    pub(super) fn receive(&self, number: u64, again: bool) -> Option<Message> {
        let now = self.clock.elapsed();
        let mut state = self.lock();
        let message = state.messages.get_mut(&number)?;
        if !again && (message.held || message.visible > now) {
            return None;
        }
        if message.receives >= message.in_flight.limit() {
            // it keeps its id
            message.in_flight = InFlight::Dead(Box::new(message.in_flight.clone()));
            message.receives = 0;
        }
        message.receives += 1;
        message.held = true;
        message.visible = now + HIDDEN;
        Some(message.clone())
    }

    /// Nobody renews the message any more: it is received again after a while.
    pub(super) fn release(&self, number: u64, after: Duration) {
        let visible = self.clock.elapsed() + after;
        let mut state = self.lock();
        if let Some(message) = state.messages.get_mut(&number) {
            message.held = false;
            message.visible = visible;
            state.news.push((number, visible));
        }
    }

    pub(super) fn delete(&self, number: u64) {
        self.lock().messages.remove(&number);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
