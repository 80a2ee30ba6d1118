//! Quotients of what PostgreSQL has as numeric, and DataFusion 55.2 as integers: parts of a date, and sums of
//! bigint. `ceil(extract(month FROM d) / 3)` is a quarter, and `count(*) * 100 / sum(count(*)) OVER ()` a share.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;

use super::{has_expr, map_named};

/// All digits of a bigint; of those of a sum there are no more.
const WHOLE: DataType = DataType::Decimal128(20, 0);

/// The rule; it has to run before types are coerced, because it changes them.
#[derive(Debug)]
pub(super) struct Quotients;

impl AnalyzerRule for Quotients {
    fn name(&self) -> &'static str {
        "quotients"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(rewrite_node)?.data)
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !has_expr(&plan, |e| matches!(e, Expr::BinaryExpr(e) if e.op == Operator::Divide)) {
        return Ok(Transformed::no(plan));
    }
    let inputs: Vec<LogicalPlan> = plan.inputs().into_iter().cloned().collect();
    let inputs: Vec<&LogicalPlan> = inputs.iter().collect();
    let schema = merge_schema(&inputs);
    map_named(plan, |expr| {
        expr.transform_up(|e| {
            let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) = e else {
                return Ok(Transformed::no(e));
            };
            let is_integer = |e: &Expr| e.get_type(&schema).is_ok_and(|t| t.is_integer());
            let is_fraction = is_integer(&left)
                && is_integer(&right)
                && [&left, &right].into_iter().any(|e| is_numeric(e, &schema, &inputs));
            let left = if is_fraction { Box::new(cast(*left, WHOLE)) } else { left };
            let quotient = Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right });
            Ok(Transformed::new_transformed(quotient, is_fraction))
        })
    })
}

/// Whether PostgreSQL has an integer as numeric.
fn is_numeric(e: &Expr, schema: &DFSchema, inputs: &[&LogicalPlan]) -> bool {
    let is_sum = |name: &str, args: &[Expr]| {
        let is_wide = |t| matches!(t, DataType::Int64 | DataType::UInt64);
        name == "sum" && args.first().is_some_and(|of| of.get_type(schema).is_ok_and(is_wide))
    };
    match e {
        Expr::ScalarFunction(f) => f.name() == "date_part",
        Expr::AggregateFunction(f) => is_sum(f.func.name(), &f.params.args),
        Expr::WindowFunction(f) => is_sum(f.fun.name(), &f.params.args),
        Expr::BinaryExpr(e) => {
            is_numeric(&e.left, schema, inputs) || is_numeric(&e.right, schema, inputs)
        }
        Expr::Alias(e) => is_numeric(&e.expr, schema, inputs),
        Expr::Negative(e) => is_numeric(e, schema, inputs),
        Expr::Column(column) => inputs.iter().any(|plan| column_is_numeric(column, plan)),
        _ => false,
    }
}

fn column_is_numeric(column: &Column, plan: &LogicalPlan) -> bool {
    let Ok(index) = plan.schema().index_of_column(column) else { return false };
    output_is_numeric(index, plan)
}

/// The same of a column of a plan, as far down as it comes from.
fn output_is_numeric(index: usize, plan: &LogicalPlan) -> bool {
    let of = |e: &Expr, input: &LogicalPlan| is_numeric(e, input.schema(), &[input]);
    match plan {
        LogicalPlan::Projection(p) => p.expr.get(index).is_some_and(|e| of(e, &p.input)),
        LogicalPlan::SubqueryAlias(alias) => output_is_numeric(index, &alias.input),
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_) => {
            plan.inputs().first().is_some_and(|input| output_is_numeric(index, input))
        }
        LogicalPlan::Aggregate(a) => {
            let groups = a.schema.fields().len() - a.aggr_expr.len();
            match index.checked_sub(groups) {
                None => a.group_expr.get(index).is_some_and(|e| of(e, &a.input)),
                Some(value) => of(&a.aggr_expr[value], &a.input),
            }
        }
        LogicalPlan::Window(w) => {
            let columns = w.input.schema().fields().len();
            match index.checked_sub(columns) {
                None => output_is_numeric(index, &w.input),
                Some(value) => of(&w.window_expr[value], &w.input),
            }
        }
        LogicalPlan::Join(join) => {
            let columns = join.left.schema().fields().len();
            match index.checked_sub(columns) {
                None => output_is_numeric(index, &join.left),
                Some(right) => output_is_numeric(right, &join.right),
            }
        }
        _ => false,
    }
}
