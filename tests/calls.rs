//! Runs of calls of Python functions through the whole chain: real processes, real interpreters.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_protocol::Bucket;
use tidemill_protocol::calls::{
    CallOutcome, CallRecord, ContentName, KillReason, Pack, PackIndex, ValueFormat,
};

use crate::support::emulator::{Emulator, PATIENCE, PROGRAM};

/// The same that the tests of one process use.
const FUNCTIONS: &str = include_str!("python/functions.py");

/// An emulator whose interpreters find the functions.
struct Fixture {
    emulator: Emulator,
    modules: tempfile::TempDir,
    version: String,
}

/// What the calls of a run have come to, by their numbers, with the values as Python prints them.
type Made = BTreeMap<u64, (CallRecord, String)>;

impl Fixture {
    async fn start(arguments: &[&str]) -> Self {
        let modules = tempfile::tempdir().expect("a folder");
        std::fs::write(modules.path().join("functions.py"), FUNCTIONS).expect("written");
        let dir = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(PROGRAM);
        command.args(["local", "--port", "0", "--dir"]).arg(dir.path()).args(arguments);
        command.env("PYTHONPATH", modules.path());
        let emulator = Emulator::start_by(command, dir).await;
        let version =
            python(modules.path(), "import platform as p; print(p.python_version(), end='')");
        let version = String::from_utf8(version).expect("text");
        Self { emulator, modules, version }
    }

    fn pickled(&self, value: &str) -> Vec<u8> {
        let code = "import functions, pickle, sys; sys.stdout.buffer.write(pickle.dumps(";
        python(self.modules.path(), &format!("{code}{value}))"))
    }

    /// Stores the function and the arguments of each call, a Python list of tuples; the job that asks for
    /// them.
    async fn job(&self, function: &str, calls: &str, options: Value) -> Value {
        let function = self.pickled(function);
        let name = ContentName::of(&function);
        self.emulator.put(&format!("calls/shared/{name}"), function).await;
        let code = format!(
            "import functions, pickle, sys, struct\nfor a in {calls}:\n  b = pickle.dumps((a, {{}}))\n  \
             sys.stdout.buffer.write(struct.pack('<I', len(b)) + b)"
        );
        let mut bytes = &python(self.modules.path(), &code)[..];
        let mut pack = Pack::starting_at(0);
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let (arguments, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
            pack.push(arguments);
            bytes = rest;
        }
        let arguments = format!("calls/{name}/arguments");
        self.emulator.put(&arguments, pack.encode()).await;
        let mut asked = json!({ "function": name, "arguments": arguments, "python": self.version });
        let of_calls = options.as_object().expect("options").clone();
        asked.as_object_mut().expect("an object").extend(of_calls);
        json!({ "calls": asked })
    }

    async fn drop_job(&self, name: &str, job: &Value) {
        self.emulator.put(&format!("jobs/{name}.json"), job.to_string()).await;
    }

    /// Runs calls to their end.
    async fn run(&self, name: &str, function: &str, calls: &str, options: Value) -> (Value, Made) {
        let job = self.job(function, calls, options).await;
        self.drop_job(name, &job).await;
        let outcome = self.emulator.ended(name, 1).await.remove(0);
        let made = self.made(&outcome).await;
        (outcome, made)
    }

    /// What the parts say that an outcome names; no call is in two of them.
    async fn made(&self, outcome: &Value) -> Made {
        let mut all = Made::new();
        for file in outcome["files"].as_array().expect("files") {
            let key = file["key"].as_str().expect("a key");
            let bytes = self.emulator.bucket.get(key, None).await.expect("a part").bytes;
            let index = PackIndex::decode(&bytes, bytes.len() as u64).expect("a pack");
            let slices = index.offsets.windows(2);
            let at = |n: u64| usize::try_from(n).expect("small");
            for ((n, record), ends) in (index.first..).zip(index.records).zip(slices) {
                let value = match record.outcome {
                    CallOutcome::Returned { format } => {
                        self.shown(format, &bytes[at(ends[0])..at(ends[1])])
                    }
                    _ => String::new(),
                };
                assert!(all.insert(n, (record, value)).is_none(), "call {n} is in two parts");
            }
        }
        all
    }

    /// A number, text or tuple of them as Python prints it.
    fn shown(&self, format: ValueFormat, bytes: &[u8]) -> String {
        if format == ValueFormat::Json {
            return String::from_utf8(bytes.to_vec()).expect("text").replace('"', "'");
        }
        assert_eq!(format, ValueFormat::Pickle);
        let file = self.modules.path().join("value");
        std::fs::write(&file, bytes).expect("written");
        let code = "import pickle; print(repr(pickle.load(open('value', 'rb'))), end='')";
        String::from_utf8(python(self.modules.path(), code)).expect("text")
    }
}

