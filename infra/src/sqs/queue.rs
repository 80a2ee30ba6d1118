use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::attributes::Attributes;
use super::fair_queue::FairOrder;
use super::journal::{Journal, JournalEntry};
use super::message::{NewMessage, Received};
use crate::faults::Injector;

#[derive(Debug, Clone)]
struct Message {
    id: String,
    new: NewMessage,
    /// Milliseconds since 1970.
    sent: i64,
    first_received: Option<i64>,
    receives: u32,
    state: State,
    /// The queue that gave it up.
    source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Visible,
    /// Sent with a delay.
    Delayed(Instant),
    /// Received; the receipt of the latest time.
    InFlight {
        until: Instant,
        receipt: String,
    },
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    inner: Mutex<Inner>,
    arrived: Notify,
    journal: Option<Journal>,
    faults: Option<Arc<Injector>>,
}

#[derive(Debug)]
struct Inner {
    attributes: Attributes,
    redrive: Option<(Arc<Queue>, u32)>,
    messages: HashMap<u64, Message>,
    next: u64,
    visible: FairOrder,
    /// Messages that become visible at a time.
    hidden: BTreeSet<(Instant, u64)>,
}

impl Queue {
    pub(crate) fn new(name: String, attributes: Attributes) -> Self {
        let inner = Inner {
            attributes,
            redrive: None,
            messages: HashMap::new(),
            next: 0,
            visible: FairOrder::default(),
            hidden: BTreeSet::new(),
        };
        Self { name, inner: Mutex::new(inner), arrived: Notify::new(), journal: None, faults: None }
    }

    /// A queue whose messages survive a restart. Those that an earlier process left count as
    /// delivered once: whoever gets them repairs what that delivery may have left half done.
    pub(crate) fn open(
        name: String,
        attributes: Attributes,
        folder: std::path::PathBuf,
    ) -> std::io::Result<Self> {
        let (journal, entries) = Journal::open(folder)?;
        let queue = Self::new(name, attributes);
        for JournalEntry { id, message, sent, source } in entries {
            let new = NewMessage { delay: Some(Duration::ZERO), ..message };
            let (receives, state) = (1, State::Visible);
            queue.add(Message {
                id,
                new,
                sent,
                first_received: Some(sent),
                receives,
                state,
                source,
            });
        }
        Ok(Self { journal: Some(journal), ..queue })
    }

    /// A queue whose messages come late, or twice.
    pub(crate) fn with_faults(self, faults: Option<Arc<Injector>>) -> Self {
        Self { faults, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn attributes(&self) -> Attributes {
        self.lock().attributes.clone()
    }

    pub(crate) fn set_attributes(&self, attributes: Attributes) {
        self.lock().attributes = attributes;
    }

    pub(crate) fn set_redrive(&self, redrive: Option<(Arc<Queue>, u32)>) {
        self.lock().redrive = redrive;
    }

    pub(crate) fn redrive(&self) -> Option<(String, u32)> {
        self.lock().redrive.as_ref().map(|(queue, max)| (queue.name.clone(), *max))
    }

    /// Visible, in flight, delayed.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let dead = self.lock().wake(Instant::now());
        self.bury(dead);
        let inner = self.lock();
        let delayed = inner.messages.values().filter(|m| matches!(m.state, State::Delayed(_)));
        let delayed = delayed.count();
        (inner.visible.len(), inner.messages.len() - inner.visible.len() - delayed, delayed)
    }

    pub(crate) fn send_plain(&self, body: String) {
        self.send(NewMessage { body, ..NewMessage::default() });
    }

    /// Takes a message; returns its id.
    pub(crate) fn send(&self, new: NewMessage) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let mut message = Message {
            id: id.clone(),
            new,
            sent: Utc::now().timestamp_millis(),
            first_received: None,
            receives: 0,
            state: State::Visible,
            source: None,
        };
        if let Some(faults) = &self.faults {
            let (late, again) = faults.sending(&self.name);
            let asked = message.new.delay.unwrap_or(self.attributes().delay);
            message.new.delay = Some(asked + late.unwrap_or_default());
            if let Some(again) = again {
                let mut second = message.clone();
                second.new.delay = Some(asked + again);
                self.add(second);
            }
        }
        self.add(message);
        id
    }

    fn add(&self, mut message: Message) {
        if let Some(journal) = &self.journal {
            let Message { id, new, sent, source, .. } = message.clone();
            journal.keep(&JournalEntry { id, message: new, sent, source });
        }
        let mut inner = self.lock();
        let number = inner.next;
        inner.next += 1;
        let delay = message.new.delay.unwrap_or(inner.attributes.delay);
        if delay.is_zero() {
            message.state = State::Visible;
            inner.visible.push(message.new.group.as_ref(), number);
        } else {
            let until = Instant::now() + delay;
            message.state = State::Delayed(until);
            inner.hidden.insert((until, number));
        }
        inner.messages.insert(number, message);
        drop(inner);
        // waiters also learn of a new delay, which may end before what they wait for
        self.arrived.notify_one();
    }

