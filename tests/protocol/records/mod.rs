//! Stored records of each version, which later versions read as well.
//!
//! `TIDEMILL_WRITE_RECORDS=1` writes the files of the current version anew; those of an older one
//! never change.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidemill_protocol::Bucket;
use tidemill_protocol::bucket::MemoryBucket;
use tidemill_protocol::record::{
    AttemptStart, Commit, GroupIndex, Layout, Outcome, Plan, Run, TaskMessage, Versioned,
    WatchMessage,
};

use crate::support::world::World;
use crate::toy_engine::ToyEngine;

/// A kind of record, and the end of the key that has one.
const RECORDS: [(&str, &str); 7] = [
    ("run", "/run.json"),
    ("plan", "/plan.json"),
    ("outcome", "/outcome.json"),
    ("layout", "/layout/2"),
    ("group", "/done/0/0001"),
    ("commit", "/out/2/0000/000000"),
    ("attempt", "/attempts/2/000000/"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/protocol/records/1")
}

/// The records of a run of three stages, one of more than a group.
async fn records() -> Vec<(&'static str, Value)> {
    let bucket: Arc<dyn Bucket> = Arc::new(MemoryBucket::default());
    let world = World::new(bucket.clone(), Arc::new(ToyEngine::new(bucket)));
    let job = json!({ "sql": "sum 140", "options": { "keep_work": true, "deadline": 900 } });
    let event = world.upload("jobs/top.json", &job.to_string()).await;
    world.run(&event).await;
    let keys = world.keys("").await;
    let mut found = vec![];
    for (kind, end) in RECORDS {
        let key = keys.iter().find(|k| k.ends_with(end) || (end.ends_with('/') && k.contains(end)));
        let bytes = world.read(key.expect(kind)).await;
        found.push((kind, serde_json::from_slice(&bytes).expect("JSON")));
    }
    found
}

/// Reads a record and writes it again; nothing of it may be lost.
fn survives<T: DeserializeOwned + Serialize + Debug>(kind: &str) -> Result<(), String> {
    let path = folder().join(format!("{kind}.json"));
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let record: T = serde_json::from_str(&text).map_err(|e| format!("{kind}: {e}"))?;
    let again = serde_json::to_value(&record).map_err(|e| format!("{kind}: {e}"))?;
    let stored: Value = serde_json::from_str(&text).map_err(|e| format!("{kind}: {e}"))?;
    match contains(&again, &stored) {
        true => Ok(()),
        false => Err(format!("{kind} loses something: {stored} became {again}")),
    }
}

/// Whether all of `part` is in `whole`, which may have more: fields that are new since.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(k, v)| whole.get(k).is_some_and(|w| contains(w, v)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(w, p)| contains(w, p))
        }
        _ => whole == part,
    }
}

#[tokio::test]
async fn records_of_version_1_are_read() {
    if std::env::var("TIDEMILL_WRITE_RECORDS").is_ok() {
        std::fs::create_dir_all(folder()).expect("a folder");
        for (kind, record) in records().await {
            let text = serde_json::to_string_pretty(&record).expect("JSON");
            std::fs::write(folder().join(format!("{kind}.json")), text + "\n").expect("written");
        }
    }
    let all = [
        survives::<Versioned<Run>>("run"),
        survives::<Versioned<Plan>>("plan"),
        survives::<Versioned<Outcome>>("outcome"),
        survives::<Versioned<Layout>>("layout"),
        survives::<Versioned<GroupIndex>>("group"),
        survives::<Versioned<Commit>>("commit"),
        survives::<Versioned<AttemptStart>>("attempt"),
    ];
    let lost: Vec<_> = all.into_iter().filter_map(Result::err).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[tokio::test]
async fn records_have_the_fields_that_are_on_file() {
    for (kind, record) in records().await {
        let text = std::fs::read_to_string(folder().join(format!("{kind}.json"))).expect(kind);
        let stored: Value = serde_json::from_str(&text).expect("JSON");
        let names = |v: &Value| v.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>());
        assert_eq!(
            names(&record),
            names(&stored),
            "{kind}: a new form is a new version, or is on file"
        );
    }
}

#[test]
fn messages_of_version_1_are_read() {
    let task: TaskMessage =
        serde_json::from_str(r#"{"run": "r", "stage": 1, "task": 2}"#).expect("a message");
    assert_eq!((task.task.0, task.tasks), (2, 1));
    let watch = r#"{"watch": "r", "job": "top", "sent": "2026-01-02T03:04:05Z"}"#;
    let watch: WatchMessage = serde_json::from_str(watch).expect("a message");
    assert_eq!(watch.watch.as_str(), "r");
    assert!(
        serde_json::from_str::<TaskMessage>(r#"{"run": "../r", "stage": 1, "task": 2}"#).is_err()
    );
}

#[test]
fn a_record_of_another_version_is_refused() {
    let error = serde_json::from_str::<Versioned<Run>>(r#"{"version": "2", "run": "r"}"#);
    assert!(error.expect_err("refused").to_string().contains('2'));
}
