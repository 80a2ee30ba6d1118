//! Calls a second of one child, beside those of `concurrent.futures.ProcessPoolExecutor` with one process.
//!
//! `cargo bench -p tidemill-python`; the interpreter is `python3`.

use std::process::Command;
use std::time::Instant;

use tidemill_python::{Call, Child, Interpreter, Limits};

const CALLS: u32 = 20_000;

/// A function without work, and the pair of its arguments, as `pickle` writes them.
const PICKLED: &str = "import pickle, sys; \
    sys.stdout.buffer.write(pickle.dumps(eval(sys.argv[1])))";

const POOL: &str = "\
import concurrent.futures, time
with concurrent.futures.ProcessPoolExecutor(1) as pool:
    pool.submit(abs, 1).result()
    since = time.perf_counter()
    for n in range(CALLS):
        pool.submit(abs, 1).result()
    one = time.perf_counter() - since
    since = time.perf_counter()
    list(pool.map(abs, range(CALLS)))
    print(f'process pool, one at a time: {CALLS / one:8.0f} calls/s')
    print(f'process pool, map:           {CALLS / (time.perf_counter() - since):8.0f} calls/s')
";

fn pickled(value: &str) -> Vec<u8> {
    Command::new("python3").args(["-c", PICKLED, value]).output().expect("python3").stdout
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let call = Call {
        function_name: "abs".into(),
        function: pickled("abs").into(),
        initializer: None,
        path: vec![],
        arguments: pickled("((1,), {})").into(),
        input: None,
    };
    let interpreter = Interpreter::new("python3".into(), ".".into());
    let since = Instant::now();
    let mut child = Child::start(&interpreter).await.expect("a child");
    child.call(&call, Limits::default()).await.expect("an answer");
    println!("start and first answer:      {:8.1} ms", since.elapsed().as_secs_f64() * 1e3);
    let since = Instant::now();
    for _ in 0..CALLS {
        child.call(&call, Limits::default()).await.expect("an answer");
    }
    let seconds = since.elapsed().as_secs_f64();
    println!("one child:                   {:8.0} calls/s", f64::from(CALLS) / seconds);
    let pool = POOL.replace("CALLS", &CALLS.to_string());
    Command::new("python3").args(["-c", &pool]).status().expect("python3");
}
