//! `IN`, `NOT IN`, `> ANY` and `> ALL` in the conditions of a filter: true, false, or unknown where a null is
//! compared.

use std::sync::Arc;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, TableReference, plan_err};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
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
        Expr::InSubquery(mut membership) if !membership.negated => {
            let rows = named_apart(&membership.subquery.subquery, outer)?;
            let is_same = Arc::ptr_eq(&rows, &membership.subquery.subquery);
            membership.subquery.subquery = rows;
            Ok(Transformed::new_transformed(Expr::InSubquery(membership), !is_same))
        }
        Expr::InSubquery(membership) => not_in(membership, outer),
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(membership) if !membership.negated => {
                not_in(InSubquery { negated: true, ..membership }, outer)
            }
            other => with_values(Expr::Not(Box::new(other)), outer),
        },
        Expr::SetComparison(e) => set_condition(&e, outer),
        other => with_values(other, outer),
    }
}

/// Some row compares so, or none compares otherwise.
fn set_condition(e: &SetComparison, outer: &DFSchema) -> Result<Transformed<Expr>> {
    let rows = Membership::of_set(e, outer)?;
    Ok(Transformed::yes(match e.quantifier {
        SetQuantifier::Any => rows.any(Some(rows.compared()), false)?,
        SetQuantifier::All => rows.any(Some(Expr::IsNotTrue(Box::new(rows.compared()))), true)?,
    }))
}

/// No row that equals, or may.
fn not_in(e: InSubquery, outer: &DFSchema) -> Result<Transformed<Expr>> {
    if !is_correlated(&e.subquery) && matches!(*e.expr, Expr::Column(_)) {
        return Ok(Transformed::no(Expr::InSubquery(e)));
    }
    let rows = Membership::of(&e, outer)?;
    let may_equal = Expr::IsNotFalse(Box::new(rows.compared()));
    Ok(Transformed::yes(rows.any(Some(may_equal), true)?))
}

/// Memberships as values of an expression: true, false or null.
pub(super) fn with_values(e: Expr, outer: &DFSchema) -> Result<Transformed<Expr>> {
    e.transform_up(|e| match e {
        Expr::InSubquery(membership) => {
            Ok(Transformed::yes(Membership::of(&membership, outer)?.value(membership.negated)?))
        }
        Expr::SetComparison(e) => {
            Ok(Transformed::yes(Membership::of_set(&e, outer)?.set_value(e.quantifier)?))
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
    /// How it is compared with each of them.
    op: Operator,
    /// With the columns that the value needs.
    subquery: Subquery,
}

impl Membership {
    fn of(e: &InSubquery, outer: &DFSchema) -> Result<Self> {
        Self::new(&e.expr, Operator::Eq, &e.subquery, outer)
    }

    fn of_set(e: &SetComparison, outer: &DFSchema) -> Result<Self> {
        Self::new(&e.expr, e.op, &e.subquery, outer)
    }

    fn new(expr: &Expr, op: Operator, subquery: &Subquery, outer: &DFSchema) -> Result<Self> {
        if expr.contains_outer() || has_subquery(expr)? {
            return plan_err!(
                "IN, ANY and ALL over a subquery are not supported here where the left side refers to the \
                 surroundings of its own query: write EXISTS (…)"
            );
        }
        let mut columns = subquery.outer_ref_columns.clone();
        let value = expr.clone().transform_up(|e| match e {
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
        let rows = named_apart(&subquery.subquery, outer)?;
        let subquery = Subquery { outer_ref_columns: columns, subquery: rows, ..subquery.clone() };
        let value_may_be_null = expr.nullable(outer).unwrap_or(true);
        let outer_value = expr.clone();
        Ok(Self { value: value.data, outer_value, value_may_be_null, op, subquery })
    }

    fn row(&self) -> Expr {
        let (relation, field) = self.subquery.subquery.schema().qualified_field(0);
        Expr::Column(Column::new(relation.cloned(), field.name()))
    }

    fn compared(&self) -> Expr {
        binary_expr(self.value.clone(), self.op, self.row())
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
        let mut value = when(self.any(Some(self.compared()), false)?, lit(!negated));
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

    /// The same of a comparison with some row or with all.
    fn set_value(&self, quantifier: SetQuantifier) -> Result<Expr> {
        let (decides, decided) = match quantifier {
            SetQuantifier::Any => (self.compared(), true),
            SetQuantifier::All => (!self.compared(), false),
        };
        let unknown = self.any(Some(self.compared().is_null()), false)?;
        when(self.any(Some(decides), false)?, lit(decided))
            .when(unknown, lit(ScalarValue::Boolean(None)))
            .otherwise(lit(!decided))
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

/// The rows of a subquery whose column has another name than those around it: DataFusion takes columns of one
/// name for one column when it makes a join of a subquery.
fn named_apart(rows: &Arc<LogicalPlan>, outer: &DFSchema) -> Result<Arc<LogicalPlan>> {
    const ALIAS: &str = "__rows";
    const NAME: &str = "__row";
    let (relation, field) = rows.schema().qualified_field(0);
    let is_same = |(of, other): (Option<&TableReference>, &FieldRef)| {
        other.name() == field.name() && (of == relation || of.is_none() || relation.is_none())
    };
    if !outer.iter().any(is_same) {
        return Ok(rows.clone());
    }
    let column = Expr::Column(Column::new(relation.cloned(), field.name()));
    let named = LogicalPlanBuilder::new_from_arc(rows.clone()).project([column.alias(NAME)])?;
    Ok(Arc::new(named.alias(ALIAS)?.build()?))
}

fn refers_to(plan: &LogicalPlan, outer: &Expr) -> bool {
    plan.all_out_ref_exprs().contains(outer)
}

fn has_subquery(e: &Expr) -> Result<bool> {
    e.exists(|e| Ok(matches!(e, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_))))
}
