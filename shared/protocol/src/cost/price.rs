//! What AWS takes for what a run does: list prices of us-east-1 without a free tier, read 2026-11.
//!
//! Sources: the pricing pages of AWS Lambda (arm64), Amazon S3 (standard) and Amazon SQS (standard).

use crate::queue::WorkerKind;

/// Dollars for a GB-second of a function; a GB of Lambda's is 1,024 MiB.
pub(crate) const GB_SECOND_USD: f64 = 0.000_013_333_4;

/// Dollars for an invocation.
pub(crate) const INVOCATION_USD: f64 = 0.2e-6;

/// Dollars for a PUT, COPY or LIST request.
pub(crate) const PUT_USD: f64 = 5e-6;

/// Dollars for a GET or HEAD request.
pub(crate) const GET_USD: f64 = 0.4e-6;

/// Dollars for a request to a queue.
pub(crate) const QUEUE_REQUEST_USD: f64 = 0.4e-6;

/// Event sources of a deployment: events, watch, dead letters, and the tasks of each kind of worker.
const EVENT_SOURCES: f64 = 3.0 + WorkerKind::ALL.len() as f64;

/// An idle event source has so many pollers (AWS Lambda, scaling with SQS), which ask every 20 seconds.
const POLLERS_PER_EVENT_SOURCE: f64 = 5.0;
const POLLS_PER_POLLER_MONTH: f64 = 3.0 * 60.0 * 24.0 * 30.0;

/// Dollars that a deployment takes in a month of 30 days in which nothing runs: its event sources ask
/// their queues. What is stored, alarms and provisioned pollers come on top.
pub fn idle_usd_per_month() -> f64 {
    EVENT_SOURCES * POLLERS_PER_EVENT_SOURCE * POLLS_PER_POLLER_MONTH * QUEUE_REQUEST_USD
}

/// Dollars for people: three digits that count.
pub fn dollars(usd: f64) -> String {
    let mut decimals = 2;
    while decimals < 9 && usd > 0.0 && usd * 10f64.powi(decimals - 2) < 1.0 {
        decimals += 1;
    }
    format!("${usd:.*}", usize::try_from(decimals).unwrap_or(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_amounts_keep_their_digits() {
        for (usd, text) in [
            (0.0, "$0.00"),
            (12.0, "$12.00"),
            (1.0, "$1.00"),
            (0.25, "$0.250"),
            (0.0012, "$0.00120"),
            (0.000_000_01, "$0.000000010"),
        ] {
            assert_eq!(dollars(usd), text);
        }
    }
}
