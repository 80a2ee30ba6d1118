use std::process::ExitCode;

use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::record::Status;
use tidemill_protocol::{ForeignTable, Key, is_hidden};

use crate::client::{Client, Target};
use crate::options::Options;
use crate::run::{self, Job};
use crate::submit::submit_and_wait;

/// A file below this many bytes is worth being put together with others.
const SMALL_BYTES: u64 = 32 * 1024 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  tidemill compact flights      rewrites tables/flights/ as files of up to 256 MiB

It is the job INSERT OVERWRITE flights SELECT * FROM flights: the new files come before the old ones
go, and a run that fails changes nothing. What is uploaded meanwhile stays.")]
pub(crate) struct CompactArgs {
    /// The table: NAME for tables/NAME/.
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    table: String,
    #[command(flatten)]
    target: Target,
}

impl CompactArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.compact(bucket).await).await
    }

    async fn compact(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let table = self.table.trim_start_matches(Key::TABLES).trim_end_matches('/');
        let files = bucket.list(&format!("{}{table}/", Key::TABLES)).await?;
        if let Some(other) = files.iter().find_map(|f| ForeignTable::of_key(&f.key)) {
            anyhow::bail!("{other}");
        }
        let files: Vec<_> = files.into_iter().filter(|f| !is_hidden(&f.key)).collect();
        let bytes: u64 = files.iter().map(|f| f.size).sum();
        let folder = |key: &str| key.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let small: Vec<_> =
            files.iter().filter(|f| f.size < SMALL_BYTES).map(|f| folder(&f.key)).collect();
        let neighbours = small.iter().enumerate().any(|(n, f)| small[..n].contains(f));
        if !files.is_empty() && !neighbours {
            println!(
                "nothing to do: {} files of {bytes} bytes, and no small ones together",
                files.len()
            );
            return Ok(ExitCode::SUCCESS);
        }
        let name = table.replace('"', "\"\"");
        let sql = format!("INSERT OVERWRITE \"{name}\" SELECT * FROM \"{name}\"");
        let job = Job::of_sql(&format!("compact-{table}"), sql, &Options::default());
        let outcome = submit_and_wait(bucket, &job, &self.target).await?;
        run::report(bucket, &outcome)?;
        let succeeded = outcome.status == Status::Succeeded;
        Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
