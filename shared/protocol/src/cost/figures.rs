//! The terms in which an estimate and an account speak.

use serde::{Deserialize, Serialize};

/// A number that lies between two others; written as `[low, high]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[T; 2]", into = "[T; 2]")]
pub struct Between<T: Copy> {
    pub low: T,
    pub high: T,
}

impl<T: Copy> From<[T; 2]> for Between<T> {
    fn from([low, high]: [T; 2]) -> Self {
        Self { low, high }
    }
}

impl<T: Copy> From<Between<T>> for [T; 2] {
    fn from(Between { low, high }: Between<T>) -> Self {
        [low, high]
    }
}

impl<T: Copy> Between<T> {
    /// A number that is known.
    pub fn exactly(value: T) -> Self {
        Self { low: value, high: value }
    }

    pub fn map<U: Copy>(self, f: impl Fn(T) -> U) -> Between<U> {
        Between { low: f(self.low), high: f(self.high) }
    }

    /// Low with low, and high with high.
    pub fn zip<U: Copy, V: Copy>(self, other: Between<U>, f: impl Fn(T, U) -> V) -> Between<V> {
        Between { low: f(self.low, other.low), high: f(self.high, other.high) }
    }
}

impl Between<f64> {
    pub(crate) fn whole(self) -> Between<u64> {
        // a float is cut off at the ends of the type
        Between { low: self.low.floor() as u64, high: self.high.ceil() as u64 }
    }
}

impl std::ops::Add for Between<f64> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl std::iter::Sum for Between<f64> {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| a + b)
    }
}

/// What a run takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures<N, F> {
    pub tasks: N,
    /// Bytes that are read of tables.
    pub table_bytes: N,
    /// Bytes that are read of exchanges.
    pub exchange_bytes: N,
    /// Requests to the bucket, those for control records included.
    pub requests: N,
    /// Of the workers; a GB is 1,024 MiB.
    pub gb_seconds: F,
    /// From the upload to the outcome.
    pub seconds: F,
    /// List price of the workers with their requests and messages.
    pub cost_usd: F,
}

/// Figures before a run.
pub type Estimated = Figures<Between<u64>, Between<f64>>;

/// Figures after a run.
pub type Taken = Figures<u64, f64>;

/// By how much a run passed the ends of its estimate: 0.5 is half above the upper one, -0.5 half
/// below the lower one, 0 is within.
pub type Errors = Figures<f64, f64>;

impl Estimated {
    pub fn errors(&self, taken: &Taken) -> Errors {
        let of = |range: Between<u64>, value: u64| error(range.map(|n| n as f64), value as f64);
        Figures {
            tasks: of(self.tasks, taken.tasks),
            table_bytes: of(self.table_bytes, taken.table_bytes),
            exchange_bytes: of(self.exchange_bytes, taken.exchange_bytes),
            requests: of(self.requests, taken.requests),
            gb_seconds: error(self.gb_seconds, taken.gb_seconds),
            seconds: error(self.seconds, taken.seconds),
            cost_usd: error(self.cost_usd, taken.cost_usd),
        }
    }
}

fn error(range: Between<f64>, value: f64) -> f64 {
    let bound = value.max(range.low).min(range.high);
    let error = if value == bound { 0.0 } else { value / bound.max(f64::EPSILON) - 1.0 };
    // four digits are enough, and no end of zero makes it endless
    (error.min(1e3) * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_counted_from_the_nearer_end() {
        let range = Between { low: 10.0, high: 20.0 };
        assert_eq!([10.0, 15.0, 20.0].map(|v| error(range, v)), [0.0; 3]);
        assert_eq!([5.0, 30.0].map(|v| error(range, v)), [-0.5, 0.5]);
    }

    #[test]
    fn a_range_is_written_as_its_ends() {
        let range = Between { low: 1u64, high: 2 };
        let text = serde_json::to_string(&range).expect("JSON");
        assert_eq!(text, "[1,2]");
        assert_eq!(serde_json::from_str::<Between<u64>>(&text).expect("a range"), range);
    }
}
