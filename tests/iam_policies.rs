//! What functions may do: the policies in the template, to which the emulator holds them.

use aws_credential_types::Credentials;
use tidemill_protocol::Bucket;
use tidemill_protocol::context::full_text;

use crate::support::emulator::Emulator;

const FUNCTIONS: [&str; 8] = [
    "planner",
    "worker",
    "largeworker",
    "pythonworker",
    "largepythonworker",
    "pythonsqlworker",
    "watcher",
    "api",
];

/// Those that make calls.
const PYTHON_WORKERS: [&str; 2] = ["pythonworker", "largepythonworker"];

/// Those that run code of users.
const RUN_CODE: [&str; 3] = ["pythonworker", "largepythonworker", "pythonsqlworker"];

const PREFIXES: [&str; 11] = [
    "jobs/",
    "inbox/",
    "pipelines/",
    "functions/",
    "calls/",
    "recent/",
    "runs/",
    "work/",
    "results/",
    "tables/",
    "elsewhere/",
];

#[tokio::test]
async fn no_function_that_works_for_runs_may_write_what_users_own() {
    let emulator = Emulator::start().await;
    for function in FUNCTIONS.into_iter().filter(|function| *function != "api") {
        let bucket = emulator.bucket_as(function).await;
        for prefix in ["jobs/", "inbox/", "pipelines/", "functions/", "calls/"] {
            let key = format!("{prefix}x");
            emulator.put(&key, "mine").await;
            let refused = bucket.put(&key, "theirs".into(), &[]).await;
            let text = full_text(&refused.expect_err(&key));
            assert!(text.contains(&format!("function {function} is not authorized")), "{text}");
            let refused = bucket.delete(std::slice::from_ref(&key)).await;
            assert!(refused.is_err(), "{function} deletes {key}");
            let found = emulator.bucket.get(&key, None).await.expect("it is there");
            assert_eq!(found.bytes, "mine", "{key}");
        }
    }
}

#[tokio::test]
async fn the_api_starts_runs_and_takes_uploads_for_its_callers_and_writes_nothing_of_runs() {
    let emulator = Emulator::start().await;
    let bucket = emulator.bucket_as("api").await;
    for (key, is_allowed) in [
        ("jobs/api/a/x.json", true),
        ("jobs/x.sql", false),
        ("pipelines/x.json", true),
        ("inbox/x", true),
        ("tables/x", true),
        ("functions/x.py", false),
        ("calls/x", false),
        ("recent/x", false),
        ("runs/a/cancel", true),
        ("runs/a/outcome.json", false),
        ("work/a/out/0/0000/000000", false),
        ("results/a/b/_SUCCESS", false),
    ] {
        let put = bucket.put(key, "x".into(), &[]).await;
        assert_eq!(put.is_ok(), is_allowed, "{key}");
        let deleted = bucket.delete(&[key.to_owned()]).await;
        assert_eq!(deleted.is_ok(), key.starts_with("pipelines/"), "{key}");
    }
    emulator.put("inbox/secret", "rows").await;
    emulator.put("functions/f.py", "code").await;
    for key in ["inbox/secret", "functions/f.py"] {
        assert!(bucket.get(key, None).await.is_err(), "{key}");
    }
}

#[tokio::test]
async fn functions_may_write_and_delete_what_is_theirs() {
    let emulator = Emulator::start().await;
    for function in FUNCTIONS.into_iter().filter(|function| *function != "api") {
        let bucket = emulator.bucket_as(function).await;
        for prefix in ["runs/", "work/", "results/", "tables/"] {
            let put = bucket.put(&format!("{prefix}{function}"), "x".into(), &[]).await;
            let is_theirs = prefix != "tables/" || !RUN_CODE.contains(&function);
            assert_eq!(put.is_ok(), is_theirs, "{function} writes {prefix}");
        }
        let listed = bucket.put("recent/x", "x".into(), &[]).await;
        assert_eq!(
            listed.is_ok(),
            ["planner", "watcher"].contains(&function),
            "{function} lists runs"
        );
        let of_others = bucket.put("elsewhere/x", "x".into(), &[]).await;
        assert!(of_others.is_err(), "{function} writes elsewhere");
    }
    let watcher = emulator.bucket_as("watcher").await;
    let kept = watcher.delete(&["work/worker".into(), "runs/worker".into()]).await;
    let text = full_text(&kept.expect_err("a part of it"));
    assert!(text.contains("runs/worker"), "{text}");
    let left: Vec<_> =
        emulator.keys("").await.into_iter().filter(|k| k.ends_with("/worker")).collect();
    assert_eq!(left, ["results/worker", "runs/worker", "tables/worker"]);
}

