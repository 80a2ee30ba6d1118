//! Latency of a small job on a warm local system: from the end of the upload to `_SUCCESS`.
//!
//! `cargo bench --bench latency`

#[path = "../../tests/support/emulator.rs"]
#[allow(dead_code)]
mod emulator;

use std::time::{Duration, Instant};

use tidemill_protocol::bucket::Bucket;

const WARM_UP: usize = 10;
const SAMPLES: usize = 100;

#[tokio::main]
async fn main() {
    let emulator = emulator::Emulator::start().await;
    let rows: String = (0..1000).map(|n| format!("{n},{}\n", n % 7)).collect();
    emulator.put("tables/numbers/0.csv", format!("n,g\n{rows}")).await;
    let mut times = vec![];
    for sample in 0..WARM_UP + SAMPLES {
        times.push(measure(&emulator, sample).await);
    }
    let mut times = times.split_off(WARM_UP);
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
    println!(
        "small job, upload to _SUCCESS: min {:.1} ms, median {:.1} ms, p95 {:.1} ms ({SAMPLES} samples)",
        at(0),
        at(50),
        at(95)
    );
}

async fn measure(emulator: &emulator::Emulator, sample: usize) -> Duration {
    let folder = format!("results/sample-{sample}/");
    let sql = "SELECT g, count(*) AS c, sum(n) AS s FROM numbers GROUP BY g";
    emulator.put(&format!("jobs/sample-{sample}.sql"), sql).await;
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
