//! Which functions a statement calls that are not the engine's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, Statement as SqlStatement, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use futures::future::try_join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_protocol::Key;
use tidemill_protocol::function::{
    Function, FunctionKind, Functions, SOURCE_BYTES_MAX, Volatility, is_name,
};
use tidemill_protocol::param::Params;

use super::check;
use super::declared::plain;
use super::{Callable, Callables};
use crate::error::{Failure, refused, sentence};
use crate::statement::{Parsed, folded, function_name, parse};
use crate::table::EncodedSchema;

/// What a statement is to know of functions before it is planned.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Table functions, with their columns.
    pub(crate) tables: BTreeMap<String, Vec<String>>,
    /// Those that give another value each time.
    pub(crate) volatile: BTreeSet<String>,
}

impl Known {
    pub(crate) fn of(functions: &Callables) -> Self {
        let tables = functions.values().filter(|c| c.function.kind == FunctionKind::Table);
        let is_volatile = |c: &&Arc<Callable>| c.function.volatility == Volatility::Volatile;
        Self {
            tables: tables.map(|c| (c.name.clone(), c.columns())).collect(),
            volatile: functions.values().filter(is_volatile).map(|c| c.name.clone()).collect(),
        }
    }
}

/// The functions of the job, and those of files that the statement calls.
///
/// # Errors
/// A sentence, if one is not declared as it must be.
pub(crate) async fn find(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    parsed: &Parsed,
    of_job: &Functions,
) -> Result<Callables, Failure> {
    if let Some(taken) = of_job.keys().find(|name| is_known(state, name)) {
        return refused(format!(
            "function {taken} of the job has the name of one that is built in: rename it"
        ));
    }
    let called = called(parsed);
    let in_bucket =
        |name: &&String| !of_job.contains_key(*name) && is_name(name) && !is_known(state, name);
    let read = called.iter().filter(in_bucket).map(|name| read(store, name));
    let files = try_join_all(read).await?.into_iter().flatten();
    let of_job = of_job.iter().filter(|(name, _)| called.contains(*name));
    let of_job = of_job.map(|(name, function)| (name.clone(), function.clone()));
    let declared = of_job.chain(files).map(async |(name, function)| {
        Ok((name.clone(), Arc::new(callable(state, name, function).await?)))
    });
    let declared: Result<_, Failure> = try_join_all(declared).await.map(BTreeMap::from_iter);
    let declared = Arc::new(declared?);
    check::calls(state, parsed, &declared)?;
    Ok(declared)
}

fn is_known(state: &SessionState, name: &str) -> bool {
    state.scalar_functions().contains_key(name)
        || state.aggregate_functions().contains_key(name)
        || state.window_functions().contains_key(name)
        || state.higher_order_functions().contains_key(name)
        || state.table_functions().contains_key(name)
}

/// The names of all functions that a statement calls.
fn called(parsed: &Parsed) -> BTreeSet<String> {
    #[derive(Default)]
    struct Called(BTreeSet<String>);
    impl Visitor for Called {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::Function(function) = expr {
                self.0.extend(function_name(&function.name));
            }
            ControlFlow::Continue(())
        }
    }
    let mut called = Called(parsed.table_functions.iter().cloned().collect());
    if let Statement::Statement(statement) = &parsed.statement {
        let _ = statement.visit(&mut called);
    }
    called.0
}

