//! What DataFusion parses and then does not heed is refused.

use super::fixture;

#[tokio::test]
async fn a_word_that_would_not_be_heeded_is_refused_by_name() {
    let fixture = fixture().await;
    for (sql, word) in [
        ("SELECT count(*) FROM facts TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE"),
        ("SELECT count(*) FROM (SELECT 1 FROM facts) TABLESAMPLE SYSTEM (10)", "TABLESAMPLE"),
        (
            "SELECT count(*) FROM facts WHERE g IN (SELECT g FROM facts TABLESAMPLE SYSTEM (1))",
            "TABLESAMPLE",
        ),
        ("SELECT count(*) FROM facts WITH (NOLOCK)", "WITH"),
        ("SELECT count(*) FROM facts PARTITION (p0)", "PARTITION"),
        ("SELECT * FROM generate_series(1, 2) WITH ORDINALITY", "ORDINALITY"),
        ("SELECT g FROM facts FOR UPDATE", "FOR UPDATE"),
        ("SELECT g FROM facts FOR JSON AUTO", "FOR JSON"),
        ("SELECT g FROM facts SETTINGS max_threads = 1", "SETTINGS"),
        ("SELECT g FROM facts FORMAT CSV", "FORMAT"),
        ("SELECT count(*) FROM facts PREWHERE g > 5", "PREWHERE"),
        ("SELECT g FROM facts CONNECT BY g = g", "CONNECT BY"),
        ("SELECT * ILIKE 'g%' FROM facts", "ILIKE"),
        ("SELECT count(*) FROM information_schema.tables TABLESAMPLE SYSTEM (10)", "TABLESAMPLE"),
        ("SELECT g, count(*) FROM facts GROUP BY g WITH ROLLUP", "ROLLUP"),
        ("SELECT g, count(*) FROM facts GROUP BY g WITH TOTALS", "TOTALS"),
    ] {
        let why = fixture.run(sql, None).await.expect_err(sql);
        assert!(why.contains(word) && why.contains("not supported"), "{sql}: {why}");
    }
}
