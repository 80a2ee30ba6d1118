//! What tables there are, as tables: `information_schema.tables` and `.columns`, and `SHOW TABLES`.
//!
//! They stand in the plan as the rows that they have when a job is planned, so that all tasks see the same.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::{CopyToSource, CopyToStatement, DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Ident, ShowStatementOptions, Statement as SqlStatement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use tidemill_protocol::job::{JobSpec, Work};
use tidemill_protocol::{Key, is_table_folder};

use crate::describe::columns_of;
use crate::error::{Failure, refused};
use crate::place::byte_at;
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

/// A job with the rows of what its statement asks of the catalog. They stand in the text at the places of the names,
/// so that all else is as it was.
pub(crate) async fn expanded(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    spec: &JobSpec,
    asked: Asking,
) -> Result<JobSpec, Failure> {
    let tables = names(store).await?;
    let of_columns = match asked.places.iter().any(|place| place.table == "columns") {
        true => rows_of_columns(state, store, spec, &tables).await?,
        false => String::new(),
    };
    let mut sql = asked.sql;
    // from the last, so that those before stay where they are
    for Place { table, bytes, has_alias } in asked.places.into_iter().rev() {
        let rows = match table.as_str() {
            "tables" => &rows_of_tables(&tables),
            "columns" => &of_columns,
            _ => {
                return refused(format!(
                    "there is no {SCHEMA}.{table}: {SCHEMA}.tables and {SCHEMA}.columns are there"
                ));
            }
        };
        let alias = if has_alias { String::new() } else { format!(" AS {table}") };
        sql.replace_range(bytes, &format!("({rows}){alias}"));
    }
    Ok(JobSpec { work: Work::Statement(sql), ..spec.clone() })
}

/// A statement that asks something of the catalog.
#[derive(Debug)]
pub(crate) struct Asking {
    sql: String,
    places: Vec<Place>,
}

/// A table of the catalog in the text of a statement.
#[derive(Debug)]
struct Place {
    table: String,
    bytes: Range<usize>,
    has_alias: bool,
}

/// What a statement asks of the catalog; nothing, if it asks nothing.
pub(crate) fn asking(sql: &str) -> Result<Option<Asking>, Failure> {
    let small = sql.to_lowercase();
    if !small.contains(SCHEMA) && !small.contains("show") {
        return Ok(None);
    }
    let sql = match shown(sql)? {
        Some(listing) => listing,
        None => sql.to_owned(),
    };
    let mut places = Places { sql: &sql, found: vec![] };
    let mut statement = parsed(&sql);
    while let Some(Statement::Explain(explained)) = statement {
        statement = Some(*explained.statement);
    }
    let _ = match statement {
        Some(Statement::Statement(statement)) => statement.visit(&mut places),
        Some(Statement::CopyTo(CopyToStatement { source: CopyToSource::Query(query), .. })) => {
            query.visit(&mut places)
        }
        _ => return Ok(None),
    };
    let mut places = places.found;
    places.sort_by_key(|place| place.bytes.start);
    Ok((!places.is_empty()).then_some(Asking { sql, places }))
}

/// The only statement of a text; nothing, if it is none: the parser says elsewhere what is wrong.
fn parsed(sql: &str) -> Option<Statement> {
    let mut parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build().ok()?;
    let mut statements = parser.parse_statements().ok()?;
    statements.pop_front().filter(|_| statements.is_empty())
}

/// The statement that says what SHOW asks for; nothing, if it is another.
fn shown(sql: &str) -> Result<Option<String>, Failure> {
    let Some(Statement::Statement(statement)) = parsed(sql) else { return Ok(None) };
    match *statement {
        SqlStatement::ShowTables { terse, history, extended, full, external, show_options } => {
            if terse || history || extended || full || external || has_options(&show_options) {
                return refused(
                    "only SHOW TABLES itself is supported: SELECT table_name FROM information_schema.tables \
                     WHERE … says more",
                );
            }
            Ok(Some(format!("SELECT table_name FROM {SCHEMA}.tables ORDER BY table_name")))
        }
        SqlStatement::ShowColumns { .. } => {
            refused("SHOW COLUMNS is not supported: DESCRIBE t says the same")
        }
        _ => Ok(None),
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

/// Looks for the tables of the catalog in a statement.
struct Places<'a> {
    sql: &'a str,
    found: Vec<Place>,
}

impl Visitor for Places<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let parts: Option<Vec<&Ident>> = name.0.iter().map(|part| part.as_ident()).collect();
        if let Some([schema, table]) = parts.as_deref()
            && folded(schema) == SCHEMA
        {
            let at = |location| byte_at(self.sql, location);
            let bytes = at(schema.span.start)..at(table.span.end);
            let place = Place { table: folded(table), bytes, has_alias: alias.is_some() };
            self.found.push(place);
        }
        ControlFlow::Continue(())
    }
}

/// The names of the bucket's tables.
async fn names(store: &Arc<dyn ObjectStore>) -> Result<Vec<String>, Failure> {
    let found = store.list_with_delimiter(Some(&Path::from(Key::TABLES))).await?;
    let names = found.common_prefixes.iter().filter_map(|path| path.filename());
    // others are places of the bucket where a statement names them
    let is_name = |name: &&str| is_table_folder(&folder(name)) && !name.contains(['.', '*', '\\']);
    Ok(names.filter(is_name).map(str::to_owned).collect())
}

fn folder(table: &str) -> String {
    format!("{}{table}/", Key::TABLES)
}

fn rows_of_tables(tables: &[String]) -> String {
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
) -> Result<String, Failure> {
    if tables.len() > TABLES_MAX {
        return refused(format!(
            "{SCHEMA}.columns looks into each of the bucket's {} tables, and at most into {TABLES_MAX}: DESCRIBE t \
             says the columns of one",
            tables.len()
        ));
    }
    let looked: Vec<_> = tables.iter().map(|table| find(state, store, spec, table)).collect();
    let pinned: Vec<Option<Table>> =
        stream::iter(looked).buffered(PARALLEL_TABLES).try_collect().await?;
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
) -> Result<Option<Table>, Failure> {
    match table::find(state, store, &folder(table), spec).await {
        Ok(found) => Ok(found),
        // another attempt may read it
        Err(e) if e.store_error().is_some() => Err(e),
        Err(_) => Ok(None),
    }
}

/// Between quotes.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A query with these rows, on one line.
fn values(columns: &[&str], rows: &[Vec<String>]) -> String {
    let names = columns.join(", ");
    match rows {
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
    }
}
