use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_protocol::calls::ContentName;
use tidemill_protocol::function::Functions;
use tidemill_protocol::job::{Format, JobOptions, JobSpec, TableOptions};
use tidemill_protocol::param::Params;
use tidemill_protocol::record::{Plan, Status};
use tidemill_protocol::{JobName, Key, context};

use super::calls::label;
use super::follow;
use super::session::{Asking, Job, Session};
use crate::explain::lines;
use crate::submit::submission;
use tidemill_protocol::job::explained;

/// A statement that is to be executed, or explained.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    statement: String,
    #[serde(default)]
    params: Params,
    /// Of Python, whose code is among the shared objects.
    #[serde(default)]
    functions: Functions,
    /// Tables that are Parquet files among the shared objects, by the names that the statement has for them.
    #[serde(default)]
    frames: BTreeMap<String, ContentName>,
    /// For people.
    #[serde(default)]
    name: String,
    #[serde(default)]
    options: JobOptions,
}

impl Query {
    /// Drops the job.
    pub(super) async fn submit(self, session: &Session) -> anyhow::Result<Job> {
        let Self { statement, params, functions, frames, name, options } = self;
        let table = |object: ContentName| TableOptions {
            location: Some(Key::shared_object(&object)),
            format: Some(Format::Parquet),
            ..TableOptions::default()
        };
        let tables = frames.into_iter().map(|(name, object)| (name, table(object))).collect();
        let job =
            JobSpec { params, functions, tables, options, ..JobSpec::of_statement(statement) };
        let name = if name.is_empty() { "sql".to_owned() } else { label(&name) };
        let name = JobName::new(&name);
        let (run, key) = submission(&name, "json");
        session.bucket().put(&key, serde_json::to_vec(&job)?.into(), &[]).await?;
        Ok(Job { name, run, count: 0, work: Asking::Rows })
    }

    /// Says what it would take: the plan as text, and the estimate.
    pub(super) async fn explain(mut self, session: &Session) -> anyhow::Result<Value> {
        self.statement = explained(&self.statement);
        let job = self.submit(session).await?;
        let outcome = follow::outcome(session, &job).await?;
        if outcome.status != Status::Succeeded {
            bail!("{}", outcome.reason.as_deref().unwrap_or("the run did not succeed"));
        }
        let key = Key::Plan(&outcome.run).to_string();
        let plan: Option<Plan> = context::find(session.bucket(), &key).await?;
        let plan = plan.and_then(|p| p.explains).context("the run left no plan")?;
        let text = lines(session.bucket(), &outcome).await?.join("\n");
        Ok(json!({ "text": text, "estimate": plan.estimate.map(|estimate| estimate.total) }))
    }
}
