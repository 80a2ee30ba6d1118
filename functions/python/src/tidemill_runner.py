"""Runs calls, one after another, for the process that has started this one.

Standard input is a socket. A frame is the length of its head (4 bytes, big-endian), the head (JSON), and as
many bytes of body as the head says. What the parent sends:

    {"call": 7, "function": "<name of its bytes>", "initializer": "", "sizes": [function, initializer, arguments]}

with the pickled function, empty if one of that name has come before; the pickled pair of a callable and its
arguments that is to run before the first call that names it; and the pickled pair of positional and keyword
arguments. With "at_once" and "timeout" there are arguments of several calls of a coroutine function, and so many
of them are made at once. What goes back:

    {"ready": "3.13.1"}
    {"call": 7, "kind": "returned", "as": "pickle", "loaded": true, "sizes": [value]}
    {"call": 7, "kind": "raised", "type": …, "message": …, "traceback": …, "loaded": …, "sizes": [exception]}

With "batch" it is a call over a batch of rows of a statement, `"sizes": [function, initializer, types, rows]`:

    "batch": {"name": "score", "kind": "scalar", "input": null, "on_null": "null", "volatile": false, "source": false}

The function may then be a text of Python ("source"); `types` is a stream of Arrow without batches that has the
declared type, and `rows` one with a batch, its columns the arguments (of an "aggregate" one column: for each group a
list of structs of them). The answer is a "batch" with the one column "returns", of that type, and as many rows.
Or it is "raised", with the "row" for which it was, if that is known; "wrong" is true where what was returned is no
such column. `tidemill_batches.py` says the rest.

"input" is the path of a file that arguments name. The name "tidemill:file" is that of no function: its one argument
is what `tidemill_values.file_of` takes.

Calls that are made together are answered as they end, with the number of their arguments ("item") and the
"seconds" that they took; those that take longer than the timeout are "late". "unread" is true where the call
could not be read, and so was not made, "missing" is the module that its function needs; "not_ready" in the
place of "raised" says that the initializer raised. An exception that cannot be pickled and read again has no
body. A function that is loaded need not come again, until FUNCTIONS_MAX others have.
"""

import asyncio
import contextlib
import copyreg
import importlib
import inspect
import io
import json
import mmap
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from tidemill_values import PICKLE_PROTOCOL, encoded, file_of, pickled

LENGTH = struct.Struct(">I")
FILE = "tidemill:file"
# a function is small or holds much data: a few of them are kept
FUNCTIONS_MAX = 16
SHARED_MAX = 64
SHARED: dict[str, Any] = {}
# the path of the file that the call reads
INPUT: list[str | None] = [None]
MESSAGE_CHARACTERS_MAX = 10_000
TRACEBACK_CHARACTERS_MAX = 100_000
# from linux/prctl.h
PR_SET_PDEATHSIG = 1


def main() -> None:
    die_with_parent()
    connection = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    frames = connection.makefile("rb")
    owner = os.getpid()
    send(connection, {"ready": ".".join(map(str, sys.version_info[:3]))}, [])
    functions: dict[str, Any] = {}
    batches = Batches()
    initialized: set[str] = set()
    while (frame := receive(frames)) is not None:
        head, (function, initializer, *arguments) = frame
        failed = None
        INPUT[0] = head.get("input")
        if head["initializer"] and head["initializer"] not in initialized:
            failed = initialize(initializer)
            if failed is None:
                initialized.add(head["initializer"])
        if "at_once" in head and failed is None:
            run_together(connection, functions, head, function, arguments)
            continue
        if "batch" in head:
            answer, body = failed or batches.run(functions, head, function, *arguments)
            del arguments[1:]
        else:
            answer, body = failed or run(functions, head, function, arguments[0])
        flush()
        if os.getpid() != owner:
            # the call has forked, and this is its child: the answer is its parent's
            os._exit(0)
        loaded = head["function"] in functions
        for item in range(len(arguments)):
            send(connection, {"call": head["call"], "item": item, "loaded": loaded, **answer}, body)


