use super::{fixture, refused, right};

#[tokio::test]
async fn standard_forms_are_understood() {
    let fixture = fixture().await;
    for (sql, rows) in [
        ("SELECT id FROM o ORDER BY id FETCH FIRST 2 ROWS ONLY", &["1", "2"][..]),
        ("SELECT id FROM o ORDER BY id OFFSET 1 ROW FETCH NEXT ROW ONLY", &["2"]),
        ("SELECT 'a_c' LIKE 'a!_c' ESCAPE '!', 'abc' LIKE 'a!_c' ESCAPE '!'", &["true|false"]),
        ("SELECT 'a\\c' LIKE 'a\\c' ESCAPE '!', 'A%' ILIKE 'a#%' ESCAPE '#'", &["true|true"]),
        ("SELECT mod(7, 3), mod(-7, 3) FROM o WHERE id = 1", &["1|-1"]),
        (
            "SELECT 'abc' SIMILAR TO 'a%', 'abc' SIMILAR TO 'a', 'abc' SIMILAR TO '(a|b)_c'",
            &["true|false|true"],
        ),
        ("SELECT id, id, z, o.z FROM o WHERE id = 1", &["1|1|10|10"]),
        ("SELECT *, id FROM o WHERE id = 1", &["1|10|1"]),
        (
            "SELECT CAST('abc' AS varchar(2)), CAST(12345 AS varchar(3)) FROM o WHERE id = 1",
            &["ab|123"],
        ),
        ("SELECT id FROM o INTERSECT ALL SELECT id FROM i", &["2", "∅"]),
        ("SELECT id FROM o EXCEPT ALL SELECT id FROM i", &["1", "3", "4"]),
    ] {
        right(&fixture, sql, rows).await;
    }
    refused(&fixture, "SELECT 2 ^ 3", "power(a, b)").await;
    refused(&fixture, "SELECT to_char(now(), 'YYYY-MM-DD')", "%Y-%m-%d").await;
}

#[tokio::test]
async fn using_takes_the_side_that_has_the_row() {
    let fixture = fixture().await;
    let full = ["1|10|∅", "2|20|5", "3|30|∅", "4|40|∅", "5|∅|1", "∅|50|∅", "∅|∅|50"];
    right(&fixture, "SELECT id, o.z, i.z FROM o FULL JOIN i USING (id)", &full).await;
    right(&fixture, "SELECT * FROM o FULL JOIN i USING (id)", &full).await;
    let right_join = ["2|20|5", "5|∅|1", "∅|∅|50"];
    right(&fixture, "SELECT * FROM o RIGHT JOIN i USING (id)", &right_join).await;
    right(
        &fixture,
        "SELECT id, count(*) FROM o RIGHT JOIN i USING (id) WHERE id > 2 GROUP BY id",
        &["5|1"],
    )
    .await;
    right(
        &fixture,
        "SELECT id FROM o FULL JOIN i USING (id) ORDER BY id DESC NULLS LAST LIMIT 2",
        &["5", "4"],
    )
    .await;
}

#[tokio::test]
async fn a_shared_column_is_named_in_conditions() {
    let fixture = fixture().await;
    for (sql, rows) in [
        ("SELECT o.z FROM o JOIN i USING (id) WHERE id = 2", &["20"][..]),
        ("SELECT o.z, i.z FROM o LEFT JOIN i USING (id) WHERE id + 1 = 4", &["30|∅"]),
        (
            "SELECT o.z FROM o JOIN i USING (id) JOIN n USING (id) WHERE id IN (SELECT id FROM n)",
            &["20"],
        ),
    ] {
        right(&fixture, sql, rows).await;
    }
}

