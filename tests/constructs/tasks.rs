//! What goes wrong where the partitions of an operator wait for each other, or run in tasks that
//! know nothing of each other.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Float64Type, Int64Type};
use tidemill_protocol::record::Stage;

use super::fixture;
use crate::engine::EngineFixture;

async fn stages(fixture: &EngineFixture, sql: &str) -> Vec<Stage> {
    let outcome = fixture.outcome(sql, Some(3)).await;
    fixture.plan_of(&outcome).await.stages
}

#[tokio::test]
async fn a_join_of_a_union_of_more_partitions_than_cores_ends() {
    let union = "(SELECT id, k FROM big WHERE id % 3 = 0 UNION ALL SELECT id, k FROM wide WHERE id % 5 = 0 \
                 UNION ALL SELECT id, k FROM facts)";
    let queries = [
        ("inner", format!("SELECT u.id, d.name FROM {union} u JOIN dims d ON u.k = d.id")),
        ("outer", format!("SELECT u.id, d.name FROM dims d LEFT JOIN {union} u ON u.k = d.id")),
        ("semi", format!("SELECT * FROM few WHERE k IN (SELECT k FROM {union})")),
    ];
    let queries: Vec<_> = queries.iter().map(|(n, q)| (*n, q.as_str())).collect();
    fixture().await.assert_same(&queries).await;
}

#[tokio::test]
async fn a_large_side_is_spread_where_the_small_one_is_kept() {
    let fixture = fixture().await;
    for sql in [
        "SELECT d.id FROM dims d WHERE EXISTS (SELECT 1 FROM big b WHERE b.k = d.id)",
        "SELECT d.id FROM dims d WHERE NOT EXISTS (SELECT 1 FROM big b WHERE b.k = d.id)",
        "SELECT d.id, b.id FROM dims d LEFT JOIN big b ON b.k = d.id",
    ] {
        let stages = stages(&fixture, sql).await;
        assert!(stages.iter().all(|s| !s.whole), "{sql}: {stages:?}");
        fixture.assert_same(&[("large", sql)]).await;
    }
}

#[tokio::test]
async fn a_random_side_of_a_join_is_the_same_in_every_task() {
    let fixture = fixture().await;
    let sql =
        "SELECT f.k, s.r FROM facts f JOIN (SELECT id, random() AS r FROM dims) s ON f.k = s.id";
    for partitions in [None, Some(3), Some(7)] {
        let rows = fixture.rows_over(sql, partitions).await.expect("rows");
        let mut numbers = std::collections::BTreeMap::<i64, std::collections::BTreeSet<u64>>::new();
        for batch in &rows {
            let keys = batch.column(0).as_primitive::<Int64Type>().values();
            let drawn = batch.column(1).as_primitive::<Float64Type>().values();
            for (k, r) in keys.iter().zip(drawn) {
                numbers.entry(*k).or_default().insert(r.to_bits());
            }
        }
        let dims_of_a_key = 2;
        assert!(numbers.values().all(|n| n.len() <= dims_of_a_key), "{partitions:?}: {numbers:?}");
    }
}

#[tokio::test]
async fn tasks_draw_numbers_of_their_own() {
    let fixture = fixture().await;
    let sql = "SELECT random() AS r, uuid() AS u FROM facts";
    for partitions in [None, Some(5)] {
        let rows = fixture.rows_over(sql, partitions).await.expect("rows");
        let mut seen = std::collections::HashSet::new();
        for batch in &rows {
            for r in batch.column(0).as_primitive::<Float64Type>().values() {
                assert!(seen.insert(r.to_bits()), "{r} was drawn twice");
            }
        }
        assert_eq!(seen.len(), 3000);
    }
}

#[tokio::test]
async fn a_limit_of_more_than_32_bits_is_whole() {
    let queries = [
        ("limit", "SELECT id FROM facts ORDER BY id LIMIT 4294967296"),
        ("offset", "SELECT id FROM facts ORDER BY id LIMIT 5 OFFSET 4294967296"),
        ("below", "SELECT count(*) FROM (SELECT id FROM facts LIMIT 4294967297)"),
    ];
    fixture().await.assert_same(&queries).await;
}

#[tokio::test]
async fn a_column_that_is_also_in_the_key_leaves_the_others_their_statistics() {
    let fixture = fixture().await;
    let sql = "COPY (SELECT id AS a, CASE WHEN id < 90 THEN NULL ELSE 2024 END AS year, id + 1 AS b \
               FROM facts WHERE id < 100) TO 'tables/made/'";
    let outcome = fixture.outcome(sql, None).await;
    let file = fixture.world.read(&outcome.files[0].key).await;
    fixture.put("tables/dated/year=2024/a.parquet", file).await;
    let rows =
        fixture.run("SELECT count(b), max(b), min(a), count(year), max(year) FROM dated", None);
    assert_eq!(rows.await.expect("rows"), ["100|100|0|100|2024"]);
}
