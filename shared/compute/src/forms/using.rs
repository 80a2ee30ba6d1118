//! `RIGHT JOIN … USING (k)` and `FULL JOIN … USING (k)`: `k` is that of whichever side has the row.
//! DataFusion takes the left side's; so the join gets an `ON`, and `k` is written as `coalesce`.
//! In the `WHERE` of other joins with `USING`, where DataFusion 55.2 calls `k` ambiguous, it is written with the
//! table that has it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName,
    Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor,
    TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use super::Rewritten;
use super::expressions::call;

pub(super) fn rewrite(query: &mut Query) -> Rewritten {
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    let mut shared = shared_columns(&select.from);
    if let Some(condition) = &mut select.selection
        && !shared.columns.is_empty()
    {
        let _ = condition.visit(&mut shared);
    }
    if !select.from.iter().any(|table| table.joins.iter().any(|j| is_outer(&j.join_operator))) {
        return Ok(());
    }
    let [table] = select.from.as_mut_slice() else {
        return Err(
            "RIGHT and FULL JOIN with USING are not supported beside other tables in FROM: \
                    use ON, and coalesce() of both columns"
                .into(),
        );
    };
    let mut scope = Scope::of(table)?;
    expand_wildcards(select, &scope)?;
    let _ = select.projection.iter_mut().try_for_each(|item| name_item(item, &scope));
    let named: Vec<String> = select.projection.iter().filter_map(alias_of).collect();
    scope.visit_all(select);
    if let Some(order_by) = &mut query.order_by {
        // an order may name an output column
        scope.columns.retain(|c| !named.contains(&c.name.value));
        let _ = order_by.visit(&mut scope);
    }
    Ok(())
}

/// The columns that inner and left joins share, each with the table that has its value, where all tables share
/// them: another might have a column of that name, too.
fn shared_columns(from: &[TableWithJoins]) -> Scope {
    let mut scope = Scope { tables: vec![], columns: vec![], depth: 0 };
    let [table] = from else { return scope };
    let Ok(first) = name_of(&table.relation) else { return scope };
    let used = table.joins.iter().map(|join| match &join.join_operator {
        JoinOperator::Join(JoinConstraint::Using(names))
        | JoinOperator::Inner(JoinConstraint::Using(names))
        | JoinOperator::Left(JoinConstraint::Using(names))
        | JoinOperator::LeftOuter(JoinConstraint::Using(names)) => names.as_slice(),
        _ => &[],
    });
    let used: Vec<_> = used.collect();
    let Some((names, others)) = used.split_first() else { return scope };
    for name in names.iter().filter(|name| others.iter().all(|names| names.contains(name))) {
        if let Some(name) = name.0.last().and_then(|part| part.as_ident()) {
            scope.columns.push(Shared { name: name.clone(), tables: vec![first.clone()] });
        }
    }
    scope
}

fn is_outer(operator: &JoinOperator) -> bool {
    matches!(
        operator,
        JoinOperator::Right(JoinConstraint::Using(_))
            | JoinOperator::RightOuter(JoinConstraint::Using(_))
            | JoinOperator::FullOuter(JoinConstraint::Using(_))
    )
}

/// A column that joins share.
struct Shared {
    name: Ident,
    /// The tables that have it.
    tables: Vec<Ident>,
}

impl Shared {
    fn value(&self) -> Expr {
        let of = |t: &Ident| Expr::CompoundIdentifier(vec![t.clone(), self.name.clone()]);
        match self.tables.as_slice() {
            [one] => of(one),
            all => call("coalesce", all.iter().map(of).collect()),
        }
    }
}

struct Scope {
    tables: Vec<Ident>,
    columns: Vec<Shared>,
    /// Subqueries that the visitor is in: their names are their own.
    depth: usize,
}

impl Scope {
    /// The columns that the joins of a table share; the joins get an `ON`.
    fn of(table: &mut TableWithJoins) -> Result<Self, String> {
        let mut scope = Self { tables: vec![name_of(&table.relation)?], columns: vec![], depth: 0 };
        for join in &mut table.joins {
            let right = name_of(&join.relation)?;
            if let Some(constraint) = constraint_of(&mut join.join_operator)
                && let JoinConstraint::Using(names) = constraint
            {
                let names = names.clone();
                let on = names.iter().map(|name| scope.share(name, &right));
                let on = on.collect::<Result<Vec<_>, _>>()?;
                let and = |left, right| binary(left, BinaryOperator::And, right);
                if let Some(on) = on.into_iter().reduce(and) {
                    *constraint = JoinConstraint::On(on);
                }
            }
            scope.tables.push(right);
        }
        Ok(scope)
    }

