use super::fixture;

const SUBQUERIES: &[(&str, &str)] = &[
    ("scalar in where", "SELECT id FROM facts WHERE x > (SELECT avg(x) * 1.9 FROM facts)"),
    ("scalar in select", "SELECT id, (SELECT max(id) FROM facts) - id FROM dims"),
    ("two scalars", "SELECT id, (SELECT min(x) FROM facts), (SELECT count(*) FROM dims) FROM few"),
    (
        "scalar of a scalar",
        "SELECT count(*) FROM facts WHERE id > (SELECT avg(id) FROM facts WHERE x < (SELECT max(x) / 2 FROM facts))",
    ),
    ("scalar of no rows", "SELECT id, (SELECT k FROM none) FROM few"),
    ("compared with no rows", "SELECT id FROM facts WHERE id > (SELECT max(id) FROM none)"),
    (
        "scalar in having",
        "SELECT k, count(*) FROM facts GROUP BY k HAVING count(*) > (SELECT count(*) / 90 FROM facts)",
    ),
    ("scalar in order by", "SELECT id FROM few ORDER BY abs(id - (SELECT avg(id) FROM few)), id"),
    (
        "scalar in case",
        "SELECT id, CASE WHEN k > (SELECT avg(k) FROM facts) THEN 'above' ELSE (SELECT min(name) FROM dims) END FROM facts WHERE id < 99",
    ),
    (
        "scalar in a join condition",
        "SELECT count(*) FROM facts f JOIN dims d ON f.k = d.id AND f.x > (SELECT avg(x) FROM facts)",
    ),
    ("scalar in an aggregate", "SELECT sum(id - (SELECT min(id) FROM dims)) FROM facts"),
    (
        "scalar below a group",
        "SELECT k, sum(id) FROM facts WHERE x < (SELECT max(x) FROM facts) GROUP BY k",
    ),
    (
        "scalar above a group",
        "SELECT k, sum(id) + (SELECT max(id) FROM dims) FROM facts GROUP BY k",
    ),
    (
        "scalar in a limit's order",
        "SELECT id FROM facts WHERE price > (SELECT avg(price) FROM facts) ORDER BY id LIMIT 9",
    ),
    (
        "scalar in both sides of a union",
        "SELECT id FROM few WHERE id > (SELECT avg(id) FROM few) UNION ALL SELECT id FROM dims WHERE id > (SELECT avg(id) FROM dims)",
    ),
    ("scalar over large tables", "SELECT count(*) FROM big WHERE id > (SELECT avg(id) FROM wide)"),
    (
        "correlated in select",
        "SELECT d.id, (SELECT max(f.x) FROM facts f WHERE f.k = d.id) FROM dims d",
    ),
    (
        "correlated count",
        "SELECT d.id, (SELECT count(*) FROM facts f WHERE f.k = d.id) FROM dims d",
    ),
    (
        "correlated in where",
        "SELECT f.id FROM facts f WHERE f.x > (SELECT avg(g.x) * 1.5 FROM facts g WHERE g.k = f.k)",
    ),
    (
        "correlated in having",
        "SELECT k, max(x) FROM facts f GROUP BY k HAVING max(x) > (SELECT avg(e.id) FROM few e WHERE e.k = f.k)",
    ),
    (
        "correlated in case",
        "SELECT d.id, CASE WHEN d.region IS NULL THEN -1 ELSE (SELECT count(*) FROM facts f WHERE f.k = d.id) END FROM dims d",
    ),
    (
        "correlated with another table",
        "SELECT count(*) FROM big b WHERE b.id > (SELECT max(w.id) FROM wide w WHERE w.k = b.k)",
    ),
    ("in", "SELECT id FROM facts WHERE k IN (SELECT id FROM dims)"),
    ("in, large", "SELECT count(*), sum(id) FROM big WHERE k IN (SELECT k FROM wide)"),
    ("not in", "SELECT id FROM facts WHERE k NOT IN (SELECT id FROM dims WHERE id IS NOT NULL)"),
    ("not in a list with a null", "SELECT id FROM facts WHERE k NOT IN (SELECT id FROM dims)"),
    ("not in nothing", "SELECT id FROM facts WHERE k NOT IN (SELECT k FROM none)"),
    (
        "not in, large",
        "SELECT count(*), sum(id) FROM big WHERE k NOT IN (SELECT k FROM wide WHERE k IS NOT NULL)",
    ),
    (
        "not in, large with nulls",
        "SELECT count(*), sum(id) FROM big WHERE k NOT IN (SELECT k FROM wide)",
    ),
    (
        "a few not in large",
        "SELECT id FROM few WHERE k NOT IN (SELECT k FROM wide WHERE k IS NOT NULL)",
    ),
    ("large not in a few", "SELECT count(*) FROM big WHERE k NOT IN (SELECT k FROM few)"),
    (
        "large not in a few without nulls",
        "SELECT count(*) FROM big WHERE k NOT IN (SELECT k FROM few WHERE k > 0)",
    ),
    (
        "correlated in",
        "SELECT f.id FROM facts f WHERE f.id IN (SELECT d.id FROM dims d WHERE d.id % 7 = f.k % 7)",
    ),
    (
        "correlated not in",
        "SELECT count(*) FROM facts f WHERE f.k NOT IN (SELECT e.k FROM few e WHERE e.id < f.id)",
    ),
    (
        "exists",
        "SELECT id FROM dims d WHERE EXISTS (SELECT 1 FROM facts f WHERE f.k = d.id AND f.flag)",
    ),
    (
        "not exists",
        "SELECT id FROM dims d WHERE NOT EXISTS (SELECT 1 FROM facts f WHERE f.k = d.id)",
    ),
    (
        "exists by inequality",
        "SELECT id FROM few e WHERE EXISTS (SELECT 1 FROM facts f WHERE f.k < e.k)",
    ),
    (
        "not exists by inequality",
        "SELECT id FROM facts f WHERE NOT EXISTS (SELECT 1 FROM few e WHERE f.k > e.k + 20)",
    ),
    ("exists without correlation", "SELECT count(*) FROM facts WHERE EXISTS (SELECT 1 FROM none)"),
    (
        "not exists without correlation",
        "SELECT count(*) FROM facts WHERE NOT EXISTS (SELECT 1 FROM none)",
    ),
    (
        "exists under or",
        "SELECT id FROM facts f WHERE f.id < 30 OR EXISTS (SELECT 1 FROM dims d WHERE d.id = f.k)",
    ),
    (
        "not exists under or",
        "SELECT count(*) FROM facts f WHERE f.flag OR NOT EXISTS (SELECT 1 FROM dims d WHERE d.id = f.k)",
    ),
    (
        "exists under or, large",
        "SELECT count(*), sum(id) FROM big b WHERE b.id < 30 OR EXISTS (SELECT 1 FROM wide w WHERE w.k = b.k)",
    ),
    (
        "a few under or",
        "SELECT id FROM few e WHERE e.id = 1 OR EXISTS (SELECT 1 FROM wide w WHERE w.k = e.k)",
    ),
    (
        "in under or",
        "SELECT count(*), sum(id) FROM facts WHERE id % 10 = 3 OR k IN (SELECT id FROM dims)",
    ),
    (
        "cte used twice",
        "WITH t AS (SELECT k, count(*) n FROM facts GROUP BY k) SELECT a.k, a.n, b.n FROM t a JOIN t b ON a.n = b.n + 1",
    ),
    (
        "cte and its maximum",
        "WITH t AS (SELECT k, sum(id) s FROM facts GROUP BY k) SELECT k FROM t WHERE s = (SELECT max(s) FROM t)",
    ),
    (
        "cte of a cte",
        "WITH a AS (SELECT * FROM facts WHERE flag), b AS (SELECT k, max(id) m FROM a GROUP BY k) SELECT a.id FROM a JOIN b ON a.k = b.k AND a.id = b.m",
    ),
    (
        "recursive",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 50) SELECT sum(n) FROM t",
    ),
    (
        "recursive and a table",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n * 2 FROM t WHERE n < 2000) SELECT f.id, f.k FROM t JOIN facts f ON f.id = t.n",
    ),
    (
        "recursive over a table",
        "WITH RECURSIVE t(id, depth) AS (SELECT id, 0 FROM facts WHERE id = 2999 UNION ALL SELECT f.id, t.depth + 1 FROM t JOIN facts f ON f.id = t.id / 2 WHERE t.id > 0) SELECT id, depth FROM t",
    ),
    (
        "recursive that removes doubles",
        "WITH RECURSIVE t(n) AS (SELECT 0 UNION SELECT (n + 7) % 30 FROM t) SELECT n FROM t",
    ),
    (
        "lateral",
        "SELECT d.id, l.n FROM dims d, LATERAL (SELECT count(*) AS n FROM facts f WHERE f.k = d.id) l",
    ),
    (
        "lateral left",
        "SELECT e.id, l.m FROM few e LEFT JOIN LATERAL (SELECT max(f.id) AS m FROM facts f WHERE f.k = e.k) l ON true",
    ),
    (
        "lateral join of rows",
        "SELECT e.id, l.id FROM few e CROSS JOIN LATERAL (SELECT f.id FROM facts f WHERE f.k = e.k AND f.id < 50) l",
    ),
    ("a filter on nothing", "SELECT * FROM facts WHERE k = 7 AND k = 8"),
    (
        "unnamed subquery in from",
        "SELECT max(n) FROM (SELECT k, count(*) AS n FROM (SELECT * FROM facts WHERE flag) GROUP BY k)",
    ),
];

#[tokio::test]
async fn subqueries() {
    fixture().await.assert_same(SUBQUERIES).await;
}

#[tokio::test]
async fn a_scalar_subquery_of_two_rows_is_an_error_over_any_number_of_partitions() {
    let fixture = fixture().await;
    let sql = "SELECT id, (SELECT k FROM hollow) FROM few";
    for partitions in crate::support::expected_answer::PARTITIONS {
        let why = fixture.run(sql, partitions).await.expect_err("an error");
        assert!(why.contains("more than one row"), "{why}");
    }
}
