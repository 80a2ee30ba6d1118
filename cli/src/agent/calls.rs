use anyhow::{Context, ensure};
use bytes::Bytes;
use serde::Deserialize;
use tidemill_protocol::JobName;
use tidemill_protocol::Key;
use tidemill_protocol::calls::{Calls, ContentName, Pack};
use tidemill_protocol::job::{JobOptions, JobSpec, Work};

use super::session::{Asking, Job, Session};
use crate::submit::submission;

/// Calls that are to be made. Its body is the function, the initializer, which may be empty, and the
/// arguments of each call.
#[derive(Debug, Deserialize)]
pub(super) struct Submission {
    /// Of the function, for people.
    #[serde(default)]
    name: String,
    function: ContentName,
    /// Empty, if there is none.
    #[serde(default)]
    initializer: String,
    #[serde(default)]
    shared: Vec<ContentName>,
    /// The key of the result's file that each call reads, if any does.
    #[serde(default)]
    inputs: Vec<Option<String>>,
    #[serde(default)]
    archives: Vec<ContentName>,
    #[serde(default)]
    options: CallOptions,
    /// The table folder that the values become part of.
    #[serde(default)]
    into: Option<String>,
}

/// What a submission may ask for beside its calls.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CallOptions {
    timeout: Option<f64>,
    retries: u32,
    memory: Option<u32>,
    concurrency: Option<u32>,
    seconds: Option<f64>,
    deadline: Option<u32>,
    max_cost_usd: Option<f64>,
}

impl Submission {
    /// Stores what the calls need, and then the job that starts them.
    pub(super) async fn submit(self, session: &Session, body: Vec<Bytes>) -> anyhow::Result<Job> {
        let mut body = body.into_iter();
        let function = body.next().context("a submission without function")?;
        let initializer = body.next().context("a submission without initializer")?;
        ensure!(!body.as_slice().is_empty(), "a submission without calls");
        session.store(&self.function, function).await?;
        let initializer = match self.initializer.as_str() {
            "" => None,
            name => {
                let name = ContentName::try_from(name.to_owned()).map_err(anyhow::Error::msg)?;
                session.store(&name, initializer).await?;
                Some(name)
            }
        };
        let mut pack = Pack::starting_at(0);
        body.for_each(|arguments| pack.push(&arguments));
        pack.index.inputs = self.inputs;
        let count = pack.index.len() as u64;
        let unique = uuid::Uuid::new_v4().simple();
        let arguments = format!("{}{unique}/arguments", Key::CALLS);
        session.bucket().put(&arguments, pack.encode(), &[]).await?;
        let CallOptions { timeout, retries, memory, concurrency, seconds, deadline, max_cost_usd } =
            self.options;
        let calls = Calls {
            function: self.function,
            initializer,
            shared: self.shared,
            archives: self.archives,
            arguments,
            python: session.version.clone(),
            label: self.name.clone(),
            timeout,
            memory,
            retries,
            concurrency,
            seconds,
        };
        let options = JobOptions { deadline, max_cost_usd, ..JobOptions::default() };
        let job = JobSpec {
            work: Work::Calls(Box::new(calls)),
            options,
            into: self.into,
            ..JobSpec::of_statement(String::new())
        };
        let name = JobName::new(&label(&self.name));
        let (run, key) = submission(&name, "json");
        session.bucket().put(&key, serde_json::to_vec(&job)?.into(), &[]).await?;
        let work = if job.into.is_some() { Asking::Table } else { Asking::Values };
        Ok(Job { name, run, count, work })
    }
}

/// What the function is called, as a part of a job's name.
pub(super) fn label(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let clean = clean.trim_start_matches('_');
    if clean.is_empty() { "calls".into() } else { clean.chars().take(60).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_called_as_its_function_where_that_has_a_name() {
        for (name, expected) in [
            ("pow", "pow"),
            ("module.Class.method", "method"),
            ("main.<locals>.<lambda>", "lambda"),
            ("_private", "private"),
            ("", "calls"),
            ("größe", "gre"),
            ("数", "calls"),
        ] {
            assert_eq!(label(name), expected);
        }
    }
}
