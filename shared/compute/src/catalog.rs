//! What tables there are, as tables: `information_schema.tables` and `.columns`, and `SHOW TABLES`.
//!
//! They stand in the plan as the rows that they have when a job is planned, so that all tasks see the same.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Ident, Query, ShowStatementOptions, Statement as SqlStatement, TableAlias, TableFactor,
    VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use futures::stream::{self, StreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use tidemill_protocol::job::{JobSpec, Work};
use tidemill_protocol::{Key, is_table_folder};

use crate::describe::columns_of;
use crate::error::{Failure, refused};
use crate::statement::folded;
use crate::table::{self, Table};

const SCHEMA: &str = "information_schema";

/// What a table of a bucket is said to belong to.
const CATALOG_NAME: &str = "tidemill";
const SCHEMA_NAME: &str = "public";

/// Tables whose columns are looked up at once, and for one statement.
const PARALLEL_TABLES: usize = 8;
const TABLES_MAX: usize = 200;

const TABLE_COLUMNS: [&str; 4] = ["table_catalog", "table_schema", "table_name", "table_type"];
const COLUMN_COLUMNS: [&str; 7] = [
    "table_catalog",
    "table_schema",
    "table_name",
    "column_name",
    "ordinal_position",
    "is_nullable",
    "data_type",
];

/// A job with the rows of what its statement asks of the catalog.
pub(crate) async fn expanded(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    spec: &JobSpec,
    mut statement: SqlStatement,
) -> Result<JobSpec, Failure> {
    let mut asked = Asked::default();
    let _ = statement.visit(&mut asked);
    let tables = names(store).await?;
    let of_tables = asked.names.contains("tables").then(|| rows_of_tables(&tables));
    let of_columns = match asked.names.contains("columns") {
        true => Some(rows_of_columns(state, store, spec, &tables).await?),
        false => None,
    };
    let mut rows = Rows { tables: of_tables, columns: of_columns };
    if let ControlFlow::Break(why) = statement.visit(&mut rows) {
        return refused(why);
    }
    let work = Work::Statement(statement.to_string());
    Ok(JobSpec { work, ..spec.clone() })
}

/// The statement that asks something of the catalog; nothing, if it asks nothing.
pub(crate) fn asking(sql: &str) -> Result<Option<SqlStatement>, Failure> {
    let small = sql.to_lowercase();
    if !small.contains(SCHEMA) && !small.trim_start().starts_with("show") {
        return Ok(None);
    }
    let parsed =
        DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build()?.parse_statements();
    let Ok(mut statements) = parsed else { return Ok(None) }; // the parser says elsewhere what is wrong
    let (Some(statement), None) = (statements.pop_front(), statements.pop_front()) else {
        return Ok(None);
    };
    let Statement::Statement(statement) = statement else { return Ok(None) };
    match *statement {
        SqlStatement::ShowTables { show_options, .. } => {
            if has_options(&show_options) {
                return refused(
                    "SHOW TABLES takes no LIKE, FROM or LIMIT here: SELECT table_name FROM \
                     information_schema.tables WHERE … does",
                );
            }
            let sql = format!("SELECT table_name FROM {SCHEMA}.tables ORDER BY table_name");
            Ok(Some(parse(&sql)?))
        }
        SqlStatement::ShowColumns { .. } => {
            refused("SHOW COLUMNS is not supported: DESCRIBE t says the same")
        }
        other => Ok(small.contains(SCHEMA).then_some(other)),
    }
}

fn has_options(options: &ShowStatementOptions) -> bool {
    let ShowStatementOptions { show_in, starts_with, limit, limit_from, filter_position } = options;
    show_in.is_some()
        || starts_with.is_some()
        || limit.is_some()
        || limit_from.is_some()
        || filter_position.is_some()
}

fn parse(sql: &str) -> Result<SqlStatement, Failure> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(sql);
    let parsed = parsed.and_then(|mut parser| parser.parse_statement());
    parsed.map_err(|e| DataFusionError::SQL(Box::new(e), None).into())
}

/// The table of the schema that a part of a statement names.
fn table_of(factor: &TableFactor) -> Option<String> {
    let TableFactor::Table { name, args: None, .. } = factor else { return None };
    let parts: Option<Vec<String>> =
        name.0.iter().map(|part| part.as_ident().map(folded)).collect();
    match parts?.as_slice() {
        [schema, table] if schema == SCHEMA => Some(table.clone()),
        _ => None,
    }
}

