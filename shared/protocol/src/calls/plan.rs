use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{CallTable, Calls, PackError, PackIndex};
use crate::bucket::{Bucket, BucketError, Object};
use crate::cost::Workers;
use crate::engine::{EngineError, PlanRequest, Planner};
use crate::ids::{RunId, StageId, TaskId};
use crate::job::Work;
use crate::key::Key;
use crate::queue::WorkerKind;
use crate::record::{Output, PinnedObject, Plan, Publication, Stage, StageIo};

/// A worker that plans of this version are not for refuses them.
const VERSION: &str = "calls 2";

/// The most calls of a task. What they come to is written down all the time, so a worker that is lost takes
/// none of them with it but the last few.
const TASK_CALLS_MAX: u64 = 1_000;

/// The same where calls are made beside each other.
const TOGETHER_CALLS_MAX: u64 = 10_000;

/// So many tasks for each worker, so that all are at work until the end.
const TASKS_PER_WORKER: u64 = 8;

/// So many seconds are worth the requests of a task, which take some hundredths of one.
const TASK_SECONDS_MIN: f64 = 0.5;

/// The most calls of a run: those of as many tasks as a stage may have.
const RUN_CALLS_MAX: u64 = 1_000_000;

/// Plans jobs of calls, from their number and nothing else: it has no Python.
pub struct CallPlanner {
    bucket: Arc<dyn Bucket>,
    /// How many workers there are at once, where that is not the deployment's own number.
    concurrency: Option<u32>,
}

/// What the workers of a run of calls know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallPlan {
    pub calls: Calls,
    /// The pack of arguments.
    pub arguments: PinnedObject,
    /// How many calls it has.
    pub count: u64,
    /// How many of them a task makes; the last may have fewer.
    pub task_calls: u64,
    /// What its values become part of, if they are tables and go into one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<CallTable>,
}

impl CallPlan {
    /// The plan of a run of calls.
    ///
    /// # Errors
    /// The run is another one, or was planned by another version.
    pub fn of(plan: &Plan) -> Result<Self, EngineError> {
        if plan.engine != VERSION {
            return Err(EngineError::Refused(format!(
                "run {} was planned by {} and this worker is {VERSION}: submit the calls again",
                plan.run, plan.engine
            )));
        }
        Self::deserialize(&plan.engine_plan)
            .map_err(|e| EngineError::Refused(format!("the plan of {} is damaged: {e}", plan.run)))
    }

    /// Has the values of a run of calls published.
    ///
    /// # Errors
    /// The run is another one.
    pub fn publish(
        plan: &mut Plan,
        table: CallTable,
        publication: Publication,
    ) -> Result<(), EngineError> {
        let calls = Self { table: Some(table), ..Self::of(plan)? };
        plan.engine_plan = calls.stored()?;
        plan.publication = Some(publication);
        Ok(())
    }

    fn stored(&self) -> Result<serde_json::Value, EngineError> {
        serde_json::to_value(self)
            .map_err(|e| EngineError::Refused(format!("the calls cannot be planned: {e}")))
    }

    /// The calls of a task, by their numbers.
    pub fn calls_of(&self, task: TaskId) -> Range<u64> {
        let from = u64::from(task.0) * self.task_calls;
        from..(from + self.task_calls).min(self.count)
    }
}

impl CallPlanner {
    /// One that reads the arguments' index from this bucket.
    pub fn new(bucket: Arc<dyn Bucket>, concurrency: Option<u32>) -> Self {
        Self { bucket, concurrency }
    }
}

#[async_trait]
impl Planner for CallPlanner {
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError> {
        let Work::Calls(calls) = &request.spec.work else {
            return Err(EngineError::Refused("the job has no calls".into()));
        };
        let (object, index) = read_index(&*self.bucket, request.run, &calls.arguments).await?;
        let worker = worker(calls, &request.workers)?;
        let count = index.len() as u64;
        if count == 0 {
            return Err(EngineError::Refused(format!("{} has no calls", calls.arguments)));
        }
        let is_result = |key: &&String| key.starts_with(Key::RESULTS) && !key.contains("..");
        if let Some(key) = index.inputs.iter().flatten().find(|key| !is_result(key)) {
            return Err(EngineError::Refused(format!(
                "{} has {key} as an input: calls read files under {}",
                calls.arguments,
                Key::RESULTS
            )));
        }
        if count > RUN_CALLS_MAX {
            return Err(EngineError::Refused(format!(
                "{} has {count} calls: a run has at most {RUN_CALLS_MAX}",
                calls.arguments
            )));
        }
        let asked = request.spec.options.partitions.map(u64::from);
        let workers = self.concurrency.unwrap_or(request.workers.concurrency);
        let task_calls = match asked {
            Some(tasks) => count.div_ceil(tasks),
            None => task_calls(count, workers, calls.concurrency.unwrap_or(1), calls.seconds),
        };
        let tasks = u32::try_from(count.div_ceil(task_calls)).unwrap_or(u32::MAX);
        let stage = Stage {
            id: StageId(0),
            inputs: vec![],
            worker,
            partitions: tasks,
            whole: false,
            scans: true,
            scan_bytes: object.size,
            expected: StageIo {
                table_bytes: object.size,
                table_requests: u64::from(tasks),
                ..StageIo::default()
            },
            splits: None,
            fingerprint: String::new(),
            reused: None,
            output: Output::Result,
            operators: format!("{count} calls of {}", calls.label),
        };
        let calls = (**calls).clone();
        let engine_plan = CallPlan { calls, arguments: object, count, task_calls, table: None };
        Ok(Plan {
            run: request.run.clone(),
            engine: VERSION.into(),
            stages: vec![stage],
            task_bytes: 0,
            max_cost_usd: None,
            estimate: None,
            explains: None,
            single: None,
            publication: None,
            engine_plan: engine_plan.stored()?,
        })
    }
}

