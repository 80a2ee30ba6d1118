//! Statements that write into tables, with the real engine on in-memory seams.

use tidemill_protocol::Key;
use tidemill_protocol::end;
use tidemill_protocol::record::{Outcome, Status};

use crate::engine::EngineFixture;
use crate::support::crash::Crash;

const PARTITIONS: [Option<u32>; 4] = [None, Some(1), Some(3), Some(7)];

const ROWS: &str = "SELECT id, price, customer % 4 AS part FROM orders";

async fn write(fixture: &EngineFixture, sql: &str, partitions: Option<u32>) -> Outcome {
    let outcome = fixture.outcome(sql, partitions).await;
    assert_eq!(outcome.status, Status::Succeeded, "{sql}: {:?}", outcome.reason);
    outcome
}

async fn refusal(fixture: &EngineFixture, sql: &str) -> String {
    let outcome = fixture.outcome(sql, None).await;
    assert_eq!(outcome.status, Status::Failed, "{sql}");
    outcome.reason.expect("a reason")
}

async fn sorted(fixture: &EngineFixture, sql: &str) -> Vec<String> {
    let mut rows = fixture.run(sql, Some(2)).await.expect(sql);
    rows.sort();
    rows
}

async fn files(fixture: &EngineFixture, table: &str) -> Vec<String> {
    fixture.world.keys(&format!("tables/{table}/")).await
}

#[tokio::test]
async fn what_is_copied_comes_back_in_every_format_at_any_number_of_partitions() {
    for format in ["PARQUET", "CSV", "JSON"] {
        for partitions in PARTITIONS {
            let fixture = EngineFixture::with_orders().await;
            let sql = format!("COPY ({ROWS}) TO 'tables/copy/' STORED AS {format}");
            let outcome = write(&fixture, &sql, partitions).await;
            assert_eq!(outcome.files.len(), files(&fixture, "copy").await.len());
            assert_eq!(outcome.into.as_deref(), Some("tables/copy/"));
            let back = sorted(&fixture, "SELECT id, price, part FROM copy").await;
            assert_eq!(back, sorted(&fixture, ROWS).await, "{format} {partitions:?}");
            assert_eq!(outcome.rows, back.len() as u64);
            assert!(fixture.world.keys("work/").await.is_empty());
        }
    }
}

#[tokio::test]
async fn partition_columns_become_folders_and_columns_again() {
    for format in ["PARQUET", "CSV", "JSON"] {
        for partitions in [None, Some(3)] {
            let fixture = EngineFixture::with_orders().await;
            let odd = "CASE id % 5 WHEN 0 THEN NULL WHEN 1 THEN 'a/b=c' WHEN 2 THEN 'é %' \
                       ELSE 'x' || (id % 3) END";
            let rows = format!("SELECT id, price, id % 3 AS n, {odd} AS g FROM orders");
            let sql =
                format!("COPY ({rows}) TO 'tables/copy/' STORED AS {format} PARTITIONED BY (n, g)");
            write(&fixture, &sql, partitions).await;
            let keys = files(&fixture, "copy").await;
            assert!(keys.iter().all(|k| k.contains("/n=") && k.contains("/g=")), "{keys:?}");
            let back = sorted(&fixture, "SELECT id, price, n, g FROM copy").await;
            assert_eq!(back, sorted(&fixture, &rows).await, "{format} {partitions:?}");
        }
    }
}

#[tokio::test]
async fn a_second_copy_adds_rows_in_the_tables_own_columns_and_format() {
    let fixture = EngineFixture::with_orders().await;
    write(&fixture, "COPY (SELECT 1 AS a, 'x' AS b) TO 'tables/t/' STORED AS CSV", None).await;
    write(&fixture, "COPY (SELECT 'y' AS b, 2 AS a) TO 'tables/t'", Some(3)).await;
    assert_eq!(sorted(&fixture, "SELECT a, b FROM t").await, ["1|x", "2|y"]);
    assert!(files(&fixture, "t").await.iter().all(|k| k.ends_with(".csv")));
    for (sql, word) in [
        ("COPY (SELECT 1 AS a) TO 'tables/t/'", "columns of the statement (a)"),
        ("COPY (SELECT 1 AS a, 'x' AS c) TO 'tables/t/'", "name them with AS"),
        ("COPY (SELECT 1 AS a, 'x' AS b) TO 'tables/t/' STORED AS PARQUET", "CSV"),
        ("COPY (SELECT 1.5 AS a, 'x' AS b) TO 'tables/t/'", "cast it"),
        ("COPY (SELECT 1 AS a, 'x' AS b) TO 'tables/t/' PARTITIONED BY (a)", "partitioned by"),
    ] {
        let why = refusal(&fixture, sql).await;
        assert!(why.contains(word), "{sql}: {why}");
    }
    assert_eq!(files(&fixture, "t").await.len(), 2);
}

