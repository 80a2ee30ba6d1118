//! The command line as its users have it: files, pipes, signals, and what is said of mistakes.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_protocol::Bucket;

use crate::support::emulator::{Emulator, PATIENCE, PROGRAM};

/// A row of a million takes part in a product that is never done.
const ENDLESS: &str = "SELECT count(*) AS c FROM generate_series(1, 1000000) a, \
                       generate_series(1, 1000000) b WHERE a.value * b.value % 7 = 3";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command with an emulator of its own in a folder, and nothing of this process's environment that
/// names another one.
fn local(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--local").arg(dir).stdin(Stdio::null());
    command.env_remove("AWS_ENDPOINT_URL").env_remove("AWS_ENDPOINT_URL_S3");
    command
}

fn run_local(dir: &Path, arguments: &[&str]) -> Output {
    local(dir, arguments).output().expect("it runs")
}

async fn rows_of(file: &Path) -> usize {
    use datafusion::prelude::{ParquetReadOptions, SessionContext};
    let session = SessionContext::new();
    let path = file.to_string_lossy();
    let table = session.read_parquet(path.as_ref(), ParquetReadOptions::default()).await;
    table.expect("Parquet").count().await.expect("rows")
}

#[tokio::test]
async fn a_files_extension_says_its_format_and_all_rows_are_in_it() {
    let emulator = Emulator::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let sql = "SELECT value FROM generate_series(1, 1000) ORDER BY value";
    let run = async |name: &str, more: &[&str]| {
        let file = dir.path().join(name);
        let path = file.to_string_lossy().into_owned();
        let arguments = [&["run", "-e", sql, "--output", &path], more].concat();
        let out = emulator.command(&arguments).await;
        assert!(out.status.success() && out.stdout.is_empty(), "{name}: {out:?}");
        file
    };
    let read = |file: &Path| std::fs::read_to_string(file).expect("text");
    let csv = read(&run("big.csv", &[]).await);
    assert_eq!((csv.lines().count(), csv.lines().last()), (1001, Some("1000")));
    for name in ["big.json", "big.NDJSON", "big.jsonl"] {
        let json = read(&run(name, &[]).await);
        assert_eq!((json.lines().count(), json.lines().last()), (1000, Some(r#"{"value":1000}"#)));
    }
    assert_eq!(rows_of(&run("big.parquet", &[]).await).await, 1000);
    let table = read(&run("big.txt", &["--format", "table"]).await);
    assert_eq!(table.lines().count(), 1004, "no table of a file is cut");
    for (name, part) in
        [("big", "no extension"), ("big.xlsx", ".xlsx"), ("no/such/folder.csv", "is no folder")]
    {
        let out = emulator.command(&["run", "-e", sql, "-o", name]).await;
        let said = text(&out.stderr);
        assert!(!out.status.success() && said.contains(part), "{said}");
        assert!(!said.contains("run query-"), "said before anything runs: {said}");
    }
    let out = emulator.command(&["run", "-e", sql, "--output", "-"]).await;
    assert_eq!(text(&out.stdout).lines().count(), 1004, "{out:?}");
    let out = emulator.command(&["run", "-e", sql]).await;
    assert_eq!(text(&out.stdout).lines().count(), 104 + 1);
    assert!(text(&out.stderr).contains("100 of 1000 rows shown: --format csv"), "{out:?}");
    let file = dir.path().join("unused.csv").to_string_lossy().into_owned();
    let out = emulator.command(&["run", "-e", "CREATE TABLE t AS SELECT 1 a", "-o", &file]).await;
    assert!(out.status.success() && text(&out.stderr).contains("is not written"), "{out:?}");
}

#[tokio::test]
async fn values_that_json_and_csv_have_no_form_for_are_written_and_not_lost() {
    let emulator = Emulator::start().await;
    let sql = "SELECT MAP {7: 'x', 8: NULL} AS m, MAP {1: MAP {2.5: 3}} AS deep, \
               CAST('NaN' AS DOUBLE) AS nan, CAST('-inf' AS REAL) AS inf, 1.5 AS half, \
               CAST('99999999999999999999999999999999999.99' AS DECIMAL(38, 2)) AS dec, \
               CAST(18446744073709551615 AS BIGINT UNSIGNED) AS big, X'00ff' AS bin, \
               TIMESTAMP '2020-01-02T03:04:05.123456789' AS ts, DATE '9999-12-31' AS d, \
               [1, NULL] AS l, named_struct('a', 1, 'b', NULL) AS s, NULL AS nothing, '' AS empty, \
               'a \"b\", c' AS quoted";
    let out = emulator.command(&["run", "-e", sql, "--format", "json"]).await;
    let found: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    let expected = json!({
        "m": { "7": "x", "8": null }, "deep": { "1": { "2.5": 3 } }, "nan": "NaN",
        "inf": "-Infinity", "half": 1.5, "big": 18_446_744_073_709_551_615_u64, "bin": "00ff",
        "ts": "2020-01-02T03:04:05.123456789", "d": "9999-12-31", "l": [1, null],
        "s": { "a": 1, "b": null }, "nothing": null, "empty": "", "quoted": "a \"b\", c",
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[name], value, "{name}: {out:?}");
    }
    assert!(
        text(&out.stdout).contains("\"dec\":99999999999999999999999999999999999.99,"),
        "{out:?}"
    );
    let out = emulator.command(&["run", "-e", sql, "--format", "csv"]).await;
    let row = text(&out.stdout).lines().nth(1).unwrap_or_default().to_owned();
    let expected = "\"{\"\"7\"\":\"\"x\"\",\"\"8\"\":null}\",\"{\"\"1\"\":{\"\"2.5\"\":3}}\",NaN,-inf,1.5,\
                    99999999999999999999999999999999999.99,18446744073709551615,00ff,\
                    2020-01-02T03:04:05.123456789,9999-12-31,\"[1,null]\",\
                    \"{\"\"a\"\":1,\"\"b\"\":null}\",,\"\",\"a \"\"b\"\", c\"";
    assert_eq!(row, expected, "{out:?}");
    let out =
        emulator.command(&["run", "-e", "SELECT CAST(NULL AS INT) a", "--format", "csv"]).await;
    assert_eq!(text(&out.stdout), "a\n\"\"\n");
}

#[tokio::test]
async fn the_statement_may_begin_with_a_comment_and_come_from_standard_input() {
    let emulator = Emulator::start().await;
    let out = emulator.command(&["run", "-e", "-- top\nSELECT 1 AS x", "--format", "csv"]).await;
    assert_eq!(text(&out.stdout), "x\n1\n", "{out:?}");
    let out = emulator.command(&["explain", "-e", "-- top\nSELECT 1 AS x"]).await;
    assert!(text(&out.stdout).contains("GB-seconds"), "{out:?}");
    let with_input = |arguments: &[&str], input: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("AWS_ENDPOINT_URL", &emulator.endpoint);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).expect("written");
        drop(stdin);
        child.wait_with_output().expect("it ends")
    };
    let csv = ["run", "-", "--format", "csv"];
    let job = json!({ "sql": "SELECT 3 AS x", "options": { "partitions": 2 } }).to_string();
    for (input, rows) in [("SELECT 2 AS x", "x\n2\n"), (job.as_str(), "x\n3\n")] {
        let out = with_input(&csv, input);
        assert_eq!(text(&out.stdout), rows, "{out:?}");
    }
    let out = with_input(&["explain", "-"], &job);
    assert!(text(&out.stdout).contains("GB-seconds"), "{out:?}");
    for (arguments, input) in [(&csv[..], " \n"), (&["run", "-e", ""], "")] {
        let out = with_input(arguments, input);
        assert!(text(&out.stderr).contains("is empty"), "{out:?}");
    }
}

#[tokio::test]
async fn a_command_follows_the_endpoint_of_the_environment() {
    let emulator = Emulator::start().await;
    emulator.put("tables/here/a.csv", "n\n7\n").await;
    let nobody = "http://127.0.0.1:9";
    let dir = tempfile::tempdir().expect("a folder");
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "-e", "SELECT n FROM here", "--format", "csv"]).args(arguments);
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
            command.env_remove(name);
        }
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        command.envs(variables.iter().copied()).stdin(Stdio::null()).output().expect("it runs")
    };
    let here = emulator.endpoint.as_str();
    let (all, s3) = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3");
    for arguments in [&[][..], &["--bucket", "tidemill"]] {
        for variables in [&[(all, here)][..], &[(all, nobody), (s3, here)], &[(s3, here)]] {
            let out = run(variables, arguments);
            assert_eq!(text(&out.stdout), "n\n7\n", "{variables:?} {arguments:?}: {out:?}");
        }
    }
    let said = text(&run(&[(all, nobody)], &[]).stderr);
    assert!(said.contains(nobody) && said.contains(all), "{said}");
    // an emulator of its own goes before what the environment says
    let folder = dir.path().to_string_lossy().into_owned();
    std::fs::create_dir_all(dir.path().join("tidemill/tables/here")).expect("a folder");
    std::fs::write(dir.path().join("tidemill/tables/here/a.csv"), "n\n8\n").expect("written");
    let out = run(&[(all, nobody), (s3, nobody)], &["--local", &folder]);
    assert_eq!(text(&out.stdout), "n\n8\n", "{out:?}");
    // a folder that is another's says where that one answers
    let said = text(&run(&[], &["--local", &emulator.dir().to_string_lossy()]).stderr);
    assert!(said.contains(&format!("AWS_ENDPOINT_URL={here}")), "{said}");
}

