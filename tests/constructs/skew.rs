//! Partitions that are far larger than the others.

use super::fixture;

/// Half of the rows of `big` have one key.
const SHARED: &[(&str, &str)] = &[
    ("inner", "SELECT count(*), sum(a.id), sum(b.id) FROM wide b JOIN big a ON a.k = b.k"),
    ("rows", "SELECT a.id, b.id FROM wide b JOIN big a ON a.k = b.k"),
    ("outer", "SELECT count(*), sum(a.id), count(b.id) FROM wide b RIGHT JOIN big a ON a.k = b.k"),
    ("left", "SELECT count(*), count(b.id), sum(a.id) FROM big a LEFT JOIN wide b ON a.k = b.k"),
    ("semi", "SELECT count(*), sum(id) FROM big WHERE k IN (SELECT k FROM wide)"),
    (
        "anti",
        "SELECT count(*), sum(id) FROM big a WHERE NOT EXISTS (SELECT 1 FROM wide b WHERE a.k = b.k)",
    ),
];

/// A task that sees a part of a partition only would be wrong.
const WHOLE: &[(&str, &str)] = &[
    ("full", "SELECT count(*), count(a.id), count(b.id) FROM wide b FULL JOIN big a ON a.k = b.k"),
    ("group", "SELECT k, count(*), sum(id) FROM big GROUP BY k"),
    ("window", "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) FROM big"),
    ("group of a join", "SELECT a.k, count(*) FROM wide b JOIN big a ON a.k = b.k GROUP BY a.k"),
    (
        "order of a join",
        "SELECT a.id, b.id FROM wide b JOIN big a ON a.k = b.k ORDER BY a.id, b.id LIMIT 9",
    ),
];

#[tokio::test]
async fn a_partition_with_half_of_the_rows_is_shared_by_several_tasks() {
    let fixture = fixture().await;
    for (name, sql) in SHARED {
        let outcome = fixture.outcome(sql, Some(4)).await;
        let most = outcome.stages.iter().map(|s| s.tasks).max();
        assert!(most > Some(4), "{name}: {:?}", outcome.stages);
    }
    fixture.assert_same(SHARED).await;
}

#[tokio::test]
async fn a_partition_that_must_stay_together_does() {
    let fixture = fixture().await;
    for (name, sql) in WHOLE {
        let outcome = fixture.outcome(sql, Some(4)).await;
        let most = outcome.stages.iter().map(|s| s.tasks).max();
        assert!(most <= Some(4), "{name}: {:?}", outcome.stages);
    }
    fixture.assert_same(WHOLE).await;
}
