//! Lifts calls of functions out of expressions, into nodes below the node that they stand in.
//!
//! A call in a branch that is not taken for a row (`CASE`, `COALESCE`, the right side of `AND` and `OR`) is made
//! for the other rows only, and its arguments are computed for those. Conditions of `WHERE` without calls come
//! first, then those with calls, one after another.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result, TableReference, plan_err};
use datafusion::logical_expr::expr::{BinaryExpr, Case, ScalarFunction, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Distinct, DistinctOn, Expr, ExprSchemable, Filter, Join, LogicalPlan, LogicalPlanBuilder,
    Operator, Projection, SubqueryAlias, WindowFunctionDefinition, lit, when,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::scalar::ScalarValue;
use tidemill_protocol::function::Volatility;

use super::aggregates;
use super::declared::{Callable, aggregate, scalar};
use super::node::{CallNode, ColumnCall};
use crate::corrections::has_expr;

/// Columns that no statement names: calls, and what is computed for them.
const OUTPUT: &str = "__call_";
const ARGUMENT: &str = "__argument_";
const GUARD: &str = "__guard_";
/// Of the values of a group.
pub(super) const GROUP: &str = "__group_";

/// Lifts the calls of a plan whose types are known. Those beside subqueries that become joins stay, and those within
/// subqueries that take columns of the statement around them, as DataFusion makes a join of such a subquery only if
/// it knows all of its nodes.
#[derive(Debug)]
pub(crate) struct LiftCalls;

impl AnalyzerRule for LiftCalls {
    fn name(&self) -> &'static str {
        "lift_calls"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(lift(plan, &mut Names::default(), Time::BeforeJoins)?.data)
    }
}

/// Lifts the calls that are left when there are joins in the places of subqueries.
#[derive(Debug)]
pub(crate) struct LiftCallsOfSubqueries;

/// The rule of DataFusion's that is the last to make joins of subqueries.
const MAKES_JOINS: &str = "decorrelate_lateral_join";

impl LiftCallsOfSubqueries {
    pub(crate) fn add(rules: &mut Vec<Arc<dyn OptimizerRule + Send + Sync>>) {
        let place = rules.iter().position(|rule| rule.name() == MAKES_JOINS);
        rules.insert(place.map_or(0, |place| place + 1), Arc::new(Self));
    }
}

impl OptimizerRule for LiftCallsOfSubqueries {
    fn name(&self) -> &'static str {
        "lift_calls_of_subqueries"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let mut left = false;
        plan.apply_with_subqueries(|node| {
            left = has_expr(node, is_call);
            Ok(if left { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        match left {
            true => {
                let mut names = Names::after(&plan)?;
                lift(plan, &mut names, Time::AfterJoins)
            }
            false => Ok(Transformed::no(plan)),
        }
    }
}

/// Whether subqueries are still expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    BeforeJoins,
    AfterJoins,
}

fn lift(plan: LogicalPlan, names: &mut Names, time: Time) -> Result<Transformed<LogicalPlan>> {
    plan.transform_up(|node| {
        let node = node.map_subqueries(|plan| match plan {
            LogicalPlan::Subquery(subquery) if subquery.outer_ref_columns.is_empty() => {
                let lifted = lift(subquery.subquery.as_ref().clone(), names, time)?;
                Ok(lifted
                    .update_data(|plan| LogicalPlan::Subquery(subquery.with_plan(Arc::new(plan)))))
            }
            other => Ok(Transformed::no(other)),
        })?;
        node.transform_data(|node| match time {
            Time::BeforeJoins if has_expr(&node, is_of_join) => Ok(Transformed::no(node)),
            _ => lift_node(node, names),
        })
    })
}

/// Numbers for the columns of one plan.
#[derive(Debug, Default)]
pub(super) struct Names(usize);

impl Names {
    /// Numbers that no column of a plan has.
    fn after(plan: &LogicalPlan) -> Result<Self> {
        let mut last = 0;
        plan.apply_with_subqueries(|node| {
            let names = node.schema().fields().iter().map(|field| field.name().as_str());
            let numbers = names.filter_map(|name| {
                let kinds = [OUTPUT, ARGUMENT, GUARD, GROUP];
                kinds.into_iter().find_map(|kind| name.strip_prefix(kind)?.parse().ok())
            });
            last = numbers.fold(last, usize::max);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Self(last))
    }

    pub(super) fn next(&mut self, kind: &str) -> String {
        self.0 += 1;
        format!("{kind}{}", self.0)
    }

    pub(super) fn output(&mut self) -> String {
        self.next(OUTPUT)
    }
}

fn is_call(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(call) => aggregate(&call.func).is_some(),
        Expr::WindowFunction(call) => window(call).is_some(),
        other => scalar(other).is_some(),
    }
}

/// The function that is called over a window.
fn window(call: &WindowFunction) -> Option<&Arc<Callable>> {
    match &call.fun {
        WindowFunctionDefinition::AggregateUDF(function) => aggregate(function),
        WindowFunctionDefinition::WindowUDF(_) => None,
    }
}

/// Whether a subquery will be a join, whose column a call beside it may need.
fn is_of_join(expr: &Expr) -> bool {
    matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_))
}

