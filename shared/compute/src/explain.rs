//! `EXPLAIN`: what a statement would do, as the rows of a job that does nothing else.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use tidemill_protocol::record::{Output, Plan, Read, Stage};

use crate::error::Failure;
use crate::plan::EnginePlan;
use crate::spread::scanned_bytes;
use crate::table::title;

/// What a plan does, line by line.
pub(crate) fn explain(
    plan: &Plan,
    engine_plan: &EnginePlan,
    logical: &LogicalPlan,
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
        Some(reason) => lines.push(format!("one task: {reason}")),
        None => lines.extend(plan.stages.iter().map(|s| stage(plan, s))),
    }
    if let Some(publication) = &plan.publication {
        lines.push(format!("rows go to {}", publication.folder));
        if !publication.replaces.is_empty() {
            lines.push(format!("{} files there are replaced", publication.replaces.len()));
        }
    }
    Ok(lines)
}

/// The operators of a plan before it is cut, below a line that says so.
pub(crate) fn operators(physical: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let text = displayable(physical.as_ref()).indent(false).to_string();
    let title = "operators:".to_owned();
    std::iter::once(title).chain(text.lines().map(|line| format!("  {line}"))).collect()
}

fn stage(plan: &Plan, stage: &Stage) -> String {
    // small partitions share a task, once their sizes are known
    let tasks = match (stage.whole, stage.scans || plan.task_bytes == 0) {
        (true, _) => "1 task".to_owned(),
        (false, true) => format!("{} tasks", stage.partitions),
        (false, false) => format!("1 to {} tasks", stage.partitions),
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
    format!("stage {}: {tasks}{reads}{writes}: {}", stage.id, stage.operators)
}

/// A job whose rows are these lines.
pub(crate) fn statement_of(lines: &[String]) -> String {
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
