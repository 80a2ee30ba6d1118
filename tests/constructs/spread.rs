//! That the plans of the other tests are spread at all.

use super::fixture;

const SPREAD: &[&str] = &[
    "SELECT k, count(*) FROM facts GROUP BY k",
    "SELECT count(*), sum(x) FROM facts",
    "SELECT g, count(DISTINCT k) FROM facts GROUP BY g",
    "SELECT DISTINCT k FROM facts",
    "SELECT g, flag, count(*) FROM facts GROUP BY ROLLUP (g, flag)",
    "SELECT count(*) FROM big a JOIN wide b ON a.k = b.k",
    "SELECT count(*) FROM big a LEFT JOIN wide b ON a.k = b.k",
    "SELECT count(*) FROM big a FULL JOIN wide b ON a.k = b.k",
    "SELECT count(*) FROM big a LEFT ANTI JOIN wide b ON a.k = b.k",
    "SELECT f.id, d.name FROM facts f JOIN dims d ON f.k = d.id",
    "SELECT f.id, d.name FROM facts f LEFT JOIN dims d ON f.k = d.id",
    "SELECT count(*) FROM facts a JOIN few b ON a.k < b.k",
    "SELECT sum(facts.id) FROM facts CROSS JOIN few",
    "SELECT id FROM facts WHERE k IN (SELECT id FROM dims)",
    "SELECT id FROM facts f WHERE f.id < 30 OR EXISTS (SELECT 1 FROM dims d WHERE d.id = f.k)",
    "SELECT id, sum(x) OVER (PARTITION BY k ORDER BY id) FROM facts",
    "SELECT id, rank() OVER (ORDER BY x, id) FROM facts",
    "SELECT id FROM facts ORDER BY x, id",
    "SELECT id FROM facts ORDER BY x, id LIMIT 10",
    "SELECT id FROM facts LIMIT 10",
    "SELECT k FROM facts UNION SELECT id FROM dims",
    "SELECT k FROM facts INTERSECT SELECT id FROM dims",
    "SELECT g, array_agg(id ORDER BY id) FROM facts GROUP BY g",
    "SELECT d.id, (SELECT max(f.x) FROM facts f WHERE f.k = d.id) FROM dims d",
    "WITH t AS (SELECT k, count(*) n FROM facts GROUP BY k) SELECT a.k FROM t a JOIN t b ON a.n = b.n",
    "SELECT id FROM facts WHERE x > (SELECT avg(x) FROM facts WHERE id > (SELECT min(id) FROM dims))",
    "SELECT k, sum(id) + (SELECT max(id) FROM dims) FROM facts WHERE id < (SELECT avg(id) FROM big) GROUP BY k",
    "SELECT count(*) FROM big a JOIN wide b ON a.k = b.k AND a.id > (SELECT avg(id) FROM facts)",
];

#[tokio::test]
async fn joins_groups_windows_and_sorts_are_spread() {
    let fixture = fixture().await;
    let mut whole = vec![];
    for sql in SPREAD {
        let outcome = fixture.outcome(sql, Some(7)).await;
        let plan = fixture.plan_of(&outcome).await;
        let spread = plan.single.is_none() && outcome.stages.iter().any(|s| s.tasks > 1);
        if !spread {
            whole.push(format!("{sql}: {:?} {:?}", plan.single, outcome.stages));
        }
    }
    assert!(whole.is_empty(), "{}", whole.join("\n"));
}
