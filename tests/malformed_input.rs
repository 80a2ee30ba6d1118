//! Bytes from outside that are not what they should be: each decoder says so, and none panics.
//!
//! Valid bytes are damaged in ways drawn from a seed; `TIDEMILL_POISON_CASES` makes more of them.

use std::panic::catch_unwind;

use tidemill_aws::event::uploads;
use tidemill_protocol::pipeline::Pipeline;
use tidemill_protocol::record::{
    AttemptStart, Commit, Footer, GroupIndex, Layout, Outcome, Plan, Run, TaskMessage, Usage,
    Versioned, WatchMessage,
};
use tidemill_protocol::{Key, RunId, job};

use crate::support::dice::Dice;
use crate::support::dice::rng;

const EVENT: &str = r#"{"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3",
    "awsRegion": "us-east-1", "eventTime": "2026-01-02T03:04:05.678Z",
    "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "p"},
    "requestParameters": {"sourceIPAddress": "127.0.0.1"}, "responseElements": {},
    "s3": {"s3SchemaVersion": "1.0", "configurationId": "c",
        "bucket": {"name": "b", "ownerIdentity": {"principalId": "p"}, "arn": "arn:aws:s3:::b"},
        "object": {"key": "jobs/a+b%2Bc%C3%A9.sql", "size": 3, "eTag": "e", "sequencer": "01"}}}]}"#;

const JOB: &str = r#"{"sql": "SELECT 1", "tables": {"t": {"location": "raw/t/", "format": "csv",
    "columns": [{"name": "a", "type": "decimal(9, 2)"}], "csv": {"delimiter": ";"}}},
    "options": {"partitions": 16, "deadline": 60, "keep_work": true}, "into": "tables/t/"}"#;

const PIPELINE: &str = r#"{"prefix": "inbox/orders/", "sql": "SELECT * FROM input",
    "into": "tables/orders/"}"#;

const TASK: &str =
    r#"{"run": "top-20260102T030405678Z-00ff", "stage": 1, "task": 64, "tasks": 64}"#;

const WATCH: &str =
    r#"{"watch": "top-20260102T030405678Z-00ff", "job": "top", "sent": "2026-01-02T03:04:05Z"}"#;

const CANCEL: &str = "runs/top-20260102T030405678Z-00ff/cancel";

/// Damages bytes a little, or a lot.
fn damage(bytes: &[u8], dice: &mut Dice<'_>) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b"-1",
        b"18446744073709551616",
        b"1e999",
        b"null",
        b"[]",
        b"{}",
        b"\"\"",
        b"../../x",
        b"\xff\xfe",
        b"\\ud800",
        b"\0",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    ];
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len().max(1)).min(bytes.len());
        let end = (at + dice.below(12)).min(bytes.len());
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, WORDS[dice.below(WORDS.len())].iter().copied())),
            4 => drop(bytes.splice(at..end, WORDS[dice.below(WORDS.len())].iter().copied())),
            _ => bytes.extend_from_within(at..end),
        }
    }
    bytes
}

fn footer() -> Vec<u8> {
    let mut bytes = vec![7; 300];
    let offsets = vec![0, 100, 100, 300];
    bytes.extend(Footer { offsets, rows: 9, usage: Usage::default() }.encode());
    bytes
}

/// What a name decodes, from bytes of any kind.
fn decode(name: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match name {
        "event" => drop(uploads(&text)),
        "job" => drop(job::parse("jobs/a.json", bytes)),
        "statement" => drop(job::parse("jobs/a.sql", bytes)),
        "pipeline" => drop(Pipeline::parse("pipelines/a.json", bytes)),
        "task" => drop(serde_json::from_slice::<TaskMessage>(bytes)),
        "watch" => drop(serde_json::from_slice::<WatchMessage>(bytes)),
        "cancel" => drop(Key::cancelled_run(&text)),
        "run id" => drop(RunId::parse(&text)),
        "footer" => drop(Footer::decode(bytes, bytes.len() as u64)),
        "run" => drop(serde_json::from_slice::<Versioned<Run>>(bytes)),
        "plan" => drop(serde_json::from_slice::<Versioned<Plan>>(bytes)),
        "outcome" => drop(serde_json::from_slice::<Versioned<Outcome>>(bytes)),
        "layout" => drop(serde_json::from_slice::<Versioned<Layout>>(bytes)),
        "group" => drop(serde_json::from_slice::<Versioned<GroupIndex>>(bytes)),
        "commit" => drop(serde_json::from_slice::<Versioned<Commit>>(bytes)),
        "attempt" => drop(serde_json::from_slice::<Versioned<AttemptStart>>(bytes)),
        _ => unreachable!("{name} has no decoder"),
    }
}

#[test]
fn damaged_bytes_are_an_error_of_their_decoder_and_never_a_panic() {
    let cases = std::env::var("TIDEMILL_POISON_CASES").ok().and_then(|n| n.parse().ok());
    let record = |kind: &str| {
        let path =
            format!("{}/../tests/protocol/records/1/{kind}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).expect(kind)
    };
    let mut valid: Vec<(&str, Vec<u8>)> = vec![
        ("event", EVENT.into()),
        ("job", JOB.into()),
        ("statement", b"-- a comment\nSELECT 'a', 1 FROM t".to_vec()),
        ("pipeline", PIPELINE.into()),
        ("task", TASK.into()),
        ("watch", WATCH.into()),
        ("cancel", CANCEL.into()),
        ("run id", b"top-20260102T030405678Z-00ff".to_vec()),
        ("footer", footer()),
    ];
    let kinds = ["run", "plan", "outcome", "layout", "group", "commit", "attempt"];
    valid.extend(kinds.map(|kind| (kind, record(kind))));
    let mut rng = rng(0, 0);
    let mut dice = Dice(&mut rng);
    for (name, bytes) in valid {
        for _ in 0..cases.unwrap_or(1_000) {
            let damaged = damage(&bytes, &mut dice);
            let decoded = catch_unwind(|| decode(name, &damaged));
            assert!(decoded.is_ok(), "{name}: {}", String::from_utf8_lossy(&damaged));
        }
    }
}

#[test]
fn no_key_leads_out_of_its_place() {
    for key in
        ["runs/../x/cancel", "runs//cancel", "runs/a/b/cancel", "runs/a/cancel/", "work/a/cancel"]
    {
        assert_eq!(Key::cancelled_run(key), None, "{key}");
    }
    assert!(Key::cancelled_run(CANCEL).is_some());
}
