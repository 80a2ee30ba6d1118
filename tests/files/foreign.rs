//! Tables of other systems: their files hold rows that are gone, and whoever removes some breaks them.

use serde_json::json;

use super::{file, refusal};
use crate::engine::EngineFixture;

/// A key that tells, and what it tells.
const MARKS: [(&str, &str); 4] = [
    ("_delta_log/00000000000000000000.json", "Delta Lake"),
    (".hoodie/hoodie.properties", "Apache Hudi"),
    ("metadata/00000-1b2c.metadata.json", "Apache Iceberg"),
    ("metadata/version-hint.text", "Apache Iceberg"),
];

/// A table `d` of two files in folders, with the key that tells, and a plain one of the same columns.
async fn fixture(mark: &str) -> EngineFixture {
    let fixture = EngineFixture::new();
    let rows = file("SELECT 1 AS n").await;
    for key in ["d/part=1/a.parquet", "d/part=2/b.parquet", "plain/a.parquet"] {
        fixture.put(&format!("tables/{key}"), rows.clone()).await;
    }
    fixture.put(&format!("tables/d/{mark}"), "{}").await;
    fixture
}

#[tokio::test]
async fn a_table_of_another_system_is_not_read_from_any_place_in_it_or_around_it() {
    for (mark, system) in MARKS {
        let fixture = fixture(mark).await;
        for place in [
            "d",
            "'tables/d/'",
            "'tables/d/part=1/'",
            "'tables/d/part=1/a.parquet'",
            "'tables/d/*/*.parquet'",
            "'tables/*/*/a.parquet'",
            "'tables/'",
            "'s3://b/tables/d/part=2/*'",
        ] {
            let why = refusal(&fixture, &format!("SELECT count(*) FROM {place}")).await;
            assert!(why.contains(system) && why.contains("tables/d/ is"), "{mark} {place}: {why}");
            assert!(why.contains("export it"), "{why}");
        }
        let job =
            json!({ "sql": "SELECT 1 FROM x", "tables": { "x": { "location": "tables/d/" } } });
        let why = fixture.outcome_of(&job).await.reason.expect("a reason");
        assert!(why.contains(system), "{why}");
        // its neighbour is a table
        assert_eq!(super::rows(&fixture, "SELECT n FROM plain").await, ["1"]);
        assert_eq!(super::rows(&fixture, "SELECT n FROM 'tables/p*/*.parquet'").await, ["1"]);
    }
}

#[tokio::test]
async fn a_table_of_another_system_is_not_written_to() {
    for (mark, system) in MARKS {
        let fixture = fixture(mark).await;
        let before = fixture.world.keys("tables/").await;
        for sql in [
            "INSERT INTO d VALUES (1, 2)",
            "INSERT OVERWRITE d SELECT n, 1 FROM plain",
            "INSERT OVERWRITE \"d/part=1\" SELECT n FROM plain",
            "COPY plain TO 'tables/d/'",
            "COPY plain TO 'tables/d/new/'",
            "COPY plain TO 'tables/d/part=1/'",
            "CREATE TABLE d AS SELECT 1 AS n",
            "CREATE OR REPLACE TABLE d AS SELECT 1 AS n",
            "CREATE TABLE IF NOT EXISTS d AS SELECT 1 AS n",
        ] {
            let why = refusal(&fixture, sql).await;
            assert!(why.contains(system), "{mark} {sql}: {why}");
        }
        let job = json!({ "sql": "SELECT n FROM plain", "into": "tables/d/" });
        let why = fixture.outcome_of(&job).await.reason.expect("a reason");
        assert!(why.contains(system), "{why}");
        assert_eq!(fixture.world.keys("tables/").await, before);
    }
}

#[tokio::test]
async fn a_table_around_another_place_of_the_bucket_is_found() {
    let fixture = EngineFixture::new();
    fixture.put("lake/d/part=1/a.csv", "n\n1\n").await;
    assert_eq!(super::rows(&fixture, "SELECT n FROM 'lake/d/part=1/'").await, ["1"]);
    for mark in ["lake/d/_delta_log/0.json", "lake/.hoodie/x", "_delta_log/0.json"] {
        fixture.put(mark, "{}").await;
        for place in ["lake/d/part=1/", "lake/d/part=1/a.csv", "lake/d/part=*/*"] {
            let why = refusal(&fixture, &format!("SELECT n FROM '{place}'")).await;
            assert!(why.contains("Delta Lake") || why.contains("Hudi"), "{mark} {place}: {why}");
        }
        fixture.world.bucket.delete(&[mark.to_owned()]).await.expect("deleted");
    }
}
