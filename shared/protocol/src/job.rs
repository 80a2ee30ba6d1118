//! What users write: job files, table options, and the sentences that refuse them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::BucketError;
use crate::calls::Calls;
use crate::function::Functions;
use crate::ids::{JobName, Submission};
use crate::key::{Key, is_table_folder};
use crate::param::Params;

/// The largest job or pipeline file, in bytes.
pub const JOB_BYTES_MAX: u64 = 1024 * 1024;

/// The longest deadline, in seconds: working keys are kept for a week.
const DEADLINE_SECONDS_MAX: u32 = 6 * 24 * 60 * 60;

/// One sentence that refuses a job: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    pub sentence: String,
    /// The member of the job that is wrong, if it is one: a JSON pointer (RFC 6901).
    pub pointer: Option<String>,
}

impl Refusal {
    /// Of all of a job, or of something that is no member of it.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), pointer: None }
    }

    /// Of the member at a JSON pointer.
    pub(crate) fn at(pointer: &str, sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), pointer: Some(pointer.to_owned()) }
    }
}

/// Why a job that lies in the bucket was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobReadError {
    /// No other delivery of its event reads it either.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another delivery may read it.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

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

/// How to read a table: `_schema.json` in its folder, or `tables.<name>` in a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableOptions {
    /// The folder or pattern that the table is, if not `tables/<name>/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// All columns of the files, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
}

impl TableOptions {
    /// These options, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            location: self.location.or(other.location),
            format: self.format.or(other.format),
            columns: self.columns.or(other.columns),
            csv: self.csv.or(other.csv),
        }
    }
}

/// Whether a table that the SQL reads, as it has the name, is the one that a job calls so.
pub fn is_named(known: &str, name: &str) -> bool {
    let is_folded = !name.bytes().any(|b| b.is_ascii_uppercase());
    known == name || (is_folded && known.eq_ignore_ascii_case(name))
}

/// The format of the files of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Parquet,
    Csv,
    Json,
}

/// A declared column. The type is an SQL type, e.g. `bigint` or `decimal(12, 2)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub sql_type: String,
}

/// The dialect of CSV files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// Whether the first line names the columns.
    pub header: bool,
    pub delimiter: char,
    pub quote: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// Lines that start with it are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<char>,
    /// Whether a large file may be read in parts. Not, if its fields hold single quotes.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub split: bool,
    /// The text that means null, besides an empty field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            header: true,
            delimiter: ',',
            quote: '"',
            escape: None,
            comment: None,
            split: true,
            null: None,
        }
    }
}

