use super::fixture;
use crate::support::expected_answer::PARTITIONS;

const SETS: &[(&str, &str)] = &[
    ("union", "SELECT k FROM facts UNION SELECT id FROM dims"),
    ("union all", "SELECT k, id FROM facts WHERE id < 900 UNION ALL SELECT id, 1 AS one FROM dims"),
    ("union all of one table", "SELECT id FROM dims UNION ALL SELECT id FROM dims"),
    ("union of three", "SELECT g FROM facts UNION SELECT name FROM dims UNION SELECT g FROM none"),
    ("intersect", "SELECT k FROM facts INTERSECT SELECT id FROM dims"),
    (
        "intersect of nulls",
        "SELECT k, g FROM facts INTERSECT SELECT k, g FROM facts WHERE id > 1500",
    ),
    ("except", "SELECT k FROM facts EXCEPT SELECT id FROM dims"),
    ("except the other way", "SELECT id FROM dims EXCEPT SELECT k FROM facts"),
    ("except of nothing", "SELECT k FROM few EXCEPT SELECT k FROM none"),
    ("large", "SELECT k FROM big INTERSECT SELECT k FROM wide"),
    ("large except", "SELECT k FROM big EXCEPT SELECT k FROM wide"),
    (
        "nested",
        "(SELECT k FROM facts EXCEPT SELECT k FROM few) INTERSECT (SELECT id FROM dims UNION SELECT id FROM few)",
    ),
    (
        "types meet",
        "SELECT id FROM few UNION SELECT x FROM facts WHERE id < 50 UNION ALL SELECT NULL",
    ),
    (
        "an aggregate over a union",
        "SELECT k, count(*), sum(id) FROM (SELECT k, id FROM big UNION ALL SELECT k, id FROM facts) u GROUP BY k HAVING count(*) > 2",
    ),
    (
        "a join over a union",
        "SELECT count(*), sum(u.id) FROM (SELECT k, id FROM facts UNION ALL SELECT k, id FROM few) u JOIN dims d ON u.k = d.id",
    ),
    (
        "union of aggregates",
        "SELECT g, count(*) FROM facts GROUP BY g UNION ALL SELECT region, count(*) FROM dims GROUP BY region UNION ALL SELECT 'all', count(*) FROM facts",
    ),
    ("union by name", "SELECT id, k FROM few UNION ALL BY NAME SELECT k, id FROM hollow"),
    ("distinct", "SELECT DISTINCT k, g FROM facts"),
    ("values", "SELECT * FROM (VALUES (1, 'a'), (2, NULL), (2, NULL)) AS v(n, t)"),
    ("values alone", "VALUES (1, 2.5), (3, NULL)"),
    (
        "values and a table",
        "SELECT v.n, count(*) FROM (VALUES (7), (8), (9)) AS v(n) LEFT JOIN facts f ON f.k = v.n GROUP BY v.n",
    ),
    (
        "generate_series",
        "SELECT f.k, count(*) FROM generate_series(1, 20) s(n) JOIN facts f ON f.k = s.n GROUP BY f.k",
    ),
    (
        "generate_series of days",
        "SELECT count(*), min(value) FROM generate_series(timestamp '2024-01-01', timestamp '2024-02-01', interval '1' day)",
    ),
    ("range", "SELECT sum(value) FROM range(0, 1000, 7)"),
];

#[tokio::test]
async fn sets_of_rows() {
    fixture().await.assert_same(SETS).await;
}

/// Literal answers: the standard's, which is not what DataFusion alone gives.
#[tokio::test]
async fn all_keeps_the_count_of_each_row() {
    let fixture = fixture().await;
    let left = "SELECT k FROM (VALUES (1), (1), (1), (2), (NULL), (NULL), (4)) AS a(k)";
    let right = "SELECT k FROM (VALUES (1), (1), (2), (2), (NULL), (3)) AS b(k)";
    for (sql, expected) in [
        (format!("{left} INTERSECT ALL {right}"), ["1", "1", "2", "∅"].to_vec()),
        (format!("{left} EXCEPT ALL {right}"), ["1", "4", "∅"].to_vec()),
        (format!("{right} EXCEPT ALL {left}"), ["2", "3"].to_vec()),
        (
            format!("SELECT count(*) FROM ({left} EXCEPT ALL {right}) d JOIN few ON true"),
            vec!["15"],
        ),
    ] {
        for partitions in PARTITIONS {
            let mut rows = fixture.run(&sql, partitions).await.expect(&sql);
            rows.sort();
            assert_eq!(rows, expected, "{sql} over {partitions:?}");
        }
    }
}

#[tokio::test]
async fn a_table_and_itself_keep_each_row_as_often_as_it_is_there() {
    let fixture = fixture().await;
    let itself = "SELECT k FROM facts INTERSECT ALL SELECT k FROM facts";
    for partitions in PARTITIONS {
        let mut expected = fixture.run("SELECT k FROM facts", None).await.expect("rows");
        let mut rows = fixture.run(itself, partitions).await.expect("rows");
        expected.sort();
        rows.sort();
        assert_eq!(rows, expected, "over {partitions:?}");
        let none = format!("{itself} EXCEPT ALL SELECT k FROM facts");
        assert!(fixture.run(&none, partitions).await.expect("rows").is_empty());
    }
}
