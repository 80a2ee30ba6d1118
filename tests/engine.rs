//! The engine, spread over tasks, against one DataFusion session over the same files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::dataframe::DataFrame;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::prelude::{CsvReadOptions, SessionConfig, SessionContext};
use futures::FutureExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};
use tidemill_compute::{DataFusionEngine, Resources, one_process, plan_in_one_process};
use tidemill_protocol::record::{Outcome, Plan, Status};
use tidemill_protocol::{Key, context};

use crate::support::crash::Crash;
use crate::support::functions::{self, NativeFunctions};
use crate::support::store_bucket::StoreBucket;
use crate::support::world::World;

/// A world with two tables, and the same tables in a session of their own.
pub(crate) struct EngineFixture {
    pub(crate) world: World,
    store: Arc<dyn ObjectStore>,
    pub(crate) functions: Arc<NativeFunctions>,
    pub(crate) oracle: SessionContext,
}

pub(crate) const RESOURCES: Resources =
    Resources { memory: 256 << 20, cores: 2, workers: 1, one_task_bytes: 1 << 30 };

/// A store that begins to count the versions of its objects where others do not: the process keeps
/// footers of files by key, version and size, whatever store they are in.
fn store() -> Arc<dyn ObjectStore> {
    static STORES: AtomicUsize = AtomicUsize::new(0);
    let (store, unused) = (InMemory::new(), Path::from("unused"));
    for _ in 0..STORES.fetch_add(1, Ordering::Relaxed) % 997 {
        let put = store.put(&unused, Bytes::new().into());
        put.now_or_never().expect("at once").expect("put");
    }
    store.delete(&unused).now_or_never();
    Arc::new(store)
}

impl EngineFixture {
    pub(crate) fn new() -> Self {
        Self::with(RESOURCES)
    }

    /// A fixture whose tasks may use so much.
    pub(crate) fn with(resources: Resources) -> Self {
        let store = store();
        let functions = Arc::new(NativeFunctions::default());
        let engine = DataFusionEngine::new(store.clone(), "b".into(), resources)
            .with_functions(functions.clone());
        let world = World::new(Arc::new(StoreBucket(store.clone())), Arc::new(engine));
        let oracle = one_process(SessionConfig::new()).expect("a session");
        let url = url::Url::parse("memory://b").expect("a URL");
        oracle.register_object_store(&url, store.clone());
        for function in functions::in_one_process() {
            oracle.register_udf(function);
        }
        Self { world, store, functions, oracle }
    }

    /// The files of the functions.
    pub(crate) async fn with_functions(self) -> Self {
        for (key, text) in functions::files() {
            self.put(&key, text).await;
        }
        self
    }

