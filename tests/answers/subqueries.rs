use super::{fixture, refused, right};

#[tokio::test]
async fn not_in_is_unknown_beside_a_null() {
    let fixture = fixture().await;
    for (condition, rows) in [
        ("id NOT IN (SELECT i.id FROM i WHERE i.z < o.z)", &["1", "3", "4"][..]),
        ("id NOT IN (SELECT id FROM i WHERE i.id = o.id)", &["1", "3", "4", "∅"]),
        ("id NOT IN (SELECT id FROM i WHERE id IS NOT NULL)", &["1", "3", "4"]),
        ("id NOT IN (SELECT id FROM i)", &[]),
        ("NOT (id IN (SELECT id FROM i))", &[]),
        ("9 NOT IN (SELECT id FROM i)", &[]),
        ("id NOT IN (SELECT id FROM i WHERE id IS NOT NULL) OR z = 20", &["1", "2", "3", "4"]),
        ("(id IN (SELECT id FROM i)) IS NULL", &["1", "3", "4", "∅"]),
        ("0 IN (SELECT count(*) FROM i WHERE i.id = o.id)", &["1", "3", "4", "∅"]),
        ("0 NOT IN (SELECT count(*) FROM i WHERE i.id = o.id)", &["2"]),
        ("id - 1 IN (SELECT count(*) FROM i WHERE i.id = o.id)", &["1", "2"]),
    ] {
        right(&fixture, &format!("SELECT id FROM o WHERE {condition}"), rows).await;
    }
}

#[tokio::test]
async fn an_aggregate_without_groups_is_one_row_to_exists() {
    let fixture = fixture().await;
    let all = ["1", "2", "3", "4", "∅"];
    for (condition, rows) in [
        ("EXISTS (SELECT count(*) FROM i WHERE i.id = o.id)", &all[..]),
        ("NOT EXISTS (SELECT max(z) FROM i WHERE i.id = o.id)", &[]),
        ("EXISTS (SELECT 1 FROM i WHERE i.id = o.id HAVING count(*) = 0)", &["1", "3", "4", "∅"]),
        ("NOT EXISTS (SELECT 1 FROM i WHERE i.id = o.id HAVING count(*) = 0)", &["2"]),
        ("EXISTS (SELECT 1 FROM i WHERE i.id = o.id LIMIT 1)", &["2"]),
        ("EXISTS (SELECT 1 FROM i WHERE i.id = o.id LIMIT 0)", &[]),
        ("EXISTS (SELECT i.id FROM i WHERE i.id = o.id GROUP BY i.id)", &["2"]),
    ] {
        right(&fixture, &format!("SELECT id FROM o WHERE {condition}"), rows).await;
    }
    let offset = "SELECT id FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.id = o.id OFFSET 1)";
    refused(&fixture, offset, "OFFSET").await;
}

#[tokio::test]
async fn a_page_below_an_order_keeps_its_rows() {
    let fixture = fixture().await;
    let page = "(SELECT id FROM v2 ORDER BY id LIMIT 4 OFFSET 3) x";
    fixture.put("tables/v2/1.csv", "id\n9\n1\n8\n2\n").await;
    fixture.put("tables/v2/2.csv", "id\n7\n3\n6\n4\n5\n").await;
    right(&fixture, &format!("SELECT * FROM {page} ORDER BY id"), &["4", "5", "6", "7"]).await;
    right(&fixture, &format!("SELECT * FROM {page} ORDER BY id DESC"), &["7", "6", "5", "4"]).await;
    right(&fixture, &format!("SELECT sum(id) FROM {page}"), &["22"]).await;
    let rest = "SELECT * FROM (SELECT id FROM v2 ORDER BY id OFFSET 6) x ORDER BY id DESC";
    right(&fixture, rest, &["9", "8", "7"]).await;
    let inner = "SELECT * FROM (SELECT id FROM v2 ORDER BY id DESC LIMIT 5 OFFSET 2) x ORDER BY id LIMIT 2 OFFSET 1";
    right(&fixture, inner, &["4", "5"]).await;
}

