//! The whole chain with real processes, sockets and files.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_protocol::bucket::Bucket;

use crate::support::emulator::{Emulator, PATIENCE, PROGRAM};

async fn with_numbers() -> Emulator {
    let emulator = Emulator::start().await;
    put_numbers(&emulator).await;
    emulator
}

async fn put_numbers(emulator: &Emulator) {
    for part in 0..3 {
        let rows: String = (0..1000).map(|n| format!("{},{}\n", part * 1000 + n, n % 7)).collect();
        emulator.put(&format!("tables/numbers/{part}.csv"), format!("n,g\n{rows}")).await;
    }
}

const GROUPS: &str = "SELECT g, count(*) AS c, sum(n) AS s FROM numbers GROUP BY g ORDER BY g";

fn spread(sql: &str) -> String {
    json!({ "sql": sql, "options": { "partitions": 4, "keep_work": true } }).to_string()
}

#[tokio::test]
async fn a_job_that_is_dropped_ends_with_its_result_and_manifest() {
    let emulator = with_numbers().await;
    emulator.put("jobs/groups.sql", GROUPS).await;
    emulator.put("jobs/spread.json", spread(GROUPS)).await;
    let single = &emulator.ended("groups", 1).await[0];
    let spread = &emulator.ended("spread", 1).await[0];
    assert_eq!(single["tasks"], 1);
    assert_eq!(spread["tasks"], 3 + 4 + 1);
    let rows = emulator.rows(single).await;
    assert_eq!(rows[0], "0,429,642213");
    assert_eq!(emulator.rows(spread).await, rows);
    for field in ["run", "files", "rows", "bytes", "seconds"] {
        assert!(!single[field].is_null(), "{field}");
    }
}

#[tokio::test]
async fn fifty_jobs_at_once_all_end_right() {
    let emulator = with_numbers().await;
    let drops = (0..50).map(|n| {
        let sql = format!("SELECT count(*) AS c FROM numbers WHERE n < {n}");
        let key = format!("jobs/many/{n}.sql");
        let emulator = &emulator;
        async move { emulator.put(&key, sql).await }
    });
    futures::future::join_all(drops).await;
    for n in 0..50 {
        let outcome = &emulator.ended(&format!("many/{n}"), 1).await[0];
        assert_eq!(emulator.rows(outcome).await, [n.to_string()]);
    }
}

#[tokio::test]
async fn a_storage_event_delivered_twice_is_one_run() {
    let emulator = with_numbers().await;
    emulator.put("jobs/once.json", spread(GROUPS)).await;
    let run = emulator.ended("once", 1).await[0]["run"].as_str().expect("an id").to_owned();
    let object = emulator.bucket.get(&format!("runs/{run}/run.json"), None).await.expect("a run");
    let record: Value = serde_json::from_slice(&object.bytes).expect("JSON");
    let source = &record["source"];
    let event = serde_json::json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": source["time"], "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": "p" }, "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": {},
        "s3": { "s3SchemaVersion": "1.0", "configurationId": "c",
            "bucket": { "name": "tidemill", "ownerIdentity": { "principalId": "p" }, "arn": "arn:aws:s3:::tidemill" },
            "object": { "key": "jobs/once.json", "size": 1, "eTag": source["etag"], "sequencer": source["sequencer"] } },
    }] });
    let attempts = emulator.keys(&format!("work/{run}/attempts/")).await;
    let queue = format!("{}/000000000000/EventsQueue", emulator.endpoint);
    let sent =
        emulator.sqs().send_message().queue_url(queue).message_body(event.to_string()).send().await;
    sent.expect("sent");
    emulator.put("jobs/after.sql", "SELECT 1 AS one").await;
    emulator.ended("after", 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(emulator.ended("once", 1).await.len(), 1);
    assert_eq!(emulator.keys(&format!("work/{run}/attempts/")).await, attempts);
    assert_eq!(
        emulator.keys("runs/once-").await.iter().filter(|k| k.ends_with("run.json")).count(),
        1
    );
}

