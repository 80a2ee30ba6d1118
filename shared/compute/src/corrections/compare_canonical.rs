//! Makes whoever compares floats or intervals compare [canonical](super::canonical) ones: comparisons,
//! joins, groups, DISTINCT, orders, windows, and the functions that look for equal or for the greatest.
//!
//! Only where values are compared: a result keeps its `-0.0`. That also keeps DataFusion from trusting
//! the bounds that Parquet files give for floats, which leave NaN out.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Distinct, Expr, ExprSchemable, GroupingSet, LogicalPlan, LogicalPlanBuilder, Operator,
    SortExpr, Subquery, WindowFunctionDefinition,
};
use datafusion::optimizer::AnalyzerRule;

use super::canonical::{canonical, canonical_value, has_forms};
use super::map_named;

/// Functions that compare values of their arguments.
const COMPARING_FUNCTIONS: [&str; 20] = [
    "greatest",
    "least",
    "nullif",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_position",
    "array_positions",
    "array_remove",
    "array_remove_n",
    "array_remove_all",
    "array_replace",
    "array_replace_n",
    "array_replace_all",
    "array_distinct",
    "array_union",
    "array_intersect",
    "array_except",
    "array_sort",
    "array_max",
];

/// Aggregates that compare values of their arguments.
const COMPARING_AGGREGATES: [&str; 8] = [
    "min",
    "max",
    "median",
    "percentile_cont",
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "mode",
];

/// The rule; it has to run after types are coerced.
#[derive(Debug)]
pub(super) struct CompareCanonical;

impl AnalyzerRule for CompareCanonical {
    fn name(&self) -> &'static str {
        "compare_canonical"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(rewrite_node)?.data)
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let plan = match plan {
        LogicalPlan::Distinct(Distinct::All(input)) => {
            LogicalPlan::Distinct(Distinct::All(canonical_columns(input)?))
        }
        LogicalPlan::RecursiveQuery(mut query) if query.is_distinct => {
            query.static_term = canonical_columns(query.static_term)?;
            query.recursive_term = canonical_columns(query.recursive_term)?;
            LogicalPlan::RecursiveQuery(query)
        }
        other => other,
    };
    let schema = merge_schema(&plan.inputs());
    let keys = Keys { schema: &schema };
    let is_key = matches!(plan, LogicalPlan::Sort(_) | LogicalPlan::Join(_));
    // the first expressions are keys, and of DISTINCT ON the last ones, its order, too
    let (groups, order) = match &plan {
        LogicalPlan::Aggregate(aggregate) => (keys_of(&aggregate.group_expr), usize::MAX),
        LogicalPlan::Distinct(Distinct::On(on)) => {
            (on.on_expr.len(), on.on_expr.len() + on.select_expr.len())
        }
        _ => (0, usize::MAX),
    };
    let filter = match &plan {
        // of a join, keys come first and its filter last
        LogicalPlan::Join(join) => join.filter.clone(),
        _ => None,
    };
    let mut number = 0;
    map_named(plan, |expr| {
        let is_value = number < groups;
        let is_key =
            (is_key && Some(&expr) != filter.as_ref()) || number < groups || number >= order;
        number += 1;
        let rewritten = expr.transform_up(|e| keys.rewrite(e))?;
        match is_key {
            true if is_value => rewritten.transform_data(|e| Ok(Transformed::yes(keys.value(e)?))),
            true => rewritten.transform_data(|e| Ok(Transformed::yes(keys.key(e)?))),
            false => Ok(rewritten),
        }
    })
}

/// How many keys the groups of an aggregate have, each as often as it is written.
fn keys_of(groups: &[Expr]) -> usize {
    match groups {
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().map(Vec::len).sum(),
        [Expr::GroupingSet(GroupingSet::Rollup(keys) | GroupingSet::Cube(keys))] => keys.len(),
        keys => keys.len(),
    }
}

/// Whether an operator compares two values.
pub(super) fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// The same rows, canonical.
fn canonical_columns(plan: Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
    let schema: DFSchemaRef = plan.schema().clone();
    if !schema.fields().iter().any(|f| has_forms(f.data_type())) {
        return Ok(plan);
    }
    let columns = schema.iter().map(|(relation, field)| {
        let column = Expr::from((relation, field));
        match field.data_type() {
            DataType::Interval(_) => {
                canonical_value(column).alias_qualified(relation.cloned(), field.name())
            }
            other if has_forms(other) => {
                canonical(column).alias_qualified(relation.cloned(), field.name())
            }
            _ => column,
        }
    });
    let columns: Vec<Expr> = columns.collect();
    Ok(Arc::new(LogicalPlanBuilder::new_from_arc(plan).project(columns)?.build()?))
}

