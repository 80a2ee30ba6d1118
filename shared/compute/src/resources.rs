/// What a function may use of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Bytes that sorts, aggregates and joins may hold before they spill.
    pub memory: usize,
    /// Partitions that run at once.
    pub cores: usize,
    /// How many workers share the cores: one on Lambda, several on a laptop.
    pub workers: usize,
    /// A job that reads fewer bytes is one task: an exchange would cost more than it saves.
    pub one_task_bytes: u64,
}

const MIB: u64 = 1024 * 1024;

/// A function on Lambda reads about 75 MiB/s, so that one task ends within a few seconds.
const ONE_TASK_MIB: u64 = 128;

impl Resources {
    /// What the variables of a function's process say: a part of its memory
    /// (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, MiB), and the cores of the machine. `TIDEMILL_WORKERS` is
    /// how many workers share the machine, `TIDEMILL_ONE_TASK_MIB` what one task reads at most.
    pub fn from_env() -> Self {
        let memory = pool_bytes(function_mib().unwrap_or(1024));
        let workers = number("TIDEMILL_WORKERS").unwrap_or(1);
        Self {
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            workers: usize::try_from(workers).unwrap_or(1).max(1),
            one_task_bytes: number("TIDEMILL_ONE_TASK_MIB").unwrap_or(ONE_TASK_MIB) * MIB,
        }
    }

    /// What one of `tasks` tasks of a stage may use: where workers share a machine, tasks that
    /// run side by side share its cores.
    pub(crate) fn of_task(self, tasks: usize) -> Self {
        let sharers = self.workers.min(tasks.max(1));
        Self { cores: (self.cores / sharers).max(1), ..self }
    }
}

/// The memory of the function that this process is, if it is one.
pub(crate) fn function_mib() -> Option<u64> {
    number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What operators may hold of a function's memory. The rest is for what is not counted: the process
/// itself (about 110 MiB), decoding, requests, and the copy that a join makes of its side.
fn pool_bytes(function_mib: u64) -> u64 {
    const PROCESS_MIB: u64 = 128;
    function_mib.saturating_sub(PROCESS_MIB).max(64) * MIB / 8 * 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_task_has_all_cores_and_tasks_side_by_side_share_them() {
        let laptop = Resources { memory: 0, cores: 8, workers: 8, one_task_bytes: 0 };
        let cores = [1, 2, 3, 100].map(|tasks| laptop.of_task(tasks).cores);
        assert_eq!(cores, [8, 4, 2, 1]);
        let lambda = Resources { workers: 1, ..laptop };
        assert_eq!(lambda.of_task(100).cores, 8);
    }
}
