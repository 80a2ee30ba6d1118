//! The memory that the operators of a task share.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use datafusion::common::{Result, resources_err};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::meter::Meter;
use crate::resources::function_mib;

/// An operator that holds less than this part of the pool is not asked to spill.
const SPILL_POOL_DIVISOR: usize = 4;

/// A pool that is shared fairly by what can spill, and remembers its peak. Not all that operators hold is
/// counted by them, so the pool also has its eye on the process: where that is close to the memory of its
/// function, whose end would be without a word, the pool gives no more to what can spill.
#[derive(Debug)]
pub(crate) struct MeteredPool {
    inner: FairSpillPool,
    bytes: usize,
    process: Option<&'static Process>,
    meter: Arc<Meter>,
}

impl MeteredPool {
    pub(crate) fn new(bytes: usize, meter: Arc<Meter>) -> Self {
        Self { inner: FairSpillPool::new(bytes), bytes, process: PROCESS.as_ref(), meter }
    }

    /// Whether the process is close to its limit, and `reservation` so large that spilling it helps.
    fn is_crowded(&self, reservation: &MemoryReservation) -> bool {
        reservation.consumer().can_spill()
            && reservation.size() >= self.bytes / SPILL_POOL_DIVISOR
            && self.process.is_some_and(Process::is_crowded)
    }
}

impl fmt::Display for MeteredPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl MemoryPool for MeteredPool {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
        self.meter.note_memory(self.inner.reserved());
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if self.is_crowded(reservation) {
            return resources_err!("the process has hardly any memory left");
        }
        self.inner.try_grow(reservation, additional)?;
        self.meter.note_memory(self.inner.reserved());
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

/// This process, where it has a function's memory.
static PROCESS: LazyLock<Option<Process>> = LazyLock::new(|| function_mib().map(Process::new));

/// What a process holds of the memory that it may have.
#[derive(Debug)]
struct Process {
    limit_kib: u64,
    started: Instant,
    /// When it was looked at, since the start.
    looked_ms: AtomicU64,
    was_crowded: AtomicBool,
}

impl Process {
    /// Code and other pages of files.
    const FILES_MIB: u64 = 64;

    /// A look reads a file of the kernel.
    const LOOK_EVERY: Duration = Duration::from_millis(5);

    /// Of a function of `mib` MiB, a sixteenth is left for what comes between two looks.
    fn new(mib: u64) -> Self {
        Self {
            limit_kib: (mib * 1024 / 16 * 15).saturating_sub(Self::FILES_MIB * 1024),
            started: Instant::now(),
            looked_ms: AtomicU64::new(0),
            was_crowded: AtomicBool::new(false),
        }
    }

    fn is_crowded(&self) -> bool {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let every = u64::try_from(Self::LOOK_EVERY.as_millis()).unwrap_or(u64::MAX);
        if now.saturating_sub(self.looked_ms.load(Ordering::Relaxed)) >= every {
            self.looked_ms.store(now, Ordering::Relaxed);
            let held = fs::read_to_string("/proc/self/status").ok();
            let held = held.as_deref().and_then(anonymous_kib).unwrap_or(0);
            self.was_crowded.store(held > self.limit_kib, Ordering::Relaxed);
        }
        self.was_crowded.load(Ordering::Relaxed)
    }
}

/// The memory of a process that is in no file, from its `/proc/<pid>/status`.
fn anonymous_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use datafusion::common::DataFusionError;

    use super::*;

    /// A pool of 1,000 bytes in a process that may have `mib`.
    async fn pool(mib: u64) -> Arc<dyn MemoryPool> {
        let process: &'static Process = Box::leak(Box::new(Process::new(mib)));
        tokio::time::sleep(Process::LOOK_EVERY).await; // until the first look
        let inner = FairSpillPool::new(1_000);
        Arc::new(MeteredPool { inner, bytes: 1_000, process: Some(process), meter: Arc::default() })
    }

    fn grow(pool: &Arc<dyn MemoryPool>, can_spill: bool, sizes: [usize; 2]) -> Result<()> {
        let consumer = MemoryConsumer::new("test").with_can_spill(can_spill).register(pool);
        sizes.into_iter().try_for_each(|bytes| consumer.try_grow(bytes))
    }

    #[tokio::test]
    async fn in_a_crowded_process_what_can_spill_and_holds_much_gets_no_more() {
        let crowded = pool(0).await;
        let refused = grow(&crowded, true, [250, 1]);
        assert!(matches!(refused, Err(DataFusionError::ResourcesExhausted(_))), "{refused:?}");
        grow(&crowded, true, [249, 1]).expect("spilling would not help");
        grow(&crowded, false, [250, 1]).expect("it cannot spill");
        grow(&pool(1 << 20).await, true, [250, 1]).expect("there is room");
    }

    #[test]
    fn what_a_process_holds_is_what_the_kernel_says() {
        let status = "VmRSS:\t    2048 kB\nRssAnon:\t    1536 kB\nRssFile:\t     512 kB\n";
        assert_eq!(anonymous_kib(status), Some(1536));
        assert_eq!(anonymous_kib("VmRSS:\t    2048 kB\n"), None);
        if cfg!(target_os = "linux") {
            let own = fs::read_to_string("/proc/self/status").expect("the kernel's word");
            assert!(anonymous_kib(&own) > Some(0), "{own}");
        }
    }
}
