"""What a statement gives: rows of values that mean the same whoever gave them, or a refusal.

A number is a Decimal if it is exact and a float if it is not, whatever its column is called. A date is the
moment at which it begins, and a moment of a zone is the same moment of UTC.
"""

import datetime
import decimal
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


class Moment(NamedTuple):
    """A date, a time of day, or both, as ISO 8601 has it, in UTC."""

    text: str


class Span(NamedTuple):
    """An interval. Its parts do not add up: a month has no fixed number of days."""

    months: int
    days: int
    micros: int


Cell: TypeAlias = "bool | decimal.Decimal | float | str | bytes | Moment | Span | tuple[Cell, ...] | None"
Row: TypeAlias = tuple[Cell, ...]


@dataclass(frozen=True)
class Rows:
    rows: list[Row]


@dataclass(frozen=True)
class Refusal:
    """Why there are no rows."""

    reason: str


Answer: TypeAlias = Rows | Refusal


def moment(text: str) -> Moment:
    """Of `2024-01-02`, `2024-01-02 03:04:05.6`, the same with `+00`, or `03:04:05`."""
    text = re.sub(r"(\+00(:00)?|Z)$", "", text.replace("T", " "))
    text = re.sub(r"^(.*) \(BC\)(.*)$", r"\1\2 BC", text)
    if re.fullmatch(r"-?\d+-\d\d-\d\d( BC)?", text):
        day, _, era = text.partition(" ")
        text = f"{day} 00:00:00 {era}".strip()
    return Moment(re.sub(r"(:\d\d)(\.\d*?)0+(?= |$)", r"\1\2", text).replace(". ", " ").rstrip("."))


_UNITS: dict[str, tuple[int, int, int]] = {
    "year": (12, 0, 0),
    "mon": (1, 0, 0),
    "month": (1, 0, 0),
    "day": (0, 1, 0),
    "hour": (0, 0, 3_600_000_000),
    "min": (0, 0, 60_000_000),
    "minute": (0, 0, 60_000_000),
    "sec": (0, 0, 1_000_000),
    "second": (0, 0, 1_000_000),
}


def span(text: str) -> Span | None:
    """Of `1 year 2 mons 3 days -04:05:06.7`, or of `1 years 2 mons 3 days 4 hours`; nothing of other text."""
    months, days, micros = 0, 0, decimal.Decimal(0)
    rest = text.strip()
    clock = re.search(r"(-?)(\d+):(\d\d):(\d\d(?:\.\d+)?)$", rest)
    if clock:
        seconds = int(clock[2]) * 3600 + int(clock[3]) * 60 + decimal.Decimal(clock[4])
        micros += seconds * 1_000_000 * (-1 if clock[1] else 1)
        rest = rest[: clock.start()].strip()
    parts = rest.split()
    if len(parts) % 2 or (not parts and not clock):
        return None
    for number, unit in zip(parts[::2], parts[1::2], strict=True):
        factors = _UNITS.get(unit.removesuffix("s"))
        if factors is None or not re.fullmatch(r"[+-]?\d+(\.\d+)?", number):
            return None
        months += int(decimal.Decimal(number) * factors[0])
        days += int(decimal.Decimal(number) * factors[1])
        micros += decimal.Decimal(number) * factors[2]
    return Span(months, days, int(micros))


_OF_PYTHON: dict[type, Callable[..., Cell]] = {
    int: decimal.Decimal,
    datetime.date: lambda v: moment(v.isoformat()),
    datetime.time: lambda v: moment(v.isoformat()),
    datetime.datetime: lambda v: moment(v.isoformat()),
    datetime.timedelta: lambda v: Span(0, v.days, v.seconds * 1_000_000 + v.microseconds),
    list: lambda v: tuple(cell(item) for item in v),
    tuple: lambda v: tuple(cell(item) for item in v),
    dict: lambda v: tuple((str(name), cell(item)) for name, item in v.items()),
    bytearray: bytes,
}


def cell(value: object) -> Cell:
    """Of a value that a driver gives."""
    convert = _OF_PYTHON.get(type(value))
    if convert is not None:
        return convert(value)
    if value is None or isinstance(value, (bool, decimal.Decimal, float, str, bytes)):
        return value
    return str(value)
