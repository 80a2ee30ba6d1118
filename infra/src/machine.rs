//! What this machine gives its workers.

use std::fs;

/// Memory of a worker on Lambda, MiB: AWS Lambda quotas.
const WORKER_MIB: std::ops::RangeInclusive<u64> = 512..=10_240;

/// A job that reads less than this many MiB is one task. Tasks on one machine share its cores, so
/// more of them are no faster; they only bound what one of them holds and repeats.
const ONE_TASK_MIB: u64 = 4096;

/// Memory of each of `workers` workers, MiB: together they take three quarters of the machine's.
/// `None` where the machine does not tell.
pub(crate) fn worker_mib(workers: usize) -> Option<u64> {
    let share = memory_mib()? / 4 * 3 / workers.max(1) as u64;
    Some(share.clamp(*WORKER_MIB.start(), *WORKER_MIB.end()))
}

/// What one task reads at most, MiB, given the memory of its worker if that is known.
pub(crate) fn one_task_mib(worker_mib: Option<u64>) -> u64 {
    worker_mib.unwrap_or(*WORKER_MIB.start()).min(ONE_TASK_MIB)
}

/// Of the machine, or of the container that this process is in.
fn memory_mib() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.split_whitespace().next()?.parse().ok()?;
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = limits.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    Some((kib / 1024).min(limit.unwrap_or(u64::MAX) / 1024 / 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_the_machine_within_what_lambda_offers() {
        let (one, many) = (worker_mib(1), worker_mib(10_000));
        assert!(one >= many);
        assert_eq!(many.unwrap_or(512), 512);
        assert!([None, one].contains(&one.filter(|m| WORKER_MIB.contains(m))));
    }
}
