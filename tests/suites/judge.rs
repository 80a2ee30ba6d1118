use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::player::patiently;
use crate::engine::EngineFixture;
use crate::support::expected_answer::Answer;
use crate::support::tables::{Table, register};

/// What became of a query.
pub(super) enum Verdict {
    Equal,
    /// It has no answer to compare with.
    OracleFailed(String),
    /// Tidemill says in its own words that it does not do this.
    Refused(String),
    /// DataFusion contradicts itself when the files, their order or its settings are others.
    Unstable(String),
    Failed(String),
    Different(String),
}

/// What Tidemill is known and documented not to do.
const REFUSALS: [&str; 6] = [
    "ALL is not supported",
    "JOIN with USING or NATURAL are not supported",
    "a job is one SELECT statement",
    "words and signs, and at most",
    "operators, and at most",
    "the SQL is nested too deeply",
];

/// Runs a query in the session and over several partitions, and compares.
pub(super) async fn judge(
    fixture: &Arc<EngineFixture>,
    session: &SessionContext,
    tables: &[Arc<Table>],
    sql: &str,
) -> Verdict {
    let (own, text) = (session.clone(), sql.to_owned());
    let expected =
        patiently(async move { Answer::of(&own, &text).await.map_err(|e| plain(&e)) }).await;
    let expected = match expected {
        Ok(expected) => expected,
        Err(why) => return Verdict::OracleFailed(why),
    };
    for partitions in [None, Some(2), Some(7)] {
        let (own, text) = (fixture.clone(), sql.to_owned());
        let rows = patiently(async move { own.rows_over(&text, partitions).await }).await;
        let verdict: fn(String) -> Verdict;
        let why = match rows {
            Err(why) => {
                verdict = Verdict::Failed;
                format!("over {partitions:?}: {why}")
            }
            Ok(rows) => match expected.check(sql, partitions, &rows) {
                Ok(()) => continue,
                Err(why) => {
                    verdict = Verdict::Different;
                    why
                }
            },
        };
        if REFUSALS.iter().any(|r| why.contains(r)) {
            return Verdict::Refused(why);
        }
        return match stable(fixture, tables, sql, &expected).await {
            Ok(()) => verdict(why),
            Err(doubt) => Verdict::Unstable(doubt),
        };
    }
    Verdict::Equal
}

fn plain(e: &datafusion::error::DataFusionError) -> String {
    e.strip_backtrace()
}

/// Whether DataFusion gives the same over the Parquet files, with its own settings, with one
/// partition, and with the rows in another order.
async fn stable(
    fixture: &Arc<EngineFixture>,
    tables: &[Arc<Table>],
    sql: &str,
    expected: &Answer,
) -> Result<(), String> {
    for table in tables {
        fixture.put_table("turned", &table.turned().map_err(|e| plain(&e))?).await;
    }
    for (partitions, batch, folder) in [(4, 8192, "tables"), (1, 8192, "tables"), (3, 2, "turned")]
    {
        let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch);
        let names: Vec<_> = tables.iter().map(|t| t.name.clone()).collect();
        let (fixture, text) = (fixture.clone(), sql.to_owned());
        let rows = patiently(async move {
            let rows = rows(&fixture, config, folder, &names, &text).await;
            rows.map_err(|e| plain(&e))
        });
        let doubt = |why: String| format!("{partitions} partitions of {folder}: {why}");
        let rows = rows.await.map_err(doubt)?;
        expected.check(sql, None, &rows).map_err(doubt)?;
    }
    Ok(())
}

async fn rows(
    fixture: &EngineFixture,
    config: SessionConfig,
    folder: &str,
    tables: &[String],
    sql: &str,
) -> DataFusionResult<Vec<RecordBatch>> {
    // a session of its own: what another one knows of a file may be out of date
    let session = SessionContext::new_with_config(config);
    let bucket = ObjectStoreUrl::parse("memory://b")?;
    let store = fixture.oracle.runtime_env().object_store(&bucket)?;
    session.register_object_store(bucket.as_ref(), store);
    for table in tables {
        register(&session, folder, table).await?;
    }
    session.sql(sql).await?.collect().await
}
