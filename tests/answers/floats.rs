use super::{fixture, right};

#[tokio::test]
async fn nan_is_the_greatest_number_of_a_group() {
    let fixture = fixture().await;
    let rows = ["a|2.5|NaN", "b|0.0|0.0", "c|inf|inf"];
    right(&fixture, "SELECT g, min(x), max(x) FROM x GROUP BY g", &rows).await;
    right(&fixture, "SELECT max(x), min(x) FROM x", &["NaN|0.0"]).await;
    right(&fixture, "SELECT x FROM x WHERE g = 'a' ORDER BY x DESC LIMIT 2", &["NaN", "5.5"]).await;
    right(&fixture, "SELECT count(*) FROM x WHERE x > 100", &["3"]).await;
}

#[tokio::test]
async fn zeros_of_two_signs_are_one_number() {
    let fixture = fixture().await;
    right(&fixture, "SELECT count(*) FROM x GROUP BY x HAVING x = 0", &["2"]).await;
    right(&fixture, "SELECT count(DISTINCT x) FROM x WHERE g = 'b'", &["1"]).await;
    right(&fixture, "SELECT a.g FROM x a JOIN x b ON a.x = b.x WHERE a.g = 'b'", &["b"; 4]).await;
    right(&fixture, "SELECT count(*) FROM x WHERE x IN (0)", &["2"]).await;
    right(&fixture, "SELECT count(*) FROM (SELECT DISTINCT x FROM x WHERE g = 'b')", &["1"]).await;
    let window = "SELECT count(*) OVER (PARTITION BY x) FROM x WHERE g = 'b'";
    right(&fixture, window, &["2", "2"]).await;
    right(&fixture, "SELECT nullif(x, 0) FROM x WHERE g = 'b'", &["∅", "∅"]).await;
    // a value that is not compared stays as it is
    right(&fixture, "SELECT x FROM x WHERE g = 'b'", &["-0.0", "0.0"]).await;
}

#[tokio::test]
async fn nan_of_two_signs_is_one() {
    let fixture = fixture().await;
    let both = "SELECT y, count(*) FROM (SELECT x AS y FROM x UNION ALL SELECT -x FROM x) q \
                WHERE y = 'NaN' GROUP BY y";
    right(&fixture, both, &["NaN|2"]).await;
    right(&fixture, "SELECT count(*) FROM (SELECT x FROM x UNION SELECT -x FROM x)", &["10"]).await;
    right(&fixture, "SELECT a.g FROM x a JOIN x b ON a.x = -b.x WHERE a.g = 'a'", &["a"]).await;
}
