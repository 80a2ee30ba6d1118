//! The columns of a table: declared, or inferred from each file and merged.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tidemill_protocol::Key;
use tidemill_protocol::job::{Column, CsvOptions, Format, JobSpec, OnBadRow, TableOptions};
use tidemill_protocol::pipeline::Pipeline;
use tidemill_protocol::record::PinnedObject;

use super::files;
use super::foreign;
use super::locate::{Location, Reference};
use super::{EncodedSchema, FileStatistics, Table, TableFile, in_key, lines, parquet, text, unify};
use crate::error::{Failure, refused};
use crate::quarantine::{self, Rules, fields_of_first_line};
use crate::store::{PinnedFiles, PinnedStore};

/// How many files are looked into at once.
const PARALLEL_FILES: usize = 16;

/// Finds, lists, pins and describes the table that a name of the SQL stands for.
pub(crate) async fn pin(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    reference: &Reference,
    spec: &JobSpec,
    input: Option<&PinnedObject>,
) -> Result<Table, Failure> {
    let name = reference.name.table();
    let mut options = spec.table(name).cloned().unwrap_or_default();
    let input = input.filter(|_| name == Pipeline::INPUT && options.location.is_none());
    let (location, files) = match input {
        Some(pinned) => {
            foreign::check_above(store, &pinned.key).await?;
            (Location::Object(pinned.key.clone()), vec![input_meta(store, pinned).await?])
        }
        None => {
            let location = match &options.location {
                Some(location) => Location::parse(location, bucket)?,
                None => Location::of_table(reference, bucket)?,
            };
            let files = files::list(store, &location).await?;
            (location, files)
        }
    };
    options = options.or(declared(store, &location).await?);
    let files = files::with_bytes(files, &location, &options)?;
    if files.is_empty() && options.columns.is_none() {
        return Err(files::not_found(store, reference, &location).await);
    }
    let bad = spec.options.on_bad_row;
    examine(state, store, name, &location, &files, &options, bad).await
}

/// The table at a folder as it is now; `None` if there are neither files nor declared columns.
pub(crate) async fn find(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    folder: &str,
    spec: &JobSpec,
) -> Result<Option<Table>, Failure> {
    let location = Location::Folder(folder.to_owned());
    let files = files::list(store, &location).await?;
    let name = folder.strip_prefix(Key::TABLES).unwrap_or(folder).trim_end_matches('/');
    let options = spec.tables.get(name).cloned().unwrap_or_default();
    let options = options.or(declared(store, &location).await?);
    let files: Vec<_> = files.into_iter().filter(|f| f.size > 0).collect();
    if files.is_empty() && options.columns.is_none() {
        return Ok(None);
    }
    let bad = spec.options.on_bad_row;
    examine(state, store, name, &location, &files, &options, bad).await.map(Some)
}

/// How CSV files of a table are written that may have neither files nor declared columns.
pub(crate) async fn dialect(
    store: &Arc<dyn ObjectStore>,
    folder: &str,
    spec: &JobSpec,
) -> Result<CsvOptions, Failure> {
    let name = folder.strip_prefix(Key::TABLES).unwrap_or(folder).trim_end_matches('/');
    let options = spec.tables.get(name).cloned().unwrap_or_default();
    let options = options.or(declared(store, &Location::Folder(folder.to_owned())).await?);
    csv_options(&options, folder)
}

