"""One agent and the calls that go to it.

Calls wait here until there is room: at most a window of them is with the agent, so that those behind it can
be cancelled. Those that wait are gathered for some milliseconds and go as one run for each plan.
"""

import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor
from typing import Any

from tidemill._agent import Agent, OnEvent
from tidemill._archive import Archive, archive, local_modules, own_package
from tidemill._env import Env
from tidemill._errors import RunFailed
from tidemill._frame import Body, Head
from tidemill._frames import Frame
from tidemill._future import Future, settle
from tidemill._pickle import Sharing
from tidemill._run import Call, Run, failure
from tidemill._shared import Blob

log = logging.getLogger("concurrent.futures")

GATHER_SECONDS_MIN = 0.001
GATHER_SECONDS_MAX = 0.05
#: calls sent beyond the number of workers before it is known how long calls are
EXTRA_FIRST = 16
EXTRA_MAX = 8192
#: of which it is known how long they take
FUNCTIONS_MAX = 256
#: the window is as large as keeps the workers busy for so long
AHEAD_SECONDS = 0.5


class Session:
    def __init__(self, bucket: str | None, max_workers: int | None) -> None:
        self.bucket = bucket
        self.sharing = Sharing()
        self.concurrency = max_workers or 1
        #: the most calls that one process has at once, of all that were asked for
        self._at_once = 1
        #: whether the calls run on this machine, with this interpreter
        self.is_local = bucket is None
        #: why no call can be made any more
        self.broken: BrokenExecutor | None = None
        self._changed = threading.Condition(threading.Lock())
        self._opened = threading.Event()
        self._waiting: deque[Call] = deque()
        self._whole: deque[tuple[Run, list[Call]]] = deque()
        self._cancels: deque[Run] = deque()
        self._attached: deque[tuple[Run, str]] = deque()
        self._statements: deque[tuple[Run, Head, Mapping[str, Blob | Archive | Frame]]] = deque()
        self._runs: set[Run] = set()
        #: runs whose calls count against the window
        self._windowed: set[Run] = set()
        self._sent = 0
        self._extra = EXTRA_FIRST
        self._mean_seconds: float | None = None
        #: of the calls of a function, by its name
        self._seconds: dict[str, float] = {}
        #: why no function can be called there
        self._unfit: str | None = None
        self._uploaded: set[str] = set()
        self._gather = GATHER_SECONDS_MIN
        self._closing = False
        self._process = os.getpid()
        self._agent = Agent()
        self._agent.request(_opening(bucket, max_workers), [], self._on_opened)
        self.sender = threading.Thread(target=self._send_all, name="tidemill-calls", daemon=True)
        self.sender.start()
        _sessions.add(self)

    def submit(self, call: Call) -> None:
        """Lets a call go when there is room."""
        with self._changed:
            self._refuse_if_over()
            self._waiting.append(call)
            self._at_once = max(self._at_once, call.plan.at_once)
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def submit_run(self, calls: list[Call]) -> Run:
        """Lets the calls go at once, as one run."""
        run = self._run(calls)
        with self._changed:
            self._refuse_if_over()
            self._runs.add(run)
            self._whole.append((run, calls))
            self._changed.notify_all()
        return run

    def attach(self, name: str, on_count: Callable[[int], list[Future[Any]]], unpickle: bool = True) -> Run:
        run = self._run([])
        run.on_count = on_count
        run.unpickle = unpickle
        with self._changed:
            self._refuse_if_over()
            self._runs.add(run)
            self._attached.append((run, name))
            self._changed.notify_all()
        return run

    def submit_statement(self, run: Run, head: Head, objects: Mapping[str, Blob | Archive | Frame]) -> None:
        """Lets a statement go, behind the tables of this process that it reads, and the functions that it calls."""
        with self._changed:
            self._refuse_if_over()
            self._runs.add(run)
            self._statements.append((run, head, objects))
            self._changed.notify_all()

    def ask(self, head: Head, on_event: OnEvent) -> None:
        """Passes a request on that belongs to no run."""
        if self.is_of_this_process:
            self._agent.request(head, [], on_event)
        else:
            on_event({"event": "failed", "error": str(self.broken)}, [])

    def wait_opened(self) -> None:
        """Until it is known how many calls run at once."""
        self._opened.wait()
        if self.broken is not None:
            raise self.broken

    def cancel(self, run: Run) -> None:
        with self._changed:
            if run in self._runs:
                self._cancels.append(run)
                self._changed.notify_all()

    def cancel_waiting(self) -> None:
        """Cancels what has not been sent, and the runs that were sent whole."""
        with self._changed:
            # those that only wait to be gathered go: there is a worker for them
            free = max(self.concurrency - self._sent, 0)
            waiting = list(self._waiting)[free:]
            self._waiting = deque(list(self._waiting)[:free])
            whole = [run for run in self._runs if run not in self._windowed]
        for call in waiting:
            call.future.cancel()
        for run in whole:
            run.cancel()

    def cancel_all(self) -> None:
        """Cancels that, and ends what runs."""
        self.cancel_waiting()
        with self._changed:
            waiting, self._waiting = list(self._waiting), deque()
            runs = list(self._runs)
        for call in waiting:
            call.future.cancel()
        for run in runs:
            run.cancel()

    def close(self, wait: bool) -> None:
        """Finishes what there is, and ends the agent then."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if wait and threading.current_thread() is not self.sender and self._process == os.getpid():
            self.sender.join()

    def kill(self) -> None:
        """Ends the agent now: unfinished calls end with it."""
        self.close(wait=False)
        self._agent.kill()

    @property
    def is_of_this_process(self) -> bool:
        return self._process == os.getpid()

    def forget(self) -> None:
        """In a forked child: neither the agent nor the threads are here."""
        self._changed = threading.Condition(threading.Lock())
        self.broken = RunFailed("this executor belongs to the process that this one was forked from: make one here")
        self._opened.set()
        self._runs.clear()
        self._waiting.clear()

    def _refuse_if_over(self) -> None:
        if self.broken is not None:
            raise type(self.broken)(*self.broken.args) from self.broken
        if self._closing:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _run(self, calls: list[Call]) -> Run:
        return Run(calls, self)

    # what the sender does

    def _send_all(self) -> None:
        self._opened.wait()
        try:
            while self._send_some():
                pass
        except BaseException as error:
            log.exception("calls can no longer be sent")
            self._break(RunFailed(f"calls can no longer be sent: {error!r}"))
            self._agent.kill()
        self._agent.close()

    def _send_some(self) -> bool:
        # on return nothing is held of calls that were sent
        work = self._next()
        for step in work or []:
            step()
        return work is not None

    def _next(self) -> list[Callable[[], None]] | None:
        """Waits for something to send. Returns: nothing if there is nothing left, and nothing to come."""
        with self._changed:
            while not self._has_work():
                if self._closing and not self._runs and not self._waiting:
                    return None
                self._changed.wait()
        if self._waiting and not (self._whole or self._cancels or self._statements):
            self._linger()
        with self._changed:
            work: list[Callable[[], None]] = []
            while self._cancels:
                work.append(_later(self._send_cancel, self._cancels.popleft()))
            while self._attached:
                work.append(_later(self._send_attach, *self._attached.popleft()))
            while self._whole:
                work.append(_later(self._send_run, *self._whole.popleft()))
            while self._statements:
                work.append(_later(self._send_statement, *self._statements.popleft()))
            work += self._gathered()
        return work

    def _has_work(self) -> bool:
        return self._has_room() or bool(self._whole or self._cancels or self._attached or self._statements)

    def _has_room(self) -> bool:
        """Many calls wait until half of the window is free, as each run costs requests."""
        waiting = len(self._waiting)
        return waiting > 0 and self._room() >= min(waiting, (self._window() + 1) // 2)

    def _room(self) -> int:
        return self._window() - self._sent

    def _window(self) -> int:
        return self.concurrency * self._at_once + self._extra

    def _linger(self) -> None:
        """More calls may come: longer while they do."""
        before = len(self._waiting)
        if not self._closing:
            time.sleep(self._gather)
        grown = len(self._waiting) > before
        self._gather = min(2 * self._gather, GATHER_SECONDS_MAX) if grown else GATHER_SECONDS_MIN

    def _gathered(self) -> list[Callable[[], None]]:
        by_plan: dict[tuple[Any, ...], list[Call]] = {}
        room = self._room()
        while self._waiting and room > 0:
            call = self._waiting.popleft()
            if call.future.start():
                by_plan.setdefault(call.plan.key, []).append(call)
                room -= 1
        runs = []
        for calls in by_plan.values():
            run = self._run(calls)
            self._runs.add(run)
            self._windowed.add(run)
            self._sent += len(calls)
            runs.append(_later(self._send_run, run, calls))
        return runs

    def _send_run(self, run: Run, calls: list[Call]) -> None:
        if run.status is not None:
            return  # it was cancelled before its turn
        if self.broken is not None:
            run.on_event({"event": "failed", "error": str(self.broken)}, [])
            return
        if self._unfit is not None:
            run.on_event({"event": "failed", "error": self._unfit, "cause": "environment"}, [])
            return
        plan = calls[0].plan
        initializer = plan.initializer
        shared = {blob.name: blob for call in calls for blob in call.shared}
        shared |= {blob.name: blob for blob in initializer.pickled.shared} if initializer else {}
        try:
            archives = self._archives(plan.env)
        except Exception as error:
            run.on_event({"event": "failed", "error": str(error), "cause": "environment"}, [])
            return
        if (failed := self._share({**shared, **{each.name: each for each in archives}})) is not None:
            run.on_event({"event": "failed", "error": failed}, [])
            return
        head: Head = {
            "do": "submit",
            "name": plan.label,
            "function": plan.function.name,
            "initializer": initializer.name if initializer else "",
            "shared": list(shared),
            "archives": [each.name for each in archives],
            "options": {**dict(plan.options), "seconds": self._seconds.get(plan.function.name)},
            "into": plan.into,
        }
        if any(inputs := [call.input for call in calls]):
            head["inputs"] = inputs
        first: list[Body] = [[plan.function.pickled.data], [initializer.pickled.data if initializer else b""]]
        bodies = [*first, *([call.arguments.data] for call in calls)]
        run.request = self._agent.request(head, bodies, run.on_event)

    def _archives(self, env: Env | None) -> list[Archive]:
        """What the workers' interpreters look into before their own path. On this machine they have ours."""
        archives = []
        if not self.is_local and (env is None or env.modules) and (files := local_modules()):
            # local modules may import this package
            archives += [archive(files), own_package()]
        if env is not None and (packages := env.packages(self.is_local)) is not None:
            archives.append(packages)
        return archives

    def _share(self, blobs: Mapping[str, Blob | Archive | Frame]) -> str | None:
        """Uploads what has not been. Returns: why that failed."""
        new = [blob for name, blob in blobs.items() if name not in self._uploaded]
        answers: deque[Head] = deque()
        all_answered = threading.Semaphore(0)

        def on_event(head: Head, _: list[bytes]) -> None:
            answers.append(head)
            all_answered.release()

        for blob in new:
            self._agent.request({"do": "share", "name": blob.name}, [blob.parts], on_event)
        for _ in new:
            all_answered.acquire()
        for answer in answers:
            if answer["event"] == "failed":
                return str(answer["error"])
        self._uploaded.update(blob.name for blob in new)
        return None

    def _send_cancel(self, run: Run) -> None:
        if run.request is not None:
            self._agent.request({"do": "cancel", "of": run.request}, [], _ignore)
        elif run in self._runs:
            # its turn to be sent has not come
            with self._changed:
                self._whole = deque(pair for pair in self._whole if pair[0] is not run)
            run.on_event({"event": "ended", "status": "cancelled"}, [])

    def _send_statement(self, run: Run, head: Head, objects: Mapping[str, Blob | Archive | Frame]) -> None:
        # it may have been cancelled
        if run.status is not None:
            return
        failed = str(self.broken) if self.broken is not None else self._share(objects)
        if failed is not None:
            run.on_event({"event": "failed", "error": failed}, [])
            return
        run.request = self._agent.request(head, [], run.on_event)

    def _send_attach(self, run: Run, name: str) -> None:
        run.request = self._agent.request({"do": "attach", "run": name}, [], run.on_event)

    # what the agent's thread does

    def _on_opened(self, head: Head, _: list[bytes]) -> None:
        if head["event"] == "opened":
            self.concurrency = head.get("concurrency") or self.concurrency
            self.is_local = bool(head.get("local"))
            self._unfit = head.get("unfit")
        else:
            self._break(failure(head["error"], head.get("cause")))
        self._opened.set()

    def on_settled(self, run: Run, count: int, seconds: float) -> None:
        if run not in self._windowed:
            return
        with self._changed:
            self._sent -= count
            mean = seconds / max(count, 1)
            known = self._mean_seconds
            self._mean_seconds = mean if known is None else 0.8 * known + 0.2 * mean
            if run.function is not None:
                known = self._seconds.pop(run.function, mean)
                self._seconds[run.function] = 0.8 * known + 0.2 * mean
                if len(self._seconds) > FUNCTIONS_MAX:
                    del self._seconds[next(iter(self._seconds))]
            wanted = int(self.concurrency * self._at_once * AHEAD_SECONDS / max(self._mean_seconds, 1e-6))
            self._extra = max(EXTRA_FIRST, min(wanted, 2 * self._extra, EXTRA_MAX))
            self._changed.notify_all()

    def on_ended(self, run: Run, left: int) -> None:
        with self._changed:
            if run in self._windowed:
                self._sent -= left
            self._windowed.discard(run)
            self._runs.discard(run)
            self._changed.notify_all()
        if run.status == "failed" and self._agent.is_lost:
            self._break(RunFailed("the program tidemill has ended: this executor can make no more calls"))

    def call_again(self, calls: list[Call]) -> None:
        with self._changed:
            self._waiting.extend(calls)
            self._changed.notify_all()

    def _break(self, error: BrokenExecutor) -> None:
        with self._changed:
            self.broken = self.broken or error
            waiting, self._waiting = list(self._waiting), deque()
            self._changed.notify_all()
        for call in waiting:
            own = type(error)(*error.args)
            own.__cause__ = error.__cause__
            settle(call.future, error=own)

    def on_initializer_failed(self, message: str) -> None:
        log.critical("Exception in initializer:\n%s", message)
        self._break(RunFailed("the initializer failed in a worker: this executor can make no more calls"))


