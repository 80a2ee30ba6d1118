use std::iter::Sum;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the committed attempts of tasks used for their work.
///
/// Control records are not in it: about ten small requests for each task, and one LIST for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// GET requests for table files and exchanges.
    pub requests: u64,
    /// Bytes that these requests brought.
    pub read_bytes: u64,
    /// Those of them that were of exchanges.
    pub exchange_requests: u64,
    /// Those of the bytes that were of exchanges.
    pub exchange_bytes: u64,
    /// From the start of a task until its output was made; the sum of several tasks.
    pub milliseconds: u64,
    /// The most bytes that the operators of one task held at once; the largest of several tasks.
    pub peak_memory_bytes: u64,
    /// Bytes that operators wrote to the temporary folder, for want of memory.
    pub spilled_bytes: u64,
    /// Tasks that needed a large worker.
    pub large_tasks: u64,
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            requests: a.requests + b.requests,
            read_bytes: a.read_bytes + b.read_bytes,
            exchange_requests: a.exchange_requests + b.exchange_requests,
            exchange_bytes: a.exchange_bytes + b.exchange_bytes,
            milliseconds: a.milliseconds + b.milliseconds,
            peak_memory_bytes: a.peak_memory_bytes.max(b.peak_memory_bytes),
            spilled_bytes: a.spilled_bytes + b.spilled_bytes,
            large_tasks: a.large_tasks + b.large_tasks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_add_up_and_the_peak_is_that_of_the_largest_task() {
        let task = |n| Usage {
            requests: n,
            read_bytes: n,
            exchange_requests: n,
            exchange_bytes: n,
            milliseconds: n,
            peak_memory_bytes: n,
            spilled_bytes: n,
            large_tasks: n,
        };
        let sum: Usage = [task(2), task(5)].into_iter().sum();
        assert_eq!(
            (sum.requests, sum.read_bytes, sum.spilled_bytes, sum.large_tasks),
            (7, 7, 7, 7)
        );
        assert_eq!(sum.peak_memory_bytes, 5);
    }
}
