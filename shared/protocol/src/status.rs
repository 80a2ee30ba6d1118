//! What a run is doing, derived from which objects exist.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, BucketError};
use crate::context::find;
use crate::cost::Estimate;
use crate::ids::{RunId, StageId};
use crate::key::Key;
use crate::queue::WorkerKind;
use crate::record::{Layout, Outcome, Plan, Run, Stage, StageSummary, Status, Timeline, Usage};

/// Objects of one LIST request.
const LIST_OBJECTS_MAX: usize = 1000;

/// What a run is doing, or how it ended.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RunStatus {
    pub run: RunId,
    pub state: RunState,
    /// What was asked for; not yet of a run that is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Run>,
    /// Nothing before there is a plan.
    pub stages: Vec<StageStatus>,
    /// What it was expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// What the statement would take that the run's rows explain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Estimate>,
    /// Dollars that its workers may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
    /// Why the plan is one task, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl RunStatus {
    /// Of a run whose job no planner has noticed yet.
    pub fn queued(run: RunId) -> Self {
        Self::new(run, RunState::Queued)
    }

    fn new(run: RunId, state: RunState) -> Self {
        Self {
            run,
            state,
            request: None,
            stages: vec![],
            estimate: None,
            explained: None,
            max_cost_usd: None,
            single: None,
            outcome: None,
        }
    }

    /// What its plan tells.
    fn with_plan(self, plan: &Plan) -> Self {
        let explained = plan.explains.as_ref().and_then(|plan| plan.estimate.clone());
        let (estimate, single) = (plan.estimate.clone(), plan.single.clone());
        Self { estimate, explained, single, max_cost_usd: plan.max_cost_usd, ..self }
    }
}

/// A stage of a run as its status shows it: how many of its tasks are committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageStatus {
    #[serde(default)]
    pub stage: StageId,
    pub operators: String,
    /// The stages whose exchanges it reads.
    #[serde(default)]
    pub inputs: Vec<StageId>,
    #[serde(default)]
    pub worker: WorkerKind,
    /// Unknown until the stage's inputs are done.
    pub tasks: Option<usize>,
    pub committed: usize,
    /// It is the work of an earlier run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// Rows and bytes that its tasks wrote, and what they used, once the run has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl StageStatus {
    fn waiting(stage: &Stage) -> Self {
        Self {
            stage: stage.id,
            operators: stage.operators.clone(),
            inputs: stage.inputs.iter().map(|input| input.stage).collect(),
            worker: stage.worker,
            tasks: None,
            committed: 0,
            reused: stage.reused.is_some(),
            rows: None,
            bytes: None,
            usage: None,
        }
    }

    /// What it came to.
    fn ended(self, summary: &StageSummary) -> Self {
        let tasks = summary.tasks as usize;
        Self {
            tasks: Some(tasks),
            committed: tasks,
            rows: Some(summary.rows),
            bytes: Some(summary.bytes),
            usage: Some(summary.usage),
            ..self
        }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// No planner has noticed its job yet.
    Queued,
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
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Succeeded => Status::Succeeded.as_str(),
            Self::Failed => Status::Failed.as_str(),
            Self::Cancelled => Status::Cancelled.as_str(),
        }
    }
}

impl std::str::FromStr for RunState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            Self::Queued,
            Self::Planning,
            Self::Running,
            Self::Succeeded,
            Self::Failed,
            Self::Cancelled,
        ];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| {
            let names = all.map(Self::as_str).join(", ");
            format!("'{text}' is no state of a run: those are {names}")
        })
    }
}

impl RunState {
    /// Whether it will not become another.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
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
        let Some(request) = self.run.clone() else { return Ok(None) };
        let outcome = find::<Outcome>(bucket, &Key::Outcome(&self.id).to_string()).await?;
        if self.plan.is_none() {
            self.plan = find(bucket, &Key::Plan(&self.id).to_string()).await?;
        }
        let mut found = RunStatus::new(self.id.clone(), RunState::Planning);
        found.request = Some(request);
        if let Some(plan) = self.plan.take() {
            let looked = match &outcome {
                Some(outcome) => self.look_at_end(bucket, &plan, outcome).await,
                None => self.look_at_stages(bucket, &plan).await,
            };
            found = found.with_plan(&plan);
            found.state = RunState::Running;
            self.plan = Some(plan);
            looked?;
        }
        if let Some(outcome) = outcome {
            found.state = outcome.status.into();
            found.outcome = Some(outcome);
        }
        Ok(Some(RunStatus { stages: self.stages.clone(), ..found }))
    }

    /// The stages of a run that has ended.
    async fn look_at_end(
        &mut self,
        bucket: &dyn Bucket,
        plan: &Plan,
        outcome: &Outcome,
    ) -> Result<(), BucketError> {
        if outcome.status != Status::Succeeded {
            // its working keys are kept for a week
            self.look_at_stages(bucket, plan).await?;
        }
        let mut stages = match self.stages.is_empty() {
            true => plan.stages.iter().map(StageStatus::waiting).collect(),
            false => std::mem::take(&mut self.stages),
        };
        for summary in &outcome.stages {
            if let Some(stage) = stages.get_mut(usize::from(summary.stage.0)) {
                *stage = stage.clone().ended(summary);
            }
        }
        if outcome.status != Status::Succeeded
            && let Some(kept) = find::<Timeline>(bucket, &Key::Tasks(&self.id).to_string()).await?
        {
            for times in &kept.stages {
                if let Some(stage) = stages.get_mut(usize::from(times.stage.0)) {
                    stage.committed = stage.committed.max(times.committed.task.len());
                }
            }
        }
        self.stages = stages;
        Ok(())
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
