//! `SELECT DISTINCT ON (g, g) … ORDER BY g, g`: a key that comes again says nothing, and DataFusion loses
//! count of the keys.

use datafusion::sql::sqlparser::ast::{Distinct, Expr, OrderByKind, Query, SetExpr};

pub(super) fn rewrite(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let Some(Distinct::On(keys)) = &mut select.distinct else { return };
    keep_first(keys, |key| key);
    if let Some(OrderByKind::Expressions(orders)) = query.order_by.as_mut().map(|o| &mut o.kind) {
        keep_first(orders, |order| &order.expr);
    }
}

fn keep_first<T>(all: &mut Vec<T>, key: impl Fn(&T) -> &Expr) {
    let mut seen: Vec<Expr> = vec![];
    all.retain(|one| {
        let is_new = !seen.contains(key(one));
        if is_new {
            seen.push(key(one).clone());
        }
        is_new
    });
}