def _later(step: Callable[..., None], *args: Any) -> Callable[[], None]:
    return lambda: step(*args)


def _ignore(head: Head, bodies: list[bytes]) -> None:
    pass


def _opening(bucket: str | None, max_workers: int | None) -> Head:
    return {
        "do": "open",
        "bucket": bucket,
        "folder": os.environ.get("TIDEMILL_FOLDER"),
        "python": sys.executable,
        "path": [path for path in (entry or os.getcwd() for entry in sys.path) if os.path.exists(path)],
        "workers": max_workers,
        "version": ".".join(map(str, sys.version_info[:3])),
    }


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _forget_all() -> None:
    for session in list(_sessions):
        session.forget()


def _close_all() -> None:
    """At the end of the interpreter: what was submitted is finished, unless Ctrl-C ends it."""
    sessions = [session for session in list(_sessions) if session.is_of_this_process]
    is_interrupted = not hasattr(sys, "ps1") and issubclass(getattr(sys, "last_type", object), KeyboardInterrupt)
    for session in sessions:
        if is_interrupted:
            session.cancel_all()
        session.close(wait=False)
    for session in sessions:
        try:
            session.close(wait=True)
        except KeyboardInterrupt:
            for each in sessions:
                each.kill()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
# before the threads of others are joined, as the standard executors do
threading._register_atexit(_close_all)  # type: ignore[attr-defined]
