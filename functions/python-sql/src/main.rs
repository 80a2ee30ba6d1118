use std::process::ExitCode;

// queries allocate and free large buffers at a high rate
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let wrapped = std::env::args_os().nth(1);
    let runtime = match tidemill_aws::runtime() {
        Ok(runtime) => runtime,
        Err(e) => return tidemill_aws::exit(Err(e.into())),
    };
    let served = runtime.block_on(tidemill_python_sql::run(wrapped));
    runtime.shutdown_background(); // an operator may work on for minutes
    tidemill_aws::exit(served)
}
