//! Many jobs in a short time. `TIDEMILL_LOAD_JOBS` sets how many, 60 if it is not set; twenty are
//! dropped in a second.

use std::time::{Duration, Instant};

use crate::support::emulator::{Emulator, PATIENCE};
use serde_json::json;

/// Between two jobs.
const PACE: Duration = Duration::from_millis(50);

/// MiB that the emulator may hold: far more than it does, and far less than if it kept what passed.
const EMULATOR_MEMORY_MIB_MAX: u64 = 512;

fn jobs() -> usize {
    std::env::var("TIDEMILL_LOAD_JOBS").map_or(60, |n| n.parse().expect("a number"))
}

/// Every second job is one task; the others are three stages.
fn job(n: usize) -> String {
    let spread = json!({ "partitions": 4 });
    match n % 2 {
        0 => json!({ "sql": "SELECT count(*), sum(n) FROM numbers" }),
        _ => json!({ "sql": "SELECT n % 7 AS k, count(*) FROM numbers GROUP BY n % 7 ORDER BY k",
                     "options": spread }),
    }
    .to_string()
}

fn expected(n: usize) -> Vec<String> {
    match n % 2 {
        0 => vec!["1000,499500".into()],
        _ => (0..7).map(|k| format!("{k},{}", (0..1000).filter(|n| n % 7 == k).count())).collect(),
    }
}

/// MiB that a process has held at most.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("its peak");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") / 1024
}

#[tokio::test]
async fn many_jobs_at_once_all_end_right_and_the_emulator_stays_small() {
    let emulator = Emulator::start().await;
    let rows: String = (0..1000).map(|n| format!("{n}\n")).collect();
    emulator.put("tables/numbers/all.csv", format!("n\n{rows}")).await;
    let start = Instant::now();
    for n in 0..jobs() {
        emulator.put(&format!("jobs/load-{n}.json"), job(n)).await;
        tokio::time::sleep((PACE * u32::try_from(n).expect("few")).saturating_sub(start.elapsed()))
            .await;
    }
    let mut seconds = vec![];
    for n in 0..jobs() {
        let outcome = &emulator.ended(&format!("load-{n}"), 1).await[0];
        assert_eq!(emulator.rows(outcome).await, expected(n), "{outcome}");
        seconds.push(outcome["seconds"].as_f64().expect("seconds"));
    }
    // a run is closed a little after its marker
    let closing = Instant::now();
    while !emulator.keys("work/").await.is_empty() {
        assert!(closing.elapsed() < PATIENCE, "{:?}", emulator.keys("work/").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let held = memory(emulator.pid());
    assert!(held < EMULATOR_MEMORY_MIB_MAX, "the emulator held {held} MiB");
    seconds.sort_by(f64::total_cmp);
    let at = |percent: usize| seconds[(seconds.len() - 1) * percent / 100];
    println!(
        "{} jobs: median {} s, 99 % {} s, the slowest {} s; the emulator held {held} MiB",
        jobs(),
        at(50),
        at(99),
        at(100)
    );
    let outcomes = emulator.keys("runs/").await;
    let outcomes = outcomes.iter().filter(|k| k.ends_with("/outcome.json")).count();
    assert_eq!(outcomes, jobs(), "each job is one run");
}