    /// Waits until there is a message to receive, at most for `wait`; whether there is.
    pub(crate) async fn wait(&self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            let now = Instant::now();
            let (dead, any, next) = self.lock().look(now);
            self.bury(dead);
            if any {
                self.arrived.notify_one(); // it is still there for another waiter
            }
            if any || now >= deadline {
                return any;
            }
            let until = next.map_or(deadline, |n| n.min(deadline));
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Receives up to `max` messages; waits for the first one for at most `wait`.
    pub(crate) async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Vec<Received> {
        let deadline = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            let now = Instant::now();
            let (received, dead, next) = self.lock().take(max, visibility, now);
            self.bury(dead);
            if !received.is_empty() {
                if !self.lock().visible.is_empty() {
                    self.arrived.notify_one(); // there is more for another waiter
                }
                return received;
            }
            if now >= deadline {
                return vec![];
            }
            let until = next.map_or(deadline, |n| n.min(deadline));
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Moves dead letters to their queue.
    fn bury(&self, dead: Vec<Message>) {
        if dead.is_empty() {
            return;
        }
        let target = self.lock().redrive.as_ref().map(|(queue, _)| queue.clone());
        for mut message in dead {
            let id = message.id.clone();
            message.new.delay = Some(Duration::ZERO);
            message.receives = 0;
            message.first_received = None;
            message.source = Some(self.name.clone());
            if let Some(target) = &target {
                target.add(message);
            }
            self.forget(&id);
        }
    }

    /// Deletes the message that a receipt names. A stale receipt deletes nothing; that is no error.
    pub(crate) fn delete(&self, receipt: &str) -> bool {
        let Some(number) = number_of(receipt) else { return false };
        let mut inner = self.lock();
        let current = inner.messages.get(&number).is_some_and(
            |m| matches!(&m.state, State::InFlight { receipt: r, .. } if r == receipt),
        );
        let gone = current.then(|| inner.remove(number)).flatten();
        drop(inner);
        if let Some(id) = gone {
            self.forget(&id);
        }
        true
    }

    fn forget(&self, id: &str) {
        if let Some(journal) = &self.journal {
            journal.forget(id);
        }
    }

    /// Hides a received message for another while, from now.
    pub(crate) fn change_visibility(
        &self,
        receipt: &str,
        timeout: Duration,
    ) -> Result<(), NotInFlight> {
        let number = number_of(receipt).ok_or(NotInFlight)?;
        let mut inner = self.lock();
        let inner = &mut *inner;
        let message = inner.messages.get_mut(&number).ok_or(NotInFlight)?;
        let State::InFlight { until, receipt: current } = &mut message.state else {
            return Err(NotInFlight);
        };
        if current != receipt {
            return Err(NotInFlight);
        }
        inner.hidden.remove(&(*until, number));
        *until = Instant::now() + timeout;
        inner.hidden.insert((*until, number));
        self.arrived.notify_one();
        Ok(())
    }

    pub(crate) fn purge(&self) {
        let mut inner = self.lock();
        inner.messages.values().for_each(|m| self.forget(&m.id));
        inner.messages.clear();
        inner.visible.clear();
        inner.hidden.clear();
    }
}

/// The receipt is not that of a message in flight.
#[derive(Debug)]
pub(crate) struct NotInFlight;

/// A receipt: the message's number, and a mark of the reception.
fn receipt(number: u64) -> String {
    format!("{number}-{}", uuid::Uuid::new_v4().simple())
}

fn number_of(receipt: &str) -> Option<u64> {
    let (number, mark) = receipt.split_once('-')?;
    (mark.len() == 32).then(|| number.parse().ok())?
}

impl Inner {
    /// Makes visible what is due; returns the dead letters among it.
    fn wake(&mut self, now: Instant) -> Vec<Message> {
        let mut dead = vec![];
        while let Some(&(until, number)) = self.hidden.first().filter(|(until, _)| *until <= now) {
            self.hidden.remove(&(until, number));
            let limit = self.redrive.as_ref().map(|(_, max)| *max);
            let Some(message) = self.messages.get_mut(&number) else { continue };
            if limit.is_some_and(|max| message.receives >= max) {
                dead.extend(self.messages.remove(&number));
            } else {
                message.state = State::Visible;
                self.visible.push(message.new.group.as_ref(), number);
            }
        }
        dead
    }

    /// The dead letters, whether something is visible now, and when to look again.
    fn look(&mut self, now: Instant) -> (Vec<Message>, bool, Option<Instant>) {
        let dead = self.wake(now);
        (dead, !self.visible.is_empty(), self.hidden.first().map(|(until, _)| *until))
    }

    /// Receives what is visible now; with the dead letters, and when to look again.
    fn take(
        &mut self,
        max: usize,
        visibility: Option<Duration>,
        now: Instant,
    ) -> (Vec<Received>, Vec<Message>, Option<Instant>) {
        let dead = self.wake(now);
        let until = now + visibility.unwrap_or(self.attributes.visibility);
        let oldest = Utc::now().timestamp_millis()
            - i64::try_from(self.attributes.retention.as_millis()).unwrap_or(i64::MAX);
        let mut received = vec![];
        while received.len() < max
            && let Some(number) = self.visible.pop()
        {
            let Some(message) = self.messages.get_mut(&number) else { continue };
            if message.sent < oldest {
                self.messages.remove(&number);
                continue;
            }
            let receipt = receipt(number);
            message.receives += 1;
            let first =
                *message.first_received.get_or_insert_with(|| Utc::now().timestamp_millis());
            message.state = State::InFlight { until, receipt: receipt.clone() };
            self.hidden.insert((until, number));
            received.push(Received {
                id: message.id.clone(),
                receipt,
                message: message.new.clone(),
                sent: message.sent,
                first_received: first,
                receives: message.receives,
                source: message.source.clone(),
            });
        }
        (received, dead, self.hidden.first().map(|(until, _)| *until))
    }

    /// Removes a message; its id.
    fn remove(&mut self, number: u64) -> Option<String> {
        let message = self.messages.remove(&number)?;
        match message.state {
            State::InFlight { until, .. } | State::Delayed(until) => {
                self.hidden.remove(&(until, number));
            }
            State::Visible => self.visible.remove(number),
        }
        Some(message.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const SHORT: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_secs(30);

    fn queue() -> Arc<Queue> {
        Arc::new(Queue::new("q".into(), Attributes::default()))
    }

    #[tokio::test]
    async fn a_message_comes_back_after_its_visibility_and_goes_when_deleted() {
        let queue = queue();
        queue.send_plain("a".into());
        let first = queue.receive(10, NOW, Some(SHORT)).await;
        assert_eq!((first.len(), first[0].receives), (1, 1));
        assert!(queue.receive(10, NOW, None).await.is_empty());
        let second = queue.receive(10, LONG, Some(LONG)).await;
        assert_eq!(second[0].receives, 2);
        queue.delete(&first[0].receipt);
        assert_eq!(queue.counts(), (0, 1, 0), "a stale receipt deletes nothing");
        queue.delete(&second[0].receipt);
        assert_eq!(queue.counts(), (0, 0, 0));
    }

    #[tokio::test]
    async fn a_waiting_receiver_wakes_when_a_message_arrives() {
        let queue = queue();
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.receive(1, LONG, None).await.len() }
        });
        tokio::time::sleep(SHORT).await;
        queue.send_plain("a".into());
        let received = tokio::time::timeout(LONG / 2, waiting).await.expect("woken");
        assert_eq!(received.expect("received"), 1);
    }

    #[tokio::test]
    async fn many_waiters_get_a_message_each() {
        let queue = queue();
        let mut waiters = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let queue = queue.clone();
            waiters.spawn(async move { queue.receive(1, LONG, Some(LONG)).await.len() });
        }
        tokio::task::yield_now().await;
        for n in 0..50 {
            queue.send_plain(n.to_string());
        }
        let all = tokio::time::timeout(LONG / 2, waiters.join_all()).await.expect("all woken");
        assert!(all.iter().all(|n| *n == 1));
    }

