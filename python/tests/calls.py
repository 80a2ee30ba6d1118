"""Functions that tests call in workers."""

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
