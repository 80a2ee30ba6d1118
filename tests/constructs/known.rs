//! Plans that are one task because a reader of an exchange does not know how its rows are spread or
//! ordered; and, ignored, results that cannot be written.

use super::lab;

#[tokio::test]
async fn a_union_of_groups_by_the_same_keys() {
    let queries = [
        (
            "two",
            "SELECT k, count(*) FROM facts GROUP BY k UNION ALL SELECT k, sum(id) FROM big GROUP BY k",
        ),
        (
            "constants",
            "SELECT 0 AS m, k FROM facts GROUP BY 1, 2 UNION ALL SELECT 1, k FROM few GROUP BY 1, 2",
        ),
        (
            "grouped again",
            "SELECT k, sum(n) FROM (SELECT k, count(*) AS n FROM facts GROUP BY k \
             UNION ALL SELECT k, count(*) FROM few GROUP BY k) GROUP BY k",
        ),
        (
            "large joins",
            "SELECT a.k, b.id FROM big a JOIN wide b ON a.k = b.k WHERE a.id < 2000 \
             UNION ALL SELECT a.k, a.id FROM wide a JOIN big b ON a.k = b.k WHERE b.id < 2000",
        ),
    ];
    lab().await.assert_same(&queries).await;
}

#[tokio::test]
async fn a_window_that_uses_the_order_of_another() {
    let queries = [
        (
            "bounded",
            "SELECT id, sum(id) OVER (ORDER BY k, id DESC), sum(id) OVER (PARTITION BY k ORDER BY id DESC) \
             FROM facts",
        ),
        (
            "whole",
            "SELECT id, sum(id) OVER (ORDER BY k, id), \
             sum(id) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM facts",
        ),
    ];
    lab().await.assert_same(&queries).await;
}

#[tokio::test]
#[ignore = "Parquet has no such type, or its writer does not know it"]
async fn a_result_of_any_type_can_be_written() {
    let queries = [
        ("interval", "SELECT id, id * interval '1 day' AS i FROM few"),
        ("negative scale", "SELECT round(cast(500 AS decimal(10, -2)), -3) FROM few"),
        (
            "dictionary of views",
            "SELECT arrow_cast('a', 'Dictionary(Int32, Utf8View)') AS d FROM few",
        ),
    ];
    lab().await.assert_same(&queries).await;
}

#[tokio::test]
#[ignore = "DataFusion 55.2 turns nth_value around, and finds the nth value from the end"]
async fn an_nth_value_beside_the_other_order() {
    let queries = [(
        "nth_value",
        "SELECT id, sum(id) OVER (PARTITION BY k ORDER BY id DESC), \
         nth_value(id, 2) OVER (w ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING) FROM facts \
         WINDOW w AS (PARTITION BY k ORDER BY id)",
    )];
    lab().await.assert_same(&queries).await;
}
