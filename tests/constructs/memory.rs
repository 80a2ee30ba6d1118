//! Queries that do not fit the memory of their tasks.

use tidemill_compute::Resources;

use super::fixture_with;

const QUERIES: &[(&str, &str)] = &[
    ("sort", "SELECT id, pad FROM big ORDER BY pad, id"),
    ("most of a sort", "SELECT id, pad FROM big ORDER BY pad LIMIT 140000 OFFSET 100"),
    ("group", "SELECT pad, count(*), max(id) FROM big GROUP BY pad"),
    ("join", "SELECT a.id, b.pad FROM big a JOIN big b ON a.pad = b.pad"),
    ("left join", "SELECT a.id, b.pad FROM big a LEFT JOIN wide b ON a.pad = b.pad"),
    ("full join", "SELECT a.id, b.id FROM big a FULL JOIN wide b ON a.pad = b.pad"),
    (
        "anti join",
        "SELECT a.id FROM big a WHERE NOT EXISTS (SELECT 1 FROM wide b WHERE a.pad = b.pad)",
    ),
    ("skewed join", "SELECT a.id, f.id FROM big a JOIN few f ON a.k = f.k"),
    ("distinct", "SELECT count(*) FROM (SELECT DISTINCT pad, id FROM big)"),
];

#[tokio::test]
async fn what_does_not_fit_the_memory_spills_and_is_right() {
    let resources = Resources { memory: 12 << 20, cores: 2, workers: 1, one_task_bytes: 1 << 30 };
    let fixture = fixture_with(resources).await;
    fixture.assert_same(QUERIES).await;
    let outcome = fixture.outcome(QUERIES[0].1, None).await;
    assert!(outcome.usage.spilled_bytes > 0, "{:?}", outcome.usage);
    let peak = outcome.usage.peak_memory_bytes;
    // what an operator cannot do without is counted, and not refused
    assert!(peak > 0 && peak <= 13 << 20, "{peak} bytes at the peak");
}

/// Their left side does not fit.
const WITHOUT_KEYS: &[&str] = &[
    "SELECT count(*) FROM side a JOIN side b ON a.id * b.id < 90000 AND a.pad < b.pad",
    "SELECT count(*), count(b.id) FROM side a LEFT JOIN side b ON a.id * b.id < 90000 AND a.pad < b.pad",
    "SELECT count(*) FROM side a WHERE NOT EXISTS (SELECT 1 FROM side b WHERE a.id * b.id < 90000 AND a.pad < b.pad)",
];

#[tokio::test]
async fn a_join_without_keys_that_does_not_fit_is_right_or_says_so() {
    let resources = Resources { memory: 1 << 20, cores: 2, workers: 1, one_task_bytes: 1 << 30 };
    let fixture = fixture_with(resources).await;
    let mut refused = 0;
    for sql in WITHOUT_KEYS {
        let sql = sql.replace("side", "(SELECT id, pad FROM big WHERE id < 20000)");
        let answer = fixture.answer(&sql).await.expect("the oracle's");
        for partitions in [None, Some(1), Some(3)] {
            match fixture.rows_over(&sql, partitions).await {
                Ok(rows) => answer.check(&sql, partitions, &rows).expect("the same rows"),
                Err(why) => {
                    assert!(
                        why.starts_with("the memory of the function does not suffice"),
                        "{why}"
                    );
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0, "all fit");
}
