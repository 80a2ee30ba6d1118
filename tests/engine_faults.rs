//! What DataFusion answers wrongly by itself. A test that fails here says that the engine has been mended,
//! and which file of `shared/compute/src/corrections` may go.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::prelude::{ParquetReadOptions, SessionContext};

/// What a plain session says, row by row, or its error.
async fn plain(sql: &str) -> Vec<String> {
    let session = SessionContext::new();
    let tables: [(&str, Vec<(&str, ArrayRef)>); 4] = [
        (
            "o",
            vec![
                ("id", ints([Some(1), Some(2), Some(3), Some(4), None])),
                ("z", ints([Some(10), Some(20), Some(30), Some(40), Some(50)])),
            ],
        ),
        (
            "i",
            vec![("id", ints([Some(2), None, Some(5)])), ("z", ints([Some(5), Some(50), Some(1)]))],
        ),
        (
            "x",
            vec![
                ("n", ints([1, 2, 3, 4, 5, 6].map(Some))),
                ("g", ints([Some(1), Some(1), Some(1), Some(2), Some(3), Some(3)])),
                (
                    "x",
                    Arc::new(Float64Array::from(vec![5.5, f64::NAN, 2.5, f64::INFINITY, 0.0, -0.0]))
                        as ArrayRef,
                ),
            ],
        ),
        (
            "v",
            vec![
                ("n", ints([1, 2, 3, 4, 5, 6, 7].map(Some))),
                ("v", ints([Some(10), Some(20), Some(30), Some(40), None, None, Some(70)])),
            ],
        ),
    ];
    for (name, columns) in tables {
        let batch = RecordBatch::try_from_iter(columns).expect("a batch");
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).expect("a table");
        session.register_table(name, Arc::new(table)).expect("registered");
    }
    rows(&session, sql).await
}

async fn rows(session: &SessionContext, sql: &str) -> Vec<String> {
    let frame = match session.sql(sql).await {
        Ok(frame) => frame,
        Err(e) => return vec![e.to_string()],
    };
    let batches = match frame.collect().await {
        Ok(batches) => batches,
        Err(e) => return vec![e.to_string()],
    };
    let options = FormatOptions::default().with_null("∅");
    let line = |batch: &RecordBatch, row| {
        let value = |c: &ArrayRef| {
            ArrayFormatter::try_new(c, &options).expect("a formatter").value(row).to_string()
        };
        batch.columns().iter().map(value).collect::<Vec<_>>().join("|")
    };
    let mut rows: Vec<_> =
        batches.iter().flat_map(|b| (0..b.num_rows()).map(|r| line(b, r))).collect();
    rows.sort();
    rows
}

