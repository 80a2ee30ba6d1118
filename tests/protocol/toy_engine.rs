use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tidemill_protocol::bucket::Body;
use tidemill_protocol::record::{
    Footer, Input, Output, Plan, Publication, Read, Stage, StageIo, Usage,
};
use tidemill_protocol::{
    Bucket, Engine, EngineError, OutputFile, PlanRequest, Planner, StageId, TaskOutput,
    TaskRequest, WorkerKind,
};

/// Adds up the numbers below n in two sums and adds those: `sum n`. `hang` is never planned, and
/// `sum 99` never executed; no memory suffices for `sum 98`, and the first attempt at `sum 97` fails.
///
/// Stages 0 and 1 make the even and the odd numbers, one for each partition; stage 2 reads both.
pub(crate) struct ToyEngine {
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) has_failed: AtomicBool,
}

impl ToyEngine {
    pub(crate) fn new(bucket: Arc<dyn Bucket>) -> Self {
        Self { bucket, has_failed: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Planner for ToyEngine {
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError> {
        if request.spec.statement() == "hang" {
            std::future::pending::<()>().await;
        }
        let mut words = request.spec.statement().split_whitespace();
        let (Some("sum"), Some(Ok(n))) = (words.next(), words.next().map(str::parse::<u32>)) else {
            return Err(EngineError::Refused("not a sum".into()));
        };
        let leaf = |id: u16| Stage {
            id: StageId(id),
            inputs: vec![],
            worker: WorkerKind::Normal,
            partitions: n.div_ceil(2),
            whole: false,
            scans: true,
            scan_bytes: 0,
            expected: StageIo::default(),
            splits: None,
            fingerprint: format!("numbers {id} of {n}"),
            reused: None,
            output: Output::Exchange { slots: 1 },
            operators: "numbers".into(),
        };
        let last = Stage {
            id: StageId(2),
            inputs: [0, 1].map(|s| Input { stage: StageId(s), read: Read::All }).to_vec(),
            worker: WorkerKind::Normal,
            partitions: 1,
            whole: false,
            scans: false,
            scan_bytes: 0,
            expected: StageIo::default(),
            splits: None,
            fingerprint: String::new(),
            reused: None,
            output: Output::Result,
            operators: "sum".into(),
        };
        Ok(Plan {
            run: request.run.clone(),
            engine: "toy".into(),
            stages: vec![leaf(0), leaf(1), last],
            task_bytes: 0,
            max_cost_usd: None,
            estimate: None,
            explains: None,
            single: None,
            publication: publication(request),
            engine_plan: n.into(),
        })
    }
}

#[async_trait]
impl Engine for ToyEngine {
    async fn execute(&self, request: &TaskRequest<'_>) -> Result<TaskOutput, EngineError> {
        if request.plan.engine_plan == 99 {
            std::future::pending::<()>().await;
        }
        if request.plan.engine_plan == 98 {
            return Err(EngineError::OutOfMemory("too large".into()));
        }
        if request.plan.engine_plan == 97 && !self.has_failed.swap(true, Ordering::Relaxed) {
            let what = "the store was away".to_owned();
            return Err(EngineError::Transient { what, source: "a socket".into() });
        }
        let stage = request.layout.stage;
        let number = u64::from(request.task.0) * 2 + u64::from(stage.0);
        let limit = request.plan.engine_plan.as_u64().unwrap_or(0);
        let text = match stage.0 {
            0 | 1 => (if number < limit { number } else { 0 }).to_string(),
            _ => self.sum(request).await?.to_string(),
        };
        let mut bytes = text.into_bytes();
        if stage.0 < 2 {
            let offsets = vec![0, bytes.len() as u64];
            let footer = Footer { offsets, rows: 1, usage: Usage::default() };
            bytes.extend(footer.encode());
            let size = bytes.len() as u64;
            return Ok(TaskOutput::exchange(Body::Bytes(bytes.into()), size, footer));
        }
        let (name, size) = ("sum".into(), bytes.len() as u64);
        let file = OutputFile { name, body: Body::Bytes(bytes.into()), rows: 1, bytes: size };
        Ok(TaskOutput::files(vec![file], Usage::default()))
    }
}

fn publication(request: &PlanRequest<'_>) -> Option<Publication> {
    let folder = request.spec.into.clone()?;
    Some(Publication { folder, replaces: vec![] })
}

impl ToyEngine {
    async fn sum(&self, request: &TaskRequest<'_>) -> Result<u64, EngineError> {
        let mut sum = 0;
        for object in request.layout.inputs.iter().flat_map(|i| &i.objects) {
            let run = request.plan.run.clone();
            let found = self.bucket.get(&object.key, None).await;
            let found =
                found.map_err(|_| EngineError::InputMissing { run, key: object.key.clone() })?;
            let end = usize::try_from(object.footer.offsets[1]).expect("small");
            let text = std::str::from_utf8(&found.bytes[..end]).expect("text");
            sum += text.parse::<u64>().expect("a number");
        }
        Ok(sum)
    }
}