struct Keys<'a> {
    /// Of the inputs of a node.
    schema: &'a DFSchema,
}

impl Keys<'_> {
    fn is_ambiguous(&self, expr: &Expr) -> Result<bool> {
        Ok(match expr {
            Expr::OuterReferenceColumn(field, _) => has_forms(field.data_type()),
            // columns of an outer query are not in the schema
            other => other.get_type(self.schema).is_ok_and(|t| has_forms(&t)),
        })
    }

    fn key(&self, expr: Expr) -> Result<Expr> {
        Ok(if self.is_ambiguous(&expr)? { canonical(expr) } else { expr })
    }

    /// A key that is given back, too.
    fn value(&self, expr: Expr) -> Result<Expr> {
        match expr.get_type(self.schema) {
            Ok(DataType::Interval(_)) => Ok(canonical_value(expr)),
            _ => self.key(expr),
        }
    }

    fn values(&self, all: Vec<Expr>) -> Result<Vec<Expr>> {
        all.into_iter().map(|e| self.value(e)).collect()
    }

    fn keys(&self, all: Vec<Expr>) -> Result<Vec<Expr>> {
        all.into_iter().map(|e| self.key(e)).collect()
    }

    fn boxed(&self, expr: Expr) -> Result<Box<Expr>> {
        Ok(Box::new(self.key(expr)?))
    }

    fn orders(&self, all: Vec<SortExpr>) -> Result<Vec<SortExpr>> {
        all.into_iter().map(|s| Ok(SortExpr { expr: self.key(s.expr)?, ..s })).collect()
    }

    fn rewrite(&self, expr: Expr) -> Result<Transformed<Expr>> {
        Ok(Transformed::yes(match expr {
            Expr::BinaryExpr(mut e) if compares(e.op) => {
                if self.is_ambiguous(&e.left)? || self.is_ambiguous(&e.right)? {
                    (e.left, e.right) = (self.boxed(*e.left)?, self.boxed(*e.right)?);
                }
                Expr::BinaryExpr(e)
            }
            Expr::Between(mut e) => {
                e.expr = self.boxed(*e.expr)?;
                (e.low, e.high) = (self.boxed(*e.low)?, self.boxed(*e.high)?);
                Expr::Between(e)
            }
            Expr::InList(mut e) => {
                (e.expr, e.list) = (self.boxed(*e.expr)?, self.keys(e.list)?);
                Expr::InList(e)
            }
            Expr::Case(mut e) if e.expr.is_some() => {
                e.expr = e.expr.map(|value| self.boxed(*value)).transpose()?;
                let when = |(when, then): (Box<Expr>, _)| Ok((self.boxed(*when)?, then));
                e.when_then_expr = e.when_then_expr.into_iter().map(when).collect::<Result<_>>()?;
                Expr::Case(e)
            }
            Expr::InSubquery(mut e) => {
                (e.expr, e.subquery) = (self.boxed(*e.expr)?, canonical_subquery(&e.subquery)?);
                Expr::InSubquery(e)
            }
            Expr::SetComparison(mut e) => {
                (e.expr, e.subquery) = (self.boxed(*e.expr)?, canonical_subquery(&e.subquery)?);
                Expr::SetComparison(e)
            }
            Expr::ScalarFunction(mut e) if COMPARING_FUNCTIONS.contains(&e.name()) => {
                e.args = self.values(e.args)?;
                Expr::ScalarFunction(e)
            }
            Expr::AggregateFunction(e) => Expr::AggregateFunction(self.aggregate(e)?),
            Expr::WindowFunction(e) => Expr::WindowFunction(Box::new(self.window(*e)?)),
            other => return Ok(Transformed::no(other)),
        }))
    }

    fn aggregate(&self, mut e: AggregateFunction) -> Result<AggregateFunction> {
        if e.params.distinct || COMPARING_AGGREGATES.contains(&e.func.name()) {
            e.params.args = self.values(e.params.args)?;
        }
        e.params.order_by = self.orders(e.params.order_by)?;
        Ok(e)
    }

    fn window(&self, mut e: WindowFunction) -> Result<WindowFunction> {
        let compares = match &e.fun {
            WindowFunctionDefinition::AggregateUDF(f) => COMPARING_AGGREGATES.contains(&f.name()),
            WindowFunctionDefinition::WindowUDF(_) => false,
        };
        if compares || e.params.distinct {
            e.params.args = self.values(e.params.args)?;
        }
        e.params.partition_by = self.keys(e.params.partition_by)?;
        e.params.order_by = self.orders(e.params.order_by)?;
        Ok(e)
    }
}

fn canonical_subquery(subquery: &Subquery) -> Result<Subquery> {
    let plan = canonical_columns(subquery.subquery.clone())?;
    Ok(subquery.with_plan(plan))
}
