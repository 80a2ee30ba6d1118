//! The threads that work on rows, and what they run.

use std::io;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::TaskContext;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

use crate::error::Failure;
use crate::stage::Part;

/// As many as there are cores, apart from those of the protocol: who notices that a run was cancelled
/// does not wait for an operator, and batches stay in the caches of the cores (with two threads more
/// TPC-H takes a tenth longer).
static THREADS: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread().worker_threads(cores).enable_all().build()
});

fn threads() -> Result<&'static Handle, Failure> {
    match &*THREADS {
        Ok(runtime) => Ok(runtime.handle()),
        Err(e) => Err(io::Error::new(e.kind(), e.to_string()).into()),
    }
}

/// The batches of all partitions of a part, each with its partition; `parallel` partitions at once,
/// or all.
///
/// # Errors
/// The machine gives no threads; items: those of the plan.
pub(super) fn run(
    part: &Part,
    parallel: Option<usize>,
    context: &Arc<TaskContext>,
) -> Result<impl Stream<Item = Result<(usize, RecordBatch), Failure>> + use<>, Failure> {
    let threads = threads()?;
    let (plan, context, first) = (part.plan.clone(), context.clone(), part.first);
    let streams = stream::iter(part.partitions.clone()).map(move |partition| {
        let (plan, context) = (plan.clone(), context.clone());
        stream::once(async move { plan.execute(partition, context) })
            .try_flatten()
            .map(move |batch| Ok((first + partition, batch?)))
            .boxed()
    });
    Ok(streams.map(|stream| on(threads, stream)).flatten_unordered(parallel))
}

/// Drives a stream from a task of its own, a few batches ahead of its reader.
fn on<T: Send + 'static>(
    threads: &'static Handle,
    mut inner: stream::BoxStream<'static, T>,
) -> stream::BoxStream<'static, T> {
    stream::once(async move {
        let (sender, receiver) = tokio::sync::mpsc::channel(2);
        let mut set = JoinSet::new();
        let drive = async move {
            while let Some(item) = inner.next().await {
                if sender.send(item).await.is_err() {
                    return; // the reader is gone
                }
            }
        };
        set.spawn_on(drive, threads);
        // the set goes with the stream, and its task with the set
        stream::unfold((receiver, set), |(mut receiver, mut set)| async move {
            match receiver.recv().await {
                Some(item) => Some((item, (receiver, set))),
                None => match set.join_next().await {
                    Some(Err(e)) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
                    _ => None,
                },
            }
        })
    })
    .flatten()
    .boxed()
}
