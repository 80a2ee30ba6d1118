//! What calls of Python functions do to the process that runs them, with real processes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tidemill_protocol::calls::ValueFormat;
use tidemill_python::{
    Answer, Call, Child, Died, Interpreter, Limits, Outcome, Raised, Reason, StartError,
};

const FUNCTIONS: &str = include_str!("functions.py");

/// Where the functions are, and the interpreter that finds them.
struct Fixture {
    folder: tempfile::TempDir,
    interpreter: Interpreter,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("functions.py"), FUNCTIONS).expect("written");
        let interpreter = Interpreter::new("python3".into(), folder.path().into());
        Self { folder, interpreter }
    }

    async fn child(&self) -> Child {
        Child::start(&self.interpreter).await.expect("a child")
    }

    /// `add(1, b=2)`, as Python writes it.
    fn call(&self, function: &str, arguments: &str) -> Call {
        let arguments = format!("(lambda *a, **k: (a, k))({arguments})");
        let function_bytes = pickled(self.folder.path(), &format!("functions.{function}"));
        let arguments = pickled(self.folder.path(), &arguments);
        Call {
            function_name: function.to_owned(),
            function: function_bytes.into(),
            initializer: None,
            path: vec![],
            arguments: arguments.into(),
            input: None,
        }
    }

    async fn answer(&self, child: &mut Child, function: &str, arguments: &str) -> Answer {
        let answer = child.call(&self.call(function, arguments), Limits::default()).await;
        answer.unwrap_or_else(|died| panic!("{function}: {died}: {}", died.stderr.text()))
    }

    async fn died(&self, function: &str, arguments: &str, limits: Limits) -> Died {
        let mut child = self.child().await;
        let call = self.call(function, arguments);
        let ended = tokio::time::timeout(Duration::from_secs(20), child.call(&call, limits)).await;
        ended.expect("an end").err().unwrap_or_else(|| panic!("{function} has an answer"))
    }
}

