//! Columns that the Parquet files of one table have with several types.

use serde_json::json;

use super::{file, lab_of, refusal, rows};

fn times(type_of: &str, values: &str) -> String {
    format!(
        "SELECT arrow_cast(arrow_cast(v, 'Int64'), '{type_of}') AS ts FROM (VALUES {values}) AS x(v)"
    )
}

#[tokio::test]
async fn times_of_several_units_meet_in_the_finest() {
    let millis = times("Timestamp(Millisecond, None)", "(1000), (2000)");
    let micros = times("Timestamp(Microsecond, None)", "(1000500), (3000000)");
    let nanos = times("Timestamp(Nanosecond, None)", "(1000500001)");
    let fixture = lab_of(&[&millis, &micros, &nanos]).await;
    let all = rows(&fixture, "SELECT ts FROM t ORDER BY ts").await;
    let seconds = |rest: &str| format!("1970-01-01T00:00:0{rest}");
    let wanted = ["1", "1.000500", "1.000500001", "2", "3"].map(seconds);
    assert_eq!(all, wanted);
    // statistics of a file are of its own unit
    for (filter, count) in [
        ("ts < TIMESTAMP '1970-01-01 00:00:01.0005'", 1),
        ("ts <= TIMESTAMP '1970-01-01 00:00:01.0005'", 2),
        ("ts < TIMESTAMP '1970-01-01 00:00:01.000500001'", 2),
        ("ts <= TIMESTAMP '1970-01-01 00:00:01.000500001'", 3),
        ("ts = TIMESTAMP '1970-01-01 00:00:01.000500001'", 1),
        ("ts > TIMESTAMP '1970-01-01 00:00:01.9999999'", 2),
        ("ts <> TIMESTAMP '1970-01-01 00:00:02'", 4),
    ] {
        let sql = format!("SELECT count(*) FROM t WHERE {filter}");
        assert_eq!(rows(&fixture, &sql).await, [count.to_string()], "{filter}");
    }
    let sql = "SELECT min(ts), max(ts), count(DISTINCT ts) FROM t";
    assert_eq!(rows(&fixture, sql).await, [format!("{}|{}|5", seconds("1"), seconds("3"))]);
    let sql = "SELECT count(*) FROM t a JOIN t b ON a.ts = b.ts";
    assert_eq!(rows(&fixture, sql).await, ["5"]);
}

/// DataFusion alone moves the cast to the literal, which loses its digits.
#[tokio::test]
async fn a_literal_of_a_finer_unit_than_its_column_keeps_its_digits() {
    let second = "TIMESTAMP '1970-01-01 00:00:01";
    for (unit, values, literal) in [
        ("Millisecond", "(999), (1000), (1001), (NULL)", format!("{second}.0005'")),
        ("Microsecond", "(999999), (1000000), (1000001), (NULL)", format!("{second}.0000005'")),
    ] {
        let fixture = lab_of(&[&times(&format!("Timestamp({unit}, None)"), values)]).await;
        for (filter, count) in [
            (format!("ts < {literal}"), 2),
            (format!("ts <= {literal}"), 2),
            (format!("ts > {literal}"), 1),
            (format!("{literal} <= ts"), 1),
            (format!("ts = {literal}"), 0),
            (format!("ts <> {literal}"), 3),
            (format!("NOT ts = {literal}"), 3),
            (format!("ts IS DISTINCT FROM {literal}"), 4),
            (format!("ts BETWEEN {second}' AND {literal}"), 1),
            (format!("ts NOT BETWEEN {literal} AND {second}.5'"), 2),
            (format!("ts IN ({literal}, {second}')"), 1),
            (format!("ts NOT IN ({literal})"), 3),
            (format!("(ts = {literal}) IS NULL"), 1),
        ] {
            let sql = format!("SELECT count(*) FROM t WHERE {filter}");
            assert_eq!(rows(&fixture, &sql).await, [count.to_string()], "{unit}: {filter}");
        }
    }
}

