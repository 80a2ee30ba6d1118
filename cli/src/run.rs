use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::dispatch::SUBMISSION;
use tidemill_protocol::record::{Outcome, Run, Status};
use tidemill_protocol::status::status;
use tidemill_protocol::{JobName, Key, RunId, context};

use crate::client::{Client, Target};
use crate::options::Options;
use crate::progress::Progress;
use crate::results::Printer;

/// How often the bucket is asked how far a run is.
const POLL: Duration = Duration::from_millis(100);

/// How long a submitted job may go unnoticed before that is said.
const UNNOTICED: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidemill run top.sql
  tidemill run -e \"SELECT carrier, count(*) FROM flights GROUP BY carrier\" --format csv
  tidemill run top.sql --on-bad-row quarantine --max-cost-usd 0.50
  tidemill run top.sql --local data --output top.parquet --format parquet")]
pub(crate) struct RunArgs {
    /// A job file: .sql or .json.
    #[arg(required_unless_present = "sql", conflicts_with = "sql")]
    file: Option<PathBuf>,
    /// The SQL itself.
    #[arg(short = 'e', value_name = "SQL")]
    sql: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    printer: Printer,
    #[command(flatten)]
    options: Options,
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
        let job = self.job()?;
        self.printer.check()?;
        Client::with(&self.target, async |bucket| run(bucket, &job, &self.printer).await).await
    }

    fn job(&self) -> anyhow::Result<Job> {
        let (name, text, is_json) = match (&self.file, &self.sql) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("reading {} failed", path.display()))?;
                let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
                let is_json = path.extension().is_some_and(|e| e == "json");
                (stem.unwrap_or_default(), text, is_json)
            }
            (None, Some(sql)) => ("query".to_owned(), sql.clone(), false),
            (None, None) => bail!("name a job file, or give the SQL with -e"),
        };
        if !is_json {
            return Ok(Job::of_sql(&name, text, &self.options));
        }
        if self.options != Options::default() {
            bail!("a .json job states its options itself: write them there, under options");
        }
        Ok(Job { name: JobName::new(&name).to_string(), extension: "json", text })
    }
}

async fn run(bucket: &S3Bucket, job: &Job, printer: &Printer) -> anyhow::Result<ExitCode> {
    let outcome = submit_and_wait(bucket, job).await?;
    show(bucket, &outcome, printer).await
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
    } else {
        printer.print(bucket, outcome).await?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Job {
    pub(crate) fn of_sql(name: &str, sql: String, options: &Options) -> Self {
        let name = JobName::new(name).to_string();
        if *options == Options::default() {
            return Self { name, extension: "sql", text: sql };
        }
        let job = json!({ "sql": sql, "options": options });
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

/// Drops a job, follows its run, and returns how it ended.
pub(crate) async fn submit_and_wait(bucket: &S3Bucket, job: &Job) -> anyhow::Result<Outcome> {
    let submission = uuid::Uuid::new_v4().simple().to_string();
    let key = format!("{}{}.{}", Key::JOBS, job.name, job.extension);
    bucket
        .put(&key, job.text.clone().into(), &[(SUBMISSION, &submission)])
        .await
        .with_context(|| format!("dropping the job at s3://{}/{key} failed", bucket.name()))?;
    let run = find_run(bucket, &JobName::new(&job.name), &submission).await?;
    follow(bucket, &run).await
}

/// The run that a submission started.
async fn find_run(bucket: &S3Bucket, job: &JobName, submission: &str) -> anyhow::Result<RunId> {
    let prefix = format!("{}{}", Key::RUNS, RunId::prefix(job));
    let start = Instant::now();
    let mut others = std::collections::HashSet::new();
    let mut said = false;
    loop {
        let objects = bucket.list(&prefix).await?;
        let runs = objects.into_iter().filter(|o| o.key.ends_with("/run.json"));
        for object in runs {
            if others.contains(&object.key) {
                continue;
            }
            let found: Option<Run> = context::find(bucket, &object.key).await?;
            match found {
                Some(run) if run.submission.as_deref() == Some(submission) => return Ok(run.run),
                _ => others.insert(object.key),
            };
        }
        if start.elapsed() > UNNOTICED && !said {
            said = true;
            eprintln!("still waiting for the planner to notice the job …");
        }
        tokio::time::sleep(POLL / 4).await;
    }
}

/// Shows a run's progress until it ends.
async fn follow(bucket: &S3Bucket, run: &RunId) -> anyhow::Result<Outcome> {
    let mut progress = Progress::new(run);
    loop {
        let found = status(bucket, run).await?;
        let found = found.with_context(|| format!("run {run} has disappeared"))?;
        progress.show(&found);
        if let Some(outcome) = found.outcome {
            progress.finish(&outcome);
            wait_for_marker(bucket, &outcome).await?;
            return Ok(outcome);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The outcome decides; what follows it should be there too before we say so.
async fn wait_for_marker(bucket: &S3Bucket, outcome: &Outcome) -> anyhow::Result<()> {
    let closed = Key::Closed(&outcome.run).to_string();
    let start = Instant::now();
    while bucket.head(&closed).await?.is_none() && start.elapsed() < UNNOTICED {
        tokio::time::sleep(POLL / 4).await;
    }
    Ok(())
}
