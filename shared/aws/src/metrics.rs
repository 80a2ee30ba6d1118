//! Numbers of the log as CloudWatch metrics.
//!
//! An event of the target [`TARGET`] is a set of metrics: its numbers by their names. On Lambda each is
//! a line in CloudWatch's embedded metric format (CloudWatch User Guide, "Specification: Embedded metric
//! format"), of which CloudWatch makes metrics without a request of ours.

use std::fmt::Debug;
use std::io::Write;
use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use tidemill_protocol::METRICS as TARGET;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

const NAMESPACE: &str = "Tidemill";

/// Writes metrics as lines.
pub(crate) struct Metrics<W> {
    pub(crate) deployment: String,
    pub(crate) function: String,
    pub(crate) out: Mutex<W>,
}

/// The numbers of an event.
#[derive(Default)]
struct Numbers(Map<String, Value>);

impl Visit for Numbers {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), json!(value));
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// As CloudWatch calls it.
fn unit(metric: &str) -> &'static str {
    ["Bytes", "Seconds"].into_iter().find(|unit| metric.ends_with(unit)).unwrap_or("Count")
}

impl<W> Metrics<W> {
    fn line(&self, numbers: Map<String, Value>, now: SystemTime) -> Value {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let metrics: Vec<_> =
            numbers.keys().map(|name| json!({ "Name": name, "Unit": unit(name) })).collect();
        let mut line = numbers;
        line.insert("Deployment".into(), json!(self.deployment));
        line.insert("Function".into(), json!(self.function));
        let about = json!({
            "Timestamp": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["Deployment"], ["Deployment", "Function"]],
                "Metrics": metrics,
            }],
        });
        line.insert("_aws".into(), about);
        Value::Object(line)
    }
}

impl<W: Write + Send + 'static, S: Subscriber> Layer<S> for Metrics<W> {
    #[allow(clippy::disallowed_methods)] // the time of a measurement is the machine's
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut numbers = Numbers::default();
        event.record(&mut numbers);
        let line = self.line(numbers.0, SystemTime::now());
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = writeln!(out, "{line}"); // there is nobody to tell
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("a buffer").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_set_of_numbers_is_a_line_of_the_embedded_metric_format() {
        let out = Buffer::default();
        let metrics = Metrics {
            deployment: "bucket".into(),
            function: "worker".into(),
            out: Mutex::new(out.clone()),
        };
        let subscriber = tracing_subscriber::registry().with(metrics);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("something else");
            tracing::info!(target: TARGET, Tasks = 2, Bytes = 3_u64, Seconds = 0.5);
        });
        let text = String::from_utf8(out.0.lock().expect("a buffer").clone()).expect("text");
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&line["Tasks"], &line["Bytes"]), (&json!(2), &json!(3)));
        assert_eq!((&line["Deployment"], &line["Function"]), (&json!("bucket"), &json!("worker")));
        let about = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(about["Namespace"], "Tidemill");
        let units: Vec<_> = about["Metrics"].as_array().expect("metrics").iter().collect();
        assert!(units.contains(&&json!({ "Name": "Seconds", "Unit": "Seconds" })), "{units:?}");
        assert!(line["_aws"]["Timestamp"].as_u64() > Some(1_700_000_000_000));
    }
}
