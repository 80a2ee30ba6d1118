use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tidemill_protocol::bucket::{Body, MemoryBucket};
use tidemill_protocol::record::{
    Footer, Input, InputIndex, Output, Plan, Publication, Read, Stage, StageIo, Usage,
};
use tidemill_protocol::{
    Bucket, Clock, Engine, EngineError, OutputFile, PlanRequest, Planner, StageId, TaskOutput,
    TaskRequest, WorkerKind,
};

use super::clock::ManualClock;
use crate::support::dice::{Dice, rng};

/// A stand-in for the engine: plans of one to five stages over whole numbers, drawn from the seed
/// that is the job's SQL.
pub(super) struct NumbersEngine {
    pub(super) bucket: Arc<MemoryBucket>,
    pub(super) clock: Arc<ManualClock>,
}

/// What only this engine reads of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Numbers {
    seed: u64,
    /// How long the tasks of a stage take, in milliseconds.
    pace: u64,
}

/// The stages of a seed.
fn stages(seed: u64) -> Vec<Stage> {
    let mut rng = rng(seed, 1);
    let mut dice = Dice(&mut rng);
    let count = 1 + dice.below(5);
    let slots = if dice.chance(10) { 70 } else { 1 + dice.below(5) };
    let mut unread: Vec<u16> = vec![];
    let mut stages: Vec<Stage> = vec![];
    for id in 0..count {
        let is_last = id + 1 == count;
        let mut reads: Vec<u16> = if is_last { std::mem::take(&mut unread) } else { vec![] };
        if !is_last && !unread.is_empty() && dice.chance(60) {
            reads.push(unread.remove(dice.below(unread.len())));
            if id > 1 && dice.chance(40) {
                // another stage may read it too
                let other = u16::try_from(dice.below(id)).expect("small");
                if !reads.contains(&other) {
                    reads.push(other);
                    unread.retain(|s| *s != other);
                }
            }
        }
        reads.sort_unstable();
        let input = |stage: u16, all: bool| Input {
            stage: StageId(stage),
            read: if all { Read::All } else { Read::Slot },
        };
        let inputs: Vec<_> = reads.iter().map(|s| input(*s, dice.chance(25))).collect();
        let by_slot = inputs.iter().any(|i| i.read == Read::Slot);
        let leaf = if dice.chance(15) { 65 + dice.below(80) } else { 1 + dice.below(6) };
        let partitions = match (inputs.is_empty(), by_slot) {
            (true, _) => leaf,
            (false, true) => slots,
            (false, false) => 1 + dice.below(3),
        };
        let whole = !inputs.is_empty() && dice.chance(15);
        let splits = match &inputs[..] {
            [only] if only.read == Read::Slot && dice.chance(50) => Some(only.stage),
            _ => None,
        };
        let slots = u32::try_from(slots).expect("small");
        stages.push(Stage {
            id: StageId(u16::try_from(id).expect("small")),
            worker: WorkerKind::Normal,
            partitions: u32::try_from(partitions).expect("small"),
            whole,
            scans: inputs.is_empty(),
            scan_bytes: if dice.chance(30) { 1 << 40 } else { 0 },
            expected: StageIo::default(),
            splits,
            fingerprint: String::new(),
            reused: None,
            output: if is_last { Output::Result } else { Output::Exchange { slots } },
            operators: String::new(),
            inputs,
        });
        unread.push(u16::try_from(id).expect("small"));
    }
    stages
}

/// What a partition makes of the rows of its inputs.
fn compute(seed: u64, stage: &Stage, partition: u32, inputs: &[Vec<u64>]) -> Vec<u64> {
    let id = u64::from(stage.id.0);
    if inputs.is_empty() {
        let mut rng = rng(seed, 1000 * (id + 1) + u64::from(partition));
        let mut dice = Dice(&mut rng);
        return (0..dice.below(5))
            .map(|_| if dice.chance(30) { 7 } else { dice.seed() >> 40 })
            .collect();
    }
    let mut rows: Vec<u64> =
        inputs.iter().flatten().map(|r| r.wrapping_mul(31).wrapping_add(id) >> 1).collect();
    if let [left, right, ..] = inputs {
        for a in left {
            rows.extend(right.iter().filter(|b| (a ^ **b) % 64 == 0).map(|b| a.wrapping_add(*b)));
        }
    }
    rows
}

