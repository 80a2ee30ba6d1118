//! What PostgreSQL answers, where DataFusion alone answers something else: each row by hand, as one task
//! and over several partitions.

mod floats;
mod forms;
mod groups;
mod numbers;
mod subqueries;
mod times;
mod windows;

use crate::engine::{EngineFixture, sorted};

/// Small tables of two files each.
async fn fixture() -> EngineFixture {
    let fixture = EngineFixture::new();
    let files = [
        ("o/1.csv", "id,z\n1,10\n2,20\n3,30\n"),
        ("o/2.csv", "id,z\n4,40\n,50\n"),
        ("i/1.csv", "id,z\n2,5\n,50\n"),
        ("i/2.csv", "id,z\n5,1\n"),
        ("n/1.csv", "id,d\n1,0\n2,10\n3,\n"),
        ("n/2.csv", "id,d\n4,30\n5,0\n6,7\n"),
        ("x/1.csv", "g,x\na,5.5\na,NaN\nb,-0.0\n"),
        ("x/2.csv", "g,x\na,2.5\na,3.5\nb,0.0\nc,inf\nc,inf\n"),
        ("v/1.csv", "n,v\n1,10\n2,20\n3,30\n4,40\n"),
        ("v/2.csv", "n,v\n5,\n6,\n7,70\n"),
    ];
    for (name, text) in files {
        fixture.put(&format!("tables/{name}"), text).await;
    }
    fixture
}

/// The rows of a statement, in any order unless it says one, are these, however it is spread.
async fn right(fixture: &EngineFixture, sql: &str, rows: &[&str]) {
    for partitions in [None, Some(1), Some(2), Some(7)] {
        let found = fixture.run(sql, partitions).await;
        let found = found.unwrap_or_else(|e| panic!("{sql} over {partitions:?}: {e}"));
        let rows = rows.iter().map(|r| (*r).to_owned()).collect();
        let is_ordered = sql.contains("ORDER BY");
        let (found, rows) = if is_ordered { (found, rows) } else { (sorted(found), sorted(rows)) };
        assert_eq!(found, rows, "{sql} over {partitions:?}");
    }
}

/// Why a statement has no rows: the same sentence, however it is spread.
async fn refused(fixture: &EngineFixture, sql: &str, part: &str) {
    for partitions in [None, Some(2)] {
        let why = fixture.run(sql, partitions).await;
        let why = why.err().unwrap_or_else(|| panic!("{sql} over {partitions:?} has rows"));
        assert!(why.contains(part), "{sql} over {partitions:?}: {why}");
    }
}