    #[tokio::test]
    async fn a_message_that_keeps_failing_goes_to_the_dead_letters() {
        let (queue, dead) = (queue(), queue());
        queue.set_redrive(Some((dead.clone(), 2)));
        queue.send_plain("a".into());
        for _ in 0..2 {
            let received = queue.receive(1, LONG, None).await;
            queue.change_visibility(&received[0].receipt, NOW).expect("in flight");
        }
        assert!(queue.receive(1, NOW, None).await.is_empty());
        let letters = dead.receive(1, NOW, None).await;
        assert_eq!((letters[0].message.body.as_str(), letters[0].receives), ("a", 1));
    }

    #[tokio::test]
    async fn what_is_not_deleted_is_there_after_a_restart_and_counts_as_delivered() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = || {
            let folder = dir.path().join("q");
            Queue::open("q".into(), Attributes::default(), folder).expect("a queue")
        };
        let queue = open();
        for body in ["a", "b", "c"] {
            queue.send_plain(body.into());
        }
        let received = queue.receive(2, NOW, None).await;
        queue.delete(&received[0].receipt);
        drop(queue);
        let queue = open();
        let mut found: Vec<_> = queue
            .receive(10, NOW, None)
            .await
            .into_iter()
            .map(|m| (m.message.body, m.receives))
            .collect();
        found.sort();
        assert_eq!(found, [("b".into(), 2), ("c".into(), 2)]);
    }

    #[tokio::test]
    async fn a_delayed_message_is_seen_only_after_its_delay() {
        let queue = queue();
        let start = Instant::now();
        queue.send(NewMessage { body: "a".into(), delay: Some(SHORT), ..NewMessage::default() });
        assert!(queue.receive(1, NOW, None).await.is_empty());
        assert_eq!(queue.receive(1, LONG, None).await.len(), 1);
        assert!(start.elapsed() >= SHORT);
    }
}
