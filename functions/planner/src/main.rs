#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    tidemill_planner::run().await
}
