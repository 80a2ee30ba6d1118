//! Each construct that a distributed plan gets wrong easily, over tables with nulls, skew, empty
//! files and types of all kinds.

mod aggregates;
mod catalog;
mod empty;
mod joins;
mod known;
mod limits;
mod memory;
mod sets;
mod skew;
mod splits;
mod spread;
mod subqueries;
mod tasks;
mod types;
mod unheeded;
mod windows;

use tidemill_compute::Resources;
use tokio::sync::OnceCell;

use crate::engine::{EngineFixture, RESOURCES};
use crate::support::tables::Table;

/// Name, files and rows of the tables.
///
/// `big` and `wide` are too large to be sent to every task as the side of a join, by their rows
/// and their bytes; half of the keys of `big` and `facts` are the same.
const TABLES: &[(&str, usize, &str)] = &[
    (
        "big",
        5,
        "SELECT value AS id,
            CASE WHEN value % 2 = 0 THEN 7 WHEN value % 13 = 0 THEN NULL ELSE value / 3 END AS k,
            md5(value::varchar) AS pad
         FROM generate_series(0, 149999)",
    ),
    (
        "wide",
        3,
        "SELECT value AS id, CASE WHEN value % 11 = 0 THEN NULL ELSE value / 2 * 2 + 1 END AS k,
            md5((value + 1)::varchar) AS pad
         FROM generate_series(0, 139999)",
    ),
    (
        "facts",
        5,
        "SELECT value AS id,
            CASE WHEN value % 2 = 0 THEN 7 WHEN value % 13 = 0 THEN NULL ELSE value % 80 END AS k,
            CASE value % 5 WHEN 0 THEN 'north' WHEN 1 THEN '' WHEN 2 THEN NULL ELSE 'é' || (value % 7) END AS g,
            value * 37 % 1001 / 7.0::double AS x,
            (value * 31 % 997)::decimal(12, 2) / 4 AS price,
            date '2024-01-01' + (value % 90)::int AS day,
            value % 3 = 0 AS flag
         FROM generate_series(0, 2999)",
    ),
    (
        "dims",
        2,
        "SELECT CASE WHEN value % 17 = 0 THEN NULL ELSE value / 2 * 3 END AS id,
            'name ' || value AS name,
            CASE value % 4 WHEN 0 THEN NULL ELSE 'region ' || (value % 4) END AS region
         FROM generate_series(0, 59)",
    ),
    ("few", 1, "SELECT * FROM (VALUES (1, 7), (2, 7), (3, NULL), (4, 9), (5, -1)) AS v(id, k)"),
    ("none", 1, "SELECT nullif(1, 1) AS id, nullif(7, 7) AS k, nullif('a', 'a') AS g WHERE false"),
    ("hollow", 4, "SELECT value AS id, value % 3 AS k FROM generate_series(1, 3)"),
];

/// A fixture with all tables.
pub(crate) async fn fixture() -> EngineFixture {
    fixture_with(RESOURCES).await
}

/// A fixture with all tables, whose tasks may use so much.
async fn fixture_with(resources: Resources) -> EngineFixture {
    static MADE: OnceCell<Vec<Table>> = OnceCell::const_new();
    let make = || async {
        let mut tables = vec![];
        for (name, files, query) in TABLES {
            tables.push(Table::of_query(name, query, *files).await);
        }
        tables
    };
    let fixture = EngineFixture::with(resources);
    for table in MADE.get_or_init(make).await {
        fixture.add(table).await;
    }
    fixture
}
