use serde::{Deserialize, Serialize};

use crate::ids::{RunId, StageId, TaskId};
use crate::queue::WorkerKind;
use crate::record::{Footer, Plan, Read, Stage, TaskMessage};

/// A task of fewer bytes is tiny: its messages and requests cost more than its work.
const TINY_TASK_BYTES: u64 = 256 * 1024;

/// A partition is split if it is so many times as large as the median one.
const SKEW_FACTOR: u64 = 4;

/// `layout/<stage>`: pins a stage's tasks and where they read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    pub run: RunId,
    pub stage: StageId,
    /// Task `t` runs `tasks[t]`.
    pub tasks: Vec<TaskSlice>,
    /// One for each input of the stage, in the plan's order.
    pub inputs: Vec<InputIndex>,
}

/// What one task runs: partitions `from` to `to`, without `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSlice {
    pub from: u32,
    pub to: u32,
    /// Of the input that the stage splits, only these objects, without the second: the partition
    /// is so large that several tasks share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<(u32, u32)>,
}

impl TaskSlice {
    /// All of the partitions `from` to `to`, without `to`.
    pub fn partitions(from: u32, to: u32) -> Self {
        Self { from, to, objects: None }
    }
}

/// The combined index of an exchange: where every slot of every object lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputIndex {
    pub stage: StageId,
    /// By the number of the task that wrote the object.
    pub objects: Vec<ObjectIndex>,
}

/// Where the slots of one exchange object lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectIndex {
    pub key: String,
    pub footer: Footer,
}

impl Layout {
    /// Decides the tasks of a stage from the sizes of what it reads.
    pub fn decide(plan: &Plan, stage: &Stage, inputs: Vec<InputIndex>) -> Self {
        let tasks = if stage.whole {
            vec![TaskSlice::partitions(0, stage.partitions)]
        } else if stage.scans
            || stage.is_slow()
            || plan.task_bytes == 0
            || joins_partitions(stage, &inputs)
        {
            (0..stage.partitions).map(|p| TaskSlice::partitions(p, p + 1)).collect()
        } else {
            merge_small(&partition_bytes(stage, &inputs), plan.task_bytes)
        };
        let split = inputs.iter().find(|i| Some(i.stage) == stage.splits);
        let tasks = match split.filter(|_| !stage.whole) {
            Some(input) => split_large(&tasks, input, plan.task_bytes),
            None => tasks,
        };
        Self { run: plan.run.clone(), stage: stage.id, tasks, inputs }
    }

    /// The messages that name all tasks. A stage of many tiny tasks has fewer messages than tasks,
    /// but a group's worth of them, so that many workers share it.
    pub fn messages(&self, stage: &Stage) -> Vec<TaskMessage> {
        let tasks = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX);
        let each = share_messages(stage.worker, u64::from(tasks), self.task_bytes(stage));
        let message = |from: u32| TaskMessage {
            run: self.run.clone(),
            stage: self.stage,
            task: TaskId(from),
            tasks: each.min(tasks - from),
        };
        (0..tasks).step_by(each as usize).map(message).collect()
    }

    /// Bytes that a task reads, on average.
    pub(crate) fn task_bytes(&self, stage: &Stage) -> u64 {
        let tasks = self.tasks.len().max(1) as u64;
        let bytes = |index: &InputIndex| -> u64 {
            index.objects.iter().filter_map(|o| o.footer.offsets.last()).sum()
        };
        let inputs = stage.inputs.iter().zip(&self.inputs);
        let each = inputs.map(|(input, index)| match input.read {
            Read::Slot => bytes(index) / tasks,
            Read::All => bytes(index),
        });
        stage.scan_bytes / tasks + each.sum::<u64>()
    }

    /// What a task runs, if the stage has it.
    pub fn slice(&self, task: TaskId) -> Option<TaskSlice> {
        self.tasks.get(task.0 as usize).copied()
    }

    /// How many groups the tasks are listed in.
    pub fn groups(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX).div_ceil(TaskId::GROUP_TASKS)
    }

    /// How many tasks a group has.
    pub fn group_len(&self, group: u32) -> usize {
        let before = (group * TaskId::GROUP_TASKS) as usize;
        self.tasks.len().saturating_sub(before).min(TaskId::GROUP_TASKS as usize)
    }
}

