//! `SELECT sum(m) AS m … ORDER BY sum(m)`: an order by what is selected is an order by its place. DataFusion works
//! it out again beside the result, where the name is another column.

use datafusion::sql::sqlparser::ast::{Expr, OrderByKind, Query, SelectItem, SetExpr};

use super::expressions::number;

pub(super) fn rewrite(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let Some(OrderByKind::Expressions(orders)) = query.order_by.as_mut().map(|o| &mut o.kind)
    else {
        return;
    };
    let has_wildcard = |item: &SelectItem| {
        matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
    };
    if select.projection.iter().any(has_wildcard) || select.distinct.is_some() {
        return;
    }
    for order in orders {
        let is_it = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => {
                *e == order.expr
                    && matches!(e, Expr::Function(_) | Expr::BinaryOp { .. } | Expr::Case { .. })
            }
            _ => false,
        };
        if let Some(place) = select.projection.iter().position(is_it) {
            order.expr = number(place as u64 + 1);
        }
    }
}
