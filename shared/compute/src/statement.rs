//! Parses a job's SQL, and refuses what would give a wrong answer or none.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Ident, JoinConstraint, JoinOperator, ObjectName, Query, SetExpr, Statement as SqlStatement,
    TableFactor, TableWithJoins, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use tidemill_protocol::param::Params;

use crate::error::{Failure, refused};
use crate::forms;
use crate::functions::Known;
use crate::parameters;
use crate::unheeded;
use crate::write::{self, WriteRequest};

/// How deep SQL may be nested.
const NESTING_LEVELS_MAX: usize = 100;

/// The most words and signs of a statement; planning takes more than linear time in them.
const TOKENS_MAX: usize = 20_000;

/// The most operators, which nest as deep as they are many: `1 + 1 + 1 …`.
const OPERATORS_MAX: usize = 1_000;

/// A statement that may be planned.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    /// The query.
    pub(crate) statement: Statement,
    /// It is to be explained, and not to be run.
    pub(crate) explain: bool,
    /// The columns of the table that it reads are its rows.
    pub(crate) describes: bool,
    /// What becomes of its rows, if they are not the result.
    pub(crate) write: Option<WriteRequest>,
    /// Names that are called like functions, in lower case: they are no tables of the bucket.
    pub(crate) table_functions: HashSet<String>,
}

/// One statement: a query, with the values of its parameters, and perhaps where its rows go; `functions` are
/// those of Python that it may call.
pub(crate) fn parse(sql: &str, params: &Params, functions: &Known) -> Result<Parsed, Failure> {
    check_size(sql)?;
    let mut statements = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(NESTING_LEVELS_MAX)
        .build()?
        .parse_statements()?;
    let (Some(statement), None) = (statements.pop_front(), statements.pop_front()) else {
        return refused("a job is one statement, and this text holds none or several");
    };
    let (statement, explain) = match statement {
        Statement::Explain(explained) if explained.options.analyze => {
            return refused(
                "EXPLAIN ANALYZE is not supported: _SUCCESS of a run tells what its stages used",
            );
        }
        Statement::Explain(explained) => (*explained.statement, true),
        other => (other, false),
    };
    let (statement, describes) = described(statement)?;
    let (mut query, write) = write::split(statement)?;
    parameters::bind(&mut query, params)?;
    forms::rewrite(&mut query, functions)?;
    let mut checker = Checker::default();
    if let ControlFlow::Break(why) = query.visit(&mut checker) {
        return refused(why);
    }
    let table_functions = checker.table_functions;
    let statement = Statement::Statement(Box::new(SqlStatement::Query(query)));
    Ok(Parsed { statement, explain, describes, write, table_functions })
}

/// A name as the engine has it: in small letters, unless it is quoted.
pub(crate) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// The name of a function that is called without a schema, as the engine has it.
pub(crate) fn function_name(name: &ObjectName) -> Option<String> {
    let [part] = name.0.as_slice() else { return None };
    part.as_ident().map(folded)
}

/// `DESCRIBE t` reads a table like a query.
fn described(statement: Statement) -> Result<(Statement, bool), Failure> {
    let Statement::Statement(inner) = &statement else { return Ok((statement, false)) };
    let SqlStatement::ExplainTable { table_name, .. } = inner.as_ref() else {
        return Ok((statement, false));
    };
    let sql = format!("SELECT * FROM {table_name}");
    let parser = DFParserBuilder::new(sql.as_str()).with_dialect(&GenericDialect {}).build();
    Ok((parser?.parse_statement()?, true))
}

fn check_size(sql: &str) -> Result<(), Failure> {
    if sql.trim().is_empty() {
        return refused("the SQL is empty: a job is one statement");
    }
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else {
        return Ok(()); // the parser says what is wrong
    };
    let words = tokens.iter().filter(|t| !matches!(t, Token::Whitespace(_))).count();
    if words > TOKENS_MAX {
        return refused(format!(
            "the SQL has {words} words and signs, and at most {TOKENS_MAX} are planned: put long \
             lists of values into a table"
        ));
    }
    let operators = tokens.iter().filter(|t| is_operator(t)).count();
    if operators > OPERATORS_MAX {
        return refused(format!(
            "the SQL has {operators} operators, and at most {OPERATORS_MAX} are planned: put long \
             lists of conditions into a table, or into IN (…)"
        ));
    }
    Ok(())
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => {
            true
        }
        Token::Word(word) => {
            let word = word.value.as_str();
            ["and", "or", "not", "union", "intersect", "except", "case"]
                .iter()
                .any(|w| word.eq_ignore_ascii_case(w))
        }
        _ => false,
    }
}

/// Looks for what DataFusion plans wrongly.
#[derive(Default)]
struct Checker {
    table_functions: HashSet<String>,
}

impl Visitor for Checker {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        unheeded::check_query(query)?;
        check_set(&query.body)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        unheeded::check_table(factor)?;
        let (TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. }) =
            factor
        else {
            return ControlFlow::Continue(());
        };
        let last = name.0.last().and_then(|part| part.as_ident());
        self.table_functions.extend(last.map(|ident| ident.value.to_lowercase()));
        ControlFlow::Continue(())
    }
}

fn check_set(body: &SetExpr) -> ControlFlow<String> {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            check_set(left)?;
            check_set(right)
        }
        SetExpr::Select(select) => {
            unheeded::check_select(select)?;
            select.from.iter().try_for_each(check_joins)
        }
        _ => ControlFlow::Continue(()),
    }
}

fn check_joins(table: &TableWithJoins) -> ControlFlow<String> {
    for join in &table.joins {
        let (JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)) = &join.join_operator
        else {
            continue;
        };
        if matches!(constraint, JoinConstraint::Natural) {
            // the column would be that of the left side alone
            return ControlFlow::Break(
                "NATURAL RIGHT and FULL JOIN are not supported: name the columns with USING".into(),
            );
        }
    }
    ControlFlow::Continue(())
}
