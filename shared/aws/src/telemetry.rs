//! What a function says of itself: structured logs on standard error (JSON on Lambda, text on a
//! laptop), and on Lambda metrics on standard output.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tidemill_protocol::METRICS;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::env;
use crate::metrics::Metrics;

/// So many bytes of the log are remembered.
const REMEMBERED_BYTES: usize = 4096;

static LAST: Mutex<VecDeque<u8>> = Mutex::new(VecDeque::new());

/// Forgets what was logged: an invocation begins, perhaps for somebody else's run.
pub(crate) fn forget() {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The last lines that this invocation has logged: they are kept with the error of an attempt.
pub fn last_lines() -> String {
    let last: Vec<u8> =
        LAST.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
    let text = String::from_utf8_lossy(&last);
    match text.split_once('\n') {
        Some((_, rest)) if last.len() == REMEMBERED_BYTES && !rest.is_empty() => rest.to_owned(),
        _ => text.into_owned(),
    }
}

/// Standard error, and a memory of what was last written there.
struct Remembered;

impl Write for Remembered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stderr().write(bytes)?;
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        last.extend(&bytes[..written]);
        let excess = last.len().saturating_sub(REMEMBERED_BYTES);
        last.drain(..excess);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

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
        .with_writer(|| Remembered)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_whole_lines_are_remembered() {
        writeln!(Remembered, "of another run").expect("written");
        forget();
        writeln!(Remembered, "line").expect("written");
        assert_eq!(last_lines(), "line\n");
        for n in 0..1000 {
            writeln!(Remembered, "line {n}").expect("written");
        }
        let last = last_lines();
        assert!(last.ends_with("line 999\n") && last.starts_with("line "), "{last}");
        assert!(last.len() <= REMEMBERED_BYTES && last.len() > REMEMBERED_BYTES - 20);
    }
}
