use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use tidemill_aws::S3Bucket;
use tidemill_protocol::param::Params;
use tidemill_protocol::record::{Outcome, Status};
use tidemill_protocol::{JobName, Key};

use crate::client::{Client, Target};
use crate::options::Options;
use crate::parameters::Parameters;
use crate::results::Printer;
use crate::statement::StatementArgs;
use crate::submit::{submit, submit_and_wait};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidemill run top.sql
  tidemill run -e \"SELECT carrier, count(*) FROM flights GROUP BY carrier\" --format csv
  tidemill run top.sql --on-bad-row quarantine --max-cost-usd 0.50
  tidemill run top.sql --local data --output top.parquet
  tidemill run -e 'SELECT * FROM flights WHERE carrier = $c AND day = $1' --param c=AA --param 1=2013-01-31
  tidemill run - --format csv < top.sql > top.csv
  tidemill run top.sql --detach                          prints the run's id; `tidemill wait RUN` waits for its end

Ctrl-C asks whether the run is to be cancelled or left at work; where nobody can be asked it cancels the run and
waits for its end, and a second one leaves at once. The exit status is 0 if the run succeeded, 130 after Ctrl-C,
else 1.")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    statement: StatementArgs,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    printer: Printer,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    parameters: Parameters,
    /// Do not wait for the end: print the run's id.
    #[arg(short, long, conflicts_with_all = ["local", "format", "output"])]
    detach: bool,
}

/// A job ready to be dropped.
pub(crate) struct Job {
    pub(crate) name: String,
    /// Without the dot.
    pub(crate) extension: &'static str,
    pub(crate) text: String,
}

impl RunArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        self.printer.check()?;
        let job = self.job()?;
        Client::with(&self.target, async |bucket| {
            if self.detach {
                println!("{}", submit(bucket, &job).await?);
                return Ok(ExitCode::SUCCESS);
            }
            let outcome = submit_and_wait(bucket, &job, &self.target).await?;
            show(bucket, &outcome, &self.printer).await
        })
        .await
    }

    fn job(&self) -> anyhow::Result<Job> {
        let statement = self.statement.read()?;
        if !statement.is_json {
            let params = self.parameters.params();
            return Ok(Job::of_sql_with(&statement.name, statement.text, &self.options, &params));
        }
        if self.options != Options::default() {
            bail!("a .json job states its options itself: write them there, under options");
        }
        if !self.parameters.params().is_empty() {
            bail!("a .json job states its parameters itself: write them there, under params");
        }
        let name = JobName::new(&statement.name).to_string();
        Ok(Job { name, extension: "json", text: statement.text })
    }
}

/// Prints the rows of a run that succeeded, or says where they are, or why there are none.
pub(crate) async fn show(
    bucket: &S3Bucket,
    outcome: &Outcome,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    if outcome.status != Status::Succeeded {
        report(bucket, outcome)?;
        return Ok(ExitCode::FAILURE);
    }
    if let Some(lines) = outcome.bad_rows.filter(|n| *n > 0) {
        let folder = Key::rejects_folder(&outcome.job, &outcome.run);
        let what = if lines == 1 { "line" } else { "lines" };
        eprintln!("{lines} bad {what} set aside in s3://{}/{folder}", bucket.name());
    }
    if outcome.into.is_some() {
        report(bucket, outcome)?;
        printer.say_unused();
    } else {
        printer.print(bucket, outcome).await?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Job {
    pub(crate) fn of_sql(name: &str, sql: String, options: &Options) -> Self {
        Self::of_sql_with(name, sql, options, &Params::new())
    }

    pub(crate) fn of_sql_with(name: &str, sql: String, options: &Options, params: &Params) -> Self {
        let name = JobName::new(name).to_string();
        if *options == Options::default() && params.is_empty() {
            return Self { name, extension: "sql", text: sql };
        }
        let job = json!({ "sql": sql, "options": options, "params": params });
        Self { name, extension: "json", text: job.to_string() }
    }
}

/// Says how a run ended whose rows are not printed.
pub(crate) fn report(bucket: &S3Bucket, outcome: &Outcome) -> anyhow::Result<()> {
    if let (Status::Succeeded, Some(into)) = (outcome.status, &outcome.into) {
        println!(
            "{} rows in {} files, {} bytes, are in s3://{}/{into}",
            outcome.rows,
            outcome.files.len(),
            outcome.bytes,
            bucket.name()
        );
        return Ok(());
    }
    eprintln!("error: {}", outcome.reason.as_deref().unwrap_or("the run did not succeed"));
    let marker = Key::Failed(&outcome.job, &outcome.run);
    eprintln!("       s3://{}/{marker} tells the same", bucket.name());
    Ok(())
}