/// Looks into the files of a table.
async fn examine(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    name: &str,
    location: &Location,
    files: &[ObjectMeta],
    options: &TableOptions,
    on_bad_row: OnBadRow,
) -> Result<Table, Failure> {
    let format = files::format(files, options)?;
    let csv = csv_options(options, files.first().map_or("", |f| f.location.as_ref()))?;
    let (mut partition_columns, mut table_files) = files::partitions(files, location.folder())?;
    let quarantine = format != Format::Parquet && on_bad_row == OnBadRow::Quarantine;
    let pinned = pinned(store, files, &table_files, None);
    let (schema, statistics) = match &options.columns {
        Some(columns) => {
            let declared = declared_schema(state, name, columns).await?;
            let is_text = format != Format::Parquet;
            (if is_text { in_microseconds(&declared, columns) } else { declared }, None)
        }
        None if quarantine && !files.is_empty() => {
            let rules = form(&pinned, &files[0], format, &csv).await?;
            let good = self::pinned(store, files, &table_files, Some(rules));
            (Arc::new(text::infer(&*good, files, format, &csv, true).await?), None)
        }
        None if format == Format::Parquet => infer(&pinned, files).await?,
        None => (Arc::new(text::infer(&*pinned, files, format, &csv, false).await?), None),
    };
    if options.columns.is_some() {
        in_key::declare(&mut partition_columns, &schema, &table_files)?;
    }
    let by_place = format == Format::Csv && !csv.header;
    let inner = in_key::without(&schema, &partition_columns, by_place, files)?;
    let inferred = format != Format::Parquet && options.columns.is_none();
    if format == Format::Csv && csv.split {
        let columns = schema.fields().len();
        find_lines(&pinned, files, &mut table_files, &csv, columns).await?;
    }
    // a column that is also in the key is not the table's
    let statistics = statistics.map(|s| s.project(&schema, &inner));
    let (name, schema) = (name.to_owned(), EncodedSchema(Arc::new(inner)));
    let files = table_files;
    Ok(Table {
        name,
        format,
        csv,
        quarantine,
        inferred,
        schema,
        partition_columns,
        files,
        statistics,
    })
}

/// A store of the files of a table, and of their good lines if there are rules.
fn pinned(
    store: &Arc<dyn ObjectStore>,
    metas: &[ObjectMeta],
    files: &[TableFile],
    rules: Option<Rules>,
) -> Arc<dyn ObjectStore> {
    let mut pinned = PinnedFiles::new(rules);
    for (meta, file) in metas.iter().zip(files) {
        pinned.insert(meta.location.clone(), file, None);
    }
    Arc::new(PinnedStore::new(store.clone(), 0, Arc::new(pinned), Arc::default()))
}

/// What the lines of a table have to be before its columns are known.
async fn form(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
    format: Format,
    csv: &CsvOptions,
) -> Result<Rules, Failure> {
    let fields = match format {
        Format::Csv => {
            let gzip = files::is_gzip(file.location.as_ref());
            let start = quarantine::start(&**store, file, gzip, text::HEADER_BYTES_MAX).await?;
            fields_of_first_line(csv, &start)
        }
        _ => 0,
    };
    Ok(Rules::of_form(format, csv, fields))
}

/// Where the large files of a table may be cut.
async fn find_lines(
    store: &Arc<dyn ObjectStore>,
    metas: &[ObjectMeta],
    files: &mut [TableFile],
    csv: &CsvOptions,
    columns: usize,
) -> Result<(), Failure> {
    for (meta, file) in metas.iter().zip(files).filter(|(_, f)| !f.gzip) {
        file.lines = lines::line_starts(store, meta, csv, columns).await?;
    }
    Ok(())
}

/// The file that a pipeline runs on, at the version of its event.
async fn input_meta(
    store: &Arc<dyn ObjectStore>,
    pinned: &PinnedObject,
) -> Result<ObjectMeta, Failure> {
    let meta = store.head(&files::path(&pinned.key)?).await?;
    if meta.e_tag.as_deref().map(|e| e.trim_matches('"')) != Some(pinned.etag.as_str()) {
        let source = "another version was uploaded".into();
        return Err(object_store::Error::Precondition { path: pinned.key.clone(), source }.into());
    }
    Ok(meta)
}

/// `_schema.json` in the table's folder.
async fn declared(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
) -> Result<TableOptions, Failure> {
    let folder = match location {
        Location::Object(key) => key.rsplit_once('/').map_or("", |(folder, _)| folder),
        other => other.folder().trim_end_matches('/'),
    };
    let key =
        if folder.is_empty() { "_schema.json".into() } else { format!("{folder}/_schema.json") };
    let object = match store.get(&files::path(&key)?).await {
        Ok(object) => object.bytes().await?,
        Err(object_store::Error::NotFound { .. }) => return Ok(TableOptions::default()),
        Err(e) => return Err(e.into()),
    };
    serde_json::from_slice(&object)
        .map_err(|e| Failure::Refused(format!("{key} is not a valid table description: {e}")))
}