/// What a file under `jobs/` asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum JobFile {
    Job(JobSpec),
    /// Run a pipeline over a file that is already there.
    Backfill {
        pipeline: String,
        input: String,
    },
    /// Take up a run that did not succeed.
    Retry {
        run: String,
    },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Backfill {
    pipeline: String,
    input: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Retry {
    retry: String,
}

/// The name of the job that a key under `jobs/` holds, or `None` if the key starts nothing.
///
/// # Errors
/// The key is neither `.sql` nor `.json`.
pub fn job_name(key: &str) -> Option<Result<JobName, (JobName, Refusal)>> {
    let rest = key.strip_prefix(Key::JOBS)?;
    if crate::is_hidden(key) {
        return None;
    }
    if let Some((job, _)) = submission(key) {
        return Some(Ok(job));
    }
    let stem = rest.strip_suffix(".sql").or_else(|| rest.strip_suffix(".json"));
    Some(stem.map(JobName::new).ok_or_else(|| {
        let why = format!("{key} is no job: a job file ends in .sql or .json");
        (JobName::new(rest), Refusal::new(why))
    }))
}

/// The job and the submission of a key that [`Key::submission`] has made.
pub fn submission(key: &str) -> Option<(JobName, Submission)> {
    let rest = key.strip_prefix(Key::SUBMITTED)?;
    let stem = rest.strip_suffix(".sql").or_else(|| rest.strip_suffix(".json"))?;
    let (job, submission) = stem.rsplit_once('/')?;
    Some((JobName::new(job), Submission::parse(submission)?))
}

/// Parses a job file.
///
/// # Errors
/// A sentence that names the file and the place in it.
pub fn parse(key: &str, bytes: &[u8]) -> Result<JobFile, Refusal> {
    let text = text(key, bytes)?;
    if key.ends_with(".sql") {
        return Ok(JobFile::Job(JobSpec::of_statement(text.to_owned())));
    }
    parse_json(key, text)
}

/// Parses a job in JSON, which sentences call so.
///
/// # Errors
/// A sentence that names the place in it.
pub fn parse_json(key: &str, text: &str) -> Result<JobFile, Refusal> {
    let value: serde_json::Value = decode(key, "job", text)?;
    if value.get("pipeline").is_some() {
        let Backfill { pipeline, input } = decode(key, "job", text)?;
        return Ok(JobFile::Backfill { pipeline, input });
    }
    if value.get("retry").is_some() {
        let Retry { retry: run } = decode(key, "job", text)?;
        return Ok(JobFile::Retry { run });
    }
    let spec: JobSpec = decode(key, "job", text)?;
    spec.check(key)?;
    Ok(JobFile::Job(spec))
}

/// Reads what users write in JSON.
///
/// # Errors
/// A sentence that names the file, the place in it, and the member.
pub fn decode<T: serde::de::DeserializeOwned>(
    key: &str,
    what: &str,
    text: &str,
) -> Result<T, Refusal> {
    let json = &mut serde_json::Deserializer::from_str(text);
    let invalid = |pointer, e: &serde_json::Error| Refusal {
        sentence: format!("{key} is not a valid {what}: {e}"),
        pointer,
    };
    let value = serde_path_to_error::deserialize(&mut *json)
        .map_err(|e| invalid(pointer(e.path()), e.inner()))?;
    json.end().map_err(|e| invalid(None, &e))?;
    Ok(value)
}

/// The JSON pointer of a path; nothing, if that is all of a document.
fn pointer(path: &serde_path_to_error::Path) -> Option<String> {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")));
            }
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    (!pointer.is_empty()).then_some(pointer)
}

pub(crate) fn text<'a>(key: &str, bytes: &'a [u8]) -> Result<&'a str, Refusal> {
    if bytes.len() as u64 > JOB_BYTES_MAX {
        return Err(too_large(key, bytes.len() as u64));
    }
    std::str::from_utf8(bytes).map(|t| t.trim_start_matches('\u{feff}')).map_err(|e| {
        Refusal::new(format!("{key} is not UTF-8 text: byte {} is invalid", e.valid_up_to()))
    })
}

