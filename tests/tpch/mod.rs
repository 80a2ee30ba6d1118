//! The 22 queries of TPC-H over its own data.
//!
//! `TIDEMILL_TPCH_SF` sets the scale factor, 0.01 if it is not set.

mod data;

use tokio::sync::OnceCell;

use crate::engine::Lab;
use crate::support::tables::Table;

fn scale() -> f64 {
    let text = std::env::var("TIDEMILL_TPCH_SF").unwrap_or_else(|_| "0.01".into());
    text.parse().expect("TIDEMILL_TPCH_SF is a number")
}

async fn lab() -> Lab {
    static MADE: OnceCell<Vec<Table>> = OnceCell::const_new();
    let lab = Lab::new();
    let make = || async {
        let tables = data::tables(scale()).into_iter();
        tables.map(|(name, files)| Table { name: name.into(), files }).collect()
    };
    for table in MADE.get_or_init(make).await {
        lab.add(table).await;
    }
    lab
}

fn queries() -> Vec<(String, String)> {
    (1..=22).map(|n| (format!("q{n:02}"), data::query(n, scale()))).collect()
}

#[tokio::test]
async fn tpch_gives_the_rows_of_one_process() {
    let lab = lab().await;
    let queries = queries();
    let queries: Vec<_> = queries.iter().map(|(n, sql)| (n.as_str(), sql.as_str())).collect();
    lab.assert_same(&queries).await;
}

#[tokio::test]
async fn tpch_is_spread_but_for_scalar_subqueries() {
    let lab = lab().await;
    let mut whole = vec![];
    for (name, sql) in queries() {
        let outcome = lab.outcome(&sql, Some(7)).await;
        if lab.plan_of(&outcome).await.single.is_some() {
            whole.push(name);
        }
    }
    assert_eq!(whole, ["q11", "q15", "q22"]);
}
