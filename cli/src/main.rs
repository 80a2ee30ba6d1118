//! The `tidemill` command.

mod agent;
mod api;
mod cancel;
mod client;
mod compact;
mod completions;
mod console;
mod data;
mod demo;
mod endpoint;
mod explain;
mod interrupt;
mod local;
mod logs;
mod ls;
mod options;
mod parameters;
mod pipeline;
mod progress;
mod report;
mod results;
mod retry;
mod run;
mod shell;
mod simulate;
mod statement;
mod status;
mod submit;
mod tables;
mod terminal;
mod wait;

use clap::{Parser, Subcommand};

use interrupt::Interrupted;

// queries allocate and free large buffers at a high rate
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns a bucket into a parallel computer: drop a job, get the answer.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  tidemill demo                                     the whole thing on real data, on this machine
  tidemill local --dir data                         S3, SQS, the functions and the console, on port 4566
  tidemill run -e \"SELECT count(*) FROM flights\"    a query against the emulator on port 4566
  tidemill run top.sql --local data --format csv    the same without a running emulator
  tidemill run top.sql --output top.csv             all rows into a file: .csv, .json, .parquet
  tidemill run top.sql --bucket my-bucket           on AWS; TIDEMILL_BUCKET names the bucket, too
  tidemill sql                                      a prompt
  tidemill sql -e \"SELECT * FROM 'x.csv'\"           a file of this folder
  tidemill explain top.sql                          tasks, bytes, seconds, dollars, before anything runs
  tidemill ls                                       the last runs
  tidemill status RUN                               what a run is doing, and what is left of it
  tidemill cancel RUN                               end a run
  tidemill retry RUN                                take up a run that failed or was cancelled
  tidemill console                                  pages about runs, tables and statements
  tidemill report RUN                               one page of a run, to keep or to send
  tidemill tables                                   all tables; with a name, the columns of one
  tidemill compact flights                          few large files in the place of many small ones

Exit status: 0 if it is done (a run that was waited for has succeeded), 1 if not, 2 if the command line is wrong, 130
after Ctrl-C.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a job on a real dataset, on this machine, and show what happens.
    Demo(demo::Demo),
    /// Run the emulator in the foreground.
    Local(local::LocalArgs),
    /// Submit a job, show its progress, print its result.
    Run(run::RunArgs),
    /// SQL at a prompt, on the command line or from a file; also over files of this folder.
    Sql(shell::SqlArgs),
    /// Wait for the end of a run, and print its result.
    Wait(wait::WaitArgs),
    /// Say what the attempts at a run's tasks failed of.
    Logs(logs::LogsArgs),
    /// End a run.
    Cancel(cancel::CancelArgs),
    /// Run a job again whose run did not succeed; what that had done is taken over.
    Retry(retry::RetryArgs),
    /// Say what a run is doing, or how it ended.
    Status(status::StatusArgs),
    /// List runs.
    Ls(ls::LsArgs),
    /// List tables, or the columns of one.
    Tables(tables::TablesArgs),
    /// Say the columns of a table.
    Describe(tables::DescribeArgs),
    /// Say what a job would do and take: stages, tasks, bytes, requests, seconds, dollars.
    Explain(explain::ExplainArgs),
    /// Rewrite a table of many small files as few large ones.
    Compact(compact::CompactArgs),
    /// Make one page of a run, to keep or to send.
    Report(report::ReportArgs),
    /// Serve pages about runs, tables and statements.
    Console(console::ConsoleArgs),
    /// Ask the HTTP API, signed with your credentials.
    Api(api::ApiArgs),
    /// Work with pipelines.
    #[command(subcommand)]
    Pipeline(pipeline::PipelineCommand),
    /// Print what completes command lines in a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual page.
    Man(completions::ManArgs),
    /// Serve the Python package; that starts it.
    #[command(hide = true)]
    Agent(agent::AgentArgs),
    /// Run as one of the functions; the emulator starts these.
    #[command(hide = true)]
    Function {
        name: String,
        /// What it would run in the place of.
        wrapped: Vec<std::ffi::OsString>,
    },
}

/// A reader of what is printed that has seen enough, as `head` has, is no error; a full disk is one, and no panic.
fn leave_when_nobody_reads() {
    /// 128 and the number of SIGPIPE: as of other programs.
    const EXIT_STATUS: i32 = 141;
    let panicked = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let said = info.payload_as_str().unwrap_or_default();
        if let Some(why) = said.strip_prefix("failed printing to stdout: ") {
            if why.contains("Broken pipe") {
                std::process::exit(EXIT_STATUS);
            }
            eprintln!("error: standard output cannot be written: {why}");
            std::process::exit(1);
        }
        panicked(info);
    }));
}

fn main() -> std::process::ExitCode {
    leave_when_nobody_reads();
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(code) => code,
        Err(e) => match e.downcast_ref::<Interrupted>() {
            Some(interrupted) => {
                terminal::say(&interrupted.to_string());
                std::process::ExitCode::from(interrupt::EXIT_STATUS)
            }
            None => {
                terminal::say(&format!("error: {e:#}"));
                std::process::ExitCode::FAILURE
            }
        },
    }
}

fn execute(command: Command) -> anyhow::Result<std::process::ExitCode> {
    let runtime = tidemill_aws::runtime()?;
    let done = runtime.block_on(run_command(command));
    runtime.shutdown_background(); // an operator may work on for minutes
    done
}

async fn run_command(command: Command) -> anyhow::Result<std::process::ExitCode> {
    match command {
        Command::Function { name, wrapped } => function(&name, wrapped).await,
        Command::Agent(args) => args.execute().await,
        Command::Demo(demo) => demo.execute().await,
        Command::Local(args) => args.execute().await,
        Command::Run(args) => args.execute().await,
        Command::Sql(args) => args.execute().await,
        Command::Wait(args) => args.execute().await,
        Command::Logs(args) => args.execute().await,
        Command::Cancel(args) => args.execute().await,
        Command::Retry(args) => args.execute().await,
        Command::Status(args) => args.execute().await,
        Command::Ls(args) => args.execute().await,
        Command::Tables(args) => args.execute().await,
        Command::Describe(args) => args.execute().await,
        Command::Explain(args) => args.execute().await,
        Command::Compact(args) => args.execute().await,
        Command::Console(args) => args.execute().await,
        Command::Api(args) => args.execute().await,
        Command::Completions(args) => Ok(args.execute()),
        Command::Man(args) => args.execute(),
        Command::Report(args) => args.execute().await,
        Command::Pipeline(command) => command.execute().await,
    }
}

/// The same code as in the function's own binary. The emulator holds the other end of standard
/// input: when it is gone, however it ended, nobody waits for what its functions are doing.
async fn function(
    name: &str,
    wrapped: Vec<std::ffi::OsString>,
) -> anyhow::Result<std::process::ExitCode> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1)
    });
    let run = match name {
        "planner" => tidemill_planner::run().await,
        "worker" => tidemill_worker::run().await,
        "python" => tidemill_python::run(wrapped.into_iter().next()).await,
        "python-sql" => tidemill_python_sql::run(wrapped.into_iter().next()).await,
        "watcher" => tidemill_watcher::run().await,
        "api" => tidemill_api::run().await,
        _ => anyhow::bail!("there is no function {name}"),
    };
    run.map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
    Ok(std::process::ExitCode::SUCCESS)
}
