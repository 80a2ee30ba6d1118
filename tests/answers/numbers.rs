use super::{fixture, refused, right};

#[tokio::test]
async fn what_does_not_fit_is_an_error_that_names_the_expression() {
    let fixture = fixture().await;
    let max = "9223372036854775807";
    fixture.put("tables/b/1.csv", format!("k,b\n1,{max}\n")).await;
    fixture.put("tables/b/2.csv", "k,b\n1,1\n2,-9223372036854775808\n").await;
    for (sql, part) in [
        ("SELECT sum(b) FROM b WHERE k = 1", "sum(b.b) overflows: 9223372036854775808"),
        ("SELECT k, sum(b) FROM b GROUP BY k HAVING k = 1", "overflows"),
        ("SELECT sum(b) OVER (ORDER BY b) FROM b WHERE k = 1", "overflows"),
        ("SELECT b + 1 FROM b WHERE k = 1", "b + 1 overflows bigint"),
        ("SELECT b - 1 FROM b WHERE k = 2", "overflows bigint"),
        ("SELECT b * 2 FROM b", "overflows bigint"),
        ("SELECT -b FROM b WHERE k = 2", "overflows bigint"),
        (
            "SELECT CAST(b AS INT) FROM b WHERE k = 1 AND b > 1",
            "CAST(b AS int): 9223372036854775807 does not fit",
        ),
        ("SELECT CAST(b AS INT) FROM b WHERE k = 1 AND b > 1 GROUP BY 1", "CAST(b AS int)"),
        ("SELECT CAST('v' || k AS INT) FROM b WHERE k = 2", "'v2' is no int"),
        ("SELECT CAST(k * 40000.5 AS SMALLINT) FROM b", "does not fit smallint"),
    ] {
        refused(&fixture, sql, part).await;
    }
    let wide = "SELECT sum(CAST(b AS DECIMAL(38, 0))) FROM b WHERE k = 1";
    right(&fixture, wide, &["9223372036854775808"]).await;
    // what leaves the type in between comes back
    right(&fixture, "SELECT sum(b) FROM b", &["0"]).await;
}

#[tokio::test]
async fn decimals_keep_to_their_digits() {
    let fixture = fixture().await;
    let nines = "9".repeat(38);
    let sum = format!("SELECT CAST('{nines}' AS DECIMAL(38, 0)) + id FROM o WHERE id = 1");
    refused(&fixture, &sum, "overflows decimal(38, 0)").await;
    let sum = format!("SELECT sum(CAST('{nines}' AS DECIMAL(38, 0))) FROM o");
    refused(&fixture, &sum, "overflows").await;
    right(&fixture, "SELECT avg(CAST(z AS DECIMAL(9, 2))) FROM o WHERE id < 4", &["20.000000"])
        .await;
    let cut = "SELECT avg(CAST(z AS DECIMAL(9, 0))) / 7 FROM o WHERE id < 3";
    right(&fixture, cut, &["2.1428571428571429"]).await;
    fixture.put("tables/m/1.csv", "m\n0.01\n0.01\n").await;
    fixture.put("tables/m/2.csv", "m\n0.02\n").await;
    let avg = "SELECT avg(CAST(m AS DECIMAL(9, 2))), avg(-CAST(m AS DECIMAL(9, 2))) FROM m";
    right(&fixture, avg, &["0.013333|-0.013333"]).await;
    let avg = "SELECT avg(CAST(m AS DECIMAL(9, 2))) FROM m GROUP BY m > 1";
    right(&fixture, avg, &["0.013333"]).await;
    right(&fixture, "SELECT CAST(5.00 AS DECIMAL(9, 2)) / 3", &["1.6666666666666667"]).await;
}

