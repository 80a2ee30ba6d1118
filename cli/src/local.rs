use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tidemill_infra::{Faults, FunctionCommand, KeyPair, Local, Options, PORT};
use tracing_subscriber::EnvFilter;

use crate::client::bucket_at;
use crate::console::Console;
use crate::terminal::{AboveBars, say};

/// Options of the emulator.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LocalArgs {
    /// The folder of the buckets; created if it is not there.
    #[arg(long, default_value = ".tidemill")]
    dir: PathBuf,
    /// The port of S3, SQS and the HTTP API on the loopback address.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// The port of the console; the one after --port, or any that is free.
    #[arg(long, value_name = "PORT")]
    console_port: Option<u16>,
    /// The most processes of a function; never more than there are cores.
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    concurrency: usize,
    /// Memory of a worker in MiB; by default the workers share three quarters of the machine's.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(128..))]
    memory: Option<u64>,
    /// Spread a job that reads more than this many MiB over several tasks; by default a worker's
    /// memory, and at most 4096.
    #[arg(long, value_name = "MIB")]
    one_task: Option<u64>,
    /// Faults on purpose, e.g. kill=0.2,duplicate=0.1,seed=7: kill, kill-first (first deliveries
    /// only), oom, slow, lose (answers), duplicate and delay (messages), of one function or queue
    /// as in kill@Worker=0.5.
    #[arg(long, value_name = "FAULT=P,…")]
    faults: Option<Faults>,
    /// The interpreter that calls of Python functions run on.
    #[arg(long, value_name = "PROGRAM", default_value = PYTHON)]
    python: PathBuf,
    /// Another template than the built-in one.
    #[arg(long)]
    template: Option<PathBuf>,
    /// Accept only this key pair for S3, and verify its signatures.
    #[arg(long, requires = "secret_key")]
    access_key: Option<String>,
    #[arg(long, requires = "access_key")]
    secret_key: Option<String>,
}

const EXAMPLES: &str = "Examples:
  tidemill local                               buckets in .tidemill, on port 4566
  tidemill local --dir data --port 4711        then export what it prints: tidemill run follows it
  tidemill local --dir data --faults kill=0.2  with a fifth of all attempts killed";

/// Which lines of the emulator's log are shown; if it is set, all of its functions' are where they are else
/// not.
const LOG: &str = "TIDEMILL_LOG";

/// What an interpreter on this machine does not see of its user's environment: credentials, and what is the
/// emulator's own.
const PRIVATE: [&str; 2] = ["AWS_", "TIDEMILL_"];

/// How many threads libraries start that do not ask how many processes there are beside theirs.
const THREADS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// The interpreter if none is named.
pub(crate) const PYTHON: &str = "python3";

const TEMPLATE: &str = include_str!("../../template.yaml");

impl LocalArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        log_to_stderr();
        let template = match &self.template {
            None => TEMPLATE.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("reading {} failed", path.display()))?,
        };
        let keys = self.access_key.zip(self.secret_key);
        let keys = keys.map(|(access_key, secret_key)| KeyPair { access_key, secret_key });
        let options = Options {
            dir: self.dir.clone(),
            port: self.port,
            template,
            concurrency: self.concurrency.min(cores()),
            keys: keys.clone(),
            functions: functions(&self.python, self.concurrency.min(cores()), &[], say)?,
            worker_mib: self.memory,
            one_task_mib: self.one_task,
            faults: self.faults.clone(),
        };
        let local = Local::start(options).await?;
        let console = console(&local, keys.as_ref(), self.console_port).await?;
        // whoever has no keys must not get its address
        if keys.is_none() {
            local.set_console(console.url());
        }
        announce(&local, &console, &self.dir);
        if let Some(faults) = &self.faults {
            println!("faults: {faults}");
        }
        wait_for_signal().await?;
        eprintln!("stopping");
        if let Some(faults) = local.faults() {
            println!("faults injected: {faults}");
        }
        local.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// The emulator inside this process, for one command.
