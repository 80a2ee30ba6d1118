"""A frame: the length of its head (4 bytes, big-endian), the head (JSON), and as many bytes as the head says."""

import json
import struct
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, TypeAlias

Head: TypeAlias = dict[str, Any]
#: what stands behind a head: each of these is one body, in as many parts as it has
Body: TypeAlias = Sequence[bytes | memoryview]

LENGTH = struct.Struct(">I")
#: smaller parts are joined before they are written
WRITE_BYTES = 256 * 1024


def write(to: BinaryIO, head: Head, bodies: Sequence[Body]) -> None:
    sizes = [sum(len(part) for part in body) for body in bodies]
    text = json.dumps({**head, "sizes": sizes}).encode()
    small: list[bytes | memoryview] = [LENGTH.pack(len(text)), text]
    waiting = 0
    for part in _parts(bodies):
        if len(part) >= WRITE_BYTES or waiting >= WRITE_BYTES:
            to.write(b"".join(small))
            small, waiting = [], 0
        if len(part) >= WRITE_BYTES:
            to.write(part)
        else:
            small.append(part)
            waiting += len(part)
    to.write(b"".join(small))
    to.flush()


def read(source: BinaryIO) -> tuple[Head, list[bytes]] | None:
    """Returns: nothing where the other end has closed, in the middle of a frame or before it."""
    length = source.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(length)
    text = source.read(size)
    if len(text) < size:
        return None
    head: Head = json.loads(text)
    bodies = []
    for size in head.get("sizes", ()):
        body = source.read(size)
        if len(body) < size:
            return None
        bodies.append(body)
    return head, bodies


def _parts(bodies: Iterable[Body]) -> Iterable[bytes | memoryview]:
    for body in bodies:
        yield from body
