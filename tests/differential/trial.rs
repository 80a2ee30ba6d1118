use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::prelude::{ParquetReadOptions, SessionConfig};
use futures::future::join_all;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use tidemill_compute::{one_process, plan_in_one_process};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::case::Case;
use super::table::{Format, Table};
use crate::engine::EngineFixture;
use crate::support::compare::{Rule, compare};
use crate::support::functions;

/// No query takes so long, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the engine says of queries that it should answer and does not yet.
const KNOWN_GAPS: &[&str] = &[
    // an exchange forgets which columns are constant or sorted, and a window asks for it
    "Expects PARTITION BY expression to be ordered",
    "All partition by columns should have an ordering",
];

/// Runs cases and counts what came of them.
pub(crate) struct Trial {
    runtime: Runtime,
    tally: RefCell<Tally>,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Cases that the single process has no answer to.
    pub(crate) without_answer: u64,
    /// Cases whose answer has no rows.
    pub(crate) without_rows: u64,
    /// Runs that differ, of queries that one process is wrong about as well: over several
    /// partitions, or in the order of its rows.
    pub(crate) wrong_alone: u64,
    /// Runs that the engine is known to fail.
    pub(crate) known_gaps: u64,
    /// Runs over several partitions.
    pub(crate) could_spread: u64,
    /// Those of them that were not one task.
    pub(crate) spread: u64,
}

impl Trial {
    pub(crate) fn new() -> Self {
        // more threads than queries at a time: one that does not end leaves some for the clock
        let runtime = Builder::new_multi_thread().worker_threads(16).enable_all().build();
        let runtime = runtime.expect("a runtime");
        Self { runtime, tally: RefCell::default() }
    }

    pub(crate) fn into_tally(self) -> Tally {
        self.tally.into_inner()
    }

    pub(crate) fn run(&self, case: &Case) -> TestCaseResult {
        self.runtime.block_on(self.compare_all(case)).map_err(TestCaseError::fail)
    }

    async fn compare_all(&self, case: &Case) -> Result<(), String> {
        let sql = case.query.sql();
        let expected = alone(expected(case.clone())).await;
        match &expected {
            Err(e) => {
                eprintln!("no answer in one process: {e}\n{sql}\n");
                self.tally.borrow_mut().without_answer += 1;
            }
            Ok(rows) => self.tally.borrow_mut().without_rows += u64::from(rows.num_rows() == 0),
        }
        let answers = case.partitions.iter().map(|p| alone(answer(case.clone(), *p)));
        for (answer, partitions) in join_all(answers).await.into_iter().zip(&case.partitions) {
            let (expected, answer) = match (&expected, answer) {
                (Ok(expected), Ok(answer)) => (expected, answer),
                (Ok(_), Err(e)) if KNOWN_GAPS.iter().any(|gap| e.contains(gap)) => {
                    self.tally.borrow_mut().known_gaps += 1;
                    continue;
                }
                (Ok(expected), Err(e)) => {
                    let rule = Rule::default();
                    self.blame(case, *partitions, &rule, expected, &e).await?;
                    continue;
                }
                // an error may depend on the rows that are looked at first
                (Err(_), _) => continue,
            };
            if partitions.is_some_and(|n| n > 1) {
                self.tally.borrow_mut().count(answer.is_spread);
            }
            let rule = case.query.rule(expected.schema_ref());
            let rows = std::slice::from_ref(expected);
            if let Err(why) = compare(&sql, *partitions, &rule, rows, &answer.batches) {
                self.blame(case, *partitions, &rule, expected, &why).await?;
            }
        }
        Ok(())
    }

    /// An error if one process does better: over as many partitions, and over the same Parquet files,
    /// whose bounds of floats leave NaN out.
    async fn blame(
        &self,
        case: &Case,
        partitions: Option<u32>,
        rule: &Rule,
        expected: &RecordBatch,
        why: &str,
    ) -> Result<(), String> {
        let sql = case.query.ordered();
        let whole = Rule::ordered_by(&rule.keys);
        let many = partitions.unwrap_or(2);
        for (target, from) in [(1, From::Memory), (many, From::Memory), (many, From::Files)] {
            let rows = alone(in_one_process(case.clone(), sql.clone(), target, from)).await;
            let expected = std::slice::from_ref(expected);
            if !rows.is_ok_and(|rows| compare(&sql, None, &whole, expected, &[rows]).is_ok()) {
                eprintln!("one process fails over {target} partitions, {from:?}: {why}\n{sql}\n");
                self.tally.borrow_mut().wrong_alone += 1;
                return Ok(());
            }
        }
        Err(format!("over {partitions:?} partitions: {why}\n{}", case.query.sql()))
    }
}

impl Tally {
    fn count(&mut self, is_spread: bool) {
        self.could_spread += 1;
        self.spread += u64::from(is_spread);
    }
}

/// Runs on a task of its own, so that a panic is a failure like others, and not for ever.
async fn alone<T: Send + 'static>(
    work: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    match timeout(PATIENCE, tokio::spawn(work)).await {
        Ok(Ok(done)) => done,
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("there is no end after {PATIENCE:?}")),
    }
}

struct Answer {
    batches: Vec<RecordBatch>,
    is_spread: bool,
}

/// What the engine makes of a case, in a bucket of its own.
async fn answer(case: Case, partitions: Option<u32>) -> Result<Answer, String> {
    let fixture = EngineFixture::new().with_functions().await;
    for (key, bytes) in case.tables.iter().flat_map(Table::files) {
        fixture.put(&key, bytes).await;
    }
    let outcome = fixture.outcome(&case.query.sql(), partitions).await;
    let batches = fixture.batches(&outcome).await?;
    Ok(Answer { batches, is_spread: fixture.plan_of(&outcome).await.single.is_none() })
}

/// All rows that the query may give, in its order.
async fn expected(case: Case) -> Result<RecordBatch, String> {
    let rows = in_one_process(case.clone(), case.query.body(), 1, From::Memory).await?;
    // sorted here, for it is the planner that may leave out a sort
    case.query.sort(&rows).ok_or_else(|| "the query is ordered by what it does not give".into())
}

/// Where one process has its rows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Memory,
    /// Those that are Parquet.
    Files,
}

async fn in_one_process(
    case: Case,
    sql: String,
    partitions: u32,
    from: From,
) -> Result<RecordBatch, String> {
    let config = SessionConfig::new().with_target_partitions(partitions as usize);
    let session = one_process(config).expect("a session");
    for function in functions::in_one_process() {
        session.register_udf(function);
    }
    let dir = tempfile::tempdir().expect("a folder");
    for table in &case.tables {
        if from == From::Files && table.format == Format::Parquet {
            let folder = dir.path().join(format!("tables/{}", table.name));
            std::fs::create_dir_all(&folder).expect("a folder");
            for (key, bytes) in table.files() {
                std::fs::write(dir.path().join(key), bytes).expect("written");
            }
            let folder = folder.to_str().expect("a plain name");
            let options = ParquetReadOptions::default();
            session.register_parquet(table.name, folder, options).await.expect("a table");
            continue;
        }
        let batch = table.in_memory();
        let memory = MemTable::try_new(batch.schema(), vec![vec![batch]]).expect("a table");
        session.register_table(table.name, Arc::new(memory)).expect("a new name");
    }
    let state = session.state();
    let plan = plan_in_one_process(&state, &sql).await.map_err(|e| e.to_string())?;
    let frame = DataFrame::new(state, plan);
    let schema = frame.schema().inner().clone();
    let batches = frame.collect().await.map_err(|e| e.to_string())?;
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    concat_batches(&schema, &batches).map_err(|e| e.to_string())
}