fn has_call(expr: &Expr) -> Result<bool> {
    expr.exists(|e| Ok(is_call(e)))
}

fn lift_node(node: LogicalPlan, names: &mut Names) -> Result<Transformed<LogicalPlan>> {
    if !has_expr(&node, is_call) {
        return Ok(Transformed::no(node));
    }
    let schema = node.schema().clone();
    let lifted = match node {
        LogicalPlan::Filter(filter) => lift_filter(filter, names)?,
        LogicalPlan::Join(join) => lift_join(join, names)?,
        LogicalPlan::Aggregate(_) => {
            let input = node.inputs()[0].clone();
            let with_arguments = lift_expressions(node, input, names)?;
            aggregates::lift(with_arguments, names)?
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_) => {
            let input = node.inputs()[0].clone();
            lift_expressions(node, input, names)?
        }
        other => {
            let kind = other.display().to_string();
            let kind = kind.split([':', ' ']).next().unwrap_or_default().to_uppercase();
            return plan_err!(
                "functions of Python cannot be called within {kind}: call them in a subquery, and use their \
                 column"
            );
        }
    };
    // what was lifted adds columns of its own
    let lifted = if lifted.schema().fields().len() == schema.fields().len() {
        lifted
    } else {
        let columns = schema.columns().into_iter().map(Expr::Column).collect();
        LogicalPlan::Projection(Projection::try_new(columns, Arc::new(lifted))?)
    };
    Ok(Transformed::yes(lifted))
}

/// The calls of all expressions of a node with one input.
fn lift_expressions(
    node: LogicalPlan,
    input: LogicalPlan,
    names: &mut Names,
) -> Result<LogicalPlan> {
    let mut lifter = Lifter { calls: vec![], names };
    let preserver = NamePreserver::new(&node);
    let mut lift = |expr: Expr| {
        let name = preserver.save(&expr);
        Ok(Transformed::yes(name.restore(lifter.lift(expr, None)?)))
    };
    let lifted = node.map_expressions(|expr| match expr {
        set @ Expr::GroupingSet(_) => set.map_children(&mut lift),
        other => lift(other),
    });
    let lifted = lifted?.data;
    let calls = std::mem::take(&mut lifter.calls);
    let input = below(input, calls, names)?;
    if let LogicalPlan::Distinct(Distinct::On(on)) = lifted {
        let DistinctOn { on_expr, select_expr, sort_expr, .. } = on;
        let on = DistinctOn::try_new(on_expr, select_expr, sort_expr, Arc::new(input))?;
        return Ok(LogicalPlan::Distinct(Distinct::On(on)));
    }
    let exprs = lifted.expressions();
    lifted.with_new_exprs(exprs, vec![input])
}