#[tokio::test]
async fn an_insert_goes_by_place_and_leaves_null_what_it_does_not_list() {
    let fixture = EngineFixture::with_orders().await;
    write(&fixture, "CREATE TABLE t AS SELECT 1 AS a, 'x' AS b, 1.5::double AS c", None).await;
    write(&fixture, "INSERT INTO t VALUES (2, 'y', 2), (3, NULL, NULL)", Some(3)).await;
    write(&fixture, "INSERT INTO t (c, a) SELECT id, id AS a FROM orders WHERE id < 2", Some(2))
        .await;
    let rows = sorted(&fixture, "SELECT a, b, c FROM t").await;
    assert_eq!(rows, ["0|∅|0.0", "1|x|1.5", "1|∅|1.0", "2|y|2.0", "3|∅|∅"]);
    for (sql, word) in [
        ("INSERT INTO t VALUES (1, 'x')", "gives 2 columns"),
        ("INSERT INTO t (a, d) VALUES (1, 2)", "no column d"),
        ("INSERT INTO t (a, a) VALUES (1, 2)", "listed twice"),
        ("INSERT INTO t VALUES ('no number', 'x', 1)", "no number"),
        ("INSERT INTO t VALUES (1, 'x', 1), (2.5, 'x', 1)", "column a is bigint"),
        ("INSERT INTO t SELECT max(c), 'x', 1 FROM t", "gives double for it"),
        ("INSERT INTO nowhere VALUES (1)", "CREATE TABLE"),
    ] {
        let why = refusal(&fixture, sql).await;
        assert!(why.contains(word), "{sql}: {why}");
    }
}

#[tokio::test]
async fn a_column_of_nulls_is_one_of_texts() {
    let fixture = EngineFixture::with_orders().await;
    write(&fixture, "CREATE TABLE t AS SELECT NULL AS a, 1 AS b", None).await;
    write(&fixture, "INSERT INTO t SELECT 'x', 2", None).await;
    assert_eq!(sorted(&fixture, "SELECT a, b FROM t").await, ["x|2", "∅|1"]);
}

#[tokio::test]
async fn a_table_that_is_declared_and_empty_takes_rows() {
    let fixture = EngineFixture::with_orders().await;
    let declared = r#"{ "format": "csv", "csv": { "delimiter": ";", "null": "NA" },
        "columns": [{ "name": "a", "type": "bigint" }, { "name": "b", "type": "varchar" }] }"#;
    fixture.put("tables/t/_schema.json", declared).await;
    assert!(sorted(&fixture, "SELECT * FROM t").await.is_empty());
    write(&fixture, "INSERT INTO t (b, a) VALUES ('x;y', 1), (NULL, 2)", None).await;
    assert_eq!(sorted(&fixture, "SELECT a, b FROM t").await, ["1|x;y", "2|∅"]);
}

#[tokio::test]
async fn a_table_is_created_once_unless_it_may_be_there() {
    let fixture = EngineFixture::with_orders().await;
    let first = write(&fixture, "CREATE TABLE t AS SELECT 1 AS a", Some(2)).await;
    let why = refusal(&fixture, "CREATE TABLE t AS SELECT 2 AS a").await;
    assert!(why.contains("tables/t/ exists already"), "{why}");
    write(&fixture, "CREATE TABLE IF NOT EXISTS t AS SELECT 3 AS a", None).await;
    assert_eq!(files(&fixture, "t").await, [first.files[0].key.clone()]);
    write(&fixture, "CREATE OR REPLACE TABLE t AS SELECT 'x' AS b", None).await;
    assert_eq!(sorted(&fixture, "SELECT * FROM t").await, ["x"]);
}

#[tokio::test]
async fn a_table_of_no_rows_has_its_columns() {
    for partitions in PARTITIONS {
        let fixture = EngineFixture::with_orders().await;
        let sql = "CREATE TABLE t AS SELECT id, price FROM orders WHERE id < 0";
        write(&fixture, sql, partitions).await;
        assert_eq!(files(&fixture, "t").await.len(), 1, "{partitions:?}");
        assert_eq!(sorted(&fixture, "SELECT count(*), sum(id) FROM t").await, ["0|∅"]);
    }
}

#[tokio::test]
async fn an_overwrite_leaves_its_own_rows_only_even_where_it_reads_what_it_replaces() {
    for partitions in PARTITIONS {
        let fixture = EngineFixture::with_orders().await;
        let sql = format!("COPY ({ROWS}) TO 'tables/t/' STORED AS PARQUET PARTITIONED BY (part)");
        write(&fixture, &sql, Some(7)).await;
        let before = files(&fixture, "t").await;
        let sql = "INSERT OVERWRITE t SELECT id, price * 2, part FROM t WHERE id % 2 = 0";
        write(&fixture, sql, partitions).await;
        let after = files(&fixture, "t").await;
        assert!(after.iter().all(|k| !before.contains(k) && k.contains("/part=")), "{after:?}");
        let wanted = format!("SELECT id, price * 2, part FROM ({ROWS}) WHERE id % 2 = 0");
        assert_eq!(sorted(&fixture, "SELECT * FROM t").await, sorted(&fixture, &wanted).await);
    }
}

