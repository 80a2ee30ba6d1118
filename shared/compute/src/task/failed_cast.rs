//! Which cast an error is about: Arrow's kernels say the value and the type, but not the expression.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_plan::expressions::{BinaryExpr, CastExpr, Column, Literal};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use crate::corrections::text_of_checked;
use crate::error::Failure;
use crate::sql_type;

/// Turns an error of a cast into a sentence that names the expression, if the plan shows which it is;
/// leaves other errors alone.
pub(super) fn name_the_cast(plan: &Arc<dyn ExecutionPlan>, failure: Failure) -> Failure {
    let Some((value, to)) = said_by(&failure) else { return failure };
    let mut casts = BTreeSet::new();
    let mut to_type = None;
    let _ = plan.apply(|node| {
        node.apply_expressions(&mut |expr| {
            expr.apply(|part| {
                if let Some(cast) = part.downcast_ref::<CastExpr>()
                    && to == cast.cast_type().to_string()
                {
                    casts.insert(text_of(cast.expr()));
                    to_type = Some(cast.cast_type().clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    let kind = to_type.as_ref().map_or(to, sql_type::name);
    let why = match value.strip_prefix('\'') {
        Some(_) => format!("{value} is no {kind}"),
        None => format!("{value} does not fit {kind}"),
    };
    if casts.is_empty() {
        return failure; // it is one of a reader
    }
    let casts: Vec<_> = casts.iter().map(|what| format!("CAST({what} AS {kind})")).collect();
    Failure::Refused(format!("{}: {why}", casts.join(" or ")))
}

/// The value, and the type as Arrow writes it.
fn said_by(failure: &Failure) -> Option<(String, String)> {
    let Failure::DataFusion(e) = failure else { return None };
    let DataFusionError::ArrowError(e, _) = e.find_root() else { return None };
    let ArrowError::CastError(text) = e.as_ref() else { return None };
    parse(text)
}

fn parse(text: &str) -> Option<(String, String)> {
    let between = |start: &str, middle: &str, end: &str| {
        let (value, kind) = text.strip_prefix(start)?.split_once(middle)?;
        Some((value.to_owned(), kind.strip_suffix(end)?.to_owned()))
    };
    between("Can't cast value ", " to type ", "")
        .or_else(|| between("value of ", " is out of range ", ""))
        .or_else(|| between("Cannot cast string ", " to value of ", " type"))
        .or_else(|| {
            let (kind, value) = between("Cannot cast to ", ". Overflowing on ", "")?;
            Some((value, kind))
        })
}

/// An expression as a statement has it, as far as it still can be seen.
fn text_of(expr: &Arc<dyn PhysicalExpr>) -> String {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return column.name().to_owned();
    }
    if let Some(literal) = expr.downcast_ref::<Literal>() {
        return literal.value().to_string();
    }
    if let Some(e) = expr.downcast_ref::<BinaryExpr>() {
        return format!("{} {} {}", text_of(e.left()), e.op(), text_of(e.right()));
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return text_of(cast.expr()); // it was added for the types to meet
    }
    match expr.downcast_ref::<ScalarFunctionExpr>() {
        Some(call) => text_of_checked(call).unwrap_or_else(|| {
            let args: Vec<_> = call.args().iter().map(text_of).collect();
            match call.name() {
                // ours, that only prepare a cast
                "nearest_integer" | "without_zone" | "rounded_decimal" => {
                    args.into_iter().next().unwrap_or_default()
                }
                name => format!("{name}({})", args.join(", ")),
            }
        }),
        None => expr.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrow_says_of_a_cast_is_understood() {
        let said = |text: &str| parse(text).map(|(value, kind)| format!("{value} to {kind}"));
        for (text, found) in [
            ("Can't cast value 70000 to type Int16", Some("70000 to Int16")),
            ("value of 40001 is out of range Int16", Some("40001 to Int16")),
            ("Cannot cast string 'a b' to value of Int32 type", Some("'a b' to Int32")),
            (
                "Cannot cast to Decimal128(3, 2). Overflowing on 99.5",
                Some("99.5 to Decimal128(3, 2)"),
            ),
            ("Something else", None),
        ] {
            assert_eq!(said(text).as_deref(), found);
        }
    }
}