fn csv_options(options: &TableOptions, key: &str) -> Result<CsvOptions, Failure> {
    let mut csv = options.csv.clone().unwrap_or_default();
    if options.csv.is_none() && key.trim_end_matches(".gz").ends_with(".tsv") {
        csv.delimiter = '\t';
    }
    let chars = [
        ("delimiter", Some(csv.delimiter)),
        ("quote", Some(csv.quote)),
        ("escape", csv.escape),
        ("comment", csv.comment),
    ];
    for (what, c) in chars {
        if c.is_some_and(|c| !c.is_ascii()) {
            return refused(format!("the {what} of {key} must be one ASCII character"));
        }
    }
    Ok(csv)
}

/// The columns that `_schema.json` or the job declares, with their SQL types.
async fn declared_schema(
    state: &SessionState,
    table: &str,
    columns: &[Column],
) -> Result<SchemaRef, Failure> {
    let list: Vec<_> = columns
        .iter()
        .map(|c| format!("\"{}\" {}", c.name.replace('"', "\"\""), c.sql_type))
        .collect();
    let ddl = format!("CREATE EXTERNAL TABLE t ({}) STORED AS CSV LOCATION 'x'", list.join(", "));
    let invalid = |e: &dyn std::fmt::Display| {
        Failure::Refused(format!("the declared columns of table {table} are not valid: {e}"))
    };
    match state.create_logical_plan(&ddl).await {
        Ok(LogicalPlan::Ddl(DdlStatement::CreateExternalTable(created)))
            if created.schema.fields().len() == columns.len() =>
        {
            Ok(with_zones(created.schema.as_arrow(), columns))
        }
        Ok(_) => Err(invalid(&"a type holds more than a type")),
        Err(e) => Err(invalid(&crate::error::sentence(&e))),
    }
}

/// A column that holds instants, which DataFusion's planner takes for a clock's time.
fn with_zones(schema: &Schema, columns: &[Column]) -> SchemaRef {
    let is_instant = |sql_type: &str| {
        let parser = Parser::new(&GenericDialect {}).try_with_sql(sql_type);
        let parsed = parser.and_then(|mut parser| parser.parse_data_type());
        matches!(parsed, Ok(SqlType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz)))
    };
    let field = |(field, column): (&FieldRef, &Column)| match field.data_type() {
        DataType::Timestamp(unit, None) if is_instant(&column.sql_type) => {
            let instant = DataType::Timestamp(*unit, Some("UTC".into()));
            Arc::new(field.as_ref().clone().with_data_type(instant))
        }
        _ => field.clone(),
    };
    let fields = schema.fields().iter().zip(columns).map(field);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A timestamp of text has the microseconds of SQL's, unless nanoseconds are asked for: those do
/// not reach the year 9999.
fn in_microseconds(schema: &Schema, columns: &[Column]) -> SchemaRef {
    let field = |(field, column): (&FieldRef, &Column)| match field.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) if !column.sql_type.contains('9') => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            Arc::new(field.as_ref().clone().with_data_type(micros))
        }
        _ => field.clone(),
    };
    let fields = schema.fields().iter().zip(columns).map(field);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Looks into every file and merges what it finds; statistics where all files have them.
async fn infer(
    store: &Arc<dyn ObjectStore>,
    files: &[ObjectMeta],
) -> Result<(SchemaRef, Option<FileStatistics>), Failure> {
    let looks: Vec<_> = files.iter().map(|file| infer_file(store, file)).collect();
    let found: Vec<(Schema, Option<FileStatistics>)> =
        stream::iter(looks).buffered(PARALLEL_FILES).try_collect().await?;
    let mut merged = Merged::default();
    for ((schema, _), file) in found.iter().zip(files) {
        merged.add(schema, file.location.as_ref())?;
    }
    let schema = merged.into_schema();
    unify::check(&found, files, &schema)?;
    let known: Option<Vec<_>> = found.into_iter().map(|(own, s)| Some((own, s?))).collect();
    let statistics = known.and_then(|files| FileStatistics::merge(&files, &schema));
    Ok((Arc::new(schema), statistics))
}