    pub(crate) async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let path = Path::parse(key).expect("a key");
        self.store.put(&path, bytes.into().into()).await.expect("put");
    }

    /// Two tables of several files: 600 orders with null and unmatched customers, 40 customers.
    pub(crate) async fn with_orders() -> Self {
        let fixture = Self::new();
        for part in 0..3 {
            let rows = (part * 200..part * 200 + 200).map(|n| {
                let customer = if n % 11 == 0 { String::new() } else { (n * 7 % 50).to_string() };
                format!("{n},{customer},{}.{:02},2024-01-{:02}\n", n % 97, n % 100, n % 28 + 1)
            });
            let text: String = rows.collect();
            fixture
                .put(&format!("tables/orders/{part}.csv"), format!("id,customer,price,day\n{text}"))
                .await;
        }
        let rows: String =
            (0..40).map(|n| format!("{n},name {n},{}\n", ["north", "south", ""][n % 3])).collect();
        fixture.put("tables/customers/all.csv", format!("id,name,region\n{rows}")).await;
        for table in ["orders", "customers"] {
            let place = format!("memory://b/tables/{table}/");
            fixture
                .oracle
                .register_csv(table, place, CsvReadOptions::new())
                .await
                .expect("a table");
        }
        fixture
    }

    /// Runs a job over so many partitions; its rows, or why there are none.
    pub(crate) async fn run(
        &self,
        sql: &str,
        partitions: Option<u32>,
    ) -> Result<Vec<String>, String> {
        let outcome = self.outcome(sql, partitions).await;
        self.rows(&outcome).await
    }

    /// The rows of a run as lines, or why there are none.
    pub(crate) async fn rows(&self, outcome: &Outcome) -> Result<Vec<String>, String> {
        Ok(self.batches(outcome).await?.iter().flat_map(lines).collect())
    }

    /// The rows of a run, or why there are none.
    pub(crate) async fn batches(&self, outcome: &Outcome) -> Result<Vec<RecordBatch>, String> {
        if outcome.status != Status::Succeeded {
            return Err(outcome.reason.clone().expect("a reason"));
        }
        let mut batches = vec![];
        for file in &outcome.files {
            let bytes = Bytes::from(self.world.read(&file.key).await);
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
            for batch in reader.build().expect("a reader") {
                batches.push(batch.expect("a batch"));
            }
        }
        Ok(batches)
    }

    pub(crate) async fn outcome(&self, sql: &str, partitions: Option<u32>) -> Outcome {
        let job = match partitions {
            Some(n) => json!({ "sql": sql, "options": { "partitions": n } }),
            None => json!({ "sql": sql }),
        };
        self.outcome_of(&job).await
    }

    /// How a job ends.
    pub(crate) async fn outcome_of(&self, job: &Value) -> Outcome {
        let before = self.world.outcomes().await;
        let event = self.world.upload("jobs/j.json", &job.to_string()).await;
        let after = self.world.run(&event).await;
        after.into_iter().find(|o| before.iter().all(|b| b.run != o.run)).expect("an outcome")
    }

    /// The schema of the first part of a result.
    pub(crate) async fn schema(&self, sql: &str) -> String {
        let outcome = self.outcome(sql, None).await;
        let bytes = Bytes::from(self.world.read(&outcome.files[0].key).await);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
        reader.schema().to_string()
    }

    pub(crate) async fn expected(&self, sql: &str) -> Vec<String> {
        let state = self.oracle.state();
        let plan = plan_in_one_process(&state, sql).await.expect("the oracle plans it");
        let batches = DataFrame::new(state, plan).collect().await.expect("the oracle runs it");
        batches.iter().flat_map(lines).collect()
    }

    pub(crate) async fn plan_of(&self, outcome: &Outcome) -> Plan {
        let key = Key::Plan(&outcome.run).to_string();
        context::find(&*self.world.bucket, &key).await.expect("readable").expect("a plan")
    }
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("∅");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|c| ArrayFormatter::try_new(c, &options).expect("a formatter"))
        .collect();
    let line = |row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(line).collect()
}

pub(crate) fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

