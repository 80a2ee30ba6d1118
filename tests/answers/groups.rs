use super::{fixture, right};

#[tokio::test]
async fn sets_of_groups_are_of_any_values() {
    let fixture = fixture().await;
    for (sql, rows) in [
        (
            "SELECT id % 2, grouping(id % 2), sum(z) FROM o GROUP BY ROLLUP (id % 2)",
            &["0|0|60", "1|0|40", "∅|0|50", "∅|1|150"][..],
        ),
        ("SELECT x, count(*) FROM x WHERE g = 'b' GROUP BY CUBE (x)", &["0.0|2", "∅|2"]),
        (
            "SELECT g, x * 2, count(*) FROM x WHERE g = 'c' GROUP BY g, ROLLUP (x * 2)",
            &["c|inf|2", "c|∅|2"],
        ),
    ] {
        right(&fixture, sql, rows).await;
    }
}

#[tokio::test]
async fn a_total_is_there_without_any_row() {
    let fixture = fixture().await;
    for condition in ["id > 100", "1 > 1", "false"] {
        let sql = format!("SELECT id, count(*) FROM o WHERE {condition} GROUP BY ROLLUP (id)");
        right(&fixture, &sql, &["∅|0"]).await;
    }
    let lone =
        "SELECT m FROM (SELECT min(id) AS m FROM o) q WHERE 1 = (SELECT 1 FROM i WHERE id > 9)";
    right(&fixture, lone, &[]).await;
    let all = "SELECT id, bool_or(true) AS c FROM o GROUP BY ROLLUP (id)";
    right(&fixture, &format!("SELECT id FROM ({all}) q WHERE NOT c = c"), &[]).await;
}
