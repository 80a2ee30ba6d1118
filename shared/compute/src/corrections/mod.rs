//! What stands in the place of what DataFusion 55.2 answers wrongly. Right is what PostgreSQL answers.
//!
//! | file | fault | DataFusion's issue |
//! |---|---|---|
//! | [`average_interval`] | intervals have no average | |
//! | [`canonical`], [`compare_canonical`] | zeros and NaN of two signs differ; bounds of files leave NaN out; a month is more than any days | |
//! | [`casts`], [`nearest_time`], [`without_zone`] | casts cut fractions; a zone's clock is lost | |
//! | [`checked`] | `+ - *` wrap, quotients of decimals are cut | |
//! | [`date_arithmetic`], [`difference_of_times`] | a date plus hours is cut to the day; a difference of times is a number | |
//! | [`date_part`] | a year as a predicate finds nothing; seconds lose their fraction | [#25140](https://github.com/apache/datafusion/issues/25140) |
//! | [`decimals_and_floats`] | a number beside a decimal goes through a double | |
//! | [`exact`] | sums wrap, averages of decimals are cut, windows of floats never forget NaN | |
//! | [`far_times`] | nanoseconds beside `'9999-12-31'` | |
//! | [`fine_times`] | a time beside a literal of a finer unit loses the literal's digits | |
//! | [`float_extremes`] | `min` and `max` by group lose NaN and infinities | [#24433](https://github.com/apache/datafusion/issues/24433) |
//! | [`guards`] | conditions are evaluated for rows that an earlier one excludes | |
//! | [`in_list`] | `IN` takes a `CASE` for a constant | |
//! | [`keep_filters`] | a filter is moved to another column of its name | |
//! | [`keep_totals`] | a filter that is false goes below `ROLLUP` and leaves its total | |
//! | [`lead_lag`] | `IGNORE NULLS` with an offset | [#25471](https://github.com/apache/datafusion/issues/25471) |
//! | [`multiply_interval`] | `n * INTERVAL` is unknown | |
//! | [`no_constants`] | a constant of an outer join's optional side is taken for one above it | |
//! | [`null_equality`] | `IS NOT DISTINCT FROM` beside `=` or a cross join | |
//! | [`order_names`] | in `ORDER BY f(x)` a name of the result hides the column | |
//! | [`percentile`] | `percentile_cont` has six digits | |
//! | [`quotients`] | parts of dates and sums of bigint are integers, and so their quotients | |
//! | [`refilled`] | variances and correlations over sliding frames keep rounding | |
//! | [`set_operation`] | `INTERSECT ALL`, `EXCEPT ALL` | |
//! | [`split_pages`] | a page below an order loses rows | [#24958](https://github.com/apache/datafusion/issues/24958) |
//! | [`subqueries`] | `EXISTS` over an aggregate, `NOT IN`, `IN` as a value, `ANY` and `ALL`; a value that is not there | [#24960](https://github.com/apache/datafusion/issues/24960), [#25336](https://github.com/apache/datafusion/issues/25336) |
//! | [`text_of_intervals`], [`text_of_times`] | intervals as text are of words, times have a T | |
//! | [`times_and_texts`] | microseconds beside a text are taken to nanoseconds | |
//!
//! `tests/engine_faults.rs` fails when the engine no longer has a fault, and says which file may go.

mod average_interval;
mod canonical;
mod casts;
mod checked;
mod compare_canonical;
mod date_arithmetic;
mod date_part;
mod decimal_of_float;
mod decimals_and_floats;
mod delegate;
mod difference_of_times;
mod exact;
mod far_times;
mod fine_times;
mod float_extremes;
mod float_of_decimal;
mod guards;
mod in_list;
mod keep_filters;
mod keep_totals;
mod lead_lag;
mod multiply_interval;
mod nearest_time;
mod no_constants;
mod null_equality;
mod order_names;
mod percentile;
mod quotients;
mod refilled;
mod rounded_decimal;
mod set_operation;
mod split_pages;
mod subqueries;
mod text_of_intervals;
mod text_of_times;
mod times_and_texts;
mod without_zone;

use std::sync::Arc;

