//! Types of Parquet that other systems write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::data_type::{
    ByteArray, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type,
};
use datafusion::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use datafusion::parquet::schema::parser::parse_message_type;

use super::{file, lab_of, refusal, rows};
use crate::engine::EngineFixture;

/// A file of one column.
fn column(message: &str, write: impl FnOnce(&mut SerializedColumnWriter<'_>)) -> Bytes {
    let schema = Arc::new(parse_message_type(message).expect("a schema"));
    let mut writer = SerializedFileWriter::new(vec![], schema, Arc::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    let mut column = group.next_column().expect("a column").expect("a column");
    write(&mut column);
    column.close().expect("closed");
    group.close().expect("closed");
    writer.into_inner().expect("written").into()
}

fn fixed(message: &str, values: &[Vec<u8>]) -> Bytes {
    let values: Vec<FixedLenByteArray> =
        values.iter().map(|v| ByteArray::from(v.clone()).into()).collect();
    column(message, |column| {
        let typed = column.typed::<FixedLenByteArrayType>();
        typed.write_batch(&values, None, None).expect("values");
    })
}

fn uuids(values: &[u8]) -> Bytes {
    let values: Vec<_> = values.iter().map(|n| vec![*n; 16]).collect();
    fixed("message m { required fixed_len_byte_array(16) u (UUID); }", &values)
}

fn uuid(n: u8) -> String {
    let hex = format!("{n:02x}").repeat(16);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[tokio::test]
async fn a_uuid_is_its_text() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.parquet", uuids(&[0xab, 1, 2])).await;
    fixture.put("tables/t/b.parquet", uuids(&[0x01, 0xff])).await;
    let all: Vec<_> = [1, 1, 2, 0xab, 0xff].map(uuid).into();
    assert_eq!(rows(&fixture, "SELECT u FROM t ORDER BY u").await, all);
    for n in [1, 2, 0xab] {
        let sql = format!("SELECT u FROM t WHERE u = '{}'", uuid(n));
        assert_eq!(rows(&fixture, &sql).await, vec![uuid(n); if n == 1 { 2 } else { 1 }]);
    }
    let sql = format!("SELECT count(*) FROM t WHERE u > '{}'", uuid(1));
    assert_eq!(rows(&fixture, &sql).await, ["3"]);
    assert_eq!(
        rows(&fixture, "SELECT min(u), max(u) FROM t").await,
        [format!("{}|{}", uuid(1), uuid(0xff))]
    );
    assert_eq!(rows(&fixture, "SELECT u, count(*) FROM t GROUP BY u").await.len(), 4);
    assert_eq!(rows(&fixture, "SELECT count(*) FROM t a JOIN t b ON a.u = b.u").await, ["7"]);
    assert_eq!(
        rows(&fixture, "SELECT count(*) FROM t WHERE u IN (SELECT max(u) FROM t)").await,
        ["1"]
    );
}

#[tokio::test]
async fn a_table_of_uuids_takes_texts_too() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.parquet", uuids(&[1])).await;
    let sql = format!("INSERT INTO t VALUES ('{}')", uuid(2));
    assert_eq!(fixture.outcome(&sql, None).await.reason, None);
    assert_eq!(rows(&fixture, "SELECT u FROM t").await, [uuid(1), uuid(2)]);
    let sql = format!("SELECT u FROM t WHERE u >= '{}'", uuid(2));
    assert_eq!(rows(&fixture, &sql).await, [uuid(2)]);
}

#[tokio::test]
async fn sixteen_bytes_that_are_no_uuid_stay_bytes() {
    let fixture = EngineFixture::new();
    let bytes = fixed("message m { required fixed_len_byte_array(16) u; }", &[vec![7; 16]]);
    fixture.put("tables/t/a.parquet", bytes).await;
    assert_eq!(rows(&fixture, "SELECT encode(u, 'hex') FROM t").await, ["07".repeat(16)]);
}

/// Midnights of days since 1970, as Spark writes them.
fn int96(days: &[i64]) -> Bytes {
    let value = |days: &i64| {
        let mut value = Int96::new();
        value.set_data(1000, 0, u32::try_from(2_440_588 + days).expect("a day"));
        value
    };
    let values: Vec<_> = days.iter().map(value).collect();
    column("message m { required int96 ts; }", |column| {
        column.typed::<Int96Type>().write_batch(&values, None, None).expect("values");
    })
}

#[tokio::test]
async fn old_times_of_96_bits_are_of_all_years() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.parquet", int96(&[0, 2_932_896])).await;
    fixture.put("tables/t/b.parquet", int96(&[-300_000, 18_262])).await;
    let wanted = [
        "1148-08-18T00:00:00.000001",
        "1970-01-01T00:00:00.000001",
        "2020-01-01T00:00:00.000001",
        "9999-12-31T00:00:00.000001",
    ];
    assert_eq!(rows(&fixture, "SELECT ts FROM t ORDER BY ts").await, wanted);
    assert_eq!(
        rows(&fixture, "SELECT min(ts), max(ts), count(ts) FROM t").await,
        [format!("{}|{}|4", wanted[0], wanted[3])]
    );
    for (filter, count) in [
        ("ts > TIMESTAMP '2019-12-31'", 2),
        ("ts < TIMESTAMP '1970-01-02'", 2),
        ("ts >= TIMESTAMP '2020-01-01 00:00:00.000001'", 2),
        ("ts > arrow_cast('9000-01-01', 'Timestamp(Microsecond, None)')", 1),
    ] {
        let sql = format!("SELECT count(*) FROM t WHERE {filter}");
        assert_eq!(rows(&fixture, &sql).await, [count.to_string()], "{filter}");
    }
    // beside files of other units
    let micros = file("SELECT arrow_cast(5, 'Timestamp(Microsecond, None)') AS ts").await;
    fixture.put("tables/t/c.parquet", micros).await;
    assert_eq!(
        rows(&fixture, "SELECT count(*), max(ts) FROM t").await,
        [format!("5|{}", wanted[3])]
    );
}

