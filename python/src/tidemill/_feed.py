"""Inputs that are read as they are needed: a bounded number ahead of what has ended and what was taken.

One thread reads and pickles, as it may have to wait for an input; another begins runs of what was read.
"""

import contextvars
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

from tidemill._begun import Begun
from tidemill._errors import CostExceeded, RunFailed
from tidemill._future import Future, settle
from tidemill._logs import Logs
from tidemill._pace import Pace
from tidemill._pickle import pickle_arguments
from tidemill._progress import Progress
from tidemill._run import Call, Plan, Run
from tidemill._session import Session

T = TypeVar("T")

#: failed calls that can be made again
FAILED_MAX = 10_000
END_SECONDS_MAX = 5.0


class Feed(Generic[T]):
    """Each future is taken once, and then no longer held."""

    def __init__(
        self, session: Session, plan: Plan, items: Iterator[Any], arguments_of: Callable[[Any], tuple[Any, ...]]
    ) -> None:
        self._session = session
        self._plan = plan
        self._arguments_of = arguments_of
        self._pace = Pace(session, plan.at_once)
        self._begun = Begun()
        #: inputs that were read
        self.count = 0
        #: calls that have ended
        self.done = 0
        #: of these, with an error
        self.failed = 0
        #: what ended the reading, if it was not the last input
        self.error: BaseException | None = None
        #: whether no more is read
        self.is_over = False
        self._is_cancelled = False
        self._is_dropped = False
        self._is_stalled = False
        self._is_sending = False
        self._untaken: OrderedDict[int, Future[T]] = OrderedDict()
        #: those of them that have ended, as they have
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._unfinished: dict[int, Call] = {}
        self._failed: OrderedDict[int, Call] = OrderedDict()
        self._logs = Logs()
        self._piece: list[Call] = []
        self._piece_since = 0.0
        self._listeners: set[Callable[[], None]] = set()
        self._make_locks()
        _feeds.add(self)
        with self._lock:
            self._want_sender()
        # what inputs are may depend on the context
        read = partial(contextvars.copy_context().run, self._read_all, items)
        threading.Thread(target=read, name="tidemill-inputs", daemon=True).start()

    def take(self, in_order: bool, seconds: float | None) -> list[Future[T]] | None:
        """One future: the next, or one that has ended.

        Returns: an empty list where no more will come, and nothing where none has in so many seconds.
        """
        with self._lock:
            choice: OrderedDict[int, Any] = self._untaken if in_order else self._ended
            if not self._news.wait_for(lambda: choice or (self.is_over and not self._untaken), seconds):
                return None
            if not choice:
                return []
            index = next(iter(choice))
            self._ended.pop(index, None)
            future = self._untaken.pop(index)
            self._resume()
            return [future]

    def progress(self, seconds: float) -> Progress:
        with self._lock:
            begun = self._begun
            name = begun.first.name if begun.first else None
            total = self.count if self.is_over else None
            status = begun.status if self.is_over and not self._unfinished else None
            return Progress(name, total, self.done, self.failed, status, begun.cost_usd, seconds)

    @property
    def runs(self) -> list[str]:
        with self._lock:
            return self._begun.names

    def wait_first_run(self) -> Run | None:
        """Returns: nothing if there are no calls to run."""
        with self._lock:
            self._news.wait_for(lambda: self._begun.first or (self.is_over and not self._is_sending))
            return self._begun.first

    def log(self, index: int) -> str:
        with self._lock:
            if not 0 <= index < self.count:
                raise IndexError(f"input {index} has not been read: {self.count} were")
            if index in self._unfinished:
                return ""
            if (text := self._logs.find(index)) is not None:
                return text
        raise LookupError(f"what call {index} printed is no longer here: that of the latest calls is")

    def cancel(self) -> None:
        """Reads no more, and ends the calls that are not done."""
        with self._lock:
            self.is_over = True
            if self._unfinished:
                self._is_cancelled = True
                self._want_sender()
            self._tell_all()

    def finish(self, error: BaseException | None) -> None:
        """Reads no more; what was read goes on."""
        with self._lock:
            if not self.is_over:
                self.is_over, self.error = True, error
            self._tell_all()

    def drop(self) -> None:
        """Nobody will take a future: the calls go on, as those of any run."""
        with self._lock:
            self._is_dropped = True
            self._untaken.clear()
            self._ended.clear()
            self._failed.clear()
            self._logs.clear()
            self._resume()

    def retry_failed(self) -> None:
        """Makes calls that have failed again; their futures are to be taken once more."""
        with self._lock:
            failed, self._failed = self._failed, OrderedDict()
            for index, call in failed.items():
                self.done -= 1
                self.failed -= 1
                self._ended.pop(index, None)
                again = Call(Future(), self._plan, call.arguments, self._session.sharing)
                self._insert(index, again.future, again)
            for index in sorted(self._untaken):
                self._untaken.move_to_end(index)
            if failed:
                self._want_sender()

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Calls the listener, on any thread, whenever `take` may have something to give."""
        with self._lock:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def forget(self) -> None:
        """In a forked child: threads and futures are the parent's."""
        self._make_locks()
        self._begun = Begun()
        self.is_over, self._is_sending = True, False
        self.error = RunFailed("this result belongs to the process that this one was forked from")
        self._untaken.clear()
        self._ended.clear()
        self._unfinished.clear()
        self._piece.clear()

    def end(self) -> None:
        """At the end of the interpreter: what was read is begun."""
        self.finish(RuntimeError("the interpreter ends: no more inputs are read"))
        if (sender := self._sender) is not None:
            sender.join(END_SECONDS_MAX)

    def _make_locks(self) -> None:
        # futures and finalizers call back, also while it is held
        self._lock = threading.RLock()
        #: of the thread that reads
        self._room = threading.Condition(self._lock)
        #: of the one that begins runs
        self._work = threading.Condition(self._lock)
        #: of those who take
        self._news = threading.Condition(self._lock)

    def _tell(self) -> None:
        self._news.notify_all()
        for listener in self._listeners:
            listener()

    def _tell_all(self) -> None:
        self._room.notify_all()
        self._work.notify_all()
        self._tell()

    # what the thread does that reads

    def _read_all(self, items: Iterator[Any]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not self._add(self._arguments_of(item)):
                    break
                del item
        except BaseException as raised:
            error = raised
        self.finish(error)
        if isinstance(items, Generator):
            items.close()

    def _add(self, arguments: tuple[Any, ...]) -> bool:
        """Waits until there is room for another, then. Returns: whether there is."""
        future: Future[T] = Future()
        call = None
        try:
            call = Call(
                future, self._plan, pickle_arguments(self._session.sharing, arguments, {}), self._session.sharing
            )
        except Exception as error:
            settle(future, error=error)
        del arguments
        with self._lock:
            if self.is_over:
                future.cancel()
                return False
            self.count += 1
            self._insert(self.count - 1, future, call)
            del future, call
            self._is_stalled = not self._has_room(0)
            if self._is_stalled:
                self._room.wait_for(lambda: self.is_over or self._has_room(self._pace.piece_max))
                self._is_stalled = False
                self._work.notify()
            return not self.is_over

    def _insert(self, index: int, future: Future[T], call: Call | None) -> None:
        if not self._is_dropped:
            self._untaken[index] = future
        if call is not None:
            self._unfinished[index] = call
            self._piece.append(call)
            if len(self._piece) == 1:
                self._piece_since = time.monotonic()
            if len(self._piece) == 1 or len(self._piece) >= self._pace.piece_max:
                self._work.notify()
        future.add_done_callback(partial(self._on_ended, index))
        self._tell()

    def _has_room(self, spare: int) -> bool:
        has_room = len(self._unfinished) + spare < self._pace.unfinished_max
        return has_room and len(self._untaken) + spare < self._pace.untaken_max

    def _resume(self) -> None:
        if self._is_stalled and self._has_room(self._pace.piece_max):
            self._room.notify()
        elif self._is_stalled and not self._is_busy:
            self._work.notify()

    @property
    def _is_busy(self) -> bool:
        """Whether calls that were begun have not ended."""
        return len(self._unfinished) > len(self._piece)

    # what the thread does that begins runs

    def _want_sender(self) -> None:
        self._work.notify()
        # at the end of the interpreter a thread would not begin
        if not self._is_sending and not sys.is_finalizing():
            self._is_sending = True
            self._sender = threading.Thread(target=self._send_all, name="tidemill-pieces", daemon=True)
            self._sender.start()

    def _send_all(self) -> None:
        while (step := self._next()) is not None:
            step()

    def _next(self) -> Callable[[], None] | None:
        """Waits for something to do. Returns: nothing where no more will come."""
        with self._lock:
            while True:
                if self._is_cancelled:
                    self._is_cancelled = False
                    self._piece = []
                    return partial(self._end_all, list(self._unfinished.values()), self._begun.under_way)
                wait = self._piece_seconds() if self._piece else None
                if wait is not None and wait <= 0:
                    size = self._pace.piece_max
                    piece, self._piece = self._piece[:size], self._piece[size:]
                    self._piece_since = time.monotonic()
                    return partial(self._begin, piece)
                if self.is_over and not self._piece:
                    self._is_sending = False
                    self._tell()
                    return None
                self._work.wait(wait)

    def _piece_seconds(self) -> float:
        """Until what was read is to be begun."""
        if self.is_over or len(self._piece) >= self._pace.piece_max:
            return 0.0
        if self._is_stalled and self._is_busy:
            # more will be read before these are all there is to do
            return threading.TIMEOUT_MAX
        gather = self._pace.gather_seconds(len(self._begun.under_way))
        return self._piece_since + gather - time.monotonic()

    def _begin(self, calls: list[Call]) -> None:
        try:
            self._refuse_if_costly()
            run = self._session.submit_run(calls)
        except Exception as error:
            self.finish(error)
            for call in calls:
                settle(call.future, error=error)
            return
        with self._lock:
            self._begun.add(run)
            self._tell()

    def _refuse_if_costly(self) -> None:
        """Each run is held to what all of them may cost; together they are held to it here."""
        most = dict(self._plan.options).get("max_cost_usd")
        cost = self._begun.cost_usd
        if most is not None and cost >= most:
            raise CostExceeded(f"the runs of this result have cost {cost:.6f} USD, and max_cost_usd is {most}")

    def _end_all(self, calls: list[Call], runs: list[Run]) -> None:
        for call in calls:
            call.future.kill()
        for run in runs:
            run.cancel()

    # what the agent's thread does

    def _on_ended(self, index: int, future: Any) -> None:
        with self._lock:
            call = self._unfinished.pop(index, None)
            self.done += 1
            if index in self._untaken:
                self._ended[index] = None
            if not self._is_dropped:
                self._logs.keep(index, future.log())
            if has_failed(future):
                self.failed += 1
                if call is not None and not self._is_dropped:
                    self._failed[index] = call
                    if len(self._failed) > FAILED_MAX:
                        self._failed.popitem(last=False)
            self._pace.count()
            self._resume()
            self._tell()


def has_failed(future: Future[Any]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


_feeds: weakref.WeakSet[Feed[Any]] = weakref.WeakSet()


def _forget_all() -> None:
    for feed in list(_feeds):
        feed.forget()


def _end_all() -> None:
    for feed in list(_feeds):
        feed.end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
# before the sessions are closed, which were registered before
threading._register_atexit(_end_all)  # type: ignore[attr-defined]
