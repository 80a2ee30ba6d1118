use super::fixture;
use crate::support::tables::Table;

const FRAMES: [&str; 16] = [
    "ROWS UNBOUNDED PRECEDING",
    "ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN 3 FOLLOWING AND 5 FOLLOWING",
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "RANGE UNBOUNDED PRECEDING",
    "RANGE CURRENT ROW",
    "RANGE BETWEEN 5 PRECEDING AND 3 FOLLOWING",
    "RANGE BETWEEN 9 PRECEDING AND 4 PRECEDING",
    "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "GROUPS BETWEEN CURRENT ROW AND 2 FOLLOWING",
    "GROUPS BETWEEN 2 PRECEDING AND 1 PRECEDING",
];

async fn assert_same(queries: &[(String, String)]) {
    let queries: Vec<_> = queries.iter().map(|(n, q)| (n.as_str(), q.as_str())).collect();
    fixture().await.assert_same(&queries).await;
}

#[tokio::test]
async fn every_kind_of_frame_with_and_without_partitions() {
    let mut queries = vec![];
    for frame in FRAMES {
        for by in ["", "PARTITION BY g", "PARTITION BY k, flag"] {
            // rows of one day come in any order, so a frame of rows needs more than the day
            let (order, calls) = if frame.starts_with("ROWS") {
                ("id", "first_value(id) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w,")
            } else {
                ("k", "")
            };
            let sql = format!(
                "SELECT id, {calls} sum(x) OVER w, count(k) OVER w, min(price) OVER w, max(g) OVER w, \
                 avg(price) OVER w FROM facts WINDOW w AS ({by} ORDER BY {order} {frame})"
            );
            queries.push((format!("{by} {frame}"), sql));
        }
    }
    assert_same(&queries).await;
}

const OTHERS: &[(&str, &str)] = &[
    (
        "rank",
        "SELECT id, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w FROM facts WINDOW w AS (PARTITION BY g ORDER BY k)",
    ),
    ("row_number", "SELECT id, row_number() OVER (PARTITION BY k ORDER BY x, id) FROM facts"),
    ("ntile", "SELECT id, ntile(4) OVER (PARTITION BY g ORDER BY id) FROM facts"),
    ("ntile of all", "SELECT id, ntile(7) OVER (ORDER BY id DESC) FROM facts"),
    (
        "lead and lag",
        "SELECT id, lead(x) OVER w, lag(x, 2, -1.0) OVER w, lead(g, 3) OVER w FROM facts WINDOW w AS (PARTITION BY k ORDER BY id)",
    ),
    (
        "lead of all",
        "SELECT id, lead(id) OVER (ORDER BY id), lag(id) OVER (ORDER BY id) FROM facts",
    ),
    (
        "nth_value from the end",
        "SELECT id, nth_value(id, -2) OVER (PARTITION BY g ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM facts",
    ),
    (
        "no order",
        "SELECT id, count(*) OVER (PARTITION BY k), sum(price) OVER (PARTITION BY g), max(id) OVER () FROM facts",
    ),
    (
        "orders of several kinds",
        "SELECT id, sum(id) OVER (PARTITION BY g ORDER BY id), sum(id) OVER (PARTITION BY k ORDER BY id DESC), row_number() OVER (ORDER BY x, id) FROM facts",
    ),
    (
        "nulls first",
        "SELECT id, row_number() OVER (PARTITION BY flag ORDER BY k NULLS FIRST, id DESC) FROM facts",
    ),
    (
        "over groups",
        "SELECT k, sum(count(*)) OVER (ORDER BY k), rank() OVER (ORDER BY count(*) DESC) FROM facts GROUP BY k",
    ),
    (
        "first of each",
        "SELECT * FROM (SELECT id, k, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM facts) WHERE n <= 2",
    ),
    (
        "first of each, large",
        "SELECT count(*), sum(id) FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM big) WHERE n = 1",
    ),
    (
        "qualify",
        "SELECT id, k FROM facts QUALIFY rank() OVER (PARTITION BY k ORDER BY id DESC) = 1",
    ),
    (
        "over a join",
        "SELECT f.id, d.name, count(*) OVER (PARTITION BY d.region ORDER BY f.id, d.name) FROM facts f JOIN dims d ON f.k = d.id WHERE f.id < 400",
    ),
    (
        "days",
        "SELECT id, count(*) OVER (ORDER BY day RANGE BETWEEN INTERVAL '2' DAY PRECEDING AND CURRENT ROW) FROM facts",
    ),
    (
        "a window below a group",
        "SELECT g, max(n) FROM (SELECT g, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM facts) GROUP BY g",
    ),
    ("constant partition", "SELECT id, row_number() OVER (PARTITION BY 1 ORDER BY id) FROM facts"),
    ("empty", "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) FROM none"),
    ("distinct", "SELECT id, count(DISTINCT k) OVER (PARTITION BY g) FROM facts"),
];

