//! What the machine does to the emulator: signals, a full or read-only disk, a port or folder in use.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::json;

use crate::support::emulator::{Emulator, PROGRAM};

#[tokio::test]
async fn an_emulator_that_is_stopped_or_killed_in_mid_run_goes_on_when_it_is_started_again() {
    let mut emulator = Emulator::start().await;
    let rows: String = (0..3000).map(|n| format!("{n},{}\n", n % 7)).collect();
    emulator.put("tables/numbers/all.csv", format!("n,g\n{rows}")).await;
    for signal in ["KILL", "TERM", "INT"] {
        let sql = "SELECT a.g, count(*) AS c FROM numbers a, numbers b, \
                   (SELECT * FROM numbers WHERE n < 20) c WHERE a.n * b.n + c.n >= 0 \
                   GROUP BY a.g ORDER BY a.g";
        let job = json!({ "sql": sql, "options": { "partitions": 3 } });
        let name = signal.to_lowercase();
        emulator.put(&format!("jobs/{name}.json"), job.to_string()).await;
        for _ in 0..2000 {
            if emulator.keys("work/").await.iter().any(|k| k.contains("/attempts/")) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let results = format!("results/{name}/");
        assert!(emulator.keys(&results).await.is_empty(), "{signal}: it had not ended");
        emulator = emulator.restart_after(signal).await;
        let outcome = &emulator.ended(&name, 1).await[0];
        assert_eq!(emulator.rows(outcome).await[0], "0,25740000", "{signal}");
    }
}

/// Whether this machine lets its users mount disks of their own; some do not.
fn can_mount() -> bool {
    let tried =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        println!("not tried: nobody may mount a disk here");
    }
    can
}

/// The command that becomes an emulator whose folder is a disk of its own, with these options.
fn on_disk(dir: &tempfile::TempDir, options: &str) -> Command {
    let script = format!(
        "mount -t tmpfs -o {options} none \"$1\" && exec \"$2\" local --port 0 --dir \"$1\""
    );
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script, "sh"]).arg(dir.path()).arg(PROGRAM);
    command
}

#[tokio::test]
async fn a_full_disk_is_said_and_what_was_there_goes_on() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let command = on_disk(&dir, "size=16m");
    let emulator = Emulator::start_by(command, dir).await;
    emulator.put("tables/t/a.csv", "n\n1\n2\n").await;
    let large = vec![b'x'; 20 << 20];
    let refused = emulator.bucket.put("tables/large/a.csv", large.into(), &[]).await;
    let text = tidemill_protocol::context::full_text(&refused.expect_err("no room"));
    assert!(text.contains("No space left on device"), "{text}");
    assert_eq!(emulator.keys("tables/").await, ["tables/t/a.csv"]);
    emulator.put("jobs/sum.sql", "SELECT sum(n) FROM t").await;
    assert_eq!(emulator.rows(&emulator.ended("sum", 1).await[0]).await, ["3"]);
}

#[tokio::test]
async fn a_read_only_folder_is_refused_with_a_sentence() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let Output { status, stderr, .. } = on_disk(&dir, "ro").output().expect("it runs");
    let text = String::from_utf8_lossy(&stderr);
    let path = dir.path().to_string_lossy();
    assert!(!status.success(), "{text}");
    assert!(text.contains(&*path) && text.contains("Read-only file system"), "{text}");
}

#[tokio::test]
async fn a_folder_serves_one_emulator_and_a_port_too() {
    let emulator = Emulator::start().await;
    let dir = emulator.dir().to_string_lossy().into_owned();
    let out = emulator.command(&["local", "--port", "0", "--dir", &dir]).await;
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("another tidemill is using it"));
    let port = emulator.endpoint.rsplit(':').next().expect("a port").to_owned();
    let other = tempfile::tempdir().expect("a folder");
    let other = other.path().to_string_lossy().into_owned();
    let out = emulator.command(&["local", "--port", &port, "--dir", &other]).await;
    assert!(String::from_utf8_lossy(&out.stderr).contains("--port"), "{out:?}");
}
