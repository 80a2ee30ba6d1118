//! A run as one page that needs nothing else, and as a trace.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::bucket::{Bucket, BucketError};
use crate::context::find;
use crate::ids::RunId;
use crate::job::Column;
use crate::key::Key;
use crate::record::{Outcome, Preview, Timeline};
use crate::status::{RunStatus, status};
use crate::timeline::timeline;

const PAGE: &str = include_str!("../../../console/report.html");
const STYLE: &str = include_str!("../../../console/app.css");

/// The modules of the page, each after those that it imports.
const MODULES: [&str; 15] = [
    include_str!("../../../console/vendor/preact.js"),
    include_str!("../../../console/format.js"),
    include_str!("../../../console/ui.js"),
    include_str!("../../../console/bars.js"),
    include_str!("../../../console/limits.js"),
    include_str!("../../../console/gauge.js"),
    include_str!("../../../console/graph.js"),
    include_str!("../../../console/stages.js"),
    include_str!("../../../console/picture.js"),
    include_str!("../../../console/timeline.js"),
    include_str!("../../../console/errors.js"),
    include_str!("../../../console/request.js"),
    include_str!("../../../console/summary.js"),
    include_str!("../../../console/results.js"),
    include_str!("../../../console/report.js"),
];

/// What a page refers to, and what stands in its place here.
const STYLE_MARK: &str = r#"<link rel="stylesheet" href="app.css">"#;
const DATA_MARK: &str = r#"<script type="application/json" id="data"></script>"#;
const SCRIPT_MARK: &str = r#"<script type="module" src="report.js"></script>"#;

/// What is known of a run.
#[derive(Debug, Clone, Serialize)]
pub struct RunRecords {
    pub status: RunStatus,
    pub tasks: Timeline,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Rows>,
}

/// The first rows of a result.
#[derive(Debug, Clone, Serialize)]
struct Rows {
    rows: u64,
    bytes: u64,
    columns: Vec<Column>,
    preview: Vec<Vec<Option<String>>>,
}

