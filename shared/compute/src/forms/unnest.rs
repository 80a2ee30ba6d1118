//! `FROM t CROSS JOIN UNNEST(t.items) AS u(item)`: the lists of a table beside their rows. DataFusion
//! knows `unnest` among the selected columns only, so the table becomes a subquery that selects it.

use std::ops::ControlFlow;

use datafusion::sql::parser::DFParserBuilder;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor,
    Value, VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;

use super::Rewritten;
use super::using::name_of;

pub(super) fn rewrite(select: &mut Select) -> Rewritten {
    as_joins(select, |table| matches!(table, TableFactor::UNNEST { .. }));
    for number in 0..select.from.len() {
        while let Some(at) = select.from[number].joins.iter().position(is_lateral) {
            let join = select.from[number].joins.remove(at);
            expand(select, number, at, join)?;
        }
    }
    Ok(())
}

/// `FROM t, UNNEST(t.items)` is a cross join, too: tables of a kind are joined with the one before them.
pub(super) fn as_joins(select: &mut Select, is_of_kind: impl Fn(&TableFactor) -> bool) {
    let mut at = 1;
    while at < select.from.len() {
        if is_of_kind(&select.from[at].relation) {
            let table = select.from.remove(at);
            let join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
            let first = Join { relation: table.relation, global: false, join_operator };
            select.from[at - 1].joins.push(first);
            select.from[at - 1].joins.extend(table.joins);
        } else {
            at += 1;
        }
    }
}

/// Whether a join is with lists of columns.
fn is_lateral(join: &Join) -> bool {
    let TableFactor::UNNEST { array_exprs, .. } = &join.relation else { return false };
    array_exprs.iter().any(|e| !column_tables(e).is_empty())
}

/// The tables of the columns of an expression; without a name where a column has none.
pub(super) fn column_tables(expr: &Expr) -> Vec<Option<Ident>> {
    struct Columns(Vec<Option<Ident>>);
    impl VisitorMut for Columns {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) => self.0.push(None),
                Expr::CompoundIdentifier(parts) => self.0.push(parts.first().cloned()),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut columns = Columns(vec![]);
    let _ = expr.clone().visit(&mut columns);
    columns.0
}

fn expand(select: &mut Select, number: usize, at: usize, join: Join) -> Rewritten {
    let keeps = keeps("UNNEST of a column", &join.join_operator, &mut select.selection)?;
    let TableFactor::UNNEST { alias, array_exprs, with_offset, with_ordinality, .. } =
        join.relation
    else {
        return Ok(());
    };
    if with_offset || with_ordinality {
        return Err("UNNEST … WITH ORDINALITY of a column is not supported".into());
    }
    let columns = columns_of(alias.as_ref(), array_exprs.len())?;
    let table = owner("UNNEST", select, number, at, &array_exprs)?;
    let name = name_of(table)?;
    let named = TableAlias { explicit: true, name: name.clone(), columns: vec![], at: None };
    let subquery = unnested(table.clone(), &name, &array_exprs, &columns, keeps)?;
    *table = TableFactor::Derived { lateral: false, subquery, alias: Some(named), sample: None };
    if let Some(alias) = alias {
        let _ = select.visit(&mut Moved { from: alias.name, to: name, columns });
    }
    Ok(())
}

/// Whether a join with what comes of columns keeps rows that nothing comes of. A condition of an inner join becomes
/// one of the rows.
///
/// # Errors
/// It is a join of another kind.
pub(super) fn keeps(
    what: &str,
    operator: &JoinOperator,
    rows: &mut Option<Expr>,
) -> Result<bool, String> {
    let (constraint, keeps) = match operator {
        JoinOperator::CrossJoin(constraint)
        | JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint) => (constraint, false),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (constraint, true),
        _ => return Err(format!("{what} is supported as CROSS JOIN and LEFT JOIN")),
    };
    match constraint {
        JoinConstraint::None => {}
        JoinConstraint::On(Expr::Value(value)) if value.value == Value::Boolean(true) => {}
        JoinConstraint::On(condition) if !keeps => {
            let condition = Expr::Nested(Box::new(condition.clone()));
            *rows = Some(match rows.take() {
                Some(known) => Expr::BinaryOp {
                    left: Box::new(Expr::Nested(Box::new(known))),
                    op: BinaryOperator::And,
                    right: Box::new(condition),
                },
                None => condition,
            });
        }
        _ => return Err(format!("{what} is joined ON true: write the condition in WHERE")),
    }
    Ok(keeps)
}

