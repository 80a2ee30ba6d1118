//! What stands in keys: values of partitions, marks of other systems, columns that the files have too.

use serde_json::json;

use super::{lab_of, refusal, rows};
use crate::engine::EngineFixture;
use crate::inputs::gzip;

#[tokio::test]
async fn files_that_only_mark_something_are_no_data() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/y=1/a.csv", "n\n1\n").await;
    for key in ["y=1_$folder$", "y=2/a.csv", "y=1/a.csv.crc", "_SUCCESS", "y=3", "empty"] {
        let text = if key.ends_with(".crc") { "crc" } else { "" };
        fixture.put(&format!("tables/t/{key}"), text).await;
    }
    assert_eq!(rows(&fixture, "SELECT n, y FROM t").await, ["1|1"]);
    assert_eq!(rows(&fixture, "SELECT n FROM 'tables/t/*/*'").await, ["1"]);
}

#[tokio::test]
async fn an_empty_file_has_no_rows_and_a_table_of_nothing_else_says_so() {
    for (name, text) in [("a.csv", "n\n1\n"), ("a.json", "{\"n\":1}\n")] {
        let fixture = EngineFixture::new();
        fixture.put(&format!("tables/t/{name}"), text).await;
        for empty in ["0", "b", "z"] {
            let name = name.replace('a', empty);
            fixture.put(&format!("tables/t/{name}"), "").await;
            fixture.put(&format!("tables/t/{name}.gz"), gzip("")).await;
        }
        assert_eq!(rows(&fixture, "SELECT n FROM t").await, ["1"], "{name}");
        fixture.put(&format!("tables/empty/{name}"), "").await;
        let why = refusal(&fixture, "SELECT * FROM empty").await;
        assert!(why.contains("empty files only") && why.contains(name), "{why}");
    }
    let fixture = lab_of(&["SELECT 1 AS n"]).await;
    fixture.put("tables/t/9.parquet", "").await;
    assert_eq!(rows(&fixture, "SELECT n FROM t").await, ["1"]);
}

#[tokio::test]
async fn a_declared_table_of_empty_files_has_no_rows() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.csv", "").await;
    let declared = json!({ "columns": [{ "name": "n", "type": "bigint" }] });
    fixture.put("tables/t/_schema.json", declared.to_string()).await;
    assert_eq!(rows(&fixture, "SELECT count(*), sum(n) FROM t").await, ["0|∅"]);
}

#[tokio::test]
async fn values_in_keys_may_hold_any_sign() {
    for (folder, value) in [
        ("x=y", "x=y"),
        ("a&b=c", "a&b=c"),
        ("San%20Jose", "San Jose"),
        ("San Jose", "San Jose"),
        ("a%2Fb", "a/b"),
        ("50%25+", "50%+"),
        ("100%", "100%"),
        ("é", "é"),
        ("%C3%A9", "é"),
        ("", ""),
    ] {
        let fixture = EngineFixture::new();
        fixture.put(&format!("tables/t/city={folder}/a.csv"), "n\n1\n").await;
        assert_eq!(
            rows(&fixture, "SELECT city, n FROM t").await,
            [format!("{value}|1")],
            "{folder}"
        );
        let sql = format!("SELECT n FROM t WHERE city = '{value}'");
        assert_eq!(rows(&fixture, &sql).await, ["1"], "{folder}");
    }
}

#[tokio::test]
async fn of_a_column_in_the_key_and_in_the_file_the_keys_value_counts() {
    let parquet = super::file("SELECT 1 AS n, 'file' AS city, 2 AS m").await;
    let files: [(&str, bytes::Bytes); 3] = [
        ("a.csv", "n,city,m\n1,file,2\n".into()),
        ("a.json", "{\"n\":1,\"city\":\"file\",\"m\":2}\n".into()),
        ("a.parquet", parquet),
    ];
    for (name, bytes) in files {
        for declared in [false, true] {
            let fixture = EngineFixture::new();
            fixture.put(&format!("tables/t/city=key/{name}"), bytes.clone()).await;
            if declared {
                let columns = json!({ "columns": [{ "name": "n", "type": "bigint" },
                    { "name": "city", "type": "varchar" }, { "name": "m", "type": "bigint" }] });
                fixture.put("tables/t/_schema.json", columns.to_string()).await;
            }
            let all = "SELECT n, m, city FROM t";
            assert_eq!(rows(&fixture, all).await, ["1|2|key"], "{name} {declared}");
            let count = fixture.batches(&fixture.outcome("SELECT * FROM t", None).await).await;
            assert_eq!(count.expect("rows")[0].num_columns(), 3, "{name} {declared}");
            let filtered = "SELECT m, n FROM t WHERE city = 'key'";
            assert_eq!(rows(&fixture, filtered).await, ["2|1"], "{name} {declared}");
            let none = "SELECT m FROM t WHERE city = 'file'";
            assert!(rows(&fixture, none).await.is_empty(), "{name} {declared}");
        }
    }
}

#[tokio::test]
async fn a_csv_table_with_a_column_in_key_and_file_is_written_without_it() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/city=key/a.csv", "n,city\n1,file\n").await;
    assert_eq!(fixture.outcome("INSERT INTO t VALUES (2, 'x')", None).await.reason, None);
    assert_eq!(rows(&fixture, "SELECT * FROM t ORDER BY n").await, ["1|key", "2|x"]);
    assert_eq!(fixture.outcome("INSERT OVERWRITE t SELECT * FROM t", None).await.reason, None);
    assert_eq!(rows(&fixture, "SELECT * FROM t ORDER BY n").await, ["1|key", "2|x"]);
    assert!(!fixture.world.keys("tables/t/city=key/").await.iter().any(|k| k.ends_with("/a.csv")));
}

#[tokio::test]
async fn a_column_in_the_keys_has_its_declared_type() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/zip=501/a.csv", "n\n1\n").await;
    let declare = |of: &str| {
        let columns = [("n", "bigint"), ("zip", of)];
        let columns = columns.map(|(name, of)| json!({ "name": name, "type": of }));
        json!({ "columns": columns }).to_string()
    };
    fixture.put("tables/t/_schema.json", declare("varchar")).await;
    assert_eq!(
        rows(&fixture, "SELECT n FROM t WHERE zip = '501' AND zip || 'x' = '501x'").await,
        ["1"]
    );
    fixture.put("tables/t/_schema.json", declare("bigint")).await;
    assert_eq!(rows(&fixture, "SELECT zip + 1 FROM t").await, ["502"]);
    for (of, part) in [("date", "tables/t/zip=501/a.csv"), ("double", "column zip")] {
        fixture.put("tables/t/_schema.json", declare(of)).await;
        let why = refusal(&fixture, "SELECT * FROM t").await;
        assert!(why.contains(part), "{of}: {why}");
    }
}
