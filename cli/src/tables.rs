use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
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

/// Lists the tables, or the columns of one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TablesArgs {
    /// The table whose columns are listed: NAME for tables/NAME/.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    table: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl TablesArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| {
            match &self.table {
                None => list(bucket).await?,
                Some(table) => self.columns(bucket, table).await?,
            }
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
        let width = schema.fields().iter().map(|f| f.name().chars().count()).max().unwrap_or(0);
        for field in schema.fields() {
            println!("{:<width$}  {}", field.name(), sql_type(field.data_type()));
        }
        Ok(())
    }
}

async fn list(bucket: &S3Bucket) -> anyhow::Result<()> {
    let mut tables: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for object in bucket.list(Key::TABLES).await? {
        let path = object.key.strip_prefix(Key::TABLES).and_then(|rest| rest.split_once('/'));
        let Some((table, _)) = path.filter(|_| !is_hidden(&object.key)) else { continue };
        let (files, bytes) = tables.entry(table.to_owned()).or_default();
        *files += 1;
        *bytes += object.size;
    }
    println!("{:>9} {:>16}  table", "files", "bytes");
    for (table, (files, bytes)) in &tables {
        println!("{files:>9} {bytes:>16}  {table}");
    }
    eprintln!("{} tables under s3://{}/{}", tables.len(), bucket.name(), Key::TABLES);
    Ok(())
}

/// A type as SQL and `_schema.json` name it.
fn sql_type(kind: &DataType) -> String {
    let list = |fields: &[&Field]| {
        let texts = fields.iter().map(|f| format!("{} {}", f.name(), sql_type(f.data_type())));
        texts.collect::<Vec<_>>().join(", ")
    };
    match kind {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::UInt8 => "tinyint unsigned".into(),
        DataType::UInt16 => "smallint unsigned".into(),
        DataType::UInt32 => "int unsigned".into(),
        DataType::UInt64 => "bigint unsigned".into(),
        DataType::Float32 => "real".into(),
        DataType::Float64 => "double".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytea".into(),
        DataType::Date32 => "date".into(),
        DataType::Time32(_) | DataType::Time64(_) => "time".into(),
        DataType::Interval(_) => "interval".into(),
        DataType::Timestamp(unit, zone) => {
            let zone = if zone.is_some() { " with time zone" } else { "" };
            format!("timestamp({}){zone}", digits(*unit))
        }
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => format!("decimal({p}, {s})"),
        DataType::Dictionary(_, values) => sql_type(values),
        DataType::List(of) | DataType::LargeList(of) => format!("{}[]", sql_type(of.data_type())),
        DataType::Struct(fields) => {
            format!("struct({})", list(&fields.iter().map(AsRef::as_ref).collect::<Vec<_>>()))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if entry.len() == 2 => {
                let of = |n: usize| sql_type(entry[n].data_type());
                format!("map({}, {})", of(0), of(1))
            }
            _ => kind.to_string(),
        },
        _ => kind.to_string(),
    }
}

/// Digits of a second.
fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