#[tokio::test]
async fn an_interval_of_parquet_is_refused_where_it_is_read() {
    let one_month = [1u32, 0, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
    let fixture = EngineFixture::new();
    let message = "message m { required fixed_len_byte_array(12) iv (INTERVAL); }";
    fixture.put("tables/t/a.parquet", fixed(message, &[one_month])).await;
    fixture.put("tables/t/b.parquet", file("SELECT 7 AS n").await).await;
    for sql in ["SELECT * FROM t", "SELECT n FROM t WHERE iv IS NULL", "SELECT count(iv) FROM t"] {
        let why = refusal(&fixture, sql).await;
        assert!(why.contains("column iv of table t") && why.contains("months"), "{sql}: {why}");
    }
    assert_eq!(rows(&fixture, "SELECT n FROM t ORDER BY n").await, ["7", "∅"]);
    assert_eq!(rows(&fixture, "SELECT count(*) FROM t").await, ["2"]);
    // and no other mistake is blamed on its file
    let why = refusal(&fixture, "SELECT n / (n - 7) FROM t").await;
    assert!(why.contains("ivide by zero"), "{why}");
}

/// A file that makes its decoder panic, if there is one so near to a good one.
fn panicking(good: &Bytes) -> Option<Bytes> {
    let reads = |bytes: Bytes| {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        builder.build()?.collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    let damaged = (4..good.len()).flat_map(|at| [0x7f, 0xff, 0x00, 0x80].map(|byte| (at, byte)));
    damaged
        .map(|(at, byte)| {
            let mut bytes = good.to_vec();
            bytes[at] = byte;
            Bytes::from(bytes)
        })
        .find(|bytes| catch_unwind(AssertUnwindSafe(|| reads(bytes.clone()).is_ok())).is_err())
}

#[tokio::test]
async fn a_decoder_that_panics_names_its_file() {
    let good =
        file("SELECT 'text ' || (value % 3) AS s, value AS n FROM generate_series(1, 50)").await;
    let Some(damaged) = panicking(&good) else {
        panic!("no damage makes the decoder panic any more: this test can go");
    };
    let fixture = EngineFixture::new();
    fixture.put("tables/t/good.parquet", good).await;
    fixture.put("tables/t/bad.parquet", damaged).await;
    let why = refusal(&fixture, "SELECT * FROM t").await;
    assert!(why.contains("tables/t/bad.parquet cannot be read as Parquet"), "{why}");
    assert!(!why.contains("report the SQL"), "{why}");
}

#[tokio::test]
async fn nothing_is_cut_of_wide_and_small_types() {
    let fixture = lab_of(&["SELECT
        arrow_cast('18446744073709551615', 'UInt64') AS u64,
        arrow_cast('1234567890123456789012345678901234567890.123', 'Decimal256(50, 3)') AS d256,
        arrow_cast(1.5, 'Float16') AS f16,
        arrow_cast(arrow_cast(86399999, 'Int32'), 'Time32(Millisecond)') AS t32,
        arrow_cast(86399999999999, 'Time64(Nanosecond)') AS t64,
        arrow_cast(1577836800123456789, 'Timestamp(Nanosecond, None)') AS ns,
        [[1, NULL], NULL, []] AS lists,
        named_struct('a', [named_struct('b', 'c')]) AS o,
        MAP {'k': [1, 2]} AS m"])
    .await;
    let wanted = "18446744073709551615|1234567890123456789012345678901234567890.123|1.5|23:59:59.999|\
        23:59:59.999999999|2020-01-01T00:00:00.123456789|[[1, ∅], ∅, []]|{a: [{b: c}]}|{k: [1, 2]}";
    for sql in ["SELECT * FROM t", "SELECT * FROM t ORDER BY u64"] {
        assert_eq!(rows(&fixture, sql).await, [wanted]);
    }
    assert_eq!(
        rows(&fixture, "SELECT u64 FROM t WHERE u64 > 9223372036854775807").await,
        ["18446744073709551615"]
    );
    assert_eq!(
        rows(&fixture, "SELECT count(o), count(lists), count(m), count(*) FROM t").await,
        ["1|1|1|1"]
    );
}

#[tokio::test]
async fn an_object_without_fields_is_named_with_what_to_do() {
    let fixture = EngineFixture::new();
    fixture.put("tables/t/a.json", "{\"a\":1,\"o\":{}}\n{\"a\":2}\n").await;
    let why = refusal(&fixture, "SELECT * FROM t").await;
    assert!(why.contains("column o") && why.contains("leave it out"), "{why}");
    assert_eq!(rows(&fixture, "SELECT a FROM t ORDER BY a").await, ["1", "2"]);
    let sql = "SELECT a, CASE WHEN o IS NOT NULL THEN '{}' END AS o FROM t ORDER BY a";
    assert_eq!(rows(&fixture, sql).await, ["1|{}", "2|∅"]);
    // fields that another file has are fields
    fixture.put("tables/t/b.json", "{\"a\":3,\"o\":{\"x\":1}}\n").await;
    assert_eq!(rows(&fixture, "SELECT a, o['x'] FROM t ORDER BY a").await, ["1|∅", "2|∅", "3|1"]);
}

#[tokio::test]
async fn times_in_seconds_within_other_values_stay_times() {
    let fixture = lab_of(&["SELECT 1 AS n"]).await;
    let second = "arrow_cast(0, 'Timestamp(Second, None)')";
    let sql = format!(
        "SELECT MAP {{'k': {second}}} AS m, arrow_cast([{second}], 'FixedSizeList(1, Timestamp(Second, None))') AS l FROM t"
    );
    assert_eq!(rows(&fixture, &sql).await, ["{k: 1970-01-01T00:00:00}|[1970-01-01T00:00:00]"]);
}