/// The rows that a seed's job should give, in order.
pub(super) fn oracle(seed: u64) -> Vec<u64> {
    let stages = stages(seed);
    let mut made: Vec<Vec<u64>> = vec![];
    for stage in &stages {
        let Output::Exchange { slots } = stages[0].output else {
            made.push((0..stage.partitions).flat_map(|p| compute(seed, stage, p, &[])).collect());
            continue;
        };
        let rows = (0..stage.partitions).flat_map(|partition| {
            let read = |input: &Input| {
                let all = made[usize::from(input.stage.0)].iter().copied();
                match input.read {
                    Read::All => all.collect(),
                    Read::Slot => all.filter(|r| slot(*r, slots) == partition).collect(),
                }
            };
            let inputs: Vec<Vec<u64>> = stage.inputs.iter().map(read).collect();
            compute(seed, stage, partition, &inputs)
        });
        let rows = rows.collect();
        made.push(rows);
    }
    let mut rows = made.pop().unwrap_or_default();
    rows.sort_unstable();
    rows
}

fn slot(row: u64, slots: u32) -> u32 {
    u32::try_from(row % u64::from(slots)).expect("small")
}

pub(super) fn rows_of(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes"))).collect()
}

#[async_trait]
impl Planner for NumbersEngine {
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError> {
        let Ok(seed) = request.spec.statement().parse::<u64>() else {
            return Err(EngineError::Refused("not a seed".into()));
        };
        let mut rng = rng(seed, 2);
        let mut dice = Dice(&mut rng);
        let numbers = Numbers { seed, pace: [0, 20, 300, 20_000][dice.below(4)] };
        Ok(Plan {
            run: request.run.clone(),
            engine: "numbers".into(),
            stages: stages(seed),
            task_bytes: if dice.chance(50) { 0 } else { 64 },
            max_cost_usd: None,
            estimate: None,
            explains: None,
            single: None,
            publication: request
                .spec
                .into
                .clone()
                .map(|folder| Publication { folder, replaces: vec![] }),
            engine_plan: serde_json::to_value(numbers).expect("JSON"),
        })
    }
}

#[async_trait]
impl Engine for NumbersEngine {
    async fn execute(&self, request: &TaskRequest<'_>) -> Result<TaskOutput, EngineError> {
        let TaskRequest { plan, layout, task, .. } = *request;
        let numbers: Numbers = serde_json::from_value(plan.engine_plan.clone()).expect("numbers");
        let stage = plan.stage(layout.stage).expect("a stage");
        let slice = layout.slice(task).expect("a slice");
        let slow = if task.0 % 11 == 10 { 9 } else { 1 };
        self.clock.sleep(Duration::from_millis(numbers.pace * slow)).await;
        let mut rows = vec![];
        for partition in slice.from..slice.to {
            let mut inputs = vec![];
            for (input, index) in stage.inputs.iter().zip(&layout.inputs) {
                let part = slice.objects.filter(|_| stage.splits == Some(input.stage));
                inputs.push(self.read(plan, input, index, partition, part).await?);
            }
            rows.extend(compute(numbers.seed, stage, partition, &inputs));
        }
        Ok(write(stage, &rows))
    }
}

fn write(stage: &Stage, rows: &[u64]) -> TaskOutput {
    let bytes = |rows: &[u64]| rows.iter().flat_map(|r| r.to_le_bytes()).collect::<Vec<u8>>();
    let Output::Exchange { slots } = stage.output else {
        let body = bytes(rows);
        let (count, size) = (rows.len() as u64, body.len() as u64);
        let file = OutputFile {
            name: "rows".into(),
            body: Body::Bytes(body.into()),
            rows: count,
            bytes: size,
        };
        return TaskOutput::files(vec![file], Usage::default());
    };
    let mut body = vec![];
    let mut offsets = vec![0];
    for number in 0..slots {
        let own: Vec<u64> = rows.iter().copied().filter(|r| slot(*r, slots) == number).collect();
        body.extend(bytes(&own));
        offsets.push(body.len() as u64);
    }
    let footer = Footer { offsets, rows: rows.len() as u64, usage: Usage::default() };
    body.extend(footer.encode());
    let size = body.len() as u64;
    TaskOutput::exchange(Body::Bytes(body.into()), size, footer)
}

impl NumbersEngine {
    async fn read(
        &self,
        plan: &Plan,
        input: &Input,
        index: &InputIndex,
        partition: u32,
        part: Option<(u32, u32)>,
    ) -> Result<Vec<u64>, EngineError> {
        let (from, to) = part.unwrap_or((0, u32::MAX));
        let mut rows = vec![];
        for (number, object) in (0u32..).zip(&index.objects) {
            if !(from..to).contains(&number) {
                continue;
            }
            let missing =
                |_| EngineError::InputMissing { run: plan.run.clone(), key: object.key.clone() };
            let found = self.bucket.get(&object.key, None).await.map_err(missing)?;
            let slots = &object.footer.offsets;
            let (start, end) = match input.read {
                Read::All => (slots[0], slots[slots.len() - 1]),
                Read::Slot => (slots[partition as usize], slots[partition as usize + 1]),
            };
            let range =
                usize::try_from(start).expect("small")..usize::try_from(end).expect("small");
            rows.extend(rows_of(&found.bytes[range]));
        }
        Ok(rows)
    }
}
