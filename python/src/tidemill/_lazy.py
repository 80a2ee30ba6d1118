"""What `map` gives for inputs whose number nobody knows: each value is given once."""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from tidemill._feed import Feed
from tidemill._progress import Progress
from tidemill._result import Result, call_soon, done_within
from tidemill._session import Session

T = TypeVar("T")
U = TypeVar("U")


class LazyResult(Result[T]):
    """The values of the calls of inputs that are read as they are needed, on another thread.

    Each value is given once, by whatever number of iterators, and then no longer held. Reading goes on without an
    iterator, too, but is no more than some thousands of inputs ahead; of a result that nobody holds, it goes on to
    their end. An iterator that is closed or dropped, or that raises, ends what is left: nothing more is read, and a
    generator is closed. If reading raises, iterators give the values of what was read before that, and then raise it.
    """

    def __init__(self, session: Session, feed: Feed[T], return_exceptions: bool, progress: str | bool) -> None:
        super().__init__(session, [], [], [], return_exceptions, progress)
        self._feed = feed
        self._is_given = False
        weakref.finalize(self, feed.drop).atexit = False

    def __len__(self) -> int:
        if not self._feed.is_over:
            raise TypeError("the number of inputs is not known yet: they have not been read to their end")
        return self._feed.count

    def __bool__(self) -> bool:
        return not self._feed.is_over or self._feed.count > 0

    def __iter__(self) -> Iterator[T]:
        return self._given(True)

    def unordered(self) -> Iterator[T]:
        return self._given(False)

    def __aiter__(self) -> AsyncIterator[T]:
        return self._given_to_loop(False)

    @property
    def run(self) -> str | None:
        """The name of the first run; waits until it has one."""
        first = self._feed.wait_first_run()
        if first is None:
            return None
        first.began.wait()
        return first.name

    @property
    def runs(self) -> list[str]:
        return self._feed.runs

    @property
    def done(self) -> int:
        return self._feed.done

    @property
    def failed(self) -> int:
        return self._feed.failed

    @property
    def cost_usd(self) -> float:
        return self.progress().cost_usd

    def progress(self) -> Progress:
        return self._feed.progress(time.monotonic() - self._began)

    def log(self, index: int) -> str:
        return self._feed.log(index)

    def cancel(self) -> None:
        self._feed.cancel()

    def retry_failed(self) -> "LazyResult[T]":
        """Makes the calls that have failed again, of the latest 10,000 of them.

        Returns: this result, which is to give the values of these.
        """
        self._feed.retry_failed()
        self._is_given = False
        return self

    def _each(self, change: Callable[[Any], U]) -> list[U]:
        if self._is_given:
            raise RuntimeError("the values of these inputs were given already, each once, and are not held")
        return super()._each(change)

    def _given(self, in_order: bool) -> Iterator[T]:
        feed = self._feed
        self._is_given = True
        with self._cancelling(), self._waiting() as wait:
            while taken := wait(partial(feed.take, in_order)):
                wait(partial(done_within, taken))
                yield self._value(taken.pop())
            if feed.error is not None:
                raise feed.error

    async def _given_to_loop(self, in_order: bool) -> AsyncIterator[T]:
        feed = self._feed
        self._is_given = True
        loop = asyncio.get_running_loop()
        news = asyncio.Event()
        tell = partial(call_soon, loop, news.set)
        with self._cancelling(), feed.telling(tell):
            while True:
                news.clear()
                taken = feed.take(in_order, 0)
                if taken is None:
                    await news.wait()
                    continue
                if not taken:
                    break
                while not taken[0].done():
                    await news.wait()
                    news.clear()
                yield self._value(taken.pop())
            if feed.error is not None:
                raise feed.error

    async def _gathered(self) -> list[T]:
        return [value async for value in self._given_to_loop(True)]

    @contextmanager
    def _cancelling(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.cancel()
            raise
