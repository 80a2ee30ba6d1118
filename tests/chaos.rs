//! Many runs at once while real processes are killed, answers are lost, and messages come late,
//! twice, or to a worker without memory.
//!
//! `TIDEMILL_CHAOS_RUNS` sets how many runs (4 if it is not set), `TIDEMILL_CHAOS_SEED` which faults.
//! Both tests print how long the runs took with faults and without.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use tidemill_protocol::Bucket;

use crate::support::emulator::Emulator;

/// How long no run may end before the test says that they hang: longer than the visibility of any
/// queue.
const SILENCE: Duration = Duration::from_secs(16 * 60);

/// Two stages read, one joins and adds up, one puts the groups in order.
const SQL: &str = "SELECT k, count(*) AS pairs, sum(a.v * b.v) AS total FROM a JOIN b USING (k) \
                   GROUP BY k ORDER BY k";

const PARTITIONS: i64 = 4;
const ROWS: i64 = 400;

/// Row `n` of a table has the key that this makes of it, and `n` as its value.
fn key(table: &str, n: i64) -> i64 {
    if table == "a" { n % 23 } else { n * 7 % 31 }
}

fn runs() -> usize {
    std::env::var("TIDEMILL_CHAOS_RUNS").map_or(4, |n| n.parse().expect("a number"))
}

fn with_seed(faults: &str) -> String {
    let seed = std::env::var("TIDEMILL_CHAOS_SEED").unwrap_or_else(|_| "1".into());
    format!("{faults},seed={seed}")
}

async fn with_tables(arguments: &[String]) -> Emulator {
    let emulator = Emulator::start_with(arguments).await;
    for table in ["a", "b"] {
        for file in 0..PARTITIONS {
            let rows = (0..ROWS).filter(|n| n % PARTITIONS == file);
            let rows: String = rows.map(|n| format!("{},{n}\n", key(table, n))).collect();
            emulator.put(&format!("tables/{table}/{file}.csv"), format!("k,v\n{rows}")).await;
        }
    }
    emulator
}

/// What the runs are to give.
fn expected() -> Vec<String> {
    let mut groups: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (a, b) in (0..ROWS).flat_map(|a| (0..ROWS).map(move |b| (a, b))) {
        if key("a", a) == key("b", b) {
            let group = groups.entry(key("a", a)).or_default();
            *group = (group.0 + 1, group.1 + a * b);
        }
    }
    groups.into_iter().map(|(k, (pairs, total))| format!("{k},{pairs},{total}")).collect()
}

/// Drops so many jobs, and waits until all their runs have ended; how long that took.
async fn play(emulator: &Emulator, jobs: usize) -> (Duration, Vec<Value>) {
    let job = json!({ "sql": SQL, "options": { "partitions": PARTITIONS } }).to_string();
    let start = Instant::now();
    for n in 0..jobs {
        emulator.put(&format!("jobs/chaos-{n}.json"), job.clone()).await;
    }
    let (mut ended, mut last) = (BTreeMap::new(), Instant::now());
    while ended.len() < jobs {
        for key in emulator.keys("results/").await {
            let is_end = key.ends_with("/_SUCCESS") || key.ends_with("/_FAILED");
            if is_end && !ended.contains_key(&key) {
                let object = emulator.bucket.get(&key, None).await.expect("a marker").bytes;
                ended.insert(key, serde_json::from_slice(&object).expect("JSON"));
                last = Instant::now();
            }
        }
        assert!(last.elapsed() < SILENCE, "{} of {jobs} runs ended", ended.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ended.len(), jobs, "each job is one run");
    (start.elapsed(), ended.into_values().collect())
}

/// Plays jobs with faults, and without, and looks at each answer.
async fn survive(faults: &str, template: Option<PathBuf>) {
    let mut arguments: Vec<String> = vec![];
    if let Some(template) = template {
        arguments.extend(["--template".into(), template.display().to_string()]);
    }
    let calm = with_tables(&arguments).await;
    let (without, _) = play(&calm, runs()).await;
    drop(calm);
    arguments.extend(["--faults".into(), with_seed(faults)]);
    let stormy = with_tables(&arguments).await;
    let (with, outcomes) = play(&stormy, runs()).await;
    for outcome in &outcomes {
        assert_eq!(outcome["status"], "succeeded", "{outcome}");
        assert_eq!(stormy.rows(outcome).await, expected(), "{outcome}");
    }
    let said = stormy.stop().into_iter().find(|l| l.starts_with("faults injected: "));
    let said = said.expect("what was injected");
    let first = faults.split('=').next().expect("a fault");
    assert!(said.contains(&format!(" {first} ")), "nothing was killed: {said}");
    let (runs, with, without) = (outcomes.len(), with.as_secs_f64(), without.as_secs_f64());
    println!("{runs} right answers in {with:.1} s, {without:.1} s without faults; {said}");
}

#[tokio::test]
async fn a_fifth_of_first_attempts_killed_costs_no_answer() {
    survive("kill-first=0.2,lose=0.02,duplicate=0.1,delay=0.1,slow=0.05,oom=0.02", None).await;
}

#[tokio::test]
async fn a_fifth_of_all_attempts_killed_costs_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let template = include_str!("../template.yaml");
    let patient = template.replace("maxReceiveCount: 5", "maxReceiveCount: 10");
    let patient = patient.replace("maxReceiveCount: 3", "maxReceiveCount: 10");
    assert_ne!(patient, template);
    let path = folder.path().join("template.yaml");
    std::fs::write(&path, patient).expect("written");
    survive("kill=0.2", Some(path)).await;
}
