//! `DESCRIBE t`: the columns of a table, as rows.

use tidemill_protocol::record::{Plan, StageIo};
use tidemill_protocol::{PlanRequest, WorkerKind, cost};

use crate::catalog::text;
use crate::engine_plan::{EnginePlan, single_stage};
use crate::error::Failure;
use crate::session::ENGINE_VERSION;
use crate::sql_type;
use crate::table::Table;

/// A plan whose rows are the columns of a table.
pub(crate) fn description(request: &PlanRequest<'_>, table: &Table) -> Result<Plan, Failure> {
    let says = EnginePlan::of_statement(statement_of(table), request.now);
    Ok(Plan {
        run: request.run.clone(),
        engine: ENGINE_VERSION.to_owned(),
        stages: vec![single_stage(StageIo::default(), WorkerKind::Normal)],
        task_bytes: cost::TASK_BYTES,
        max_cost_usd: None,
        single: Some("it describes a table".into()),
        publication: None,
        engine_plan: says.stored()?,
        estimate: None,
        explains: None,
    })
}

/// The columns of a table, those of partition folders last, and their types.
pub(crate) fn columns_of(table: &Table) -> Vec<(String, String)> {
    let fields = table.file_schema();
    let of_files =
        fields.fields().iter().map(|f| (f.name().clone(), sql_type::name(f.data_type())));
    let of_keys = table.partition_columns.iter();
    let of_keys = of_keys.map(|c| (c.name.clone(), sql_type::name(&c.kind.data_type())));
    of_files.chain(of_keys).collect()
}

/// A statement whose rows are the columns of a table and their types.
fn statement_of(table: &Table) -> String {
    let rows: Vec<_> = columns_of(table)
        .iter()
        .enumerate()
        .map(|(n, (name, kind))| format!("({n}, {}, {})", text(name), text(kind)))
        .collect();
    format!(
        "SELECT column_name, data_type FROM (VALUES {}) AS t(n, column_name, data_type) ORDER BY n",
        rows.join(", ")
    )
}
