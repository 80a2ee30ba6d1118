"""How far ahead calls are begun, where nobody knows how many there will be."""

import time
from typing import Protocol

#: calls that may be unfinished at first, and at most, where there are few workers
AHEAD_FIRST = 128
AHEAD_GROWTH = 4
AHEAD_MAX = 4096
#: for each that can run at once
AHEAD_FACTOR = 4
#: there may be as many as end in this time
AHEAD_SECONDS = 5.0
#: calls may be begun, and be not taken, for each that may be unfinished
UNTAKEN_FACTOR = 2
#: runs among which what may be unfinished is divided
PIECES = 2
PIECE_MAX = 2048
#: how long calls are gathered into a run, for each that is under way
GATHER_SECONDS = 0.02
GATHER_SECONDS_MAX = 0.5


class Workers(Protocol):
    concurrency: int


class Pace:
    def __init__(self, workers: Workers, at_once: int) -> None:
        self._workers = workers
        self._at_once = at_once
        self._ahead = AHEAD_FIRST
        self._since = time.monotonic()
        self._ended = 0

    @property
    def unfinished_max(self) -> int:
        return max(self._ahead, AHEAD_FACTOR * self._workers.concurrency * self._at_once)

    @property
    def untaken_max(self) -> int:
        return UNTAKEN_FACTOR * self.unfinished_max

    @property
    def piece_max(self) -> int:
        """Calls of one run."""
        return min(self.unfinished_max // PIECES, PIECE_MAX)

    def gather_seconds(self, under_way: int) -> float:
        """How long the first call of a piece waits for others: the more runs there are, the longer."""
        return min(GATHER_SECONDS * (1 + under_way), GATHER_SECONDS_MAX)

    def count(self) -> None:
        """A call has ended: there may be more of them at once if they end fast."""
        self._ended += 1
        if self._ended < self.unfinished_max:
            return
        now = time.monotonic()
        if now - self._since < AHEAD_SECONDS:
            self._ahead = min(AHEAD_GROWTH * self._ahead, AHEAD_MAX)
        self._ended, self._since = 0, now
