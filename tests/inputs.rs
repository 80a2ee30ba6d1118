//! What tables may be made of, and what is said of what they may not.

use bytes::Bytes;
use serde_json::json;

use crate::engine::EngineFixture;

pub(crate) async fn one_table(files: &[(&str, &str)]) -> EngineFixture {
    let fixture = EngineFixture::new();
    for (name, text) in files {
        fixture.put(&format!("tables/t/{name}"), (*text).to_owned()).await;
    }
    fixture
}

pub(crate) async fn rows(fixture: &EngineFixture, sql: &str) -> Vec<String> {
    let spread = fixture.run(sql, Some(3)).await.expect(sql);
    let whole = fixture.run(sql, None).await.expect(sql);
    assert_eq!(spread, whole, "{sql}");
    whole
}

pub(crate) async fn refusal(fixture: &EngineFixture, sql: &str) -> String {
    let whole = fixture.run(sql, None).await.expect_err(sql);
    let spread = fixture.run(sql, Some(2)).await.expect_err(sql);
    assert_eq!(spread, whole, "{sql}");
    whole
}

pub(crate) fn gzip(text: &str) -> Bytes {
    use std::process::{Command, Stdio};
    let mut child = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip is there");
    let mut input = child.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, text.as_bytes()).expect("written");
    drop(input);
    child.wait_with_output().expect("compressed").stdout.into()
}

#[tokio::test]
async fn csv_plain_and_gzipped_may_be_one_table() {
    let fixture = one_table(&[("a.csv", "n,t\n1,x\n2,\"a, b\"\n")]).await;
    fixture.put("tables/t/b.csv.gz", gzip("n,t\n3,\"two\nlines\"\n4,z\n")).await;
    assert_eq!(
        rows(&fixture, "SELECT n, t FROM t ORDER BY n").await,
        ["1|x", "2|a, b", "3|two\nlines", "4|z"]
    );
}

#[tokio::test]
async fn ndjson_files_may_miss_fields() {
    let fixture = one_table(&[
        ("a.json", "{\"n\":1,\"o\":{\"x\":5}}\n{\"n\":2}\n"),
        ("b.ndjson", "{\"m\":9}\n"),
    ])
    .await;
    let found = rows(&fixture, "SELECT n, m, o['x'] FROM t ORDER BY n NULLS LAST").await;
    assert_eq!(found, ["1|∅|5", "2|∅|∅", "∅|9|∅"]);
}

#[tokio::test]
async fn hive_partitions_are_columns() {
    let files =
        [("y=2023/c=a/x.csv", "n\n1\n"), ("y=2024/c=__HIVE_DEFAULT_PARTITION__/x.csv", "n\n2\n")];
    let fixture = one_table(&files).await;
    assert_eq!(
        rows(&fixture, "SELECT n, y + 1, c FROM t ORDER BY n").await,
        ["1|2024|a", "2|2025|∅"]
    );
    assert_eq!(rows(&fixture, "SELECT n FROM t WHERE y = 2023").await, ["1"]);
}

#[tokio::test]
async fn a_path_or_a_pattern_is_a_table() {
    let fixture =
        one_table(&[("a.csv", "n\n1\n"), ("b.csv", "n\n2\n"), ("_c.csv", "n\n3\n")]).await;
    for place in ["tables/t/*.csv", "tables/t/", "s3://b/tables/t/*", "tables/**/?.csv"] {
        let sql = format!("SELECT sum(n) FROM '{place}'");
        assert_eq!(rows(&fixture, &sql).await, ["3"], "{place}");
    }
    assert_eq!(rows(&fixture, "SELECT n FROM 'tables/t/b.csv'").await, ["2"]);
}

#[tokio::test]
async fn numbers_of_two_kinds_meet_in_one_column() {
    let fixture = one_table(&[("a.csv", "n\n1\n"), ("b.csv", "n\n2.5\n"), ("c.csv", "n\n")]).await;
    assert_eq!(rows(&fixture, "SELECT sum(n) FROM t").await, ["3.5"]);
}

