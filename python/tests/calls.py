"""Functions that tests call in workers."""

import datetime
import decimal
import os
import signal
import sys
import threading
import time
from typing import Any, NoReturn

started: list[int] = []


def add(left: int, right: int = 0) -> int:
    return left + right


def keywords(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def crash(_: object = None) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def leave(_: object = None) -> NoReturn:
    sys.exit(3)


def say(text: str) -> str:
    print(text)
    print(text.upper(), file=sys.stderr)
    return text


def refuse(number: int) -> NoReturn:
    raise ValueError(f"not {number}")


def inverse(number: int) -> float:
    return 1 / number


def start(number: int) -> None:
    started.append(number)


def fail_to_start() -> NoReturn:
    raise ValueError("error in initializer")


def what_started() -> list[int]:
    return started


def process() -> int:
    return os.getpid()


def change(values: Any) -> Any:
    values[0] = -1
    return values[0]


def fail_until(path: str, times: int) -> int:
    with open(path, "a") as file:
        file.write("x")
    if (size := os.path.getsize(path)) < times:
        raise ConnectionError(f"at try {size}")
    return size


async def double(number: int) -> int:
    return 2 * number


class Unpicklable:
    def __reduce__(self) -> NoReturn:
        raise TypeError("will not be pickled")


class Unreadable:
    """Can be written, and not be read."""

    def __reduce__(self) -> Any:
        return refuse, (7,)


class OfTwoError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("of two")
        self.two = two


def give_unpicklable(_: object = None) -> Unpicklable:
    return Unpicklable()


def give_unreadable(_: object = None) -> Unreadable:
    return Unreadable()


def raise_of_two(_: object = None) -> NoReturn:
    raise OfTwoError(1, 2)


def raise_with_a_lock(_: object = None) -> NoReturn:
    raise ValueError(threading.Lock())


def raise_half(_: object = None) -> NoReturn:
    raise OSError("a\udcff")


def values_of_all_kinds() -> list[Any]:
    """Of which JSON has some, Arrow others, and pickles the rest."""
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    zoned = pd.to_datetime(["2024-01-01", None]).tz_localize("Europe/Berlin")
    return [
        *[None, True, 5, -(2**63), 2**63, 2**200, 1.5, -0.0, float("inf"), "x", "é" * 9, "\ud800", "a\x00b"],
        *[[], {}, [1, [2, None]], {"a": {"b": [1.5]}}, (1, 2), {1: 2}, {1, 2}, b"x", [float("inf")], [1] * 5000],
        *[decimal.Decimal("1.50"), datetime.date(2024, 1, 31), Ellipsis],
        pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, float("nan")]}),
        pd.DataFrame({"a": [1, 2]}, index=[5, 6]),
        pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
        pd.DataFrame({"c": pd.Categorical(["a", "b"], ordered=True), "d": zoned}),
        pd.DataFrame({"mixed": [1, "x"]}),
        pd.DataFrame({"lists": [[1, 2], [3]]}),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
        pd.DataFrame({0: [1], 1: [2]}),
        pd.DataFrame(),
        pd.DataFrame({"n": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, freq="D")),
        pd.DataFrame({"n": [1]}).set_flags(allows_duplicate_labels=False),
        pd.DataFrame({"dicts": [{"a": 1}], "numbers": [decimal.Decimal("1.0")]}),
        pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}),
        pl.DataFrame({"a": [1, None], "c": ["x", "y"], "l": [[1], []]}),
        pl.DataFrame({"c": pl.Series(["a", "b"], dtype=pl.Categorical)}),
        pl.DataFrame(),
        pa.table({"a": [1], "s": [{"x": 1}]}),
        pa.table({"a": [1, 2, 3]}).slice(1, 1),
        pa.record_batch({"a": pa.array(["x", "y"]).dictionary_encode()}),
        pa.table({}),
    ]
