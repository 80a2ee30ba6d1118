use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use datafusion::arrow::datatypes::Field;
use serde_json::json;
use tidemill_aws::S3Bucket;
use tidemill_compute::sql_type;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::job::Column;
use tidemill_protocol::record::Status;
use tidemill_protocol::{Key, is_hidden};

use crate::client::{Client, Target};
use crate::options::Options;
use crate::results::read;
use crate::run::Job;
use crate::submit::submit_and_wait;

const EXAMPLES: &str = "Examples:
  tidemill tables                       the tables of the emulator on port 4566
  tidemill tables flights               the columns of tables/flights/, and their types
  tidemill tables --bucket my-bucket";

const DESCRIBE_EXAMPLES: &str = "Examples:
  tidemill describe flights
  tidemill describe flights --json";

/// Lists the tables, or the columns of one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TablesArgs {
    /// The table whose columns are listed: NAME for tables/NAME/.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    table: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Says the columns of a table, and their types.
#[derive(Debug, Args)]
#[command(after_help = DESCRIBE_EXAMPLES)]
pub(crate) struct DescribeArgs {
    /// The table: NAME for tables/NAME/.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    table: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl TablesArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        match &self.table {
            Some(table) => self.how.say_columns(table).await,
            None => {
                Client::with(&self.how.target, async |bucket| {
                    list(bucket, self.how.json).await?;
                    Ok(ExitCode::SUCCESS)
                })
                .await
            }
        }
    }
}

impl DescribeArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        self.how.say_columns(&self.table).await
    }
}

impl How {
    async fn say_columns(&self, table: &str) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| {
            self.columns(bucket, table).await?;
            Ok(ExitCode::SUCCESS)
        })
        .await
    }

    /// The columns that a statement sees, so those of partition folders, too.
    async fn columns(&self, bucket: &S3Bucket, table: &str) -> anyhow::Result<()> {
        let table = table.trim_start_matches(Key::TABLES).trim_end_matches('/');
        let sql = format!("SELECT * FROM \"{}\" LIMIT 0", table.replace('"', "\"\""));
        let job = Job::of_sql("columns", sql, &Options::default());
        let outcome = submit_and_wait(bucket, &job, &self.target).await?;
        if outcome.status != Status::Succeeded {
            bail!("{}", outcome.reason.as_deref().unwrap_or("the run did not succeed"));
        }
        let (schema, _) = read(bucket, &outcome).await?;
        if self.json {
            let column = |field: &Arc<Field>| Column {
                name: field.name().clone(),
                sql_type: sql_type::name(field.data_type()),
            };
            let columns: Vec<_> = schema.fields().iter().map(column).collect();
            println!(
                "{}",
                serde_json::to_string_pretty(&json!({ "table": table, "columns": columns }))?
            );
            return Ok(());
        }
        let width = schema.fields().iter().map(|f| f.name().chars().count()).max().unwrap_or(0);
        for field in schema.fields() {
            println!("{:<width$}  {}", field.name(), sql_type::name(field.data_type()));
        }
        Ok(())
    }
}

/// The number of files of each table, and their bytes, by its name.
pub(crate) async fn tables(bucket: &S3Bucket) -> anyhow::Result<BTreeMap<String, (usize, u64)>> {
    let mut tables: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for object in bucket.list(Key::TABLES).await? {
        let path = object.key.strip_prefix(Key::TABLES).and_then(|rest| rest.split_once('/'));
        let Some((table, file)) = path else { continue };
        if file == "_schema.json" {
            tables.entry(table.to_owned()).or_default(); // declared, and perhaps without a file
        }
        if is_hidden(&object.key) {
            continue;
        }
        let (files, bytes) = tables.entry(table.to_owned()).or_default();
        *files += 1;
        *bytes += object.size;
    }
    Ok(tables)
}

async fn list(bucket: &S3Bucket, is_json: bool) -> anyhow::Result<()> {
    let tables = tables(bucket).await?;
    if is_json {
        let table = |(table, (files, bytes)): (&String, &(usize, u64))| json!({ "table": table, "files": files, "bytes": bytes });
        let tables: Vec<_> = tables.iter().map(table).collect();
        println!("{}", serde_json::to_string_pretty(&json!({ "tables": tables }))?);
        return Ok(());
    }
    println!("{:>9} {:>16}  table", "files", "bytes");
    for (table, (files, bytes)) in &tables {
        println!("{files:>9} {bytes:>16}  {table}");
    }
    eprintln!("{} tables under s3://{}/{}", tables.len(), bucket.name(), Key::TABLES);
    Ok(())
}
