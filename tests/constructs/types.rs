use crate::engine::EngineFixture;
use crate::support::tables::Table;

/// Columns of many types, with nulls, in three files.
const MANY: &str = "SELECT value AS id, value % 9 AS k,
    arrow_cast(CASE WHEN value % 7 <> 0 THEN 'd' || (value % 5) END, 'Dictionary(Int32, Utf8)') AS dict,
    arrow_cast('a view that is longer than twelve ' || (value % 6), 'Utf8View') AS view,
    arrow_cast('large ' || (value % 4), 'LargeUtf8') AS large,
    arrow_cast('bytes ' || (value % 4), 'Binary') AS bytes,
    arrow_cast('more bytes ' || (value % 4), 'BinaryView') AS bytes_view,
    (value * 7919 % 100000)::decimal(38, 10) / 7 AS wide,
    arrow_cast(value % 11, 'Decimal256(50, 3)') AS wider,
    arrow_cast(value % 3, 'Decimal32(7, 2)') AS narrow,
    arrow_cast(to_timestamp_nanos(value * 3600000000001), 'Timestamp(Nanosecond, Some(\"UTC\"))') AS utc,
    arrow_cast(to_timestamp_millis(value * 86400000), 'Timestamp(Millisecond, Some(\"+02:00\"))') AS zoned,
    arrow_cast(to_timestamp_micros(value % 5 * 1000001), 'Timestamp(Microsecond, None)') AS at,
    arrow_cast(value % 4, 'Time64(Microsecond)') AS time,
    arrow_cast(value % 4 * 86400000, 'Date64') AS date64,
    arrow_cast(value % 3, 'UInt8') AS tiny, arrow_cast(value % 3, 'UInt64') AS unsigned,
    arrow_cast(value / 3.0, 'Float32') AS f32,
    CASE WHEN value % 50 = 0 THEN 'nan'::double WHEN value % 50 = 1 THEN '-0'::double
         WHEN value % 50 = 2 THEN 0.0 WHEN value % 50 = 3 THEN 'inf'::double ELSE value % 4 END AS f64,
    CASE WHEN value % 13 <> 0 THEN [value % 3, NULL, value % 2] END AS list,
    [[value % 2], [], NULL] AS lists,
    named_struct('a', value % 3, 'b', CASE WHEN value % 2 = 0 THEN 's' || (value % 4) END) AS obj,
    MAP {'x': value % 3, 'y': NULL} AS mapping,
    arrow_cast([value % 2, 1], 'FixedSizeList(2, Int64)') AS pair,
    value % 2 = 0 AS flag
    FROM generate_series(0, 999)";

async fn fixture() -> EngineFixture {
    let fixture = EngineFixture::new();
    fixture.add(&Table::of_query("many", MANY, 3).await).await;
    fixture.add(&Table::of_query("untyped", "SELECT 1 AS id, NULL AS nothing", 1).await).await;
    fixture.add(&Table::of_query("other", &MANY.replace("999", "99"), 2).await).await;
    fixture
}

