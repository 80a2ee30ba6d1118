//! What people see of runs: the console's server, reports, waiting, the shell.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tidemill_protocol::bucket::Bucket;

use crate::support::emulator::{Emulator, PROGRAM};
use crate::support::http::send;

/// Where the console is, and its token.
async fn console(emulator: &Emulator) -> (String, String) {
    let found = send("GET", &format!("{}/_console", emulator.endpoint), &[], "").await;
    assert_eq!(found.status, 302, "{found:?}");
    let (address, token) = found.headers["location"].split_once("/?token=").expect("a token");
    (address.to_owned(), token.to_owned())
}

#[tokio::test]
async fn the_console_answers_only_who_has_its_address() {
    let emulator = Emulator::start().await;
    let (address, token) = console(&emulator).await;
    let bearer = format!("Bearer {token}");
    let authorized = ("authorization", bearer.as_str());
    let page = send("GET", &address, &[], "").await;
    assert_eq!(page.status, 200);
    let policy = &page.headers["content-security-policy"];
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    for (path, headers, status) in [
        ("/app.js", vec![], 200),
        ("/../Cargo.toml", vec![], 404),
        ("/api/meta", vec![], 401),
        ("/api/meta", vec![("authorization", "Bearer x")], 401),
        ("/api/meta", vec![authorized], 200),
        ("/api/meta", vec![authorized, ("origin", address.as_str())], 200),
        ("/api/meta", vec![authorized, ("origin", "http://evil.example")], 403),
        ("/api/meta", vec![authorized, ("origin", "null")], 403),
        ("/api/meta", vec![authorized, ("host", "evil.example")], 403),
        ("/app.js", vec![("host", "evil.example")], 403),
        ("/api/elsewhere", vec![authorized], 404),
    ] {
        let answer = send("GET", &format!("{address}{path}"), &headers, "").await;
        assert_eq!(answer.status, status, "{path} {headers:?} {answer:?}");
    }
    let job = json!({ "sql": "SELECT 6 * 7 AS answer" }).to_string();
    let headers = [authorized, ("prefer", "wait=20")];
    let run = send("POST", &format!("{address}/api/runs"), &headers, &job).await;
    assert_eq!(run.body["results"]["preview"], json!([["42"]]), "{run:?}");
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_run_is_left_at_work_waited_for_and_reported() {
    let emulator = Emulator::start().await;
    let started = emulator.command(&["run", "-e", "SELECT 40 + 2 AS answer", "--detach"]).await;
    assert!(started.status.success(), "{started:?}");
    let run = text(&started).trim().to_owned();
    let waited = emulator.command(&["wait", &run, "--format", "csv"]).await;
    assert_eq!(text(&waited), "answer\n42\n", "{waited:?}");
    let typed = emulator.command(&["wait", &run, "--types"]).await;
    assert!(text(&typed).contains("bigint") && text(&typed).contains("42"), "{typed:?}");

    let page = emulator.command(&["report", &run, "-o", "-"]).await;
    let page = text(&page);
    assert!(page.contains("40 + 2") && page.contains(&run) && !page.contains("src="), "{page}");
    let both = emulator.command(&["report", &run, "--compare", &run, "-o", "-"]).await;
    assert!(text(&both).contains("\"compare\":{"));
    let trace = emulator.command(&["report", &run, "--trace", "-o", "-"]).await;
    let trace: Value = serde_json::from_str(&text(&trace)).expect("JSON");
    assert_eq!(trace["traceEvents"][1]["name"], "task 0");

    let status = emulator.command(&["status", &run, "--json"]).await;
    let status: Value = serde_json::from_str(&text(&status)).expect("JSON");
    assert_eq!(status["state"], "succeeded");
    let listed = emulator.command(&["ls", "--json", "--state", "succeeded"]).await;
    let listed: Value = serde_json::from_str(&text(&listed)).expect("JSON");
    assert_eq!(listed["runs"][0]["run"], run.as_str());
    let none = emulator.command(&["wait", "no-such-run"]).await;
    assert!(!none.status.success());
    let twice = "SELECT 1 AS id, 2 AS id";
    let table = emulator.command(&["run", "-e", twice]).await;
    assert!(text(&table).contains("| id | id_1 |"), "{table:?}");
    let first = emulator
        .command(&["run", "-e", "SELECT * FROM generate_series(1, 500) AS t(n)", "--limit", "3"])
        .await;
    assert!(text(&first).contains("… 497 more rows"), "{first:?}");
}

#[tokio::test]
async fn who_only_waits_leaves_a_run_at_work() {
    let emulator = Emulator::start().await;
    let endless = "SELECT count(*) FROM generate_series(1, 60000000) a, generate_series(1, 100) b";
    let started = emulator.command(&["run", "-e", endless, "--detach"]).await;
    let run = text(&started).trim().to_owned();
    let mut waiting = Command::new(PROGRAM)
        .args(["wait", &run])
        .env("AWS_ENDPOINT_URL", &emulator.endpoint)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let pid = waiting.id().to_string();
    Command::new("kill").args(["-s", "TERM", &pid]).status().expect("sent");
    assert_eq!(waiting.wait().expect("it ends").code(), Some(130));
    let status = emulator.command(&["status", &run]).await;
    assert!(text(&status).contains(" is running"), "{status:?}");
    let cancelled = emulator.command(&["cancel", &run]).await;
    assert!(cancelled.status.success(), "{cancelled:?}");
}

#[tokio::test]
async fn a_key_pair_reaches_the_functions_and_the_console_and_nobody_else_gets_in() {
    let keys = ["--access-key", "mine", "--secret-key", "0123456789"].map(str::to_owned);
    let emulator = Emulator::start_with(&keys).await;
    let run = Command::new(PROGRAM)
        .args(["run", "-e", "SELECT 42 AS answer", "--format", "csv"])
        .env("AWS_ENDPOINT_URL", &emulator.endpoint)
        .env("AWS_ACCESS_KEY_ID", "mine")
        .env("AWS_SECRET_ACCESS_KEY", "0123456789")
        .output()
        .expect("it runs");
    assert_eq!(text(&run), "answer\n42\n", "{run:?}");
    for path in ["/_api/runs", "/_console"] {
        let answer = send("GET", &format!("{}{path}", emulator.endpoint), &[], "").await;
        assert!(answer.status >= 400, "{path} {answer:?}");
    }
}

#[tokio::test]
async fn a_job_leaves_its_report_beside_its_result_if_it_asks_for_one() {
    let emulator = Emulator::start().await;
    let job = json!({ "sql": "SELECT 'a</script>b' AS x", "options": { "report": true } });
    emulator.put("jobs/shown.json", job.to_string()).await;
    let run = emulator.ended("shown", 1).await[0]["run"].as_str().expect("an id").to_owned();
    let key = format!("results/shown/{run}/_report.html");
    let start = std::time::Instant::now();
    while emulator.bucket.head(&key).await.expect("a look").is_none() {
        assert!(start.elapsed().as_secs() < 20, "{key} is not there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let page = emulator.bucket.get(&key, None).await.expect("a page").bytes;
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("a\\u003c/script>b") && !page.contains("a</script>"), "{page}");
}

#[tokio::test]
async fn what_attempts_failed_of_is_told_with_the_last_lines_of_their_logs() {
    let emulator = Emulator::start().await;
    let none = emulator.command(&["logs", "no-such-run"]).await;
    assert!(!none.status.success());
    let started = emulator.command(&["run", "-e", "SELECT 1", "--detach"]).await;
    let run = text(&started).trim().to_owned();
    emulator.command(&["wait", &run]).await;
    let quiet = emulator.command(&["logs", &run]).await;
    assert!(text(&quiet).ends_with("no attempt at a task has left an error\n"), "{quiet:?}");
    // as an attempt leaves it that failed before another one succeeded
    let kept = json!({
        "version": "1", "created": "2026-01-02T03:04:05Z", "stages": [],
        "errors": [{ "stage": 2, "task": 7, "at": 1500, "error": "no room", "log": "worker-3", "lines": "INFO begun\n" }],
    });
    emulator.put(&format!("runs/{run}/tasks.json"), kept.to_string()).await;
    let logs = text(&emulator.command(&["logs", &run]).await);
    let told = "03:04:06.500  stage 2, task 7, log worker-3\n  no room\n  | INFO begun\n";
    assert!(logs.ends_with(told), "{logs}");
    let of_another = text(&emulator.command(&["logs", &run, "3", "--json"]).await);
    assert_eq!(of_another, "[]\n");
}

#[tokio::test]
async fn the_api_is_asked_by_the_command_line() {
    let emulator = Emulator::start().await;
    let body = "{\"sql\": \"SELECT 1 AS one\"}";
    let out =
        emulator.command(&["api", "POST", "/runs", "-H", "Prefer: wait=20", "-d", body]).await;
    let answer: Value = serde_json::from_str(&text(&out)).expect("JSON");
    assert_eq!(answer["results"]["preview"], json!([["1"]]));
    let out = emulator.command(&["api", "get", "runs?limit=1", "--include"]).await;
    assert!(
        text(&out).starts_with("HTTP/1.1 200 OK\n") && text(&out).contains("\"runs\":["),
        "{out:?}"
    );
    let out = emulator.command(&["api", "GET", "/runs/none"]).await;
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out).contains("there is no run none"), "{out:?}");
    let url = format!("{}/_api", emulator.endpoint);
    let out = emulator.command(&["api", "GET", "/meta", "--url", &url]).await;
    assert!(text(&out).contains("\"bucket\":\"tidemill\""), "{out:?}");
}

