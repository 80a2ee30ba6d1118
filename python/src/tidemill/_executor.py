"""The executor."""

import concurrent.futures
import itertools
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from types import TracebackType
from typing import Any, TypeVar, overload

from tidemill._env import Env
from tidemill._future import Future, as_completed, settle
from tidemill._options import Options
from tidemill._pickle import Function, pickle_arguments, pickle_function, pickle_initializer
from tidemill._run import Call, Plan, Run
from tidemill._session import Session

T = TypeVar("T")


class Executor(concurrent.futures.Executor):
    """Runs calls in parallel, with the contract of `concurrent.futures.Executor`.

    Without a bucket (and without $TIDEMILL_BUCKET) the calls run on this machine, with this interpreter.
    """

    def __init__(
        self,
        bucket: str | None = None,
        *,
        max_workers: int | None = None,
        memory: int | None = None,
        timeout: float | None = None,
        retries: int = 0,
        retry_on: type[BaseException] | tuple[type[BaseException], ...] = (),
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        concurrency: int = 1,
        max_cost_usd: float | None = None,
        echo: bool = True,
        progress: str | bool = "auto",
        name: str | None = None,
        env: Env | None = None,
    ) -> None:
        """
        Args:
            bucket: that the calls go through.
            max_workers: calls that run at once; by default what the bucket's deployment, or this machine, can.
            memory: MiB that a call may need.
            timeout: seconds that a call may take; then its process is killed.
            retries: how often a call that raises is made again.
            retry_on: only after these exceptions; after any without it.
            initializer: called in each process of a worker before its first call, with `initargs`.
            concurrency: calls of an `async def` function that run at once in a process.
            max_cost_usd: that a run of calls may cost.
            echo: prints here what a call has printed, when it has ended.
            progress: "auto", "bar", "log" or "none".
            name: of the runs; by default that of the function.
            env: packages and modules that the calls need beside what their workers have.
        """
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._options = Options(
            memory=memory,
            timeout=timeout,
            retries=retries,
            retry_on=retry_on if isinstance(retry_on, tuple) else (retry_on,),
            initializer=initializer,
            initargs=initargs,
            concurrency=concurrency,
            max_cost_usd=max_cost_usd,
            echo=echo,
            progress=progress,
            name=name,
            env=env,
        )
        self._session = Session(bucket or os.environ.get("TIDEMILL_BUCKET") or None, max_workers)
        self._owner: Executor | None = None
        self._unfinished: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
        self._is_shut = False
        self._initializer: Function | None = None
        # who drops an executor still gets the results of its futures
        weakref.finalize(self, self._session.close, False).atexit = False

    def with_options(self, **options: Any) -> "Executor":
        """An executor with other options on the same workers; shutting it down leaves those of this one."""
        view = object.__new__(type(self))
        view._options = self._options.changed(options)
        view._session = self._session
        view._owner = self
        view._unfinished = weakref.WeakSet()
        view._is_shut = False
        view._initializer = None
        return view

    @overload
    def submit(self, fn: Callable[..., Coroutine[Any, Any, T]], /, *args: Any, **kwargs: Any) -> Future[T]: ...
    @overload
    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]: ...
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._refuse_if_shut()
        future: Future[Any] = Future()
        try:
            plan = self._plan(fn)
            sharing = self._session.sharing
            call = Call(future, plan, pickle_arguments(sharing, args, kwargs), sharing)
        except Exception as error:
            settle(future, error=error)
            return future
        self._keep([future])
        self._session.submit(call)
        return future

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]: ...
    @overload
    def map(
        self,
        fn: Callable[..., T],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]: ...
    def map(
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """As `concurrent.futures.Executor.map`.

        Messages carry many calls whatever `chunksize` is, so each call has its own result and exception.
        """
        _check_chunksize(chunksize)
        if buffersize is not None:
            return self._map_buffered(fn, zip(*iterables, strict=False), timeout, buffersize)
        deadline = None if timeout is None else time.monotonic() + timeout
        futures, run = self._run_all(fn, zip(*iterables, strict=False))
        return _ordered(futures, run, deadline)

    def starmap(
        self, fn: Callable[..., T], iterable: Iterable[Iterable[Any]], /, *, timeout: float | None = None
    ) -> Iterator[T]:
        """As `map` with the arguments of each call in one object."""
        deadline = None if timeout is None else time.monotonic() + timeout
        futures, run = self._run_all(fn, (tuple(args) for args in iterable))
        return _ordered(futures, run, deadline)

    def map_unordered(
        self, fn: Callable[..., T], /, *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """As `map`, but in the order in which the calls end."""
        _check_chunksize(chunksize)
        futures, run = self._run_all(fn, zip(*iterables, strict=False))
        return _as_they_end(futures, run, timeout)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._is_shut = True
        if self._owner is not None:
            self._shut_view(wait, cancel_futures)
            return
        if cancel_futures:
            self._session.cancel_waiting()
        self._session.close(wait)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            # workers are not told of Ctrl-C by the terminal
            self._cancel_all()
        return super().__exit__(kind, error, traceback)

    def terminate_workers(self) -> None:
        """Ends the calls that run, and this executor."""
        self._cancel_all()
        self.shutdown(wait=False, cancel_futures=True)

    def kill_workers(self) -> None:
        """As `terminate_workers`, at once."""
        self.shutdown(wait=False, cancel_futures=True)
        self._session.kill()

    @property
    def concurrency(self) -> int:
        """How many calls run at once; known once the agent has answered."""
        self._session.wait_opened()
        return self._session.concurrency

    @property
    def _max_workers(self) -> int:
        """As the standard library's executors name it, and Dask asks for it."""
        return self.concurrency

    @property
    def _broken(self) -> BrokenExecutor | None:
        return self._session.broken

    @property
    def _executor_manager_thread(self) -> threading.Thread:
        """As the standard library's executor of processes names it, and its tests join it."""
        return self._session.sender

    def _cancel_all(self) -> None:
        if self._owner is None:
            self._session.cancel_all()
        for future in list(self._unfinished):
            future.kill()

    def _shut_view(self, wait: bool, cancel_futures: bool) -> None:
        futures = list(self._unfinished)
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait:
            concurrent.futures.wait(futures)

    def _refuse_if_shut(self) -> None:
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _keep(self, futures: Iterable[Future[Any]]) -> None:
        if self._owner is not None:
            self._unfinished.update(futures)

    def _plan(self, fn: Callable[..., Any]) -> Plan:
        sharing = self._session.sharing
        if self._options.initializer is not None and self._initializer is None:
            self._initializer = pickle_initializer(sharing, self._options.initializer, self._options.initargs)
        function = pickle_function(sharing, fn)
        return self._options.plan(function, self._initializer)

    def _calls(self, fn: Callable[..., T], inputs: Iterable[tuple[Any, ...]]) -> tuple[list[Future[T]], list[Call]]:
        """Futures of all calls, and the calls that can be made."""
        plan, failed = None, None
        try:
            plan = self._plan(fn)
        except Exception as error:
            failed = error
        sharing = self._session.sharing
        futures: list[Future[T]] = []
        calls = []
        for args in inputs:
            future: Future[T] = Future()
            futures.append(future)
            if plan is None:
                settle(future, error=failed)
                continue
            try:
                calls.append(Call(future, plan, pickle_arguments(sharing, args, {}), sharing))
            except Exception as error:
                settle(future, error=error)
        return futures, calls

    def _run_all(self, fn: Callable[..., T], inputs: Iterable[tuple[Any, ...]]) -> tuple[list[Future[T]], Run | None]:
        self._refuse_if_shut()
        futures, calls = self._calls(fn, inputs)
        run = self._session.submit_run(calls) if calls else None
        self._keep(futures)
        return futures, run

    def _map_buffered(
        self, fn: Callable[..., T], inputs: Iterator[tuple[Any, ...]], timeout: float | None, buffersize: int
    ) -> Iterator[T]:
        if not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        self._refuse_if_shut()
        deadline = None if timeout is None else time.monotonic() + timeout
        futures: deque[Future[T]] = deque()
        for args in itertools.islice(inputs, buffersize):
            futures.append(self.submit(fn, *args))
        return _refilled(futures, weakref.ref(self), fn, inputs, deadline)


def _check_chunksize(chunksize: int) -> None:
    if chunksize < 1:
        raise ValueError("chunksize must be >= 1.")


def _ordered(futures: list[Future[T]], run: Run | None, deadline: float | None) -> Iterator[T]:
    try:
        # what has been given is not kept
        futures.reverse()
        while futures:
            yield _result(futures.pop(), deadline)
    finally:
        _drop(futures, run)


def _as_they_end(futures: list[Future[T]], run: Run | None, timeout: float | None) -> Iterator[T]:
    try:
        for future in as_completed(futures, timeout):
            yield _result(future, None)
            del future
    finally:
        _drop(futures, run)


def _refilled(
    futures: deque[Future[T]],
    executor: "weakref.ref[Executor]",
    fn: Callable[..., T],
    inputs: Iterator[tuple[Any, ...]],
    deadline: float | None,
) -> Iterator[T]:
    try:
        while futures:
            if (alive := executor()) is not None and (args := next(inputs, None)) is not None:
                futures.append(alive.submit(fn, *args))
            del alive
            yield _result(futures.popleft(), deadline)
    finally:
        _drop(futures, None)


def _result(future: Future[T], deadline: float | None) -> T:
    try:
        try:
            return future.result(None if deadline is None else deadline - time.monotonic())
        finally:
            future.cancel()
    finally:
        # an exception's frames would keep it
        del future


def _drop(futures: Iterable[Future[Any]], run: Run | None) -> None:
    """Ends what nobody will ask for."""
    left = [future for future in futures if not future.done()]
    for future in left:
        future.cancel()
    if left and run is not None:
        run.cancel()
