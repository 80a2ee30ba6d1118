//! What a run is doing, derived from which objects exist.

use serde::Serialize;

use crate::bucket::{Bucket, BucketError};
use crate::context::find;
use crate::ids::RunId;
use crate::key::Key;
use crate::record::{Layout, Outcome, Plan, Run, Stage};

/// Objects of one LIST request.
const LIST_OBJECTS_MAX: usize = 1000;

/// A run, as `GET /runs/{id}` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct RunStatus {
    pub run: Run,
    /// `planning`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: &'static str,
    pub stages: Vec<StageStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A stage of a run as its status shows it: how many of its tasks are committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageStatus {
    pub operators: String,
    /// Unknown until the stage's inputs are done.
    pub tasks: Option<usize>,
    pub committed: usize,
    /// It is the work of an earlier run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
}

/// How many tasks of a stage have a commit; of a stage of thousands only whole groups are counted,
/// so that looking costs one LIST.
async fn committed(bucket: &dyn Bucket, layout: &Layout) -> Result<usize, BucketError> {
    let (run, stage) = (&layout.run, layout.stage);
    if layout.tasks.len() <= LIST_OBJECTS_MAX {
        return Ok(bucket.list(&Key::stage_out_folder(run, stage)).await?.len());
    }
    let marks = bucket.list(&Key::done_folder(run, stage)).await?;
    let is_done = |group: u32| {
        let mark = Key::DoneGroup(run, stage, group).to_string();
        marks.iter().any(|m| m.key == mark)
    };
    Ok((0..layout.groups()).filter(|g| is_done(*g)).map(|g| layout.group_len(g)).sum())
}

/// Looks up how many tasks of a stage are committed.
pub(crate) async fn progress(
    bucket: &dyn Bucket,
    plan: &Plan,
    stage: &Stage,
) -> Result<StageStatus, BucketError> {
    let key = Key::Layout(plan.home(stage), stage.id).to_string();
    let layout = find::<Layout>(bucket, &key).await?;
    let committed = match &layout {
        Some(layout) => committed(bucket, layout).await?,
        None => 0,
    };
    let tasks = layout.map(|l| l.tasks.len());
    let (operators, reused) = (stage.operators.clone(), stage.reused.is_some());
    Ok(StageStatus { operators, tasks, committed, reused })
}

/// Looks a run up; `None` if there is none.
pub async fn status(bucket: &dyn Bucket, id: &RunId) -> Result<Option<RunStatus>, BucketError> {
    let Some(run) = find::<Run>(bucket, &Key::Run(id).to_string()).await? else {
        return Ok(None);
    };
    if let Some(outcome) = find::<Outcome>(bucket, &Key::Outcome(id).to_string()).await? {
        let stages = outcome.stages.iter().map(|s| StageStatus {
            operators: s.operators.clone(),
            tasks: Some(s.tasks as usize),
            committed: s.tasks as usize,
            reused: s.reused.is_some(),
        });
        let state = outcome.status.as_str();
        let stages = stages.collect();
        return Ok(Some(RunStatus { run, state, stages, outcome: Some(outcome) }));
    }
    let Some(plan) = find::<Plan>(bucket, &Key::Plan(id).to_string()).await? else {
        return Ok(Some(RunStatus { run, state: "planning", stages: vec![], outcome: None }));
    };
    let mut stages = vec![];
    for stage in &plan.stages {
        stages.push(progress(bucket, &plan, stage).await?);
    }
    Ok(Some(RunStatus { run, state: "running", stages, outcome: None }))
}