#[tokio::test]
async fn a_cast_to_a_whole_number_takes_the_nearest() {
    let fixture = fixture().await;
    let sql = "SELECT CAST(2.5 AS INT), CAST(-2.5 AS INT), CAST(99999.99 AS INT), \
               CAST(CAST(id AS DOUBLE) / 2 AS INT), CAST(CAST(1.25 AS DECIMAL(9, 2)) AS INT), \
               CAST(CAST(1.25 AS DECIMAL(9, 2)) AS DECIMAL(5, 1)) FROM o WHERE id = 1";
    right(&fixture, sql, &["3|-3|100000|0|1|1.3"]).await;
    fixture.put("tables/m/1.csv", "m\n1.25\n2.75\n").await;
    for (condition, rows) in [
        ("CAST(CAST(m AS DECIMAL(9, 2)) AS INT) = 1", ["1.25"]),
        ("CAST(CAST(m AS DECIMAL(9, 2)) AS INT) > 1", ["2.75"]),
        ("CAST(CAST(m AS DECIMAL(9, 2)) AS DECIMAL(5, 1)) = 1.3", ["1.25"]),
    ] {
        right(&fixture, &format!("SELECT m FROM m WHERE {condition}"), &rows).await;
    }
}

#[tokio::test]
async fn a_float_becomes_the_decimal_of_its_sure_digits() {
    let fixture = fixture().await;
    let sql = "SELECT CAST(CAST(1.005 AS DOUBLE) AS DECIMAL(5, 2)), CAST(x + 0.005 AS DECIMAL(5, 2)), \
               CAST(CAST(0.1 AS REAL) AS DECIMAL(9, 7)), CAST(CAST('1e20' AS DOUBLE) AS DECIMAL(38, 2)) \
               FROM x WHERE x = 2.5";
    right(&fixture, sql, &["1.01|2.51|0.1000000|100000000000000000000.00"]).await;
    let exact = "SELECT CAST(CAST(90.89999999999999 AS DECIMAL(20, 14)) AS DOUBLE), 90.89999999999999::float8 \
                 FROM x WHERE x = 2.5";
    right(&fixture, exact, &["90.89999999999999|90.89999999999999"]).await;
    // those that do not fit are left out before
    let guarded =
        "SELECT g FROM x WHERE CAST(x AS DECIMAL(5, 2)) = 2.5 AND g = 'a' AND NOT isnan(x)";
    right(&fixture, guarded, &["a"]).await;
    let large = "SELECT CAST(x * 1e9 AS DECIMAL(5, 2)) FROM x WHERE x = 2.5";
    refused(&fixture, large, "does not fit decimal(5, 2)").await;
}

#[tokio::test]
async fn a_condition_guards_what_comes_after_it() {
    let fixture = fixture().await;
    right(&fixture, "SELECT id FROM n WHERE d <> 0 AND 100 / d > 5", &["2", "6"]).await;
    right(&fixture, "SELECT id FROM n WHERE 100 / d > 5 AND d <> 0", &["2", "6"]).await;
    right(&fixture, "SELECT id FROM n WHERE d = 0 OR 100 / d > 5", &["1", "2", "5", "6"]).await;
    let values = "SELECT id, d <> 0 AND 100 / d > 5 FROM n WHERE id < 4";
    right(&fixture, values, &["1|false", "2|true", "3|∅"]).await;
    let join = "SELECT n.id FROM n JOIN o ON n.d <> 0 AND 100 / n.d > o.id AND o.id = 4";
    right(&fixture, join, &["2", "6"]).await;
    let nested = "SELECT id FROM (SELECT * FROM n WHERE d <> 0) q WHERE 100 / d > 5";
    right(&fixture, nested, &["2", "6"]).await;
    let case = "SELECT CASE WHEN d <> 0 THEN 100 / d END FROM n WHERE id < 3";
    right(&fixture, case, &["10", "∅"]).await;
    refused(&fixture, "SELECT 100 / d FROM n", "ivide by zero").await;
}