impl RunRecords {
    /// Those of a run; `None` if there is no such run.
    ///
    /// # Errors
    /// The bucket cannot be read.
    pub async fn find(
        bucket: &dyn Bucket,
        run: &RunId,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, BucketError> {
        let Some(status) = status(bucket, run).await? else { return Ok(None) };
        let Some(tasks) = timeline(bucket, run, now).await? else { return Ok(None) };
        let results = match &status.outcome {
            Some(outcome) => rows(bucket, outcome).await?,
            None => None,
        };
        Ok(Some(Self { status, tasks, results }))
    }
}

async fn rows(bucket: &dyn Bucket, outcome: &Outcome) -> Result<Option<Rows>, BucketError> {
    let key = Key::Preview(&outcome.job, &outcome.run).to_string();
    let Some(Preview { columns, rows }) = find(bucket, &key).await? else { return Ok(None) };
    let Outcome { rows: all, bytes, .. } = *outcome;
    Ok(Some(Rows { rows: all, bytes, columns, preview: rows }))
}

/// A page that shows a run of a bucket, or two of them.
pub fn html(
    records: &RunRecords,
    compare: Option<&RunRecords>,
    bucket: &str,
    made: DateTime<Utc>,
) -> String {
    let mut data = json!(records);
    data["bucket"] = bucket.into();
    data["made"] = json!(made);
    data["version"] = env!("CARGO_PKG_VERSION").into();
    if let Some(other) = compare {
        data["compare"] = json!(other);
    }
    // within a page nothing of it may end the element that it is in
    let data = data.to_string().replace('<', "\\u003c");
    let script: String = MODULES.iter().flat_map(|module| module.lines()).filter_map(own).collect();
    PAGE.replace(STYLE_MARK, &format!("<style>{STYLE}</style>"))
        .replace(SCRIPT_MARK, &format!("<script type=\"module\">\n{script}</script>"))
        .replace(
            DATA_MARK,
            &format!("<script type=\"application/json\" id=\"data\">{data}</script>"),
        )
}

/// A line of a module where all modules are one.
fn own(line: &str) -> Option<String> {
    match line.strip_prefix("export ") {
        Some(rest) => Some(format!("{rest}\n")),
        None if line.starts_with("import ") => None,
        None => Some(format!("{line}\n")),
    }
}

/// The tasks of a run as Chrome's trace viewer, Perfetto and speedscope read them ("Trace Event Format"). Rows are as
/// many as there were tasks at work at once.
pub fn trace(tasks: &Timeline, operators: &[String]) -> Value {
    let mut events = vec![];
    for stage in &tasks.stages {
        let number = usize::from(stage.stage.0);
        let name = operators.get(number).map_or("", String::as_str);
        events.push(json!({
            "ph": "M", "name": "process_name", "pid": number,
            "args": { "name": format!("stage {number}: {name}") },
        }));
        let mut attempts: Vec<(u32, i64)> =
            stage.started.task.iter().copied().zip(stage.started.at.iter().copied()).collect();
        attempts.sort_by_key(|(task, at)| (*at, *task));
        let mut ends: BTreeSet<(u32, i64, &str)> = BTreeSet::new();
        for (times, how) in [(&stage.failed, "failed"), (&stage.committed, "committed")] {
            ends.extend(times.task.iter().zip(&times.at).map(|(task, at)| (*task, *at, how)));
        }
        let end = |task: u32, from: i64| {
            let mut after = ends.range((task, from, "")..);
            after.next().filter(|(of, _, _)| *of == task).map(|(_, at, how)| (*at, *how))
        };
        let mut rows: Vec<i64> = vec![];
        for (task, at) in attempts {
            let (until, how) = end(task, at).unwrap_or((at, "did not end"));
            let row = rows.iter().position(|free| *free <= at).unwrap_or(rows.len());
            match rows.get_mut(row) {
                Some(free) => *free = until,
                None => rows.push(until),
            }
            events.push(json!({
                "ph": "X", "name": format!("task {task}"), "cat": "task", "pid": number, "tid": row,
                "ts": at * 1000, "dur": (until - at) * 1000, "args": { "end": how },
            }));
        }
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{StageTimes, TaskTimes};

    #[test]
    fn the_page_has_all_that_it_refers_to() {
        for mark in [STYLE_MARK, DATA_MARK, SCRIPT_MARK] {
            assert!(PAGE.contains(mark), "{mark}");
        }
        let listed: Vec<_> = include_str!("../../../console/report.files").lines().collect();
        assert_eq!(listed.len(), MODULES.len());
        for (name, module) in listed.iter().zip(MODULES) {
            let path = format!("{}/../../console/{name}", env!("CARGO_MANIFEST_DIR"));
            assert_eq!(std::fs::read_to_string(path).expect(name), module, "{name} is elsewhere");
            assert!(!module.contains("</script"), "{name} would end the element that it is in");
        }
        for (number, module) in MODULES.iter().enumerate() {
            for line in module.lines().filter(|line| line.starts_with("import ")) {
                let from = line.split("'./").nth(1).and_then(|rest| rest.strip_suffix("';"));
                let from = from.expect("an import on one line");
                let place = listed.iter().position(|name| *name == from);
                assert!(
                    place.is_some_and(|place| place < number),
                    "{} imports {from}",
                    listed[number]
                );
            }
        }
    }

    #[test]
    fn tasks_at_work_at_once_are_in_rows_of_their_own() {
        let times = |all: &[(u32, i64)]| TaskTimes {
            task: all.iter().map(|(task, _)| *task).collect(),
            at: all.iter().map(|(_, at)| *at).collect(),
        };
        let stage = StageTimes {
            started: times(&[(0, 10), (1, 20), (2, 60)]),
            committed: times(&[(0, 50), (1, 90), (2, 70)]),
            ..StageTimes::default()
        };
        let created = DateTime::default();
        let tasks = Timeline { created, stages: vec![stage], spent_usd: None, errors: vec![] };
        let events = trace(&tasks, &["scan".into()])["traceEvents"].clone();
        let rows: Vec<_> = events.as_array().expect("events").iter().map(|e| &e["tid"]).collect();
        assert_eq!(rows, [&Value::Null, &json!(0), &json!(1), &json!(0)]);
        assert_eq!((&events[1]["ts"], &events[1]["dur"]), (&json!(10_000), &json!(40_000)));
    }
}
