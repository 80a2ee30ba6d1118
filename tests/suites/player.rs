use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::TableReference;
use datafusion::execution::context::SessionContext;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use super::judge::{Verdict, judge};
use super::records::Record;
use crate::engine::EngineFixture;
use crate::support::tables::Table;

/// What became of the queries of a file.
#[derive(Default)]
pub(super) struct Summary {
    counts: HashMap<&'static str, u32>,
}

/// The words of a summary, in its order.
const WORDS: [&str; 7] =
    ["equal", "different", "failed", "refused", "unstable", "oracle failed", "skipped"];

impl Summary {
    fn count(&mut self, word: &'static str) {
        *self.counts.entry(word).or_default() += 1;
    }

    fn of(&self, word: &str) -> u32 {
        self.counts.get(word).copied().unwrap_or(0)
    }

    pub(super) fn wrong(&self) -> u32 {
        self.of("different") + self.of("failed")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = WORDS.iter().map(|w| format!("{w} {}", self.of(w))).collect();
        f.write_str(&words.join(", "))
    }
}

/// Plays the records of one file.
pub(super) struct Player {
    session: SessionContext,
    fixture: Arc<EngineFixture>,
    root: PathBuf,
    /// The tables that are in the bucket as they are in the session.
    written: HashMap<String, Arc<Table>>,
    pub(super) summary: Summary,
}

/// No query may take longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs something that may panic or never end.
pub(super) async fn patiently<T: Send + 'static>(
    work: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    match tokio::spawn(tokio::time::timeout(PATIENCE, work)).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(format!("it takes longer than {PATIENCE:?}")),
        Err(panic) => Err(format!("it panics: {panic}")),
    }
}

impl Player {
    pub(super) fn new(root: PathBuf) -> Self {
        let config = SessionConfig::new().with_target_partitions(4).with_information_schema(true);
        Self {
            session: SessionContext::new_with_config(config),
            fixture: Arc::new(EngineFixture::new()),
            root,
            written: HashMap::new(),
            summary: Summary::default(),
        }
    }

    pub(super) async fn play(&mut self, record: Record) {
        match record {
            Record::Failing(_) => {}
            Record::Statement(sql) => self.execute(&sql).await,
            Record::Query(sql) => match self.is_select(&sql) {
                true => self.compare(sql).await,
                false => {
                    self.skip("no SELECT", &sql);
                    self.execute(&sql).await;
                }
            },
        }
    }

    fn statement(&self, sql: &str) -> Option<Statement> {
        let dialect = self.session.state().config_options().sql_parser.dialect;
        self.session.state().sql_to_statement(sql, &dialect).ok()
    }

    fn is_select(&self, sql: &str) -> bool {
        let statement = self.statement(sql);
        matches!(statement, Some(Statement::Statement(s)) if matches!(*s, SqlStatement::Query(_)))
    }

    /// Runs a statement in the session alone; it may change any table.
    async fn execute(&mut self, sql: &str) {
        let (session, sql) = (self.session.clone(), self.with_root(sql));
        let done = patiently(async move {
            let frame = session.sql(&sql).await.map_err(|e| e.to_string())?;
            frame.collect().await.map_err(|e| e.to_string())
        });
        if let Err(why) = done.await {
            println!("statement fails: {why}");
        }
        self.written.clear();
    }

    /// The statement with its paths made absolute.
    fn with_root(&self, sql: &str) -> String {
        let upper = sql.to_uppercase();
        if !upper.contains("LOCATION") && !upper.contains("COPY") {
            return sql.to_owned();
        }
        let absolute = |(n, part): (usize, &str)| {
            let path = n % 2 == 1 && part.contains('/') && !part.starts_with('/');
            match path && !part.contains("://") {
                true => self.root.join(part).display().to_string(),
                false => part.to_owned(),
            }
        };
        sql.split('\'').enumerate().map(absolute).collect::<Vec<_>>().join("'")
    }

    fn skip(&mut self, why: &str, sql: &str) {
        self.summary.count("skipped");
        println!("skipped: {why}\n{sql}\n");
    }

    async fn compare(&mut self, sql: String) {
        let tables = match self.tables(&sql).await {
            Ok(tables) => tables,
            Err(why) => return self.skip(&why, &sql),
        };
        let (fixture, session) = (self.fixture.clone(), self.session.clone());
        let verdict = judge(&fixture, &session, &tables, &sql).await;
        let (word, details) = match verdict {
            Verdict::Equal => ("equal", None),
            Verdict::OracleFailed(why) => ("oracle failed", Some(why)),
            Verdict::Refused(why) => ("refused", Some(why)),
            Verdict::Unstable(why) => ("unstable", Some(why)),
            Verdict::Failed(why) => ("failed", Some(why)),
            Verdict::Different(why) => ("different", Some(why)),
        };
        self.summary.count(word);
        let Some(details) = details else { return };
        println!("{word}: {details}\n{sql}\n");
        // a run that was given up leaves tasks behind
        self.fixture = Arc::new(EngineFixture::new());
        self.written.clear();
    }

    /// Puts the tables of a query into the bucket.
    async fn tables(&mut self, sql: &str) -> Result<Vec<Arc<Table>>, String> {
        let statement = self.statement(sql).ok_or("no statement")?;
        let names = self.session.state().resolve_table_references(&statement);
        let mut tables = vec![];
        for name in names.map_err(|e| e.to_string())? {
            if !self.session.table_exist(name.clone()).unwrap_or(false) {
                continue; // a function, or an error that both engines make
            }
            let TableReference::Bare { table } = &name else {
                return Err(format!("table {name} has a schema"));
            };
            if table.contains(['/', '*', '\\', '.', '?', '[']) || table.starts_with(['~', '_']) {
                return Err(format!("table {name} would be a path"));
            }
            tables.push(self.table(table).await?);
        }
        Ok(tables)
    }

    async fn table(&mut self, name: &str) -> Result<Arc<Table>, String> {
        if let Some(table) = self.written.get(name) {
            return Ok(table.clone());
        }
        let frame = self.session.table(TableReference::bare(name)).await;
        let frame = frame.map_err(|e| e.to_string())?;
        let own = name.to_owned();
        let table = patiently(async move {
            let table = Table::of_frame(&own, frame, 3).await;
            table.map_err(|e| format!("table {own} is no Parquet: {e}"))
        });
        let table = Arc::new(table.await?);
        self.fixture.put_table("tables", &table).await;
        self.written.insert(name.to_owned(), table.clone());
        Ok(table)
    }
}
