"""A run of calls as its client sees it: every call of it ends."""

import contextlib
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool, _RemoteTraceback
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TextIO, cast

from tidemill._env import Env
from tidemill._errors import CallTimeout, CostExceeded, EnvironmentMismatch, RemoteError, RunFailed, TaskKilled
from tidemill._frame import Head
from tidemill._future import Future, settle
from tidemill._pickle import Function, Pickled, Sharing
from tidemill._shared import Blob
from tidemill._source import with_source
from tidemill._values import decoded

#: characters of a log that an error carries
LOG_TAIL_MAX = 2000


@dataclass(frozen=True)
class Plan:
    """What calls must have in common to be one run."""

    label: str
    #: whether what calls print is printed here, too
    echo: bool
    function: Function
    initializer: Function | None
    #: pairs of name and value
    options: tuple[tuple[str, Any], ...]
    #: exceptions after which this client calls again, and how many times
    retry_on: tuple[type[BaseException], ...] = ()
    retries: int = 0
    env: Env | None = None
    #: the folder of the table that the values go into, in the place of coming back
    into: str | None = None

    @property
    def at_once(self) -> int:
        return int(dict(self.options).get("concurrency", 1))

    @cached_property
    def key(self) -> tuple[Any, ...]:
        initializer = self.initializer.name if self.initializer else ""
        return (
            self.label,
            self.echo,
            self.function.name,
            initializer,
            self.options,
            self.retry_on,
            self.retries,
            id(self.env),
            self.into,
        )


class Call:
    """While it is unfinished, it holds the shared objects that it has."""

    __slots__ = ("arguments", "future", "plan", "retried", "sharing")

    def __init__(self, future: Future[Any], plan: Plan, arguments: Pickled, sharing: Sharing) -> None:
        self.future = future
        self.plan = plan
        self.arguments = arguments
        self.retried = 0
        self.sharing: Sharing | None = None
        if self.shared:
            self.sharing = sharing
            sharing.hold(self.shared)
            future.add_done_callback(self.finish)

    @property
    def shared(self) -> tuple[Blob, ...]:
        return self.arguments.shared + self.plan.function.pickled.shared

    @property
    def input(self) -> str | None:
        """The key of the file of a result that it reads."""
        return self.arguments.input

    def finish(self, _: object = None) -> None:
        """Before its future ends, as who made the call may change its arguments from then on."""
        sharing, self.sharing = self.sharing, None
        if sharing is not None:
            sharing.let_go(self.shared)


class Owner(Protocol):
    """Who is told of what becomes of a run."""

    def cancel(self, run: "Run") -> None: ...

    def call_again(self, calls: list[Call]) -> None: ...

    def on_settled(self, run: "Run", count: int, seconds: float) -> None: ...

    def on_ended(self, run: "Run", left: int) -> None: ...

    def on_initializer_failed(self, message: str) -> None: ...


