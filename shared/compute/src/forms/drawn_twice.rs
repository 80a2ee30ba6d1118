//! `WITH a AS (SELECT random() …)`: what is drawn is the same wherever `a` is named. DataFusion puts the
//! query in each place, and draws again.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, TableFactor, Visit, Visitor, With};

use super::Rewritten;

/// Functions that give another value each time.
const VOLATILE: [&str; 4] = ["random", "rand", "uuid", "gen_random_uuid"];

/// # Errors
/// A name of `WITH` that draws is used more than once.
pub(super) fn refuse(query: &Query, volatile: &BTreeSet<String>) -> Rewritten {
    let Some(with) = &query.with else { return Ok(()) };
    let drawing = drawing(with, volatile);
    if drawing.is_empty() {
        return Ok(());
    }
    let mut uses = Uses::new(volatile);
    let _ = query.visit(&mut uses);
    let twice = |name: &&String| uses.tables.iter().filter(|t| t == name).count() > 1;
    match drawing.iter().find(twice) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{name} draws random values and is named more than once, so each place would have others: \
             write it to a table first"
        )),
    }
}

/// The names whose rows are drawn, by themselves or through others.
fn drawing(with: &With, volatile: &BTreeSet<String>) -> HashSet<String> {
    let mut drawing = HashSet::new();
    for table in &with.cte_tables {
        let mut uses = Uses::new(volatile);
        let _ = table.query.visit(&mut uses);
        if uses.draws || uses.tables.iter().any(|t| drawing.contains(t)) {
            drawing.insert(table.alias.name.value.to_lowercase());
        }
    }
    drawing
}

struct Uses<'a> {
    tables: Vec<String>,
    draws: bool,
    /// Functions that draw, beside the engine's.
    volatile: &'a BTreeSet<String>,
}

impl<'a> Uses<'a> {
    fn new(volatile: &'a BTreeSet<String>) -> Self {
        Self { tables: vec![], draws: false, volatile }
    }
}

impl Visitor for Uses<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } =
            factor
        {
            self.draws |= self.volatile.contains(&name.to_string().to_lowercase());
        }
        if let TableFactor::Table { name, args: None, .. } = factor
            && let [only] = name.0.as_slice()
            && let Some(name) = only.as_ident()
        {
            self.tables.push(name.value.to_lowercase());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(f) = expr {
            let name = f.name.to_string().to_lowercase();
            self.draws |= VOLATILE.contains(&name.as_str()) || self.volatile.contains(&name);
        }
        ControlFlow::Continue(())
    }
}
