use super::fixture;

const GROUPS: &[(&str, &str)] = &[
    (
        "by a key with nulls",
        "SELECT k, count(*), count(k), sum(x), avg(price), min(g), max(day) FROM facts GROUP BY k",
    ),
    ("by text", "SELECT g, count(*), sum(price) FROM facts GROUP BY g"),
    (
        "by an expression",
        "SELECT k % 5 + 1, date_trunc('month', day), count(*) FROM facts GROUP BY 1, 2",
    ),
    (
        "large",
        "SELECT count(*), sum(n), max(m) FROM (SELECT k, count(*) n, max(id) m FROM big GROUP BY k)",
    ),
    ("having", "SELECT k, count(*) FROM facts GROUP BY k HAVING count(*) > 20 AND min(x) < 1"),
    ("of no rows", "SELECT count(*), sum(id), min(g), avg(k), array_agg(id) FROM none"),
    ("of no rows by a key", "SELECT k, count(*) FROM none GROUP BY k"),
    ("of rows that a filter drops", "SELECT count(*), sum(id), max(g) FROM facts WHERE id < 0"),
    (
        "filter",
        "SELECT k, count(*) FILTER (WHERE flag), sum(x) FILTER (WHERE g = 'north') FROM facts GROUP BY k",
    ),
    (
        "filter that takes nothing",
        "SELECT count(*) FILTER (WHERE false), max(id) FILTER (WHERE id < 0) FROM facts",
    ),
    ("distinct", "SELECT count(DISTINCT k), sum(DISTINCT k), count(DISTINCT g) FROM facts"),
    (
        "distinct by a key",
        "SELECT g, count(DISTINCT k), sum(DISTINCT k), count(*), sum(x) FROM facts GROUP BY g",
    ),
    (
        "distinct and filter",
        "SELECT g, count(DISTINCT k) FILTER (WHERE flag), count(DISTINCT day) FROM facts GROUP BY g",
    ),
    (
        "rollup",
        "SELECT g, flag, count(*), sum(price), grouping(g), grouping(flag) FROM facts GROUP BY ROLLUP (g, flag)",
    ),
    (
        "cube",
        "SELECT g, flag, k % 2 AS p, count(*), grouping(g, flag) FROM facts GROUP BY CUBE (g, flag, p)",
    ),
    (
        "grouping sets",
        "SELECT g, day, count(*), sum(id) FROM facts GROUP BY GROUPING SETS ((g), (day), (g, flag), ())",
    ),
    (
        "grouping sets with distinct",
        "SELECT g, flag, count(DISTINCT k) FROM facts GROUP BY GROUPING SETS ((g), (flag), ())",
    ),
    ("grouping sets of no rows", "SELECT g, count(*) FROM none GROUP BY GROUPING SETS ((g), ())"),
    (
        "rollup with having",
        "SELECT k, grouping(k), sum(id) FROM facts GROUP BY ROLLUP (k) HAVING sum(id) > 60000",
    ),
    (
        "ordered",
        "SELECT g, array_agg(id ORDER BY x DESC, id), first_value(id ORDER BY id), last_value(k ORDER BY id), nth_value(id, 3 ORDER BY id) FROM facts GROUP BY g",
    ),
    (
        "ordered, of all",
        "SELECT array_agg(id ORDER BY id), string_agg(g, ',' ORDER BY id), first_value(x ORDER BY price, id), last_value(x ORDER BY price, id) FROM facts",
    ),
    (
        "ordered two ways",
        "SELECT k, string_agg(g, '-' ORDER BY id), string_agg(g, '-' ORDER BY id DESC) FROM facts GROUP BY k",
    ),
    ("array_agg of distinct", "SELECT g, array_agg(DISTINCT k ORDER BY k) FROM facts GROUP BY g"),
    (
        "statistics",
        "SELECT g, stddev(x), var_pop(x), corr(x, id), covar_samp(x, id), regr_slope(x, id) FROM facts GROUP BY g",
    ),
    (
        "median",
        "SELECT g, median(x), percentile_cont(0.25) WITHIN GROUP (ORDER BY x) FROM facts GROUP BY g",
    ),
    ("median of all", "SELECT median(x), median(DISTINCT k) FROM facts"),
    (
        "bits",
        "SELECT k, bit_and(id), bit_or(id), bit_xor(id), bool_and(flag), bool_or(flag) FROM facts GROUP BY k",
    ),
    ("of decimals", "SELECT sum(price), avg(price), min(price), sum(price * price) FROM facts"),
    (
        "by every column",
        "SELECT id, k, g, x, price, day, flag FROM facts GROUP BY id, k, g, x, price, day, flag",
    ),
    ("constant key", "SELECT 1, count(*) FROM facts GROUP BY 1"),
    (
        "group of groups",
        "SELECT n, count(*) FROM (SELECT k, count(*) n FROM big GROUP BY k) GROUP BY n",
    ),
    (
        "aggregate in an expression",
        "SELECT k, sum(x) / count(*) + 1, CASE WHEN max(id) > 2900 THEN 'late' END FROM facts GROUP BY k",
    ),
    ("distinct on", "SELECT DISTINCT ON (k) k, id, g FROM facts ORDER BY k, id DESC"),
    (
        "distinct on of two",
        "SELECT DISTINCT ON (g, flag) g, flag, id FROM facts ORDER BY g, flag, x, id",
    ),
    (
        "min and max of text and days",
        "SELECT min(g), max(g), min(day), max(day), min(flag), max(flag) FROM facts",
    ),
    (
        "group by after a join",
        "SELECT d.region, f.flag, count(*), sum(f.x), count(DISTINCT f.k) FROM facts f JOIN dims d ON f.k = d.id GROUP BY d.region, f.flag",
    ),
];

#[tokio::test]
async fn groups() {
    fixture().await.assert_same(GROUPS).await;
}

/// The stated errors: HyperLogLog's with 2^14 registers, 0.81 %, of which five are taken; a
/// t-digest of 100 centroids has one of about a percent of the ranks in the middle.
#[tokio::test]
async fn an_estimate_is_within_its_error() {
    let fixture = fixture().await;
    for partitions in crate::support::expected_answer::PARTITIONS {
        let sql = "SELECT approx_distinct(id), approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY id), \
                   approx_median(id) FROM big";
        let rows = fixture.run(sql, partitions).await.expect(sql);
        let numbers: Vec<f64> = rows[0].split('|').map(|n| n.parse().expect("a number")).collect();
        assert!((numbers[0] - 150_000.0).abs() < 150_000.0 * 0.04, "{numbers:?}");
        assert!((numbers[1] - 75_000.0).abs() < 150_000.0 * 0.02, "{numbers:?}");
        assert!((numbers[2] - 75_000.0).abs() < 150_000.0 * 0.02, "{numbers:?}");
    }
}

#[tokio::test]
async fn one_empty_grouping_set_is_one_row() {
    let queries = [
        ("rows", "SELECT count(*) FROM facts GROUP BY GROUPING SETS (())"),
        ("no rows", "SELECT sum(id) FROM none GROUP BY GROUPING SETS (())"),
    ];
    fixture().await.assert_same(&queries).await;
}