#[tokio::test]
async fn columns_and_dialect_can_be_declared_beside_the_files_or_in_the_job() {
    let schema = r##"{"columns": [{"name": "id", "type": "varchar"}, {"name": "price", "type": "decimal(9, 2)"}],
        "csv": {"header": false, "delimiter": ";", "null": "NA", "comment": "#"}}"##;
    let text = "# made by hand\n007;1.50\n008;NA\nNA;3\n";
    let fixture = one_table(&[("a.csv", text), ("_schema.json", schema)]).await;
    let sql = "SELECT id, price FROM t ORDER BY id NULLS LAST";
    assert_eq!(rows(&fixture, sql).await, ["007|1.50", "008|∅", "∅|3.00"]);

    let fixture = one_table(&[("a.csv", text)]).await;
    let options: serde_json::Value = serde_json::from_str(schema).expect("JSON");
    let job = json!({ "sql": sql, "tables": { "t": options } });
    let event = fixture.world.upload("jobs/declared.json", &job.to_string()).await;
    let outcomes = fixture.world.run(&event).await;
    assert_eq!((outcomes[0].rows, &outcomes[0].reason), (3, &None));
}

#[tokio::test]
async fn intervals_come_as_text() {
    let fixture = one_table(&[("a.csv", "n\n1\n")]).await;
    let sql = "SELECT INTERVAL '1 day', '05:00'::time - '03:00'::time FROM t";
    assert_eq!(rows(&fixture, sql).await, ["1 day|02:00:00"]);
}

#[tokio::test]
async fn what_is_wrong_with_the_sql_is_said_with_its_place() {
    let fixture = one_table(&[("a.csv", "n\n1\n")]).await;
    for (sql, parts) in [
        ("SELEC 1", &["syntax error", "SELEC", "Line: 1, Column: 1"][..]),
        (
            "SELECT *\nFROM flights",
            &["table flights not found", "line 2, column 6", "tables there are: t"],
        ),
        ("SELECT missing FROM t", &["missing", "line 1, column 8"]),
        ("SELECT 1; SELECT 2", &["one statement"]),
        ("-- nothing", &["one statement"]),
        ("SELECT * FROM t a NATURAL FULL JOIN t b", &["NATURAL", "USING"]),
        ("SELECT * FROM 's3://b/'", &["s3://b/", "names no object"]),
        ("", &["empty"]),
        ("DROP TABLE t", &["DROP", "SELECT"]),
        ("SELECT * FROM '/etc/passwd'", &["/etc/passwd", "local file"]),
        ("SELECT * FROM 'file:///etc/passwd'", &["file:///etc/passwd"]),
        ("SELECT * FROM '../x.csv'", &["../x.csv"]),
        ("SELECT * FROM 's3://other/x.csv'", &["s3://other/x.csv", "outside"]),
        ("SELECT * FROM 'nothing/here.csv'", &["nothing/here.csv", "no data file"]),
        ("SELECT n / 0 FROM t", &["ivide by zero"]),
        ("SELECT CAST('x' AS INT)", &["x"]),
        ("SELECT sum('x' || n) FROM t", &["No function matches", "sum(Utf8)"]),
        ("SELECT regexp_count('x', '(') FROM t", &["("]),
        ("FROM t", &["no columns", "SELECT *"]),
    ] {
        let sentence = refusal(&fixture, sql).await;
        for part in parts {
            assert!(sentence.contains(part), "{sql}: {sentence}");
        }
        assert!(!sentence.contains("Internal") && sentence.len() < 400, "{sql}: {sentence}");
        for inner in ["DataFusion", "Optimizer", "type_coercion"] {
            assert!(!sentence.contains(inner), "{sql}: {sentence}");
        }
    }
}

#[tokio::test]
async fn a_statement_without_end_is_refused_and_takes_nothing_down() {
    let fixture = one_table(&[("a.csv", "n\n1\n")]).await;
    let sums = format!("SELECT {} n FROM t", "1 + ".repeat(20_000));
    assert!(refusal(&fixture, &sums).await.contains("words"));
    let sums = format!("SELECT {} n FROM t", "1 + ".repeat(2_000));
    assert!(refusal(&fixture, &sums).await.contains("operators"));
    let deep = format!("SELECT {}1{} FROM t", "(".repeat(900), ")".repeat(900));
    assert!(refusal(&fixture, &deep).await.contains("nested"));
    let most = format!("SELECT {} n AS s FROM t", "n + ".repeat(300));
    assert_eq!(rows(&fixture, &most).await, ["301"]);
}

