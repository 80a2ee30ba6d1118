use super::{lab, refused, right};

#[tokio::test]
async fn lead_and_lag_pass_over_nulls() {
    let lab = lab().await;
    for (function, rows) in [
        ("lead(v, 2)", ["1|30", "2|40", "3|70", "4|∅", "5|∅", "6|∅", "7|∅"]),
        ("lead(v)", ["1|20", "2|30", "3|40", "4|70", "5|70", "6|70", "7|∅"]),
        ("lag(v, 2, -1)", ["1|-1", "2|-1", "3|10", "4|20", "5|30", "6|30", "7|30"]),
    ] {
        let sql = format!("SELECT n, {function} IGNORE NULLS OVER (ORDER BY n) FROM v ORDER BY n");
        right(&lab, &sql, &rows).await;
    }
    refused(&lab, "SELECT lag(v, NULL) OVER (ORDER BY n) FROM v", "whole number").await;
    refused(&lab, "SELECT lag(v, 1, 0.5) OVER (ORDER BY n) FROM v", "fraction").await;
}

#[tokio::test]
async fn a_window_that_slides_forgets_what_has_left_it() {
    let lab = lab().await;
    lab.put("tables/f/1.csv", "n,x\n1,1.5\n2,NaN\n3,0.5\n4,1e300\n5,2.0\n6,3.0\n").await;
    let frame = "OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    let sums = ["1|1.5", "2|NaN", "3|NaN", "4|1e300", "5|1e300", "6|5.0"];
    right(&lab, &format!("SELECT n, sum(x) {frame} FROM f ORDER BY n"), &sums).await;
    let averages = ["1|1.5", "2|NaN", "3|NaN", "4|5e299", "5|5e299", "6|2.5"];
    right(&lab, &format!("SELECT n, avg(x) {frame} FROM f ORDER BY n"), &averages).await;
}

#[tokio::test]
async fn a_window_is_built_upon_a_named_one() {
    let lab = lab().await;
    let sql = "SELECT n, sum(v) OVER (o ROWS 1 PRECEDING) FROM v WHERE n < 5 \
               WINDOW o AS (PARTITION BY n % 2 ORDER BY n) ORDER BY n";
    right(&lab, sql, &["1|10", "2|20", "3|40", "4|60"]).await;
}
