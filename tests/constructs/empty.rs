use super::fixture;

const EMPTY: &[(&str, &str)] = &[
    ("all", "SELECT * FROM none"),
    ("count", "SELECT count(*) FROM none"),
    ("group", "SELECT g, sum(id) FROM none GROUP BY g"),
    ("order", "SELECT id FROM none ORDER BY id LIMIT 3"),
    ("window", "SELECT id, sum(k) OVER (PARTITION BY g) FROM none"),
    ("union", "SELECT id FROM none UNION ALL SELECT id FROM none"),
    ("distinct", "SELECT DISTINCT g FROM none"),
    ("join of nothing", "SELECT * FROM none a JOIN none b ON a.k = b.k"),
    ("full join of nothing", "SELECT * FROM none a FULL JOIN none b ON a.k = b.k"),
    ("filtered to none", "SELECT k, count(*) FROM facts WHERE id < 0 GROUP BY k"),
    (
        "filtered to none and joined",
        "SELECT d.id, f.id FROM dims d LEFT JOIN facts f ON d.id = f.k AND f.id < 0",
    ),
    (
        "joined with a side filtered to none",
        "SELECT count(*), count(b.id) FROM wide a FULL JOIN (SELECT * FROM big WHERE id < 0) b ON a.k = b.k",
    ),
    ("filtered to none and ordered", "SELECT id FROM big WHERE id < 0 ORDER BY pad"),
    (
        "filtered to none and numbered",
        "SELECT id, rank() OVER (PARTITION BY k ORDER BY id) FROM big WHERE id < 0",
    ),
    ("files without rows", "SELECT k, count(*) FROM hollow GROUP BY k"),
    ("files without rows in a join", "SELECT h.id, f.id FROM hollow h JOIN facts f ON h.id = f.id"),
    ("files without rows, ordered", "SELECT id FROM hollow ORDER BY id DESC"),
    ("more partitions than rows", "SELECT k, sum(id) FROM few GROUP BY k ORDER BY k"),
    ("all rows in one partition", "SELECT k, count(*), max(id) FROM facts WHERE k = 7 GROUP BY k"),
    ("all keys null", "SELECT k, count(*) FROM facts WHERE k IS NULL GROUP BY k"),
    (
        "join of null keys",
        "SELECT a.id, b.id FROM (SELECT * FROM facts WHERE k IS NULL) a FULL JOIN (SELECT * FROM few WHERE k IS NULL) b ON a.k = b.k",
    ),
    ("no table", "SELECT 1 + 1, 'a', NULL, current_date = current_date"),
    ("no columns are needed", "SELECT count(*) FROM facts WHERE true"),
    ("only constants of a table", "SELECT 1, 'x' FROM dims"),
    ("a false join", "SELECT count(*) FROM big a JOIN wide b ON a.k = b.k WHERE 1 = 0"),
    ("sum of nulls", "SELECT sum(k), avg(k), min(k), count(k) FROM facts WHERE k IS NULL"),
];

#[tokio::test]
async fn empty_tables_files_and_partitions() {
    fixture().await.assert_same(EMPTY).await;
}
