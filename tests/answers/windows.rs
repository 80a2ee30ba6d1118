use super::{fixture, refused, right};

#[tokio::test]
async fn lead_and_lag_pass_over_nulls() {
    let fixture = fixture().await;
    for (function, rows) in [
        ("lead(v, 2)", ["1|30", "2|40", "3|70", "4|∅", "5|∅", "6|∅", "7|∅"]),
        ("lead(v)", ["1|20", "2|30", "3|40", "4|70", "5|70", "6|70", "7|∅"]),
        ("lag(v, 2, -1)", ["1|-1", "2|-1", "3|10", "4|20", "5|30", "6|30", "7|30"]),
    ] {
        let sql = format!("SELECT n, {function} IGNORE NULLS OVER (ORDER BY n) FROM v ORDER BY n");
        right(&fixture, &sql, &rows).await;
    }
    refused(&fixture, "SELECT lag(v, NULL) OVER (ORDER BY n) FROM v", "whole number").await;
    refused(&fixture, "SELECT lag(v, 1, 0.5) OVER (ORDER BY n) FROM v", "fraction").await;
}

#[tokio::test]
async fn a_window_that_slides_forgets_what_has_left_it() {
    let fixture = fixture().await;
    fixture.put("tables/f/1.csv", "n,x\n1,1.5\n2,NaN\n3,0.5\n4,1e300\n5,2.0\n6,3.0\n").await;
    let frame = "OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    let sums = ["1|1.5", "2|NaN", "3|NaN", "4|1e300", "5|1e300", "6|5.0"];
    right(&fixture, &format!("SELECT n, sum(x) {frame} FROM f ORDER BY n"), &sums).await;
    let averages = ["1|1.5", "2|NaN", "3|NaN", "4|5e299", "5|5e299", "6|2.5"];
    right(&fixture, &format!("SELECT n, avg(x) {frame} FROM f ORDER BY n"), &averages).await;
}

#[tokio::test]
async fn a_window_is_built_upon_a_named_one() {
    let fixture = fixture().await;
    let sql = "SELECT n, sum(v) OVER (o ROWS 1 PRECEDING) FROM v WHERE n < 5 \
               WINDOW o AS (PARTITION BY n % 2 ORDER BY n) ORDER BY n";
    right(&fixture, sql, &["1|10", "2|20", "3|40", "4|60"]).await;
}

#[tokio::test]
async fn a_window_may_stand_on_one_that_stands_on_another() {
    let fixture = fixture().await;
    let sql = "SELECT n, sum(v) OVER p FROM v WHERE n < 5 \
               WINDOW o AS (PARTITION BY n % 2), p AS (o ORDER BY n) ORDER BY n";
    right(&fixture, sql, &["1|10", "2|20", "3|40", "4|60"]).await;
    refused(&fixture, "SELECT nth_value(v, 0) OVER (ORDER BY n) FROM v", "counts from 1").await;
}

#[tokio::test]
async fn the_variance_of_equal_values_is_nothing() {
    let fixture = fixture().await;
    fixture.put("tables/e/1.csv", "n,x\n1,70.1\n2,5.5\n").await;
    fixture.put("tables/e/2.csv", "n,x\n3,5.5\n4,5.5\n").await;
    let frame = "OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    let sql = format!("SELECT n, stddev(x) {frame} = 0, var_pop(x) {frame} = 0 FROM e ORDER BY n");
    right(&fixture, &sql, &["1|∅|true", "2|false|false", "3|true|true", "4|true|true"]).await;
}

#[tokio::test]
async fn an_order_by_what_may_be_missing_is_kept() {
    let fixture = fixture().await;
    let join = "FROM o a LEFT JOIN (SELECT id, 'x' AS c FROM o WHERE id = 2) b ON b.id = a.id";
    let sql = format!("SELECT a.id {join} ORDER BY b.id NULLS LAST, a.id DESC NULLS LAST");
    right(&fixture, &sql, &["2", "4", "3", "1", "∅"]).await;
    let sql = format!("SELECT a.id {join} ORDER BY b.c NULLS LAST, a.id LIMIT 2");
    right(&fixture, &sql, &["2", "1"]).await;
    let sql = format!(
        "SELECT a.id, row_number() OVER (ORDER BY b.c NULLS LAST, a.id) {join} WHERE a.id < 4"
    );
    right(&fixture, &sql, &["2|1", "1|2", "3|3"]).await;
}
