//! `tidemill sql`: statements at a prompt, on a command line, or from a file.

mod commands;
mod complete;
mod files;
mod prompt;
mod session;
mod split;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tidemill_protocol::job::is_blank;

use crate::client::Target;
use crate::results::Printer;
use prompt::Prompt;
use session::Session;

const EXAMPLES: &str = "Examples:
  tidemill sql                                            a prompt; .help says what it knows
  tidemill sql -e \"SELECT * FROM 'x.csv' LIMIT 5\"         a file of this folder: .csv, .json, .parquet, also 'a/*.csv'
  tidemill sql -e 'SELECT count(*) FROM flights' --bucket my-bucket
  tidemill sql < top.sql                                  all statements of a file, each with a ; at its end
  cat x.csv | tidemill sql -e \"SELECT count(*) FROM '-'\"  standard input as a table

Without --local, --bucket, TIDEMILL_BUCKET and AWS_ENDPOINT_URL, and if no emulator answers on port 4566, statements
run on this machine over files of this folder, and nothing is left behind.

The exit status is 0 if all statements succeeded, else 1.";

/// Runs SQL statements: at a prompt, of the command line, or of a file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SqlArgs {
    /// A file of statements, each with a ; at its end.
    file: Option<PathBuf>,
    /// Statements.
    #[arg(
        short = 'e',
        long = "execute",
        value_name = "SQL",
        allow_hyphen_values = true,
        conflicts_with = "file"
    )]
    execute: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    printer: Printer,
}

impl SqlArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        self.printer.check()?;
        let text = self.text()?;
        let prompt = match &text {
            Some(_) => None,
            None => Some(Prompt::new()?),
        };
        let mut session = Session::open(self.target, self.printer).await?;
        let ended = match (text, prompt) {
            (Some(text), _) => run_all(&mut session, &text).await,
            (None, Some(prompt)) => prompt::run(&mut session, prompt).await,
            (None, None) => Ok(ExitCode::SUCCESS),
        };
        session.close().await;
        ended
    }

    /// The statements, if there is nobody to type them.
    fn text(&self) -> anyhow::Result<Option<String>> {
        match (&self.execute, &self.file) {
            (Some(text), _) => Ok(Some(text.clone())),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("reading {} failed", file.display()))?;
                Ok(Some(text))
            }
            (None, None) if std::io::stdin().is_terminal() => Ok(None),
            (None, None) => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.context("reading standard input failed")?;
                Ok(Some(text))
            }
        }
    }
}

/// Runs all statements of a text, and the commands between them, until one fails.
async fn run_all(session: &mut Session, text: &str) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!is_blank(text), "there is no statement: SELECT 1 is one");
    let mut begun = String::new();
    for line in text.lines().chain([";"]) {
        if is_blank(&begun) && line.trim_start().starts_with('.') {
            if let commands::Next::Leave = commands::execute(session, line.trim()).await? {
                return Ok(ExitCode::SUCCESS);
            }
            continue;
        }
        begun.push_str(line);
        begun.push('\n');
        // only a line with a semicolon may end a statement
        if !line.contains(';') {
            continue;
        }
        let (statements, rest) = split::split(&begun);
        begun = rest;
        begun.push('\n'); // a comment may be its end
        for statement in statements {
            let code = session.run(&statement).await?;
            if code != ExitCode::SUCCESS {
                return Ok(code);
            }
        }
    }
    anyhow::ensure!(is_blank(&begun), "a text or a comment is not closed: {}", begun.trim());
    Ok(ExitCode::SUCCESS)
}