/// One condition after another, those without calls first.
fn lift_filter(filter: Filter, names: &mut Names) -> Result<LogicalPlan> {
    let (mut first, mut then) = (vec![], vec![]);
    for condition in split_conjunction_owned(filter.predicate) {
        if has_call(&condition)? { then.push(condition) } else { first.push(condition) }
    }
    let mut plan = filter.input.as_ref().clone();
    if let Some(first) = conjunction(first) {
        plan = LogicalPlan::Filter(Filter::try_new(first, Arc::new(plan))?);
    }
    for condition in then {
        let mut lifter = Lifter { calls: vec![], names };
        let condition = lifter.lift(condition, None)?;
        let calls = std::mem::take(&mut lifter.calls);
        let input = below(plan, calls, names)?;
        plan = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(input))?);
    }
    Ok(plan)
}

/// Calls in the conditions of a join are made below it, on the side whose columns they take.
fn lift_join(join: Join, names: &mut Names) -> Result<LogicalPlan> {
    let Join {
        left,
        right,
        on,
        filter,
        join_type,
        join_constraint,
        null_equality,
        null_aware,
        schema,
    } = join;
    let of_side = |plan: &LogicalPlan, expr: &Expr| {
        expr.column_refs().into_iter().all(|column| plan.schema().has_column(column))
    };
    let (mut kept, mut above) = (vec![], vec![]);
    for condition in filter.into_iter().flat_map(split_conjunction_owned) {
        let calls_both = condition
            .exists(|e| Ok(scalar(e).is_some() && !of_side(&left, e) && !of_side(&right, e)))?;
        match (calls_both, join_type) {
            (false, _) => kept.push(condition),
            (true, JoinType::Inner) => above.push(condition),
            (true, _) => {
                return plan_err!(
                    "a function of Python in ON takes columns of both sides of an outer join: call it in a \
                     subquery, or in WHERE"
                );
            }
        }
    }
    let (mut of_left, mut of_right) = (vec![], vec![]);
    let mut lift = |expr: Expr, names: &mut Names| -> Result<Expr> {
        let lifted = expr.transform_up(|e| {
            if scalar(&e).is_none() {
                return Ok(Transformed::no(e));
            }
            let calls = if of_side(&left, &e) { &mut of_left } else { &mut of_right };
            let mut lifter = Lifter { calls: std::mem::take(calls), names };
            let lifted = lifter.lift(e, None)?;
            *calls = lifter.calls;
            Ok(Transformed::yes(lifted))
        });
        Ok(lifted?.data)
    };
    let kept = kept.into_iter().map(|e| lift(e, names)).collect::<Result<Vec<_>>>()?;
    let on = on
        .into_iter()
        .map(|(l, r)| Ok((lift(l, names)?, lift(r, names)?)))
        .collect::<Result<Vec<_>>>()?;
    let left = Arc::new(below(left.as_ref().clone(), of_left, names)?);
    let (kept, on, right) = match mark_of(&schema, join_type) {
        Some(table) if !of_right.is_empty() => {
            // the column of marks has the name that all columns of this side have
            let made: Vec<_> = of_right.iter().map(|call| call.output.clone()).collect();
            let right = below(right.as_ref().clone(), of_right, names)?;
            let named = |e: Expr| of_table(e, &made, &table);
            let kept = kept.into_iter().map(named).collect::<Result<_>>()?;
            let on = on.into_iter().map(|(l, r)| Ok((l, named(r)?))).collect::<Result<_>>()?;
            let right = SubqueryAlias::try_new(Arc::new(right), table)?;
            (kept, on, Arc::new(LogicalPlan::SubqueryAlias(right)))
        }
        _ => (kept, on, Arc::new(below(right.as_ref().clone(), of_right, names)?)),
    };
    let join = Join::try_new(
        left,
        right,
        on,
        conjunction(kept),
        join_type,
        join_constraint,
        null_equality,
        null_aware,
    )?;
    let mut plan = LogicalPlan::Join(join);
    if let Some(above) = conjunction(above) {
        let filter = Filter::try_new(above, Arc::new(plan))?;
        plan = lift_filter(filter, names)?;
    }
    Ok(plan)
}

