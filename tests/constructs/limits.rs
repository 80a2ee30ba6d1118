use super::fixture;

const LIMITS: &[(&str, &str)] = &[
    ("order", "SELECT id, k, x FROM facts ORDER BY x DESC, id"),
    ("order with ties", "SELECT k, id FROM facts ORDER BY k"),
    ("nulls first", "SELECT k, id FROM facts ORDER BY k NULLS FIRST, id DESC"),
    ("nulls last", "SELECT k, id FROM facts ORDER BY k DESC NULLS LAST, id"),
    ("order by another column", "SELECT g FROM facts ORDER BY id DESC"),
    ("order by an expression", "SELECT id FROM facts ORDER BY id % 10, -id"),
    ("limit", "SELECT id, x FROM facts ORDER BY id LIMIT 10"),
    ("offset", "SELECT id FROM facts ORDER BY id DESC LIMIT 10 OFFSET 1234"),
    ("offset alone", "SELECT id FROM facts ORDER BY id OFFSET 2990"),
    ("offset past the end", "SELECT id FROM facts ORDER BY id LIMIT 5 OFFSET 9999"),
    ("limit of ties", "SELECT k, id FROM facts ORDER BY k LIMIT 700"),
    ("limit zero", "SELECT id FROM facts ORDER BY id LIMIT 0"),
    ("limit without an order", "SELECT id, g FROM facts LIMIT 33"),
    ("limit and offset without an order", "SELECT id FROM facts LIMIT 100 OFFSET 2950"),
    ("limit of more than all", "SELECT id FROM facts LIMIT 100000"),
    ("limit of a filter", "SELECT id FROM facts WHERE k = 7 LIMIT 12"),
    ("limit of a rare filter", "SELECT id FROM facts WHERE id = 2999 LIMIT 3"),
    ("limit of a join", "SELECT f.id, d.name FROM facts f JOIN dims d ON f.k = d.id LIMIT 21"),
    ("limit of a large join", "SELECT a.id, b.id FROM big a JOIN wide b ON a.k = b.k LIMIT 21"),
    (
        "limit of a left join",
        "SELECT f.id, d.name FROM facts f LEFT JOIN dims d ON f.k = d.id LIMIT 2000",
    ),
    (
        "ordered limit of a join",
        "SELECT f.id, d.name FROM facts f JOIN dims d ON f.k = d.id ORDER BY f.id DESC, d.name LIMIT 9 OFFSET 4",
    ),
    (
        "ordered limit of a left join",
        "SELECT f.id, d.name FROM facts f LEFT JOIN dims d ON f.k = d.id ORDER BY f.id DESC, d.name LIMIT 50",
    ),
    ("limit of a group", "SELECT k, count(*) FROM facts GROUP BY k LIMIT 5"),
    ("limit of distinct", "SELECT DISTINCT k FROM facts LIMIT 11"),
    (
        "ordered limit of a group",
        "SELECT k, sum(id) s FROM facts GROUP BY k ORDER BY s DESC, k LIMIT 6",
    ),
    ("the largest keys", "SELECT k, max(id) m FROM facts GROUP BY k ORDER BY m DESC LIMIT 6"),
    ("limit of a union", "SELECT id FROM facts UNION ALL SELECT id FROM dims LIMIT 44"),
    (
        "ordered limit of a union",
        "SELECT id, 1 FROM facts UNION ALL SELECT id, 2 FROM dims ORDER BY 1, 2 LIMIT 44 OFFSET 7",
    ),
    (
        "limit below a join",
        "SELECT f.id, d.region FROM (SELECT * FROM facts ORDER BY id LIMIT 100) f LEFT JOIN dims d ON f.k = d.id",
    ),
    (
        "limit below a group",
        "SELECT k, count(*) FROM (SELECT k FROM facts ORDER BY id DESC LIMIT 777) GROUP BY k",
    ),
    (
        "offset below a group",
        "SELECT count(*), sum(id) FROM (SELECT id FROM facts ORDER BY id LIMIT 500 OFFSET 99)",
    ),
    ("count of a limit", "SELECT count(*) FROM (SELECT id FROM facts LIMIT 1234)"),
    (
        "count of a limit and offset",
        "SELECT count(*) FROM (SELECT id FROM facts LIMIT 1234 OFFSET 2000)",
    ),
    (
        "limit of a limit",
        "SELECT count(*) FROM (SELECT id FROM (SELECT id FROM facts LIMIT 200) LIMIT 500 OFFSET 30)",
    ),
    (
        "limits of each part of a union",
        "SELECT count(*) FROM ((SELECT id FROM facts LIMIT 7) UNION ALL (SELECT id FROM dims LIMIT 9))",
    ),
    (
        "limit of a window",
        "SELECT id, row_number() OVER (ORDER BY id) n FROM facts ORDER BY n LIMIT 5",
    ),
    (
        "limit in a subquery",
        "SELECT id FROM dims WHERE id IN (SELECT id FROM facts ORDER BY id LIMIT 10)",
    ),
    (
        "order below is no order above",
        "SELECT count(*), max(id) FROM (SELECT id FROM facts ORDER BY x)",
    ),
    ("order by two large files", "SELECT id, pad FROM big ORDER BY pad LIMIT 100"),
];

#[tokio::test]
async fn orders_and_limits() {
    fixture().await.assert_same(LIMITS).await;
}
