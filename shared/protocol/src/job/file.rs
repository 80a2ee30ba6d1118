//! The files that users write: their names, and what is in them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{JobSpec, Refusal};
use crate::ids::{JobName, Submission};
use crate::key::Key;

/// The largest job or pipeline file, in bytes.
pub const JOB_BYTES_MAX: u64 = 1024 * 1024;

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