#[tokio::test]
async fn lists_are_joined_to_their_rows() {
    let fixture = fixture().await;
    fixture.put("tables/l/1.json", "{\"k\":1,\"items\":[1,2]}\n{\"k\":2,\"items\":[]}\n").await;
    fixture.put("tables/l/2.json", "{\"k\":3,\"items\":[5]}\n{\"k\":4}\n").await;
    // what is written in the table's place is not read again
    let quotes = "SELECT u.item FROM (SELECT items, 'it''''s\\''' AS s FROM l) t \
                  CROSS JOIN UNNEST(t.items) AS u(item) WHERE t.s = 'it''''s\\''' AND u.item = 5";
    right(&fixture, quotes, &["5"]).await;
    let rows = ["1|1", "1|2", "3|5"];
    right(&fixture, "SELECT t.k, u.item FROM l t CROSS JOIN UNNEST(t.items) AS u(item)", &rows)
        .await;
    right(
        &fixture,
        "SELECT k, item FROM l, UNNEST(l.items) AS u(item) WHERE u.item > 1",
        &["1|2", "3|5"],
    )
    .await;
    right(&fixture, "SELECT sum(u) FROM l CROSS JOIN UNNEST(l.items) AS u", &["8"]).await;
    let kept = ["1|1", "1|2", "2|∅", "3|5", "4|∅"];
    right(&fixture, "SELECT k, item FROM l LEFT JOIN UNNEST(l.items) AS u(item) ON true", &kept)
        .await;
    let any = "SELECT k FROM l WHERE 5 = ANY (l.items)";
    right(&fixture, any, &["3"]).await;
}

#[tokio::test]
async fn a_table_is_described() {
    let fixture = fixture().await;
    right(&fixture, "DESCRIBE x", &["g|varchar", "x|double"]).await;
}

#[tokio::test]
async fn null_inside_of_rows_and_lists_is_unknown() {
    let fixture = fixture().await;
    for (sql, rows) in [
        (
            "SELECT (1, NULL) = (1, NULL), (1, NULL) = (2, NULL), (1, 2) < (1, NULL)",
            &["∅|false|∅"][..],
        ),
        ("SELECT id FROM o WHERE (id, z) > (2, 20)", &["3", "4"]),
        ("SELECT id FROM o WHERE (id, z) IN ((1, 10), (2, 21), (3, 30))", &["1", "3"]),
        ("SELECT id FROM o WHERE (id, z) NOT IN ((1, 10), (NULL, 20))", &["3", "4", "∅"]),
        ("SELECT id, 1 = ANY (ARRAY[id, NULL]) FROM o WHERE id < 3", &["1|true", "2|∅"]),
        ("SELECT id, 2 > ANY (ARRAY[id, NULL]) FROM o WHERE id < 3", &["1|true", "2|∅"]),
        ("SELECT id FROM o WHERE NOT id = ANY (ARRAY[1, NULL])", &[]),
        (
            "SELECT DISTINCT ON (d, d) d, id FROM n WHERE d < 20 ORDER BY d, d, id",
            &["0|1", "7|6", "10|2"],
        ),
        (
            "SELECT id, max(z) AS z FROM o WHERE id < 3 GROUP BY id ORDER BY max(z) DESC",
            &["2|20", "1|10"],
        ),
        ("SELECT id FROM o WHERE NOT id IS DISTINCT FROM 2 OR id = 4", &["2", "4"]),
        ("SELECT id FROM o WHERE z = 0 AND id IS NOT DISTINCT FROM 2 OR id = 4", &["4"]),
    ] {
        right(&fixture, sql, rows).await;
    }
    refused(&fixture, "SELECT coalesce(id, 0) AS id FROM o ORDER BY id IS NULL", "another name")
        .await;
    refused(&fixture, "SELECT count(i.*) FROM o LEFT JOIN i ON o.id = i.id", "count(i.*)").await;
    refused(&fixture, "SELECT 6 | 1 & 3", "parentheses").await;
    refused(&fixture, "WITH r AS (SELECT random() AS v) SELECT a.v = b.v FROM r a, r b", "draws")
        .await;
}
