"""One child process `tidemill agent`, which knows the bucket; this process only has functions and values."""

import contextlib
import itertools
import logging
import os
import subprocess
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import BinaryIO, TypeAlias, cast

from tidemill import _frame
from tidemill._frame import Body, Head
from tidemill._program import find_program

log = logging.getLogger("tidemill")

OnEvent: TypeAlias = Callable[[Head, list[bytes]], None]

#: events that end their request
LAST = frozenset(["opened", "shared", "cancelled", "ended", "explained", "object", "tables", "dropped", "failed"])
END_SECONDS_MAX = 5.0
PIPE_BYTES = 1024 * 1024
# from linux/fcntl.h
F_SETPIPE_SZ = 1031


class Agent:
    """Requests go out from any thread; events come back on one thread, which must not send."""

    def __init__(self) -> None:
        # a session of its own: Ctrl-C is this process's to answer
        self._process = subprocess.Popen(
            [find_program(), "agent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._stdin = cast(BinaryIO, self._process.stdin)
        self._stdout = cast(BinaryIO, self._process.stdout)
        _widen(self._stdin)
        _widen(self._stdout)
        self._ids = itertools.count()
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._open: dict[int, OnEvent] = {}
        self._lost = False
        self._closed = False
        _agents.add(self)
        self._reader = threading.Thread(target=self._read, name="tidemill-events", daemon=True)
        self._reader.start()

    def request(self, head: Head, bodies: Sequence[Body], on_event: OnEvent) -> int:
        """Sends a request. Its events end with one of `LAST`, if need be one that says that the agent is gone."""
        number = next(self._ids)
        with self._lock:
            gone = self._lost
            if not gone:
                self._open[number] = on_event
        if gone:
            on_event(self._failure(), [])
            return number
        # where it breaks, the reader sees the end too and answers
        with self._sending, contextlib.suppress(OSError, ValueError):
            _frame.write(self._stdin, {**head, "id": number}, bodies)
        return number

    def close(self) -> None:
        """Lets the agent end, and waits for that."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with self._sending, contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
        if threading.current_thread() is not self._reader:
            self._reader.join(END_SECONDS_MAX)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """In a forked child: the process is the parent's, and so are the pipes."""
        for pipe in (self._stdin, self._stdout):
            # the file object may hold bytes, or a lock, of a thread that is not here
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, pipe.fileno(), inheritable=False)
                os.close(null)
        self._process.returncode = 0
        self._lost = self._closed = True
        self._open = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    @property
    def is_lost(self) -> bool:
        return self._lost

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (frame := _frame.read(self._stdout)) is not None:
                self._dispatch(*frame)
                del frame
        with self._lock:
            self._lost = True
            left, self._open = list(self._open.values()), {}
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS_MAX)
        for on_event in left:
            on_event(self._failure(), [])
        self._stdout.close()

    def _dispatch(self, head: Head, bodies: list[bytes]) -> None:
        with self._lock:
            take = self._open.pop if head["event"] in LAST else self._open.get
            on_event = take(head["id"], None)
        if on_event is None:
            return
        try:
            on_event(head, bodies)
        except BaseException as error:
            log.exception("an event of the program tidemill could not be used")
            with self._lock:
                self._open.pop(head["id"], None)
            on_event({"event": "failed", "error": f"an event could not be used: {error!r}"}, [])

    def _failure(self) -> Head:
        code = self._process.poll()
        how = "" if code is None else f", with exit code {code}"
        return {"event": "failed", "error": f"the program tidemill ended before the calls did{how}", "cause": "lost"}


def _widen(pipe: BinaryIO) -> None:
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), F_SETPIPE_SZ, PIPE_BYTES)


_agents: weakref.WeakSet[Agent] = weakref.WeakSet()


def _forget_all() -> None:
    for agent in list(_agents):
        agent.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
