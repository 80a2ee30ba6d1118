//! `FROM t, words(t.text) AS w`: functions of Python that give rows. A function gives a list of rows for each
//! row, which is unnested, and each row becomes columns.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    Join, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    TableAlias, TableFactor, TableFunctionArgs, VisitMut, WildcardAdditionalOptions,
};

use super::Rewritten;
use super::unnest::{Moved, Places, as_joins, column_tables, keeps, owner, parse};
use super::using::name_of;
use crate::statement::function_name;

/// Table functions, with their columns.
type TableFunctions = BTreeMap<String, Vec<String>>;

pub(super) fn rewrite(select: &mut Select, tables: &TableFunctions) -> Rewritten {
    if tables.is_empty() {
        return Ok(());
    }
    as_joins(select, |table| Called::of(table, tables).is_some_and(|call| call.is_lateral()));
    for number in 0..select.from.len() {
        let mut at = 0;
        while at < select.from[number].joins.len() {
            let join = &select.from[number].joins[at];
            let called = Called::of(&join.relation, tables);
            if let Some(called) = called.filter(Called::is_lateral) {
                let join = select.from[number].joins.remove(at);
                called.beside(select, number, at, &join)?;
            } else {
                at += 1;
            }
        }
        let from = &mut select.from[number];
        let joined = from.joins.iter_mut().map(|join| &mut join.relation);
        for table in std::iter::once(&mut from.relation).chain(joined) {
            if let Some(called) = Called::of(table, tables) {
                *table = called.alone()?;
            }
        }
    }
    Ok(())
}

/// A call in the place of a table.
struct Called<'a> {
    name: Ident,
    call: Expr,
    arguments: Vec<Expr>,
    /// As they are declared.
    columns: &'a [String],
    alias: Option<TableAlias>,
}

