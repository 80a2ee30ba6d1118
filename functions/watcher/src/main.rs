#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    tidemill_watcher::run().await
}
