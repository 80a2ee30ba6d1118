//! The workers of a deployment: how fast they are, how many there are when, and what they take.
//!
//! Sources: AWS Lambda's documentation (memory and vCPUs, quotas, scaling with SQS), and for the
//! bandwidth "Skyrise" (Bodner et al., SIGMOD 2025). What is an assumption of ours says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::Bounds;
use super::price;
use crate::queue::WorkerKind;
use crate::tuning::TINY_TASKS_AT_ONCE;

/// The workers of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workers {
    /// Memory of a worker, in MiB.
    pub mib: u32,
    /// Memory of a large worker, in MiB.
    pub large_mib: u32,
    /// Memory of a Python worker, in MiB.
    #[serde(default = "python_mib")]
    pub python_mib: u32,
    /// Memory of a large Python worker, in MiB.
    #[serde(default = "large_python_mib")]
    pub large_python_mib: u32,
    /// Memory of a worker for statements that call functions of Python, in MiB.
    #[serde(default = "python_sql_mib")]
    pub python_sql_mib: u32,
    /// The most at once of each kind.
    pub concurrency: u32,
    /// Pollers of the task queue that are always there; 0 is the standard mode.
    #[serde(default)]
    pub pollers: u32,
}

impl Default for Workers {
    /// The defaults of the template's parameters.
    fn default() -> Self {
        Self {
            mib: 3538,
            large_mib: 10_240,
            python_mib: python_mib(),
            large_python_mib: large_python_mib(),
            python_sql_mib: python_sql_mib(),
            concurrency: 100,
            pollers: 0,
        }
    }
}

fn python_mib() -> u32 {
    1769
}

fn large_python_mib() -> u32 {
    10_240
}

fn python_sql_mib() -> u32 {
    3538
}

/// How the number of workers grows with the messages that wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// At the first message.
    pub at_once: f64,
    pub per_second: f64,
    pub most: f64,
}

/// A worker of a vCPU has so many MiB (AWS Lambda, memory).
const MIB_PER_VCPU: f64 = 1769.0;

/// Bytes that a function gets at once, and then in a second (Skyrise).
const BURST_BYTES: f64 = 300.0 * MIB;
const BANDWIDTH_BYTES_PER_SECOND: f64 = 75.0 * MIB;

/// Stored bytes that a vCPU gets through in a second. The queries of TPC-H do 58 to 1,190 MiB on the machine
/// of BENCHMARKS.md; a vCPU of Lambda is taken to be a third as fast. Nothing bounds what a statement
/// does with a row.
const SCAN_BYTES_PER_VCPU_SECOND: Bounds<f64> =
    Bounds { low: 400.0 * MIB, high: SCAN_BYTES_PER_VCPU_SECOND_MIN };

/// Stored bytes that a vCPU gets through in a second, in a slow stage.
pub(crate) const SCAN_BYTES_PER_VCPU_SECOND_MIN: f64 = 20.0 * MIB;

/// Seconds of an attempt before its task starts and after its commit: records that are read and
/// written, and a process that starts.
const TASK_OVERHEAD_SECONDS: Bounds<f64> = Bounds { low: 0.1, high: TASK_OVERHEAD_SECONDS_MAX };
pub(crate) const TASK_OVERHEAD_SECONDS_MAX: f64 = 0.25;

/// Seconds of tiny tasks that run at once: they wait for a read and a write.
const TINY_ROUND_SECONDS: Bounds<f64> = Bounds { low: 0.05, high: 0.2 };

/// A standard event source of a queue: workers at the first message, more each minute, the most (AWS
/// Lambda, scaling with SQS).
const STANDARD_EVENT_SOURCE: (f64, f64, f64) = (5.0, 300.0, 1250.0);

/// A provisioned one: invocations of a poller, more each minute, the most, which are those of the
/// template's 200 pollers.
const PROVISIONED_EVENT_SOURCE: (f64, f64, f64) = (10.0, 1000.0, 2000.0);

/// The longest that an attempt lasts: a function's time-out (AWS Lambda quotas).
pub(crate) const FUNCTION_TIMEOUT_SECONDS: f64 = 900.0;

pub(crate) const MIB: f64 = 1024.0 * 1024.0;

impl Workers {
    /// GB of 1,024 MiB.
    pub(crate) fn gb(&self, kind: WorkerKind) -> f64 {
        f64::from(kind.mib(self)) / 1024.0
    }

    pub(crate) fn vcpus(&self, kind: WorkerKind) -> f64 {
        self.gb(kind) * 1024.0 / MIB_PER_VCPU
    }

    /// Dollars for a second of a worker; it also looks once whether its run has ended.
    pub(crate) fn rate(&self, kind: WorkerKind) -> f64 {
        self.gb(kind) * price::GB_SECOND_USD + price::GET_USD
    }

    /// Seconds that a worker takes for so many stored bytes, with an attempt's own.
    pub(crate) fn seconds(&self, kind: WorkerKind, bytes: Bounds<f64>) -> Bounds<f64> {
        let computes =
            bytes.zip(SCAN_BYTES_PER_VCPU_SECOND, |b, speed| b / (speed * self.vcpus(kind)));
        let fetches = bytes.map(|b| (b - BURST_BYTES) / BANDWIDTH_BYTES_PER_SECOND);
        TASK_OVERHEAD_SECONDS + computes.zip(fetches, f64::max)
    }

    /// Seconds that a worker takes for a message of `share` tasks that read `each` bytes: tiny ones run a
    /// few at a time.
    pub(crate) fn seconds_of_message(
        &self,
        kind: WorkerKind,
        each: Bounds<f64>,
        share: Bounds<f64>,
    ) -> Bounds<f64> {
        let bytes = each.zip(share, |each, share| each * share);
        let rounds = share.map(|share| (share / TINY_TASKS_AT_ONCE as f64).ceil() - 1.0);
        self.seconds(kind, bytes)
            + rounds.zip(TINY_ROUND_SECONDS, |rounds, seconds| rounds * seconds)
    }

    /// How fast the event source of these workers starts them.
    pub fn ramp(&self) -> Ramp {
        let (at_once, per_minute, limit) = match self.pollers {
            0 => STANDARD_EVENT_SOURCE,
            pollers => (
                f64::from(pollers) * PROVISIONED_EVENT_SOURCE.0,
                PROVISIONED_EVENT_SOURCE.1,
                PROVISIONED_EVENT_SOURCE.2,
            ),
        };
        let most = if self.pollers == 0 { f64::from(self.concurrency).min(limit) } else { limit };
        Ramp { at_once: at_once.min(most), per_second: per_minute / 60.0, most }
    }
}
