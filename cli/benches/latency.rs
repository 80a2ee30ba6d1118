//! Latency of a small job on a warm local system, from the end of the upload to `_SUCCESS`: of one
//! stage, and of three.
//!
//! `cargo bench --bench latency`

#[path = "../../tests/support/emulator.rs"]
#[allow(dead_code)]
mod emulator;

use std::time::{Duration, Instant};

use serde_json::json;
use tidemill_protocol::bucket::Bucket;

const WARM_UP: usize = 10;
const SAMPLES: usize = 100;

#[tokio::main]
async fn main() {
    let emulator = emulator::Emulator::start().await;
    let rows: String = (0..1000).map(|n| format!("{n},{}\n", n % 7)).collect();
    emulator.put("tables/numbers/0.csv", format!("n,g\n{rows}")).await;
    let groups = "SELECT g, count(*) AS c, sum(n) AS s FROM numbers GROUP BY g";
    let one = median(&emulator, "one-stage", &json!({ "sql": groups })).await;
    let sorted = format!("{groups} ORDER BY s");
    let job = json!({ "sql": sorted, "options": { "partitions": 2 } });
    let three = median(&emulator, "three-stages", &job).await;
    println!("each further stage: {:.1} ms", (three - one) / 2.0);
}

/// Milliseconds.
async fn median(emulator: &emulator::Emulator, name: &str, job: &serde_json::Value) -> f64 {
    let mut times = vec![];
    for sample in 0..WARM_UP + SAMPLES {
        times.push(measure(emulator, &format!("{name}-{sample}"), job).await);
    }
    let mut times = times.split_off(WARM_UP);
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
    println!(
        "{name}, upload to _SUCCESS: min {:.1} ms, median {:.1} ms, p95 {:.1} ms ({SAMPLES} samples)",
        at(0),
        at(50),
        at(95)
    );
    at(50)
}

async fn measure(emulator: &emulator::Emulator, name: &str, job: &serde_json::Value) -> Duration {
    let folder = format!("results/{name}/");
    emulator.put(&format!("jobs/{name}.json"), job.to_string()).await;
    let start = Instant::now();
    loop {
        let objects = emulator.bucket.list(&folder).await.expect("a list");
        if objects.iter().any(|o| o.key.ends_with("/_SUCCESS")) {
            return start.elapsed();
        }
        assert!(objects.iter().all(|o| !o.key.ends_with("/_FAILED")), "the job failed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
