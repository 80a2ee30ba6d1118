//! Tables of text: what is read is what was written, or a sentence that names it.

use serde_json::json;

use crate::engine::EngineFixture;
use crate::inputs::{gzip, one_table, refusal, rows};

/// A table whose columns are declared.
async fn declared(columns: &[(&str, &str)], files: &[(&str, &str)]) -> EngineFixture {
    let fixture = one_table(files).await;
    let column = |(name, kind): &(&str, &str)| json!({ "name": name, "type": kind });
    let columns: Vec<_> = columns.iter().map(column).collect();
    fixture.put("tables/t/_schema.json", json!({ "columns": columns }).to_string()).await;
    fixture
}

async fn says(fixture: &EngineFixture, sql: &str, parts: &[&str]) {
    let sentence = refusal(fixture, sql).await;
    for part in parts {
        assert!(sentence.contains(part), "{sql}: {sentence}");
    }
}

#[tokio::test]
async fn a_late_fraction_of_ndjson_is_in_the_sum() {
    let text = format!("{}{{\"p\":19.99}}\n", "{\"p\":10}\n".repeat(10_001));
    let fixture = one_table(&[("a.json", &text)]).await;
    assert_eq!(rows(&fixture, "SELECT round(sum(p), 2) FROM t").await, ["100029.99"]);
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.json.gz", gzip(&text)).await;
    assert_eq!(rows(&fixture, "SELECT round(sum(p), 2) FROM t").await, ["100029.99"]);
}

#[tokio::test]
async fn whole_numbers_keep_their_digits() {
    let fixture = one_table(&[("a.json", "{\"u\":18446744073709551615}\n{\"u\":1}\n")]).await;
    let sql = "SELECT u FROM t ORDER BY u";
    assert_eq!(rows(&fixture, sql).await, ["1", "18446744073709551615"]);
    let fixture = one_table(&[("a.csv", "u\n18446744073709551615\n1\n")]).await;
    assert_eq!(rows(&fixture, sql).await, ["1", "18446744073709551615"]);
    for text in
        ["{\"u\":9007199254740993}\n{\"u\":0.5}\n", "{\"u\":0.5}\n{\"u\":9007199254740993}\n"]
    {
        let fixture = one_table(&[("a.json", text)]).await;
        assert_eq!(rows(&fixture, sql).await, ["0.5", "9007199254740993.0"]);
    }
    let long = "1".repeat(50);
    let fixture = one_table(&[("a.csv", &format!("u\n{long}\n"))]).await;
    assert_eq!(rows(&fixture, sql).await, [long]);
}

#[tokio::test]
async fn times_keep_their_fractions_and_reach_the_year_9999() {
    let seconds = "2024-01-02 03:04:05\n".repeat(10_500);
    let fixture =
        one_table(&[("a.csv", &format!("ts\n{seconds}2024-01-02 03:04:05.987654\n"))]).await;
    assert_eq!(rows(&fixture, "SELECT max(ts) FROM t").await, ["2024-01-02T03:04:05.987654"]);
    assert_eq!(rows(&fixture, "SELECT count(*) FROM t WHERE ts < '9999-12-31'").await, ["10501"]);
    // files with fractions and without are of one type
    let files = [
        ("a.csv", "ts\n2024-01-02 03:04:05\n"),
        ("b.csv", "ts\n2024-01-02 03:04:05.5\n9999-12-31\n"),
    ];
    let fixture = one_table(&files).await;
    let sql = "SELECT ts FROM t ORDER BY ts";
    let expected = ["2024-01-02T03:04:05", "2024-01-02T03:04:05.500", "9999-12-31T00:00:00"];
    assert_eq!(rows(&fixture, sql).await, expected);
    let fixture = one_table(&[("a.csv", "ts\n2024-01-02 03:04:05.123456789\n")]).await;
    assert_eq!(rows(&fixture, sql).await, ["2024-01-02T03:04:05.123456789"]);
}