pub(crate) fn too_large(key: &str, size: u64) -> Refusal {
    Refusal::new(format!("{key} has {size} bytes: a job file may have at most {JOB_BYTES_MAX}"))
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

/// The statement that says what a statement would do; it may be one that says so already.
pub fn explained(sql: &str) -> String {
    let first = without_comments(sql).split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("EXPLAIN") { sql.to_owned() } else { format!("EXPLAIN {sql}") }
}

/// Whether a text has no statement: nothing but comments, spaces and semicolons.
pub fn is_blank(sql: &str) -> bool {
    let rest = without_comments(sql);
    match rest.strip_prefix(';') {
        Some(rest) => is_blank(rest),
        None => rest.is_empty() || rest.starts_with("--") && !rest.contains('\n'),
    }
}

/// A statement without the comments that it begins with.
fn without_comments(sql: &str) -> &str {
    let sql = sql.trim_start();
    let rest = match sql.get(..2) {
        Some("--") => sql.split_once('\n').map(|(_, rest)| rest),
        Some("/*") => sql.split_once("*/").map(|(_, rest)| rest),
        _ => None,
    };
    rest.map_or(sql, without_comments)
}

/// A result may be appended to a table folder and nowhere else.
fn check_into(key: &str, into: &str) -> Result<(), Refusal> {
    if is_table_folder(into) {
        return Ok(());
    }
    let why = format!("{key}: into is '{into}': it must be a table folder such as tables/orders/");
    Err(Refusal::at("/into", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(key: &str, text: &str) -> String {
        parse(key, text.as_bytes()).expect_err("a refusal").sentence
    }

    #[test]
    fn an_unknown_option_is_an_error_that_names_it() {
        let why = refusal("jobs/a.json", r#"{"sql": "select 1", "options": {"speed": 9}}"#);
        assert!(why.contains("jobs/a.json") && why.contains("speed"), "{why}");
    }

    #[test]
    fn a_refusal_points_at_the_member_that_is_wrong() {
        let pointer = |text: &str| parse("jobs/a.json", text.as_bytes()).expect_err(text).pointer;
        for (text, expected) in [
            (r#"{"sql": "s", "options": {"speed": 9}}"#, "/options/speed"),
            (r#"{"sql": "s", "options": {"partitions": "many"}}"#, "/options/partitions"),
            (r#"{"sql": "s", "options": {"partitions": 0}}"#, "/options/partitions"),
            (
                r#"{"sql": "s", "tables": {"a/b": {"columns": [{"name": 1}]}}}"#,
                "/tables/a~1b/columns/0/name",
            ),
            (r#"{"sql": "s", "into": "x"}"#, "/into"),
        ] {
            assert_eq!(pointer(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(pointer("{"), None);
        assert_eq!(pointer(r#"{"sql": "s"} x"#), None);
    }

    #[test]
    fn comments_and_semicolons_are_no_statement() {
        for sql in ["", " ;", "-- a", "-- a\n;", "/* b */ ; -- c"] {
            assert!(is_blank(sql), "{sql}");
        }
        assert!(!is_blank("-- a\nSELECT 1") && !is_blank("SELECT 1"));
    }

    #[test]
    fn what_explains_already_is_not_explained_twice() {
        assert_eq!(explained("SELECT 1"), "EXPLAIN SELECT 1");
        for sql in ["explain SELECT 1", "-- a\n /* b */ EXPLAIN SELECT 1"] {
            assert_eq!(explained(sql), sql);
        }
    }

    #[test]
    fn a_job_that_writes_outside_tables_is_refused() {
        for into in ["inbox/x/", "tables/", "tables/a", "tables/../x/", "results/a/", "tables//"] {
            let why = refusal("jobs/a.json", &format!(r#"{{"sql": "s", "into": "{into}"}}"#));
            assert!(why.contains(into), "{why}");
        }
    }

    #[test]
    fn broken_files_are_refused_with_their_place() {
        assert!(refusal("jobs/a.json", "{").contains("line 1"));
        assert!(refusal("jobs/a.json", "{}").contains("neither sql nor calls"));
        assert!(parse("jobs/a.sql", &[0xff]).is_err());
        assert!(refusal("jobs/a.json", r#"{"sql":"s","options":{"partitions":0}}"#).contains("0"));
        let why = refusal("jobs/a.json", r#"{"sql":"s","options":{"max_cost_usd":-1}}"#);
        assert!(why.contains("max_cost_usd is -1"), "{why}");
        let large = vec![b' '; 1024 * 1024 + 1];
        assert!(parse("jobs/a.sql", &large).expect_err("too large").sentence.contains("1048577"));
    }

    #[test]
    fn names_come_from_keys_and_hidden_keys_have_none() {
        let name = |key| job_name(key).map(|r| r.map(|n| n.as_str().to_owned()).ok());
        assert_eq!(name("jobs/top.sql"), Some(Some("top".into())));
        assert_eq!(name("jobs/a/b.json"), Some(Some("a/b".into())));
        let submitted = "jobs/api/a/b/20260102T030405678Z-1f0a9c33aa00.json";
        assert_eq!(name(submitted), Some(Some("a/b".into())));
        assert_eq!(name("jobs/api/top.sql"), Some(Some("api/top".into())));
        assert_eq!(name("jobs/a.txt"), Some(None));
        assert_eq!(name("jobs/_a.sql"), None);
        assert_eq!(name("jobs/"), None);
    }
}