#[tokio::test]
async fn times_in_seconds_stay_times() {
    let fixture = one_table(&[("a.csv", "d,ts\n2024-01-02,2024-01-02 03:04:05\n")]).await;
    assert_eq!(rows(&fixture, "SELECT d, ts FROM t").await, ["2024-01-02|2024-01-02T03:04:05"]);
    let schema = fixture.schema("SELECT ts, [ts] AS l FROM t").await;
    assert!(!schema.contains("Second,") && !schema.contains("Timestamp(s"), "{schema}");
}

#[tokio::test]
async fn names_that_do_not_fit_are_refused() {
    let fixture = one_table(&[("a.csv", "n,n\n1,2\n")]).await;
    let sentence = refusal(&fixture, "SELECT * FROM t").await;
    assert!(sentence.contains("column n appears twice in tables/t/a.csv"), "{sentence}");
    let job = json!({ "sql": "SELECT 1", "tables": { "typo": {} } });
    let event = fixture.world.upload("jobs/typo.json", &job.to_string()).await;
    let outcomes = fixture.world.run(&event).await;
    assert!(outcomes.iter().any(|o| o.reason.as_ref().is_some_and(|r| r.contains("typo"))));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let good = "n,t\n1,x\n";
    let late: String = (0..30_000).map(|n| format!("{n},x\n")).collect();
    let late = format!("n,t\n{late}oops,x\n");
    for (name, bytes) in [
        ("bad.csv", Bytes::from(late)),
        ("bad.csv", Bytes::from("n,t\n1,2,3\n")),
        ("bad.csv.gz", gzip("n,t\n3,x\n4,z\n").slice(..20)),
        ("bad.csv.gz", Bytes::from("no gzip at all")),
    ] {
        let fixture = one_table(&[("good.csv", good)]).await;
        fixture.put(&format!("tables/t/{name}"), bytes).await;
        let sentence = refusal(&fixture, "SELECT count(t), sum(n) FROM t").await;
        assert!(sentence.contains(&format!("tables/t/{name}")), "{sentence}");
    }
}

#[tokio::test]
async fn a_damaged_parquet_or_json_file_is_named() {
    for (name, text) in [("bad.parquet", "PAR1 but no more"), ("bad.json", "{\"n\": 1}\n{\"n\": ")]
    {
        let fixture = EngineFixture::new();
        fixture.put(&format!("tables/t/{name}"), text).await;
        let sentence = refusal(&fixture, "SELECT sum(n) FROM t").await;
        assert!(sentence.contains(&format!("tables/t/{name}")), "{sentence}");
    }
}

#[tokio::test]
async fn files_of_one_table_that_conflict_are_both_named() {
    for (other, text) in [
        ("b.csv", "n\nword\n"),
        ("b.csv", "m\n1\n"),
        ("b.json", "{\"n\":1}\n"),
        ("x=1/b.csv", "n\n1\n"),
    ] {
        let fixture = one_table(&[("a.csv", "n\n1\n"), (other, text)]).await;
        let sentence = refusal(&fixture, "SELECT * FROM t").await;
        for name in ["tables/t/a.csv", &format!("tables/t/{other}")] {
            assert!(sentence.contains(name), "{sentence}");
        }
    }
}

#[tokio::test]
async fn a_folder_without_data_is_no_table() {
    let fixture = one_table(&[("_hidden.csv", "n\n1\n")]).await;
    assert!(refusal(&fixture, "SELECT * FROM t").await.contains("table t not found"));
}

#[tokio::test]
async fn a_table_whose_name_differs_by_case_is_pointed_out() {
    let fixture = EngineFixture::new();
    fixture.put("tables/MyTable/a.csv", "n\n1\n").await;
    let why = refusal(&fixture, "SELECT * FROM MyTable").await;
    assert!(why.contains("write \"MyTable\" in double quotes"), "{why}");
    assert_eq!(rows(&fixture, "SELECT n FROM \"MyTable\"").await, ["1"]);
}
