//! Files as other systems leave them: what they call them, what types they give them, and folders
//! that are no tables of plain files.

mod foreign;
mod keys;
mod parquet;
mod types;

use bytes::Bytes;

use crate::engine::EngineFixture;
use crate::support::tables::Table;

const PARTITIONS: [Option<u32>; 4] = [None, Some(1), Some(2), Some(7)];

/// The rows of a statement, the same over any number of partitions, in their own order or sorted.
async fn rows(fixture: &EngineFixture, sql: &str) -> Vec<String> {
    let mut first = None;
    for partitions in PARTITIONS {
        let mut rows =
            fixture.run(sql, partitions).await.unwrap_or_else(|why| panic!("{sql}: {why}"));
        if !sql.contains("ORDER BY") {
            rows.sort();
        }
        let known = first.get_or_insert_with(|| rows.clone());
        assert_eq!(&rows, known, "{sql} over {partitions:?}");
    }
    first.expect("rows")
}

/// Why a statement is refused, over any number of partitions.
async fn refusal(fixture: &EngineFixture, sql: &str) -> String {
    let whole = fixture.run(sql, None).await.expect_err(sql);
    for partitions in PARTITIONS {
        assert_eq!(fixture.run(sql, partitions).await.expect_err(sql), whole, "{sql}");
    }
    whole
}

/// A Parquet file of the rows of a query.
async fn file(query: &str) -> Bytes {
    Table::of_query("x", query, 1).await.files.remove(0)
}

/// A fixture with a table `t` of the rows of queries, a file for each.
async fn lab_of(queries: &[&str]) -> EngineFixture {
    let fixture = EngineFixture::new();
    for (n, query) in queries.iter().enumerate() {
        fixture.put(&format!("tables/t/{n}.parquet"), file(query).await).await;
    }
    fixture
}