/// Queries whose answers do not depend on the order of rows.
pub(crate) const QUERIES: &[&str] = &[
    "SELECT * FROM orders WHERE price > 50",
    "SELECT count(*), sum(id), min(day), max(customer) FROM orders",
    "SELECT customer, count(*) n FROM orders GROUP BY customer",
    "SELECT DISTINCT day FROM orders",
    "SELECT count(DISTINCT customer) FROM orders",
    "SELECT c.region, sum(o.id) s FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.region",
    "SELECT c.id, o.id FROM customers c LEFT JOIN orders o ON c.id = o.customer AND o.id < 100",
    "SELECT c.id, o.id FROM orders o RIGHT JOIN customers c ON c.id = o.customer AND o.id < 100",
    "SELECT c.id, o.id FROM customers c FULL JOIN orders o ON c.id = o.customer",
    "SELECT id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id AND o.id < 99)",
    "SELECT id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id AND o.id < 99)",
    "SELECT id FROM customers WHERE id NOT IN (SELECT customer FROM orders WHERE customer IS NOT NULL AND id < 99)",
    "SELECT id FROM customers WHERE id NOT IN (SELECT customer FROM orders)",
    "SELECT id FROM orders o WHERE o.id < 30 OR EXISTS (SELECT 1 FROM customers c WHERE c.id = o.customer AND c.region = 'north')",
    "SELECT a.id, b.id FROM customers a CROSS JOIN customers b WHERE a.id < 5",
    "SELECT a.id, b.id FROM customers a JOIN customers b ON a.id < b.id AND b.id < 9",
    "SELECT a.id, b.id FROM customers a LEFT JOIN customers b ON a.id < b.id AND b.id < 3",
    "SELECT customer FROM orders INTERSECT SELECT id FROM customers",
    "SELECT id FROM customers EXCEPT SELECT customer FROM orders WHERE id < 99",
    "SELECT count(*) FROM generate_series(1, 10)",
    "SELECT id FROM customers UNION SELECT customer FROM orders",
    "SELECT region FROM customers UNION ALL SELECT day::varchar FROM orders",
    "SELECT id, sum(id) OVER (PARTITION BY customer ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders",
    "SELECT id, rank() OVER (ORDER BY price, id) FROM orders",
    "SELECT region, count(*) FROM customers GROUP BY ROLLUP (region)",
    "SELECT region, id % 2 p, count(*) FROM customers GROUP BY GROUPING SETS ((region), (p), ())",
    "SELECT id FROM orders WHERE price = (SELECT max(price) FROM orders)",
    "SELECT c.id, (SELECT max(o.price) FROM orders o WHERE o.customer = c.id) FROM customers c",
    "WITH big AS (SELECT * FROM orders WHERE price > 40) SELECT a.id, b.id FROM big a JOIN big b ON a.id = b.id + 1",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT n FROM t",
    "SELECT * FROM orders WHERE false",
    "SELECT count(*) FROM orders WHERE false",
    "SELECT 1 AS one",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t) JOIN customers c ON c.id = v.n",
    "SELECT unnest([id, id + 1]) u FROM customers",
    "SELECT region, array_agg(id ORDER BY id) FROM customers GROUP BY region",
];

#[tokio::test]
async fn any_number_of_partitions_gives_the_rows_of_one_process() {
    let fixture = EngineFixture::with_orders().await;
    for sql in QUERIES {
        let expected = sorted(fixture.expected(sql).await);
        for partitions in [None, Some(1), Some(2), Some(7)] {
            let rows = fixture.run(sql, partitions).await;
            let rows = sorted(rows.unwrap_or_else(|e| panic!("{sql} over {partitions:?}: {e}")));
            assert_eq!(rows, expected, "{sql} over {partitions:?}");
        }
    }
}

#[tokio::test]
async fn a_common_part_of_two_expressions_may_be_null_in_one_plan_only() {
    let fixture = EngineFixture::with_orders().await;
    let sql = "SELECT region, count(*) FILTER (WHERE CASE WHEN name NOT IN (name, 'x') THEN id ELSE 1 END \
               NOT IN (1, id)) FROM customers GROUP BY region";
    let rows = sorted(fixture.run(sql, None).await.expect("rows"));
    assert_eq!(rows, ["north|0", "south|0", "∅|0"]);
}

#[tokio::test]
async fn an_order_is_kept_and_a_limit_takes_the_first() {
    let fixture = EngineFixture::with_orders().await;
    for sql in [
        "SELECT id, price FROM orders ORDER BY price DESC, id",
        "SELECT id, price FROM orders ORDER BY price DESC, id LIMIT 7",
        "SELECT id FROM orders ORDER BY id LIMIT 5 OFFSET 100",
        "SELECT customer, sum(id) s FROM orders GROUP BY customer ORDER BY s DESC NULLS LAST, customer LIMIT 3",
    ] {
        let expected = fixture.expected(sql).await;
        for partitions in [None, Some(1), Some(2), Some(7)] {
            let rows = fixture.run(sql, partitions).await.expect(sql);
            assert_eq!(rows, expected, "{sql} over {partitions:?}");
        }
    }
}