pub(crate) async fn start(dir: &Path) -> anyhow::Result<Local> {
    log_to_stderr();
    if !dir.exists() {
        say(&format!("{} is not there yet: it is created, with an empty bucket", dir.display()));
    }
    start_with(dir, cores(), functions(Path::new(PYTHON), cores(), &[], say)?).await
}

async fn start_with(
    dir: &Path,
    concurrency: usize,
    functions: FunctionCommand,
) -> anyhow::Result<Local> {
    let options = Options {
        dir: dir.to_owned(),
        port: 0,
        template: TEMPLATE.to_owned(),
        concurrency,
        keys: None,
        functions,
        worker_mib: None,
        one_task_mib: None,
        faults: None,
    };
    Ok(Local::start(options).await?)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// This binary carries the functions.
fn functions(
    python: &Path,
    workers: usize,
    path: &[PathBuf],
    log: fn(&str),
) -> anyhow::Result<FunctionCommand> {
    let program = std::env::current_exe().context("this program's own file is not known")?;
    let is_private = |name: &str| PRIVATE.iter().any(|prefix| name.starts_with(prefix));
    let mut environment: Vec<_> = std::env::vars().filter(|(name, _)| !is_private(name)).collect();
    let threads = (cores() / workers.max(1)).max(1);
    for name in THREADS {
        if std::env::var_os(name).is_none() {
            environment.push((name.to_owned(), threads.to_string()));
        }
    }
    if !path.is_empty() {
        let path =
            std::env::join_paths(path).context("a folder of modules has a colon in its name")?;
        environment.retain(|(name, _)| name != "PYTHONPATH");
        environment.push(("PYTHONPATH".into(), path.to_string_lossy().into_owned()));
    }
    let arguments = vec!["function".into()];
    Ok(FunctionCommand { program, arguments, python: python.to_owned(), environment, log })
}

/// The emulator inside this process, for another program that says what is to be said.
pub(crate) async fn start_quietly(
    dir: &Path,
    workers: Option<usize>,
    python: &Path,
    path: &[PathBuf],
) -> anyhow::Result<Local> {
    log_to_stderr();
    let workers = workers.unwrap_or_else(cores);
    let log = if std::env::var_os(LOG).is_some() { say } else { |_: &str| {} };
    start_with(dir, workers, functions(python, workers, path, log)?).await
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env(LOG).unwrap_or_else(|_| EnvFilter::new("warn,s3s=off"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| AboveBars);
    let colours = std::io::stderr().is_terminal();
    let _ = logs.with_ansi(colours).with_target(false).without_time().try_init();
}

/// The console of the emulator's bucket.
async fn console(
    local: &Local,
    keys: Option<&KeyPair>,
    port: Option<u16>,
) -> anyhow::Result<Console> {
    let endpoint = local.endpoint();
    let bucket = bucket_at(&endpoint, keys).await;
    let start = |port| Console::start(bucket.clone(), Some(endpoint.clone()), port);
    match port {
        Some(port) => start(port).await.with_context(|| {
            format!("port {port} cannot be used; choose another with --console-port")
        }),
        None => match start(local.port().saturating_add(1)).await {
            Ok(console) => Ok(console),
            Err(_) => start(0).await.context("the console has no port"),
        },
    }
}

fn announce(local: &Local, console: &Console, dir: &Path) {
    let endpoint = local.endpoint();
    println!("tidemill local is ready");
    println!("  endpoint   {endpoint}  (S3 in path style, SQS)");
    println!("  console    {}", console.url());
    println!("  HTTP API   {}/runs", local.api_url());
    println!(
        "  bucket     {}  in {}",
        tidemill_infra::BUCKET,
        dir.join(tidemill_infra::BUCKET).display()
    );
    println!();
    println!(
        "  export AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1"
    );
    println!("  aws s3 cp orders.csv s3://tidemill/tables/orders/");
    println!("  aws s3 cp top.sql    s3://tidemill/jobs/");
    println!();
    println!("no local effect: {}", local.without_effect().collect::<Vec<_>>().join(", "));
}

pub(crate) async fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}