    /// The condition that a column is the same.
    fn share(&mut self, name: &ObjectName, right: &Ident) -> Result<Expr, String> {
        let Some(name) = name.0.last().and_then(|p| p.as_ident()).cloned() else {
            return Err(format!("USING names columns, not {name}"));
        };
        let value = Expr::CompoundIdentifier(vec![right.clone(), name.clone()]);
        let known = self.columns.iter().position(|c| c.name.value == name.value);
        let number = known.unwrap_or_else(|| {
            self.columns.push(Shared { name, tables: vec![self.tables[0].clone()] });
            self.columns.len() - 1
        });
        if known.is_none() && self.tables.len() > 1 {
            return Err("a later join with USING names a column that the first one does not: use \
                        ON, and coalesce() of both columns"
                .into());
        }
        let shared = &mut self.columns[number];
        let on = binary(shared.value(), BinaryOperator::Eq, value);
        shared.tables.push(right.clone());
        Ok(on)
    }

    fn shared(&self, name: &Ident) -> Option<&Shared> {
        self.columns.iter().find(|c| c.name.value.eq_ignore_ascii_case(&name.value))
    }

    fn visit_all(&mut self, select: &mut Select) {
        let from = std::mem::take(&mut select.from);
        let _ = select.visit(self);
        select.from = from;
    }
}

impl VisitorMut for Scope {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && self.depth == 0
            && let Some(shared) = self.shared(name)
        {
            *expr = shared.value();
        }
        ControlFlow::Continue(())
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn constraint_of(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(c)
        | JoinOperator::Inner(c)
        | JoinOperator::Left(c)
        | JoinOperator::LeftOuter(c)
        | JoinOperator::Right(c)
        | JoinOperator::RightOuter(c)
        | JoinOperator::FullOuter(c) => Some(c),
        _ => None,
    }
}

/// The name that columns of a table are qualified with.
pub(super) fn name_of(table: &TableFactor) -> Result<Ident, String> {
    let (name, alias) = match table {
        TableFactor::Table { name, alias, .. } => (name.0.last(), alias),
        TableFactor::Derived { alias, .. } => (None, alias),
        _ => (None, &None),
    };
    let alias = alias.as_ref().map(|a| a.name.clone());
    alias.or_else(|| name.and_then(|p| p.as_ident()).cloned()).ok_or_else(|| {
        "RIGHT and FULL JOIN with USING, and UNNEST of a column, need tables with a name: add AS name"
            .to_owned()
    })
}

/// `*` is each shared column once, then the others of each table.
fn expand_wildcards(select: &mut Select, scope: &Scope) -> Rewritten {
    let mut items = vec![];
    for item in std::mem::take(&mut select.projection) {
        let SelectItem::Wildcard(options) = item else {
            items.push(item);
            continue;
        };
        if options != WildcardAdditionalOptions::default() {
            return Err(
                "* with options is not supported over RIGHT and FULL JOIN with USING: name \
                        the columns"
                    .into(),
            );
        }
        let shared = scope.columns.iter();
        items.extend(
            shared.map(|c| SelectItem::ExprWithAlias { expr: c.value(), alias: c.name.clone() }),
        );
        for table in &scope.tables {
            let its = scope.columns.iter().filter(|c| c.tables.contains(table));
            let its: Vec<_> = its.map(|c| ObjectName::from(vec![c.name.clone()])).collect();
            let options = WildcardAdditionalOptions {
                opt_exclude: (!its.is_empty()).then_some(ExcludeSelectItem::Multiple(its)),
                ..Default::default()
            };
            let name = ObjectName::from(vec![table.clone()]);
            let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
            items.push(SelectItem::QualifiedWildcard(kind, options));
        }
    }
    select.projection = items;
    Ok(())
}

/// A shared column that is selected keeps its name.
fn name_item(item: &mut SelectItem, scope: &Scope) -> ControlFlow<()> {
    if let SelectItem::UnnamedExpr(Expr::Identifier(name)) = item
        && let Some(shared) = scope.shared(name)
    {
        let alias = name.clone();
        *item = SelectItem::ExprWithAlias { expr: shared.value(), alias };
    }
    ControlFlow::Continue(())
}

fn alias_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        _ => None,
    }
}