#[tokio::test]
async fn other_windows() {
    fixture().await.assert_same(OTHERS).await;
}

/// What `datafusion-proto` does not write into a window: a task would run it without, so there is
/// one task.
const LOST: &[(&str, &str)] = &[
    (
        "ignore nulls",
        "SELECT id, lag(k) IGNORE NULLS OVER (ORDER BY id), first_value(g) IGNORE NULLS OVER (PARTITION BY k ORDER BY id) FROM facts",
    ),
    (
        "filter",
        "SELECT id, sum(id) FILTER (WHERE flag) OVER (PARTITION BY k ORDER BY id) FROM facts",
    ),
    (
        "ignore nulls of each",
        "SELECT id, lead(k, 2) IGNORE NULLS OVER w, last_value(k) IGNORE NULLS OVER w, \
         nth_value(k, 2) IGNORE NULLS OVER w FROM facts WINDOW w AS (PARTITION BY flag ORDER BY id)",
    ),
    (
        "lag beside the other order",
        "SELECT id, lag(id) OVER (ORDER BY id), sum(id) OVER (ORDER BY id DESC) FROM facts",
    ),
    (
        "lead beside the other order",
        "SELECT id, sum(id) OVER (PARTITION BY k ORDER BY id DESC), lead(id, 2, -1) OVER w \
         FROM facts WINDOW w AS (PARTITION BY k ORDER BY id)",
    ),
    (
        "filter of a sliding frame",
        "SELECT id, count(*) FILTER (WHERE x > 50) OVER (ORDER BY id ROWS 5 PRECEDING) FROM facts",
    ),
];

#[tokio::test]
async fn windows_that_ignore_nulls_or_filter_or_were_turned_around() {
    fixture().await.assert_same(LOST).await;
}

#[tokio::test]
async fn a_window_by_a_column_that_is_the_same_in_all_rows() {
    let fixture = fixture().await;
    let rows = "SELECT value AS id, 'x' AS c, value % 9 AS k, value % 4 AS g \
                FROM generate_series(0, 999)";
    fixture.add(&Table::of_query("same", rows, 3).await).await;
    let windows = "rank() OVER (PARTITION BY k, c ORDER BY g), \
                   avg(sum(id)) OVER (PARTITION BY k, c, g)";
    let queries = [
        ("groups", format!("SELECT k, c, g, sum(id), {windows} FROM same GROUP BY k, c, g")),
        (
            "a filter",
            "SELECT k, g, avg(s) OVER (PARTITION BY k, g), max(s) OVER (PARTITION BY g) FROM \
             (SELECT k, g, id % 5 AS m, sum(id) AS s FROM same GROUP BY 1, 2, 3) WHERE g = 2"
                .into(),
        ),
        ("rows", "SELECT id, row_number() OVER (PARTITION BY c, k ORDER BY id) FROM same".into()),
        (
            "a join",
            format!(
                "SELECT a.k, a.c, a.g, {} FROM same a JOIN dims d ON a.k = d.id GROUP BY 1, 2, 3",
                "rank() OVER (PARTITION BY a.k, a.c ORDER BY a.g)"
            ),
        ),
    ];
    let queries: Vec<_> = queries.iter().map(|(n, q)| (*n, q.as_str())).collect();
    fixture.assert_same(&queries).await;
}