#[tokio::test]
async fn python_workers_read_what_calls_need_and_send_to_their_own_queues_and_to_who_publishes() {
    let emulator = Emulator::start().await;
    for function in PYTHON_WORKERS {
        reads_only(function, &emulator, &["calls/", "runs/", "work/", "results/"]).await;
        let publishes = send_as(function, &emulator, "TaskQueue").await;
        assert_eq!(publishes, Ok(()), "who may publish is asked to");
        let others = ["EventsQueue", "LargeTaskQueue", "PythonSqlTaskQueue"];
        for queue in others.into_iter().chain(["WatchQueue", "DeadLetterQueue"]) {
            may_not_send(function, &emulator, queue).await;
        }
    }
    let upwards = send_as("pythonworker", &emulator, "LargePythonTaskQueue").await;
    assert_eq!(upwards, Ok(()));
    may_not_send("largepythonworker", &emulator, "PythonTaskQueue").await;
}

#[tokio::test]
async fn the_worker_of_statements_with_functions_reads_any_key_and_sends_to_whom_follows() {
    let emulator = Emulator::start().await;
    reads_only("pythonsqlworker", &emulator, &PREFIXES).await;
    for queue in ["TaskQueue", "PythonSqlTaskQueue"] {
        let sent = send_as("pythonsqlworker", &emulator, queue).await;
        assert_eq!(sent, Ok(()), "{queue}");
    }
    let of_others = ["LargeTaskQueue", "PythonTaskQueue", "LargePythonTaskQueue"];
    for queue in of_others.into_iter().chain(["EventsQueue", "WatchQueue", "DeadLetterQueue"]) {
        may_not_send("pythonsqlworker", &emulator, queue).await;
    }
    for function in ["planner", "worker", "largeworker", "watcher"] {
        let sent = send_as(function, &emulator, "PythonSqlTaskQueue").await;
        assert_eq!(sent, Ok(()), "{function} begins such stages");
    }
}

/// A function that runs code of users reads these prefixes, and deletes only what is of a run's work.
async fn reads_only(function: &str, emulator: &Emulator, readable: &[&str]) {
    let bucket = emulator.bucket_as(function).await;
    for prefix in PREFIXES {
        let key = format!("{prefix}{function}");
        emulator.put(&key, "x").await;
        let got = bucket.get(&key, None).await;
        assert_eq!(got.is_ok(), readable.contains(&prefix), "{function} reads {prefix}");
        let deleted = bucket.delete(&[key]).await;
        assert_eq!(deleted.is_ok(), prefix == "work/", "{function} deletes in {prefix}");
    }
}

async fn may_not_send(function: &str, emulator: &Emulator, queue: &str) {
    let sent = send_as(function, emulator, queue).await;
    assert!(sent.is_err_and(|e| e.contains("not authorized")), "{function} sends to {queue}");
}

/// Sends a message that is no task, as a process of a function; why it may not.
async fn send_as(function: &str, emulator: &Emulator, queue: &str) -> Result<(), String> {
    let credentials = Credentials::new("any", "any", Some(format!("{function}-0")), None, "test");
    let config = aws_sdk_sqs::config::Builder::from(&emulator.config);
    let config = config.credentials_provider(credentials).build();
    let url = format!("{}/000000000000/{queue}", emulator.endpoint);
    let sending = aws_sdk_sqs::Client::from_conf(config).send_message();
    let sent = sending.queue_url(url).message_body("x").send().await;
    sent.map(|_| ()).map_err(|e| full_text(&e))
}