#[tokio::test]
async fn times_that_the_finest_unit_cannot_hold_are_said_before_anything_is_read() {
    let late = times("Timestamp(Microsecond, None)", "(253402214400000000)");
    let nanos = times("Timestamp(Nanosecond, None)", "(1)");
    let fixture = lab_of(&[&late, &nanos]).await;
    let why = refusal(&fixture, "SELECT ts FROM t").await;
    assert!(why.contains("tables/t/0.parquet") && why.contains("column ts"), "{why}");
    // what is declared then must hold all values, too
    let declared = json!({ "columns": [{ "name": "ts", "type": "timestamp(6)" }] });
    fixture.put("tables/t/_schema.json", declared.to_string()).await;
    let why = refusal(&fixture, "SELECT ts FROM t").await;
    assert!(why.contains("tables/t/1.parquet") && why.contains("would be cut"), "{why}");
    fixture
        .put("tables/t/1.parquet", file(&times("Timestamp(Nanosecond, None)", "(1000)")).await)
        .await;
    let wanted = ["1970-01-01T00:00:00.000001", "9999-12-31T00:00:00"];
    assert_eq!(rows(&fixture, "SELECT ts FROM t ORDER BY ts").await, wanted);
}

#[tokio::test]
async fn zones_are_views_of_the_same_instants_and_no_zone_is_something_else() {
    let utc = times("Timestamp(Microsecond, Some(\"UTC\"))", "(1000000)");
    let berlin = times("Timestamp(Millisecond, Some(\"Europe/Berlin\"))", "(1000)");
    let fixture = lab_of(&[&utc, &berlin]).await;
    assert_eq!(rows(&fixture, "SELECT count(*), count(DISTINCT ts) FROM t").await, ["2|1"]);
    let local = times("Timestamp(Microsecond, None)", "(1000000)");
    let fixture = lab_of(&[&utc, &local]).await;
    let why = refusal(&fixture, "SELECT ts FROM t").await;
    assert!(why.contains("0.parquet") && why.contains("1.parquet"), "{why}");
}

#[tokio::test]
async fn numbers_of_several_types_meet_in_one_that_holds_them() {
    let of = |type_of: &str, value: &str| format!("SELECT arrow_cast('{value}', '{type_of}') AS n");
    for (types, wanted) in [
        (
            &[("Decimal128(9, 2)", "1.25"), ("Decimal128(9, 4)", "1.2501"), ("Int64", "7")][..],
            &["1.2500", "1.2501", "7.0000"][..],
        ),
        (
            &[
                ("Decimal128(38, 0)", "12345678901234567890123456789012345678"),
                ("Decimal128(20, 10)", "0.5"),
            ],
            &["0.5000000000", "12345678901234567890123456789012345678.0000000000"],
        ),
        (&[("Int32", "-1"), ("Int64", "9223372036854775807")], &["-1", "9223372036854775807"]),
        (&[("UInt64", "18446744073709551615"), ("Int8", "-1")], &["-1", "18446744073709551615"]),
        (&[("UInt32", "4294967295"), ("Int32", "-1")], &["-1", "4294967295"]),
        (&[("Float32", "0.5"), ("Float64", "0.1")], &["0.1", "0.5"]),
        (&[("Float32", "0.5"), ("Int32", "2147483647")], &["0.5", "2147483647.0"]),
        (&[("Float64", "0.5"), ("Int64", "9007199254740992")], &["0.5", "9007199254740992.0"]),
    ] {
        let files: Vec<_> = types.iter().map(|(type_of, value)| of(type_of, value)).collect();
        for turned in [false, true] {
            let mut files: Vec<_> = files.iter().map(String::as_str).collect();
            if turned {
                files.reverse();
            }
            let fixture = lab_of(&files).await;
            assert_eq!(rows(&fixture, "SELECT n FROM t ORDER BY n").await, wanted, "{types:?}");
            // a longer literal is a double
            for one in wanted.iter().filter(|w| w.len() < 25) {
                let sql = format!("SELECT n FROM t WHERE n = {one}");
                assert_eq!(rows(&fixture, &sql).await, [*one], "{types:?}");
                let sql = format!("SELECT count(*) FROM t WHERE n > {one} OR n < {one}");
                assert_eq!(
                    rows(&fixture, &sql).await,
                    [(wanted.len() - 1).to_string()],
                    "{types:?}"
                );
            }
            let ends = format!("{}|{}", wanted[0], wanted[wanted.len() - 1]);
            assert_eq!(rows(&fixture, "SELECT min(n), max(n) FROM t").await, [ends], "{types:?}");
        }
    }
}

#[tokio::test]
async fn numbers_that_no_type_holds_together_are_refused_by_their_files() {
    let of = |type_of: &str, value: &str| format!("SELECT arrow_cast('{value}', '{type_of}') AS n");
    for (a, b) in [
        (of("Float64", "0.5"), of("Int64", "9007199254740993")),
        (of("Decimal128(38, 0)", "1"), of("Decimal256(76, 60)", "1")),
        (of("Decimal128(9, 2)", "1"), of("Float64", "1")),
        (of("Utf8", "1"), of("Int64", "1")),
        (of("Boolean", "true"), of("Int8", "1")),
    ] {
        let fixture = lab_of(&[&a, &b]).await;
        let why = refusal(&fixture, "SELECT n FROM t").await;
        assert!(why.contains(".parquet") && why.contains("column n"), "{why}");
    }
}