/// How many of a stage's tasks share a message, where one reads so many bytes.
pub(crate) fn share_messages(worker: WorkerKind, tasks: u64, task_bytes: u64) -> u32 {
    if task_bytes >= TINY_TASK_BYTES || !worker.shares_messages() {
        return 1;
    }
    let groups = u32::try_from(tasks / u64::from(TaskId::GROUP_TASKS)).unwrap_or(u32::MAX);
    // a power of two, so that no message is of two groups
    (groups.clamp(1, TaskId::GROUP_TASKS) + 1).next_power_of_two() / 2
}

/// Whether some inputs fill a part of the partitions only, as the arms of a union do: nothing tells
/// which.
fn joins_partitions(stage: &Stage, inputs: &[InputIndex]) -> bool {
    stage.inputs.iter().zip(inputs).any(|(input, index)| {
        let slots = index.objects.first().map(|o| o.footer.offsets.len() - 1);
        input.read == Read::Slot && slots.is_some_and(|s| s < stage.partitions as usize)
    })
}

/// Bytes that each partition reads of its own; what every task reads is left out.
fn partition_bytes(stage: &Stage, inputs: &[InputIndex]) -> Vec<u64> {
    let mut bytes = vec![0; stage.partitions as usize];
    for (input, index) in stage.inputs.iter().zip(inputs) {
        if input.read == Read::All {
            continue;
        }
        for object in &index.objects {
            for (total, slot) in bytes.iter_mut().zip(object.footer.offsets.windows(2)) {
                *total += slot[1] - slot[0];
            }
        }
    }
    bytes
}

/// Neighbouring partitions go into one task while they are together below `target` bytes.
fn merge_small(bytes: &[u64], target: u64) -> Vec<TaskSlice> {
    let mut tasks: Vec<TaskSlice> = vec![];
    let mut filled = 0;
    for (partition, size) in (0u32..).zip(bytes) {
        match tasks.last_mut() {
            Some(last) if filled + size <= target => {
                last.to = partition + 1;
                filled += size;
            }
            _ => {
                tasks.push(TaskSlice::partitions(partition, partition + 1));
                filled = *size;
            }
        }
    }
    tasks
}

/// A partition of which a task would read far more than of the others is shared by several tasks,
/// each with some of the objects of `input`.
fn split_large(tasks: &[TaskSlice], input: &InputIndex, target: u64) -> Vec<TaskSlice> {
    let bytes = |slot: u32| -> u64 { slot_bytes(input, slot).iter().sum() };
    let mut sizes: Vec<u64> = tasks.iter().flat_map(|t| t.from..t.to).map(bytes).collect();
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
    let piece = median.max(target).max(1);
    let split = |task: &TaskSlice| match task.to - task.from == 1
        && bytes(task.from) > SKEW_FACTOR * piece
    {
        true => split(*task, &slot_bytes(input, task.from), piece),
        false => vec![*task],
    };
    tasks.iter().flat_map(split).collect()
}

/// The bytes of a slot in each object.
fn slot_bytes(input: &InputIndex, slot: u32) -> Vec<u64> {
    let slot = slot as usize;
    let bytes = |o: &ObjectIndex| match o.footer.offsets.get(slot..slot + 2) {
        Some(ends) => ends[1] - ends[0],
        None => 0,
    };
    input.objects.iter().map(bytes).collect()
}

