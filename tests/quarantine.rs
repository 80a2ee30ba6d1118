//! Lines that cannot be read, set aside instead of failing the run.

use serde_json::{Value, json};
use tidemill_protocol::record::Outcome;

use crate::engine::EngineFixture;
use crate::inputs::gzip;
use crate::support::crash::Crash;
use crate::support::emulator::Emulator;

fn job(sql: &str, partitions: Option<u32>) -> Value {
    json!({ "sql": sql, "options": { "partitions": partitions, "on_bad_row": "quarantine" } })
}

/// The lines that a run has set aside, in the order of their places.
async fn rejects(fixture: &EngineFixture, outcome: &Outcome) -> Vec<Value> {
    let mut lines = vec![];
    let folder = format!("results/{}/{}/rejects/", outcome.job, outcome.run);
    for key in fixture.world.keys(&folder).await {
        let text = String::from_utf8(fixture.world.read(&key).await).expect("text");
        lines.extend(text.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON")));
    }
    lines.sort_by_key(|l| (l["file"].to_string(), l["offset"].as_u64()));
    lines
}

const ORDERS: &str = "id,name,price\n1,a,1.5\nx,b,2\n3,\"c\nd\",3\n4,e\n5,f,5,5\n6,g,6\n";

async fn declared(text: &str) -> EngineFixture {
    let fixture = EngineFixture::new();
    let columns = json!([
        { "name": "id", "type": "bigint" },
        { "name": "name", "type": "varchar" },
        { "name": "price", "type": "double" }
    ]);
    fixture.put("tables/t/_schema.json", json!({ "columns": columns }).to_string()).await;
    fixture.put("tables/t/a.csv", text.to_owned()).await;
    fixture
}

#[tokio::test]
async fn bad_lines_of_csv_are_set_aside_and_the_rest_is_answered() {
    let fixture = declared(ORDERS).await;
    for partitions in [None, Some(1), Some(3)] {
        let outcome =
            fixture.outcome_of(&job("SELECT id, price FROM t ORDER BY id", partitions)).await;
        assert_eq!(fixture.rows(&outcome).await.expect("rows"), ["1|1.5", "3|3.0", "6|6.0"]);
        assert_eq!(outcome.bad_rows, Some(3));
        let lines = rejects(&fixture, &outcome).await;
        let told: Vec<_> = lines.iter().map(|l| (l["line"].as_u64(), l["text"].as_str())).collect();
        let line = |n| Some(n);
        assert_eq!(
            told,
            [(line(3), Some("x,b,2")), (line(6), Some("4,e")), (line(7), Some("5,f,5,5"))]
        );
        assert_eq!(lines[0]["file"], "tables/t/a.csv");
        assert!(lines[0]["reason"].as_str().is_some_and(|r| r.contains("id")), "{}", lines[0]);
    }
}

#[tokio::test]
async fn a_line_is_bad_whatever_the_statement_reads_and_however_often() {
    let fixture = declared(ORDERS).await;
    for partitions in [None, Some(3)] {
        let count = fixture.outcome_of(&job("SELECT count(*) FROM t", partitions)).await;
        assert_eq!((fixture.rows(&count).await, count.bad_rows), (Ok(vec!["3".into()]), Some(3)));
        let names = "SELECT a.name FROM t a JOIN t b ON a.name = b.name WHERE b.price > 4";
        let twice = fixture.outcome_of(&job(names, partitions)).await;
        assert_eq!((fixture.rows(&twice).await, twice.bad_rows), (Ok(vec!["g".into()]), Some(3)));
    }
}

#[tokio::test]
async fn without_the_option_the_first_bad_line_fails_the_run() {
    let fixture = declared(ORDERS).await;
    let why = fixture.run("SELECT sum(id) FROM t", None).await.expect_err("a bad line");
    assert!(why.starts_with("tables/t/a.csv cannot be read as CSV"), "{why}");
}

#[tokio::test]
async fn columns_are_inferred_from_the_lines_of_the_right_form() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.csv", "n,t\n1,x\n2\n3,y,z\n\"4\",\"z\"\n").await;
    let outcome = fixture.outcome_of(&job("SELECT sum(n), max(t) FROM t", None)).await;
    assert_eq!((fixture.rows(&outcome).await, outcome.bad_rows), (Ok(vec!["5|z".into()]), Some(2)));
    fixture.put("tables/j/a.json", "{\"n\": 1}\n{\"n\": \nnonsense\n{\"n\": 2}\n").await;
    let outcome = fixture.outcome_of(&job("SELECT sum(n) FROM j", Some(2))).await;
    assert_eq!((fixture.rows(&outcome).await, outcome.bad_rows), (Ok(vec!["3".into()]), Some(2)));
}

#[tokio::test]
async fn gzipped_files_and_a_text_for_null_have_bad_lines_too() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.csv.gz", gzip("n,t\n1,x\nNA,y\n3\n4,z\n")).await;
    fixture.put("tables/t/b.csv", "n,t\nfour,x\n5,y\n").await;
    let columns = json!([{ "name": "n", "type": "bigint" }, { "name": "t", "type": "varchar" }]);
    let csv = json!({ "null": "NA" });
    fixture
        .put("tables/t/_schema.json", json!({ "columns": columns, "csv": csv }).to_string())
        .await;
    for partitions in [None, Some(2)] {
        let outcome = fixture.outcome_of(&job("SELECT sum(n), count(*) FROM t", partitions)).await;
        assert_eq!(
            (fixture.rows(&outcome).await, outcome.bad_rows),
            (Ok(vec!["10|4".into()]), Some(2))
        );
        let lines = rejects(&fixture, &outcome).await;
        assert_eq!((&lines[0]["text"], &lines[0]["line"]), (&json!("3"), &json!(4)));
        assert_eq!(lines[1]["text"], "four,x");
    }
}