/// A command in the background whose run has begun; its run's id.
fn started(mut command: Command, said: &Path) -> (Child, String) {
    use std::os::unix::process::CommandExt;
    let file = std::fs::File::create(said).expect("a file");
    // as a terminal does it: a Ctrl-C reaches the whole group
    let child = command.process_group(0).stdout(Stdio::null()).stderr(file).spawn();
    let start = Instant::now();
    loop {
        let lines = std::fs::read_to_string(said).expect("what it says");
        let run = lines.lines().find_map(|line| line.strip_prefix("run "));
        if let Some(run) = run.filter(|_| lines.contains("0/")) {
            return (child.expect("it starts"), run.to_owned());
        }
        assert!(start.elapsed() < PATIENCE, "{lines}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn signal_group(child: &Child, signal: &str) {
    let group = format!("-{}", child.id());
    let sent = Command::new("kill").args(["-s", signal, "--", &group]).status();
    assert!(sent.expect("it runs").success());
}

#[tokio::test]
async fn ctrl_c_cancels_the_run_and_it_does_not_go_on_in_the_next_command() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = dir.path().join("said");
    for signal in ["INT", "TERM"] {
        let command = local(dir.path(), &["run", "-e", ENDLESS, "--partitions", "3"]);
        let (mut child, run) = started(command, &said);
        signal_group(&child, signal);
        let status = child.wait().expect("it ends");
        let lines = std::fs::read_to_string(&said).expect("what it said");
        assert_eq!(status.code(), Some(130), "{lines}");
        assert!(lines.contains(&format!("cancelling run {run}")), "{lines}");
        assert!(lines.contains(&format!("run {run} is cancelled; `tidemill retry {run} --local")));
        let out = run_local(dir.path(), &["status", &run]);
        assert!(text(&out.stdout).contains(&format!("run {run} cancelled after")), "{out:?}");
        let out = run_local(dir.path(), &["run", "-e", "SELECT 1 AS x", "--format", "csv"]);
        assert_eq!(text(&out.stdout), "x\n1\n", "{out:?}");
    }
    let out = run_local(dir.path(), &["ls"]);
    assert!(!text(&out.stdout).contains("running"), "{out:?}");
}

/// Each has a job file of its own.
#[tokio::test]
async fn statements_at_once_all_have_their_answers_and_are_listed_the_newest_first() {
    let emulator = Emulator::start().await;
    let run = async |n: usize| {
        let sql = format!("SELECT {n} AS n");
        let out = emulator.command(&["run", "-e", &sql, "--format", "csv"]).await;
        assert_eq!(text(&out.stdout), format!("n\n{n}\n"), "{out:?}");
    };
    futures::future::join_all((0..8).map(run)).await;
    let out = emulator.command(&["run", "-e", "SELECT 'é' AS last, NULL AS none"]).await;
    let said = text(&out.stderr);
    let last = said.lines().find_map(|line| line.strip_prefix("run ")).expect("its run");
    let out = emulator.command(&["ls", "query", "-n", "3"]).await;
    let lines: Vec<_> = text(&out.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[1].starts_with("succeeded") && lines[1].ends_with(last), "{lines:?}");
    assert!(text(&out.stderr).contains("the last 3 runs"), "{out:?}");
    let key = format!("results/query/{last}/_preview.json");
    let preview = emulator.bucket.get(&key, None).await.expect("a preview");
    let preview: Value = serde_json::from_slice(&preview.bytes).expect("JSON");
    assert_eq!(preview["rows"], json!([["é", null]]));
    assert_eq!(preview["columns"][0], json!({ "name": "last", "type": "varchar" }));
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_at_once_and_says_how_to_cancel_the_run() {
    let emulator = Emulator::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let said = dir.path().join("said");
    let mut command = Command::new(PROGRAM);
    command.args(["run", "-e", ENDLESS, "--bucket", "tidemill"]).stdin(Stdio::null());
    command.env("AWS_ENDPOINT_URL", &emulator.endpoint).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any");
    let (mut child, run) = started(command, &said);
    // nobody ends the run: the watcher that would is stopped
    let watchers = emulator.processes("watcher");
    let signal =
        |name: &str, pid: u32| Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    for pid in &watchers {
        signal("STOP", *pid).expect("sent");
    }
    signal_group(&child, "INT");
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal_group(&child, "INT");
    let left = Instant::now();
    let status = child.wait().expect("it ends");
    let lines = std::fs::read_to_string(&said).expect("what it said");
    for pid in watchers {
        signal("CONT", pid).expect("sent");
    }
    assert_eq!(status.code(), Some(130), "{lines}");
    assert!(left.elapsed() < Duration::from_secs(5), "{:?}", left.elapsed());
    let hint = format!("`tidemill cancel {run} --bucket tidemill` cancels it");
    assert!(lines.contains(&hint) || lines.contains("is cancelled"), "{lines}");
    let outcome = &emulator.ended("query", 1).await[0];
    assert_eq!(outcome["status"], "cancelled", "{outcome}");
}

#[tokio::test]
async fn functions_end_with_the_emulator_however_it_ends() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = dir.path().join("said");
    let (mut child, _) = started(local(dir.path(), &["run", "-e", ENDLESS]), &said);
    let threads = std::fs::read_dir(format!("/proc/{}/task", child.id())).expect("its threads");
    let functions: Vec<u32> = threads
        .flatten()
        .flat_map(|thread| {
            let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect();
    assert!(!functions.is_empty(), "it has functions at work");
    child.kill().expect("killed");
    child.wait().expect("it ended");
    let start = Instant::now();
    let is_there = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        text(&line).contains("function")
    };
    while functions.iter().any(is_there) {
        assert!(start.elapsed() < Duration::from_secs(10), "functions without an emulator");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_sentence_before_anything_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().to_string_lossy().into_owned();
    for (arguments, part) in [
        (&["run"][..], "<FILE|-e <SQL>>"),
        (&["run", "no.sql"], "reading no.sql failed"),
        (&["run", &folder], "Is a directory"),
        (&["run", "-e", "--format", "csv"], "the SQL is missing"),
        (&["run", "a.sql", "-e", "SELECT 1"], "cannot be used with"),
        (&["run", "-e", "SELECT 1", "--max-cost-usd", "NaN"], "a number of dollars above 0"),
        (&["run", "-e", "SELECT 1", "--max-cost-usd", "-1"], "a number of dollars above 0"),
        (&["run", "-e", "SELECT 1", "--deadline", "0"], "1.."),
        (&["run", "-e", "SELECT 1", "-o", &folder], "is a folder"),
        (&["run", "-e", "SELECT 1", "--format", "parquet"], "--output FILE"),
        (&["compact", ""], "a value is required"),
        (&["cancel", "a b"], "'a b' is not a run id"),
        (&["cancel", "nope"], "there is no run nope"),
        (&["pipeline", "backfill", "nope"], "there is no pipeline nope"),
    ] {
        let out = run_local(dir.path(), arguments);
        let said = text(&out.stderr);
        assert!(!out.status.success() && said.contains(part), "{arguments:?}: {said}");
        assert!(!said.contains("run query-"), "{arguments:?}: {said}");
    }
    let out = Command::new(PROGRAM).args(["local", "--memory", "0"]).output().expect("it runs");
    assert!(text(&out.stderr).contains("128.."), "{out:?}");
    let out = run_local(dir.path(), &["explain", "-e", "explain SELECT 1"]);
    assert!(text(&out.stdout).contains("GB-seconds"), "{out:?}");
}

#[tokio::test]
async fn tables_and_the_columns_of_one_are_listed() {
    let emulator = Emulator::start().await;
    emulator.put("tables/b/x=1/a.csv", "n,t,d\n1,a,2020-01-02\n").await;
    emulator.put("tables/b/x=1/_hidden", "no data").await;
    emulator.put("tables/a/a.json", "{\"l\":[1],\"s\":{\"v\":1.5}}\n").await;
    let rows = |output: &Output| -> Vec<Vec<String>> {
        let words = |line: &str| line.splitn(3, "  ").map(|w| w.trim().to_owned()).collect();
        text(&output.stdout).lines().map(words).collect()
    };
    let out = emulator.command(&["tables"]).await;
    let lines = text(&out.stdout);
    let words = |n: usize| lines.lines().nth(n).map(|l| l.split_whitespace().collect::<Vec<_>>());
    assert_eq!(words(1), Some(vec!["1", "24", "a"]), "{out:?}");
    assert_eq!(words(2), Some(vec!["1", "21", "b"]), "{out:?}");
    let out = emulator.command(&["tables", "b"]).await;
    let expected = [["n", "bigint"], ["t", "varchar"], ["d", "date"]];
    assert_eq!(rows(&out)[..3], expected.map(|row| row.map(str::to_owned).to_vec()), "{out:?}");
    assert!(rows(&out)[3][0] == "x", "{out:?}");
    let out = emulator.command(&["tables", "a"]).await;
    let expected = [["l", "bigint[]"], ["s", "struct(v double)"]];
    assert_eq!(rows(&out), expected.map(|row| row.map(str::to_owned).to_vec()), "{out:?}");
    let out = emulator.command(&["tables", "none"]).await;
    assert!(!out.status.success() && text(&out.stderr).contains("table none not found"), "{out:?}");
}
