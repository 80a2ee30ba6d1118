//! One query in both engines.

use datafusion::arrow::array::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result as DataFusionResult;
use datafusion::prelude::SessionContext;
use tidemill_compute::plan_in_one_process;

use super::compare::{Rule, compare};
use super::rule::rule;
use crate::engine::EngineFixture;

/// Over how many partitions a query is tried.
pub(crate) const PARTITIONS: [Option<u32>; 5] = [None, Some(1), Some(2), Some(7), Some(16)];

/// What one session says of a query.
pub(crate) struct Answer {
    rule: Rule,
    /// All rows, as if the query had no limit.
    pub(crate) rows: Vec<RecordBatch>,
}

impl Answer {
    pub(crate) async fn of(session: &SessionContext, sql: &str) -> DataFusionResult<Self> {
        let state = session.state();
        let plan = plan_in_one_process(&state, sql).await?;
        let (rule, all) = rule(&plan);
        let rows = DataFrame::new(state, all).collect().await?;
        Ok(Self { rule, rows })
    }

    /// Compares the rows that another way gave.
    pub(crate) fn check(
        &self,
        sql: &str,
        partitions: Option<u32>,
        rows: &[RecordBatch],
    ) -> Result<(), String> {
        compare(sql, partitions, &self.rule, &self.rows, rows)
    }
}

impl EngineFixture {
    pub(crate) async fn answer(&self, sql: &str) -> Result<Answer, String> {
        let answer = Answer::of(&self.oracle, sql).await;
        answer.map_err(|e| format!("the oracle fails: {e}\n{sql}"))
    }

    /// The rows over so many partitions, or why there are none. Nothing but the tables is left in
    /// the bucket, which is listed for each run.
    pub(crate) async fn rows_over(
        &self,
        sql: &str,
        partitions: Option<u32>,
    ) -> Result<Vec<RecordBatch>, String> {
        let rows = self.batches(&self.outcome(sql, partitions).await).await;
        for prefix in ["jobs/", "runs/", "work/", "results/"] {
            let keys = self.world.keys(prefix).await;
            self.world.bucket.delete(&keys).await.expect("deleted");
        }
        rows
    }

    /// How one number of partitions differs from the oracle.
    pub(crate) async fn try_over(
        &self,
        sql: &str,
        partitions: Option<u32>,
        answer: &Answer,
    ) -> Result<(), String> {
        let rows = self.rows_over(sql, partitions).await;
        let rows = rows.map_err(|why| format!("over {partitions:?}: {why}\n{sql}"))?;
        answer.check(sql, partitions, &rows)
    }

    /// How all numbers of partitions differ from the oracle.
    async fn differences(&self, sql: &str) -> Vec<String> {
        let answer = match self.answer(sql).await {
            Ok(answer) => answer,
            Err(why) => return vec![why],
        };
        let mut differences = vec![];
        for partitions in PARTITIONS {
            differences.extend(self.try_over(sql, partitions, &answer).await.err());
        }
        differences
    }

    /// Asserts that named queries give the oracle's rows over any number of partitions.
    pub(crate) async fn assert_same(&self, queries: &[(&str, &str)]) {
        let mut wrong = vec![];
        for (name, sql) in queries {
            let differences = self.differences(sql).await;
            wrong.extend(differences.iter().map(|d| format!("{name}: {d}")));
        }
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n\n"));
    }
}
