//! `IN` and `NOT IN` in the conditions of a filter: true, false, or unknown where a null is compared.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, plan_err};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr,
    lit, when,
};
use datafusion::scalar::ScalarValue;

use super::is_correlated;

/// What DataFusion gets right it gets: `IN` as a condition, and `NOT IN` of a column that is not
/// correlated.
pub(super) fn rewrite(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let outer = filter.input.schema().clone();
    let conditions = split_conjunction_owned(filter.predicate.clone());
    let mut is_changed = false;
    let mut rewrite = |e: Expr| {
        let rewritten = rewrite_condition(e, &outer)?;
        is_changed |= rewritten.transformed;
        Ok(rewritten.data)
    };
    let conditions = conditions.into_iter().map(&mut rewrite).collect::<Result<Vec<_>>>()?;
    if !is_changed {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?)))
}

fn rewrite_condition(e: Expr, outer: &DFSchema) -> Result<Transformed<Expr>> {
    match e {
        Expr::InSubquery(membership) if !membership.negated => {
            Ok(Transformed::no(Expr::InSubquery(membership)))
        }
        Expr::InSubquery(membership) => not_in(membership, outer),
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(membership) if !membership.negated => {
                not_in(InSubquery { negated: true, ..membership }, outer)
            }
            other => with_values(Expr::Not(Box::new(other)), outer),
        },
        other => with_values(other, outer),
    }
}

/// No row that equals, or may.
fn not_in(e: InSubquery, outer: &DFSchema) -> Result<Transformed<Expr>> {
    if !is_correlated(&e.subquery) && matches!(*e.expr, Expr::Column(_)) {
        return Ok(Transformed::no(Expr::InSubquery(e)));
    }
    let rows = Membership::of(&e, outer)?;
    let may_equal = Expr::IsNotFalse(Box::new(rows.equal()));
    Ok(Transformed::yes(rows.any(Some(may_equal), true)?))
}

/// Memberships as values of an expression: true, false or null.
pub(super) fn with_values(e: Expr, outer: &DFSchema) -> Result<Transformed<Expr>> {
    e.transform_up(|e| match e {
        Expr::InSubquery(membership) => {
            Ok(Transformed::yes(Membership::of(&membership, outer)?.value(membership.negated)?))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// A value, and the rows that it may be among.
struct Membership {
    /// The value, to the rows.
    value: Expr,
    /// The value where it stands.
    outer_value: Expr,
    value_may_be_null: bool,
    /// With the columns that the value needs.
    subquery: Subquery,
}

impl Membership {
    fn of(e: &InSubquery, outer: &DFSchema) -> Result<Self> {
        if e.expr.contains_outer() || has_subquery(&e.expr)? {
            return plan_err!(
                "IN over a subquery is not supported here where its left side refers to the \
                 surroundings of its own query: write EXISTS (…)"
            );
        }
        let mut columns = e.subquery.outer_ref_columns.clone();
        let value = e.expr.as_ref().clone().transform_up(|e| match e {
            Expr::Column(column) => {
                let field = outer.field_from_column(&column)?.clone();
                let outer = Expr::OuterReferenceColumn(field, column);
                if !columns.contains(&outer) {
                    columns.push(outer.clone());
                }
                Ok(Transformed::yes(outer))
            }
            other => Ok(Transformed::no(other)),
        })?;
        let subquery = Subquery { outer_ref_columns: columns, ..e.subquery.clone() };
        let value_may_be_null = e.expr.nullable(outer).unwrap_or(true);
        let outer_value = e.expr.as_ref().clone();
        Ok(Self { value: value.data, outer_value, value_may_be_null, subquery })
    }

    fn row(&self) -> Expr {
        let (relation, field) = self.subquery.subquery.schema().qualified_field(0);
        Expr::Column(Column::new(relation.cloned(), field.name()))
    }

    fn equal(&self) -> Expr {
        binary_expr(self.value.clone(), Operator::Eq, self.row())
    }

    /// Whether any row is there, for which a condition holds.
    fn any(&self, condition: Option<Expr>, negated: bool) -> Result<Expr> {
        let mut rows = LogicalPlanBuilder::new_from_arc(self.subquery.subquery.clone());
        let mut columns = self.subquery.outer_ref_columns.clone();
        match condition {
            Some(condition) => rows = rows.filter(condition)?,
            // nothing but what the subquery itself refers to
            None => columns.retain(|c| refers_to(rows.plan(), c)),
        }
        let plan = Arc::new(rows.build()?);
        let subquery =
            Subquery { subquery: plan, outer_ref_columns: columns, ..self.subquery.clone() };
        Ok(Expr::Exists(Exists { subquery, negated }))
    }

    /// True, false or null.
    fn value(&self, negated: bool) -> Result<Expr> {
        let unknown = || lit(ScalarValue::Boolean(None));
        let mut value = when(self.any(Some(self.equal()), false)?, lit(!negated));
        if self.value_may_be_null {
            let any = self.any(None, false)?;
            value = value.when(self.outer_value.clone().is_null().and(any), unknown());
        }
        let (_, field) = self.subquery.subquery.schema().qualified_field(0);
        if field.is_nullable() {
            value = value.when(self.any_null()?, unknown());
        }
        value.otherwise(lit(negated))
    }

    fn any_null(&self) -> Result<Expr> {
        let rows = LogicalPlanBuilder::new_from_arc(self.subquery.subquery.clone());
        let plan = Arc::new(rows.filter(self.row().is_null())?.build()?);
        let mut columns = self.subquery.outer_ref_columns.clone();
        columns.retain(|c| refers_to(&plan, c));
        let subquery =
            Subquery { subquery: plan, outer_ref_columns: columns, ..self.subquery.clone() };
        Ok(Expr::Exists(Exists { subquery, negated: false }))
    }
}

fn refers_to(plan: &LogicalPlan, outer: &Expr) -> bool {
    plan.all_out_ref_exprs().contains(outer)
}

fn has_subquery(e: &Expr) -> Result<bool> {
    e.exists(|e| Ok(matches!(e, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_))))
}
