"""What `map` gives: the values of a run, as they come."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError
from concurrent.futures import wait as wait_for
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from tidemill._errors import RunFailed
from tidemill._feed import has_failed
from tidemill._future import Future
from tidemill._libraries import import_polars
from tidemill._progress import WAIT_SECONDS_MAX, Nothing, Progress, Throttle, display_of
from tidemill._run import Call, Run
from tidemill._session import Session
from tidemill._values import one_table, to_arrow, to_json

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


class Wait(Protocol):
    def __call__(self, look: Callable[[float | None], V | None]) -> V:
        """Until a look that may take so many seconds finds something."""


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
                wait(partial(done_within, [future]))
                yield self._value(future)

    def unordered(self) -> Iterator[T]:
        """In the order in which the calls end."""
        with self._waiting() as wait:
            left = set(self._futures)
            while left:
                ended = {future for future in left if future.done()} or wait(partial(done_within, list(left)))
                left -= ended
                for future in ended:
                    yield self._value(future)

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._gathered().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        """In the order in which the calls end."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Queue[Future[T]] = asyncio.Queue()
        put: Callable[[Any], None] = ended.put_nowait
        for future in self._futures:
            future.add_done_callback(lambda each: call_soon(loop, partial(put, each)))
        for _ in range(len(self._futures)):
            yield self._value(await ended.get())

    def to_arrow(self) -> Any:
        """The rows of all calls, in the order of the inputs: they return data frames or Arrow tables.

        Returns: a `pyarrow.Table`.

        Raises:
            TypeError: a call has returned something else.
        """
        return one_table(self._each(to_arrow))

    def to_pandas(self) -> Any:
        """The same as a `pandas.DataFrame`."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """The same as a `polars.DataFrame`."""
        return import_polars().from_arrow(self.to_arrow())

    def to_json(self) -> str:
        """The values as a JSON array, in the order of the inputs.

        Raises:
            TypeError: a call has returned what JSON cannot have.
        """
        return f"[{', '.join(self._each(to_json))}]"

    def _each(self, change: Callable[[Any], U]) -> list[U]:
        changed: list[U] = []
        for value in self:
            if isinstance(value, BaseException) and self._return_exceptions:
                raise value
            try:
                changed.append(change(value))
            except TypeError as error:
                raise TypeError(f"call {len(changed)} {error}") from None
        return changed

    @property
    def run(self) -> str | None:
        """The name of the run; waits until it has one."""
        if not self._runs:
            return None
        self._runs[0].began.wait()
        return self._runs[0].name

    @property
    def runs(self) -> list[str]:
        """The names of all runs that have one: inputs that are read as they are needed have many."""
        return [run.name for run in self._runs if run.name]

    @property
    def done(self) -> int:
        """How many calls have ended."""
        return len(self._futures) - sum(run.left for run in self._runs)

    @property
    def failed(self) -> int:
        """How many calls have ended with an error."""
        return sum(map(has_failed, self._futures))

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
        if any(call.plan.into for call in self._calls.values()):
            # they become a table together or not at all
            wait_for(self._futures)
        again: list[Call] = []
        for index, future in enumerate(self._futures):
            call = self._calls.get(id(future))
            if call is None or not has_failed(future):
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

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[Wait]:
        """Gives what waits, and shows how far the run is."""
        display = Nothing() if self._progress is False else display_of(self._progress)
        throttle = Throttle(display.seconds)
        slice_seconds = min(display.seconds, WAIT_SECONDS_MAX)

        def wait(look: Callable[[float | None], V | None]) -> V:
            while True:
                found = look(slice_seconds)
                if throttle.is_due():
                    display.show(self.progress())
                if found is not None:
                    return found

        if not (self._session.is_of_this_process or all(future.done() for future in self._futures)):
            raise RunFailed("this result belongs to the process that this one was forked from: it ends there")
        try:
            yield wait
        except KeyboardInterrupt:
            self._interrupted()
            raise
        finally:
            display.end(self.progress())

    def _interrupted(self) -> None:
        progress = self.progress()
        self.cancel()
        print(f"tidemill: run {progress.run or ''} is cancelled; {progress.counted} were done", file=sys.stderr)


def done_within(futures: list[Future[T]], seconds: float | None) -> set[Future[T]] | None:
    """Returns: those that have ended, or nothing if none has in so many seconds."""
    if futures[0].done():
        return {futures[0]}
    ended: set[Any] = wait_for(futures, seconds, FIRST_COMPLETED).done
    return ended or None


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Unless nobody waits any more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function)
