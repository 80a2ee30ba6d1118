//! What a run is doing, derived from which objects exist.

use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, BucketError};
use crate::context::find;
use crate::ids::RunId;
use crate::key::Key;
use crate::record::{Layout, Outcome, Plan, Run, Stage, Status};

/// Objects of one LIST request.
const LIST_OBJECTS_MAX: usize = 1000;

/// A run, as `GET /runs/{id}` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct RunStatus {
    pub run: Run,
    pub state: RunState,
    pub stages: Vec<StageStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A stage of a run as its status shows it: how many of its tasks are committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStatus {
    pub operators: String,
    /// Unknown until the stage's inputs are done.
    pub tasks: Option<usize>,
    pub committed: usize,
    /// It is the work of an earlier run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
}

impl StageStatus {
    fn waiting(stage: &Stage) -> Self {
        let (operators, reused) = (stage.operators.clone(), stage.reused.is_some());
        Self { operators, tasks: None, committed: 0, reused }
    }

    fn is_done(&self) -> bool {
        self.tasks.is_some_and(|tasks| self.committed >= tasks)
    }
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
    Ok(StageStatus { tasks, committed, ..StageStatus::waiting(stage) })
}

/// What a run is doing, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Planning,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl RunState {
    /// As records and people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Succeeded => Status::Succeeded.as_str(),
            Self::Failed => Status::Failed.as_str(),
            Self::Cancelled => Status::Cancelled.as_str(),
        }
    }
}

impl From<Status> for RunState {
    fn from(status: Status) -> Self {
        match status {
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// Looks a run up; `None` if there is none.
///
/// # Errors
/// The bucket cannot be read.
pub async fn status(bucket: &dyn Bucket, id: &RunId) -> Result<Option<RunStatus>, BucketError> {
    RunWatch::new(id.clone()).look(bucket).await
}

/// Somebody who looks at a run again and again. What never changes is read once, and of stages only those are
/// looked at that have begun and are not done: of a run at work a look is a GET and a LIST or two.
#[derive(Debug)]
pub struct RunWatch {
    id: RunId,
    run: Option<Run>,
    plan: Option<Plan>,
    /// By stage.
    layouts: Vec<Option<Layout>>,
    stages: Vec<StageStatus>,
}

impl RunWatch {
    /// One that has not looked yet.
    pub fn new(id: RunId) -> Self {
        Self { id, run: None, plan: None, layouts: vec![], stages: vec![] }
    }

    /// What the run is doing; `None` if there is none.
    ///
    /// # Errors
    /// The bucket cannot be read.
    pub async fn look(&mut self, bucket: &dyn Bucket) -> Result<Option<RunStatus>, BucketError> {
        if self.run.is_none() {
            self.run = find(bucket, &Key::Run(&self.id).to_string()).await?;
        }
        let Some(run) = self.run.clone() else { return Ok(None) };
        if let Some(outcome) = find::<Outcome>(bucket, &Key::Outcome(&self.id).to_string()).await? {
            let stages = outcome.stages.iter().map(|s| StageStatus {
                operators: s.operators.clone(),
                tasks: Some(s.tasks as usize),
                committed: s.tasks as usize,
                reused: s.reused.is_some(),
            });
            let (state, stages) = (outcome.status.into(), stages.collect());
            return Ok(Some(RunStatus { run, state, stages, outcome: Some(outcome) }));
        }
        if self.plan.is_none() {
            self.plan = find(bucket, &Key::Plan(&self.id).to_string()).await?;
        }
        let state = match self.plan.take() {
            Some(plan) => {
                let looked = self.look_at_stages(bucket, &plan).await;
                self.plan = Some(plan);
                looked?;
                RunState::Running
            }
            None => RunState::Planning,
        };
        Ok(Some(RunStatus { run, state, stages: self.stages.clone(), outcome: None }))
    }

    async fn look_at_stages(
        &mut self,
        bucket: &dyn Bucket,
        plan: &Plan,
    ) -> Result<(), BucketError> {
        if self.stages.is_empty() {
            self.layouts = plan.stages.iter().map(|_| None).collect();
            self.stages = plan.stages.iter().map(StageStatus::waiting).collect();
        }
        for (number, stage) in plan.stages.iter().enumerate() {
            // they begin when their inputs are done, which have smaller numbers
            let inputs = stage.inputs.iter().map(|input| usize::from(input.stage.0));
            let waits = inputs.into_iter().any(|n| !self.stages[n].is_done());
            if waits || self.stages[number].is_done() {
                continue;
            }
            if self.layouts[number].is_none() {
                let key = Key::Layout(plan.home(stage), stage.id).to_string();
                self.layouts[number] = find(bucket, &key).await?;
            }
            if let Some(layout) = &self.layouts[number] {
                self.stages[number].tasks = Some(layout.tasks.len());
                self.stages[number].committed = committed(bucket, layout).await?;
            }
        }
        Ok(())
    }
}
