//! What users write: job files, table options, and the sentences that refuse them.

mod file;
mod refusal;
mod table;
mod words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calls::Calls;
use crate::function::Functions;
use crate::key::is_table_folder;
use crate::param::Params;

pub use file::{JOB_BYTES_MAX, JobFile, decode, job_name, parse, parse_json, submission};
pub(crate) use file::{text, too_large};
pub(crate) use refusal::JobReadError;
pub use refusal::Refusal;
pub use table::{Column, CsvOptions, Format, TableOptions, is_named};
pub use words::{explained, is_blank};

/// The longest deadline, in seconds: working keys are kept for a week.
const DEADLINE_SECONDS_MAX: u32 = 6 * 24 * 60 * 60;

/// A job: what is to be done, and its options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "JobFields", into = "JobFields")]
#[schemars(rename = "Job")]
pub struct JobSpec {
    pub work: Work,
    /// Of the statement.
    pub params: Params,
    /// Of Python, which the statement calls.
    pub functions: Functions,
    /// How to read tables where inference is not enough.
    pub tables: BTreeMap<String, TableOptions>,
    pub options: JobOptions,
    /// The table folder that the result is appended to, e.g. `tables/orders/`.
    pub into: Option<String>,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// One SQL statement.
    Statement(String),
    /// Calls of one Python function.
    Calls(Box<Calls>),
}

/// A job as its file has it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JobFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sql: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls: Option<Box<Calls>>,
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    params: Params,
    #[serde(default, skip_serializing_if = "Functions::is_empty")]
    functions: Functions,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<String, TableOptions>,
    #[serde(default)]
    options: JobOptions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    into: Option<String>,
}

impl TryFrom<JobFields> for JobSpec {
    type Error = &'static str;

    fn try_from(fields: JobFields) -> Result<Self, Self::Error> {
        let JobFields { sql, calls, params, functions, tables, options, into } = fields;
        let work = match (sql, calls) {
            (Some(sql), None) => Work::Statement(sql),
            (None, Some(calls)) => Work::Calls(calls),
            (None, None) => return Err("it has neither sql nor calls"),
            (Some(_), Some(_)) => return Err("it has both sql and calls"),
        };
        if matches!(work, Work::Calls(_)) && !params.is_empty() {
            return Err("it has params, and no sql that they are for");
        }
        if matches!(work, Work::Calls(_)) && !functions.is_empty() {
            return Err("it has functions, and no sql that calls them");
        }
        Ok(Self { work, params, functions, tables, options, into })
    }
}

impl From<JobSpec> for JobFields {
    fn from(spec: JobSpec) -> Self {
        let JobSpec { work, params, functions, tables, options, into } = spec;
        let (sql, calls) = match work {
            Work::Statement(sql) => (Some(sql), None),
            Work::Calls(calls) => (None, Some(calls)),
        };
        Self { sql, calls, params, functions, tables, options, into }
    }
}

/// Options of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobOptions {
    /// Spread the job over this many partitions (1 to 10,000), whatever its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u32>,
    /// Seconds from the upload after which the run ends as failed; 6 hours if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u32>,
    /// Dollars of list price that the run's workers may take; over it the run ends as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
    /// Take over what the latest unsuccessful run of this job has done over the same files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse: bool,
    /// What becomes of lines of CSV and NDJSON files that cannot be read.
    #[serde(default, skip_serializing_if = "OnBadRow::is_fail")]
    pub on_bad_row: OnBadRow,
    /// Keep the working keys after success.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_work: bool,
    /// Leave a page that shows the run beside its result: `_report.html`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub report: bool,
}

/// What a deployment says of jobs that say nothing of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Seconds.
    pub deadline: Option<u32>,
    pub max_cost_usd: Option<f64>,
}

impl JobOptions {
    /// These options, with the limits of a deployment where they have none.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self {
            deadline: self.deadline.or(limits.deadline),
            max_cost_usd: self.max_cost_usd.or(limits.max_cost_usd),
            ..self
        }
    }
}

/// What becomes of lines of text files that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnBadRow {
    /// The first that is met fails the run.
    #[default]
    Fail,
    /// They are set aside under `results/<job>/<run>/rejects/`.
    Quarantine,
}

impl OnBadRow {
    #[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks
    fn is_fail(&self) -> bool {
        *self == Self::Fail
    }
}

impl JobSpec {
    /// The options of a table that the SQL reads, which has names in small letters unless they are quoted.
    pub fn table(&self, name: &str) -> Option<&TableOptions> {
        let same = |(known, _): &(&String, &TableOptions)| is_named(known, name);
        self.tables.get(name).or_else(|| self.tables.iter().find(same).map(|(_, options)| options))
    }

    /// The SQL; nothing, if the job is none.
    pub fn statement(&self) -> &str {
        match &self.work {
            Work::Statement(sql) => sql,
            Work::Calls(_) => "",
        }
    }

    /// The job that says what this one would do and take; nothing, if it has no statement.
    #[must_use]
    pub fn explained(mut self) -> Option<Self> {
        let Work::Statement(sql) = &mut self.work else { return None };
        *sql = explained(sql);
        Some(self)
    }

    /// A statement without options.
    pub fn of_statement(sql: String) -> Self {
        Self {
            work: Work::Statement(sql),
            params: Params::new(),
            functions: Functions::new(),
            tables: BTreeMap::new(),
            options: JobOptions::default(),
            into: None,
        }
    }

    pub(crate) fn check(&self, key: &str) -> Result<(), Refusal> {
        if let Some(n) = self.options.partitions
            && !(1..=10_000).contains(&n)
        {
            let why = format!("{key}: partitions is {n}: it must be from 1 to 10000");
            return Err(Refusal::at("/options/partitions", why));
        }
        if let Some(n) = self.options.deadline
            && !(1..=DEADLINE_SECONDS_MAX).contains(&n)
        {
            let most = DEADLINE_SECONDS_MAX;
            let why = format!("{key}: deadline is {n}: it must be from 1 to {most} seconds");
            return Err(Refusal::at("/options/deadline", why));
        }
        if let Some(usd) = self.options.max_cost_usd
            && !(usd.is_finite() && usd > 0.0)
        {
            let why = format!("{key}: max_cost_usd is {usd}: it must be above 0");
            return Err(Refusal::at("/options/max_cost_usd", why));
        }
        if let Work::Calls(calls) = &self.work {
            calls.check(key)?;
        }
        for (name, function) in &self.functions {
            function.check(name, key)?;
        }
        if let Some(into) = &self.into {
            check_into(key, into)?;
        }
        Ok(())
    }
}

/// A result may be appended to a table folder and nowhere else.
fn check_into(key: &str, into: &str) -> Result<(), Refusal> {
    if is_table_folder(into) {
        return Ok(());
    }
    let why = format!("{key}: into is '{into}': it must be a table folder such as tables/orders/");
    Err(Refusal::at("/into", why))
}
