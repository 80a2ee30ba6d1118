//! What a function says of itself: structured logs on standard error (JSON on Lambda, text on a
//! laptop), and on Lambda metrics on standard output.

use std::sync::Mutex;

use tidemill_protocol::METRICS;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::env;
use crate::metrics::Metrics;

/// Starts logging and counting; a second call does nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env(env::LOG).unwrap_or_else(|_| {
        EnvFilter::new("info,aws_config=warn,aws_smithy_runtime=warn,lambda_runtime=warn")
    });
    let filter = match format!("{METRICS}=off").parse() {
        Ok(no_metrics) => filter.add_directive(no_metrics),
        Err(_) => filter,
    };
    let logs = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false);
    // Lambda adds its own time; the local emulator adds the function's name
    let started = if env::optional(env::ENDPOINT_URL).is_some() {
        tracing_subscriber::registry().with(logs.without_time().with_filter(filter)).try_init()
    } else {
        let logs = logs.json().without_time().with_filter(filter);
        // without a filter of its own every event of every crate would be made for it
        let numbers = Targets::new().with_target(METRICS, LevelFilter::INFO);
        tracing_subscriber::registry().with(logs).with(metrics().with_filter(numbers)).try_init()
    };
    drop(started);
    tracing::info!(target: METRICS, ColdStarts = 1);
}

fn metrics() -> Metrics<std::io::Stdout> {
    Metrics {
        deployment: env::optional(env::BUCKET).unwrap_or_default(),
        function: env::optional(env::FUNCTION_NAME).unwrap_or_default(),
        out: Mutex::new(std::io::stdout()),
    }
}
