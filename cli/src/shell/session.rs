use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::DataType;
use tidemill_protocol::job::{JobSpec, explained};
use tidemill_protocol::record::{Outcome, Status};
use tidemill_protocol::{JobName, dollars};

use super::files::Files;
use crate::client::{Client, Target};
use crate::explain::lines;
use crate::interrupt::{Interrupted, Interrupts};
use crate::local;
use crate::results::{self, Printer};
use crate::run::{Job, show};
use crate::submit::{follow_quietly, submit};
use crate::terminal::say;

/// What runs of a shell are called.
const JOB: &str = "sql";

/// Statements over one bucket, one after the other.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) target: Target,
    printer: Printer,
    /// Of a bucket that nobody else knows.
    files: Option<Files>,
    /// Whether each statement says how long it took.
    pub(super) timer: bool,
    pub(super) last: Option<Outcome>,
    interrupts: Interrupts,
    _folder: Option<tempfile::TempDir>,
}

impl Session {
    pub(super) async fn open(target: Target, printer: Printer) -> anyhow::Result<Self> {
        let interrupts = Interrupts::listen()?;
        if target.names_one().await || crate::endpoint::is_somebody_there().await {
            let client = Client::open(&target).await?;
            return Ok(Self {
                client,
                target,
                printer,
                files: None,
                timer: false,
                last: None,
                interrupts,
                _folder: None,
            });
        }
        let folder = tempfile::Builder::new().prefix("tidemill-").tempdir()?;
        let local = local::start_quietly(folder.path(), None, local::PYTHON.as_ref(), &[]).await?;
        let client = Client::of_local(local).await?;
        let files = Some(Files::new(folder.path().join(client.bucket.name())));
        let _folder = Some(folder);
        Ok(Self { client, target, printer, files, timer: false, last: None, interrupts, _folder })
    }

    /// Whether statements run over files of this folder.
    pub(super) fn is_private(&self) -> bool {
        self.files.is_some()
    }

    pub(super) async fn close(self) {
        self.client.close().await;
    }

    /// Runs a statement and prints its rows.
    pub(super) async fn run(&mut self, sql: &str) -> anyhow::Result<ExitCode> {
        let start = Instant::now();
        let outcome = self.execute(sql).await?;
        let code = match self.is_private() && outcome.status != Status::Succeeded {
            // nothing of this bucket is there to be looked at afterwards
            true => {
                say(&format!("error: {}", outcome.reason.as_deref().unwrap_or_default()));
                ExitCode::FAILURE
            }
            false => show(&self.client.bucket, &outcome, &self.printer).await?,
        };
        if self.timer {
            let cost = outcome.actual.map(|a| format!(", {} at AWS prices", dollars(a.cost_usd)));
            say(&format!(
                "{:.3} s, of which the run took {:.3} s{}",
                start.elapsed().as_secs_f64(),
                outcome.seconds,
                cost.unwrap_or_default()
            ));
        }
        self.last = Some(outcome);
        Ok(code)
    }

    /// Says what a statement would do and take.
    pub(super) async fn explain(&mut self, sql: &str) -> anyhow::Result<()> {
        let outcome = self.execute(&explained(sql)).await?;
        match outcome.status {
            Status::Succeeded => {
                let lines = lines(&self.client.bucket, &outcome).await?;
                lines.iter().for_each(|line| println!("{line}"));
            }
            _ => drop(show(&self.client.bucket, &outcome, &self.printer).await?),
        }
        Ok(())
    }

    /// Columns of texts that a statement gives.
    pub(super) async fn texts(&mut self, sql: &str) -> anyhow::Result<Vec<Vec<String>>> {
        let outcome = self.execute(sql).await?;
        anyhow::ensure!(
            outcome.status == Status::Succeeded,
            "{}",
            outcome.reason.unwrap_or_default()
        );
        let (_, batches) = results::read(&self.client.bucket, &outcome).await?;
        let mut rows = vec![];
        for batch in batches {
            let columns = batch.columns().iter().map(|c| compute::cast(c, &DataType::Utf8));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let text = |column: &datafusion::arrow::array::ArrayRef| {
                    column.as_string::<i32>().value(row).to_owned()
                };
                rows.push(columns.iter().map(text).collect());
            }
        }
        Ok(rows)
    }

    async fn execute(&mut self, sql: &str) -> anyhow::Result<Outcome> {
        let tables = match &mut self.files {
            Some(files) => files.tables(sql)?,
            None => Default::default(),
        };
        if self.interrupts.forget() {
            return Err(Interrupted("ended by a signal".into()).into());
        }
        let job = JobSpec { tables, ..JobSpec::of_statement(sql.to_owned()) };
        let text =
            serde_json::to_string(&job).context("the statement cannot be written as JSON")?;
        let job = Job { name: JobName::new(JOB).to_string(), extension: "json", text };
        let run = submit(&self.client.bucket, &job).await?;
        follow_quietly(&self.client.bucket, &run, &self.target, &mut self.interrupts).await
    }
}

/// Whether a statement was ended by whoever typed it.
pub(super) fn is_interrupted(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Interrupted>().is_some()
}
