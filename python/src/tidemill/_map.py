"""Runs of calls without an executor of one's own: the process has one for each bucket, until it ends."""

import os
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Literal, TypeVar, overload

from tidemill._errors import RunFailed
from tidemill._executor import Executor
from tidemill._feed import Feed
from tidemill._future import Future
from tidemill._lazy import LazyResult
from tidemill._result import Result

T = TypeVar("T")
Key = tuple[str | None, int | None]


@overload
def map(
    fn: Callable[..., Coroutine[Any, Any, T]],
    items: Iterable[Any],
    *,
    chunksize: int | str = "auto",
    return_exceptions: Literal[False] = False,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T]: ...
@overload
def map(
    fn: Callable[..., T],
    items: Iterable[Any],
    *,
    chunksize: int | str = "auto",
    return_exceptions: Literal[False] = False,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T]: ...
@overload
def map(
    fn: Callable[..., Coroutine[Any, Any, T]],
    items: Iterable[Any],
    *,
    chunksize: int | str = "auto",
    return_exceptions: bool,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T | BaseException]: ...
@overload
def map(
    fn: Callable[..., T],
    items: Iterable[Any],
    *,
    chunksize: int | str = "auto",
    return_exceptions: bool,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T | BaseException]: ...
def map(
    fn: Callable[..., Any],
    items: Iterable[Any],
    *,
    chunksize: int | str = "auto",
    return_exceptions: bool = False,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[Any]:
    """Calls `fn` with each item.

    Items that have a length are read at once, and are one run. Those of a generator, a file or another iterator are
    read as they are needed, and may have no end: they are many runs, each value is given once, and an iterator
    that is left ends the reading and the calls.

    Args:
        chunksize: of no consequence here, as messages carry many calls; each call has its own result.
        return_exceptions: gives exceptions in the place of values.
        options: those of `Executor`; without `echo`, what calls print is in the result's log only.
    """
    return _begin(fn, items, _alone, chunksize, return_exceptions, (bucket, max_workers), options)


@overload
def starmap(
    fn: Callable[..., Coroutine[Any, Any, T]],
    items: Iterable[Iterable[Any]],
    *,
    chunksize: int | str = "auto",
    return_exceptions: Literal[False] = False,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T]: ...
@overload
def starmap(
    fn: Callable[..., T],
    items: Iterable[Iterable[Any]],
    *,
    chunksize: int | str = "auto",
    return_exceptions: Literal[False] = False,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T]: ...
@overload
def starmap(
    fn: Callable[..., Coroutine[Any, Any, T]],
    items: Iterable[Iterable[Any]],
    *,
    chunksize: int | str = "auto",
    return_exceptions: bool,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T | BaseException]: ...
@overload
def starmap(
    fn: Callable[..., T],
    items: Iterable[Iterable[Any]],
    *,
    chunksize: int | str = "auto",
    return_exceptions: bool,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[T | BaseException]: ...
def starmap(
    fn: Callable[..., Any],
    items: Iterable[Iterable[Any]],
    *,
    chunksize: int | str = "auto",
    return_exceptions: bool = False,
    bucket: str | None = None,
    max_workers: int | None = None,
    **options: Any,
) -> Result[Any]:
    """As `map`, with the arguments of each call in one item."""
    return _begin(fn, items, tuple, chunksize, return_exceptions, (bucket, max_workers), options)


def attach(
    run: str, bucket: str | None = None, *, return_exceptions: bool = False, unpickle: bool = True
) -> Result[Any]:
    """The result of a run that another process may have begun; waits until the run is found.

    Args:
        unpickle: whether values are read that are pickles, which runs code of whoever wrote them; without, only data
            frames, Arrow tables and what JSON has are.
    """
    session = executor_of((bucket, None))._session
    futures: list[Future[Any]] = []

    def on_count(count: int) -> list[Future[Any]]:
        futures.extend(Future() for _ in range(count))
        return futures

    attached = session.attach(run, on_count, unpickle)
    attached.began.wait()
    if attached.name is None:
        raise RunFailed(attached.reason or f"run {run} is not there")
    return Result(session, futures, [], [attached], return_exceptions, "auto")


def _begin(
    fn: Callable[..., T],
    items: Iterable[Any],
    arguments_of: Callable[[Any], tuple[Any, ...]],
    chunksize: int | str,
    return_exceptions: bool,
    key: Key,
    options: dict[str, Any],
) -> Result[T]:
    if chunksize != "auto" and (not isinstance(chunksize, int) or chunksize < 1):
        raise ValueError('chunksize must be "auto" or >= 1')
    executor = executor_of(key).with_options(**{"echo": False, **options})
    session, progress = executor._session, executor._options.progress
    into = executor._options.into
    if into is None and not _is_sized(items):
        feed: Feed[T] = Feed(session, executor._plan(fn), iter(items), arguments_of)
        return LazyResult(session, feed, return_exceptions, progress)
    futures, calls = executor._calls(fn, (arguments_of(item) for item in items))
    if into is not None and len(calls) < len(futures):
        # part of the rows would be there
        raise next(error for future in futures if future.done() and (error := future.exception()))
    runs = [session.submit_run(calls)] if calls else []
    return Result(session, futures, calls, runs, return_exceptions, progress)


def _alone(item: Any) -> tuple[Any, ...]:
    return (item,)


def _is_sized(items: Iterable[Any]) -> bool:
    try:
        len(items)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


_executors: dict[Key, Executor] = {}
_lock = threading.Lock()


def executor_of(key: Key) -> Executor:
    """The process's own executor for a bucket and a number of workers."""
    named = key[0] or os.environ.get("TIDEMILL_BUCKET") or None
    key = (named, key[1])
    with _lock:
        known = _executors.get(key)
        if known is None or known._broken is not None or known._is_shut:
            known = _executors[key] = Executor(named, max_workers=key[1])
        return known


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()
    _executors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
