//! The commit of a task: one object, which is created once.

use std::collections::HashSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::attempt::Attempt;
use crate::bucket::{BucketError, Created, NewObject};
use crate::committed::Committed;
use crate::context::{Context, ProtocolError};
use crate::engine::{OutputFile, TaskOutput};
use crate::ids::TaskId;
use crate::key::Key;
use crate::record::{Commit, ResultFile, TaskMessage};

/// How many files of a table, or objects of rejects, are written at once.
pub(super) const PARALLEL_WRITES: usize = 8;

impl Attempt<'_> {
    /// Creates the object of a task for other stages, which is its commit.
    pub(super) async fn commit_exchange(
        &self,
        task: TaskId,
        output: TaskOutput,
    ) -> Result<(Created, Option<Committed>), ProtocolError> {
        let Self { cx, plan, stage, .. } = *self;
        let key = Key::Out(&plan.run, stage.id, task).to_string();
        let Some(object) = output.files.into_iter().next() else {
            let run = plan.run.to_string();
            return Err(ProtocolError::NotInPlan { run, what: format!("output of {key}") });
        };
        let rows = [("rows", object.rows.to_string())];
        let new = NewObject::new(&key, object.body, &cx.attempt);
        let created = cx.bucket.create(NewObject { metadata: &rows, ..new }).await?;
        Ok((created, output.footer.map(Committed::Exchange)))
    }

    /// Creates the files of a task of the last stage, and then its commit, which names them.
    pub(super) async fn commit_result(
        &self,
        task: TaskId,
        output: TaskOutput,
    ) -> Result<(Created, Option<Committed>), ProtocolError> {
        let Self { cx, plan, stage, job, .. } = *self;
        let run = &plan.run;
        let TaskOutput { files, created, usage, preview, .. } = output;
        // those of this attempt, and not of another that was first
        let mut are_ours = false;
        let mut files = match &plan.publication {
            Some(publication) => {
                let files = files.into_iter().map(|file| {
                    let from = Key::File(run, stage.id, task, &cx.attempt, &file.name).to_string();
                    let to = Key::Published(&publication.folder, run, task, &file.name);
                    create_unpublished(cx, from, to.to_string(), file)
                });
                stream::iter(files).buffered(PARALLEL_WRITES).try_collect::<Vec<_>>().await?
            }
            None => {
                let key = Key::Part(job, run, task).to_string();
                let files = files.into_iter().map(|file| create_part(cx, key.clone(), file));
                let created = futures::future::try_join_all(files).await?;
                are_ours = created.iter().all(|(_, created)| *created == Created::Now);
                created.into_iter().map(|(file, _)| file).collect()
            }
        };
        files.extend(created);
        if let Some(preview) = preview.filter(|_| are_ours) {
            cx.create(Key::Preview(job, run).to_string(), preview).await?;
        }
        let commit = Commit { attempt: cx.attempt.clone(), files, usage };
        let key = Key::Out(run, stage.id, task).to_string();
        let created = cx.create(key, &commit).await?;
        Ok((created, Some(Committed::Result(commit))))
    }
}

/// Those tasks of a message that have no commit; a first delivery does not look.
pub(super) async fn uncommitted(
    cx: &Context,
    message: &TaskMessage,
) -> Result<Vec<TaskId>, BucketError> {
    let TaskMessage { run, stage, task, tasks } = message;
    let key = |task| Key::Out(run, *stage, task).to_string();
    if !cx.repairs() {
        return Ok(message.task_ids().collect());
    }
    if *tasks == 1 {
        let is_there = cx.exists(&key(*task)).await?;
        return Ok((!is_there).then_some(*task).into_iter().collect());
    }
    let objects = cx.bucket.list(&Key::out_folder(run, *stage, task.group())).await?;
    let there: HashSet<_> = objects.into_iter().map(|o| o.key).collect();
    Ok(message.task_ids().filter(|task| !there.contains(&key(*task))).collect())
}

/// Creates a file under the attempt's own prefix, from where it is published after the outcome.
async fn create_unpublished(
    cx: &Context,
    from: String,
    key: String,
    file: OutputFile,
) -> Result<ResultFile, BucketError> {
    let OutputFile { body, rows, bytes, .. } = file;
    cx.bucket.create(NewObject::new(&from, body, &cx.attempt)).await?;
    Ok(ResultFile { key, from: Some(from), rows, bytes })
}

/// Creates a part of the result, or adopts the one that another attempt left.
async fn create_part(
    cx: &Context,
    key: String,
    file: OutputFile,
) -> Result<(ResultFile, Created), BucketError> {
    let OutputFile { body, rows, bytes, .. } = file;
    let metadata = [("rows", rows.to_string())];
    let new = NewObject { metadata: &metadata, ..NewObject::new(&key, body, &cx.attempt) };
    if cx.bucket.create(new).await? == Created::Now {
        return Ok((ResultFile { key, from: None, rows, bytes }, Created::Now));
    }
    let Some(theirs) = cx.bucket.head(&key).await? else {
        return Err(BucketError::NotFound { key });
    };
    let rows = theirs.metadata("rows").and_then(|r| r.parse().ok()).unwrap_or(rows);
    Ok((ResultFile { key, from: None, rows, bytes: theirs.info.size }, Created::Before))
}
