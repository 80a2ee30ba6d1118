//! What the tables that calls return become where a job has `into`: files of one table.
//!
//! Files are made of a task's parts when all its calls have returned, and are published by the run's outcome
//! as those of a statement are. The first task whose columns are known creates a record of them, and all others
//! fit theirs to it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::engine::{CallEngine, Caller};
use super::{CallOutcome, CallPlan, PackIndex, of_bucket};
use crate::bucket::{Body, BucketError, Created, NewObject};
use crate::engine::{EngineError, OutputFile, TaskRequest};
use crate::key::Key;
use crate::record::ResultFile;

/// So many bytes of Arrow are one file.
const FILE_BYTES: usize = 32 << 20;

/// The table that a run of calls writes into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTable {
    /// A schema message of Arrow IPC in base64; nothing, if the table is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
}

/// Rows as a file of a table.
#[derive(Debug)]
pub struct RowsFile {
    /// As [`CallTable`] has them.
    pub columns: String,
    pub rows: u64,
    /// Parquet.
    pub body: Body,
    pub bytes: u64,
}

/// What a task's calls have returned, on its way into a table.
pub(super) struct Rows<'a, C: Caller> {
    pub(super) engine: &'a CallEngine<C>,
    pub(super) request: &'a TaskRequest<'a>,
    pub(super) plan: &'a CallPlan,
    pub(super) table: &'a CallTable,
    pub(super) ready: &'a C::Ready,
}

impl<C: Caller> Rows<'_, C> {
    /// The files of a task, from its parts.
    ///
    /// # Errors
    /// A call has returned no table, or tables do not fit each other.
    pub(super) async fn files(&self, parts: &[ResultFile]) -> Result<Vec<OutputFile>, EngineError> {
        let (mut files, mut values, mut bytes) = (vec![], vec![], 0);
        for part in parts {
            for value in self.read(&part.key).await? {
                bytes += value.len();
                values.push(value);
                if bytes >= FILE_BYTES {
                    files.push(self.file(files.len(), std::mem::take(&mut values)).await?);
                    bytes = 0;
                }
            }
        }
        if !values.is_empty() {
            files.push(self.file(files.len(), values).await?);
        }
        Ok(files)
    }

    /// What the calls of a part have returned.
    async fn read(&self, key: &str) -> Result<Vec<Bytes>, EngineError> {
        let run = &self.request.plan.run;
        let part = self.engine.bucket.get(key, None).await.map_err(|e| of_bucket(run, e))?.bytes;
        let index = PackIndex::decode(&part, part.len() as u64)
            .map_err(|e| EngineError::Refused(format!("{key} is damaged: {e}")))?;
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let ends = index.offsets.windows(2);
        let calls = (index.first..).zip(&index.records).zip(ends);
        calls
            .map(|((call, record), ends)| {
                let why = match &record.outcome {
                    CallOutcome::Returned { format } if format.is_arrow() => {
                        return Ok(part.slice(at(ends[0])..at(ends[1])));
                    }
                    CallOutcome::Returned { .. } => {
                        "has returned no data frame and no Arrow table, which Parquet could hold"
                            .into()
                    }
                    CallOutcome::Raised { type_name, message, .. } => {
                        format!("has raised {type_name}: {message}")
                    }
                    CallOutcome::Killed { message, .. } => format!("was killed: {message}"),
                };
                Err(EngineError::Refused(format!(
                    "call {call} of {} {why}: nothing was written into the table",
                    self.plan.calls.label
                )))
            })
            .collect()
    }

    /// One file, of the columns that all of the run have.
    async fn file(&self, number: usize, values: Vec<Bytes>) -> Result<OutputFile, EngineError> {
        let columns = match &self.table.columns {
            Some(columns) => Some(columns.clone()),
            None => self.agreed().await?,
        };
        let caller = &self.engine.caller;
        let mut made = caller.file(self.ready, columns.as_deref(), values.clone()).await?;
        if columns.is_none() {
            let agreed = self.agree(&made.columns).await?;
            if agreed != made.columns {
                made = caller.file(self.ready, Some(&agreed), values).await?;
            }
        }
        let RowsFile { rows, body, bytes, .. } = made;
        Ok(OutputFile { name: format!("{number:03}.parquet"), body, rows, bytes })
    }

    /// The columns that a task of the run has recorded.
    async fn agreed(&self) -> Result<Option<String>, EngineError> {
        let run = &self.request.plan.run;
        match self.engine.bucket.get(&Key::Columns(run).to_string(), None).await {
            Ok(found) => Ok(Some(String::from_utf8_lossy(&found.bytes).into_owned())),
            Err(BucketError::NotFound { .. }) => Ok(None),
            Err(e) => Err(of_bucket(run, e)),
        }
    }

    /// Records columns, if none are. Returns: those that are.
    async fn agree(&self, columns: &str) -> Result<String, EngineError> {
        let run = &self.request.plan.run;
        let key = Key::Columns(run).to_string();
        let body = Body::Bytes(columns.to_owned().into());
        let created = self.engine.bucket.create(NewObject::new(&key, body, self.request.attempt));
        if created.await.map_err(|e| of_bucket(run, e))? == Created::Now {
            return Ok(columns.to_owned());
        }
        let agreed = self.agreed().await?;
        agreed.ok_or_else(|| of_bucket(run, BucketError::NotFound { key }))
    }
}