/// The tables of the schema that a statement names.
#[derive(Default)]
struct Asked {
    names: BTreeSet<String>,
}

impl VisitorMut for Asked {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.names.extend(table_of(factor));
        ControlFlow::Continue(())
    }
}

/// The rows that stand in the place of tables.
struct Rows {
    tables: Option<Query>,
    columns: Option<Query>,
}

impl VisitorMut for Rows {
    type Break = String;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<String> {
        let Some(name) = table_of(factor) else { return ControlFlow::Continue(()) };
        let rows = match name.as_str() {
            "tables" => &self.tables,
            "columns" => &self.columns,
            _ => &None,
        };
        let Some(rows) = rows else {
            return ControlFlow::Break(format!(
                "there is no {SCHEMA}.{name}: {SCHEMA}.tables and {SCHEMA}.columns are there"
            ));
        };
        let TableFactor::Table { alias, .. } = factor else { return ControlFlow::Continue(()) };
        let alias = alias.take().unwrap_or_else(|| TableAlias {
            explicit: true,
            name: Ident::new(name),
            columns: vec![],
            at: None,
        });
        let (subquery, alias) = (Box::new(rows.clone()), Some(alias));
        *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
        ControlFlow::Continue(())
    }
}

/// The names of the bucket's tables.
async fn names(store: &Arc<dyn ObjectStore>) -> Result<Vec<String>, Failure> {
    let found = store.list_with_delimiter(Some(&Path::from(Key::TABLES))).await?;
    let names = found.common_prefixes.iter().filter_map(|path| path.filename());
    Ok(names.filter(|name| is_table_folder(&folder(name))).map(str::to_owned).collect())
}

fn folder(table: &str) -> String {
    format!("{}{table}/", Key::TABLES)
}

fn rows_of_tables(tables: &[String]) -> Query {
    let row = |table: &String| {
        vec![text(CATALOG_NAME), text(SCHEMA_NAME), text(table), text("BASE TABLE")]
    };
    values(&TABLE_COLUMNS, &tables.iter().map(row).collect::<Vec<_>>())
}

async fn rows_of_columns(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    spec: &JobSpec,
    tables: &[String],
) -> Result<Query, Failure> {
    if tables.len() > TABLES_MAX {
        return refused(format!(
            "{SCHEMA}.columns looks into each of the bucket's {} tables, and at most into {TABLES_MAX}: DESCRIBE t \
             says the columns of one",
            tables.len()
        ));
    }
    let looked: Vec<_> = tables.iter().map(|table| find(state, store, spec, table)).collect();
    let pinned: Vec<_> = stream::iter(looked).buffered(PARALLEL_TABLES).collect().await;
    let mut rows = vec![];
    for (name, table) in tables.iter().zip(&pinned) {
        for (number, (column, kind)) in table.iter().flat_map(columns_of).enumerate() {
            rows.push(vec![
                text(CATALOG_NAME),
                text(SCHEMA_NAME),
                text(name),
                text(&column),
                (number + 1).to_string(),
                text("YES"),
                text(&kind),
            ]);
        }
    }
    Ok(values(&COLUMN_COLUMNS, &rows))
}

/// A table; nothing, if nobody can read it: a statement that does says why.
async fn find(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    spec: &JobSpec,
    table: &str,
) -> Option<Table> {
    table::find(state, store, &folder(table), spec).await.ok().flatten()
}

/// Between quotes.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A query with these rows.
fn values(columns: &[&str], rows: &[Vec<String>]) -> Query {
    let names = columns.join(", ");
    let sql = match rows {
        [] => {
            let none = columns.iter().map(|name| match *name {
                "ordinal_position" => format!("0 AS {name}"),
                _ => format!("'' AS {name}"),
            });
            format!("SELECT {} WHERE false", none.collect::<Vec<_>>().join(", "))
        }
        rows => {
            let rows: Vec<_> = rows.iter().map(|row| format!("({})", row.join(", "))).collect();
            format!("SELECT {names} FROM (VALUES {}) AS rows({names})", rows.join(", "))
        }
    };
    // of quoted texts and numbers alone
    match parse(&sql) {
        Ok(SqlStatement::Query(query)) => *query,
        _ => unreachable!("{sql} is a query"),
    }
}
