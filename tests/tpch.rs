//! The 22 queries of TPC-H over its own data.
//!
//! `TIDEMILL_TPCH_SF` sets the scale factor, 0.01 if it is not set.

use tokio::sync::OnceCell;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow,
    RecordBatchIterator, RegionArrow, SupplierArrow,
};

use crate::engine::Lab;
use crate::support::tables::{Table, parquet};

/// A query's name and its text.
macro_rules! queries {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("tpch/", $name, ".sql")))),*]
    };
}

const QUERIES: [(&str, &str); 22] = queries![
    "q01", "q02", "q03", "q04", "q05", "q06", "q07", "q08", "q09", "q10", "q11", "q12", "q13",
    "q14", "q15", "q16", "q17", "q18", "q19", "q20", "q21", "q22"
];

fn scale() -> f64 {
    let text = std::env::var("TIDEMILL_TPCH_SF").unwrap_or_else(|_| "0.01".into());
    text.parse().expect("TIDEMILL_TPCH_SF is a number")
}

/// A table of so many files.
fn table<T: RecordBatchIterator>(name: &str, files: i32, part: impl Fn(i32, i32) -> T) -> Table {
    let group = if scale() < 0.1 { 4000 } else { 100_000 };
    let file = |number| {
        let batches = part(number, files);
        let schema = batches.schema().clone();
        parquet(&schema, batches, group).expect("a file")
    };
    Table { name: name.into(), files: (1..=files).map(file).collect() }
}

fn tables() -> Vec<Table> {
    let sf = scale();
    vec![
        table("lineitem", 5, |n, of| LineItemArrow::new(LineItemGenerator::new(sf, n, of))),
        table("orders", 3, |n, of| OrderArrow::new(OrderGenerator::new(sf, n, of))),
        table("partsupp", 2, |n, of| PartSuppArrow::new(PartSuppGenerator::new(sf, n, of))),
        table("customer", 2, |n, of| CustomerArrow::new(CustomerGenerator::new(sf, n, of))),
        table("part", 1, |n, of| PartArrow::new(PartGenerator::new(sf, n, of))),
        table("supplier", 1, |n, of| SupplierArrow::new(SupplierGenerator::new(sf, n, of))),
        table("nation", 1, |n, of| NationArrow::new(NationGenerator::new(sf, n, of))),
        table("region", 1, |n, of| RegionArrow::new(RegionGenerator::new(sf, n, of))),
    ]
}

async fn lab() -> Lab {
    static MADE: OnceCell<Vec<Table>> = OnceCell::const_new();
    let lab = Lab::new();
    for table in MADE.get_or_init(|| async { tables() }).await {
        lab.add(table).await;
    }
    lab
}

/// The queries; the share of Q11 goes down with the size.
fn queries() -> Vec<(&'static str, String)> {
    let fraction = format!("{:.10}", 0.0001 / scale());
    QUERIES.iter().map(|(name, sql)| (*name, sql.replace("{FRACTION}", &fraction))).collect()
}

#[tokio::test]
async fn tpch_gives_the_rows_of_one_process() {
    let lab = lab().await;
    let queries = queries();
    let queries: Vec<_> = queries.iter().map(|(name, sql)| (*name, sql.as_str())).collect();
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
