"""Waiting for a run of a statement, with a word about it on the screen."""

import sys
import time
from concurrent.futures import wait as wait_for

from tidemill._progress import WAIT_SECONDS_MAX, Display, Nothing, Progress, Throttle, display_of
from tidemill._statement import StatementRun


class Elapsed(Progress):
    """Nobody counts what is left of a statement."""

    @property
    def line(self) -> str:
        return f"{self.status or 'running'}, {self.seconds:.1f} s"

    def bar(self, width: int) -> str:
        # over what was shown before
        return self.line.ljust(min(width, 40))

    def html(self) -> str:
        return f"<div>{super().html().partition('<br>')[0].removeprefix('<div>')} {self.seconds:.1f} s</div>"


def wait_for_end(run: StatementRun, progress: str | bool) -> None:
    """Ctrl-C cancels the run, and says so."""
    if run.outcome.done():
        return
    try:
        _show_until_end(run, Nothing() if progress is False else display_of(progress))
    except KeyboardInterrupt:
        run.cancel()
        name = "the run" if run.name is None else f"run {run.name}"
        print(f"tidemill: {name} is cancelled", file=sys.stderr)
        raise


def _show_until_end(run: StatementRun, display: Display) -> None:
    throttle = Throttle(display.seconds)
    slice_seconds = min(display.seconds, WAIT_SECONDS_MAX)
    began = time.monotonic()
    is_shown = False
    try:
        while not wait_for([run.outcome], slice_seconds).done:
            if throttle.is_due():
                display.show(_elapsed(run, began))
                is_shown = True
    finally:
        if is_shown:
            display.end(_elapsed(run, began))


def _elapsed(run: StatementRun, began: float) -> Elapsed:
    return Elapsed(run.name, None, 0, 0, run.status, run.cost_usd, time.monotonic() - began)