pub(crate) use checked::text_of_checked;
pub(crate) use no_constants::ForgetConstants;
pub(crate) use text_of_intervals::texts as texts_of_intervals;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use crate::functions::{
    DropUnread, LiftCalls, LiftCallsOfSubqueries, Planner, SortBelowCalls, name_operands,
};

/// Puts our functions in the place of DataFusion's.
pub(crate) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udf(canonical::function())?;
    registry.register_udf(canonical::value_function())?;
    registry.register_udf(subqueries::POSSIBLY_NULL.clone())?;
    casts::register(registry)?;
    checked::register(registry)?;
    exact::register(registry)?;
    float_extremes::register(registry)?;
    lead_lag::register(registry)?;
    multiply_interval::register(registry)?;
    registry.register_udf(text_of_intervals::function())?;
    registry.register_udf(text_of_times::function())?;
    percentile::register(registry)?;
    refilled::register(registry)?;
    difference_of_times::register(registry)?;
    average_interval::register(registry)?;
    date_part::register(registry)
}

/// Adds our rules to those of a session.
pub(crate) fn add_rules(builder: SessionStateBuilder) -> SessionStateBuilder {
    let mut logical = Optimizer::new().rules;
    keep_totals::add(&mut logical);
    LiftCallsOfSubqueries::add(&mut logical);
    logical.push(Arc::new(DropUnread));
    logical.push(Arc::new(SortBelowCalls));
    let mut physical = PhysicalOptimizer::new().rules;
    split_pages::add(&mut physical);
    no_constants::add(&mut physical);
    keep_filters::add(&mut physical);
    builder
        .with_analyzer_rules(vec![
            Arc::new(ResolveGroupingFunction::new()),
            Arc::new(times_and_texts::TimesAndTexts),
            Arc::new(date_arithmetic::DateArithmetic),
            Arc::new(quotients::Quotients),
            Arc::new(decimals_and_floats::DecimalsAndFloats),
            Arc::new(checked::DivideDecimals),
            Arc::new(TypeCoercion::new()),
            Arc::new(in_list::ListsOfExpressions),
            Arc::new(null_equality::NullEquality),
            Arc::new(far_times::FarTimes),
            Arc::new(fine_times::FineTimes),
            Arc::new(casts::CastAsPostgres),
            Arc::new(compare_canonical::CompareCanonical),
            Arc::new(checked::CheckArithmetic),
            Arc::new(LiftCalls),
        ])
        .with_optimizer_rules(logical)
        .with_physical_optimizer_rules(physical)
        .with_query_planner(Arc::new(Planner))
}

/// Corrects a plan as it comes from SQL.
pub(crate) fn correct(plan: LogicalPlan) -> Result<LogicalPlan> {
    order_names::check(&plan)?;
    let plan = name_operands(set_operation::keep_counts(plan)?)?;
    subqueries::rewrite(plan)
}

/// Corrects an optimized plan.
pub(crate) fn finish(plan: LogicalPlan) -> Result<LogicalPlan> {
    guards::guard(plan)
}

/// Whether an expression of a node, or a part of one, is of a kind: most rules have nothing to do with most
/// nodes, and the schema of a node's inputs costs more than a look.
pub(crate) fn has_expr(plan: &LogicalPlan, is_of_kind: fn(&Expr) -> bool) -> bool {
    let mut found = false;
    let looked = plan.apply_expressions(|e| {
        found = e.exists(|e| Ok(is_of_kind(e)))?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found || looked.is_err()
}

/// Rewrites the expressions of a node. Its columns keep their names: those of an aggregate with several sets
/// of groups are the elements of the sets.
fn map_named(
    plan: LogicalPlan,
    mut rewrite: impl FnMut(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    let mut named = |expr: Expr| {
        let name = names.save(&expr);
        Ok(rewrite(expr)?.update_data(|e| name.restore(e)))
    };
    let rewritten = plan.map_expressions(|expr| match expr {
        set @ Expr::GroupingSet(_) => set.map_children(&mut named),
        other => named(other),
    })?;
    match rewritten.transformed {
        true => rewritten.map_data(LogicalPlan::recompute_schema),
        false => Ok(rewritten),
    }
}
