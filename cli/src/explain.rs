use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::Key;
use tidemill_protocol::record::{Plan, Status};

use crate::client::{Client, Target};
use crate::options::Options;
use crate::results::read;
use crate::run::{self, Job};
use crate::simulate::{self, Size};

/// Partitions of a plan of which only the shape counts.
const SPREAD: u32 = 16;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidemill explain top.sql
  tidemill explain -e \"SELECT carrier, count(*) FROM flights GROUP BY carrier\"
  tidemill explain top.sql --partitions 16
  tidemill explain top.sql --simulate 10TB --partitions 10000

A job that holds EXPLAIN and a statement says the same.")]
pub(crate) struct ExplainArgs {
    /// A file that holds one SQL statement.
    #[arg(required_unless_present = "sql", conflicts_with = "sql")]
    file: Option<PathBuf>,
    /// The SQL itself.
    #[arg(short = 'e', value_name = "SQL")]
    sql: Option<String>,
    /// Play the run against the model of its cost, over so many bytes of tables, such as 10TB, or as
    /// many as there are.
    #[arg(long, value_name = "SIZE", num_args = 0..=1)]
    simulate: Option<Option<Size>>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    options: Options,
}

impl ExplainArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let sql = match (&self.file, &self.sql) {
            (Some(path), _) => std::fs::read_to_string(path)
                .with_context(|| format!("reading {} failed", path.display()))?,
            (None, Some(sql)) => sql.clone(),
            (None, None) => bail!("name a file, or give the SQL with -e"),
        };
        let mut options = self.options.clone();
        let asked = options.partitions;
        if let Some(Some(_)) = self.simulate {
            // more data than there is is spread, even if what there is would not be
            options.partitions = Some(asked.map_or(SPREAD, |n| n.min(SPREAD)));
        }
        let job = Job::of_sql("explain", format!("EXPLAIN {sql}"), &options);
        let simulate = self.simulate.map(|size| (size, asked));
        Client::with(&self.target, async |bucket| explain(bucket, &job, simulate).await).await
    }
}

async fn explain(
    bucket: &S3Bucket,
    job: &Job,
    simulated: Option<(Option<Size>, Option<u32>)>,
) -> anyhow::Result<ExitCode> {
    let outcome = run::submit_and_wait(bucket, job).await?;
    if outcome.status != Status::Succeeded {
        bail!("{}", outcome.reason.unwrap_or_default());
    }
    if let Some((size, asked)) = simulated {
        let key = Key::Plan(&outcome.run).to_string();
        let plan: Option<Plan> = tidemill_protocol::context::find(bucket, &key).await?;
        let plan = plan.and_then(|p| p.explains).context("the run left no plan")?;
        simulate::simulate(&plan, size, asked).iter().for_each(|line| println!("{line}"));
        return Ok(ExitCode::SUCCESS);
    }
    let (_, batches) = read(bucket, &outcome).await?;
    for batch in &batches {
        let lines = datafusion::arrow::compute::cast(
            batch.column(1),
            &datafusion::arrow::datatypes::DataType::Utf8,
        )?;
        let lines = datafusion::arrow::array::AsArray::as_string::<i32>(&lines);
        lines.iter().flatten().for_each(|line| println!("{line}"));
    }
    Ok(ExitCode::SUCCESS)
}
