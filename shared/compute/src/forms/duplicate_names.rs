//! `SELECT a, a`: columns that share a name get a number, as in the files of a result.

use datafusion::sql::sqlparser::ast::{Expr, Ident, Select, SelectItem};

use super::Rewritten;
use crate::statement::folded;

pub(super) fn rewrite(select: &mut Select) -> Rewritten {
    let has_all = select.projection.iter().any(|i| matches!(i, SelectItem::Wildcard(_)));
    let mut seen: Vec<Name> = vec![];
    for number in 0..select.projection.len() {
        let Some(name) = name_of(&select.projection[number]) else { continue };
        let in_all = has_all && name.is_column;
        if in_all || seen.iter().any(|other| other.meets(&name)) {
            let taken = |n: &str| {
                let names = select.projection.iter().filter_map(name_of);
                seen.iter().map(|s| &s.name).any(|s| s == n)
                    || names.into_iter().any(|s| s.name == n)
            };
            let free = (1..).map(|n| format!("{}_{n}", name.name)).find(|n| !taken(n));
            let Some(free) = free else { continue };
            seen.push(Name { name: free.clone(), qualifier: None, is_column: false });
            rename(&mut select.projection[number], free);
        } else {
            seen.push(name);
        }
    }
    Ok(())
}

/// The name of an output column.
struct Name {
    name: String,
    /// Of a column; of one that is named without, its table is unknown.
    qualifier: Option<String>,
    is_column: bool,
}

impl Name {
    fn meets(&self, other: &Self) -> bool {
        let differ = match (&self.qualifier, &other.qualifier) {
            (Some(a), Some(b)) => a != b,
            _ => false,
        };
        self.name == other.name && !differ
    }
}

fn name_of(item: &SelectItem) -> Option<Name> {
    let column = |name, qualifier| Some(Name { name, qualifier, is_column: true });
    let other = |name| Some(Name { name, qualifier: None, is_column: false });
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => column(folded(name), None),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            let (name, rest) = parts.split_last()?;
            let qualifier: Vec<_> = rest.iter().map(folded).collect();
            column(folded(name), Some(qualifier.join(".")))
        }
        // a cast has the name of what it casts
        SelectItem::UnnamedExpr(e) => other(uncast(e).to_string().to_lowercase()),
        SelectItem::ExprWithAlias { alias, .. } => other(folded(alias)),
        _ => None,
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => uncast(expr),
        other => other,
    }
}

fn rename(item: &mut SelectItem, name: String) {
    let alias = Ident::with_quote('"', name);
    match item {
        SelectItem::UnnamedExpr(expr) => {
            let expr = expr.clone();
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
        SelectItem::ExprWithAlias { alias: old, .. } => *old = alias,
        _ => {}
    }
}