#[tokio::test]
async fn values_of_declared_columns_are_whole_or_refused() {
    for (kind, value, expected) in [
        ("decimal(9, 2)", "1.239", Ok("1.24")),
        ("decimal(9, 2)", "-1.235", Ok("-1.24")),
        ("decimal(9, 2)", "12345678.5", Err("decimal(9, 2)")),
        ("int", "19.99", Err("integer")),
        ("int", "10.0", Ok("10")),
        ("int", "2147483648", Err("2147483648")),
        ("bigint", "00501", Ok("501")),
        ("double", "1e400", Err("double")),
        ("date", "2024-01-02 03:04:05", Err("date")),
        ("date", "2024-02-30", Err("date")),
        ("timestamptz", "2024-01-02 03:04:05+02:00", Ok("2024-01-02T01:04:05Z")),
        ("timestamp(3) with time zone", "2024-01-02 03:04:05", Ok("2024-01-02T03:04:05Z")),
        ("timestamp", "9999-12-31 00:00:00", Ok("9999-12-31T00:00:00")),
        ("timestamp", "2024-01-02 03:04:05.9876543", Ok("2024-01-02T03:04:05.987654")),
        ("timestamp(9)", "2024-01-02 03:04:05.987654321", Ok("2024-01-02T03:04:05.987654321")),
        ("time", "25:00:00", Err("time")),
        ("boolean", "maybe", Err("boolean")),
        ("boolean", "yes", Ok("true")),
        ("varchar", " 007 ", Ok(" 007 ")),
    ] {
        for (name, text) in [
            ("a.csv", format!("v,w\n{value},x\n")),
            ("a.json", format!("{{\"v\":\"{value}\",\"w\":1}}\n")),
        ] {
            let columns = [("v", kind), ("w", "varchar")];
            let fixture = declared(&columns, &[(name, &text)]).await;
            let sql = "SELECT v FROM t";
            match expected {
                Ok(expected) => assert_eq!(rows(&fixture, sql).await, [expected], "{kind} {value}"),
                Err(part) => {
                    let parts =
                        [&format!("tables/t/{name}"), "column v", value, part, "_schema.json"];
                    says(&fixture, sql, &parts).await;
                }
            }
        }
    }
}

/// Rows beyond what is looked at to find the columns, with one among them that is of no use there.
fn with_one_in_a_quarter(row: &str, odd: &str) -> String {
    let rows = row.repeat(4_000_000 / row.len());
    format!("{rows}{odd}{rows}{rows}{rows}")
}

#[tokio::test]
async fn a_value_that_comes_late_makes_its_column_wider_or_is_named() {
    for (name, header, row, odd, sql, expected) in [
        ("a.csv", "p,d\n", "10,2024-01-02\n", "19.99,2024-01-02\n", "max(p)", "19.99"),
        (
            "a.csv",
            "p,d\n",
            "10,2024-01-02\n",
            "10,2024-01-02 03:04:05\n",
            "max(d)",
            "2024-01-02T03:04:05",
        ),
        ("a.csv", "p,d\n", "10,2024-01-02\n", "00501,2024-01-02\n", "min(p)", "00501"),
        (
            "a.csv",
            "p,d\n",
            "10.5,x\n",
            "90071992547409931,x\n",
            "max(p)",
            "90071992547409931.000000000000",
        ),
        ("a.json", "", "{\"p\":10}\n", "{\"p\":19.99}\n", "max(p)", "19.99"),
        ("a.json", "", "{\"p\":10}\n", "{\"p\":\"x\"}\n", "max(p)", "x"),
    ] {
        let text = format!("{header}{}", with_one_in_a_quarter(row, odd));
        let fixture = one_table(&[(name, &text)]).await;
        let sql = format!("SELECT {sql} FROM t");
        assert_eq!(fixture.run(&sql, None).await, Ok(vec![expected.to_owned()]), "{odd}");
        let why = fixture.run(&sql, Some(2)).await.expect_err(odd);
        for part in [&format!("tables/t/{name}"), "column", "so far", "_schema.json"] {
            assert!(why.contains(part), "{why}");
        }
    }
    // a sum of texts is none: what is said is what does not fit
    let text = format!("p,d\n{}", with_one_in_a_quarter("10,2024-01-02\n", "word,2024-01-02\n"));
    let fixture = one_table(&[("a.csv", &text)]).await;
    says(&fixture, "SELECT sum(p) FROM t", &["column p", "'word'", "tables/t/a.csv"]).await;
}

