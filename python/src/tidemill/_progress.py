"""How far a run is, on the screen: a bar in a terminal, HTML in a notebook, a line in a log, else nothing."""

import html
import logging
import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger("tidemill")

#: nothing is shown of what takes less
QUIET_SECONDS = 0.5
SHOW_SECONDS = 0.1
LOG_SECONDS = 30.0


@dataclass(frozen=True)
class Progress:
    run: str | None
    #: null while inputs are still read
    total: int | None
    #: calls that have ended
    done: int
    #: of these, with an error
    failed: int
    #: null while it runs
    status: str | None
    cost_usd: float
    seconds: float

    @property
    def counted(self) -> str:
        return f"{self.done} calls" if self.total is None else f"{self.done} of {self.total} calls"

    @property
    def line(self) -> str:
        done = " done" if self.total is None else ""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.counted}{done}{failed}, {self.seconds:.1f} s"

    def bar(self, width: int) -> str:
        if self.total is None:
            return self.line
        room = max(width - len(self.line) - 4, 0)
        filled = room * self.done // max(self.total, 1)
        return f"[{'=' * filled}{' ' * (room - filled)}] {self.line}"

    def html(self) -> str:
        cost = f" · {self.cost_usd:.4f} USD" if self.cost_usd else ""
        name = html.escape(self.run or "not started")
        # the run itself ends somewhat after the last of its calls
        is_running = self.total is None or self.done < self.total
        status = self.status or ("running" if is_running else "done")
        value = "" if self.total is None else f' value="{self.done}" max="{max(self.total, 1)}"'
        bar = f"<progress{value}></progress>"
        return f"<div><code>{name}</code> {status}<br>{bar} {html.escape(self.line)}{cost}</div>"


class Display(Protocol):
    #: between two times that it is shown
    seconds: float

    def show(self, progress: Progress) -> None: ...

    def end(self, progress: Progress) -> None: ...


class Bar:
    seconds = SHOW_SECONDS

    def __init__(self) -> None:
        self._is_shown = False

    def show(self, progress: Progress) -> None:
        self._is_shown = True
        width = min(shutil.get_terminal_size().columns, 100)
        print(f"\r{progress.bar(width - 1)}", end="", file=sys.stderr, flush=True)

    def end(self, progress: Progress) -> None:
        if self._is_shown:
            self.show(progress)
            print(file=sys.stderr)
        self._is_shown = False


class Log:
    seconds = LOG_SECONDS

    def __init__(self) -> None:
        self._last = ""

    def show(self, progress: Progress) -> None:
        self._last = progress.counted
        log.info("run %s: %s", progress.run, progress.line)

    def end(self, progress: Progress) -> None:
        if progress.counted != self._last:
            self.show(progress)


class Notebook:
    seconds = 2 * SHOW_SECONDS

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, progress: Progress) -> None:
        from IPython.display import HTML, display

        whole = HTML(progress.html())
        if self._handle is None:
            self._handle = display(whole, display_id=True)
        else:
            self._handle.update(whole)

    def end(self, progress: Progress) -> None:
        if self._handle is not None:
            self.show(progress)


#: longer waits are not always ended by Ctrl-C: some libraries take its signal
WAIT_SECONDS_MAX = 1.0


class Nothing:
    seconds = 3600.0

    def show(self, progress: Progress) -> None:
        pass

    def end(self, progress: Progress) -> None:
        pass


def display_of(choice: str | bool) -> Display:
    if choice == "bar" or choice is True:
        return Notebook() if _in_notebook() else Bar()
    if choice == "none" or choice is False:
        return Nothing()
    if choice == "log":
        return Log()
    if _in_notebook():
        return Notebook()
    if sys.stderr is not None and sys.stderr.isatty():
        return Bar()
    # says a line where a program has asked for such lines
    return Log() if log.isEnabledFor(logging.INFO) else Nothing()


class Throttle:
    """Says when it is time to show something again."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._next = time.monotonic() + QUIET_SECONDS

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self.seconds
        return True


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