fn ints<const N: usize>(values: [Option<i64>; N]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// The engine does not give the right rows.
async fn still_wrong(file: &str, sql: &str, right: &[&str]) {
    let given = plain(sql).await;
    assert_ne!(given, right, "DataFusion is right about {sql}: corrections/{file} may go");
}

#[tokio::test]
async fn floats_are_compared_by_their_bits() {
    let nan = "SELECT count(*) FROM (SELECT x FROM x WHERE isnan(x) \
               UNION SELECT -x FROM x WHERE isnan(x)) q";
    still_wrong("compare_floats.rs", nan, &["1"]).await;
    still_wrong(
        "float_extremes.rs",
        "SELECT g, min(x), max(x) FROM x WHERE g < 3 GROUP BY g",
        &["1|2.5|NaN", "2|inf|inf"],
    )
    .await;
}

#[tokio::test]
async fn numbers_wrap_and_are_cut() {
    let big = "9223372036854775807";
    let sum = format!("SELECT sum(b) FROM (VALUES ({big}), (1)) q(b)");
    assert_eq!(plain(&sum).await, ["-9223372036854775808"], "corrections/exact may go");
    let plus = format!("SELECT b + id FROM o, (VALUES ({big})) q(b) WHERE id = 1");
    assert_eq!(plain(&plus).await, ["-9223372036854775808"], "corrections/checked may go");
    let avg = "SELECT avg(m) FROM (VALUES (0.01::decimal(9, 2)), (0.01), (0.03)) q(m)";
    still_wrong("exact", avg, &["0.016667"]).await;
    let sliding = "SELECT count(*) FROM (SELECT sum(x) OVER \
                   (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM x) q WHERE isnan(s)";
    still_wrong("exact/floats.rs", sliding, &["2"]).await;
    still_wrong("casts.rs", "SELECT CAST(z / 4.0::double AS INT) FROM o WHERE id = 3", &["8"])
        .await;
    let cast = "SELECT m FROM (VALUES (1.25::decimal(9, 2))) q(m) WHERE CAST(m AS INT) = 1";
    still_wrong("rounded_decimal.rs", cast, &["1.25"]).await;
    let cast = "SELECT CAST(z / 10.0::double + 0.005 AS DECIMAL(5, 2)) FROM o WHERE id = 1";
    still_wrong("decimal_of_float.rs", cast, &["1.01"]).await;
    let cast = "SELECT CAST(m AS DOUBLE) FROM (VALUES ('90.89999999999999'::decimal(20, 14))) q(m)";
    still_wrong("float_of_decimal.rs", cast, &["90.89999999999999"]).await;
}

#[tokio::test]
async fn subqueries_forget_nulls_and_empty_groups() {
    let not_in = "SELECT id FROM o WHERE id NOT IN (SELECT i.id FROM i WHERE i.z < o.z)";
    still_wrong("subqueries", not_in, &["1", "3", "4"]).await;
    let exists = "SELECT id FROM o WHERE EXISTS (SELECT count(*) FROM i WHERE i.id = o.id)";
    still_wrong("subqueries", exists, &["1", "2", "3", "4", "∅"]).await;
    let all = "SELECT * FROM (VALUES (1), (1), (2)) a INTERSECT ALL SELECT * FROM (VALUES (1)) b";
    still_wrong("set_operation.rs", all, &["1"]).await;
}

#[tokio::test]
async fn windows_and_pages_lose_rows() {
    let lead = "SELECT n, lead(v, 2) IGNORE NULLS OVER (ORDER BY n) FROM v";
    let right = ["1|30", "2|40", "3|70", "4|∅", "5|∅", "6|∅", "7|∅"];
    still_wrong("lead_lag.rs", lead, &right).await;
    let page = "SELECT * FROM (SELECT n FROM v ORDER BY n LIMIT 4 OFFSET 3) x ORDER BY n";
    still_wrong("split_pages.rs", page, &["4", "5", "6", "7"]).await;
    let guard = "SELECT id FROM o WHERE id <> 4 AND 1 / (id - 4) < 5";
    still_wrong("guards.rs", guard, &["1", "2", "3"]).await;
}

#[tokio::test]
async fn times_are_cut_and_out_of_reach() {
    let file = write_times().await;
    let session = SessionContext::new();
    let path = file.path().to_str().expect("a plain name");
    session.register_parquet("t", path, ParquetReadOptions::default()).await.expect("a table");
    let found = rows(&session, "SELECT count(*) FROM t WHERE EXTRACT(YEAR FROM ts) < 9999").await;
    assert_ne!(found, ["1"], "corrections/date_part.rs may go");
    let far = rows(&session, "SELECT count(*) FROM t WHERE ts < '9999-12-31'").await;
    assert_ne!(far, ["1"], "corrections/far_times.rs may go");
    let second = "SELECT EXTRACT(SECOND FROM TIMESTAMP '2024-01-01 00:00:59.75')";
    still_wrong("date_part.rs", second, &["59.750000"]).await;
    let hours = "SELECT DATE '2024-02-29' + INTERVAL '90 minutes'";
    still_wrong("date_arithmetic.rs", hours, &["2024-02-29T01:30:00"]).await;
    let zone = "SELECT CAST(TIMESTAMPTZ '2024-01-02 03:04:05Z' AT TIME ZONE 'America/New_York' AS TIMESTAMP)";
    still_wrong("casts.rs", zone, &["2024-01-01T22:04:05"]).await;
    still_wrong(
        "text_of_times.rs",
        "SELECT TIMESTAMP '2024-01-02 03:04:05'::text",
        &["2024-01-02 03:04:05"],
    )
    .await;
    still_wrong("multiply_interval.rs", "SELECT 2 * INTERVAL '1 day'", &["2 days"]).await;
}

#[tokio::test]
async fn intervals_and_differences_are_of_other_kinds() {
    let equal = "SELECT INTERVAL '1 month' = INTERVAL '30 days'";
    still_wrong("compare_canonical.rs", equal, &["true"]).await;
    let days = "SELECT TIMESTAMP '2024-01-03 00:00:00' - TIMESTAMP '2024-01-01 00:00:00'";
    still_wrong("difference_of_times.rs", days, &["2 days"]).await;
    let average = "SELECT avg(v) FROM (VALUES (INTERVAL '1 day'), (INTERVAL '3 days')) q(v)";
    still_wrong("average_interval.rs", average, &["2 days"]).await;
    let text = "SELECT (INTERVAL '1 day')::text";
    still_wrong("text_of_intervals.rs", text, &["1 day"]).await;
    let nearest = "SELECT CAST(TIMESTAMP '2024-01-01 00:00:00.6' AS TIMESTAMP(0))";
    still_wrong("nearest_time.rs", nearest, &["2024-01-01T00:00:01"]).await;
    let zone = "SELECT CAST('2024-01-02 03:04:05+02' AS TIMESTAMP)";
    still_wrong("without_zone.rs", zone, &["2024-01-02T03:04:05"]).await;
}

#[tokio::test]
async fn types_are_coerced_to_what_does_not_hold_the_values() {
    let product = "SELECT m * 1.055 FROM (VALUES (1.25::decimal(9, 2))) q(m)";
    still_wrong("decimals_and_floats.rs", product, &["1.31875"]).await;
    let seconds = "SELECT id, to_timestamp_seconds(1704067200 + id * 0) AS ts FROM o WHERE id = 1";
    let finer =
        format!("SELECT id FROM ({seconds}) q WHERE ts < TIMESTAMP '2024-01-01 00:00:00.5'");
    still_wrong("fine_times.rs", &finer, &["1"]).await;
    let far =
        "SELECT id, to_timestamp_micros(253402300799000000 + id * 0) AS ts FROM o WHERE id = 1";
    let text = format!("SELECT id FROM ({far}) q WHERE ts > '9990-01-01'");
    still_wrong("times_and_texts.rs", &text, &["1"]).await;
}

#[tokio::test]
async fn plans_are_moved_to_where_they_mean_something_else() {
    let list = "SELECT id FROM o WHERE 1 IN (CASE WHEN id = 1 THEN 1 ELSE z END, 7)";
    still_wrong("in_list.rs", list, &["1"]).await;
    let namesakes = "SELECT b.n, a.n AS m FROM x a RIGHT JOIN x b ON a.g = b.g \
                     WHERE b.n = 1 OR (b.n <> 9 AND b.n <> a.n)";
    let right = ["1|1", "1|2", "1|3", "2|1", "2|3", "3|1", "3|2", "5|6", "6|5"];
    still_wrong("keep_filters.rs", namesakes, &right).await;
    let both = "SELECT o.id, q.w FROM o JOIN i ON o.id IS NOT DISTINCT FROM i.id \
                CROSS JOIN (VALUES (1)) q(w)";
    still_wrong("null_equality.rs", both, &["2|1", "∅|1"]).await;
    let all = "SELECT z FROM o WHERE z > ALL (SELECT z FROM o WHERE id = 2)";
    still_wrong("subqueries/membership.rs", all, &["30", "40", "50"]).await;
    let absent = "SELECT (SELECT 1 FROM o WHERE id = 99) IS NULL";
    still_wrong("subqueries/possibly_null.rs", absent, &["true"]).await;
    let order = "SELECT coalesce(id, 0) AS id FROM o ORDER BY id IS NULL DESC LIMIT 1";
    still_wrong("order_names.rs", order, &["0"]).await;
    let quarter = "SELECT ceil(extract(month FROM DATE '2024-08-31') / 3)";
    still_wrong("quotients.rs", quarter, &["3"]).await;
    let total = "SELECT id FROM (SELECT id, bool_or(true) AS c FROM o GROUP BY ROLLUP (id)) q \
                 WHERE NOT c = c";
    still_wrong("keep_totals.rs", total, &[]).await;
    let constant = "SELECT a.id, row_number() OVER (ORDER BY b.id NULLS LAST, a.id) AS r FROM o a \
                    LEFT JOIN (SELECT id FROM o WHERE id = 2) b ON b.id = a.id";
    let right = ["1|2", "2|1", "3|3", "4|4", "∅|5"];
    still_wrong("no_constants.rs", constant, &right).await;
}

#[tokio::test]
async fn statistics_are_rounded_on_the_way() {
    let percentile = "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY v) FROM v";
    still_wrong("percentile.rs", percentile, &["63.99999999999999"]).await;
    let sliding = "SELECT count(*) FROM (SELECT var_pop(x) OVER \
                   (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s \
                   FROM (VALUES (1, 70.1::double), (2, 5.0), (3, 5.0)) q(n, x)) q WHERE s = 0";
    still_wrong("refilled.rs", sliding, &["2"]).await;
}

/// A Parquet file with a time of nanoseconds.
async fn write_times() -> tempfile::NamedTempFile {
    let session = SessionContext::new();
    let sql = "SELECT arrow_cast('1995-01-01T00:00:00', 'Timestamp(Nanosecond, None)') AS ts";
    let batches = session.sql(sql).await.expect("planned").collect().await.expect("rows");
    let bytes =
        crate::support::tables::parquet(&batches[0].schema(), batches, 10).expect("Parquet");
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    file
}