#[tokio::test]
async fn columns_of_csv_are_found_by_their_names() {
    let fixture =
        declared(&[("n", "int"), ("zip", "varchar")], &[("a.csv", "zip,n\n00501,1\n")]).await;
    assert_eq!(rows(&fixture, "SELECT n, zip FROM t").await, ["1|00501"]);
    // files of one table, each with its own order, and a column that came later
    let files =
        [("a.csv", "a,b\n1,x\n"), ("b.csv", "b,a\ny,2\n"), ("c.csv", "c,a,b\n2024-01-02,3,z\n")];
    let fixture = one_table(&files).await;
    let sql = "SELECT a, b, c FROM t ORDER BY a";
    let expected = ["1|x|∅", "2|y|∅", "3|z|2024-01-02"];
    assert_eq!(rows(&fixture, sql).await, expected);
    let columns = [("a", "int"), ("b", "varchar"), ("c", "date")];
    let fixture = declared(&columns, &files).await;
    assert_eq!(rows(&fixture, sql).await, expected);
    fixture.put("tables/t/d.csv.gz", gzip("B,A,unknown\nw,0,?\n")).await;
    assert_eq!(rows(&fixture, "SELECT a, b FROM t WHERE a = 0").await, ["0|w"]);
    assert_eq!(rows(&fixture, "SELECT count(*) FROM t").await, ["4"]);
    let fixture = declared(&columns, &[("a.csv", "1,x,2024-01-02\n2,y,2024-01-02\n")]).await;
    let parts = ["tables/t/a.csv", "1,x,2024-01-02", "a, b, c", "\"header\": false"];
    says(&fixture, "SELECT * FROM t", &parts).await;
    let fixture = one_table(&[("a.csv", "a,b\n1,x\n"), ("b.csv", "a,c\n1,x\n")]).await;
    says(&fixture, "SELECT * FROM t", &["tables/t/a.csv", "tables/t/b.csv", "a,b", "a,c"]).await;
}

#[tokio::test]
async fn large_files_with_columns_in_another_order_are_read_in_parts() {
    let line = |n: usize| format!("{},{n:05}\n", "x".repeat(60));
    let text: String = (0..600_000).map(line).collect();
    let fixture = declared(&[("zip", "varchar"), ("pad", "varchar")], &[]).await;
    fixture.put("tables/t/a.csv", format!("pad,zip\n{text}")).await;
    let sql = "SELECT count(*), min(zip), max(zip) FROM t";
    assert_eq!(rows(&fixture, sql).await, ["600000|00000|99999"]);
}

#[tokio::test]
async fn an_empty_text_and_null_come_back_from_csv() {
    let two = "SELECT column1 AS n, column2 AS a FROM (VALUES (1, ''), (2, NULL), (3, 'x,\"y\"'))";
    let one = "SELECT '' AS a UNION ALL SELECT NULL UNION ALL SELECT 'x'";
    for (dialect, rows_of_one) in [
        (json!({}), ["∅", "", "x"]),
        (json!({ "null": "NA", "comment": "#", "delimiter": ";" }), ["∅", "", "x"]),
        (json!({ "escape": "\\" }), ["∅", "", "x"]),
    ] {
        for partitions in [None, Some(2)] {
            let fixture = EngineFixture::new();
            let schema = json!({ "format": "csv", "csv": dialect });
            fixture.put("tables/one/_schema.json", schema.to_string()).await;
            fixture.put("tables/two/_schema.json", schema.to_string()).await;
            for (sql, table) in [(one, "one"), (two, "two")] {
                let copy = format!("COPY ({sql}) TO 'tables/{table}/' STORED AS CSV");
                let outcome = fixture.outcome(&copy, partitions).await;
                assert_eq!(outcome.reason, None, "{copy}");
            }
            let sql = "SELECT a FROM one ORDER BY a NULLS FIRST";
            assert_eq!(rows(&fixture, sql).await, rows_of_one, "{dialect}");
            let sql = "SELECT n, a, a IS NULL FROM two ORDER BY n";
            let expected = ["1||false", "2|∅|true", "3|x,\"y\"|false"];
            assert_eq!(rows(&fixture, sql).await, expected, "{dialect}");
        }
    }
}

#[tokio::test]
async fn texts_that_look_like_null_or_a_comment_are_written_in_quotes() {
    let fixture = EngineFixture::new();
    let schema =
        json!({ "format": "csv", "csv": { "null": "NA", "comment": "#", "escape": "\\" } });
    fixture.put("tables/t/_schema.json", schema.to_string()).await;
    let values = "('NA', 1), ('#no', 2), ('back\\slash \"', 3), (' spaces ', 4), ('two\nlines', 5)";
    let copy = format!(
        "COPY (SELECT column1 AS a, column2 AS n FROM (VALUES {values})) TO 'tables/t/' STORED AS CSV"
    );
    assert_eq!(fixture.outcome(&copy, None).await.reason, None);
    let found = rows(&fixture, "SELECT a FROM t ORDER BY n").await;
    assert_eq!(found, ["NA", "#no", "back\\slash \"", " spaces ", "two\nlines"]);
}

