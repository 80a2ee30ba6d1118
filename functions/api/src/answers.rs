//! The bodies of requests and answers that are no records of the bucket.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidemill_protocol::RunId;
use tidemill_protocol::job::Column;
use tidemill_protocol::status::{RunState, RunStatus};

/// Which bucket and which version this is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Meta {
    pub(crate) bucket: String,
    pub(crate) version: String,
    /// Of S3, where that is not AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
}

/// A run that was started; if it was waited for and has succeeded, its first rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StartedRun {
    #[serde(flatten)]
    pub(crate) status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) results: Option<Results>,
}

/// A run, and its state.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunReference {
    pub(crate) run: RunId,
    pub(crate) state: RunState,
}

/// The result of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Results {
    /// Of all files.
    pub(crate) rows: u64,
    /// Of all files.
    pub(crate) bytes: u64,
    /// The table folder that the files are in, if not the result's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) into: Option<String>,
    /// Nothing is known of calls of functions, and of rows that went into a table.
    pub(crate) columns: Vec<Column>,
    /// The first rows, at most 100 and about 64 KiB, as texts: no reader rounds a number.
    pub(crate) preview: Vec<Vec<Option<String>>>,
    pub(crate) files: Vec<FileLink>,
    /// What to ask for the next files by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A file, and how it is got.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FileLink {
    pub(crate) key: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Whoever has it may read the file with it. Asking again renews it. Files of tables have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// When the link ends, if the credentials that signed it do not end before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<DateTime<Utc>>,
}

/// A file that is to be uploaded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// Under `inbox/` or `tables/`.
    pub(crate) key: String,
    /// How large it is: above 5 GiB it is uploaded in parts.
    #[serde(default)]
    pub(crate) bytes: Option<u64>,
    /// The version that it replaces; without it there must be none yet.
    #[serde(default)]
    pub(crate) etag: Option<String>,
}

/// How a file is uploaded: by one request, or by one for each part and then `POST /uploads/complete`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Upload {
    Whole(UploadRequest),
    Parts(UploadParts),
}

/// A request that may be sent as it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UploadRequest {
    pub(crate) key: String,
    pub(crate) method: String,
    pub(crate) url: String,
    /// What it has to be sent with.
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    pub(crate) expires: DateTime<Utc>,
}

/// Requests for the parts of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UploadParts {
    pub(crate) key: String,
    /// The upload's id.
    pub(crate) upload: String,
    /// Of each part but the last.
    pub(crate) part_bytes: u64,
    /// PUT each part to its URL, in this order, and keep the ETag of each answer.
    pub(crate) urls: Vec<String>,
    pub(crate) expires: DateTime<Utc>,
}

/// The parts that were uploaded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedParts {
    pub(crate) key: String,
    pub(crate) upload: String,
    /// Of all parts, in their order.
    pub(crate) etags: Vec<String>,
    /// The version that the file replaces; without it there must be none yet.
    #[serde(default)]
    pub(crate) etag: Option<String>,
}

/// A page of the tables.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TablesPage {
    pub(crate) tables: Vec<TableSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A table in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TableSummary {
    pub(crate) table: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// There are further files: these numbers are of the first 1,000.
    pub(crate) more: bool,
}

/// A table.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Table {
    pub(crate) table: String,
    pub(crate) location: String,
    /// As `_schema.json` declares them; of other tables a statement tells: `SELECT * FROM t LIMIT 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) files: Vec<TableFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A file of a table.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TableFile {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) modified: DateTime<Utc>,
}

/// All pipelines.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pipelines {
    pub(crate) pipelines: Vec<PipelineSummary>,
}

/// A pipeline in a list.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct PipelineSummary {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    pub(crate) sql: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) into: Option<String>,
    /// Why it runs on nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}