/// Tasks of at least `piece` bytes, each with neighbouring objects.
fn split(task: TaskSlice, objects: &[u64], piece: u64) -> Vec<TaskSlice> {
    let mut slices = vec![];
    let (mut from, mut filled) = (0, 0);
    for (object, bytes) in (1u32..).zip(objects) {
        filled += bytes;
        if filled >= piece {
            slices.push(TaskSlice { objects: Some((from, object)), ..task });
            (from, filled) = (object, 0);
        }
    }
    // what is left over is small
    let all = u32::try_from(objects.len()).unwrap_or(u32::MAX);
    if let Some(TaskSlice { objects: Some((_, to)), .. }) = slices.last_mut() {
        *to = all;
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Input, Output, StageIo, Usage};

    #[test]
    fn small_neighbours_share_a_task_and_a_large_one_is_alone() {
        let ranges: Vec<_> =
            merge_small(&[1, 1, 9, 0, 2, 3], 5).iter().map(|r| (r.from, r.to)).collect();
        assert_eq!(ranges, [(0, 2), (2, 3), (3, 6)]);
        assert_eq!(merge_small(&[0, 0, 0], 5).len(), 1);
    }

    #[test]
    fn arms_of_a_union_get_their_own_tasks() {
        let run = RunId::parse("r").expect("a run id");
        let stage = Stage {
            id: StageId(2),
            inputs: [0, 1].map(|s| Input { stage: StageId(s), read: Read::Slot }).to_vec(),
            worker: WorkerKind::Normal,
            partitions: 6,
            whole: false,
            scans: false,
            scan_bytes: 0,
            expected: StageIo::default(),
            splits: None,
            fingerprint: String::new(),
            reused: None,
            output: Output::Result,
            operators: String::new(),
        };
        let plan = Plan {
            run,
            engine: String::new(),
            stages: vec![],
            task_bytes: 1000,
            max_cost_usd: None,
            estimate: None,
            explains: None,
            single: None,
            publication: None,
            engine_plan: serde_json::Value::Null,
        };
        let footer =
            || Footer { offsets: vec![0, 900, 1800, 2700], rows: 9, usage: Usage::default() };
        let input = |stage| InputIndex {
            stage: StageId(stage),
            objects: vec![ObjectIndex { key: String::new(), footer: footer() }],
        };
        let layout = Layout::decide(&plan, &stage, vec![input(0), input(1)]);
        assert_eq!(layout.tasks.len(), 6);
    }

    #[test]
    fn a_partition_far_larger_than_the_others_is_shared_by_several_tasks() {
        let object = |sizes: [u64; 3]| {
            let offsets = vec![0, sizes[0], sizes[0] + sizes[1], sizes.iter().sum()];
            let footer = Footer { offsets, rows: 1, usage: Usage::default() };
            ObjectIndex { key: String::new(), footer }
        };
        let objects = vec![object([5, 60, 5]), object([5, 10, 5]), object([5, 50, 5])];
        let input = InputIndex { stage: StageId(1), objects };
        let tasks: Vec<_> = (0..3).map(|p| TaskSlice::partitions(p, p + 1)).collect();
        let split = split_large(&tasks, &input, 0);
        let slice = |objects| TaskSlice { from: 1, to: 2, objects: Some(objects) };
        assert_eq!(split, [tasks[0], slice((0, 1)), slice((1, 3)), tasks[2]]);
        assert_eq!(split_large(&tasks, &input, 30), tasks, "it is worth no more tasks");
    }

    #[test]
    fn many_tiny_tasks_share_messages_that_stay_within_their_groups() {
        let mut stage = Stage {
            id: StageId(0),
            inputs: vec![],
            worker: WorkerKind::Normal,
            partitions: 10_000,
            whole: false,
            scans: true,
            scan_bytes: 1 << 20,
            expected: StageIo::default(),
            splits: None,
            fingerprint: String::new(),
            reused: None,
            output: Output::Result,
            operators: String::new(),
        };
        let run = RunId::parse("r").expect("a run id");
        let messages = |stage: &Stage, tasks: u32| {
            let tasks = (0..tasks).map(|p| TaskSlice::partitions(p, p + 1)).collect();
            let layout = Layout { run: run.clone(), stage: StageId(0), tasks, inputs: vec![] };
            layout.messages(stage)
        };
        for (tasks, count) in [(10, 10), (64, 64), (130, 65), (1_000, 125), (10_000, 157)] {
            let messages = messages(&stage, tasks);
            assert_eq!(messages.len(), count);
            let all: Vec<_> = messages.iter().flat_map(TaskMessage::task_ids).collect();
            assert_eq!(all, (0..tasks).map(TaskId).collect::<Vec<_>>());
            for message in messages {
                let groups: Vec<_> = message.task_ids().map(TaskId::group).collect();
                assert_eq!(groups.first(), groups.last());
            }
        }
        stage.scan_bytes = 10 << 30;
        assert_eq!(messages(&stage, 10_000).len(), 10_000);
    }

    #[test]
    fn groups_hold_sixty_four_tasks_and_the_last_what_is_left() {
        let tasks = (0..130).map(|p| TaskSlice::partitions(p, p + 1)).collect();
        let run = RunId::parse("r").expect("a run id");
        let layout = Layout { run, stage: StageId(0), tasks, inputs: vec![] };
        assert_eq!(layout.groups(), 3);
        assert_eq!([0, 1, 2, 3].map(|g| layout.group_len(g)), [64, 64, 2, 0]);
    }
}
