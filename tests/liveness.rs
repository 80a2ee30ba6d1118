//! Runs that do not end by themselves: cancelled, late, killed, without memory.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill_protocol::Bucket;

use crate::support::emulator::{Emulator, PATIENCE};

/// Takes many minutes, and little memory.
const ENDLESS: &str = "SELECT count(*) FROM numbers a, numbers b, numbers c \
                       WHERE sin(a.n * b.n) + cos(c.n * b.n) <> 5";

/// Takes a few seconds.
const LONG: &str = "SELECT count(*) AS c FROM numbers a, numbers b, \
                    (SELECT * FROM numbers WHERE n < 60) c WHERE a.n * b.n + c.n <> -1";

async fn with_numbers(arguments: &[&str]) -> Emulator {
    let arguments: Vec<_> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let emulator = Emulator::start_with(&arguments).await;
    let rows: String = (0..3000).map(|n| format!("{n}\n")).collect();
    emulator.put("tables/numbers/all.csv", format!("n\n{rows}")).await;
    emulator
}

/// The key of the first attempt after `known` others.
async fn attempt(emulator: &Emulator, known: usize) -> String {
    let start = std::time::Instant::now();
    loop {
        let keys = emulator.keys("work/").await;
        let attempts: Vec<_> = keys.iter().filter(|k| k.contains("/attempts/")).collect();
        if attempts.len() > known {
            return attempts[known].clone();
        }
        assert!(start.elapsed() < PATIENCE, "no attempt after {known}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn reason(outcome: &Value) -> &str {
    outcome["reason"].as_str().expect("a reason")
}

#[tokio::test]
async fn a_cancelled_run_ends_and_its_worker_is_free_for_others() {
    let emulator = with_numbers(&["--concurrency", "1"]).await;
    for by_hand in [false, true] {
        let job = if by_hand { "by-hand" } else { "endless" };
        emulator.put(&format!("jobs/{job}.sql"), ENDLESS).await;
        let run = attempt(&emulator, 0).await.split('/').nth(1).expect("a run").to_owned();
        if by_hand {
            emulator.put(&format!("runs/{run}/cancel"), "").await;
        } else {
            let done = emulator.command(&["cancel", &run, "--bucket", "tidemill"]).await;
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        let outcome = &emulator.ended(job, 1).await[0];
        assert_eq!(
            (&outcome["status"], reason(outcome)),
            (&json!("cancelled"), "the run was cancelled")
        );
        let next = format!("after-{job}");
        emulator.put(&format!("jobs/{next}.sql"), "SELECT count(*) FROM numbers").await;
        assert_eq!(emulator.rows(&emulator.ended(&next, 1).await[0]).await, ["3000"]);
        // what the cancelled run left is for a retry
        let left = emulator.keys("work/").await;
        emulator.bucket.delete(&left).await.expect("deleted");
    }
}

#[tokio::test]
async fn a_run_that_is_not_there_cannot_be_cancelled() {
    let emulator = with_numbers(&[]).await;
    for (run, says) in [("no-such-run", "there is no run no-such-run"), ("a/b", "is not a run id")]
    {
        let done = emulator.command(&["cancel", run, "--bucket", "tidemill"]).await;
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn a_run_past_its_deadline_ends_and_says_how_far_it_got() {
    let emulator = with_numbers(&[]).await;
    let job = json!({ "sql": ENDLESS, "options": { "deadline": 2 } });
    emulator.put("jobs/late.json", job.to_string()).await;
    let outcome = &emulator.ended("late", 1).await[0];
    let says = "the deadline of 2 seconds has passed: stage 0 had 0 of 1 tasks";
    assert!(reason(outcome).starts_with(says), "{}", reason(outcome));
}

#[tokio::test]
async fn a_run_over_its_budget_ends_and_says_how_far_it_got() {
    let emulator = with_numbers(&[]).await;
    let job = json!({ "sql": ENDLESS, "options": { "max_cost_usd": 0.0003 } });
    emulator.put("jobs/dear.json", job.to_string()).await;
    let outcome = &emulator.ended("dear", 1).await[0];
    let says = reason(outcome);
    assert!(says.starts_with("the budget of $0.000300 is spent ($0.000"), "{says}");
    assert!(says.contains("stage 0 had 0 of 1 tasks"), "{says}");
}

#[tokio::test]
async fn a_stage_that_the_budget_does_not_cover_is_not_started() {
    let emulator = with_numbers(&[]).await;
    let job = json!({ "sql": "SELECT count(*) FROM numbers", "options": { "max_cost_usd": 1e-6 } });
    emulator.put("jobs/cheap.json", job.to_string()).await;
    let outcome = &emulator.ended("cheap", 1).await[0];
    let says = "stage 0 of 1 is not started: $0.00 are spent, and its tasks";
    assert!(reason(outcome).starts_with(says), "{}", reason(outcome));
    let attempts = emulator.keys("work/").await;
    assert!(attempts.iter().all(|k| !k.contains("/attempts/")), "{attempts:?}");
    let job = json!({ "sql": "SELECT count(*) FROM numbers", "options": { "max_cost_usd": 1 } });
    emulator.put("jobs/rich.json", job.to_string()).await;
    let outcome = &emulator.ended("rich", 1).await[0];
    let cost = outcome["actual"]["cost_usd"].as_f64().expect("a cost");
    assert!(cost > 1e-5 && cost < 1e-2, "{cost}");
}

#[tokio::test]
async fn a_task_that_is_killed_twice_without_a_word_goes_to_a_large_worker() {
    let emulator = with_numbers(&[]).await;
    emulator.put("jobs/large.sql", LONG).await;
    for known in 0..2 {
        attempt(&emulator, known).await;
        for pid in emulator.processes("worker") {
            let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
    let outcome = &emulator.ended("large", 1).await[0];
    assert_eq!(emulator.rows(outcome).await, [(3000_u64 * 3000 * 60).to_string()]);
    assert_eq!(outcome["usage"]["large_tasks"], 1);
}

#[tokio::test]
async fn a_task_whose_memory_does_not_suffice_goes_to_a_large_worker() {
    let emulator = with_numbers(&["--memory", "512"]).await;
    // one value of 300 MB: nothing of it can be spilled
    let sql = "SELECT length(string_agg(md5(a.n::varchar), '')) AS l FROM numbers a, \
               (SELECT * FROM numbers WHERE n < 3200) b";
    emulator.put("jobs/large.sql", sql).await;
    let outcome = &emulator.ended("large", 1).await[0];
    assert_eq!(outcome["status"], "succeeded", "{outcome}");
    assert_eq!(emulator.rows(outcome).await, [(3000_u64 * 3000 * 32).to_string()]);
    assert_eq!(outcome["usage"]["large_tasks"], 1);
}

#[tokio::test]
async fn a_small_job_does_not_wait_behind_ten_thousand_tasks() {
    let emulator = with_numbers(&[]).await;
    let folder = emulator.dir().join("tidemill/tables/tiny");
    std::fs::create_dir_all(&folder).expect("a folder");
    for n in 0..10_000 {
        std::fs::write(folder.join(format!("{n:05}.csv")), format!("n\n{n}\n")).expect("a file");
    }
    let job = json!({ "sql": "SELECT sum(n) FROM tiny", "options": { "partitions": 10_000 } });
    emulator.put("jobs/many.json", job.to_string()).await;
    attempt(&emulator, 0).await;
    emulator.put("jobs/one.sql", "SELECT count(*) FROM numbers").await;
    let one = &emulator.ended("one", 1).await[0];
    let many = &emulator.ended("many", 1).await[0];
    assert_eq!(emulator.rows(one).await, ["3000"]);
    assert_eq!(emulator.rows(many).await, ["49995000"]);
    assert!(one["ended"].as_str() < many["ended"].as_str(), "{one} {many}");
    println!("the small job took {} seconds", one["seconds"]);
}