/// The function of a file, if there is one.
async fn read(
    store: &Arc<dyn ObjectStore>,
    name: &str,
) -> Result<Option<(String, Function)>, Failure> {
    let key = format!("{}{name}.py", Key::FUNCTIONS);
    let object = match store.get(&Path::from(key.as_str())).await {
        Ok(object) => object,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let max = SOURCE_BYTES_MAX as u64;
    if object.meta.size > max {
        let size = object.meta.size;
        return refused(format!("{key} has {size} bytes, and a function may have {max}"));
    }
    let bytes = object.bytes().await?;
    let Ok(source) = std::str::from_utf8(&bytes) else {
        return refused(format!("{key} is not UTF-8 text"));
    };
    let function = declaration(&key, source.trim_start_matches('\u{feff}'))?;
    function.check(name, &key).map_err(|refusal| Failure::Refused(refusal.sentence))?;
    Ok(Some((name.to_owned(), function)))
}

/// What the comments of a file declare: a block as that of inline script metadata
/// (<https://peps.python.org/pep-0723/>), of the type `tidemill`.
fn declaration(key: &str, source: &str) -> Result<Function, Failure> {
    let mut lines = source.lines().skip_while(|line| line.trim_end() != "# /// tidemill").skip(1);
    let block: Vec<_> = lines.by_ref().take_while(|line| line.trim_end() != "# ///").collect();
    if block.is_empty() {
        return refused(format!(
            "{key} does not declare its types: begin it with the lines '# /// tidemill', \
             '# args = [\"bigint\"]', '# returns = \"double\"' and '# ///'"
        ));
    }
    let mut declared = String::new();
    for line in block {
        match line.strip_prefix('#') {
            Some(text) => declared += text.strip_prefix(' ').unwrap_or(text),
            None => {
                return refused(format!(
                    "the block '# /// tidemill' of {key} has no end: each of its lines is a comment, and the \
                     last one '# ///'"
                ));
            }
        }
        declared.push('\n');
    }
    let invalid = |e: toml::de::Error| {
        let what = e.message().replace('\n', " ");
        Failure::Refused(format!("the block '# /// tidemill' of {key} is not valid: {what}"))
    };
    let mut declared: toml::Table = toml::from_str(&declared).map_err(invalid)?;
    for code in ["source", "pickled"] {
        if declared.remove(code).is_some() {
            return refused(format!(
                "the block '# /// tidemill' of {key} has no {code}: the file is it"
            ));
        }
    }
    declared.insert("source".into(), source.into());
    declared.try_into().map_err(invalid)
}

/// A function with its types.
async fn callable(
    state: &SessionState,
    name: String,
    function: Function,
) -> Result<Callable, Failure> {
    let invalid = |what: &str, e: String| {
        Failure::Refused(format!("{what} of function {name} cannot be read: {e}"))
    };
    let args = match &function.args {
        Some(args) => {
            let named = args.iter().enumerate().map(|(n, t)| (format!("a{n}"), t.clone()));
            let schema = types(state, named.collect()).await;
            Some(EncodedSchema(schema.map_err(|e| invalid("args", e))?))
        }
        None => None,
    };
    let returns = match function.kind {
        FunctionKind::Table => match columns(&function.returns) {
            Ok(columns) => types(state, columns).await,
            Err(e) => Err(e),
        },
        _ => types(state, vec![("returns".into(), function.returns.clone())]).await,
    };
    let returns = returns.map_err(|e| invalid("returns", e))?;
    let returns = match function.kind {
        FunctionKind::Table => {
            let row = Field::new("item", DataType::Struct(returns.fields().clone()), true);
            Schema::new(vec![Field::new("returns", DataType::List(Arc::new(row)), true)]).into()
        }
        _ => EncodedSchema(returns),
    };
    Ok(Callable { name, function, args, returns })
}

/// The names and types of `word text, n bigint`.
fn columns(list: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = || format!("'{list}' is no list of columns such as 'word text, n bigint'");
    let sql = format!("CREATE TABLE t ({list})");
    let parsed = Parser::parse_sql(&GenericDialect {}, &sql).map_err(|_| wrong())?;
    match <[SqlStatement; 1]>::try_from(parsed) {
        Ok([SqlStatement::CreateTable(table)]) if !table.columns.is_empty() => {
            let columns = table.columns.iter();
            let columns: Vec<_> =
                columns.map(|c| (folded(&c.name), c.data_type.to_string())).collect();
            let names: BTreeSet<_> = columns.iter().map(|(name, _)| name).collect();
            if names.len() < columns.len() {
                return Err(format!("'{list}' has two columns of one name"));
            }
            Ok(columns)
        }
        _ => Err(wrong()),
    }
}

/// Columns of these names and types in SQL.
async fn types(state: &SessionState, columns: Vec<(String, String)>) -> Result<SchemaRef, String> {
    if columns.is_empty() {
        return Ok(Arc::new(Schema::empty()));
    }
    let count = columns.len();
    let casts = columns.iter().map(|(name, sql_type)| {
        format!("CAST(NULL AS {sql_type}) AS \"{}\"", name.replace('"', "\"\""))
    });
    let sql = format!("SELECT {}", casts.collect::<Vec<_>>().join(", "));
    let said = |e: DataFusionError| sentence(&e);
    let parsed = parse(&sql, &Params::new(), &Known::default()).map_err(|e| e.to_string())?;
    let plan = state.statement_to_plan(parsed.statement).await.map_err(said)?;
    if plan.schema().fields().len() != count {
        return Err("a type holds more than a type".into());
    }
    let field = |(field, (_, sql_type)): (&FieldRef, &(String, String))| {
        let data_type = match plain(field.data_type()) {
            // as tables of text have it: nanoseconds do not reach the year 9999
            DataType::Timestamp(TimeUnit::Nanosecond, zone) if !sql_type.contains('9') => {
                DataType::Timestamp(TimeUnit::Microsecond, zone)
            }
            DataType::Time64(TimeUnit::Nanosecond) if !sql_type.contains('9') => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            other => other,
        };
        Field::new(field.name(), data_type, true)
    };
    let fields = plan.schema().fields().iter().zip(&columns).map(field);
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Result<Function, String> {
        declaration("functions/f.py", text).map_err(|e| e.to_string())
    }

    #[test]
    fn a_file_declares_in_comments() {
        let text = "import math\n# /// tidemill\n# args = [\"bigint\"]\n#\n# returns = \"double\"\n# ///\n\
                    def f(x): return x\n";
        let function = declared(text).unwrap();
        assert_eq!(function.args, Some(vec!["bigint".to_owned()]));
        assert_eq!(function.returns, "double");
        assert_eq!(function.source.as_deref(), Some(text));
    }

    #[test]
    fn a_declaration_that_cannot_be_read_says_why() {
        let said = |text: &str| declared(text).unwrap_err();
        assert!(said("def f(x): return x").contains("does not declare its types"));
        assert!(said("# /// tidemill\n# returns = 'x'\ndef f(x): ...").contains("has no end"));
        assert!(said("# /// tidemill\n# returns = \n# ///").contains("is not valid"));
        assert!(said("# /// tidemill\n# retruns = 'x'\n# ///").contains("retruns"));
        assert!(said("# /// tidemill\n# source = 'x'\n# ///").contains("has no source"));
    }
}
