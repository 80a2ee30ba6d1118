//! Standard SQL that DataFusion's planner does not know, or means something else by, said in words that
//! it knows; and what would be answered wrongly, refused.

mod casts;
mod comparisons;
mod distinct_on;
mod drawn_twice;
mod duplicate_names;
mod expressions;
mod functions;
mod numbers;
mod order_by;
mod patterns;
mod precedence;
mod table_functions;
mod unnest;
mod using;
mod windows;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, LimitClause, Query, Select, VisitMut, VisitorMut,
};

use crate::error::{Failure, refused};
use crate::functions::Known;

/// Rewrites a query; `functions` are those of Python that it may call.
///
/// # Errors
/// A sentence, if there are no such words.
pub(crate) fn rewrite(query: &mut Query, functions: &Known) -> Result<(), Failure> {
    match query.visit(&mut Rewriter { functions }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(sentence) => refused(sentence),
    }
}

/// A rewritten part, or the sentence that refuses it.
type Rewritten = Result<(), String>;

fn flow(rewritten: Rewritten) -> ControlFlow<String> {
    match rewritten {
        Ok(()) => ControlFlow::Continue(()),
        Err(sentence) => ControlFlow::Break(sentence),
    }
}

struct Rewriter<'a> {
    functions: &'a Known,
}

impl VisitorMut for Rewriter<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        flow(drawn_twice::refuse(query, &self.functions.volatile))?;
        flow(fetch_first(query))?;
        distinct_on::rewrite(query);
        order_by::rewrite(query);
        flow(using::rewrite(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        flow(windows::rewrite(select))?;
        flow(table_functions::rewrite(select, &self.functions.tables))?;
        flow(unnest::rewrite(select))?;
        flow(duplicate_names::rewrite(select))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        flow(expressions::rewrite(expr))
    }
}

/// `FETCH FIRST n ROWS ONLY` is `LIMIT n`.
fn fetch_first(query: &mut Query) -> Rewritten {
    let Some(Fetch { with_ties, percent, quantity }) = query.fetch.take() else { return Ok(()) };
    if with_ties || percent {
        return Err(
            "FETCH FIRST with TIES or PERCENT is not supported: rank() over the order gives \
                    such rows"
                .into(),
        );
    }
    let one = || Expr::value(datafusion::sql::sqlparser::ast::Value::Number("1".into(), false));
    let first = Some(quantity.unwrap_or_else(one));
    query.limit_clause = Some(match query.limit_clause.take() {
        None => LimitClause::LimitOffset { limit: first, offset: None, limit_by: vec![] },
        Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) => {
            LimitClause::LimitOffset { limit: first, offset, limit_by }
        }
        Some(_) => return Err("a query has LIMIT or FETCH FIRST, not both".into()),
    });
    Ok(())
}
