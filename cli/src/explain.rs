use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::record::Status;

use crate::client::{Client, Target};
use crate::options::Options;
use crate::results::read;
use crate::run::{self, Job};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidemill explain top.sql
  tidemill explain -e \"SELECT carrier, count(*) FROM flights GROUP BY carrier\"
  tidemill explain top.sql --partitions 16

A job that holds EXPLAIN and a statement says the same.")]
pub(crate) struct ExplainArgs {
    /// A file that holds one SQL statement.
    #[arg(required_unless_present = "sql", conflicts_with = "sql")]
    file: Option<PathBuf>,
    /// The SQL itself.
    #[arg(short = 'e', value_name = "SQL")]
    sql: Option<String>,
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
        let job = Job::of_sql("explain", format!("EXPLAIN {sql}"), &self.options);
        Client::with(&self.target, async |bucket| explain(bucket, &job).await).await
    }
}

async fn explain(bucket: &S3Bucket, job: &Job) -> anyhow::Result<ExitCode> {
    let outcome = run::submit_and_wait(bucket, job).await?;
    if outcome.status != Status::Succeeded {
        bail!("{}", outcome.reason.unwrap_or_default());
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