/// Many lines of which every 1,000th is bad: the text, the sum of the others, and how many are bad.
fn large(line: impl Fn(u64) -> String, bytes: usize) -> (String, u64, u64) {
    let (mut text, mut sum, mut bad) = (String::new(), 0, 0);
    for n in 0.. {
        if text.len() > bytes {
            break;
        }
        if n % 1000 == 7 {
            text.push_str("bad\n");
            bad += 1;
        } else {
            text.push_str(&line(n));
            sum += n;
        }
    }
    (text, sum, bad)
}

#[tokio::test]
async fn a_large_file_is_read_in_parts_and_each_bad_line_found_once() {
    let fixture = EngineFixture::new();
    let padding = "x".repeat(100);
    let (csv, csv_sum, csv_bad) = large(|n| format!("{n},\"{padding}\nz\"\n"), 70 << 20);
    let (ndjson, json_sum, json_bad) =
        large(|n| format!("{{\"n\": {n}, \"t\": \"{padding}\"}}\n"), 10 << 20);
    fixture.put("tables/c/a.csv", format!("n,t\n{csv}")).await;
    fixture.put("tables/j/a.json", ndjson).await;
    for partitions in [None, Some(4)] {
        for (table, sum, bad) in [("c", csv_sum, csv_bad), ("j", json_sum, json_bad)] {
            let sql = format!("SELECT sum(n) FROM {table}");
            let outcome = fixture.outcome_of(&job(&sql, partitions)).await;
            let expected = Ok(vec![sum.to_string()]);
            assert_eq!(
                (fixture.rows(&outcome).await, outcome.bad_rows),
                (expected, Some(bad)),
                "{sql}"
            );
            if partitions.is_some() {
                let stages: Vec<_> = outcome.stages.iter().map(|s| s.tasks).collect();
                assert!(stages[0] > 1, "{stages:?}");
            }
            let lines = rejects(&fixture, &outcome).await;
            assert_eq!(lines.len() as u64, bad, "{sql}");
            assert!(lines.iter().all(|l| l["text"] == "bad"), "{sql}");
        }
    }
}

#[tokio::test]
async fn a_file_of_nothing_but_bad_lines_fails_the_run_before_it_fills_the_memory() {
    let fixture =
        declared(&format!("id,name,price\n{}", format!("{}\n", "y".repeat(1000)).repeat(70_000)))
            .await;
    let outcome = fixture.outcome_of(&job("SELECT count(*) FROM t", None)).await;
    let why = fixture.rows(&outcome).await.expect_err("too many");
    assert!(why.contains("more than 64 MiB of tables/t/a.csv are bad lines"), "{why}");
}

#[tokio::test]
async fn a_worker_killed_at_any_effect_sets_each_line_aside_once() {
    let mut crashes = 0;
    for at in 0.. {
        let mut happened = false;
        for after in [false, true] {
            let fixture = declared(ORDERS).await;
            let text = job("SELECT sum(id) FROM t", Some(2)).to_string();
            let event = fixture.world.upload("jobs/j.json", &text).await;
            fixture.world.dispatch(&event, &Crash::never()).await;
            let crash = Crash::at(at, after);
            fixture.world.work(&crash).await;
            let outcomes = fixture.world.outcomes().await;
            assert_eq!(fixture.rows(&outcomes[0]).await, Ok(vec!["10".into()]), "{crash:?}");
            assert_eq!(outcomes[0].bad_rows, Some(3), "{crash:?}");
            assert_eq!(rejects(&fixture, &outcomes[0]).await.len(), 3, "{crash:?}");
            happened |= crash.happened();
        }
        if !happened {
            break;
        }
        crashes += 1;
    }
    assert!(crashes >= 8, "only {crashes} effects were tried");
}

#[tokio::test]
async fn the_command_line_says_how_many_lines_are_bad_and_where_they_are() {
    let emulator = Emulator::start().await;
    emulator.put("tables/t/a.csv", "n,t\n1,x\n2\n3,y\n").await;
    let sql = ["run", "-e", "SELECT sum(n) AS s FROM t", "--format", "csv"];
    let options = ["--on-bad-row", "quarantine", "--bucket", "tidemill"];
    let done = emulator.command(&[&sql[..], &options[..]].concat()).await;
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "s\n4\n", "{errors}");
    let folder = "1 bad line set aside in s3://tidemill/results/query/";
    assert!(errors.contains(folder) && errors.contains("/rejects/"), "{errors}");
    // what was set aside is a table, too
    let run = &emulator.ended("query", 1).await[0]["run"];
    let place = format!("results/query/{}/rejects/", run.as_str().expect("a run"));
    let key = &emulator.keys(&place).await[0];
    let sql = format!("SELECT line, text FROM '{key}'");
    let again = ["run", "-e", &sql, "--format", "csv", "--bucket", "tidemill"];
    let done = emulator.command(&again).await;
    assert_eq!(String::from_utf8_lossy(&done.stdout), "line,text\n3,2\n");
    // and no part of the result
    let sql = format!("SELECT s FROM '{}'", place.trim_end_matches("rejects/"));
    let again = ["run", "-e", &sql, "--format", "csv", "--bucket", "tidemill"];
    let done = emulator.command(&again).await;
    assert_eq!(String::from_utf8_lossy(&done.stdout), "s\n4\n");
}
