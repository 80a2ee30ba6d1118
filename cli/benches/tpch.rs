//! TPC-H on a local system, beside one DataFusion session over the same files.
//!
//! `cargo bench --bench tpch -- --sf 1 --passes 3`, with `--one-task 0` for a system that spreads
//! every query, `--json FILE` for a line of JSON a query.

#[path = "../../tests/tpch/data.rs"]
mod data;
#[path = "../../tests/support/emulator.rs"]
#[allow(dead_code)]
mod emulator;
#[path = "tpch/process.rs"]
mod process;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use serde::Serialize;
use serde_json::Value;
use tidemill_protocol::bucket::Bucket;

use emulator::Emulator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// TPC-H on a local system, beside one DataFusion session over the same files.
#[derive(Debug, Parser)]
struct Options {
    /// Scale factor: 1 is 1 GB of text.
    #[arg(long, default_value_t = 0.1)]
    sf: f64,
    /// Timed passes, after one that is not.
    #[arg(long, default_value_t = 3)]
    passes: usize,
    /// Queries, e.g. 1,18; all by default.
    #[arg(long, value_delimiter = ',')]
    queries: Vec<usize>,
    /// Spread what reads more than this many MiB.
    #[arg(long)]
    one_task: Option<u64>,
    /// Write a line of JSON for each query.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a query came to: the median pass by its time.
#[derive(Debug, Clone, Serialize)]
struct Figure {
    query: usize,
    seconds: f64,
    /// Processor time of the emulator and its functions.
    cpu_seconds: f64,
    tasks: u64,
    requests: u64,
    read_bytes: u64,
    peak_memory_bytes: u64,
    datafusion_seconds: f64,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let mut arguments = vec![];
    if let Some(mib) = options.one_task {
        arguments.extend(["--one-task".to_owned(), mib.to_string()]);
    }
    let emulator = Emulator::start_with(&arguments).await;
    let session = load(&emulator, options.sf).await;
    let asked = |n: &usize| options.queries.is_empty() || options.queries.contains(n);
    let mut json = options.json.as_ref().map(|path| std::fs::File::create(path).expect("a file"));
    println!("query    wall s   CPU s  tasks  requests   MB read  peak MB  DataFusion s  ratio");
    let mut figures = vec![];
    for query in (1..=22).filter(asked) {
        let sql = data::query(query, options.sf);
        let figure = measure(&emulator, &session, query, &sql, options.passes).await;
        print(&format!("q{query:02}"), &figure);
        if let Some(file) = &mut json {
            writeln!(file, "{}", serde_json::to_string(&figure).expect("JSON")).expect("written");
        }
        figures.push(figure);
    }
    print("sum", &sum(&figures));
}

fn print(name: &str, figure: &Figure) {
    println!(
        "{name:>5} {:>9.3} {:>7.2} {:>6} {:>9} {:>9.1} {:>8.1} {:>13.3} {:>6.2}",
        figure.seconds,
        figure.cpu_seconds,
        figure.tasks,
        figure.requests,
        figure.read_bytes as f64 / 1e6,
        figure.peak_memory_bytes as f64 / 1e6,
        figure.datafusion_seconds,
        figure.seconds / figure.datafusion_seconds
    );
}

fn sum(figures: &[Figure]) -> Figure {
    Figure {
        query: 0,
        seconds: figures.iter().map(|f| f.seconds).sum(),
        cpu_seconds: figures.iter().map(|f| f.cpu_seconds).sum(),
        tasks: figures.iter().map(|f| f.tasks).sum(),
        requests: figures.iter().map(|f| f.requests).sum(),
        read_bytes: figures.iter().map(|f| f.read_bytes).sum(),
        peak_memory_bytes: figures.iter().map(|f| f.peak_memory_bytes).max().unwrap_or(0),
        datafusion_seconds: figures.iter().map(|f| f.datafusion_seconds).sum(),
    }
}

/// Makes the data, uploads it, and opens a session over the files that the bucket keeps.
async fn load(emulator: &Emulator, sf: f64) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(process::cores());
    let session = SessionContext::new_with_config(config);
    for (name, files) in data::tables(sf) {
        for (number, file) in files.into_iter().enumerate() {
            emulator.put(&format!("tables/{name}/{number:03}.parquet"), file).await;
        }
        let folder = emulator.dir().join("tidemill/tables").join(name);
        let folder = format!("{}/", folder.display());
        let options = ParquetReadOptions::default();
        session.register_parquet(name, folder, options).await.expect("a table");
    }
    session
}

async fn measure(
    emulator: &Emulator,
    session: &SessionContext,
    query: usize,
    sql: &str,
    passes: usize,
) -> Figure {
    let mut figures = vec![];
    let mut alone = vec![];
    for pass in 0..=passes {
        let start = Instant::now();
        session.sql(sql).await.expect("planned").collect().await.expect("rows");
        alone.push(start.elapsed().as_secs_f64());
        figures.push(run(emulator, query, &format!("q{query:02}-{pass}"), sql).await);
    }
    alone.remove(0);
    figures.remove(0);
    alone.sort_by(f64::total_cmp);
    figures.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let datafusion_seconds = alone[alone.len() / 2];
    Figure { datafusion_seconds, ..figures[figures.len() / 2].clone() }
}

/// Drops a query and waits for its marker, as a user does.
async fn run(emulator: &Emulator, query: usize, name: &str, sql: &str) -> Figure {
    let before = process::cpu_seconds(emulator.pid());
    let start = Instant::now();
    emulator.put(&format!("jobs/{name}.sql"), sql.to_owned()).await;
    let folder = format!("results/{name}/");
    let marker = loop {
        let objects = emulator.bucket.list(&folder).await.expect("a list");
        if let Some(marker) = objects.into_iter().find(|o| o.key.contains("/_")) {
            break marker.key;
        }
        // not to take the cores
        tokio::time::sleep(Duration::from_millis(1) + start.elapsed() / 30).await;
    };
    let seconds = start.elapsed().as_secs_f64();
    let cpu_seconds = process::cpu_seconds(emulator.pid()) - before;
    let bytes = emulator.bucket.get(&marker, None).await.expect("a marker").bytes;
    let outcome: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert!(marker.ends_with("/_SUCCESS"), "{}", outcome["reason"]);
    let number = |value: &Value| value.as_u64().expect("a number");
    let usage = &outcome["usage"];
    Figure {
        query,
        seconds,
        cpu_seconds,
        tasks: number(&outcome["tasks"]),
        requests: number(&usage["requests"]),
        read_bytes: number(&usage["read_bytes"]),
        peak_memory_bytes: number(&usage["peak_memory_bytes"]),
        datafusion_seconds: 0.0,
    }
}
