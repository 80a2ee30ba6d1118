//! Structured logs to standard error: JSON on Lambda, text on a laptop.

use tracing_subscriber::EnvFilter;

use crate::env;

/// Starts logging; a second call does nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env(env::LOG).unwrap_or_else(|_| {
        EnvFilter::new("info,aws_config=warn,aws_smithy_runtime=warn,lambda_runtime=warn")
    });
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false);
    // Lambda adds its own time; the local emulator adds the function's name
    let started = if env::optional(env::ENDPOINT_URL).is_some() {
        logs.without_time().try_init()
    } else {
        logs.json().without_time().try_init()
    };
    drop(started);
}
