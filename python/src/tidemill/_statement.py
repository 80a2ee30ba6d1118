"""A run of a statement as its client sees it."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future as Promise
from dataclasses import dataclass
from typing import Any

from tidemill._errors import RunFailed
from tidemill._frame import Head
from tidemill._run import Owner, Run, failure
from tidemill._source import with_source


@dataclass(frozen=True)
class Statement:
    text: str
    #: as they are sent
    params: Mapping[str, Any]
    #: of the run
    name: str
    options: Mapping[str, Any]

    def head(self, do: str, functions: Mapping[str, Head], frames: Mapping[str, str]) -> Head:
        return {
            "do": do,
            "statement": self.text,
            "params": dict(self.params),
            "functions": dict(functions),
            "frames": dict(frames),
            "name": self.name,
            "options": dict(self.options),
        }


class StatementRun(Run):
    """A request for a statement: to run it, or to explain it."""

    def __init__(self, owner: Owner) -> None:
        super().__init__([], owner)
        #: the last event
        self.outcome: Promise[Head] = Promise()

    def on_event(self, head: Head, bodies: list[bytes]) -> None:
        if head["event"] == "started":
            self.name = head["run"]
            self.began.set()
        elif head["event"] in ("ended", "explained", "failed"):
            self._settle_all(head)

    def answer(self) -> Head:
        """What it came to; only once it has.

        Raises:
            RunFailed: it has failed, or was cancelled.
        """
        head = self.outcome.result()
        if self.status == "succeeded":
            return head
        # it may have the traceback of a function
        raise failure(with_source(self.reason or f"run {self.name} {self.status}"), head.get("cause"))

    def _settle_all(self, head: Head) -> None:
        if self.outcome.done():
            return
        self.name = head.get("run") or self.name
        self.cost_usd = head.get("cost_usd") or 0.0
        self.seconds = head.get("seconds") or 0.0
        self.reason = head.get("reason") or head.get("error")
        if head["event"] == "explained":
            self.status = "succeeded"
        else:
            self.status = head.get("status") or "failed"
        if self.status == "cancelled":
            self.reason = self.reason or f"run {self.name} was cancelled"
        self.began.set()
        self.outcome.set_result(head)
        self._owner.on_ended(self, 0)


def asked(ask: Callable[..., None], head: Head) -> "Promise[list[bytes]]":
    """The bodies of the answer to a request that belongs to no run."""
    promise: Promise[list[bytes]] = Promise()
    waiting = [promise]

    def on_event(answer: Head, bodies: list[bytes]) -> None:
        # nothing is held of what was answered
        while waiting:
            if answer["event"] == "failed":
                waiting.pop().set_exception(RunFailed(answer["error"]))
            else:
                waiting.pop().set_result(bodies)

    ask(head, on_event)
    return promise
