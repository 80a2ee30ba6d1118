"""What stands on an executor, and holds for all its calls."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from tidemill._env import Env
from tidemill._pickle import Function
from tidemill._run import Plan

PROGRESS = ("auto", "bar", "log", "none")


@dataclass(frozen=True)
class Options:
    memory: int | None = None
    timeout: float | None = None
    retries: int = 0
    retry_on: tuple[type[BaseException], ...] = ()
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    concurrency: int = 1
    max_cost_usd: float | None = None
    echo: bool = True
    progress: str | bool = "auto"
    name: str | None = None
    env: Env | None = None
    into: str | None = None

    def __post_init__(self) -> None:
        if self.initializer is not None and not callable(self.initializer):
            raise TypeError("initializer must be a callable")
        for name in ("memory", "timeout", "max_cost_usd"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} must be greater than 0")
        if self.retries < 0:
            raise ValueError("retries must not be negative")
        if self.concurrency < 1:
            raise ValueError("concurrency must be greater than 0")
        checked_progress(self.progress)

        if self.into is not None and not _folder(self.into):
            raise ValueError(f"into is {self.into!r}: it must be the name of a table, such as 'orders'")
        if self.into is not None and self.retry_on:
            raise ValueError("into goes with retries, and not with retry_on")

    def changed(self, options: dict[str, Any]) -> "Options":
        known = [field.name for field in fields(self)]
        for name in options:
            if name not in known:
                raise TypeError(f"{name!r} is no option of calls; there are {', '.join(known)}")
        if isinstance(options.get("retry_on"), type):
            options = {**options, "retry_on": (options["retry_on"],)}
        return replace(self, **options)

    def plan(self, function: Function, initializer: Function | None) -> Plan:
        given = {
            "memory": self.memory,
            "timeout": self.timeout,
            "max_cost_usd": self.max_cost_usd,
            "concurrency": self.concurrency if self.concurrency > 1 else None,
            # workers do not know one exception from another: this client calls again itself
            "retries": None if self.retry_on else self.retries or None,
        }
        return Plan(
            echo=self.echo,
            env=self.env,
            into=None if self.into is None else _folder(self.into),
            label=self.name or function.label,
            function=function,
            initializer=initializer,
            options=tuple((name, value) for name, value in given.items() if value is not None),
            retry_on=self.retry_on,
            retries=self.retries if self.retry_on else 0,
        )


def _folder(table: str) -> str:
    """The folder of a table; empty, if there is no such table."""
    name = table.removeprefix("tables/").strip("/")
    return f"tables/{name}/" if name else ""


def checked_progress(progress: str | bool) -> str | bool:
    if not isinstance(progress, bool) and progress not in PROGRESS:
        raise ValueError(f"progress must be one of {', '.join(PROGRESS)}")
    return progress