def die_with_parent() -> None:
    """As a process that waits in native code does not see its socket close."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError):
            importlib.import_module("ctypes").CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def receive(frames: io.BufferedReader) -> tuple[dict[str, Any], list[bytes]] | None:
    length = frames.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    head = json.loads(frames.read(*LENGTH.unpack(length)))
    return head, [frames.read(size) for size in head["sizes"]]


def send(connection: socket.socket, head: dict[str, Any], body: list[Any]) -> None:
    text = json.dumps({**head, "sizes": [len(part) for part in body]}).encode()
    connection.sendall(LENGTH.pack(len(text)) + text)
    for part in body:
        connection.sendall(part)


def initialize(initializer: bytes) -> tuple[dict[str, Any], list[bytes]] | None:
    try:
        called, arguments = load(initializer)
        called(*arguments)
    except BaseException as error:
        answer, body = raised(error)
        return {**answer, "kind": "not_ready"}, body
    return None


def run(
    functions: dict[str, Any], head: dict[str, Any], function: bytes, arguments: bytes
) -> tuple[dict[str, Any], list[bytes]]:
    if head["function"] == FILE:
        return filed(arguments)
    try:
        called = known(functions, head["function"], function)
        positional, keywords = load(arguments)
    except BaseException as error:
        return unread(error, head["function"] in functions)
    try:
        value = called(*positional, **keywords)
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
        return returned(value)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are answers, too
        return raised(error)


class Batches:
    """Calls over batches of rows: what is for them is longer than what a start compiles."""

    def __init__(self) -> None:
        self.functions: Any = None

    def run(
        self, functions: dict[str, Any], head: dict[str, Any], function: bytes, declared: bytes, rows: bytes
    ) -> tuple[dict[str, Any], list[Any]]:
        batch = head["batch"]
        try:
            importlib.import_module("pyarrow")
            from tidemill_batches import Functions
            from tidemill_called import Source

            def read(text: bytes) -> Any:
                return Source(batch["name"], text) if batch["source"] else load(text)

            self.functions = self.functions or Functions()
            loaded = known(functions, head["function"], function, read)
            called = self.functions.called(head["function"], loaded, batch, declared, functions)
        except BaseException as error:
            # libraries for its rows are a part of the function
            return unread(error, False)
        answer, body = called.answer(rows, raised)
        return answer, body


def returned(value: object) -> tuple[dict[str, Any], list[bytes]]:
    form, data = encoded(value)
    return {"kind": "returned", "as": form}, [data]


def filed(packed: bytes) -> tuple[dict[str, Any], list[bytes]]:
    try:
        return {"kind": "returned", "as": "pickle"}, [file_of(packed)]
    except BaseException as error:
        return raised(error)


def unread(error: BaseException, function_is_read: bool) -> tuple[dict[str, Any], list[bytes]]:
    answer, body = raised(error)
    answer["unread"] = True
    if isinstance(error, ModuleNotFoundError) and not function_is_read:
        answer["missing"] = plain(error.name or "")
    return answer, body


def run_together(
    connection: socket.socket,
    functions: dict[str, Any],
    head: dict[str, Any],
    function: bytes,
    arguments: list[bytes],
) -> None:
    """Makes calls of a coroutine function, each answered when it ends."""
    waiting = iter(enumerate(arguments))

    owner = os.getpid()

    def answer(item: int, since: float, answered: tuple[dict[str, Any], list[bytes]]) -> None:
        flush()
        if os.getpid() != owner:
            os._exit(0)
        took = round(time.monotonic() - since, 6)
        loaded = head["function"] in functions
        answer, body = answered
        send(connection, {"call": head["call"], "item": item, "seconds": took, "loaded": loaded, **answer}, body)

    async def one_after_another() -> None:
        for item, pickled_arguments in waiting:
            since = time.monotonic()
            try:
                called = known(functions, head["function"], function)
                positional, keywords = load(pickled_arguments)
            except BaseException as error:
                answer(item, since, unread(error, head["function"] in functions))
                continue
            answer(item, since, await made(called, positional, keywords, head.get("timeout")))

    async def all_of_them() -> None:
        beat = asyncio.ensure_future(WATCHDOG.beat())
        await asyncio.gather(*(one_after_another() for _ in range(min(head["at_once"], len(arguments)))))
        beat.cancel()

    if not LOOPS:
        # one for all calls, as what they share may belong to it
        LOOPS.append(asyncio.new_event_loop())
        asyncio.set_event_loop(LOOPS[0])
    LOOPS[0].run_until_complete(all_of_them())


async def made(
    called: Callable[..., Any], positional: Any, keywords: Any, timeout: float | None
) -> tuple[dict[str, Any], list[bytes]]:
    since = time.monotonic()
    try:
        value = called(*positional, **keywords)
        if inspect.isawaitable(value):
            value = await asyncio.wait_for(value, timeout)
        return returned(value)
    except BaseException as error:
        if timeout is not None and isinstance(error, asyncio.TimeoutError) and time.monotonic() - since >= timeout:
            return {"kind": "late"}, []
        return raised(error)


class Watchdog:
    """Says which function keeps the event loop from going on."""

    LATE_SECONDS = 1.0

    def __init__(self) -> None:
        self.last: float | None = None
        self.loop_thread = threading.get_ident()
        self.is_watching = False

    async def beat(self) -> None:
        if not self.is_watching:
            self.is_watching = True
            threading.Thread(target=self.watch, daemon=True).start()
        try:
            while True:
                self.last = time.monotonic()
                await asyncio.sleep(self.LATE_SECONDS / 4)
        finally:
            self.last = None

    def watch(self) -> None:
        said = None
        while True:
            time.sleep(self.LATE_SECONDS / 4)
            last = self.last
            if last is None or last == said or time.monotonic() - last < self.LATE_SECONDS:
                continue
            said = last
            frame = sys._current_frames().get(self.loop_thread)
            if frame is not None:
                code = frame.f_code
                where = f"{code.co_name} ({code.co_filename}, line {frame.f_lineno})"
                text = f"tidemill: {where} has kept the event loop waiting for {self.LATE_SECONDS} s and more\n"
                os.write(2, text.encode())


LOOPS: list[asyncio.AbstractEventLoop] = []
WATCHDOG = Watchdog()


class Loader(pickle.Unpickler):
    """Reads pickles that name shared objects, which lie in a folder by the hash of their content."""

    def persistent_load(self, name: Any) -> Any:
        if isinstance(name, str):
            return load_shared(name, mmap.ACCESS_COPY)
        kind, name = name
        if kind == "input":
            return INPUT[0]
        if name not in SHARED:
            if len(SHARED) >= SHARED_MAX:
                del SHARED[next(iter(SHARED))]
            SHARED[name] = load_shared(name, mmap.ACCESS_READ)
        return SHARED[name]


def load(pickled: bytes) -> Any:
    return Loader(io.BytesIO(pickled)).load()


def load_shared(name: str, access: int) -> Any:
    """The object of a file: `TDS1`, the number of its parts (4 bytes, big-endian), the length of each (8
    bytes), and the parts, each at the next multiple of 64: a pickle and its buffers, which are the file's
    pages. A call has its own, copied as far as it writes to them; what is shared for once is the same for all
    calls, and read-only.
    """
    path = os.path.join(os.environ["TIDEMILL_SHARED"], name)
    with open(path, "rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=access))
    if bytes(view[:4]) != b"TDS1":
        raise pickle.UnpicklingError(f"{path} is no shared object")
    (count,) = struct.unpack_from(">I", view, 4)
    parts, at = [], 8 + 8 * count
    for size in struct.unpack_from(f">{count}Q", view, 8):
        at += -at % 64
        parts.append(view[at : at + size])
        at += size
    return pickle.loads(parts[0], buffers=parts[1:])


def known(functions: dict[str, Any], name: str, function: bytes, read: Callable[[bytes], Any] = load) -> Any:
    if name not in functions:
        loaded = read(function)
        if len(functions) >= FUNCTIONS_MAX:
            del functions[next(iter(functions))]
        functions[name] = loaded
    return functions[name]


def raised(error: BaseException) -> tuple[dict[str, Any], list[bytes]]:
    kind = type(error)
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == main.__code__.co_filename:
        frames = frames.tb_next
    try:
        text = "".join(traceback.format_exception(kind, error, frames))
        message = str(error)
    except Exception:
        text, message = f"{kind.__qualname__}: its text cannot be made\n", ""
    answer = {
        "kind": "raised",
        "type": plain(f"{kind.__module__}.{kind.__qualname__}"),
        "message": plain(message[:MESSAGE_CHARACTERS_MAX]),
        "traceback": plain(text[-TRACEBACK_CHARACTERS_MAX:]),
    }
    for pickle_it in (pickled, pickled_in_parts):
        try:
            whole = pickle_it(error.with_traceback(None))
            pickle.loads(whole)
            return answer, [whole]
        except BaseException:
            continue
    return answer, []


def plain(text: str) -> str:
    """As UTF-8 can have it: names of files may hold halves of characters."""
    return text.encode("utf-8", "backslashreplace").decode()


class PartsPickler(pickle.Pickler):
    """Has exceptions read again without their `__init__`, which may take other arguments than they keep."""

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, BaseException):
            return NotImplemented
        return copyreg.__newobj__, (type(value), *value.args), value.__dict__ or None  # type: ignore[attr-defined]


def pickled_in_parts(error: BaseException) -> bytes:
    stream = io.BytesIO()
    PartsPickler(stream, PICKLE_PROTOCOL).dump(error)
    return stream.getvalue()


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            continue