#[tokio::test]
async fn a_number_with_a_point_is_exact_beside_exact_ones() {
    let fixture = fixture().await;
    fixture.put("tables/m/1.csv", "m\n1.25\n").await;
    fixture.put("tables/m/2.csv", "m\n0.07\n").await;
    let m = "CAST(m AS DECIMAL(9, 2))";
    for (sql, row) in [
        ("0.1 + 0.2 = 0.3, 0.06 + 0.01", "true|0.07"),
        (
            "CAST(99999999999999999999999999999999999.99 AS DECIMAL(38, 2))",
            "99999999999999999999999999999999999.99",
        ),
        ("CAST(1.005 AS DECIMAL(9, 2))", "1.01"),
        ("12345678901234567890.12345", "12345678901234567890.12345"),
        ("99999999999999999999 + 1", "100000000000000000000"),
    ] {
        right(&fixture, &format!("SELECT {sql} FROM o WHERE id = 1"), &[row]).await;
    }
    right(&fixture, &format!("SELECT {m} * 1.055 FROM m WHERE m > 1"), &["1.31875"]).await;
    right(
        &fixture,
        &format!("SELECT m FROM m WHERE {m} BETWEEN 0.06 - 0.01 AND 0.06 + 0.01"),
        &["0.07"],
    )
    .await;
    // beside a float it is a float
    right(&fixture, "SELECT g FROM x WHERE x > 5.49 + 0.005 AND x < 100", &["a"]).await;
}

#[tokio::test]
async fn a_list_may_hold_what_differs_from_row_to_row() {
    let fixture = fixture().await;
    let sql = "SELECT id, 10 IN (CASE WHEN id = 1 THEN 0 ELSE d END, 99) FROM n WHERE id < 4";
    right(&fixture, sql, &["1|false", "2|true", "3|∅"]).await;
    right(&fixture, "SELECT id FROM n WHERE id NOT IN (d, 4) ORDER BY id", &["1", "2", "5", "6"])
        .await;
}

#[tokio::test]
async fn percentiles_are_exact() {
    let fixture = fixture().await;
    for (sql, rows) in [
        (
            "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY v) FROM v",
            &["63.99999999999999"][..],
        ),
        ("SELECT percentile_cont(0.75) WITHIN GROUP (ORDER BY v DESC) FROM v", &["20.0"]),
        ("SELECT median(id) FROM o", &["2.5"]),
        (
            "SELECT d % 20, percentile_cont(id, 0.5) FROM n GROUP BY 1",
            &["0|3.0", "10|3.0", "7|6.0", "∅|3.0"],
        ),
        ("SELECT quantile_cont(DISTINCT g, 0.5) FROM (VALUES (1), (1), (1), (4)) q(g)", &["2.5"]),
        (
            "SELECT n, percentile_cont(v, 0.5) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM v \
             WHERE n < 4 ORDER BY n",
            &["1|10.0", "2|15.0", "3|25.0"],
        ),
    ] {
        right(&fixture, sql, rows).await;
    }
}

#[tokio::test]
async fn quotients_of_parts_and_sums_are_not_cut() {
    let fixture = fixture().await;
    fixture.put("tables/m/1.csv", "m\n1.25\n2.45\n").await;
    let m = "CAST(m AS DECIMAL(9, 2))";
    for (sql, rows) in [
        (
            "SELECT ceil(extract(month FROM DATE '2024-08-31') / 3) FROM o WHERE id = 1".to_owned(),
            &["3.0000000000000000"][..],
        ),
        (
            "SELECT id * 100 / sum(z) OVER () FROM o WHERE id < 2".to_owned(),
            &["10.0000000000000000"],
        ),
        ("SELECT sum(z) / 4 FROM o WHERE id < 3".to_owned(), &["7.5000000000000000"]),
        ("SELECT z / 4 FROM o WHERE id = 1".to_owned(), &["2"]),
        ("SELECT id FROM o WHERE id * 0.1 = 0.3".to_owned(), &["3"]),
        ("SELECT CAST(id * 0.5 AS INT) FROM o WHERE id < 4".to_owned(), &["1", "1", "2"]),
        (format!("SELECT m FROM m WHERE round({m}, 1) = 1.3"), &["1.25"]),
        (format!("SELECT round({m}, 1) FROM m ORDER BY 1"), &["1.3", "2.5"]),
        (
            "SELECT d % 20, sum(10 / d) FILTER (WHERE d <> 0) AS s FROM n GROUP BY 1".to_owned(),
            &["0|∅", "10|1", "7|1", "∅|∅"],
        ),
    ] {
        right(&fixture, &sql, rows).await;
    }
}
