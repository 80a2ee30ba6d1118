//! What the Python package drives: it asks over standard input, and is told over standard output.
//!
//! A request is a frame whose head says what to `do` and has an `id`; every frame that goes back has the id
//! of what it answers, and says which `event` it is. Many requests may be under way at once.

mod calls;
mod follow;
mod frame;
mod session;
mod sql;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use bytes::Bytes;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::calls::ContentName;
use tidemill_protocol::{Key, RunId, is_table_folder};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use calls::Submission;
use follow::Following;
use frame::Frame;
use session::{Opening, Session};
use sql::Query;

use crate::tables::tables;

/// Serves the Python package `tidemill` over standard input and output.
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {}

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Request {
    /// Names the deployment that all others are for.
    Open(Opening),
    /// Stores an object that arguments refer to.
    Share { name: ContentName },
    /// Has calls made.
    Submit(Submission),
    /// Has a statement executed.
    Sql(Query),
    /// Says what a statement would take.
    Explain(Query),
    /// Gives the bytes of an object.
    Read { key: String },
    /// Names the tables of the bucket.
    Tables {},
    /// Removes the files of a table.
    Drop { table: String },
    /// Tells of a run that is there.
    Attach { run: String },
    /// Ends a run that a request has submitted or attached to.
    Cancel { of: u64 },
}

/// Where the answers to one request go.
#[derive(Debug, Clone)]
struct Answers {
    id: u64,
    frames: mpsc::Sender<Frame>,
}

impl Answers {
    async fn send(&self, event: &str, mut head: Value, body: Vec<Bytes>) {
        head["id"] = self.id.into();
        head["event"] = event.into();
        let _ = self.frames.send(Frame { head, body }).await; // nobody reads them any more
    }
}

impl AgentArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        // a Ctrl-C is for the process that asks
        let mut interrupts = signal(SignalKind::interrupt())?;
        tokio::spawn(async move { while interrupts.recv().await.is_some() {} });
        let stdout = file(std::io::stdout())?;
        let (frames, mut sent) = mpsc::channel::<Frame>(64);
        let writing = tokio::spawn(async move {
            let mut stdout = tokio::io::BufWriter::new(stdout);
            while let Some(frame) = sent.recv().await {
                if frame.send(&mut stdout).await.is_err() {
                    break;
                }
            }
        });
        let mut session = None;
        let mut requests = JoinSet::new();
        let mut stdin = tokio::io::BufReader::new(file(std::io::stdin())?);
        while let Some(frame) = Frame::receive(&mut stdin).await? {
            let id = frame.head["id"].as_u64().context("a request without id")?;
            let answers = Answers { id, frames: frames.clone() };
            while requests.try_join_next().is_some() {}
            if let Err(e) = take(&mut session, &mut requests, &answers, frame).await {
                fail(&answers, &e).await;
            }
        }
        requests.shutdown().await;
        drop(frames);
        if let Some(session) = session {
            session.close().await;
        }
        writing.abort();
        Ok(ExitCode::SUCCESS)
    }
}

async fn fail(answers: &Answers, error: &anyhow::Error) {
    let error = format!("{error:#}");
    let cause = follow::cause(&error);
    answers.send("failed", json!({ "error": error, "cause": cause }), vec![]).await;
}

/// Has a request done, beside those that are under way.
async fn take(
    session: &mut Option<Arc<Session>>,
    requests: &mut JoinSet<()>,
    answers: &Answers,
    frame: Frame,
) -> anyhow::Result<()> {
    let Frame { head, body } = frame;
    let request: Request = serde_json::from_value(head).context("no request of this version")?;
    if let Request::Open(opening) = request {
        let opened = Session::open(&opening).await?;
        answers.send("opened", opened.describe(), vec![]).await;
        *session = Some(Arc::new(opened));
        return Ok(());
    }
    let session = session.clone().ok_or_else(|| anyhow!("no deployment has been named yet"))?;
    let answers = answers.clone();
    requests.spawn(async move {
        if let Err(e) = answer(&session, &answers, request, body).await {
            fail(&answers, &e).await;
        }
    });
    Ok(())
}

async fn answer(
    session: &Session,
    answers: &Answers,
    request: Request,
    mut body: Vec<Bytes>,
) -> anyhow::Result<()> {
    match request {
        Request::Open(_) => Ok(()),
        Request::Share { name } => {
            let bytes = body.pop().context("an object without bytes")?;
            session.store(&name, bytes).await?;
            answers.send("shared", json!({}), vec![]).await;
            Ok(())
        }
        Request::Submit(submission) => {
            let job = submission.submit(session, body).await?;
            session.follow(answers.id, &job).await?;
            Following::new(session, answers, job).tell_all().await
        }
        Request::Sql(query) => {
            let job = query.submit(session).await?;
            session.follow(answers.id, &job).await?;
            Following::new(session, answers, job).tell_all().await
        }
        Request::Explain(query) => {
            let explained = query.explain(session).await?;
            answers.send("explained", explained, vec![]).await;
            Ok(())
        }
        Request::Read { key } => {
            let object = session.bucket().get(&key, None).await?;
            answers.send("object", json!({}), vec![object.bytes]).await;
            Ok(())
        }
        Request::Tables {} => {
            let tables = tables(session.bucket()).await?;
            let tables = tables.iter().map(
                |(name, (files, bytes))| json!({ "name": name, "files": files, "bytes": bytes }),
            );
            let tables: Value = tables.collect();
            answers.send("tables", json!({ "tables": tables }), vec![]).await;
            Ok(())
        }
        Request::Drop { table } => {
            let folder = format!("{}{table}/", Key::TABLES);
            ensure!(is_table_folder(&folder), "'{table}' is no name of a table");
            let objects = session.bucket().list(&folder).await?;
            let keys: Vec<_> = objects.into_iter().map(|object| object.key).collect();
            session.bucket().delete(&keys).await?;
            answers.send("dropped", json!({ "files": keys.len() }), vec![]).await;
            Ok(())
        }
        Request::Attach { run } => {
            let run = RunId::parse(&run).map_err(|e| anyhow!(e))?;
            let job = session.job_of(&run).await?;
            session.follow(answers.id, &job).await?;
            Following::new(session, answers, job).tell_all().await
        }
        Request::Cancel { of } => {
            session.cancel(of).await?;
            answers.send("cancelled", json!({}), vec![]).await;
            Ok(())
        }
    }
}

fn file(stream: impl std::os::fd::AsFd) -> std::io::Result<tokio::fs::File> {
    Ok(std::fs::File::from(stream.as_fd().try_clone_to_owned()?).into())
}

/// The folder of an emulator that ends with this process.
fn temporary_folder() -> std::io::Result<(PathBuf, tempfile::TempDir)> {
    let folder = tempfile::Builder::new().prefix("tidemill-").tempdir()?;
    Ok((folder.path().to_owned(), folder))
}
