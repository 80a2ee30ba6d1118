//! What begins with a dot.

use anyhow::{Context, bail};
use tidemill_protocol::dollars;
use tidemill_protocol::runs::{RunFilter, runs};

use super::session::Session;
use crate::tables::tables;

const HELP: &str = "\
  .tables            the tables of the bucket
  .schema TABLE      the columns of a table
  .explain SQL       what a statement would do and take: stages, tasks, bytes, seconds, dollars
  .cost              what the last statement took, beside its estimate
  .runs              the last runs of the bucket
  .timer on|off      say after each statement how long it took
  .help              this
  .exit              leave; so does Ctrl-D
A statement may have several lines, and ends with a semicolon. Tab completes words, tables and columns, Ctrl-R searches
what was typed before, Ctrl-C clears the line, or cancels the statement that runs.";

/// Runs that are listed.
const RUNS: usize = 20;

/// What comes after a command.
pub(super) enum Next {
    Prompt,
    Leave,
}

/// The names of all commands.
pub(super) const NAMES: [&str; 8] =
    [".tables", ".schema", ".explain", ".cost", ".runs", ".timer", ".help", ".exit"];

pub(super) async fn execute(session: &mut Session, line: &str) -> anyhow::Result<Next> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim().trim_end_matches(';').trim();
    match name.trim_end_matches(';') {
        ".help" => println!("{HELP}"),
        ".exit" | ".quit" => return Ok(Next::Leave),
        ".tables" => say_tables(session).await?,
        ".schema" => {
            if rest.is_empty() {
                bail!(".schema needs the name of a table: .schema flights");
            }
            let quoted = rest.trim_matches('"').replace('"', "\"\"");
            session.run(&format!("DESCRIBE \"{quoted}\"")).await?;
        }
        ".explain" => {
            if rest.is_empty() {
                bail!(".explain needs a statement: .explain SELECT count(*) FROM flights");
            }
            session.explain(rest).await?;
        }
        ".cost" => say_cost(session)?,
        ".runs" => say_runs(session).await?,
        ".timer" => {
            session.timer = match rest {
                "on" => true,
                "off" => false,
                _ => bail!(".timer is on or off: .timer on"),
            }
        }
        other => bail!("there is no command {other}: .help lists those that there are"),
    }
    Ok(Next::Prompt)
}

async fn say_tables(session: &Session) -> anyhow::Result<()> {
    let tables = tables(&session.client.bucket).await?;
    for (table, (files, bytes)) in &tables {
        println!("{table}  ({files} files, {bytes} bytes)");
    }
    if tables.is_empty() {
        println!("there are no tables");
    }
    Ok(())
}

fn say_cost(session: &Session) -> anyhow::Result<()> {
    let outcome = session.last.as_ref().context("no statement has run yet")?;
    let actual =
        outcome.actual.context("the statement did not succeed, so nothing says what it took")?;
    println!(
        "took      {}, {:.2} s, {} tasks",
        dollars(actual.cost_usd),
        actual.seconds,
        actual.tasks
    );
    if let Some(estimate) = outcome.estimate {
        let (cost, seconds) = (estimate.cost_usd, estimate.seconds);
        println!(
            "expected  {} to {}, {:.2} to {:.2} s on AWS",
            dollars(cost.low),
            dollars(cost.high),
            seconds.low,
            seconds.high
        );
    }
    println!("run       {}", outcome.run);
    Ok(())
}

async fn say_runs(session: &Session) -> anyhow::Result<()> {
    let page = runs(&session.client.bucket, &RunFilter::default(), RUNS, None).await?;
    for run in page.runs {
        let seconds = run.seconds.map(|seconds| format!("{seconds:.2} s")).unwrap_or_default();
        println!("{:<9} {seconds:>10}  {}", run.state.as_str(), run.run);
    }
    Ok(())
}