/// The table of the column of marks of a join.
fn mark_of(schema: &DFSchema, join_type: JoinType) -> Option<TableReference> {
    let last = schema.fields().len().checked_sub(1)?;
    match join_type {
        JoinType::LeftMark => schema.qualified_field(last).0.cloned(),
        _ => None,
    }
}

/// Some calls as columns of a table.
fn of_table(expr: Expr, calls: &[String], table: &TableReference) -> Result<Expr> {
    let named = expr.transform_up(|e| match e {
        Expr::Column(column) if column.relation.is_none() && calls.contains(&column.name) => {
            Ok(Transformed::yes(Expr::Column(Column::new(Some(table.clone()), column.name))))
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(named?.data)
}

/// A call whose arguments are expressions.
#[derive(Debug, Clone, PartialEq)]
struct LiftedCall {
    callable: Arc<Callable>,
    arguments: Vec<Expr>,
    guard: Option<Expr>,
    output: String,
}

/// Takes calls out of expressions over the same input, each after those that it needs.
struct Lifter<'a> {
    calls: Vec<LiftedCall>,
    names: &'a mut Names,
}

impl Lifter<'_> {
    /// The expression with columns in the places of calls; they are made where `guard` is true.
    fn lift(&mut self, expr: Expr, guard: Option<&Expr>) -> Result<Expr> {
        if !has_call(&expr)? {
            return Ok(expr);
        }
        if let Some(callable) = scalar(&expr).cloned()
            && let Expr::ScalarFunction(ScalarFunction { args, .. }) = expr
        {
            return self.lift_call(&callable, args, guard);
        }
        match expr {
            Expr::Case(case) => self.lift_case(case, guard),
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if matches!(op, Operator::And | Operator::Or) =>
            {
                let left = self.lift(*left, guard)?;
                let undecided = if op == Operator::And {
                    Expr::IsNotFalse(Box::new(left.clone()))
                } else {
                    Expr::IsNotTrue(Box::new(left.clone()))
                };
                let right = self.lift(*right, both(guard, undecided).as_ref())?;
                Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "coalesce" => {
                let mut guard = guard.cloned();
                let mut lifted = vec![];
                for arg in args {
                    let arg = self.lift(arg, guard.as_ref())?;
                    guard = both(guard.as_ref(), arg.clone().is_null());
                    lifted.push(arg);
                }
                Ok(Expr::ScalarFunction(ScalarFunction { func, args: lifted }))
            }
            Expr::WindowFunction(call) if window(&call).is_some() => plan_err!(
                "{}() cannot be called over a window: call it with GROUP BY, and join its rows",
                call.fun.name()
            ),
            Expr::HigherOrderFunction(_) | Expr::Lambda(_) => plan_err!(
                "functions of Python cannot be called within a lambda: unnest the list, and call them for its \
                 items"
            ),
            other => Ok(other.map_children(|e| Ok(Transformed::yes(self.lift(e, guard)?)))?.data),
        }
    }

    fn lift_call(
        &mut self,
        callable: &Arc<Callable>,
        args: Vec<Expr>,
        guard: Option<&Expr>,
    ) -> Result<Expr> {
        let args = args.into_iter().map(|e| self.lift(e, guard)).collect::<Result<Vec<_>>>()?;
        let of_another = |e: &Expr| e.contains_outer();
        if args.iter().chain(guard).any(of_another) {
            return plan_err!(
                "{}() takes a column of the statement around its subquery: write the subquery as a join",
                callable.name
            );
        }
        let call = LiftedCall {
            callable: callable.clone(),
            arguments: args,
            guard: guard.cloned(),
            output: String::new(),
        };
        let same = |known: &&LiftedCall| {
            callable.function.volatility != Volatility::Volatile
                && LiftedCall { output: String::new(), ..(*known).clone() } == call
        };
        let output = match self.calls.iter().find(same) {
            Some(known) => known.output.clone(),
            None => {
                let output = self.names.output();
                self.calls.push(LiftedCall { output: output.clone(), ..call });
                output
            }
        };
        Ok(Expr::Column(Column::new_unqualified(output)))
    }

    fn lift_case(&mut self, case: Case, guard: Option<&Expr>) -> Result<Expr> {
        let operand = match case.expr {
            Some(operand) => Some(Box::new(self.lift(*operand, guard)?)),
            None => None,
        };
        let mut guard = guard.cloned();
        let mut branches = vec![];
        for (when, then) in case.when_then_expr {
            let when = self.lift(*when, guard.as_ref())?;
            let condition = match &operand {
                Some(operand) => operand.as_ref().clone().eq(when.clone()),
                None => when.clone(),
            };
            let taken = both(guard.as_ref(), Expr::IsTrue(Box::new(condition.clone())));
            let then = self.lift(*then, taken.as_ref())?;
            guard = both(guard.as_ref(), Expr::IsNotTrue(Box::new(condition)));
            branches.push((Box::new(when), Box::new(then)));
        }
        let otherwise = match case.else_expr {
            Some(otherwise) => Some(Box::new(self.lift(*otherwise, guard.as_ref())?)),
            None => None,
        };
        Ok(Expr::Case(Case::new(operand, branches, otherwise)))
    }
}

/// Where both a guard and a condition are true.
fn both(guard: Option<&Expr>, condition: Expr) -> Option<Expr> {
    Some(match guard {
        Some(guard) => guard.clone().and(condition),
        None => condition,
    })
}

/// A plan below which calls are made: in a node for those that need nothing but the input, in one above it for
/// those that need their values, and so on.
fn below(
    mut input: LogicalPlan,
    mut calls: Vec<LiftedCall>,
    names: &mut Names,
) -> Result<LogicalPlan> {
    while !calls.is_empty() {
        let waits_for = |call: &LiftedCall, others: &[LiftedCall]| {
            let mut read = call.arguments.iter().chain(&call.guard).flat_map(Expr::column_refs);
            read.any(|c| c.relation.is_none() && others.iter().any(|o| o.output == c.name))
        };
        let all = calls.clone();
        let (later, now): (Vec<_>, Vec<_>) = calls.into_iter().partition(|c| waits_for(c, &all));
        if now.is_empty() {
            return plan_err!("a function is called with its own value");
        }
        input = node(input, now, names)?;
        calls = later;
    }
    Ok(input)
}

/// A node with calls, above a projection of what they need.
fn node(input: LogicalPlan, calls: Vec<LiftedCall>, names: &mut Names) -> Result<LogicalPlan> {
    let mut computed: Vec<(Expr, String)> = vec![];
    let mut column = |expr: Expr, kind: &str, names: &mut Names| match expr {
        Expr::Column(column) => column,
        expr => {
            let known = computed.iter().find(|(known, _)| *known == expr);
            let name = match known {
                Some((_, name)) => name.clone(),
                None => {
                    let name = names.next(kind);
                    computed.push((expr, name.clone()));
                    name
                }
            };
            Column::new_unqualified(name)
        }
    };
    let mut made = vec![];
    for LiftedCall { callable, arguments, guard, output } in calls {
        let arguments = arguments.into_iter().map(|argument| {
            let argument = match &guard {
                Some(guard) if !matches!(argument, Expr::Column(_) | Expr::Literal(..)) => {
                    let missing = ScalarValue::try_from(argument.get_type(input.schema())?)?;
                    when(guard.clone(), argument).otherwise(lit(missing))?
                }
                _ => argument,
            };
            Ok(column(argument, ARGUMENT, names))
        });
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let guard = guard.map(|guard| column(guard, GUARD, names));
        made.push(ColumnCall::new(&callable, arguments, guard, output));
    }
    if computed.is_empty() {
        return CallNode::plan(input, made);
    }
    let own = input.schema().columns().into_iter().map(Expr::Column);
    let computed = computed.into_iter().map(|(expr, name)| expr.alias(name));
    let exprs: Vec<_> = own.chain(computed).collect();
    CallNode::plan(LogicalPlanBuilder::from(input).project(exprs)?.build()?, made)
}
