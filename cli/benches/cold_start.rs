//! Cold start of each function: from the start of its process to its first poll of the Runtime API,
//! and the size of its binary.
//!
//! `cargo build --release --workspace && cargo bench --bench cold_start`, with `--bins FOLDER` for
//! other binaries than those of the release profile.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::net::TcpListener;

const FUNCTIONS: [&str; 4] = ["planner", "worker", "watcher", "api"];

/// Cold start of each function.
#[derive(Debug, Parser)]
struct Options {
    /// The folder of the functions' binaries.
    #[arg(long)]
    bins: Option<PathBuf>,
    #[arg(long, default_value_t = 20)]
    samples: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let built = Path::new(env!("CARGO_BIN_EXE_tidemill")).parent().expect("a folder");
    let bins = options.bins.unwrap_or_else(|| built.to_owned());
    println!("function    min ms  median ms  MB");
    for name in FUNCTIONS {
        let program = bins.join(name);
        let Ok(file) = std::fs::metadata(&program) else {
            println!("{name:<9} is not in {}: cargo build --release --workspace", bins.display());
            continue;
        };
        let mut times = vec![];
        for _ in 0..options.samples {
            times.push(start(&program).await);
        }
        times.sort();
        let ms = |n: usize| times[n].as_secs_f64() * 1e3;
        let size = file.len() as f64 / 1e6;
        println!("{name:<9} {:>8.1} {:>10.1} {size:>5.1}", ms(0), ms(times.len() / 2));
    }
}

/// Starts a function and waits until it asks for its first invocation.
async fn start(program: &Path) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let start = Instant::now();
    let mut child = Command::new(program)
        .env("AWS_LAMBDA_RUNTIME_API", &address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "f")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3538")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_ACCESS_KEY_ID", "k")
        .env("AWS_SECRET_ACCESS_KEY", "s")
        .env("TIDEMILL_BUCKET", "b")
        .env("TIDEMILL_TASK_QUEUE_URL", "http://127.0.0.1:9/q")
        .env("TIDEMILL_EVENTS_QUEUE_URL", "http://127.0.0.1:9/q")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let polled = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await;
    let time = start.elapsed();
    polled.expect("the function polls").expect("a connection");
    let _ = child.kill();
    let _ = child.wait();
    time
}
