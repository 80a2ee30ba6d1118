use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::execution::session_state::SessionState;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use tidemill_protocol::job::{CsvOptions, Format, JobSpec};
use tidemill_protocol::record::{PinnedObject, Publication};
use tidemill_protocol::{Key, is_table_folder};

use super::request::{WriteKind, WriteRequest};
use crate::error::{Failure, refused};
use crate::table::{self, EncodedSchema, Location, Table};

/// How the files of a table are written, as the plan pins it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) format: Format,
    pub(crate) csv: CsvOptions,
    /// The columns of the table, those of its folders last; if there is none yet, those of the
    /// query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) columns: Option<EncodedSchema>,
    /// Columns that become folders.
    pub(crate) partition_by: Vec<String>,
    /// A table without rows needs a file that tells its columns.
    pub(crate) creates: bool,
    /// `IF NOT EXISTS`, and it exists: nothing is written.
    pub(crate) is_there_already: bool,
}

/// Looks at the table that a statement writes into.
///
/// # Errors
/// A sentence, if it cannot be written as the statement asks.
pub(crate) async fn pin(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    request: &WriteRequest,
    spec: &JobSpec,
) -> Result<(Target, Publication), Failure> {
    let folder = folder(&request.folder, bucket)?;
    let found = table::find(state, store, &folder, spec).await?;
    let files = found.as_ref().map_or(&[][..], |t| &t.files);
    let exists = !files.is_empty();
    let mut is_there_already = false;
    match &request.kind {
        WriteKind::Insert { .. } | WriteKind::Overwrite { .. } if found.is_none() => {
            return refused(format!(
                "there is no table at {folder}: CREATE TABLE … AS or COPY … TO makes one"
            ));
        }
        WriteKind::Create { or_replace: false, if_not_exists } if exists => {
            if !if_not_exists {
                return refused(format!(
                    "{folder} exists already: INSERT INTO adds rows to it, CREATE OR REPLACE \
                     TABLE replaces it"
                ));
            }
            is_there_already = true;
        }
        _ => {}
    }
    let replaced = match request.replaces() {
        true => files.iter().map(pinned).collect(),
        false => vec![],
    };
    // a new table of the same name owes the old one nothing but what is declared
    let known = match request.kind {
        WriteKind::Create { .. } => found.filter(|t| t.files.is_empty()),
        _ => found,
    };
    let target = target(request, known.as_ref(), &folder)?;
    let creates = files_are_needed(request, exists);
    let csv = match known {
        Some(table) => table.csv,
        None => table::dialect(store, &folder, spec).await?, // it may be declared all the same
    };
    let target = Target { csv, creates, is_there_already, ..target };
    Ok((target, Publication { folder, replaces: replaced }))
}

/// Looks at the table that Parquet files which no statement makes become part of.
///
/// # Errors
/// A sentence, if it has files of another format, or folders.
pub(crate) async fn pin_parquet(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    folder: &str,
    spec: &JobSpec,
) -> Result<(Publication, Option<String>), Failure> {
    let request = WriteRequest::into_folder(folder);
    let (target, publication) = pin(state, store, bucket, &request, spec).await?;
    if target.format != Format::Parquet {
        return refused(format!(
            "{folder} holds {} files, and calls write Parquet: name another table",
            table::title(target.format)
        ));
    }
    if !target.partition_by.is_empty() {
        return refused(format!(
            "{folder} is partitioned by ({}), and calls write no folders: name another table, and INSERT \
             from it",
            target.partition_by.join(", ")
        ));
    }
    let columns = target.columns.map(|columns| columns.to_base64()).transpose()?;
    Ok((publication, columns))
}

fn files_are_needed(request: &WriteRequest, exists: bool) -> bool {
    !exists || request.replaces()
}

fn pinned(file: &table::TableFile) -> PinnedObject {
    PinnedObject {
        key: file.key.clone(),
        size: file.size,
        etag: file.etag.trim_matches('"').to_owned(),
    }
}

/// The folder of the bucket that a statement names.
fn folder(text: &str, bucket: &str) -> Result<String, Failure> {
    let Location::Folder(folder) = Location::parse(text, bucket)? else {
        return refused(format!("{text} is no folder to write to"));
    };
    if !is_table_folder(&folder) {
        return refused(format!(
            "{text} cannot be written to: a job writes to table folders, such as {}orders/",
            Key::TABLES
        ));
    }
    Ok(folder)
}

fn target(request: &WriteRequest, known: Option<&Table>, folder: &str) -> Result<Target, Failure> {
    let format = match (request.format, known) {
        (Some(asked), Some(table)) if asked != table.format && !request.replaces() => {
            return refused(format!(
                "{folder} holds {} files and cannot hold {} files too",
                table::title(table.format),
                table::title(asked)
            ));
        }
        (Some(asked), _) => asked,
        (None, Some(table)) => table.format,
        (None, None) => Format::Parquet,
    };
    let folders: Vec<String> = known
        .map(|t| t.partition_columns.iter().map(|c| c.name.clone()).collect())
        .unwrap_or_default();
    let has_files = known.is_some_and(|t| !t.files.is_empty());
    let partition_by = match (request.partition_by.is_empty(), has_files) {
        (true, _) => folders,
        (false, true) if folders != request.partition_by => {
            return refused(format!(
                "{folder} is partitioned by ({}) and not by ({})",
                folders.join(", "),
                request.partition_by.join(", ")
            ));
        }
        (false, _) => request.partition_by.clone(),
    };
    if let Some((name, _)) = request.options.first() {
        return refused(format!(
            "OPTIONS ({name} …) is not supported: how the files of a table are written stands in \
             {folder}_schema.json"
        ));
    }
    // what is declared of a table without files does not tell the columns of its folders
    let is_known = has_files || partition_by.is_empty();
    let columns = known.filter(|_| is_known).map(|t| columns(t).into());
    let csv = CsvOptions::default();
    Ok(Target { format, csv, columns, partition_by, creates: false, is_there_already: false })
}

fn columns(table: &Table) -> Schema {
    let folders = table
        .partition_columns
        .iter()
        .map(|c| FieldRef::new(Field::new(&c.name, c.kind.data_type(), true)));
    let schema = table.file_schema();
    let fields = schema.fields().iter();
    let nullable = fields.map(|f| FieldRef::new(Field::new(f.name(), f.data_type().clone(), true)));
    Schema::new(nullable.chain(folders).collect::<Vec<_>>())
}
