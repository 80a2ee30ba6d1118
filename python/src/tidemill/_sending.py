"""A statement that is sent when it is first needed, and once, whoever asks."""

import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from tidemill._carried import Carried, carried
from tidemill._errors import RunFailed
from tidemill._frames import Frame, write_frame
from tidemill._functions import Function
from tidemill._map import Key, executor_of
from tidemill._session import Session
from tidemill._statement import Statement, StatementRun


class Sending:
    def __init__(
        self, statement: Statement, frames: Mapping[str, Any], key: Key, functions: Sequence[Function[..., Any]] = ()
    ) -> None:
        self.statement = statement
        self.session: Session | None = None
        self.run: StatementRun | None = None
        self._key = key
        #: tables of this process that the statement reads, until they are written
        self._frames = dict(frames)
        #: functions of this process that it calls
        self._functions = functions
        #: the same, once they are pickled
        self._carried: Carried | None = None
        self._lock = threading.Lock()
        self._explained: StatementRun | None = None
        self._is_cancelled = False
        self._written: dict[str, Frame] = {}
        #: of what was written, by the names of the tables
        self._names: dict[str, str] = {}
        #: why one of them could not be: a stream is read once
        self._unwritten: BaseException | None = None
        _sendings.add(self)

    def of_same_tables(self, statement: Statement) -> "Sending":
        """Another statement in the same place."""
        with self._lock:
            self._write_frames()
            other = Sending(statement, {}, self._key, self._functions)
            other.session, other._carried = self.session, self._carried
            other._written, other._names = dict(self._written), dict(self._names)
        return other

    def is_for(self, bucket: str | None) -> bool:
        return bucket is None or bucket == self._key[0]

    def begin(self) -> StatementRun:
        with self._lock:
            if self.run is None:
                if self._is_cancelled:
                    raise RunFailed("the statement was cancelled before it ran")
                self.run = self._new()
                try:
                    self._submit("sql", self.run)
                except BaseException:
                    self.run.cancel()
                    self.run = None
                    raise
                # nothing else needs them
                self._written.clear()
                self._carried = Carried(self._carried.heads, {}) if self._carried else None
            run = self.run
        if self._is_cancelled:
            self.cancel()
        return run

    def explain(self) -> StatementRun:
        with self._lock:
            if self._explained is None:
                explained = self._new()
                self._submit("explain", explained)
                self._explained = explained
            return self._explained

    def cancel(self) -> None:
        self._is_cancelled = True
        run = self.run
        if run is not None and run.status is None:
            run.cancel()

    def check_process(self, run: StatementRun) -> None:
        """
        Raises:
            RunFailed: it will not end here, as this process is a fork of the one that it runs for.
        """
        if not (run.outcome.done() or self.session is None or self.session.is_of_this_process):
            raise RunFailed("this statement was begun by the process that this one was forked from: make another here")

    def forget(self) -> None:
        """In a forked child: the lock may be held by a thread that is not here."""
        self._lock = threading.Lock()

    def _new(self) -> StatementRun:
        if self.session is None:
            session = executor_of(self._key)._session
            session.wait_opened()
            self.session = session
        return StatementRun(self.session)

    def _submit(self, do: str, run: StatementRun) -> None:
        assert self.session is not None
        if self._carried is None:
            self._carried = carried(self._functions, self.session)
        self._write_frames()
        heads, objects = self._carried
        head = self.statement.head(do, heads, self._names)
        frames = {frame.name: frame for frame in self._written.values()}
        self.session.submit_statement(run, head, {**objects, **frames})

    def _write_frames(self) -> None:
        if self._unwritten is not None:
            raise self._unwritten
        for name, data in list(self._frames.items()):
            try:
                frame = write_frame(name, data)
            except BaseException as error:
                self._unwritten = error
                raise
            self._written[name], self._names[name] = frame, frame.name
            del self._frames[name]


_sendings: weakref.WeakSet[Sending] = weakref.WeakSet()


def _forget_all() -> None:
    for sending in list(_sendings):
        sending.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
