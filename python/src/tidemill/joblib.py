"""The backend "tidemill" of joblib: `import tidemill.joblib`, then `joblib.parallel_config("tidemill")`."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import joblib.parallel
from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    ThreadingBackend,
)

from tidemill._executor import Executor
from tidemill._future import Future
from tidemill._map import executor_of

#: short batches are dispatched ahead, so that many are sent as one run: so many seconds of work for each worker,
#: and at most so many batches
AHEAD_SECONDS = 1.0
AHEAD_BATCHES_MAX = 64

#: options of `Parallel` itself that calls are made with
PASSED_ON = ("initializer", "initargs")


def _by_value() -> Callable[[Callable[[], Any]], Any]:
    """What a worker calls: a function that no module has, as it may be without this package."""

    def call(batch: Callable[[], Any]) -> Any:
        # the batch may name this backend
        with contextlib.suppress(ImportError):
            import tidemill.joblib  # noqa: F401
        return batch()

    return call


_call = _by_value()


class TidemillBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Batches of calls go to an executor that the process keeps; options are those of `tidemill.Executor`."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = False
    supports_sharedmem = False
    uses_threads = False

    def __init__(
        self,
        bucket: str | None = None,
        max_workers: int | None = None,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        # who chooses the backend for many calls of `Parallel` wants its workers; a single one says how many
        self.default_n_jobs = -1 if nesting_level is None else 1
        self._bucket = bucket
        self._max_workers = max_workers
        self._options = options
        self._executor: Executor | None = None
        self._futures: set[Future[Any]] = set()
        self._n_jobs = 1
        #: that the last batch took in its worker
        self._seconds = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        # a batch carries its backend; what it has open stays here
        return _rebuilt, (self._bucket, self._max_workers, self.nesting_level, self._options)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs > 0:
            return n_jobs
        if self.nesting_level:
            return max(os.cpu_count() or 1, 1)
        return max(self._shared_executor().concurrency + 1 + n_jobs, 1)

    def configure(
        self, n_jobs: int = 1, parallel: Any = None, prefer: Any = None, require: Any = None, **options: Any
    ) -> int:
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        if self.nesting_level:
            # calls within calls stay in their process
            raise FallbackToBackend(ThreadingBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        self._n_jobs = n_jobs
        # those of joblib's own pools, as how it maps memory, mean nothing here
        given = {name: value for name, value in options.items() if name in PASSED_ON}
        self._executor = self._shared_executor().with_options(**{**self._options, **given})
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Future[Any]:
        assert self._executor is not None
        future = self._executor.submit(_call, func)
        self._futures.add(future)
        future.add_done_callback(self._ended)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def batch_completed(self, batch_size: int, duration: float) -> None:
        """By the time that it took in its worker: most of the `duration` it may have waited for its turn."""
        super().batch_completed(batch_size, self._seconds)
        ahead = min(int(AHEAD_SECONDS / max(self._seconds, 1e-3)), AHEAD_BATCHES_MAX)
        with self.parallel._lock:
            while len(self._futures) < ahead * self._n_jobs and self.parallel._original_iterator is not None:
                self.parallel.dispatch_next()

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        for future in list(self._futures):
            future.kill()
        self._futures.clear()
        if not ensure_ready:
            self._executor = None

    def terminate(self) -> None:
        self._executor = None
        self.reset_batch_stats()

    def _ended(self, future: Any) -> None:
        self._futures.discard(future)
        self._seconds = future.seconds

    def _shared_executor(self) -> Executor:
        # one deployment for all numbers of jobs: joblib itself sends no more batches than are asked for
        return executor_of((self._bucket, self._max_workers))


def _rebuilt(
    bucket: str | None, max_workers: int | None, nesting_level: int | None, options: dict[str, Any]
) -> TidemillBackend:
    return TidemillBackend(bucket, max_workers, nesting_level, **options)


joblib.parallel.register_parallel_backend("tidemill", TidemillBackend)
