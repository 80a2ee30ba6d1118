//! From stage to stage.
//!
//! After its commit a task lists its group. Whoever sees the group whole marks it done; whoever
//! sees all groups done marks the stage done, then looks at each stage that reads it: if all of
//! *its* inputs are done, it creates that stage's `layout`. Marking before looking means that of
//! two inputs that end together at least one sees both. The layout's creation is the claim, so
//! only its creator sends the tasks; `sent` follows, so that a later delivery knows whether the
//! creator died in between. LISTs are linear in tasks; messages sent equal tasks when nothing
//! fails.

use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::info;

use crate::bucket::{BucketError, Created};
use crate::context::{Context, ProtocolError};
use crate::end;
use crate::ids::{StageId, TaskId};
use crate::key::Key;
use crate::record::{
    Footer, FooterError, Input, InputIndex, Layout, ObjectIndex, Plan, Stage, TaskMessage,
};

/// How many objects are read at once.
const PARALLEL_READS: usize = 32;

/// Goes on from a committed task: to the next stage, to the outcome, or no further.
pub async fn advance(
    cx: &Context,
    plan: &Plan,
    layout: &Layout,
    task: TaskId,
) -> Result<(), ProtocolError> {
    if !stage_is_whole(cx, layout, task).await? {
        return Ok(());
    }
    info!(run = %plan.run, stage = %layout.stage, tasks = layout.tasks.len(), "stage done");
    if plan.is_last(layout.stage) {
        end::succeed(cx, plan).await?;
        return Ok(());
    }
    cx.mark(Key::Done(&plan.run, layout.stage).to_string()).await?;
    for reader in plan.readers(layout.stage) {
        if inputs_are_done(cx, plan, reader, layout.stage).await? {
            open(cx, plan, reader).await?;
        }
    }
    Ok(())
}

async fn stage_is_whole(cx: &Context, layout: &Layout, task: TaskId) -> Result<bool, BucketError> {
    if layout.tasks.len() == 1 {
        return Ok(true); // its own commit is the stage
    }
    let (run, stage, group) = (&layout.run, layout.stage, task.group());
    let committed = cx.bucket.list(&Key::out_folder(run, stage, group)).await?.len();
    if committed < layout.group_len(group) {
        return Ok(false);
    }
    if layout.groups() == 1 {
        return Ok(true);
    }
    cx.mark(Key::DoneGroup(run, stage, group).to_string()).await?;
    let marks = cx.bucket.list(&Key::done_folder(run, stage)).await?;
    let all = Key::Done(run, stage).to_string();
    Ok(marks.iter().filter(|m| m.key != all).count() >= layout.groups() as usize)
}

async fn inputs_are_done(
    cx: &Context,
    plan: &Plan,
    reader: &Stage,
    known: StageId,
) -> Result<bool, BucketError> {
    for input in reader.inputs.iter().filter(|i| i.stage != known) {
        if !cx.exists(&Key::Done(&plan.run, input.stage).to_string()).await? {
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
    let inputs = index_inputs(cx, plan, stage).await?;
    let mut layout = Layout::decide(plan, stage, inputs);
    if cx.create(key.clone(), &layout).await? == Created::Before {
        if !cx.repairs() {
            return Ok(()); // its creator sends
        }
        layout = cx.read(&key).await?;
    }
    let messages: Vec<_> = layout
        .task_ids()
        .map(|task| TaskMessage { run: plan.run.clone(), stage: stage.id, task })
        .collect();
    cx.queue.send(&messages).await?;
    cx.mark(sent).await?;
    info!(run = %plan.run, stage = %stage.id, tasks = messages.len(), "tasks sent");
    Ok(())
}

async fn index_inputs(
    cx: &Context,
    plan: &Plan,
    stage: &Stage,
) -> Result<Vec<InputIndex>, ProtocolError> {
    let mut inputs = Vec::with_capacity(stage.inputs.len());
    for input in &stage.inputs {
        inputs.push(index_input(cx, plan, input).await?);
    }
    Ok(inputs)
}

/// Reads the footers of all objects of an exchange.
async fn index_input(
    cx: &Context,
    plan: &Plan,
    input: &Input,
) -> Result<InputIndex, ProtocolError> {
    let objects = cx.bucket.list(&Key::stage_out_folder(&plan.run, input.stage)).await?;
    let objects = stream::iter(objects)
        .map(|object| async move {
            let footer = read_footer(cx, &object.key).await?;
            Ok::<_, BucketError>(ObjectIndex { key: object.key, footer })
        })
        .buffered(PARALLEL_READS)
        .try_collect()
        .await?;
    Ok(InputIndex { stage: input.stage, objects })
}

async fn read_footer(cx: &Context, key: &str) -> Result<Footer, BucketError> {
    let damaged = |e: FooterError| BucketError::Io {
        action: "reading the footer of",
        key: key.to_owned(),
        source: e.into(),
    };
    let tail = cx.bucket.get_tail(key, Footer::LIKELY_BYTES).await?;
    match Footer::decode(&tail.bytes, tail.info.size) {
        Err(FooterError::Longer(bytes)) => {
            let tail = cx.bucket.get_tail(key, bytes).await?;
            Footer::decode(&tail.bytes, tail.info.size).map_err(damaged)
        }
        decoded => decoded.map_err(damaged),
    }
}