#[tokio::test]
async fn a_limit_without_an_order_gives_so_many_rows_of_the_table() {
    let fixture = EngineFixture::with_orders().await;
    let all = fixture.expected("SELECT id FROM orders").await;
    for partitions in [None, Some(1), Some(7)] {
        let rows = fixture.run("SELECT id FROM orders LIMIT 17", partitions).await.expect("rows");
        assert_eq!(rows.len(), 17);
        assert!(rows.iter().all(|r| all.contains(r)));
    }
}

#[tokio::test]
async fn a_join_with_an_aggregate_and_a_sort_is_several_stages_of_several_tasks() {
    let fixture = EngineFixture::with_orders().await;
    let sql = "SELECT c.region, count(*) n FROM orders o JOIN customers c ON c.id = o.customer \
               GROUP BY c.region ORDER BY n";
    let outcome = fixture.outcome(sql, Some(3)).await;
    let plan = fixture.plan_of(&outcome).await;
    assert_eq!(plan.single, None);
    let tasks: Vec<_> = outcome.stages.iter().map(|s| s.tasks).collect();
    assert_eq!(tasks, [3, 3, 1], "{:?}", outcome.stages);
}

#[tokio::test]
async fn a_small_job_is_one_task_without_an_exchange() {
    let fixture = EngineFixture::with_orders().await;
    let outcome =
        fixture.outcome("SELECT customer, count(*) FROM orders GROUP BY customer", None).await;
    assert_eq!((outcome.tasks, outcome.stages.len()), (1, 1));
}

#[tokio::test]
async fn a_plan_that_cannot_be_spread_is_one_task_and_says_why() {
    let fixture = EngineFixture::with_orders().await;
    let sql = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT n FROM t";
    let outcome = fixture.outcome(sql, Some(4)).await;
    let reason = fixture.plan_of(&outcome).await.single.expect("a reason");
    assert!(reason.contains("RecursiveQueryExec"), "{reason}");
}

#[tokio::test]
async fn now_is_the_same_in_every_task_of_a_run() {
    let fixture = EngineFixture::with_orders().await;
    let sql = "SELECT DISTINCT now() FROM orders";
    assert_eq!(fixture.run(sql, Some(5)).await.expect("rows").len(), 1);
}

#[tokio::test]
async fn an_input_that_changes_under_a_run_fails_it_by_name() {
    let fixture = EngineFixture::with_orders().await;
    for partitions in [None, Some(2)] {
        let job = json!({ "sql": "SELECT count(*) FROM orders", "options": { "partitions": partitions } });
        let event = fixture.world.upload("jobs/change.json", &job.to_string()).await;
        fixture.world.dispatch(&event, &Crash::never()).await;
        fixture.put("tables/orders/1.csv", "id,customer,price,day\n1,1,1.5,2024-01-01\n").await;
        fixture.world.work(&Crash::never()).await;
        let outcomes = fixture.world.outcomes().await;
        let outcome = outcomes.iter().max_by_key(|o| o.ended).expect("an outcome");
        let reason = outcome.reason.as_ref().expect("it failed");
        assert!(reason.contains("tables/orders/1.csv changed"), "{reason}");
    }
}

#[tokio::test]
async fn an_explained_statement_says_what_it_would_do_and_does_nothing() {
    let fixture = EngineFixture::with_orders().await;
    let sql = "EXPLAIN SELECT customer, count(*) FROM orders GROUP BY customer";
    let lines = fixture.run(sql, Some(3)).await.expect("lines");
    assert!(lines[0].contains("table orders: 3 CSV files"), "{lines:?}");
    assert!(lines.iter().any(|l| l.contains("stage 1: 3 tasks, reads 0")), "{lines:?}");
    let one = "EXPLAIN SELECT first_value(id) IGNORE NULLS OVER (ORDER BY id) FROM orders";
    let one = fixture.run(one, Some(3)).await.expect("lines");
    assert!(one.iter().any(|l| l.contains("one task: ")), "{one:?}");
    let copy = "EXPLAIN COPY orders TO 'tables/copy/'";
    let copy = fixture.run(copy, None).await.expect("lines");
    assert!(copy.iter().any(|l| l.contains("tables/copy/")), "{copy:?}");
    assert!(fixture.world.keys("tables/copy/").await.is_empty());
}