fn python(folder: &Path, code: &str) -> Vec<u8> {
    let output = Command::new("python3").args(["-c", code]).current_dir(folder).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn pickled(folder: &Path, value: &str) -> Vec<u8> {
    let code = "import functions, pickle, sys; sys.stdout.buffer.write(pickle.dumps(";
    python(folder, &format!("{code}{value}))"))
}

/// What Python says of a pickled value.
fn shown(folder: &Path, pickled: &[u8]) -> String {
    let file = folder.join("value");
    std::fs::write(&file, pickled).expect("written");
    let code = "import pickle; print(repr(pickle.load(open('value', 'rb'))), end='')";
    String::from_utf8(python(folder, code)).expect("text")
}

fn returned(fixture: &Fixture, answer: &Answer) -> String {
    match &answer.outcome {
        Outcome::Returned(ValueFormat::Json, value) => {
            String::from_utf8(value.to_vec()).expect("text").replace('"', "'")
        }
        Outcome::Returned(_, value) => shown(fixture.folder.path(), value),
        Outcome::Raised(raised) | Outcome::NotReady(raised) => panic!("{}", raised.traceback),
        Outcome::Late(_) => panic!("it is late"),
    }
}

fn raised(answer: Answer) -> Raised {
    match answer.outcome {
        Outcome::NotReady(raised) => panic!("{}", raised.traceback),
        Outcome::Late(_) => panic!("it is late"),
        Outcome::Raised(raised) => raised,
        Outcome::Returned(..) => panic!("it has returned"),
    }
}

fn seconds(n: u64) -> Limits {
    Limits { time: Some(Duration::from_secs(n)), ..Limits::default() }
}

fn mebibytes(n: u64) -> Limits {
    Limits { memory_bytes: Some(n << 20), ..Limits::default() }
}

#[tokio::test]
async fn values_come_back_from_one_process() {
    let fixture = Fixture::new();
    let mut child = fixture.child().await;
    assert!(child.version().starts_with("3."), "{}", child.version());
    for (arguments, value) in [("1", "2"), ("1, b=2", "3"), ("a=5, b=5", "10")] {
        let answer = fixture.answer(&mut child, "add", arguments).await;
        assert_eq!(returned(&fixture, &answer), value);
    }
    let waited = fixture.answer(&mut child, "wait", "0.01").await;
    assert_eq!(returned(&fixture, &waited), "0.01");
    let large = fixture.answer(&mut child, "give_bytes", "30").await;
    assert!(matches!(&large.outcome, Outcome::Returned(_, bytes) if bytes.len() > 30 << 20));
    let sent = fixture.answer(&mut child, "add", "bytes(30_000_000), b''").await;
    assert!(matches!(&sent.outcome, Outcome::Returned(_, bytes) if bytes.len() > 30_000_000));
}

#[tokio::test]
async fn coroutines_run_beside_each_other_and_each_has_its_own_end() {
    let fixture = Fixture::new();
    let mut child = fixture.child().await;
    let call = fixture.call("wait", "0");
    let arguments = |seconds: &str| {
        let pair = format!("(lambda *a, **k: (a, k))({seconds})");
        bytes::Bytes::from(pickled(fixture.folder.path(), &pair))
    };
    let (short, long, wrong) = (arguments("0.2"), arguments("30"), arguments("'x'"));
    let mut all = vec![short; 40];
    all[3] = long;
    all[5] = wrong;
    all[7] = b"no pickle".as_slice().into();
    let mut ends = vec![String::new(); all.len()];
    let since = Instant::now();
    let limits = Limits { time: Some(Duration::from_secs(1)), ..Limits::default() };
    let made = |item: usize, answer: Answer| {
        ends[item] = match answer.outcome {
            Outcome::Returned(..) => "returned".into(),
            Outcome::Raised(raised) => format!("{} {}", raised.type_name, raised.unread),
            Outcome::NotReady(_) => "not ready".into(),
            Outcome::Late(_) => "late".into(),
        };
    };
    child.call_together(&call, &all, 40, limits, made).await.expect("all answers");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let mut expected = vec!["returned".to_owned(); all.len()];
    expected[3] = "late".into();
    expected[5] = "builtins.TypeError false".into();
    expected[7] = "_pickle.UnpicklingError true".into();
    assert_eq!(ends, expected);
    // a loop that hangs is ended from outside, and what was answered before stays
    let mut answered = 0;
    let call = fixture.call("wait_or_hang", "0");
    let all = [arguments("0"), arguments("-1"), arguments("0.1")];
    let died = child.call_together(&call, &all, 1, limits, |_, _| answered += 1).await;
    assert!(matches!(died.expect_err("a death").reason, Reason::TimedOut(_)));
    assert_eq!(answered, 1);
}

#[tokio::test]
async fn each_call_has_its_own_output() {
    let fixture = Fixture::new();
    let mut child = fixture.child().await;
    for text in ["one", "two"] {
        let answer = fixture.answer(&mut child, "shout", &format!("'{text}'")).await;
        assert_eq!(answer.stdout.text(), format!("{text}\npast Python\nfrom a shell\n"));
        assert_eq!(answer.stderr.text(), format!("{}\n", text.to_uppercase()));
    }
    let flooded = fixture.answer(&mut child, "flood", "50").await;
    assert!(flooded.stdout.lost_bytes > 49 << 20, "{}", flooded.stdout.lost_bytes);
    assert!(flooded.stdout.text().ends_with("the end\n"));
    let quiet = fixture.answer(&mut child, "add", "1").await;
    assert_eq!(quiet.stdout.text(), "");
    assert_eq!(returned(&fixture, &fixture.answer(&mut child, "read_input", "").await), "''");
}

#[tokio::test]
async fn an_exception_is_an_answer() {
    let fixture = Fixture::new();
    let mut child = fixture.child().await;
    let error = raised(fixture.answer(&mut child, "fail", "'no such thing'").await);
    assert_eq!(
        (error.type_name.as_str(), error.message.as_str()),
        ("builtins.ValueError", "no such thing")
    );
    assert!(error.traceback.contains("functions.py"), "{}", error.traceback);
    assert!(!error.traceback.contains("<tidemill>"), "{}", error.traceback);
    let whole = error.pickled.expect("it can be pickled");
    assert_eq!(shown(fixture.folder.path(), &whole), "ValueError('no such thing')");

    let odd = raised(fixture.answer(&mut child, "fail_oddly", "").await);
    let whole = odd.pickled.expect("its __init__ is not needed");
    assert_eq!(shown(fixture.folder.path(), &whole), "Unpicklable('1 and 2')");
    let locked = raised(fixture.answer(&mut child, "fail_with_a_lock", "").await);
    assert_eq!(locked.pickled, None);
    let lock = raised(fixture.answer(&mut child, "give_a_lock", "").await);
    assert!(lock.message.contains("pickle"), "{}", lock.message);
    let exit = raised(fixture.answer(&mut child, "leave", "4").await);
    assert_eq!(exit.type_name, "builtins.SystemExit");
    // and the process goes on
    let answer = fixture.answer(&mut child, "add", "1").await;
    assert_eq!(returned(&fixture, &answer), "2");
}

#[tokio::test]
async fn what_cannot_be_loaded_is_sent_again() {
    let fixture = Fixture::new();
    let mut child = fixture.child().await;
    let mut call = fixture.call("add", "1");
    let function = std::mem::replace(&mut call.function, b"no pickle".as_slice().into());
    let broken = child.call(&call, Limits::default()).await.expect("an answer");
    assert!(raised(broken).type_name.contains("Unpickling"));
    call.function = function;
    let answer = child.call(&call, Limits::default()).await.expect("an answer");
    assert_eq!(returned(&fixture, &answer), "2");
    // more functions than are kept
    for n in (0..40).chain(0..40) {
        call.function_name = format!("add {n}");
        let answer = child.call(&call, Limits::default()).await.expect("an answer");
        assert_eq!(returned(&fixture, &answer), "2");
    }
}

#[tokio::test]
async fn a_process_that_ends_is_no_answer() {
    let fixture = Fixture::new();
    let died = fixture.died("die", "3", Limits::default()).await;
    assert!(matches!(&died.reason, Reason::Ended(status) if status.code() == Some(3)), "{died}");
    assert_eq!(died.stdout.text(), "last words\n");
    let crashed = fixture.died("crash", "", Limits::default()).await;
    assert!(crashed.to_string().contains("signal: 11"), "{crashed}");
    let held = fixture.died("fork_and_die", "", Limits::default()).await;
    assert!(matches!(&held.reason, Reason::Ended(status) if status.code() == Some(3)), "{held}");
    let closed = fixture.died("close_everything", "", Limits::default()).await;
    assert!(matches!(closed.reason, Reason::Disconnected(_)), "{closed}");
    let garbage = fixture.died("write_into_the_socket", "", Limits::default()).await;
    assert!(matches!(garbage.reason, Reason::Disconnected(_)), "{garbage}");
}

#[tokio::test]
async fn time_is_up_even_in_native_code() {
    let fixture = Fixture::new();
    let since = Instant::now();
    let died = fixture.died("hold_the_lock", "30", seconds(1)).await;
    assert!(matches!(died.reason, Reason::TimedOut(_)), "{died}");
    assert!(since.elapsed() < Duration::from_secs(5));
    assert_eq!(died.to_string(), "the call took longer than 1 seconds");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_is_counted_with_that_of_children() {
    let fixture = Fixture::new();
    for function in ["eat", "eat_in_a_child"] {
        let died = fixture.died(function, "4000", mebibytes(200)).await;
        let Reason::OutOfMemory { peak_bytes, .. } = died.reason else { panic!("{died}") };
        assert!((200 << 20..1000 << 20).contains(&peak_bytes), "{function}: {peak_bytes}");
    }
    let mut child = fixture.child().await;
    let answer =
        child.call(&fixture.call("eat", "150"), Limits::default()).await.expect("an answer");
    assert!(answer.peak_bytes > 100 << 20, "{}", answer.peak_bytes);
}

#[tokio::test]
async fn a_fork_does_not_answer_for_its_parent() {
    let fixture = Fixture::new();
    let mut child = fixture.child().await;
    for _ in 0..5 {
        let answer = fixture.answer(&mut child, "fork_and_return", "").await;
        assert_eq!(returned(&fixture, &answer), "'parent'");
    }
    let answer = fixture.answer(&mut child, "add", "1").await;
    assert_eq!(returned(&fixture, &answer), "2");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_ends_with_whoever_dropped_it() {
    let fixture = Fixture::new();
    let mut child = fixture.child().await;
    let call = fixture.call("fork_and_die", "");
    drop(
        tokio::time::timeout(Duration::from_millis(1), child.call(&call, Limits::default())).await,
    );
    let mut other = fixture.child().await;
    let call = fixture.call("hold_the_lock", "60");
    let called = other.call(&call, Limits::default());
    assert!(tokio::time::timeout(Duration::from_millis(300), called).await.is_err());
    drop((child, other));
    let folder = fixture.folder.path().canonicalize().expect("a folder");
    let works_there = |process: &std::fs::DirEntry| {
        std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    };
    let end = Instant::now() + Duration::from_secs(5);
    while std::fs::read_dir("/proc").expect("processes").flatten().any(|p| works_there(&p)) {
        assert!(Instant::now() < end, "a process is left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn no_credentials_are_passed_on() {
    let fixture = Fixture::new();
    let mut interpreter = fixture.interpreter.clone().with("GREETING", "hello");
    assert!(!interpreter.environment.iter().any(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("AWS_") || name.starts_with("TIDEMILL_")
    }));
    interpreter.environment.retain(|(name, _)| name == "PATH" || name == "GREETING");
    let mut child = Child::start(&interpreter).await.expect("a child");
    let answer = fixture.answer(&mut child, "environment", "").await;
    let names = returned(&fixture, &answer);
    assert!(names.contains("'GREETING'") && names.contains("'PATH'"), "{names}");
    assert!(!names.contains("HOME"), "{names}");
}

#[tokio::test]
async fn why_there_is_no_child_is_said() {
    let fixture = Fixture::new();
    let missing = Interpreter { program: "no-such-python".into(), ..fixture.interpreter.clone() };
    let error = Child::start(&missing).await.expect_err("no child");
    assert!(matches!(error, StartError::Program { .. }), "{error}");
    let other = Interpreter { program: "/bin/false".into(), ..fixture.interpreter.clone() };
    let error = Child::start(&other).await.expect_err("no child");
    assert!(matches!(error, StartError::NotReady { .. }), "{error}");
    let broken = fixture.interpreter.clone().with("PYTHONHOME", "/nowhere");
    let error = Child::start(&broken).await.expect_err("no child");
    assert!(error.to_string().contains("encodings"), "{error}");
}
