//! Pipelines: standing jobs that run for each file under a prefix of `inbox/`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, BucketError};
use crate::function::Functions;
use crate::job::{self, JobOptions, JobSpec, Refusal, TableOptions, Work};
use crate::key::Key;
use crate::param::Params;

/// A file `pipelines/<name>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Where it watches, e.g. `inbox/orders/`.
    pub prefix: String,
    /// Only keys that end so, e.g. `.csv`.
    #[serde(default)]
    pub suffix: String,
    /// The job; its table `input` is the file that landed.
    pub sql: String,
    #[serde(default)]
    pub tables: BTreeMap<String, TableOptions>,
    #[serde(default)]
    pub options: JobOptions,
    /// The table folder that results are appended to.
    #[serde(default)]
    pub into: Option<String>,
}

impl Pipeline {
    /// The table that is the file that landed.
    pub const INPUT: &'static str = "input";

    /// Parses a pipeline file.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong in it.
    pub fn parse(key: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        let text = job::text(key, bytes)?;
        let pipeline: Self = job::decode(key, "pipeline", text)?;
        if !pipeline.prefix.starts_with(Key::INBOX) {
            let prefix = &pipeline.prefix;
            let why =
                format!("{key}: prefix is '{prefix}': pipelines run on files under inbox/ only");
            return Err(Refusal::at("/prefix", why));
        }
        pipeline.spec().check(key)?;
        Ok(pipeline)
    }

    /// The name of the pipeline that a key under `pipelines/` holds.
    pub fn name(key: &str) -> Option<&str> {
        let name = key.strip_prefix(Key::PIPELINES)?.strip_suffix(".json")?;
        (!crate::is_hidden(key) && !name.is_empty()).then_some(name)
    }

    /// Whether the pipeline runs on an object of this key.
    pub fn matches(&self, key: &str) -> bool {
        !crate::is_hidden(key) && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }

    /// The job that it runs on each object.
    pub fn spec(&self) -> JobSpec {
        JobSpec {
            work: Work::Statement(self.sql.clone()),
            params: Params::new(),
            functions: Functions::new(),
            tables: self.tables.clone(),
            options: self.options.clone(),
            into: self.into.clone(),
        }
    }
}

/// All pipelines of the bucket by name; those that do not parse with their refusal.
pub async fn load_all(
    bucket: &dyn Bucket,
) -> Result<Vec<(String, Result<Pipeline, Refusal>)>, BucketError> {
    let mut pipelines = vec![];
    for info in bucket.list(Key::PIPELINES).await? {
        let Some(name) = Pipeline::name(&info.key) else { continue };
        if info.size > job::JOB_BYTES_MAX {
            pipelines.push((name.to_owned(), Err(job::too_large(&info.key, info.size))));
            continue;
        }
        match bucket.get(&info.key, None).await {
            Ok(object) => {
                pipelines.push((name.to_owned(), Pipeline::parse(&info.key, &object.bytes)));
            }
            Err(e) if e.is_not_found() => {} // deleted since the list
            Err(e) => return Err(e),
        }
    }
    Ok(pipelines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Pipeline, Refusal> {
        Pipeline::parse("pipelines/p.json", text.as_bytes())
    }

    #[test]
    fn a_prefix_outside_the_inbox_is_refused_by_name() {
        let why = parse(r#"{"prefix": "tables/x/", "sql": "s"}"#).expect_err("refused").sentence;
        assert!(why.contains("pipelines/p.json") && why.contains("tables/x/"), "{why}");
    }

    #[test]
    fn a_pipeline_that_writes_below_the_inbox_is_refused_by_name() {
        let text = r#"{"prefix": "inbox/x/", "sql": "s", "into": "inbox/y/"}"#;
        let why = parse(text).expect_err("refused").sentence;
        assert!(why.contains("pipelines/p.json") && why.contains("inbox/y/"), "{why}");
    }

    #[test]
    fn a_pipeline_matches_prefix_and_suffix_and_no_hidden_key() {
        let p = parse(r#"{"prefix": "inbox/o/", "suffix": ".csv", "sql": "s"}"#).expect("valid");
        assert!(p.matches("inbox/o/a.csv") && p.matches("inbox/o/d/a.csv"));
        for key in ["inbox/o/a.json", "inbox/p/a.csv", "inbox/o/_a.csv", "inbox/o/.x/a.csv"] {
            assert!(!p.matches(key), "{key}");
        }
    }
}