#[tokio::test]
async fn dates_and_times_texts_and_dictionaries_meet() {
    let fixture = lab_of(&[
        "SELECT date '2020-01-01' AS d, arrow_cast('a', 'Utf8') AS s",
        "SELECT arrow_cast(timestamp '2020-01-01 00:00:00', 'Timestamp(Millisecond, None)') AS d, \
            arrow_cast('a', 'LargeUtf8') AS s",
        "SELECT date '2020-01-02' AS d, arrow_cast('b', 'Dictionary(Int32, Utf8)') AS s",
        "SELECT date '2020-01-03' AS d, arrow_cast('b', 'Dictionary(Int8, LargeUtf8)') AS s",
    ])
    .await;
    let sql = "SELECT d, count(*), max(s) FROM t GROUP BY d ORDER BY d";
    let wanted = ["2020-01-01T00:00:00|2|a", "2020-01-02T00:00:00|1|b", "2020-01-03T00:00:00|1|b"];
    assert_eq!(rows(&fixture, sql).await, wanted);
    assert_eq!(rows(&fixture, "SELECT s, count(*) FROM t GROUP BY s").await, ["a|2", "b|2"]);
    assert_eq!(rows(&fixture, "SELECT count(*) FROM t WHERE s = 'b'").await, ["2"]);
    assert_eq!(rows(&fixture, "SELECT count(*) FROM t WHERE d > '2020-01-01'").await, ["2"]);
    assert_eq!(rows(&fixture, "SELECT count(*) FROM t WHERE d = '2020-01-01'").await, ["2"]);
}

#[tokio::test]
async fn columns_and_fields_that_came_later_are_null_before() {
    let fixture = lab_of(&[
        "SELECT 1 AS a, named_struct('x', arrow_cast(1, 'Int32')) AS o, [named_struct('x', 1)] AS l",
        "SELECT 2 AS a, named_struct('y', 'z', 'x', 2.5::double) AS o, \
            [named_struct('x', 2, 'y', 'z')] AS l, 'new' AS b",
    ])
    .await;
    let sql = "SELECT a, b, o['x'], o['y'], l[1]['x'], l[1]['y'] FROM t ORDER BY a";
    assert_eq!(rows(&fixture, sql).await, ["1|∅|1.0|∅|1|∅", "2|new|2.5|z|2|z"]);
    assert_eq!(rows(&fixture, "SELECT count(b), count(*) FROM t").await, ["1|2"]);
    assert_eq!(rows(&fixture, "SELECT a FROM t WHERE b IS NULL").await, ["1"]);
    assert_eq!(rows(&fixture, "SELECT a FROM t WHERE b = 'new'").await, ["2"]);
    assert_eq!(rows(&fixture, "SELECT a FROM t WHERE o['y'] IS NULL").await, ["1"]);
    assert_eq!(rows(&fixture, "SELECT a FROM t WHERE o['x'] < 1.5").await, ["1"]);
}

#[tokio::test]
async fn what_a_declared_type_would_cut_is_an_error_and_what_it_rounds_is_found() {
    for (declared, query, part) in [
        ("bigint", "SELECT 1.5::double AS n", "holds 1.5"),
        ("int", "SELECT 1.5::decimal(9, 2) AS n", "holds 1.50"),
        ("timestamp(3)", "SELECT arrow_cast(1500, 'Timestamp(Microsecond, None)') AS n", "cut"),
    ] {
        let fixture = lab_of(&[query]).await;
        let columns = json!({ "columns": [{ "name": "n", "type": declared }] });
        fixture.put("tables/t/_schema.json", columns.to_string()).await;
        let why = refusal(&fixture, "SELECT n FROM t").await;
        assert!(why.contains(part) && why.contains("tables/t/0.parquet"), "{declared}: {why}");
    }
    let fixture = lab_of(&["SELECT 1.239::decimal(9, 3) AS n"]).await;
    let columns = json!({ "columns": [{ "name": "n", "type": "decimal(9, 2)" }] });
    fixture.put("tables/t/_schema.json", columns.to_string()).await;
    assert_eq!(rows(&fixture, "SELECT n FROM t WHERE n = 1.24").await, ["1.24"]);
}
