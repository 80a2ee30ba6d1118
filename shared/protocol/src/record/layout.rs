use serde::{Deserialize, Serialize};

use crate::ids::{RunId, StageId, TaskId};
use crate::record::{Footer, Plan, Read, Stage};

/// `layout/<stage>`: pins a stage's tasks and where they read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    pub run: RunId,
    pub stage: StageId,
    /// Task `t` runs the partitions of `tasks[t]`.
    pub tasks: Vec<PartitionRange>,
    /// One for each input of the stage, in the plan's order.
    pub inputs: Vec<InputIndex>,
}

/// Partitions `from` to `to`, without `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRange {
    pub from: u32,
    pub to: u32,
}

/// The combined index of an exchange: where every slot of every object lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputIndex {
    pub stage: StageId,
    /// By the number of the task that wrote the object.
    pub objects: Vec<ObjectIndex>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectIndex {
    pub key: String,
    pub footer: Footer,
}

impl Layout {
    /// Decides the tasks of a stage from the sizes of what it reads.
    pub fn decide(plan: &Plan, stage: &Stage, inputs: Vec<InputIndex>) -> Self {
        let tasks = if stage.whole {
            vec![PartitionRange { from: 0, to: stage.partitions }]
        } else if stage.scans || plan.task_bytes == 0 || joins_partitions(stage, &inputs) {
            (0..stage.partitions).map(|p| PartitionRange { from: p, to: p + 1 }).collect()
        } else {
            merge_small(&partition_bytes(stage, &inputs), plan.task_bytes)
        };
        Self { run: plan.run.clone(), stage: stage.id, tasks, inputs }
    }

    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> {
        (0..u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)).map(TaskId)
    }

    pub fn range(&self, task: TaskId) -> Option<PartitionRange> {
        self.tasks.get(task.0 as usize).copied()
    }

    pub fn groups(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX).div_ceil(TaskId::GROUP)
    }

    /// How many tasks a group has.
    pub fn group_len(&self, group: u32) -> usize {
        let before = (group * TaskId::GROUP) as usize;
        self.tasks.len().saturating_sub(before).min(TaskId::GROUP as usize)
    }
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
fn merge_small(bytes: &[u64], target: u64) -> Vec<PartitionRange> {
    let mut tasks: Vec<PartitionRange> = vec![];
    let mut filled = 0;
    for (partition, size) in (0u32..).zip(bytes) {
        match tasks.last_mut() {
            Some(last) if filled + size <= target => {
                last.to = partition + 1;
                filled += size;
            }
            _ => {
                tasks.push(PartitionRange { from: partition, to: partition + 1 });
                filled = *size;
            }
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Input, Output, Usage};

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
            partitions: 6,
            whole: false,
            scans: false,
            output: Output::Result,
            operators: String::new(),
        };
        let plan = Plan {
            run,
            engine: String::new(),
            stages: vec![],
            task_bytes: 1000,
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
    fn groups_hold_sixty_four_tasks_and_the_last_what_is_left() {
        let tasks = (0..130).map(|p| PartitionRange { from: p, to: p + 1 }).collect();
        let run = RunId::parse("r").expect("a run id");
        let layout = Layout { run, stage: StageId(0), tasks, inputs: vec![] };
        assert_eq!(layout.groups(), 3);
        assert_eq!([0, 1, 2, 3].map(|g| layout.group_len(g)), [64, 64, 2, 0]);
    }
}