#[tokio::test]
async fn a_replaced_file_that_was_uploaded_anew_meanwhile_stays() {
    let fixture = EngineFixture::with_orders().await;
    fixture.put("tables/t/a.csv", "n\n1\n").await;
    fixture.put("tables/t/b.csv", "n\n2\n").await;
    let event = fixture.world.upload("jobs/w.sql", "INSERT OVERWRITE t SELECT 9 AS n").await;
    fixture.world.dispatch(&event, &Crash::never()).await;
    fixture.put("tables/t/b.csv", "n\n3\n").await;
    fixture.world.work(&Crash::never()).await;
    assert_eq!(sorted(&fixture, "SELECT n FROM t").await, ["3", "9"]);
}

#[tokio::test]
async fn a_failed_run_leaves_nothing_in_the_table() {
    let fixture = EngineFixture::with_orders().await;
    write(&fixture, "CREATE TABLE t AS SELECT 1 AS a", None).await;
    let before = files(&fixture, "t").await;
    for sql in [
        "INSERT INTO t SELECT 100 / (id - 7) FROM orders",
        "INSERT OVERWRITE t SELECT 100 / (id - 7) FROM orders",
        "COPY (SELECT 100 / (id - 7) AS a FROM orders) TO 'tables/t/'",
    ] {
        for partitions in [None, Some(5)] {
            let outcome = fixture.outcome(sql, partitions).await;
            assert_eq!(outcome.status, Status::Failed, "{sql}");
            assert_eq!(files(&fixture, "t").await, before, "{sql}");
        }
    }
}

#[tokio::test]
async fn writes_outside_table_folders_are_refused() {
    let fixture = EngineFixture::with_orders().await;
    for target in [
        "results/x/",
        "jobs/x/",
        "x/",
        "tables/",
        "tables/_x/",
        "tables/../jobs/",
        "/tmp/x/",
        "s3://other/tables/x/",
        "file:///tmp/x/",
        "runs/x/",
        "inbox/x/",
    ] {
        let before = fixture.world.keys("").await.len();
        let why = refusal(&fixture, &format!("COPY (SELECT 1 AS a) TO '{target}'")).await;
        assert!(why.contains(target.trim_end_matches('/')), "{target}: {why}");
        let written: Vec<_> = fixture.world.keys("").await.into_iter().collect();
        assert!(written.len() >= before && !written.iter().any(|k| k.contains("tm-")));
    }
    write(&fixture, "COPY (SELECT 1 AS a) TO 's3://b/tables/x/'", None).await;
    assert_eq!(files(&fixture, "x").await.len(), 1);
}

/// The table `t` after a writer was killed at one of its effects, and whether it was.
async fn killed(sql: &str, at: u32, after: bool) -> (Vec<String>, bool) {
    let fixture = EngineFixture::with_orders().await;
    fixture.put("tables/t/p=0/old.csv", "id\n-1\n").await;
    let job = format!(r#"{{"sql": "{sql}", "options": {{"partitions": 2}}}}"#);
    let event = fixture.world.upload("jobs/w.json", &job).await;
    let crash = Crash::at(at, after);
    fixture.world.dispatch(&event, &crash).await;
    fixture.world.work(&crash).await;
    let left = fixture.world.keys("work/").await;
    assert!(left.is_empty(), "{crash:?}: {left:?}");
    let rows = sorted(&fixture, "SELECT id, p FROM t").await;
    (rows, crash.happened())
}

#[tokio::test]
async fn a_writer_killed_at_any_effect_leaves_neither_extra_nor_missing_rows() {
    let old = ["-1|0".to_owned()];
    let new: Vec<_> = (0..12).map(|id| format!("{id}|{}", id % 3)).collect();
    for (sql, kept) in [
        ("INSERT INTO t SELECT id, id % 3 FROM orders WHERE id < 12", true),
        ("INSERT OVERWRITE t SELECT id, id % 3 FROM orders WHERE id < 12", false),
    ] {
        let mut wanted = new.clone();
        wanted.extend(old.iter().filter(|_| kept).cloned());
        wanted.sort();
        let mut effects = 0;
        for at in 0.. {
            let mut happened = false;
            for after in [false, true] {
                let (rows, was_killed) = killed(sql, at, after).await;
                assert_eq!(rows, wanted, "{sql}, effect {at}, after: {after}");
                happened |= was_killed;
            }
            if !happened {
                break;
            }
            effects += 1;
        }
        assert!(effects > 15, "only {effects} effects of {sql}");
    }
}

#[tokio::test]
async fn a_publication_that_is_repeated_late_brings_nothing_back() {
    let fixture = EngineFixture::with_orders().await;
    let first = write(&fixture, "CREATE TABLE t AS SELECT 1 AS a", None).await;
    write(&fixture, "INSERT OVERWRITE t SELECT 2 AS a", None).await;
    let closed = Key::Closed(&first.run).to_string();
    fixture.world.bucket.delete(&[closed]).await.expect("deleted");
    end::finish(&fixture.world.context(2), &first).await.expect("finished");
    assert_eq!(sorted(&fixture, "SELECT a FROM t").await, ["2"]);
}
