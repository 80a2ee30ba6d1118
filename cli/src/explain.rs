use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::DataType;
use serde_json::Value;
use tidemill_aws::S3Bucket;
use tidemill_protocol::Key;
use tidemill_protocol::job::explained;
use tidemill_protocol::record::{Outcome, Plan, Status};
use tidemill_protocol::status::status;

use crate::client::{Client, Target};
use crate::options::Options;
use crate::results::read;
use crate::run::Job;
use crate::simulate::{self, Size};
use crate::statement::StatementArgs;
use crate::submit::submit_and_wait;

/// Partitions of a plan of which only the shape counts.
const SHAPE_PARTITIONS: u32 = 16;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidemill explain top.sql
  tidemill explain top.json
  tidemill explain -e \"SELECT carrier, count(*) FROM flights GROUP BY carrier\"
  tidemill explain top.sql --partitions 16
  tidemill explain top.sql --simulate 10TB --partitions 10000

A job that holds EXPLAIN and a statement says the same.")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    statement: StatementArgs,
    /// Simulate the run with the model of its cost, over so many bytes of tables, such as 10TB, or as
    /// many as there are.
    #[arg(long, value_name = "SIZE", num_args = 0..=1)]
    simulate: Option<Option<Size>>,
    /// Print the estimate as JSON.
    #[arg(long, conflicts_with = "simulate")]
    json: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    options: Options,
}

impl ExplainArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let statement = self.statement.read()?;
        let (job, asked) = match statement.is_json {
            true => self.of_json(&statement.text)?,
            false => self.of_sql(&statement.text),
        };
        Client::with(&self.target, async |bucket| {
            let outcome = submit_and_wait(bucket, &job, &self.target).await?;
            if self.json {
                return say_json(bucket, &outcome).await;
            }
            say(bucket, &outcome, self.simulate.map(|size| (size, asked))).await
        })
        .await
    }

    /// The partitions of a job to explain: more data than there is is spread, even if what there
    /// is would not be.
    fn partitions(&self, asked: Option<u32>) -> Option<u32> {
        match self.simulate {
            Some(Some(_)) => Some(asked.map_or(SHAPE_PARTITIONS, |n| n.min(SHAPE_PARTITIONS))),
            _ => asked,
        }
    }

    /// The job, and the partitions that were asked for.
    fn of_sql(&self, sql: &str) -> (Job, Option<u32>) {
        let asked = self.options.partitions;
        let mut options = self.options.clone();
        options.partitions = self.partitions(asked);
        (Job::of_sql("explain", explained(sql), &options), asked)
    }

    fn of_json(&self, text: &str) -> anyhow::Result<(Job, Option<u32>)> {
        if self.options != Options::default() {
            bail!("a .json job states its options itself: write them there, under options");
        }
        let mut job: Value = serde_json::from_str(text).context("the job is not valid JSON")?;
        let sql =
            job["sql"].as_str().context("the job has no sql, so there is nothing to explain")?;
        job["sql"] = explained(sql).into();
        let asked = job["options"]["partitions"].as_u64().and_then(|n| u32::try_from(n).ok());
        if let Some(partitions) = self.partitions(asked) {
            job["options"]["partitions"] = partitions.into();
        }
        Ok((Job { name: "explain".into(), extension: "json", text: job.to_string() }, asked))
    }
}

/// The estimate of a statement that a run explains.
async fn say_json(bucket: &S3Bucket, outcome: &Outcome) -> anyhow::Result<ExitCode> {
    ensure_success(outcome)?;
    let found = status(bucket, &outcome.run).await?;
    let estimate = found.and_then(|found| found.explained).context("the run left no plan")?;
    println!("{}", serde_json::to_string_pretty(&estimate)?);
    Ok(ExitCode::SUCCESS)
}

fn ensure_success(outcome: &Outcome) -> anyhow::Result<()> {
    match outcome.status {
        Status::Succeeded => Ok(()),
        _ => bail!("{}", outcome.reason.as_deref().unwrap_or("the run did not succeed")),
    }
}

async fn say(
    bucket: &S3Bucket,
    outcome: &Outcome,
    simulated: Option<(Option<Size>, Option<u32>)>,
) -> anyhow::Result<ExitCode> {
    ensure_success(outcome)?;
    if let Some((size, asked)) = simulated {
        let key = Key::Plan(&outcome.run).to_string();
        let plan: Option<Plan> = tidemill_protocol::context::find(bucket, &key).await?;
        let plan = plan.and_then(|p| p.explains).context("the run left no plan")?;
        simulate::simulate(&plan, size, asked).iter().for_each(|line| println!("{line}"));
        return Ok(ExitCode::SUCCESS);
    }
    lines(bucket, outcome).await?.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

/// What a run says that explains a statement.
pub(crate) async fn lines(bucket: &S3Bucket, outcome: &Outcome) -> anyhow::Result<Vec<String>> {
    let (_, batches) = read(bucket, outcome).await?;
    let mut said = vec![];
    for batch in &batches {
        let lines = compute::cast(batch.column(1), &DataType::Utf8)?;
        said.extend(lines.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(said)
}
