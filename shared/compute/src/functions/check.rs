//! What the engine's planner takes without a word, and leaves out: `abs(DISTINCT a)`, `abs(a) OVER ()`.

use std::ops::ControlFlow;

use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, TableFactor, Visit, Visitor,
};
use tidemill_protocol::function::FunctionKind;

use super::Callables;
use crate::error::{Failure, refused};
use crate::statement::{Parsed, function_name};

/// # Errors
/// A sentence: a function is called as one of another kind is.
pub(super) fn calls(
    state: &SessionState,
    parsed: &Parsed,
    functions: &Callables,
) -> Result<(), Failure> {
    let Statement::Statement(statement) = &parsed.statement else { return Ok(()) };
    match statement.visit(&mut Checker { state, functions }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(sentence) => refused(sentence),
    }
}

struct Checker<'a> {
    state: &'a SessionState,
    functions: &'a Callables,
}

impl Checker<'_> {
    fn kind(&self, name: &str) -> Option<FunctionKind> {
        if let Some(callable) = self.functions.get(name) {
            return Some(callable.function.kind);
        }
        let groups = self.state.aggregate_functions().contains_key(name)
            || self.state.window_functions().contains_key(name);
        let is_scalar = self.state.scalar_functions().contains_key(name) && !groups;
        is_scalar.then_some(FunctionKind::Scalar)
    }

    fn check(&self, call: &Function) -> Result<(), String> {
        let Some(name) = function_name(&call.name) else { return Ok(()) };
        let is_ours = self.functions.contains_key(&name);
        let Some(kind) = self.kind(&name) else { return Ok(()) };
        let FunctionArguments::List(list) = &call.args else { return Ok(()) };
        let is_star = |arg: &FunctionArg| {
            matches!(
                arg,
                FunctionArg::Unnamed(
                    FunctionArgExpr::Wildcard | FunctionArgExpr::QualifiedWildcard(_)
                )
            )
        };
        if is_ours && list.args.iter().any(is_star) {
            return Err(format!("{name}(*) is not supported: name the columns that it takes"));
        }
        if kind == FunctionKind::Aggregate {
            return Ok(());
        }
        let is_order = |c: &FunctionArgumentClause| matches!(c, FunctionArgumentClause::OrderBy(_));
        let what = match () {
            () if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) => "DISTINCT",
            () if call.filter.is_some() => "FILTER",
            () if list.clauses.iter().any(is_order) => "ORDER BY",
            () if call.over.is_some() => "OVER",
            () => return Ok(()),
        };
        Err(format!("{name}() is no aggregate, so it is not called with {what}"))
    }
}

impl Visitor for Checker<'_> {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        match self.check(call) {
            Ok(()) => ControlFlow::Continue(()),
            Err(sentence) => ControlFlow::Break(sentence),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        if let TableFactor::Table { name: of, args: Some(_), .. }
        | TableFactor::Function { name: of, .. } = table
            && let Some(name) = function_name(of)
            && let Some(callable) = self.functions.get(&name)
            && callable.function.kind != FunctionKind::Table
        {
            return ControlFlow::Break(format!(
                "{name}() gives a value and no table: SELECT {name}(…)"
            ));
        }
        ControlFlow::Continue(())
    }
}