class Run:
    """Settles the futures of its calls from the agent's events, which come on the agent's thread."""

    def __init__(self, calls: list[Call], owner: Owner) -> None:
        self.request: int | None = None
        self.name: str | None = None
        self.status: str | None = None
        #: why it failed
        self.reason: str | None = None
        #: set once it has a name, or will have none
        self.began = threading.Event()
        self.failed = 0
        self.cost_usd = 0.0
        self.seconds = 0.0
        self.cancelled = False
        #: of a run that another client began: called with the number of calls
        self.on_count: Callable[[int], list[Future[Any]]] | None = None
        #: whether pickles are read, which runs code
        self.unpickle = True
        #: what has returned, where the values go into a table: it is done when the table has them
        self._held: list[Future[Any]] = []
        self._has_values = not any(call.plan.into for call in calls)
        self._calls: list[Call | None] = list(calls)
        self._futures: list[Future[Any] | None] = [call.future for call in calls]
        self.left = len(calls)
        self._owner = owner
        self.function = calls[0].plan.function.name if calls else None
        for index, call in enumerate(calls):
            call.future.index = index
            call.future._run = self

    def on_event(self, head: Head, bodies: list[bytes]) -> None:
        match head["event"]:
            case "started":
                self._start(head)
            case "calls":
                self._take(head, bodies)
            case "ended":
                self.cost_usd = head.get("cost_usd") or 0.0
                self.seconds = head.get("seconds") or 0.0
                self._end(head["status"], head.get("reason"), head.get("cause"))
            case "failed":
                self._end("failed", head["error"], head.get("cause"))

    def abandon(self) -> None:
        """Somebody no longer wants one of the calls; without any other left, the run need not go on."""
        if all(future is None or future.done() for future in self._futures):
            self.cancel()

    def cancel(self) -> None:
        self.cancelled = True
        self._owner.cancel(self)

    def _start(self, head: Head) -> None:
        self.name = head["run"]
        self._has_values = head.get("has_values", True)
        if self.on_count is not None:
            futures = self.on_count(head["count"])
            self._futures = list(futures)
            self._calls = [None] * len(futures)
            self.left = len(futures)
            for index, future in enumerate(futures):
                future.index, future._run = index, self
        self.began.set()

    def _take(self, head: Head, bodies: list[bytes]) -> None:
        first, seconds, again = head["first"], 0.0, []
        for offset, record in enumerate(head["calls"]):
            index = first + offset
            future, call = self._futures[index], self._calls[index]
            if future is None:
                continue
            self._futures[index] = self._calls[index] = None
            self.left -= 1
            seconds += record.get("seconds") or 0.0
            if (repeated := self._settle(future, call, index, record, bodies[offset])) is not None:
                again.append(repeated)
            bodies[offset] = b""
            del future
        self._owner.on_settled(self, len(head["calls"]), seconds)
        if again:
            self._owner.call_again(again)

    def _settle(self, future: Future[Any], call: Call | None, index: int, record: Head, body: bytes) -> Call | None:
        """Returns: the call if it is to be made again."""
        future.attempts += record.get("attempts") or 1
        future.seconds = record.get("seconds") or 0.0
        stdout, stderr = record.get("stdout") or "", record.get("stderr") or ""
        future._log = stdout + stderr
        if call is not None and call.plan.echo:
            _print(stdout, sys.stdout)
            _print(stderr, sys.stderr)
        if record["kind"] == "returned":
            if call is not None:
                call.finish()
            if not self._has_values:
                self._held.append(future)
                return None
            form = record.get("as", "pickle")
            try:
                value = decoded(form, body, self.unpickle)
            except BaseException as unread:
                broken = BrokenProcessPool(f"the result of call {index} cannot be read ({form}): {unread!r}")
                broken.__cause__ = _cause("".join(traceback.format_exception(unread)))
                self.failed += 1
                settle(future, error=broken)
            else:
                settle(future, value)
            return None
        error = self._error(index, record, body, future)
        if call is not None and call.retried < call.plan.retries and isinstance(error, call.plan.retry_on):
            call.retried += 1
            return call
        if call is not None:
            call.finish()
        self.failed += 1
        if record["kind"] == "killed" and record["reason"] == "initializer":
            self._owner.on_initializer_failed(record["message"])
        settle(future, error=error)
        return None

    def _error(self, index: int, record: Head, body: bytes, future: Future[Any]) -> BaseException:
        if record["kind"] == "killed":
            return killed(record, index, future)
        text = with_source(record["traceback"])
        error = _unpickled(body) if body and self.unpickle else None
        if error is None:
            error = RemoteError(record["type"], record["message"], text)
        if record.get("unread"):
            # the call never began: its process could not read what it was given
            message = f"the function or the arguments of call {index} cannot be unpickled: {error!r}"
            error = BrokenProcessPool(message)
        error.__cause__ = _cause(text)
        if sys.version_info >= (3, 11):
            error.add_note(f"call {index} of run {self.name}")
        return error

    def _end(self, status: str, reason: str | None, cause: str | None) -> None:
        self.status, self.reason = status, reason
        self.began.set()
        for index, future in enumerate(self._futures):
            if future is None:
                continue
            if (call := self._calls[index]) is not None:
                call.finish()
            self._futures[index] = self._calls[index] = None
            if self.cancelled and not future.running() and future.cancel():
                continue
            self.failed += 1
            settle(future, error=self._unfinished(index, status, reason, cause))
        for future in self._held:
            if status == "succeeded":
                settle(future, None)
                continue
            self.failed += 1
            settle(future, error=self._unfinished(future.index, status, reason, cause))
        self._held = []
        left, self.left = self.left, 0
        self._owner.on_ended(self, left)

    def _unfinished(self, index: int, status: str, reason: str | None, cause: str | None) -> BaseException:
        if status == "cancelled":
            return TaskKilled(reason or f"run {self.name} was cancelled before call {index} ended", "cancelled", index)
        return failure(reason or f"run {self.name} ended without the result of call {index}", cause)


def _print(text: str, stream: TextIO | None) -> None:
    """All of a call at once, so that calls do not mix."""
    if text and stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()


def failure(reason: str, cause: str | None) -> RunFailed:
    kinds = {"cost": CostExceeded, "environment": EnvironmentMismatch}
    return kinds.get(cause or "", RunFailed)(reason)


def killed(record: Head, index: int, future: Future[Any]) -> BaseException:
    kind = CallTimeout if record["reason"] == "timeout" else TaskKilled
    tail = future.log()[-LOG_TAIL_MAX:]
    return kind(record["message"], record["reason"], index, future.attempts, tail)


def _cause(text: str) -> BaseException:
    """As the standard executor of processes has it: from elsewhere, a traceback is a text."""
    return cast(Callable[[str], BaseException], _RemoteTraceback)(f'\n"""\n{text}"""')


def _unpickled(body: bytes) -> BaseException | None:
    try:
        error = pickle.loads(body)
    except BaseException:
        return None
    return error if isinstance(error, BaseException) else None