#[tokio::test]
async fn a_subquery_may_be_selected() {
    let fixture = fixture().await;
    let rows = ["1|∅|false", "2|true|true", "3|∅|false", "4|∅|false", "∅|∅|false"];
    let sql =
        "SELECT id, id IN (SELECT id FROM i), EXISTS (SELECT 1 FROM i WHERE i.id = o.id) FROM o";
    right(&fixture, sql, &rows).await;
    let rows = ["1|true", "2|false", "3|true", "4|true", "∅|∅"];
    let sql = "SELECT id, id NOT IN (SELECT id FROM i WHERE id IS NOT NULL) FROM o";
    right(&fixture, sql, &rows).await;
}

#[tokio::test]
async fn nulls_that_are_not_distinct_meet_beside_other_joins() {
    let fixture = fixture().await;
    let join = "SELECT count(*) FROM o JOIN i ON o.id IS NOT DISTINCT FROM i.id";
    right(&fixture, join, &["2"]).await;
    right(&fixture, &format!("{join} CROSS JOIN v"), &["14"]).await;
    let both = "SELECT count(*) FROM o JOIN i ON o.id IS NOT DISTINCT FROM i.id AND o.z = i.z";
    right(&fixture, both, &["1"]).await;
    let three = "SELECT o.id FROM o JOIN i ON o.z = i.z JOIN o p ON i.id IS NOT DISTINCT FROM p.id WHERE o.z = p.z";
    right(&fixture, three, &["∅"]).await;
    right(&fixture, "SELECT id FROM o WHERE id IS DISTINCT FROM 2 AND z < 40", &["1", "3"]).await;
}

#[tokio::test]
async fn a_filter_keeps_its_columns_of_one_name_apart() {
    let fixture = fixture().await;
    let sql = "SELECT a.id, b.id FROM n b RIGHT JOIN n a ON b.d = a.d \
               WHERE a.d = 10 OR (a.id <> 99 AND a.id <> b.id)";
    right(&fixture, sql, &["1|5", "2|2", "5|1"]).await;
    let list = "SELECT a.id, b.id FROM n b RIGHT JOIN n a ON b.d = a.d WHERE a.d = 10 OR a.id NOT IN (99, b.id)";
    right(&fixture, list, &["1|5", "2|2", "5|1"]).await;
}

#[tokio::test]
async fn all_and_any_look_at_the_rows_of_the_subquery() {
    let fixture = fixture().await;
    for (sql, rows) in [
        ("SELECT z FROM o WHERE z > ALL (SELECT z FROM o WHERE id = 2)", &["30", "40", "50"][..]),
        ("SELECT z FROM o WHERE z = ANY (SELECT z FROM o WHERE id = 2)", &["20"]),
        ("SELECT z FROM o WHERE z <= ALL (SELECT z FROM o)", &["10"]),
        (
            "SELECT z FROM o WHERE z > ALL (SELECT z FROM i WHERE false)",
            &["10", "20", "30", "40", "50"],
        ),
        ("SELECT z FROM o WHERE z > ANY (SELECT z FROM i WHERE false)", &[]),
        ("SELECT z FROM o WHERE NOT id = ANY (SELECT id FROM i)", &[]),
        (
            "SELECT z % 20 FROM o GROUP BY 1 HAVING count(id) >= ALL (SELECT count(id) FROM o GROUP BY z % 20)",
            &["0", "10"],
        ),
        ("SELECT max(z) FROM o HAVING max(z) IN (SELECT max(z) FROM o)", &["50"]),
    ] {
        right(&fixture, sql, rows).await;
    }
}

#[tokio::test]
async fn a_value_of_no_row_is_null() {
    let fixture = fixture().await;
    for (sql, rows) in [
        ("SELECT (SELECT 1 FROM o WHERE id = 99) IS NULL", &["true"][..]),
        (
            "SELECT id FROM o WHERE coalesce((SELECT 1 FROM i WHERE id = 99), 0) = 0 AND id < 3",
            &["1", "2"],
        ),
        (
            "SELECT id, coalesce((SELECT count(*) FROM i WHERE i.id = o.id GROUP BY i.id), -1) AS c FROM o \
             WHERE id < 3",
            &["1|-1", "2|1"],
        ),
        (
            "SELECT id, (SELECT count(*) FROM i WHERE i.id = o.id) AS c FROM o WHERE id < 3",
            &["1|0", "2|1"],
        ),
    ] {
        right(&fixture, sql, rows).await;
    }
}