const QUERIES: &[(&str, &str)] = &[
    ("all columns", "SELECT * FROM many"),
    ("all columns through an exchange", "SELECT * FROM many ORDER BY id"),
    ("all columns through a join", "SELECT a.*, b.* FROM many a JOIN other b ON a.id = b.id"),
    (
        "all columns through a full join",
        "SELECT a.*, b.* FROM many a FULL JOIN other b ON a.id = b.id + 50",
    ),
    (
        "all columns through a window",
        "SELECT *, row_number() OVER (PARTITION BY k ORDER BY id) FROM many",
    ),
    ("a column of no type", "SELECT id, nothing, nothing + 1, coalesce(nothing, 2) FROM untyped"),
    ("a union with no type", "SELECT nothing FROM untyped UNION ALL SELECT true"),
    ("by no type", "SELECT nothing, count(*) FROM untyped GROUP BY nothing"),
    ("by dictionary", "SELECT dict, count(*), max(id) FROM many GROUP BY dict"),
    (
        "join by dictionary",
        "SELECT count(*), sum(a.id) FROM many a JOIN other b ON a.dict = b.dict",
    ),
    (
        "dictionary and text",
        "SELECT count(*) FROM many a JOIN (VALUES ('d1'), ('d2')) v(t) ON a.dict = v.t",
    ),
    ("by view", "SELECT view, count(*), min(dict) FROM many GROUP BY view"),
    ("join by view", "SELECT count(*) FROM many a JOIN other b ON a.view = b.view"),
    ("by large text", "SELECT large, count(*) FROM many GROUP BY large"),
    ("by bytes", "SELECT bytes, bytes_view, count(*) FROM many GROUP BY bytes, bytes_view"),
    ("join by bytes", "SELECT count(*) FROM many a JOIN other b ON a.bytes = b.bytes"),
    ("by decimal", "SELECT wide, count(*) FROM many GROUP BY wide"),
    (
        "sums of decimals",
        "SELECT k, sum(wide), avg(wide), max(wider), sum(wider), sum(narrow), avg(narrow) FROM many GROUP BY k",
    ),
    ("join by decimal", "SELECT count(*) FROM many a JOIN other b ON a.wider = b.wider"),
    ("by wide decimal", "SELECT wider, narrow, count(*) FROM many GROUP BY wider, narrow"),
    ("by zoned time", "SELECT date_trunc('month', utc) AS m, count(*) FROM many GROUP BY m"),
    (
        "zoned times",
        "SELECT min(utc), max(utc), min(zoned), max(zoned), min(at), max(time), min(date64) FROM many",
    ),
    ("join by zoned time", "SELECT count(*) FROM many a JOIN other b ON a.zoned = b.zoned"),
    (
        "join of two zones",
        "SELECT count(*) FROM many a JOIN other b ON a.zoned = arrow_cast(b.zoned, 'Timestamp(Millisecond, Some(\"UTC\"))')",
    ),
    ("at a zone", "SELECT id, utc AT TIME ZONE 'Asia/Kolkata', date_part('hour', zoned) FROM many"),
    ("order by zoned time", "SELECT id, zoned FROM many ORDER BY zoned DESC LIMIT 20"),
    ("by time and date", "SELECT time, date64, count(*) FROM many GROUP BY time, date64"),
    (
        "by small numbers",
        "SELECT tiny, unsigned, count(*), sum(unsigned) FROM many GROUP BY tiny, unsigned",
    ),
    ("by floats", "SELECT f64, count(*) FROM many GROUP BY f64"),
    ("distinct floats", "SELECT count(DISTINCT f64), count(DISTINCT f32) FROM many"),
    ("sum of small floats", "SELECT k, sum(f32), avg(f32), max(f32) FROM many GROUP BY k"),
    ("join by floats", "SELECT count(*), sum(a.id) FROM many a JOIN other b ON a.f64 = b.f64"),
    ("order by floats", "SELECT f64, id FROM many ORDER BY f64 DESC, id"),
    ("by list", "SELECT list, count(*), min(id) FROM many GROUP BY list"),
    ("distinct lists", "SELECT DISTINCT lists FROM many"),
    ("join by list", "SELECT count(*), sum(a.id) FROM many a JOIN other b ON a.list = b.list"),
    ("by struct", "SELECT obj, count(*), min(id) FROM many GROUP BY obj"),
    ("join by struct", "SELECT count(*) FROM many a JOIN other b ON a.obj = b.obj"),
    ("join by a field", "SELECT count(*) FROM many a JOIN other b ON a.obj['b'] = b.obj['b']"),
    ("distinct structs", "SELECT count(DISTINCT obj) FROM many"),
    ("window by struct", "SELECT id, row_number() OVER (PARTITION BY obj ORDER BY id) FROM many"),
    ("order by list", "SELECT list, id FROM many ORDER BY list, id"),
    (
        "maps as values",
        "SELECT k, first_value(mapping ORDER BY id), count(mapping) FROM many GROUP BY k",
    ),
    ("fields of a map", "SELECT mapping['x'] AS x, count(*) FROM many GROUP BY x"),
    ("by pair", "SELECT pair, count(*) FROM many GROUP BY pair"),
    ("by flag", "SELECT flag, count(*) FROM many GROUP BY flag"),
    (
        "nested aggregates",
        "SELECT k, array_agg(obj ORDER BY id), array_agg(list ORDER BY id DESC) FROM many WHERE id < 200 GROUP BY k",
    ),
    (
        "made structs",
        "SELECT named_struct('k', k, 'n', count(*)) AS s, [min(id), max(id)] FROM many GROUP BY k",
    ),
    ("order by struct field", "SELECT id, obj FROM many ORDER BY obj['a'], id LIMIT 30"),
    ("unnest", "SELECT id, unnest(list) FROM many"),
    ("unnest and group", "SELECT u, count(*) FROM (SELECT unnest(list) AS u FROM many) GROUP BY u"),
    ("unnest of lists of lists", "SELECT id, unnest(unnest(lists)) FROM many WHERE id < 50"),
    ("unnest a struct", "SELECT id, unnest(obj) FROM many"),
    ("unnest in from", "SELECT * FROM unnest([1, 2, NULL], ['a', 'b', 'c']) AS u(n, t)"),
    (
        "unnest and join",
        "SELECT count(*) FROM (SELECT unnest(list) AS u, id FROM many) a JOIN other b ON a.u = b.id",
    ),
    ("unnest after a group", "SELECT k, unnest(array_agg(id ORDER BY id)) FROM many GROUP BY k"),
    (
        "duplicate names of a join",
        "SELECT * FROM many a JOIN other b ON a.k = b.k AND a.id < 20 AND b.id < 20",
    ),
    (
        "names with signs",
        "SELECT id AS \"An Id, 'quoted' \"\"x\"\"\", k AS \"\u{e9}\" FROM other ORDER BY 1",
    ),
    ("null columns", "SELECT k, NULL AS nothing, max(NULL) FROM many GROUP BY k"),
    ("null key", "SELECT NULL AS nothing, count(*) FROM many GROUP BY nothing"),
    (
        "intervals",
        "SELECT k, max(at - to_timestamp_micros(id))::varchar AS gap FROM many GROUP BY k",
    ),
    (
        "interval as a key",
        "SELECT (at - to_timestamp_micros(1))::varchar AS gap, count(*) FROM many GROUP BY 1",
    ),
];

#[tokio::test]
async fn types_as_values_and_as_keys() {
    fixture().await.assert_same(QUERIES).await;
}

#[tokio::test]
async fn a_small_float_stays_small() {
    let sql = "SELECT id, arrow_cast(1.5, 'Float16') AS h FROM few";
    super::fixture().await.assert_same(&[("literal", sql)]).await;
}