#[tokio::test]
async fn leading_zeros_make_a_text() {
    let fixture = one_table(&[("a.csv", "zip,n\n00501,0\n10001,0.5\n")]).await;
    assert_eq!(
        rows(&fixture, "SELECT zip, n FROM t ORDER BY zip").await,
        ["00501|0.0", "10001|0.5"]
    );
    let fixture = one_table(&[("a.csv", "zip\n10001\n"), ("b.csv", "zip\n00501\n")]).await;
    assert_eq!(rows(&fixture, "SELECT zip FROM t ORDER BY zip").await, ["00501", "10001"]);
}

#[tokio::test]
async fn a_byte_order_mark_is_no_part_of_a_value() {
    for (name, text) in
        [("a.csv", "\u{feff}n,t\n1,x\n"), ("a.json", "\u{feff}{\"n\":1,\"t\":\"x\"}\n")]
    {
        let fixture = one_table(&[(name, text)]).await;
        assert_eq!(rows(&fixture, "SELECT n, t FROM t").await, ["1|x"]);
        let fixture = declared(&[("n", "int"), ("t", "varchar")], &[]).await;
        fixture.put(&format!("tables/t/{name}.gz"), gzip(text)).await;
        assert_eq!(rows(&fixture, "SELECT n, t FROM t").await, ["1|x"]);
    }
}

#[tokio::test]
async fn json_that_is_not_in_lines_is_named_with_a_remedy() {
    let array = "[{\"n\":1},\n{\"n\":2}]\n";
    let fixture = one_table(&[("a.json", array)]).await;
    says(&fixture, "SELECT * FROM t", &["tables/t/a.json", "one array", "jq -c '.[]'"]).await;
    let fixture = declared(&[("n", "int")], &[("a.json", array)]).await;
    says(&fixture, "SELECT * FROM t", &["tables/t/a.json", "one array", "jq -c '.[]'"]).await;
    let fixture = one_table(&[("a.json", "{\n  \"n\": 1\n}\n")]).await;
    says(&fixture, "SELECT * FROM t", &["tables/t/a.json", "several lines", "jq -c ."]).await;
}

#[tokio::test]
async fn nested_numbers_of_ndjson_are_whole_too() {
    let text = "{\"o\":{\"id\":18446744073709551615,\"l\":[1,2.5]}}\n{\"o\":{\"l\":[3]}}\n";
    let fixture = one_table(&[("a.json", text)]).await;
    let sql = "SELECT o['id'], o['l'][1] FROM t ORDER BY 2";
    assert_eq!(rows(&fixture, sql).await, ["18446744073709551615|1.0", "∅|3.0"]);
}

#[tokio::test]
async fn a_line_with_a_value_that_would_be_cut_is_set_aside() {
    let csv = "v,d,x\n1.5,2024-01-02,a\n12345678.5,2024-01-02,b\n2.239,2024-01-02 03:04:05,c\n3,2024-01-02,d\n";
    let ndjson = "{\"v\":1.5,\"d\":\"2024-01-02\"}\n{\"v\":12345678.5}\n{\"d\":\"2024-01-02 03:04:05\"}\n{\"v\":3}\n";
    for (name, text) in [("a.csv", csv), ("a.json", ndjson)] {
        for order in
            [[("v", "decimal(9, 2)"), ("d", "date")], [("d", "date"), ("v", "decimal(9, 2)")]]
        {
            let fixture = declared(&order, &[(name, text)]).await;
            for partitions in [None, Some(2)] {
                let job = json!({
                    "sql": "SELECT count(*), sum(v) FROM t",
                    "options": { "partitions": partitions, "on_bad_row": "quarantine" }
                });
                let outcome = fixture.outcome_of(&job).await;
                let found = (fixture.rows(&outcome).await, outcome.bad_rows);
                assert_eq!(found, (Ok(vec!["2|4.50".into()]), Some(2)), "{name}");
            }
        }
    }
}
