"""The runs of one result: of those that have ended, names and costs are kept."""

import itertools

from tidemill._run import Run


class Begun:
    def __init__(self) -> None:
        self.first: Run | None = None
        #: in the order in which they were begun; of those before them nothing else is wanted
        self._runs: list[Run] = []
        self._past_names: list[str] = []
        self._past_cost_usd = 0.0

    def add(self, run: Run) -> None:
        self.first = self.first or run
        past = list(itertools.takewhile(lambda each: each.status is not None, self._runs))
        self._past_names += _names(past)
        self._past_cost_usd += sum(each.cost_usd for each in past)
        self._runs = [*self._runs[len(past) :], run]

    @property
    def names(self) -> list[str]:
        return [*self._past_names, *_names(self._runs)]

    @property
    def cost_usd(self) -> float:
        """Of those that have ended."""
        return self._past_cost_usd + sum(run.cost_usd for run in self._runs)

    @property
    def status(self) -> str | None:
        """Of the latest; nothing while one is under way."""
        if not self._runs:
            return "succeeded"
        return None if self.under_way else self._runs[-1].status

    @property
    def under_way(self) -> list[Run]:
        return [run for run in self._runs if run.status is None]


def _names(runs: list[Run]) -> list[str]:
    return [run.name for run in runs if run.name]
