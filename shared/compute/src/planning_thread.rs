use tokio::runtime::Handle;

use crate::error::{Failure, refused};

/// The stack of a planning thread. Planning recurses over the SQL, and a statement within the
/// limits of [`crate::statement`] fits with room to spare; only what is used is real memory.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// Plans on a thread of its own, so that neither a deep statement nor a slow one takes the
/// function's process down: the caller can give up waiting.
pub(crate) async fn on_planning_thread<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let runtime = Handle::current();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("planning".into()).stack_size(STACK_BYTES).spawn(
        move || {
            let _ = sender.send(runtime.block_on(work)); // nobody may be waiting any more
        },
    )?;
    match receiver.await {
        Ok(done) => done,
        Err(_) => refused("planning the statement failed within the engine: simplify it"),
    }
}