#[tokio::test]
async fn buckets_and_endpoints_of_environment_and_profile_are_followed() {
    let emulator = Emulator::start().await;
    emulator.command(&["run", "-e", "SELECT 1"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("config");
    let text =
        format!("[profile mine]\nendpoint_url = {}\nregion = us-east-1\n", emulator.endpoint);
    std::fs::write(&profile, text).expect("a file");
    let ls = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(PROGRAM);
        command.arg("ls").args(arguments).env_remove("AWS_ENDPOINT_URL");
        command.env("AWS_CONFIG_FILE", &profile).env("AWS_PROFILE", "mine");
        command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any");
        let out = command.envs(variables.iter().copied()).output().expect("it runs");
        text_of_both(&out)
    };
    assert!(ls(&[], &[]).contains("succeeded"), "the profile's endpoint");
    assert!(ls(&[], &[("TIDEMILL_BUCKET", "tidemill")]).contains("succeeded"));
    let none = ls(&[], &[("TIDEMILL_BUCKET", "no-such-bucket")]);
    assert!(none.contains("no-such-bucket") || none.contains("NoSuchBucket"), "{none}");
    let dir = folder.path().join("data");
    let own = ls(&["--local", dir.to_str().expect("text")], &[("TIDEMILL_BUCKET", "elsewhere")]);
    assert!(own.contains("0 runs"), "{own}");
}

fn text_of_both(output: &Output) -> String {
    format!("{}{}", text(output), String::from_utf8_lossy(&output.stderr))
}

/// A shell in a folder, with something on its standard input.
fn shell(folder: &std::path::Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg("sql")
        .args(arguments)
        .current_dir(folder)
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("TIDEMILL_BUCKET")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("written");
    child.wait_with_output().expect("it ends")
}

#[test]
fn files_of_a_folder_are_tables_where_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("days")).expect("a folder");
    for (name, rows) in [("x.csv", "n\n1\n2\n"), ("days/a.csv", "n\n3\n"), ("days/b.csv", "n\n4\n")]
    {
        std::fs::write(folder.path().join(name), rows).expect("a file");
    }
    let csv = |sql: &str, input: &str| {
        let out = shell(folder.path(), &["-e", sql, "--format", "csv"], input);
        assert!(out.status.success(), "{sql}: {out:?}");
        text(&out)
    };
    assert_eq!(csv("SELECT sum(n) AS s FROM 'x.csv'", ""), "s\n3\n");
    assert_eq!(csv("SELECT sum(n) AS s FROM 'days/*.csv'", ""), "s\n7\n");
    assert_eq!(csv("SELECT sum(n) AS s FROM '-'", "n\n5\n6\n"), "s\n11\n");
    assert_eq!(
        csv("SELECT count(*) AS c FROM '-' a JOIN 'x.csv' b USING (n)", "{\"n\": 2}\n"),
        "c\n1\n"
    );
    let both =
        shell(folder.path(), &["--format", "csv"], "SELECT 1 AS a;\nSELECT ';' AS b -- the last\n");
    assert_eq!(text(&both), "a\n1\nb\n;\n", "{both:?}");
    assert_eq!(csv("SELECT sum(n) AS s FROM '*/*.csv'", ""), "s\n7\n");
    let input = ".timer off\nSELECT 1 AS a;\n.exit\nSELECT 2;\n";
    let commands = shell(folder.path(), &["--format", "csv"], input);
    assert_eq!(text(&commands), "a\n1\n", "{commands:?}");
    let open = shell(folder.path(), &["-e", "SELECT 'open"], "");
    assert_eq!(open.status.code(), Some(1), "{open:?}");
    let failed = shell(folder.path(), &["-e", "SELECT nope FROM 'x.csv'; SELECT 1"], "");
    assert_eq!((failed.status.code(), text(&failed).as_str()), (Some(1), ""), "{failed:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 2, "nothing else is left: {left:?}");
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let out = Command::new(PROGRAM).args(["completions", shell]).output().expect("it runs");
        assert!(out.status.success() && text(&out).contains("tidemill"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = Command::new(PROGRAM).arg("man").arg("--dir").arg(folder.path()).output();
    assert!(out.expect("it runs").status.success());
    assert!(folder.path().join("tidemill-run.1").is_file());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        "{PROGRAM} --help | head -1; {PROGRAM} ls --local {} | true",
        folder.path().display()
    );
    let out = Command::new("bash").args(["-c", &script]).output().expect("it runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!said.contains("panicked"), "{said}");
}