fn unique_names(schema: &Schema, key: &str) -> Result<(), Failure> {
    for (number, field) in schema.fields().iter().enumerate() {
        if schema.fields()[..number].iter().any(|f| f.name() == field.name()) {
            return refused(format!(
                "column {} appears twice in {key}: rename one, or declare the columns in _schema.json",
                field.name()
            ));
        }
    }
    Ok(())
}

async fn infer_file(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
) -> Result<(Schema, Option<FileStatistics>), Failure> {
    // damaged files make some decoders panic
    let inferred = AssertUnwindSafe(parquet::infer(store, file)).catch_unwind().await;
    let inferred = inferred.unwrap_or_else(|panic| Err(Failure::of_decoder(&*panic)));
    inferred.map_err(|e| match e {
        e if e.store_error().is_some() => e,
        e => Failure::Refused(format!(
            "{} cannot be read as {}: {}",
            file.location,
            title(Format::Parquet),
            describe(&e)
        )),
    })
}

fn describe(failure: &Failure) -> String {
    match failure {
        Failure::DataFusion(e) => crate::error::sentence(e),
        other => other.to_string(),
    }
}

pub(crate) fn title(format: Format) -> &'static str {
    match format {
        Format::Parquet => "Parquet",
        Format::Csv => "CSV",
        Format::Json => "newline-delimited JSON",
    }
}

/// The columns of the files so far, each with the file that decided it.
#[derive(Default)]
struct Merged {
    fields: Vec<(Field, String)>,
    files: usize,
}

impl Merged {
    fn add(&mut self, schema: &Schema, key: &str) -> Result<(), Failure> {
        unique_names(schema, key)?;
        self.files += 1;
        for field in schema.fields() {
            match self.fields.iter_mut().find(|(f, _)| f.name() == field.name()) {
                None => self.fields.push((field.as_ref().clone(), key.to_owned())),
                Some((known, other)) => {
                    let common = unify::common(known.data_type(), field.data_type());
                    let Some(data_type) = common else {
                        return refused(format!(
                            "{other} and {key} are of one table but differ in column {}: {} and {}; \
                             declare the column in _schema.json, or move one of the files",
                            field.name(),
                            known.data_type(),
                            field.data_type()
                        ));
                    };
                    if known.data_type().is_null() {
                        key.clone_into(other);
                    }
                    let nullable = known.is_nullable() || field.is_nullable();
                    *known = Field::new(field.name(), data_type, nullable);
                }
            }
        }
        Ok(())
    }

    fn into_schema(self) -> Schema {
        let several = self.files > 1;
        let fields = self.fields.into_iter().map(|(field, _)| {
            let nullable = field.is_nullable() || several;
            field.with_nullable(nullable)
        });
        Schema::new(fields.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: &[(&str, DataType)]) -> Schema {
        Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>())
    }

    #[test]
    fn files_whose_columns_conflict_are_both_named() {
        let mut merged = Merged::default();
        merged.add(&schema(&[("a", DataType::Int64)]), "t/1.parquet").expect("first");
        let error = merged
            .add(&schema(&[("a", DataType::Utf8)]), "t/2.parquet")
            .expect_err("a conflict")
            .to_string();
        assert!(
            error.contains("t/1.parquet")
                && error.contains("t/2.parquet")
                && error.contains("column a")
        );
    }

    #[test]
    fn a_file_without_values_takes_the_type_of_another() {
        let mut merged = Merged::default();
        merged.add(&schema(&[("a", DataType::Null)]), "1").expect("first");
        merged.add(&schema(&[("a", DataType::Int64)]), "2").expect("second");
        merged.add(&schema(&[("a", DataType::Float64)]), "3").expect("third");
        assert_eq!(merged.into_schema().field(0).data_type(), &DataType::Float64);
    }
}
