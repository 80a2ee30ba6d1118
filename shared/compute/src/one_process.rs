//! A statement in one process, without stages: what the answers of many tasks are compared with.

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use tidemill_protocol::param::Params;

use crate::corrections;
use crate::functions::{Callables, Known};
use crate::session::register_functions;
use crate::statement::parse;

/// A session that answers as a task does.
///
/// # Errors
/// A function cannot be registered.
pub fn one_process(config: SessionConfig) -> Result<SessionContext> {
    let builder = SessionStateBuilder::new().with_default_features().with_config(config);
    let mut state = corrections::add_rules(builder).build();
    register_functions(&mut state, 0, &Callables::default()).map_err(external)?;
    Ok(SessionContext::new_with_state(state))
}

/// The plan of a statement over the tables of a session, before it is optimized.
///
/// # Errors
/// The statement cannot be planned.
pub async fn plan_in_one_process(state: &SessionState, sql: &str) -> Result<LogicalPlan> {
    let statement = parse(sql, &Params::new(), &Known::default()).map_err(external)?.statement;
    corrections::correct(state.statement_to_plan(statement).await?)
}

fn external(failure: crate::error::Failure) -> DataFusionError {
    DataFusionError::External(failure.into())
}