fn python(folder: &std::path::Path, code: &str) -> Vec<u8> {
    let output = Command::new("python3").args(["-c", code]).current_dir(folder).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn killed(record: &CallRecord) -> Option<KillReason> {
    match &record.outcome {
        CallOutcome::Killed { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_has_its_own_end_and_disturbs_no_other() {
    let fixture = Fixture::start(&[]).await;
    let calls = "[(n,) for n in range(200)]";
    let (outcome, made) = fixture.run("many", "functions.add", calls, json!({})).await;
    assert_eq!((&outcome["status"], &outcome["rows"]), (&json!("succeeded"), &json!(200)));
    assert!(outcome["tasks"].as_u64() > Some(2), "{outcome}");
    let values: Vec<_> = made.values().map(|(_, value)| value.clone()).collect();
    assert_eq!(values, (1..201).map(|n| n.to_string()).collect::<Vec<_>>());

    let calls = "[('add', 1), ('fail', 'no'), ('die', 3), ('shout', 'loud'), ('hold_the_lock', 60), \
                 ('crash',), ('give_a_lock',), ('add', 7)]";
    let options = json!({ "timeout": 2.0, "label": "any" });
    let (outcome, made) = fixture.run("odd", "functions.any_of_these", calls, options).await;
    assert_eq!(outcome["status"], "succeeded", "calls that fail are results: {outcome}");
    let said: Vec<_> =
        made.values().map(|(record, value)| (killed(record), value.as_str())).collect();
    let (timeout, crash) = (Some(KillReason::Timeout), Some(KillReason::Crash));
    assert_eq!((said[0], said[7]), ((None, "2"), (None, "8")));
    assert_eq!([said[2].0, said[4].0, said[5].0], [crash, timeout, crash]);
    assert!(made[&3].0.stdout.contains("loud"), "{:?}", made[&3]);
    let file = fixture.modules.path().join("odd.json");
    let job = fixture.emulator.bucket.get("jobs/odd.json", None).await.expect("the job").bytes;
    std::fs::write(&file, job).expect("written");
    let file = file.to_str().expect("text");
    let arguments = ["run", file, "--bucket", "tidemill", "--format", "csv"];
    let printed = fixture.emulator.command(&arguments).await.stdout;
    let printed = String::from_utf8(printed).expect("text");
    let lines: Vec<_> = printed.lines().filter(|l| l.contains(",returned,")).collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert!(printed.contains("1,raised,builtins.ValueError: no,"), "{printed}");
    for (call, expected) in [(1, "builtins.ValueError"), (6, "builtins.TypeError")] {
        let CallOutcome::Raised { type_name, traceback, .. } = &made[&call].0.outcome else {
            panic!("{:?}", made[&call])
        };
        assert_eq!(type_name, expected, "{traceback}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_enough_memory_is_made_once_more_where_there_is_more() {
    let fixture = Fixture::start(&["--memory", "512"]).await;
    let calls = "[('add', 1), ('eat', 600), ('add', 2)]";
    let (outcome, made) = fixture.run("hungry", "functions.any_of_these", calls, json!({})).await;
    assert_eq!(outcome["status"], "succeeded", "{outcome}");
    let (record, _) = &made[&1];
    assert!(matches!(record.outcome, CallOutcome::Returned { .. }), "{record:?}");
    assert!(record.peak_memory_bytes > 600 << 20, "{record:?}");
    assert_eq!((made[&0].1.as_str(), made[&2].1.as_str()), ("2", "3"));
    assert!(outcome["usage"]["large_tasks"].as_u64() >= Some(1), "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_ends_within_two_seconds_and_its_process_with_it() {
    let fixture = Fixture::start(&[]).await;
    let job = fixture.job("functions.spin", "[()]", json!({})).await;
    fixture.drop_job("long", &job).await;
    let run = loop {
        let keys = fixture.emulator.keys("work/long-").await;
        if let Some(key) = keys.iter().find(|k| k.contains("/attempts/")) {
            break key.split('/').nth(1).expect("a run").to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let busy = busy_interpreter(&fixture).await;
    fixture.emulator.put(&format!("runs/{run}/cancel"), "").await;
    let since = Instant::now();
    while std::path::Path::new(&format!("/proc/{busy}")).exists() {
        assert!(since.elapsed() < Duration::from_secs(2), "the call goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let outcome = fixture.emulator.ended("long", 1).await.remove(0);
    assert_eq!(outcome["status"], "cancelled");
}

/// The interpreter that works: a child of a Python worker.
async fn busy_interpreter(fixture: &Fixture) -> u32 {
    let since = Instant::now();
    loop {
        for worker in fixture.emulator.processes("python") {
            let threads = std::fs::read_dir(format!("/proc/{worker}/task")).into_iter().flatten();
            let children = threads.flatten().map(|thread| {
                std::fs::read_to_string(thread.path().join("children")).unwrap_or_default()
            });
            for child in children.collect::<String>().split_whitespace() {
                let stat =
                    std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
                let ticks: u64 = stat
                    .rsplit_once(')')
                    .and_then(|(_, rest)| rest.split_whitespace().nth(11)?.parse().ok())
                    .unwrap_or(0);
                if ticks > 30 {
                    return child.parse().expect("a process");
                }
            }
        }
        assert!(since.elapsed() < PATIENCE, "no interpreter works");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_called_fails_with_a_sentence() {
    let fixture = Fixture::start(&[]).await;
    let job = fixture.job("functions.add", "[(1,)]", json!({})).await;
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut job = job.clone();
        edit(&mut job["calls"]);
        job
    };
    let cases: [(&str, Value, &str); 6] = [
        ("version", edited(&|calls| calls["python"] = json!("2.7.18")), "pickled by Python 2.7.18"),
        (
            "function",
            edited(&|calls| calls["function"] = json!("0".repeat(64))),
            "0000 is not in the bucket",
        ),
        (
            "missing",
            edited(&|calls| calls["arguments"] = json!("calls/none")),
            "calls/none is not in",
        ),
        ("elsewhere", edited(&|calls| calls["arguments"] = json!("jobs/x")), "key under calls/"),
        ("timeout", edited(&|calls| calls["timeout"] = json!(9000)), "timeout is 9000"),
        ("memory", edited(&|calls| calls["memory"] = json!(99_999)), "99999 MiB of memory"),
    ];
    for (name, job, _) in &cases {
        fixture.drop_job(name, job).await;
    }
    for (name, _, expected) in &cases {
        let outcome = fixture.emulator.ended(name, 1).await.remove(0);
        let reason = outcome["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(expected), "{name}: {outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_outlast_a_function_go_on_in_another_invocation() {
    let template = include_str!("../template.yaml");
    let short = template.replace("      Timeout: 900\n", "      Timeout: 14\n");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), short).expect("written");
    let path = file.path().to_str().expect("text");
    let fixture = Fixture::start(&["--template", path]).await;
    let calls = "[('sleep', 1.5)] * 8 + [('sleep', 60)] + [('add', 1)]";
    let job = fixture.job("functions.any_of_these", calls, json!({})).await;
    let mut job = job;
    job["options"] = json!({ "partitions": 1 });
    fixture.drop_job("patient", &job).await;
    let outcome = fixture.emulator.ended("patient", 1).await.remove(0);
    assert_eq!(outcome["status"], "succeeded", "{outcome}");
    let made = fixture.made(&outcome).await;
    let ends: Vec<_> = made.values().map(|(record, _)| killed(record)).collect();
    let mut expected = vec![None; 10];
    expected[8] = Some(KillReason::Timeout);
    assert_eq!(ends, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_come_back_once_while_their_workers_are_killed() {
    let seed = std::env::var("TIDEMILL_CHAOS_SEED").unwrap_or_else(|_| "1".into());
    let faults = format!("kill=0.2,duplicate=0.1,lose=0.05,seed={seed}");
    let fixture = Fixture::start(&["--faults", &faults]).await;
    let runs = std::env::var("TIDEMILL_CHAOS_RUNS").map_or(4, |n| n.parse().expect("a number"));
    let job = fixture.job("functions.add", "[(n,) for n in range(50)]", json!({})).await;
    let names: Vec<_> = (0..runs).map(|run| format!("chaos-{run}")).collect();
    // as many as end within a test's patience, in whichever order
    for names in names.chunks(40) {
        for name in names {
            fixture.drop_job(name, &job).await;
        }
        for name in names {
            let outcome = fixture.emulator.ended(name, 1).await.remove(0);
            assert_eq!(outcome["status"], "succeeded", "{outcome}");
            let made = fixture.made(&outcome).await;
            let values: Vec<_> = made.values().map(|(_, value)| value.clone()).collect();
            assert_eq!(values, (1..51).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }
}
