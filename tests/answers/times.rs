use super::{fixture, refused, right};

#[tokio::test]
async fn a_year_is_found_whatever_the_unit_reaches() {
    let fixture = fixture().await;
    let ts = "SELECT to_timestamp_nanos(z * 20000000000000000) AS ts, z FROM o";
    right(
        &fixture,
        &format!("SELECT count(*) FROM ({ts}) q WHERE EXTRACT(YEAR FROM ts) < 9999"),
        &["5"],
    )
    .await;
    right(&fixture, &format!("SELECT z FROM ({ts}) q WHERE date_part('year', ts) = 1976"), &["10"])
        .await;
    right(&fixture, &format!("SELECT count(*) FROM ({ts}) q WHERE ts < '9999-12-31'"), &["5"])
        .await;
    right(
        &fixture,
        &format!("SELECT count(*) FROM ({ts}) q WHERE ts BETWEEN '0001-01-01' AND '9999-12-31'"),
        &["5"],
    )
    .await;
    right(&fixture, &format!("SELECT count(*) FROM ({ts}) q WHERE ts < DATE '9999-12-31'"), &["5"])
        .await;
    right(
        &fixture,
        &format!("SELECT count(*) FROM ({ts}) q WHERE ts < TIMESTAMP '9999-12-31 00:00:00'"),
        &["5"],
    )
    .await;
}

#[tokio::test]
async fn a_zone_is_taken_off_with_its_clock() {
    let fixture = fixture().await;
    let ny = "TIMESTAMPTZ '2024-01-02 03:04:05Z' AT TIME ZONE 'America/New_York'";
    right(&fixture, &format!("SELECT CAST({ny} AS TIMESTAMP)::text"), &["2024-01-01 22:04:05"])
        .await;
    right(
        &fixture,
        &format!("SELECT ({ny})::text, CAST({ny} AS DATE)"),
        &["2024-01-01 22:04:05|2024-01-01"],
    )
    .await;
    right(&fixture, &format!("SELECT date_trunc('day', {ny})::text"), &["2024-01-01 00:00:00"])
        .await;
    let twice = "TIMESTAMP '2024-07-01 12:00:00' AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'";
    right(&fixture, &format!("SELECT ({twice})::text"), &["2024-07-01 14:00:00"]).await;
    let on = "TIMESTAMP '2024-07-01 12:00:00' AT TIME ZONE 'Europe/Berlin'";
    right(&fixture, &format!("SELECT ({on})::text"), &["2024-07-01 10:00:00+00"]).await;
}

#[tokio::test]
async fn hours_and_fractions_are_kept() {
    let fixture = fixture().await;
    for (sql, row) in [
        ("(DATE '2024-02-29' + INTERVAL '90 minutes')::text", "2024-02-29 01:30:00"),
        ("(DATE '2024-01-01' - INTERVAL '36 hours')::text", "2023-12-30 12:00:00"),
        ("DATE '2024-01-31' + INTERVAL '1 month'", "2024-02-29"),
        ("(DATE '2024-01-01' + 3 * INTERVAL '1 day')", "2024-01-04"),
        (
            "(TIMESTAMP '2024-01-01 00:00:00' + INTERVAL '1 hour' * 1.5)::text",
            "2024-01-01 01:30:00",
        ),
        ("EXTRACT(SECOND FROM TIMESTAMP '2024-01-01 00:00:59.75')::decimal(8, 2)", "59.75"),
        ("EXTRACT(MILLISECOND FROM TIMESTAMP '2024-01-01 00:00:59.75')::decimal(8, 1)", "59750.0"),
        ("TIMESTAMP '2024-01-02 03:04:05.5'::text", "2024-01-02 03:04:05.5"),
        ("'at ' || TIMESTAMP '2024-01-02 03:04:05'", "at 2024-01-02 03:04:05"),
        (
            "EXTRACT(EPOCH FROM TIMESTAMP '2024-01-02 00:00:01.5' - TIMESTAMP '2024-01-01 00:00:00')",
            "86401.5",
        ),
        (
            "TIMESTAMP '2024-01-02 03:04:05' - TIMESTAMP '2024-01-01 00:00:00' > INTERVAL '27 hours'",
            "true",
        ),
        ("TIMESTAMP '2024-01-02 03:04:05+02:00'::text", "2024-01-02 03:04:05"),
    ] {
        right(&fixture, &format!("SELECT {sql} FROM o WHERE id = 1"), &[row]).await;
    }
    let days = "SELECT DATE '2024-01-01' + id * INTERVAL '1 day' FROM o WHERE id < 3";
    right(&fixture, &format!("SELECT min(x)::text FROM ({days}) q(x)"), &["2024-01-02 00:00:00"])
        .await;
}

