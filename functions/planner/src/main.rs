// queries allocate and free large buffers at a high rate
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    tidemill_aws::exit(tidemill_planner::run().await)
}
