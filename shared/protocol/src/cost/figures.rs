//! The terms in which an estimate and an account speak.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number that lies between two others; written as `[low, high]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[T; 2]", into = "[T; 2]")]
#[schemars(rename = "RangeOf_{T}")]
pub struct Bounds<T: Copy> {
    pub low: T,
    pub high: T,
}

impl<T: Copy> From<[T; 2]> for Bounds<T> {
    fn from([low, high]: [T; 2]) -> Self {
        Self { low, high }
    }
}

impl<T: Copy> From<Bounds<T>> for [T; 2] {
    fn from(Bounds { low, high }: Bounds<T>) -> Self {
        [low, high]
    }
}

impl<T: Copy> Bounds<T> {
    /// A number that is known.
    pub fn exactly(value: T) -> Self {
        Self { low: value, high: value }
    }

    /// Applies a function to both ends.
    pub fn map<U: Copy>(self, f: impl Fn(T) -> U) -> Bounds<U> {
        Bounds { low: f(self.low), high: f(self.high) }
    }

    /// Low with low, and high with high.
    pub fn zip<U: Copy, V: Copy>(self, other: Bounds<U>, f: impl Fn(T, U) -> V) -> Bounds<V> {
        Bounds { low: f(self.low, other.low), high: f(self.high, other.high) }
    }
}

impl Bounds<u64> {
    /// Nothing at the most.
    pub(crate) fn is_nothing(&self) -> bool {
        self.high == 0
    }
}

impl Bounds<f64> {
    /// The whole numbers around it.
    pub fn whole(self) -> Bounds<u64> {
        // a float is cut off at the ends of the type
        Bounds { low: self.low.floor() as u64, high: self.high.ceil() as u64 }
    }
}

impl std::ops::Add for Bounds<f64> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl std::iter::Sum for Bounds<f64> {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| a + b)
    }
}

/// What a run takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CostFigures_{N}_{F}")]
pub struct CostFigures<N, F> {
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
pub type Estimated = CostFigures<Bounds<u64>, Bounds<f64>>;

/// The estimate of a stage; of one that is taken over only its tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageEstimate {
    pub tasks: Bounds<u64>,
    /// That name them; tiny tasks share some.
    pub messages: Bounds<u64>,
    pub table_bytes: Bounds<u64>,
    /// Read of other stages.
    pub exchange_bytes: Bounds<u64>,
    /// To the bucket.
    pub requests: Bounds<u64>,
    /// Of the tasks that share a message, most often one.
    pub message_seconds: Bounds<f64>,
    pub gb_seconds: Bounds<f64>,
    pub cost_usd: Bounds<f64>,
}

/// Figures after a run.
pub type Actual = CostFigures<u64, f64>;

/// By how much a run passed the ends of its estimate: 0.5 is half above the upper one, -0.5 half
/// below the lower one, 0 is within.
pub type Deviation = CostFigures<f64, f64>;

impl Estimated {
    /// How far a run was outside of this estimate.
    pub fn deviation(&self, actual: &Actual) -> Deviation {
        let of =
            |range: Bounds<u64>, value: u64| deviation_of(range.map(|n| n as f64), value as f64);
        CostFigures {
            tasks: of(self.tasks, actual.tasks),
            table_bytes: of(self.table_bytes, actual.table_bytes),
            exchange_bytes: of(self.exchange_bytes, actual.exchange_bytes),
            requests: of(self.requests, actual.requests),
            gb_seconds: deviation_of(self.gb_seconds, actual.gb_seconds),
            seconds: deviation_of(self.seconds, actual.seconds),
            cost_usd: deviation_of(self.cost_usd, actual.cost_usd),
        }
    }
}

fn deviation_of(range: Bounds<f64>, value: f64) -> f64 {
    let bound = value.max(range.low).min(range.high);
    let deviation = if value == bound { 0.0 } else { value / bound.max(f64::EPSILON) - 1.0 };
    // four digits are enough, and no end of zero makes it endless
    (deviation.min(1e3) * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_is_counted_from_the_nearer_end() {
        let range = Bounds { low: 10.0, high: 20.0 };
        assert_eq!([10.0, 15.0, 20.0].map(|v| deviation_of(range, v)), [0.0; 3]);
        assert_eq!([5.0, 30.0].map(|v| deviation_of(range, v)), [-0.5, 0.5]);
    }

    #[test]
    fn a_range_is_written_as_its_ends() {
        let range = Bounds { low: 1u64, high: 2 };
        let text = serde_json::to_string(&range).expect("JSON");
        assert_eq!(text, "[1,2]");
        assert_eq!(serde_json::from_str::<Bounds<u64>>(&text).expect("a range"), range);
    }
}
