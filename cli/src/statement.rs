//! The statement of a command line: a file, standard input, or the SQL itself.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::terminal;

/// The file that stands for standard input.
const STANDARD_INPUT: &str = "-";

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct StatementArgs {
    /// A job file: .json, or one SQL statement; - is standard input.
    file: Option<PathBuf>,
    /// The SQL itself.
    #[arg(short = 'e', value_name = "SQL", allow_hyphen_values = true, value_parser = sql)]
    sql: Option<String>,
}

/// What is to be run.
pub(crate) struct Statement {
    /// Of the job.
    pub(crate) name: String,
    pub(crate) text: String,
    /// A job with its options, and not only SQL.
    pub(crate) is_json: bool,
}

impl StatementArgs {
    pub(crate) fn read(&self) -> anyhow::Result<Statement> {
        let statement = match (&self.file, &self.sql) {
            (Some(path), _) if path.as_os_str() == STANDARD_INPUT => from_standard_input()?,
            (Some(path), _) => from_file(path)?,
            (None, Some(sql)) => Statement::of_query(sql.clone()),
            (None, None) => bail!("name a job file, or give the SQL with -e"),
        };
        if statement.text.trim().is_empty() {
            let source = match &self.file {
                None => "the SQL of -e".to_owned(),
                Some(path) if path.as_os_str() == STANDARD_INPUT => "standard input".to_owned(),
                Some(path) => path.display().to_string(),
            };
            bail!("{source} is empty: a statement such as SELECT 1 is needed");
        }
        Ok(statement)
    }
}

/// SQL may begin with a comment, and so with dashes; an option that stands in its place is none.
fn sql(text: &str) -> Result<String, String> {
    if text.starts_with('-') && !text.contains(char::is_whitespace) {
        return Err("this is an option, where the SQL is missing".into());
    }
    Ok(text.to_owned())
}

impl Statement {
    fn of_query(text: String) -> Self {
        // no SQL begins like this
        let is_json = text.trim_start().starts_with('{');
        Self { name: "query".into(), text, is_json }
    }
}

fn from_standard_input() -> anyhow::Result<Statement> {
    if io::stdin().is_terminal() {
        terminal::say("reading SQL from standard input: end it with Ctrl-D");
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("reading standard input failed")?;
    Ok(Statement::of_query(text))
}

fn from_file(path: &Path) -> anyhow::Result<Statement> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading {} failed", path.display()))?;
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
    let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    Ok(Statement { name: stem.unwrap_or_default(), text, is_json })
}
