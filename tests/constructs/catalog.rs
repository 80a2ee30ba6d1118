//! What tables there are, as tables.

use super::fixture;

async fn rows(sql: &str, partitions: Option<u32>) -> Vec<String> {
    fixture().await.run(sql, partitions).await.expect(sql)
}

#[tokio::test]
async fn tables_and_columns_are_rows() {
    let shown = rows("SHOW TABLES", None).await;
    assert!(shown.contains(&"dims".to_owned()) && shown.contains(&"facts".to_owned()), "{shown:?}");
    let listed = "SELECT table_name FROM information_schema.tables ORDER BY table_name";
    assert_eq!(rows(listed, None).await, shown);
    assert_eq!(rows(listed, Some(3)).await, shown);
    let columns = "SELECT column_name, data_type FROM Information_Schema.columns c \
                   WHERE table_schema = 'public' AND c.table_name = 'facts' ORDER BY ordinal_position";
    assert_eq!(rows(columns, None).await, rows("DESCRIBE facts", None).await);
    let joined = "SELECT count(*) FROM information_schema.tables t JOIN information_schema.columns c \
                  ON t.table_name = c.table_name JOIN dims d ON d.id IS NOT NULL OR true WHERE t.table_name = 'dims'";
    let of_dims = rows("DESCRIBE dims", None).await.len();
    let dims: usize = rows("SELECT count(*) FROM dims", None).await[0].parse().expect("a number");
    assert_eq!(rows(joined, None).await, [(of_dims * dims).to_string()]);
}

#[tokio::test]
async fn what_the_catalog_has_not_is_said() {
    for (sql, word) in [
        ("SELECT * FROM information_schema.views", "information_schema.tables"),
        ("SHOW TABLES LIKE 'f%'", "information_schema.tables"),
        ("SHOW FULL TABLES", "SHOW TABLES"),
        ("SHOW COLUMNS FROM facts", "DESCRIBE"),
    ] {
        let why = fixture().await.run(sql, None).await.expect_err(sql);
        assert!(why.contains(word), "{sql}: {why}");
    }
    let text = "SELECT 'information_schema.tables' AS t";
    assert_eq!(rows(text, None).await, ["information_schema.tables"]);
}

#[tokio::test]
async fn a_statement_is_as_it_was_but_for_the_names_of_the_catalog() {
    let of_dims = "FROM \"information_schema\".columns -- é\n WHERE table_name = 'dims'";
    let count = rows(&format!("SELECT count(*) {of_dims}"), None).await;
    let minus = format!("SELECT 'é', - -count(*)::bigint AS c, {of_dims}")
        .replace("AS c, FROM", "AS c FROM");
    assert_eq!(rows(&minus, None).await, [format!("é|{}", count[0])]);
    let twice = "WITH t AS (SELECT * FROM information_schema.tables) SELECT count(*) FROM t, information_schema.tables AS u \
                 WHERE t.table_name = u.table_name AND u.table_name IN ('dims', 'facts')";
    assert_eq!(rows(twice, None).await, ["2"]);
    assert_eq!(rows("-- first\nSHOW TABLES", None).await, rows("SHOW TABLES", None).await);
    let explained = rows("EXPLAIN SELECT * FROM information_schema.tables", None).await;
    assert!(!explained.is_empty());
}