impl<'a> Called<'a> {
    fn of(table: &TableFactor, tables: &'a TableFunctions) -> Option<Self> {
        let (name, args, alias) = match table {
            TableFactor::Table {
                name, args: Some(TableFunctionArgs { args, .. }), alias, ..
            }
            | TableFactor::Function { name, args, alias, .. } => (name, args, alias),
            _ => return None,
        };
        let columns = tables.get(&function_name(name)?)?;
        let ident = name.0.first()?.as_ident()?;
        let arguments = args.iter().filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        });
        let call = Expr::Function(Function {
            name: name.clone(),
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: None,
                args: args.clone(),
                clauses: vec![],
            }),
            filter: None,
            null_treatment: None,
            over: None,
            within_group: vec![],
        });
        let (arguments, name) = (arguments.collect(), ident.clone());
        Some(Self { name, call, arguments, columns, alias: alias.clone() })
    }

    /// Whether it is called for each row of another table.
    fn is_lateral(&self) -> bool {
        self.arguments.iter().any(|e| !column_tables(e).is_empty())
    }

    /// What the statement calls the table and its columns.
    fn names(&self) -> Result<(Ident, Vec<Ident>), String> {
        let declared = || self.columns.iter().map(|c| Ident::with_quote('"', c)).collect();
        match &self.alias {
            None => Ok((self.name.clone(), declared())),
            Some(alias) if alias.columns.is_empty() => Ok((alias.name.clone(), declared())),
            Some(alias) if alias.columns.len() == self.columns.len() => {
                let columns = alias.columns.iter().map(|c| c.name.clone());
                Ok((alias.name.clone(), columns.collect()))
            }
            Some(alias) => Err(format!(
                "{}() has {} columns, and {} has {} names for them",
                self.name,
                self.columns.len(),
                alias.name,
                alias.columns.len()
            )),
        }
    }

    /// Fields of the column `tidemill_row`, under the names that the statement has for them.
    fn fields(&self, names: &[Ident]) -> Result<Vec<SelectItem>, String> {
        let fields = self.columns.iter().zip(names).map(|(column, name)| {
            let text = column.replace('\'', "''");
            let sql = format!("SELECT get_field(tidemill_row, '{text}') AS c");
            let query = parse(&sql)?;
            let SetExpr::Select(select) = *query.body else { return Err(sql) };
            match select.projection.into_iter().next() {
                Some(SelectItem::ExprWithAlias { expr, .. }) => {
                    Ok(SelectItem::ExprWithAlias { expr, alias: name.clone() })
                }
                _ => Err(sql),
            }
        });
        fields.collect()
    }

    /// The rows of a call that takes no columns.
    fn alone(self) -> Result<TableFactor, String> {
        let (name, columns) = self.names()?;
        let sql = "SELECT 1 FROM (SELECT unnest($1) AS tidemill_row) AS tidemill_rows";
        let mut query = self.with_call(sql)?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.projection = self.fields(&columns)?;
        }
        let alias = Some(TableAlias { explicit: true, name, columns: vec![], at: None });
        Ok(TableFactor::Derived { lateral: false, subquery: query, alias, sample: None })
    }

    /// The rows of calls for each row of the table before it, which gets their columns.
    fn beside(self, select: &mut Select, number: usize, at: usize, join: &Join) -> Rewritten {
        let what = format!("{}()", self.name);
        let keeps = keeps(&what, &join.join_operator, &mut select.selection)?;
        let (own, columns) = self.names()?;
        let table = owner(&what, select, number, at, &self.arguments)?;
        let name = name_of(table)?;
        let rows = match keeps {
            // a row that has none stays, with one of NULLs
            true => "CASE WHEN cardinality(tidemill_rows) > 0 THEN tidemill_rows ELSE [NULL] END",
            false => "tidemill_rows",
        };
        let sql = format!(
            "SELECT * EXCLUDE (tidemill_row) FROM (SELECT * EXCLUDE (tidemill_rows), unnest({rows}) AS \
             tidemill_row FROM (SELECT t.*, $1 AS tidemill_rows FROM t) AS tidemill_called) AS tidemill_unnested"
        );
        let mut query = self.with_call(&sql)?;
        if let SetExpr::Select(outer) = query.body.as_mut() {
            outer.projection.extend(self.fields(&columns)?);
        }
        let innermost = innermost(&mut query).ok_or("a call of a table function is not a query")?;
        let kind =
            SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![name.clone()]));
        innermost.projection[0] =
            SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions::default());
        innermost.from[0].relation = table.clone();
        let alias = TableAlias { explicit: true, name: name.clone(), columns: vec![], at: None };
        *table = TableFactor::Derived {
            lateral: false,
            subquery: query,
            alias: Some(alias),
            sample: None,
        };
        let of_call = |item: &SelectItem| {
            let SelectItem::QualifiedWildcard(kind, _) = item else { return false };
            matches!(kind, SelectItemQualifiedWildcardKind::ObjectName(of)
                if matches!(of.0.as_slice(), [part] if part.as_ident().is_some_and(|i| i.value == own.value)))
        };
        while let Some(place) = select.projection.iter().position(of_call) {
            let all = columns.iter().map(|column| {
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(vec![own.clone(), column.clone()]))
            });
            select.projection.splice(place..=place, all);
        }
        let _ = select.visit(&mut Moved { from: own, to: name, columns });
        Ok(())
    }

    /// A query with the call in the place of `$1`.
    fn with_call(&self, sql: &str) -> Result<Box<Query>, String> {
        let mut query = parse(sql)?;
        let _ = query.visit(&mut Places { lists: std::slice::from_ref(&self.call) });
        Ok(query)
    }
}

/// The select of the subquery of a subquery, and so on.
fn innermost(query: &mut Query) -> Option<&mut Select> {
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    match select.from.first() {
        Some(from) if matches!(from.relation, TableFactor::Derived { .. }) => {
            let TableFactor::Derived { subquery, .. } = &mut select.from[0].relation else {
                return None;
            };
            innermost(subquery)
        }
        _ => Some(select),
    }
}
