//! What stands before a condition guards it: in `d <> 0 AND 100 / d > 5` the division is done only for
//! rows that are past the first condition.
//!
//! DataFusion 55.2 evaluates both sides of `AND` and `OR` for all rows unless the left one decides most
//! of them. A `CASE` evaluates a branch for its own rows only.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable, Filter, LogicalPlan, Operator, lit, when,
};
use datafusion::scalar::ScalarValue;

use super::checked::is_checked;
use super::map_named;

/// Functions that fail for some values.
const FAILING_FUNCTIONS: [&str; 13] = [
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_date",
    "to_time",
    "make_date",
    "power",
    "factorial",
    "chr",
    "decode",
    "decimal_of_float",
];

/// Guards the conditions of an optimized plan.
pub(super) fn guard(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(guard_node)?.data)
}

fn guard_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = match &plan {
        LogicalPlan::Filter(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_) => merge_schema(&plan.inputs()),
        _ => return Ok(Transformed::no(plan)),
    };
    if let LogicalPlan::Filter(filter) = plan {
        let predicate = guard_conditions(filter.predicate, &schema)?;
        let filter = Filter::try_new(predicate.data, filter.input)?;
        return Ok(Transformed::new_transformed(
            LogicalPlan::Filter(filter),
            predicate.transformed,
        ));
    }
    if let LogicalPlan::Join(mut join) = plan {
        let Some(filter) = join.filter.take() else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        let filter = guard_conditions(filter, &schema)?;
        join.filter = Some(filter.data);
        return Ok(Transformed::new_transformed(LogicalPlan::Join(join), filter.transformed));
    }
    map_named(plan, |expr| guard_values(expr, &schema))
}

/// The conditions that cannot fail come first, and each other one is evaluated where all before it hold.
fn guard_conditions(predicate: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let predicate = guard_values_within(predicate, schema)?;
    if !may_fail(&predicate.data, schema) || predicate.data.is_volatile() {
        return Ok(predicate);
    }
    let conditions = split_conjunction_owned(predicate.data.clone());
    if conditions.len() == 1 {
        return Ok(predicate);
    }
    let (failing, safe): (Vec<_>, Vec<_>) =
        conditions.into_iter().partition(|e| may_fail(e, schema));
    let safe = conjunction(safe);
    // from the last to the first: each is where the one before it holds
    let mut guarded: Option<Expr> = None;
    for condition in failing.into_iter().rev() {
        guarded = Some(match guarded {
            None => condition,
            Some(later) => when(condition, later).otherwise(lit(false))?,
        });
    }
    let all = match (safe, guarded) {
        (Some(safe), Some(guarded)) => {
            // by itself the safe part can still be looked at by whoever skips rows
            safe.clone().and(when(safe, guarded).otherwise(lit(false))?)
        }
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => lit(true),
    };
    Ok(Transformed::yes(all))
}

/// The values below the conjunction itself.
fn guard_values_within(predicate: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let conditions = split_conjunction_owned(predicate);
    let mut is_changed = false;
    let mut guard = |e: Expr| {
        let guarded = guard_values(e, schema)?;
        is_changed |= guarded.transformed;
        Ok(guarded.data)
    };
    let conditions = conditions.into_iter().map(&mut guard).collect::<Result<Vec<_>>>()?;
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Ok(Transformed::new_transformed(predicate, is_changed))
}

fn guard_values(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|e| {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &e else {
            return guard_arguments(e, schema);
        };
        let decides = match op {
            Operator::And => Expr::IsFalse(left.clone()),
            Operator::Or => Expr::IsTrue(left.clone()),
            _ => return Ok(Transformed::no(e)),
        };
        if !may_fail(right, schema) || left.is_volatile() {
            return Ok(Transformed::no(e));
        }
        let decided = lit(*op == Operator::Or);
        Ok(Transformed::yes(when(decides, decided).otherwise(e)?))
    })
}

/// `sum(10 / n) FILTER (WHERE n <> 0)`: what the filter takes away is not worked out.
fn guard_arguments(e: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::AggregateFunction(mut f) = e else { return Ok(Transformed::no(e)) };
    let Some(filter) = f.params.filter.as_deref().filter(|filter| !filter.is_volatile()) else {
        return Ok(Transformed::no(Expr::AggregateFunction(f)));
    };
    let mut is_changed = false;
    for argument in f.params.args.iter_mut().filter(|a| may_fail(a, schema)) {
        *argument = when(filter.clone(), std::mem::take(argument)).end()?;
        is_changed = true;
    }
    Ok(Transformed::new_transformed(Expr::AggregateFunction(f), is_changed))
}

/// Whether an expression has an error for some rows.
fn may_fail(expr: &Expr, schema: &DFSchema) -> bool {
    let fails = |e: &Expr| {
        Ok(match e {
            Expr::BinaryExpr(BinaryExpr {
                op: Operator::Divide | Operator::Modulo,
                right,
                left,
            }) => {
                let is_float = left.get_type(schema).is_ok_and(|t| t.is_floating());
                !is_float && !is_nonzero(right)
            }
            Expr::Cast(Cast { expr, field }) => {
                !matches!(expr.as_ref(), Expr::Literal(..))
                    && expr.get_type(schema).is_ok_and(|from| narrows(&from, field.data_type()))
            }
            Expr::ScalarFunction(f) => {
                is_checked(&f.func) || FAILING_FUNCTIONS.contains(&f.func.name())
            }
            _ => false,
        })
    };
    expr.exists(fails).unwrap_or(true)
}

fn is_nonzero(divisor: &Expr) -> bool {
    let Expr::Literal(value, _) = divisor else { return false };
    ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| *value != zero)
}

fn narrows(from: &DataType, to: &DataType) -> bool {
    if from == to || to.is_string() || to.is_null() {
        return false;
    }
    let widens =
        from.is_integer() && to.is_integer() && from.primitive_width() < to.primitive_width();
    let is_number_to_float = from.is_numeric() && to.is_floating();
    !(widens || is_number_to_float)
}
