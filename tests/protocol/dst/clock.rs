use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::channel::oneshot::{Sender, channel};
use futures::future::BoxFuture;
use tidemill_protocol::Clock;

/// A clock that moves only when everybody waits, and then to the next time that somebody waits for.
#[derive(Default)]
pub(super) struct ManualClock {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    elapsed: Duration,
    /// By time, then by who asked first.
    sleepers: BTreeMap<(Duration, u64), Sender<()>>,
    asked: u64,
    /// The wall clock is put forward or back at this time.
    jump: Option<(Duration, TimeDelta)>,
}

impl ManualClock {
    pub(super) fn jumping(at: Duration, by: TimeDelta) -> Self {
        let state = State { jump: Some((at, by)), ..State::default() };
        Self { state: Mutex::new(state) }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    /// Moves to the next time that somebody waits for, and wakes it; `false` if nobody waits.
    pub(super) fn advance(&self) -> bool {
        let mut state = self.lock();
        while let Some(((at, _), sleeper)) = state.sleepers.pop_first() {
            if !sleeper.is_canceled() {
                state.elapsed = at;
                let _ = sleeper.send(());
                return true;
            }
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let start = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
        let state = self.lock();
        let jumped = state.jump.filter(|(at, _)| state.elapsed >= *at);
        start + state.elapsed + jumped.map_or(TimeDelta::zero(), |(_, by)| by)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.lock();
        let (sender, receiver) = channel();
        state.asked += 1;
        let key = (state.elapsed + time, state.asked);
        state.sleepers.insert(key, sender);
        Box::pin(async move {
            let _ = receiver.await;
        })
    }
}