#[tokio::test]
async fn a_worker_killed_in_mid_task_costs_time_and_no_rows() {
    let emulator = with_numbers().await;
    // long enough to be killed in
    let sql = "SELECT count(*) AS c FROM numbers a, numbers b, (SELECT * FROM numbers WHERE n < 60) c \
               WHERE a.n * b.n + c.n <> -1";
    let job = serde_json::json!({ "sql": sql, "options": { "keep_work": true } });
    emulator.put("jobs/long.json", job.to_string()).await;
    let mut killed = false;
    for _ in 0..2000 {
        if emulator.keys("work/").await.iter().any(|k| k.contains("/attempts/")) {
            for pid in emulator.processes("worker") {
                let status =
                    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
                killed |= status.is_ok_and(|s| s.success());
            }
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(killed, "there was a worker to kill");
    let outcome = &emulator.ended("long", 1).await[0];
    assert_eq!(emulator.rows(outcome).await, [(3000_u64 * 3000 * 60).to_string()]);
    let run = outcome["run"].as_str().expect("an id");
    let attempts = emulator.keys(&format!("work/{run}/attempts/")).await;
    assert!(attempts.len() > 1, "the task was tried again");
}

#[tokio::test]
async fn bad_jobs_fail_with_a_sentence_and_disturb_nobody() {
    let emulator = with_numbers().await;
    emulator.put("jobs/syntax.sql", "SELEC 1").await;
    emulator.put("jobs/large.sql", vec![b' '; 1024 * 1024 + 1]).await;
    emulator.put("jobs/odd.txt", "SELECT 1").await;
    emulator.put("jobs/option.json", r#"{"sql": "SELECT 1", "options": {"speed": 9}}"#).await;
    emulator.put("jobs/good.sql", GROUPS).await;
    for (job, part) in
        [("syntax", "syntax error"), ("large", "1048576"), ("odd.txt", ".sql"), ("option", "speed")]
    {
        let outcome = &emulator.ended(job, 1).await[0];
        assert_eq!(outcome["status"], "failed");
        assert!(outcome["reason"].as_str().expect("a reason").contains(part), "{outcome}");
    }
    assert_eq!(emulator.ended("good", 1).await[0]["status"], "succeeded");
}

#[tokio::test]
async fn a_message_that_nobody_understands_blocks_nobody_and_a_dead_one_is_dropped() {
    let emulator = with_numbers().await;
    for queue in ["EventsQueue", "TaskQueue", "DeadLetterQueue"] {
        let url = format!("{}/000000000000/{queue}", emulator.endpoint);
        emulator
            .sqs()
            .send_message()
            .queue_url(url)
            .message_body("hello")
            .send()
            .await
            .expect("sent");
    }
    emulator.put("jobs/good.sql", GROUPS).await;
    assert_eq!(emulator.ended("good", 1).await[0]["status"], "succeeded");
    let url = format!("{}/000000000000/DeadLetterQueue", emulator.endpoint);
    let left = async || {
        let all = aws_sdk_sqs::types::QueueAttributeName::All;
        let found = emulator.sqs().get_queue_attributes().queue_url(&url).attribute_names(all);
        let found = found.send().await.expect("attributes").attributes.expect("some");
        let counts = found.iter().filter(|(n, _)| n.as_str().starts_with("ApproximateNumber"));
        counts.map(|(_, count)| count.parse::<u32>().expect("a number")).sum::<u32>()
    };
    let start = std::time::Instant::now();
    while left().await > 0 {
        assert!(start.elapsed() < PATIENCE, "the dead letter stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_command_line_prints_results_and_fails_when_the_run_fails() {
    let emulator = with_numbers().await;
    let sql = "SELECT count(*) AS c FROM numbers";
    let out =
        emulator.command(&["run", "-e", sql, "--bucket", "tidemill", "--format", "csv"]).await;
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout), "c\n3000\n");
    let wrong = "SELECT nope FROM numbers";
    let out = emulator.command(&["run", "-e", wrong, "--bucket", "tidemill"]).await;
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("nope"));
}

#[tokio::test]
async fn a_pipeline_runs_for_each_upload_and_backfills_what_came_before_it() {
    let emulator = Emulator::start().await;
    emulator.put("inbox/in/early.csv", "n\n5\n").await;
    emulator.put("jobs/noticed.sql", "SELECT 1 AS one").await;
    emulator.ended("noticed", 1).await; // and so is what came before it
    let pipeline = r#"{"prefix": "inbox/in/", "sql": "SELECT sum(n) AS s FROM input", "into": "tables/sums/"}"#;
    emulator.put("pipelines/sums.json", pipeline).await;
    for n in 0..10 {
        emulator.put(&format!("inbox/in/a file+{n}.csv"), format!("n\n{n}\n")).await;
    }
    assert_eq!(emulator.ended("sums", 10).await.len(), 10);
    for expected in ["1 of 11 files", "0 of 11 files"] {
        let out = emulator.command(&["pipeline", "backfill", "sums", "--bucket", "tidemill"]).await;
        assert!(String::from_utf8_lossy(&out.stdout).contains(expected), "{out:?}");
        emulator.ended("sums", 11).await;
    }
    emulator.put("jobs/total.sql", "SELECT sum(s) AS total FROM sums").await;
    let outcome = &emulator.ended("total", 1).await[0];
    assert_eq!(emulator.rows(outcome).await, ["50"]);
}

#[tokio::test]
async fn the_command_line_writes_explains_and_compacts() {
    let emulator = with_numbers().await;
    let bucket = ["--bucket", "tidemill"];
    let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let copy =
        "COPY (SELECT n, g FROM numbers) TO 'tables/parts/' STORED AS CSV PARTITIONED BY (g)";
    let mut arguments = vec!["run", "-e", copy, "--partitions", "3"];
    arguments.extend(bucket);
    let written = emulator.command(&arguments).await;
    assert!(written.status.success(), "{written:?}");
    assert!(text(&written).contains("3000 rows in 21 files"), "{written:?}");
    let explain = ["explain", "-e", "SELECT max(n) FROM parts", bucket[0], bucket[1]];
    let explained = text(&emulator.command(&explain).await);
    for line in ["table parts: 21 CSV files", "GB-seconds", "price", "$2.07 a month"] {
        assert!(explained.contains(line), "{line}: {explained}");
    }
    let simulate = ["--simulate", "10TB", "--partitions", "10000"];
    let simulated = text(&emulator.command(&[&explain[..], &simulate].concat()).await);
    for line in ["over 10.0 TB of tables", "stage 0: 10000 messages", "limited by the most workers"]
    {
        assert!(simulated.contains(line), "{line}: {simulated}");
    }
    let compacted = emulator.command(&["compact", "parts", bucket[0], bucket[1]]).await;
    assert!(compacted.status.success(), "{compacted:?}");
    let keys = emulator.keys("tables/parts/").await;
    assert_eq!(keys.len(), 7, "one for each partition: {keys:?}");
    let again = text(&emulator.command(&["compact", "parts", bucket[0], bucket[1]]).await);
    assert!(again.contains("nothing to do"), "{again}");
    let sums = "SELECT g, count(*) AS c, sum(n) AS s FROM parts GROUP BY g ORDER BY g";
    emulator.put("jobs/sums.sql", sums).await;
    let outcome = &emulator.ended("sums", 1).await[0];
    assert_eq!(emulator.rows(outcome).await[0], "0,429,642213");
    // the sweep follows the marker
    let start = Instant::now();
    while !emulator.keys("work/").await.is_empty() {
        assert!(
            start.elapsed() < PATIENCE,
            "working keys stay: {:?}",
            emulator.keys("work/").await
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An emulator with numbers that writes what it and its functions say into a file.
async fn with_a_log(level: &str) -> (Emulator, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let log = dir.path().join("log");
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" local --port 0 --dir \"$1\" 2> \"$1/log\"", PROGRAM]);
    command.arg(dir.path()).env("TIDEMILL_LOG", level);
    let emulator = Emulator::start_by(command, dir).await;
    put_numbers(&emulator).await;
    (emulator, log)
}

#[tokio::test]
async fn a_manifest_counts_the_requests_that_its_run_made() {
    let (emulator, log) = with_a_log("debug").await;
    let many = json!({ "sql": GROUPS, "options": { "partitions": 90 } });
    let one = json!({ "sql": GROUPS }).to_string();
    for (job, text) in [("one", one), ("spread", spread(GROUPS)), ("many", many.to_string())] {
        emulator.put(&format!("jobs/{job}.json"), text).await;
        let outcome = &emulator.ended(job, 1).await[0];
        let (run, usage) = (outcome["run"].as_str().expect("a run"), &outcome["usage"]);
        let is_closed = || async { !emulator.keys(&format!("runs/{run}/closed")).await.is_empty() };
        let waiting = Instant::now();
        while !is_closed().await {
            assert!(waiting.elapsed() < PATIENCE, "{run} is not closed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let said = std::fs::read_to_string(&log).expect("what the emulator says");
        // those of this test are for results, and for the mark that is waited for
        let is_of_run = |line: &&str| {
            let uri = line.split_once("uri: ").map_or("", |(_, uri)| uri);
            let by_test = uri.contains("results") && !line.contains("method: PUT")
                || uri.contains("list-type") && uri.contains("closed");
            uri.contains(run) && !by_test && !line.contains("method: POST")
        };
        let requests = said.lines().filter(|l| l.contains("req=Request")).filter(is_of_run).count();
        let number = |value: &Value| value.as_u64().expect("a number");
        let of_tables = number(&usage["requests"]) - number(&usage["exchange_requests"]);
        let counted = number(&outcome["actual"]["requests"]) - of_tables;
        let ratio = counted as f64 / requests as f64;
        assert!((0.75..1.25).contains(&ratio), "{job}: {requests} requests, counted {counted}");
    }
}

#[tokio::test]
async fn what_a_run_says_carries_one_trace_from_message_to_message() {
    let (emulator, log) = with_a_log("warn").await;
    emulator.put("jobs/spread.json", spread(GROUPS)).await;
    emulator.ended("spread", 1).await;
    let said = std::fs::read_to_string(log).expect("what the functions say");
    let traces = |of: &str| -> Vec<String> {
        let lines = said.lines().filter(|line| line.contains(of));
        let trace = |line: &str| Some(line.split_once("trace=\"")?.1.split_once('"')?.0.into());
        lines.filter_map(trace).collect()
    };
    let (planner, workers) = (traces("upload{"), traces("task{"));
    assert!(planner[0].starts_with("1-"), "{planner:?}");
    assert!(workers.len() >= 8, "{said:?}");
    assert!(workers.iter().all(|trace| *trace == planner[0]), "{planner:?} {workers:?}");
}
