//! The data and the queries of TPC-H, by scale factor.

use bytes::Bytes;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow,
    RecordBatchIterator, RegionArrow, SupplierArrow,
};

/// The texts of the queries, in their order.
macro_rules! queries {
    ($($number:literal),*) => {
        [$(include_str!(concat!("q", $number, ".sql"))),*]
    };
}

const QUERIES: [&str; 22] = queries![
    "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22"
];

/// A query by its number, from 1; the share of the 11th goes down with the size.
pub(crate) fn query(number: usize, sf: f64) -> String {
    QUERIES[number - 1].replace("{FRACTION}", &format!("{:.10}", 0.0001 / sf))
}

/// The tables as Parquet files.
pub(crate) fn tables(sf: f64) -> Vec<(&'static str, Vec<Bytes>)> {
    vec![
        files("lineitem", sf, 5, |n, of| LineItemArrow::new(LineItemGenerator::new(sf, n, of))),
        files("orders", sf, 3, |n, of| OrderArrow::new(OrderGenerator::new(sf, n, of))),
        files("partsupp", sf, 2, |n, of| PartSuppArrow::new(PartSuppGenerator::new(sf, n, of))),
        files("customer", sf, 2, |n, of| CustomerArrow::new(CustomerGenerator::new(sf, n, of))),
        files("part", sf, 1, |n, of| PartArrow::new(PartGenerator::new(sf, n, of))),
        files("supplier", sf, 1, |n, of| SupplierArrow::new(SupplierGenerator::new(sf, n, of))),
        files("nation", sf, 1, |n, of| NationArrow::new(NationGenerator::new(sf, n, of))),
        files("region", sf, 1, |n, of| RegionArrow::new(RegionGenerator::new(sf, n, of))),
    ]
}

fn files<T: RecordBatchIterator>(
    name: &'static str,
    sf: f64,
    count: i32,
    part: impl Fn(i32, i32) -> T,
) -> (&'static str, Vec<Bytes>) {
    // small tables have several row groups, too
    let group = if sf < 0.1 { 4000 } else { 200_000 };
    (name, (1..=count).map(|number| parquet(part(number, count), group)).collect())
}

fn parquet(batches: impl RecordBatchIterator, group: usize) -> Bytes {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let schema = batches.schema().clone();
    let mut writer = ArrowWriter::try_new(vec![], schema, Some(properties)).expect("a writer");
    batches.for_each(|batch| writer.write(&batch).expect("written"));
    writer.into_inner().expect("a file").into()
}
