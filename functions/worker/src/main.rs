#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    tidemill_worker::run().await
}