#[tokio::test]
async fn differences_of_times_are_days_and_hours() {
    let fixture = fixture().await;
    let files = [
        "id,ts\n1,2024-01-01 00:00:00\n2,2024-01-01 18:00:00\n",
        "id,ts\n3,2024-01-03 06:00:00.5\n4,2024-03-01 00:00:00\n",
    ];
    for (number, text) in files.into_iter().enumerate() {
        fixture.put(&format!("tables/t/{number}.csv"), text).await;
    }
    let since = "ts - TIMESTAMP '2024-01-01 00:00:00'";
    for (sql, rows) in [
        (
            format!("SELECT ({since})::text FROM t"),
            &["00:00:00", "18:00:00", "2 days 06:00:00.5", "60 days"][..],
        ),
        (format!("SELECT id FROM t WHERE {since} > INTERVAL '1 day'"), &["3", "4"]),
        (format!("SELECT id FROM t WHERE {since} > '1 day'"), &["3", "4"]),
        (format!("SELECT id FROM t WHERE {since} < INTERVAL '1 month'"), &["1", "2", "3"]),
        (format!("SELECT id FROM t WHERE {since} >= INTERVAL '2 months'"), &["4"]),
        (
            format!("SELECT id FROM t WHERE {since} BETWEEN INTERVAL '18 hours' AND INTERVAL '60 days'"),
            &["2", "3", "4"],
        ),
        (format!("SELECT EXTRACT(DAY FROM max({since})) FROM t"), &["60"]),
        (format!("SELECT avg({since})::text FROM t WHERE id < 3"), &["09:00:00"]),
        (format!("SELECT id % 2, avg({since})::text FROM t GROUP BY 1"), &["0|30 days 09:00:00", "1|1 day 03:00:00.25"]),
        (format!("SELECT sum({since})::text FROM t WHERE id < 4"), &["2 days 24:00:00.5"]),
        (format!("SELECT id FROM t ORDER BY {since} DESC LIMIT 2"), &["4", "3"]),
        ("SELECT (ts - lag(ts) OVER (ORDER BY ts))::text FROM t ORDER BY id".to_owned(), &["∅", "18:00:00", "1 day 12:00:00.5", "57 days 17:59:59.5"]),
        ("SELECT DATE '2024-03-01' - DATE '2024-02-01' > 28".to_owned(), &["true"]),
        ("SELECT INTERVAL '1 month' = INTERVAL '30 days', INTERVAL '24 hours' = INTERVAL '1 day'".to_owned(), &["true|true"]),
        (format!("SELECT extract(second FROM max({since})) FROM t WHERE id < 4"), &["0.500000000"]),
        (format!("SELECT DISTINCT {since} > INTERVAL '1 day' FROM t"), &["false", "true"]),
        ("SELECT CAST(TIMESTAMP '2024-01-01 00:00:59.5' AS TIMESTAMP(0))::text".to_owned(), &["2024-01-01 00:01:00"]),
        ("SELECT CAST('2024-01-02 03:04:05+02' AS TIMESTAMP)::text".to_owned(), &["2024-01-02 03:04:05"]),
        ("SELECT id FROM t WHERE CAST(ts AS TIME) > TIME '12:00'".to_owned(), &["2"]),
    ] {
        right(&fixture, &sql, rows).await;
    }
    let months = "SELECT max(v) FROM (VALUES (INTERVAL '1 month'), (INTERVAL '40 days')) q(v)";
    refused(&fixture, months, "months").await;
}
