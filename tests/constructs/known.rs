//! Plans that are one task because a reader of an exchange does not know how its rows are spread or
//! ordered; and what DataFusion alone gets wrong, or cannot write.

use super::fixture;

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
    fixture().await.assert_same(&queries).await;
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
    fixture().await.assert_same(&queries).await;
}

#[tokio::test]
async fn a_dictionary_of_views_is_written_as_what_it_holds() {
    let sql =
        "SELECT id, arrow_cast('a', 'Dictionary(Int32, Utf8View)') AS d FROM few WHERE id < 3";
    let fixture = fixture().await;
    for partitions in [None, Some(2)] {
        let mut rows = fixture.run(sql, partitions).await.expect("rows");
        rows.sort();
        assert_eq!(rows, ["1|a", "2|a"]);
    }
}

/// DataFusion alone gives another answer to both in one query; to each by itself it is right.
#[tokio::test]
async fn an_nth_value_beside_the_other_order_is_that_of_its_own_order() {
    let fixture = fixture().await;
    let total = "sum(id) OVER (PARTITION BY k ORDER BY id DESC) AS s";
    let nth = "nth_value(id, 2) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING) AS n";
    let apart = format!(
        "SELECT a.id, a.s, b.n FROM (SELECT id, {total} FROM facts) a \
         JOIN (SELECT id, {nth} FROM facts) b ON a.id = b.id"
    );
    let answer = fixture.answer(&apart).await.expect("an answer");
    let together = format!("SELECT id, {total}, {nth} FROM facts");
    for partitions in crate::support::expected_answer::PARTITIONS {
        fixture.try_over(&together, partitions, &answer).await.expect("the same rows");
    }
}
