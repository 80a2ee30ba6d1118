"""What a call gives before its result."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import _base
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill._errors import TaskKilled

if TYPE_CHECKING:
    from tidemill._run import Run

T = TypeVar("T")


class Future(concurrent.futures.Future[T]):
    """A future of `concurrent.futures` that can be awaited, and knows where its call ran."""

    def __init__(self) -> None:
        super().__init__()
        self._run: Run | None = None
        #: of the call in its run, from 0
        self.index = 0
        #: how many times the call was begun
        self.attempts = 0
        #: of the call itself, measured where it ran
        self.seconds = 0.0
        self._log = ""

    @property
    def run(self) -> str | None:
        """The name of the run that the call is part of, once there is one."""
        return None if self._run is None else self._run.name

    def log(self) -> str:
        """What the call printed, on both streams; nothing before it has ended."""
        return self._log

    def kill(self) -> bool:
        """Ends the call even if it is running.

        Returns: whether it was unfinished; its future then has `TaskKilled`, or is cancelled if it was waiting.
        """
        if self.cancel():
            return True
        message = "the call was killed by its caller"
        killed = settle(self, error=TaskKilled(message, "cancelled", self.index))
        if killed and self._run is not None:
            self._run.abandon()
        return killed

    def cancel(self) -> bool:
        """Returns: whether the call will not run; False once it has been sent."""
        if not super().cancel():
            return False
        # nobody else will: it may stand in a queue for long
        with self._condition:
            if self._state == _base.CANCELLED:
                self.set_running_or_notify_cancel()
        return True

    def start(self) -> bool:
        """Returns: False if it has been cancelled."""
        with self._condition:
            if self._state == _base.PENDING:
                return self.set_running_or_notify_cancel()
            return self._state == _base.RUNNING

    def __await__(self) -> Generator[Any, None, T]:
        return asyncio.wrap_future(self).__await__()


def settle(future: Future[Any], value: object = None, error: BaseException | None = None) -> bool:
    """Ends a future, unless it has ended. Returns: whether it had not."""
    if not future.start():
        return False
    try:
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
    except concurrent.futures.InvalidStateError:
        return False
    return True


def as_completed(futures: Iterable[Future[T]], timeout: float | None = None) -> Iterator[Future[T]]:
    """The futures as they end, as `concurrent.futures.as_completed` gives them."""
    as_they_end: Callable[..., Iterator[Any]] = concurrent.futures.as_completed
    return as_they_end(futures, timeout)
