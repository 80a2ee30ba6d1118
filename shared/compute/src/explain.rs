//! `EXPLAIN`: what a statement would do, as the rows of a job that does nothing else.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionContext;
use tidemill_protocol::cost::{self, Bounds, Estimate, StageEstimate, idle_usd_per_month, limits};
use tidemill_protocol::record::{Output, Plan, Read, Stage, StageIo};
use tidemill_protocol::{WorkerKind, Workers, dollars};

use crate::engine_plan::{EnginePlan, single_stage};
use crate::error::Failure;
use crate::spread::scanned_bytes;
use crate::table::title;

/// A plan whose rows say what another would do.
pub(crate) async fn explanation(
    plan: Plan,
    engine_plan: &EnginePlan,
    context: &SessionContext,
    logical: &LogicalPlan,
    workers: &Workers,
) -> Result<Plan, Failure> {
    let estimate = cost::estimate(&plan, workers);
    let mut lines = explain(&plan, engine_plan, logical, &estimate)?;
    let state = context.state();
    let physical = state.query_planner().create_physical_plan(logical, &state).await?;
    lines.extend(operators(&physical));
    let says = EnginePlan::of_statement(statement_of(&lines), engine_plan.now);
    Ok(Plan {
        run: plan.run.clone(),
        engine: plan.engine.clone(),
        stages: vec![single_stage(StageIo::default(), WorkerKind::Normal)],
        task_bytes: plan.task_bytes,
        max_cost_usd: None,
        single: Some("it explains a statement".into()),
        publication: None,
        engine_plan: says.stored()?,
        estimate: None,
        explains: Some(Box::new(Plan {
            engine_plan: serde_json::Value::Null,
            estimate: Some(estimate),
            ..plan
        })),
    })
}

/// What a plan does, line by line.
fn explain(
    plan: &Plan,
    engine_plan: &EnginePlan,
    logical: &LogicalPlan,
    estimate: &Estimate,
) -> Result<Vec<String>, Failure> {
    let mut lines = vec![];
    let scanned = scanned_bytes(logical, &engine_plan.tables)?;
    for (table, scanned) in engine_plan.tables.iter().zip(scanned) {
        lines.push(format!(
            "table {}: {} {} files, {}, of which the columns that are read have {}",
            table.name,
            table.files.len(),
            title(table.format),
            size(table.bytes()),
            size(scanned.total)
        ));
    }
    match &plan.single {
        Some(reason) => {
            let on = match plan.stages.first().map(|s| s.worker) {
                Some(other) if other != WorkerKind::Normal => {
                    format!(" on {} workers", other.name())
                }
                _ => String::new(),
            };
            lines.push(format!("one task{on}: {reason}"));
        }
        None => {
            let stages = plan.stages.iter().zip(&estimate.stages);
            lines.extend(stages.flat_map(|(s, e)| [stage(s, e), stage_takes(e)]));
        }
    }
    if let Some(publication) = &plan.publication {
        lines.push(format!("rows go to {}", publication.folder));
        if !publication.replaces.is_empty() {
            lines.push(format!("{} files there are replaced", publication.replaces.len()));
        }
    }
    lines.extend(takes(estimate));
    lines.extend(limits(plan, estimate).iter().map(|limit| format!("limit: {limit}")));
    Ok(lines)
}

/// What a stage takes, below the line that says what it does.
fn stage_takes(estimate: &StageEstimate) -> String {
    format!(
        "  {} of tables, {} of exchanges, {} requests, {} s a task, {} GB-seconds, {}",
        range(estimate.table_bytes, size),
        range(estimate.exchange_bytes, size),
        range(estimate.requests, |n| n.to_string()),
        range(estimate.message_seconds, seconds),
        range(estimate.gb_seconds, seconds),
        range(estimate.cost_usd, dollars)
    )
}

/// What a run takes, line by line.
fn takes(estimate: &Estimate) -> Vec<String> {
    let (total, workers) = (&estimate.total, &estimate.workers);
    let ramp = workers.ramp();
    let number = |n: u64| n.to_string();
    let line = |name: &str, range: String| format!("  {name:<20}{range}");
    vec![
        format!(
            "it takes, on AWS Lambda with workers of {} MiB, of which {} start at once and {} more \
             each minute, up to {}:",
            workers.mib,
            ramp.at_once,
            60.0 * ramp.per_second,
            ramp.most
        ),
        line("tasks", range(total.tasks, number)),
        line("bytes of tables", range(total.table_bytes, size)),
        line("bytes of exchanges", range(total.exchange_bytes, size)),
        line("requests", range(total.requests, number)),
        line("GB-seconds", range(total.gb_seconds, seconds)),
        line("seconds", range(total.seconds, seconds)),
        line("price", range(total.cost_usd, dollars)),
        format!(
            "while nothing runs, the event sources of a deployment ask their queues for {} a month{}",
            dollars(idle_usd_per_month()),
            if workers.pollers > 0 { "; its provisioned pollers are paid besides" } else { "" }
        ),
    ]
}

fn range<T: Copy + Default + PartialEq>(range: Bounds<T>, text: impl Fn(T) -> String) -> String {
    let Bounds { low, high } = range;
    let (from, to) = (text(low), text(high));
    match from == to {
        true => to,
        false if low == T::default() => format!("at most {to}"),
        false => format!("{from} to {to}"),
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.2}") } else { format!("{seconds:.0}") }
}

/// The operators of a plan before it is cut, below a line that says so.
fn operators(physical: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let text = displayable(physical.as_ref()).indent(false).to_string();
    let title = "operators:".to_owned();
    std::iter::once(title).chain(text.lines().map(|line| format!("  {line}"))).collect()
}

fn stage(stage: &Stage, estimate: &StageEstimate) -> String {
    let tasks = match estimate.tasks.high {
        1 => "1 task".to_owned(),
        _ => format!("{} tasks", range(estimate.tasks, |n| n.to_string())),
    };
    let inputs: Vec<_> = stage
        .inputs
        .iter()
        .map(|input| match input.read {
            Read::Slot => input.stage.to_string(),
            Read::All => format!("all of {}", input.stage),
        })
        .collect();
    let reads =
        if inputs.is_empty() { String::new() } else { format!(", reads {}", inputs.join(", ")) };
    let writes = match stage.output {
        Output::Exchange { slots } => format!(", writes {slots} slots"),
        Output::Result => String::new(),
    };
    let on = match stage.worker {
        WorkerKind::Normal => String::new(),
        other => format!(" on {} workers", other.name()),
    };
    format!("stage {}: {tasks}{on}{reads}{writes}: {}", stage.id, stage.operators)
}

/// A job whose rows are these lines.
fn statement_of(lines: &[String]) -> String {
    let quoted = |line: &String| line.replace('\'', "''");
    let rows: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(n, line)| format!("({}, '{}')", n + 1, quoted(line)))
        .collect();
    format!("SELECT line, plan FROM (VALUES {}) AS t(line, plan) ORDER BY line", rows.join(", "))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_quotes_survive() {
        let sql = statement_of(&["a 'b'".into(), "c".into()]);
        assert!(sql.contains("(1, 'a ''b'''), (2, 'c')"), "{sql}");
    }

    #[test]
    fn sizes_are_in_decimal_units() {
        assert_eq!([999, 1_500_000, 2_000_000_000].map(size), ["1.0 kB", "1.5 MB", "2.00 GB"]);
    }
}
