use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::RunId;
use tidemill_protocol::report::{RunRecords, html, trace};

use crate::client::{Client, Target, no_such_run};

const EXAMPLES: &str = "Examples:
  tidemill report top-20260102T030405678Z-00ff11aa22bb                  writes <run>.html
  tidemill report RUN --compare OTHER -o both.html                      two runs side by side
  tidemill report RUN --trace -o trace.json                             for ui.perfetto.dev, speedscope, chrome://tracing

A job with the option \"report\": true leaves the page beside its result.";

/// Makes one page of a run that opens without a network, for ever: its SQL, its cost beside the estimate, when its
/// tasks ran, its stages, errors and files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReportArgs {
    /// The run, as `tidemill run` prints it.
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    /// Where to write; - is standard output. By default <run>.html, or <run>.json of a trace.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show another run beside it.
    #[arg(long, value_name = "RUN", value_parser = RunId::parse, conflicts_with = "trace")]
    compare: Option<RunId>,
    /// Write when its tasks ran as a trace (Trace Event Format) in the place of a page.
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    target: Target,
}

impl ReportArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.write(bucket).await).await
    }

    async fn write(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let now = Utc::now();
        let records = async |run: &RunId| {
            let found = RunRecords::find(bucket, run, now).await?;
            found.ok_or_else(|| no_such_run(run, bucket))
        };
        let of_run = records(&self.run).await?;
        let (text, extension) = if self.trace {
            let operators = of_run.status.stages.iter().map(|stage| stage.operators.clone());
            (trace(&of_run.tasks, &operators.collect::<Vec<_>>()).to_string(), "json")
        } else {
            let other = match &self.compare {
                Some(run) => Some(records(run).await?),
                None => None,
            };
            (html(&of_run, other.as_ref(), bucket.name(), now), "html")
        };
        let file = match &self.output {
            Some(file) if file.as_os_str() == "-" => {
                println!("{text}");
                return Ok(ExitCode::SUCCESS);
            }
            Some(file) => file.clone(),
            None => format!("{}.{extension}", self.run).into(),
        };
        if file.is_dir() {
            bail!("{} is a folder: name a file in it with --output", file.display());
        }
        std::fs::write(&file, text)
            .with_context(|| format!("writing {} failed", file.display()))?;
        println!("{}", file.display());
        Ok(ExitCode::SUCCESS)
    }
}