/// `SELECT t.*, unnest(list) AS column, … FROM t`. What the statement has written takes the places of `$1` and so
/// on in it, and is not printed: read again it might be something else.
fn unnested(
    table: TableFactor,
    name: &Ident,
    lists: &[Expr],
    columns: &[Ident],
    keeps: bool,
) -> Result<Box<Query>, String> {
    let places: Vec<_> = (1..=lists.len()).map(|n| format!("${n}")).collect();
    let has_any: Vec<_> = places.iter().map(|list| format!("cardinality({list}) > 0")).collect();
    // a row of an outer join whose lists are empty has one NULL
    let selected = places.iter().zip(&has_any).map(|(list, has_any)| match keeps {
        true => format!("unnest(CASE WHEN {has_any} THEN {list} ELSE [NULL] END) AS c"),
        false => format!("unnest({list}) AS c"),
    });
    let selected: Vec<_> = selected.collect();
    let condition = if keeps { String::new() } else { format!(" WHERE {}", has_any.join(" OR ")) };
    let sql = format!("SELECT t.*, {} FROM t{condition}", selected.join(", "));
    let mut query = parse(&sql)?;
    let _ = query.visit(&mut Places { lists });
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(sql) };
    for (item, column) in select.projection.iter_mut().skip(1).zip(columns) {
        if let SelectItem::ExprWithAlias { alias, .. } = item {
            *alias = column.clone();
        }
    }
    let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![name.clone()]));
    select.projection[0] =
        SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions::default());
    select.from[0].relation = table;
    Ok(query)
}

/// Puts lists in the places of `$1` and so on.
pub(super) struct Places<'a> {
    pub(super) lists: &'a [Expr],
}

impl VisitorMut for Places<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(place) = &value.value
            && let Ok(number) = place.trim_start_matches('$').parse::<usize>()
            && let Some(list) = self.lists.get(number - 1)
        {
            *expr = list.clone();
        }
        ControlFlow::Continue(())
    }
}

/// The names of the unnested columns.
fn columns_of(alias: Option<&TableAlias>, count: usize) -> Result<Vec<Ident>, String> {
    let named: Vec<_> = match alias {
        Some(alias) if !alias.columns.is_empty() => {
            alias.columns.iter().map(|c| c.name.clone()).collect()
        }
        Some(alias) => vec![alias.name.clone()],
        None => vec![Ident::new("unnest")],
    };
    if named.len() == count {
        return Ok(named);
    }
    Err(format!("UNNEST of {count} lists needs {count} names: UNNEST(…) AS u(a, b)"))
}

/// The table that the lists are columns of.
pub(super) fn owner<'a>(
    what: &str,
    select: &'a mut Select,
    number: usize,
    at: usize,
    lists: &[Expr],
) -> Result<&'a mut TableFactor, String> {
    let mut wanted: Vec<_> = lists.iter().flat_map(column_tables).flatten().collect();
    wanted.dedup();
    let many = || {
        format!("{what} of columns of several tables is not supported: write a subquery for each")
    };
    let several = select.from.len() > 1 || at > 0;
    let table = &mut select.from[number];
    let joins = table.joins.iter_mut().take(at).map(|j| &mut j.relation);
    let mut before = std::iter::once(&mut table.relation).chain(joins);
    match wanted.as_slice() {
        [] if several => Err(format!("{what} of a column needs its table's name: t.column")),
        [] => before.next().ok_or_else(many),
        [wanted] => {
            let is_it = |t: &&mut TableFactor| name_of(t).is_ok_and(|n| n.value == wanted.value);
            before.find(is_it).ok_or_else(|| {
                format!("{what} needs a column of a table before it in FROM, and {wanted} is none")
            })
        }
        _ => Err(many()),
    }
}

/// Columns of the alias of a list belong to the table now.
pub(super) struct Moved {
    pub(super) from: Ident,
    pub(super) to: Ident,
    pub(super) columns: Vec<Ident>,
}

impl VisitorMut for Moved {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table, column, ..] = parts.as_mut_slice()
            && table.value == self.from.value
            && self.columns.iter().any(|c| c.value == column.value)
        {
            *table = self.to.clone();
        }
        ControlFlow::Continue(())
    }
}

pub(super) fn parse(sql: &str) -> Result<Box<Query>, String> {
    let parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build();
    let statement = parser.and_then(|mut p| p.parse_statement()).map_err(|e| e.to_string())?;
    match statement {
        datafusion::sql::parser::Statement::Statement(s) => match *s {
            Statement::Query(query) => Ok(query),
            other => Err(format!("{other} is no query")),
        },
        other => Err(format!("{other} is no query")),
    }
}
