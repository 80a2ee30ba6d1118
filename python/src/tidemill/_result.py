"""What `map` gives: the values of a run, as they come."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from tidemill._future import Future
from tidemill._progress import Nothing, Progress, Throttle, display_of
from tidemill._run import Call, Run
from tidemill._session import Session

T = TypeVar("T")


class Result(Generic[T]):
    """The values of the calls of a run, in the order of their inputs; iterating waits for what is not there yet.

    Ctrl-C while it waits cancels the run.
    """

    def __init__(
        self,
        session: Session,
        futures: list[Future[T]],
        calls: list[Call],
        runs: list[Run],
        return_exceptions: bool,
        progress: str | bool,
    ) -> None:
        self._session = session
        self._futures = futures
        self._calls = {id(call.future): call for call in calls}
        self._runs = runs
        #: calls that could not be made at all
        self._unmade = len(futures) - len(calls) if calls or not runs else 0
        self._return_exceptions = return_exceptions
        self._progress = progress
        self._began = time.monotonic()

    def __len__(self) -> int:
        return len(self._futures)

    def __iter__(self) -> Iterator[T]:
        """In the order of the inputs."""
        with self._waiting() as wait:
            for future in self._futures:
                wait([future])
                yield self._value(future)

    def unordered(self) -> Iterator[T]:
        """In the order in which the calls end."""
        with self._waiting() as wait:
            left = set(self._futures)
            while left:
                ended = {future for future in left if future.done()} or wait(list(left))
                left -= ended
                for future in ended:
                    yield self._value(future)

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._gathered().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        """In the order in which the calls end."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Queue[Future[T]] = asyncio.Queue()
        for future in self._futures:
            future.add_done_callback(lambda each: _call_soon(loop, ended, each))
        for _ in range(len(self._futures)):
            yield self._value(await ended.get())

    @property
    def run(self) -> str | None:
        """The name of the run; waits until it has one."""
        if not self._runs:
            return None
        self._runs[0].began.wait()
        return self._runs[0].name

    @property
    def done(self) -> int:
        """How many calls have ended."""
        return len(self._futures) - sum(run.left for run in self._runs)

    @property
    def failed(self) -> int:
        """How many calls have ended with an error."""
        return sum(map(_has_failed, self._futures))

    @property
    def cost_usd(self) -> float:
        """Of the runs that have ended."""
        return sum(run.cost_usd for run in self._runs)

    def progress(self) -> Progress:
        status = self._runs[-1].status if self._runs else "succeeded"
        name = self._runs[0].name if self._runs else None
        seconds = time.monotonic() - self._began
        return Progress(name, len(self), self.done, self._failed_so_far(), status, self.cost_usd, seconds)

    def log(self, index: int) -> str:
        """What the call of an input printed; nothing before it has ended."""
        return self._futures[index].log()

    def cancel(self) -> None:
        """Ends the calls that are not done."""
        for run in self._runs:
            if run.status is None:
                run.cancel()

    def retry_failed(self) -> "Result[T]":
        """Makes the calls that have failed again, as another run.

        Returns: this result, whose failed values are to come once more.
        """
        if not self._calls and self._futures:
            raise RuntimeError("the arguments of this run are not here: it was attached to, not begun")
        again: list[Call] = []
        for index, future in enumerate(self._futures):
            call = self._calls.get(id(future))
            if call is None or not _has_failed(future):
                continue
            del self._calls[id(future)]
            repeated = Call(Future(), call.plan, call.arguments, self._session.sharing)
            self._futures[index] = repeated.future
            self._calls[id(repeated.future)] = repeated
            again.append(repeated)
        if again:
            self._runs.append(self._session.submit_run(again))
        return self

    def _repr_html_(self) -> str:
        return self.progress().html()

    def __repr__(self) -> str:
        return f"<Result {self.progress().line}>"

    async def _gathered(self) -> list[T]:
        values = await asyncio.gather(*map(asyncio.wrap_future, self._futures), return_exceptions=True)
        if not self._return_exceptions:
            for value in values:
                if isinstance(value, BaseException):
                    raise value
        return values  # type: ignore[return-value]

    def _failed_so_far(self) -> int:
        """Counted as they come, and so including calls that were made again since."""
        return self._unmade + sum(run.failed for run in self._runs) if len(self._runs) < 2 else self.failed

    def _value(self, future: Future[T]) -> T:
        if not self._return_exceptions:
            return future.result()
        error = CancelledError() if future.cancelled() else future.exception()
        return future.result() if error is None else error  # type: ignore[return-value]

    @contextmanager
    def _waiting(self) -> Iterator[Any]:
        """Gives what waits for one of some futures, and shows how far the run is."""
        display = Nothing() if self._progress is False else display_of(self._progress)
        throttle = Throttle(display.seconds)
        slice_seconds = None if isinstance(display, Nothing) else display.seconds

        def wait(futures: list[Future[T]]) -> set[Future[T]]:
            while True:
                ended = futures[0].done() and {futures[0]}
                ended = ended or wait_for(futures, slice_seconds, FIRST_COMPLETED).done  # type: ignore[assignment]
                if throttle.is_due():
                    display.show(self.progress())
                if ended:
                    return ended

        try:
            yield wait
        except KeyboardInterrupt:
            self._interrupted()
            raise
        finally:
            display.end(self.progress())

    def _interrupted(self) -> None:
        done, total = self.done, len(self)
        self.cancel()
        name = next((run.name for run in self._runs if run.name), "")
        print(f"tidemill: run {name} is cancelled; {done} of {total} calls were done", file=sys.stderr)


def _has_failed(future: Future[Any]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


def _call_soon(loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[Future[T]]", future: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(queue.put_nowait, future)
