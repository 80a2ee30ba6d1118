use super::fixture;

const OUTER: [&str; 4] = ["INNER", "LEFT", "RIGHT", "FULL"];
const ONE_SIDED: [&str; 4] = ["LEFT SEMI", "LEFT ANTI", "RIGHT SEMI", "RIGHT ANTI"];

/// A small left side, a small right side, two large ones, two small ones, and an empty one.
const SIDES: [(&str, &str); 6] = [
    ("few", "big"),
    ("big", "few"),
    ("big", "wide"),
    ("few", "dims"),
    ("none", "facts"),
    ("facts", "none"),
];

/// A join of each type as one row that tells its rows apart.
fn joins(on: &str, sides: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut queries = vec![];
    for (left, right) in sides {
        let key = |table: &str| if table == "dims" { "id" } else { "k" };
        let on = on.replace("a.k", &format!("a.{}", key(left)));
        let on = on.replace("b.k", &format!("b.{}", key(right)));
        for join in OUTER {
            let sql = format!(
                "SELECT count(*), count(a.id), count(b.id), sum(a.id), sum(b.id), \
                 sum(a.id % 1009 * (b.id % 1013)) FROM {left} a {join} JOIN {right} b ON {on}"
            );
            queries.push((format!("{left} {join} {right}"), sql));
        }
        for join in ONE_SIDED {
            let side = if join.starts_with("LEFT") { "a" } else { "b" };
            let sql = format!(
                "SELECT count(*), count({side}.id), sum({side}.id), sum({side}.id % 1009) \
                 FROM {left} a {join} JOIN {right} b ON {on}"
            );
            queries.push((format!("{left} {join} {right}"), sql));
        }
    }
    queries
}

async fn assert_same(queries: &[(String, String)]) {
    let queries: Vec<_> = queries.iter().map(|(n, q)| (n.as_str(), q.as_str())).collect();
    fixture().await.assert_same(&queries).await;
}

#[tokio::test]
async fn a_join_by_equality_of_each_type_with_each_side_small_and_large() {
    assert_same(&joins("a.k = b.k", &SIDES)).await;
}

#[tokio::test]
async fn a_join_by_equality_and_a_condition() {
    let sides = [("few", "facts"), ("facts", "few"), ("big", "wide")];
    assert_same(&joins("a.k = b.k AND (a.id + b.id) % 3 = 1", &sides)).await;
}

#[tokio::test]
async fn a_join_in_which_null_equals_null() {
    let sides = [("few", "facts"), ("facts", "dims"), ("few", "big")];
    assert_same(&joins("a.k IS NOT DISTINCT FROM b.k", &sides)).await;
}

#[tokio::test]
async fn a_join_by_inequality_alone() {
    let sides = [("few", "facts"), ("facts", "few"), ("facts", "dims"), ("none", "few")];
    assert_same(&joins("a.k < b.k", &sides)).await;
    assert_same(&joins("a.k < b.k AND a.id > b.id", &sides[..3])).await;
}

#[tokio::test]
async fn a_join_on_nothing_or_on_a_constant() {
    let sides = [("few", "facts"), ("dims", "few"), ("none", "few"), ("few", "none")];
    assert_same(&joins("true", &sides)).await;
    assert_same(&joins("false", &sides)).await;
    assert_same(&joins("a.k = 7", &sides[..2])).await;
}

const OTHERS: &[(&str, &str)] = &[
    ("cross", "SELECT count(*), sum(a.id * b.id) FROM dims a CROSS JOIN facts b"),
    ("cross with none", "SELECT a.id, b.id FROM few a, none b"),
    ("using", "SELECT k, count(*) FROM few JOIN facts USING (k) GROUP BY k"),
    ("left using", "SELECT k, few.id, hollow.id FROM few LEFT JOIN hollow USING (k)"),
    ("natural", "SELECT count(*), sum(id) FROM hollow NATURAL JOIN facts"),
    (
        "three tables",
        "SELECT d.region, count(*), sum(w.id) FROM big b JOIN wide w ON b.k = w.k \
         LEFT JOIN dims d ON d.id = b.k % 90 GROUP BY d.region",
    ),
    ("to itself", "SELECT count(*), sum(a.id + b.id) FROM wide a JOIN wide b ON a.k = b.k"),
    (
        "full of full",
        "SELECT count(*), sum(a.id), sum(b.id), sum(c.id) FROM few a \
         FULL JOIN hollow b ON a.id = b.id FULL JOIN dims c ON c.id = coalesce(a.id, b.id)",
    ),
    (
        "left of right",
        "SELECT count(*), sum(a.id), sum(b.id), sum(c.id) FROM few a RIGHT JOIN facts b ON a.k = b.k \
         LEFT JOIN dims c ON c.id = b.k",
    ),
    (
        "of aggregates",
        "SELECT a.k, a.n, b.n FROM (SELECT k, count(*) n FROM big GROUP BY k) a \
         JOIN (SELECT k, count(*) n FROM wide GROUP BY k) b ON a.k = b.k WHERE a.n > 1 AND b.n > 1 AND a.k < 900",
    ),
    (
        "by text",
        "SELECT a.g, count(*), sum(b.id) FROM facts a JOIN (SELECT DISTINCT g, id % 4 AS id FROM facts) b \
         ON a.g = b.g GROUP BY a.g",
    ),
    (
        "by two keys of unlike types",
        "SELECT count(*), sum(a.id) FROM facts a JOIN facts b ON a.k = b.x::int AND a.day = b.day",
    ),
    (
        "aggregates below a full join",
        "SELECT * FROM (SELECT g, count(*) n FROM facts GROUP BY g) a \
         FULL JOIN (SELECT region, count(*) m FROM dims GROUP BY region) b ON a.g = b.region",
    ),
];

#[tokio::test]
async fn other_joins() {
    fixture().await.assert_same(OTHERS).await;
}

/// DataFusion alone gives the column of the left side, which is null where only the right has a row.
#[tokio::test]
async fn a_natural_join_whose_columns_would_be_wrong_is_refused() {
    let fixture = fixture().await;
    let few = "(VALUES (1, 7), (2, NULL)) AS a(x, k)";
    let other = "(VALUES (8, 7), (9, 6)) AS b(y, k)";
    for sql in [
        format!("SELECT * FROM {few} NATURAL FULL JOIN {other}"),
        format!("SELECT * FROM {few} NATURAL RIGHT JOIN {other}"),
        format!("WITH j AS (SELECT k FROM {few} NATURAL RIGHT JOIN {other}) SELECT * FROM j"),
    ] {
        let why = fixture.run(&sql, None).await.expect_err(&sql);
        assert!(why.contains("USING"), "{sql}: {why}");
    }
    for sql in [
        format!("SELECT (SELECT max(k) FROM {few} FULL JOIN {other} USING (k)) FROM none"),
        format!("WITH j AS (SELECT k FROM {few} RIGHT JOIN {other} USING (k)) SELECT * FROM j"),
    ] {
        fixture.run(&sql, None).await.expect(&sql);
    }
}
