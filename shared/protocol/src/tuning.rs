//! Numbers that steps of the protocol act on and that the model of a run's cost reckons with. They lie
//! below both, so that neither needs the other.
//!
//! Where no source is named, a number is ours, and was chosen with the tests that name it or by measuring.

use std::time::Duration;

use chrono::TimeDelta;

/// How many tiny tasks of one message run at once: they mostly wait for the bucket.
pub(crate) const TINY_TASKS_AT_ONCE: usize = 8;

/// The time between two looks at a run: as long as a death takes to show, which is the time for which a
/// worker hides its message.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(30);

/// A stage of fewer messages has no stragglers: there is no telling what is slow.
pub(crate) const STRAGGLER_MESSAGES_MIN: usize = 10;

/// A message is a straggler if it takes so many times as long as the median one: the multiplier of
/// Spark's speculation (`spark.speculation.multiplier`, since its version 4).
pub(crate) const STRAGGLER_FACTOR: i32 = 3;

/// What ends within this time is no straggler, however long the others took.
pub(crate) const STRAGGLER_TIME_MIN: TimeDelta = TimeDelta::seconds(10);
