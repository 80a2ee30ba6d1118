#[tokio::main]
async fn main() -> std::process::ExitCode {
    tidemill_aws::exit(tidemill_worker::run().await)
}
