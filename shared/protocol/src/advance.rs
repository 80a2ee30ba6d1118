//! From stage to stage.
//!
//! After its commit a task lists its group. Whoever sees the group whole marks it done, with what
//! its tasks committed; whoever sees all groups done marks the stage done, then looks at each stage
//! that reads it: if all of *its* inputs are done, it creates that stage's `layout`. Marking before
//! looking means that of two inputs that end together at least one sees both. The layout's creation
//! is the claim, so only its creator sends the tasks; `sent` follows, so that a later delivery knows
//! whether the creator died in between. LISTs are linear in tasks; messages sent equal tasks when
//! nothing fails.

use tracing::info;

use crate::bucket::{BucketError, Created};
use crate::committed::{self, Known};
use crate::context::{Context, ProtocolError};
use crate::cost::{budget, dollars};
use crate::end;
use crate::ids::{StageId, TaskId};
use crate::key::Key;
use crate::queue::WorkerKind;
use crate::record::{InputIndex, Layout, Plan, Run, Stage, TaskMessage};

/// Goes on from committed tasks of a group: to the next stage, to the outcome, or no further.
pub(crate) async fn advance(
    cx: &Context,
    plan: &Plan,
    stage: &Stage,
    layout: &Layout,
    group: u32,
    known: &Known,
) -> Result<(), ProtocolError> {
    if !stage_is_whole(cx, stage, layout, group, known).await? {
        return Ok(());
    }
    info!(run = %plan.run, stage = %stage.id, tasks = layout.tasks.len(), "stage done");
    if plan.is_last(stage.id) {
        return end_or_hand_over(cx, plan, stage, group).await;
    }
    cx.mark(Key::Done(&plan.run, stage.id).to_string()).await?;
    for reader in plan.readers(stage.id) {
        if inputs_are_done(cx, plan, reader, stage.id).await? {
            open(cx, plan, reader).await?;
        }
    }
    Ok(())
}

/// Ends a run whose last stage is whole; a worker that may not publish has another do it, by a message
/// for a task that is committed.
async fn end_or_hand_over(
    cx: &Context,
    plan: &Plan,
    stage: &Stage,
    group: u32,
) -> Result<(), ProtocolError> {
    if plan.publication.is_none() || cx.kind.publishes() {
        end::succeed(cx, plan).await?;
        return Ok(());
    }
    let task = TaskId::first_of(group);
    let message = TaskMessage { run: plan.run.clone(), stage: stage.id, task, tasks: 1 };
    cx.queue.send(WorkerKind::Normal, &[message]).await?;
    Ok(())
}

async fn stage_is_whole(
    cx: &Context,
    stage: &Stage,
    layout: &Layout,
    group: u32,
    known: &Known,
) -> Result<bool, BucketError> {
    if layout.tasks.len() == 1 {
        return Ok(true); // its own commit is the stage
    }
    let run = &layout.run;
    let objects = cx.bucket.list(&Key::out_folder(run, stage.id, group)).await?;
    if objects.len() < layout.group_len(group) {
        return Ok(false);
    }
    if layout.groups() == 1 {
        return Ok(true);
    }
    let index = committed::of_objects(cx, stage, objects, known).await?;
    cx.create(Key::DoneGroup(run, stage.id, group).to_string(), index).await?;
    let marks = committed::group_marks(cx, run, stage.id).await?;
    Ok(marks.len() >= layout.groups() as usize)
}

async fn inputs_are_done(
    cx: &Context,
    plan: &Plan,
    reader: &Stage,
    known: StageId,
) -> Result<bool, BucketError> {
    for input in plan.inputs(reader).filter(|i| i.id != known && i.reused.is_none()) {
        if !cx.exists(&Key::Done(&plan.run, input.id).to_string()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Creates a stage's layout and sends its tasks; all of its inputs are done.
pub async fn open(cx: &Context, plan: &Plan, stage: &Stage) -> Result<(), ProtocolError> {
    let key = Key::Layout(&plan.run, stage.id).to_string();
    let sent = Key::Sent(&plan.run, stage.id).to_string();
    if cx.repairs() && cx.exists(&sent).await? {
        return Ok(());
    }
    let mut inputs = Vec::with_capacity(stage.inputs.len());
    for input in plan.inputs(stage) {
        let objects = committed::of_stage(cx, plan, input).await?.objects;
        inputs.push(InputIndex { stage: input.id, objects });
    }
    let mut layout = Layout::decide(plan, stage, inputs);
    if cx.create(key.clone(), &layout).await? == Created::Before {
        if !cx.repairs() {
            return Ok(()); // its creator sends
        }
        layout = cx.read(&key).await?;
    }
    if let Some(reason) = over_budget(cx, plan, &layout).await? {
        let asked: Run = cx.read(&Key::Run(&plan.run).to_string()).await?;
        end::fail(cx, &plan.run, &asked.job, &reason).await?;
        return Ok(());
    }
    cx.queue.send(stage.worker, &layout.messages(stage)).await?;
    cx.mark(sent).await?;
    info!(run = %plan.run, stage = %stage.id, tasks = layout.tasks.len(), "tasks sent");
    Ok(())
}

/// Why the tasks of a layout are not sent: what they and all others may take is over the budget.
async fn over_budget(
    cx: &Context,
    plan: &Plan,
    layout: &Layout,
) -> Result<Option<String>, BucketError> {
    let Some(max) = plan.max_cost_usd else { return Ok(None) };
    let account = budget::account(cx, plan).await?;
    if account.spent + account.open <= max {
        return Ok(None);
    }
    Ok(Some(format!(
        "stage {} of {} is not started: {} are spent, and its tasks and those that are under way \
         may take {} more, which is over the budget of {}; see the option max_cost_usd",
        layout.stage,
        plan.stages.len(),
        dollars(account.spent),
        dollars(account.open),
        dollars(max)
    )))
}
