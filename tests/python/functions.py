"""What calls do in the tests."""

import ctypes
import os
import sys
import threading
import time


class Unpicklable(Exception):
    """By itself: its text is not what it is made of."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


class WithLock:
    def __init__(self) -> None:
        self.lock = threading.Lock()


def add(a: int, b: int = 1) -> int:
    return a + b


def shout(text: str) -> str:
    print(text)
    sys.stderr.write(text.upper() + "\n")
    os.write(1, b"past Python\n")
    os.system("echo from a shell")
    return text


def flood(megabytes: int) -> str:
    for _ in range(megabytes):
        sys.stdout.write("x" * 1024 * 1024)
    print("the end")
    return "flooded"


def fail(text: str) -> None:
    raise ValueError(text)


def fail_oddly() -> None:
    raise Unpicklable(1, 2)


def fail_with_a_lock() -> None:
    raise ValueError(threading.Lock())


def leave(code: int) -> None:
    sys.exit(code)


def die(code: int) -> None:
    print("last words")
    os._exit(code)


def crash() -> None:
    ctypes.string_at(0)


def hold_the_lock(seconds: int) -> None:
    """In native code, and with Python's lock: no signal handler and no thread runs."""
    ctypes.PyDLL(None).sleep(seconds)


def spin() -> None:
    while True:
        pass


def eat(megabytes: int) -> int:
    eaten = []
    for _ in range(megabytes):
        eaten.append(os.urandom(1) * 1024 * 1024)
        time.sleep(0.001)
    # memory is looked at ten times a second
    time.sleep(0.3)
    return len(eaten)


def eat_in_a_child(megabytes: int) -> int:
    pid = os.fork()
    if pid == 0:
        eat(megabytes)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def fork_and_return() -> str:
    return "child" if os.fork() == 0 else "parent"


def fork_and_die() -> None:
    """The fork holds the socket open for a minute."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    os._exit(3)


def close_everything() -> None:
    os.closerange(3, 256)
    time.sleep(60)


def write_into_the_socket() -> None:
    for fd in range(3, 16):
        try:
            os.write(fd, b"\xff" * 64)
        except OSError:
            continue


def give_a_lock() -> WithLock:
    return WithLock()


def give_bytes(megabytes: int) -> bytes:
    return bytes(megabytes * 1024 * 1024)


def environment() -> list[str]:
    return sorted(os.environ)


def read_input() -> str:
    return sys.stdin.read()


async def wait(seconds: float) -> float:
    import asyncio

    await asyncio.sleep(seconds)
    return seconds


def any_of_these(name: str, *arguments: object) -> object:
    if name == "sleep":
        time.sleep(*arguments)  # type: ignore[arg-type]
        return None
    return globals()[name](*arguments)


async def wait_or_hang(seconds: float) -> float:
    if seconds < 0:
        hold_the_lock(60)
    return await wait(seconds)
