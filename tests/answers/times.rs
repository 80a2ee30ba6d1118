use super::{lab, right};

#[tokio::test]
async fn a_year_is_found_whatever_the_unit_reaches() {
    let lab = lab().await;
    let ts = "SELECT to_timestamp_nanos(z * 20000000000000000) AS ts, z FROM o";
    right(
        &lab,
        &format!("SELECT count(*) FROM ({ts}) q WHERE EXTRACT(YEAR FROM ts) < 9999"),
        &["5"],
    )
    .await;
    right(&lab, &format!("SELECT z FROM ({ts}) q WHERE date_part('year', ts) = 1976"), &["10"])
        .await;
    right(&lab, &format!("SELECT count(*) FROM ({ts}) q WHERE ts < '9999-12-31'"), &["5"]).await;
    right(
        &lab,
        &format!("SELECT count(*) FROM ({ts}) q WHERE ts BETWEEN '0001-01-01' AND '9999-12-31'"),
        &["5"],
    )
    .await;
    right(&lab, &format!("SELECT count(*) FROM ({ts}) q WHERE ts < DATE '9999-12-31'"), &["5"])
        .await;
    right(
        &lab,
        &format!("SELECT count(*) FROM ({ts}) q WHERE ts < TIMESTAMP '9999-12-31 00:00:00'"),
        &["5"],
    )
    .await;
}

#[tokio::test]
async fn a_zone_is_taken_off_with_its_clock() {
    let lab = lab().await;
    let ny = "TIMESTAMPTZ '2024-01-02 03:04:05Z' AT TIME ZONE 'America/New_York'";
    right(&lab, &format!("SELECT CAST({ny} AS TIMESTAMP)::text"), &["2024-01-01 22:04:05"]).await;
    right(
        &lab,
        &format!("SELECT ({ny})::text, CAST({ny} AS DATE)"),
        &["2024-01-01 22:04:05|2024-01-01"],
    )
    .await;
    right(&lab, &format!("SELECT date_trunc('day', {ny})::text"), &["2024-01-01 00:00:00"]).await;
    let twice = "TIMESTAMP '2024-07-01 12:00:00' AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'";
    right(&lab, &format!("SELECT ({twice})::text"), &["2024-07-01 14:00:00"]).await;
    let on = "TIMESTAMP '2024-07-01 12:00:00' AT TIME ZONE 'Europe/Berlin'";
    right(&lab, &format!("SELECT ({on})::text"), &["2024-07-01 10:00:00+00"]).await;
}

#[tokio::test]
async fn hours_and_fractions_are_kept() {
    let lab = lab().await;
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
        right(&lab, &format!("SELECT {sql} FROM o WHERE id = 1"), &[row]).await;
    }
    let days = "SELECT DATE '2024-01-01' + id * INTERVAL '1 day' FROM o WHERE id < 3";
    right(&lab, &format!("SELECT min(x)::text FROM ({days}) q(x)"), &["2024-01-02 00:00:00"]).await;
}
