#[tokio::main]
async fn main() -> std::process::ExitCode {
    let wrapped = std::env::args_os().nth(1);
    tidemill_aws::exit(tidemill_python::run(wrapped).await)
}