/// How many of so many calls a task makes: few, so that all workers are at work until the end, but as many as
/// run beside each other in one of them, and as many short ones as are worth a task's requests.
fn task_calls(count: u64, workers: u32, at_once: u32, seconds: Option<f64>) -> u64 {
    let (workers, at_once) = (u64::from(workers.max(1)), u64::from(at_once));
    let share = count.div_ceil(workers);
    let beside = at_once.min(share);
    let short = seconds.map_or(1, |each| (TASK_SECONDS_MIN / each.max(1e-6)) as u64).min(share);
    let most = (at_once * TASK_CALLS_MAX).min(TOGETHER_CALLS_MAX);
    (count / (TASKS_PER_WORKER * workers)).max(beside).max(short).clamp(1, most)
}

/// The smallest kind of worker that has the memory.
fn worker(calls: &Calls, workers: &Workers) -> Result<WorkerKind, EngineError> {
    let needed = calls.memory.unwrap_or(0);
    let mut kind = Some(WorkerKind::Python);
    while let Some(worker) = kind {
        if worker.mib(workers) >= needed {
            return Ok(worker);
        }
        kind = worker.larger();
    }
    Err(EngineError::Refused(format!(
        "a call is to have {needed} MiB of memory and the largest Python worker has {}: ask for less, \
         or deploy with a larger LargePythonWorkerMemory",
        WorkerKind::LargePython.mib(workers)
    )))
}

/// Reads the index of a pack, and which version of which object it is of.
///
/// # Errors
/// There is no such pack, or the bucket cannot be read.
pub async fn read_index(
    bucket: &dyn Bucket,
    run: &RunId,
    key: &str,
) -> Result<(PinnedObject, PackIndex), EngineError> {
    let tail = async |bytes| bucket.get_tail(key, bytes).await.map_err(|e| of_bucket(run, e));
    let damaged = |e: PackError| EngineError::Refused(format!("{key} is no pack of calls: {e}"));
    let pin =
        |o: Object| PinnedObject { key: key.to_owned(), size: o.info.size, etag: o.info.etag };
    let found = tail(PackIndex::LIKELY_BYTES).await?;
    match PackIndex::decode(&found.bytes, found.info.size) {
        Err(PackError::Longer(bytes)) => {
            let found = tail(bytes).await?;
            let index = PackIndex::decode(&found.bytes, found.info.size).map_err(damaged)?;
            Ok((pin(found), index))
        }
        decoded => Ok((pin(found), decoded.map_err(damaged)?)),
    }
}

/// What the bucket did not give, as the engine says it.
pub fn of_bucket(run: &RunId, error: BucketError) -> EngineError {
    match error {
        BucketError::NotFound { key } => EngineError::Refused(format!(
            "{key} is not in the bucket: what calls need is stored before their job, and kept for two weeks"
        )),
        BucketError::Changed { key } => EngineError::InputChanged { run: run.clone(), key },
        error @ BucketError::Io { .. } => {
            EngineError::Transient { what: error.to_string(), source: error.into() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_many_enough_for_all_workers_and_as_large_as_what_runs_at_once() {
        for (count, workers, at_once, seconds, expected) in [
            (1, 100, 1, None, 1),
            (200, 2, 1, None, 12),
            (10_000, 2, 1, None, 625),
            (1_000_000, 100, 1, None, 1_000),
            (1_000, 100, 1, None, 1),
            (40, 2, 20, None, 20),
            (10, 2, 100, None, 5),
            (400, 2, 20, None, 25),
            (10_000, 2, 100, None, 625),
            (11, 2, 1, Some(0.05), 6),
            (100, 2, 1, Some(0.05), 10),
            (11, 2, 1, Some(0.0), 6),
            (11, 2, 1, Some(10.0), 1),
            (11, 2, 1, Some(-1.0), 6),
        ] {
            let found = task_calls(count, workers, at_once, seconds);
            assert_eq!(found, expected, "{count} {workers} {at_once} {seconds:?}");
        }
    }
}
