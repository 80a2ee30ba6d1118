"""Objects that travel once, whatever number of calls has them, under the sha256 of what they are written as.

A shared object is written as: `TDS1`, the number of its parts (4 bytes, big-endian), the length of each (8
bytes), and the parts, each at the next multiple of 64 bytes from the start. The first part is a pickle of
protocol 5, the others are its buffers in order, so that who maps the file into memory copies none of them. The
worker's `tidemill_runner.py` reads it.
"""

import hashlib
import pickle
import struct
import weakref
from io import BytesIO
from typing import Any, Generic, NoReturn, TypeVar

import cloudpickle

MAGIC = b"TDS1"
ALIGNMENT_BYTES = 64
PICKLE_PROTOCOL = 5

T = TypeVar("T")


class Blob:
    """An object as it is written."""

    __slots__ = ("__weakref__", "name", "parts", "size", "source")

    def __init__(self, source: object) -> None:
        #: what it was made of, kept so that nothing else can have its id
        self.source = source
        buffers: list[pickle.PickleBuffer] = []
        stream = BytesIO()
        cloudpickle.Pickler(stream, PICKLE_PROTOCOL, buffer_callback=buffers.append).dump(source)
        self.parts = _laid_out([stream.getvalue(), *(buffer.raw() for buffer in buffers)])
        self.size = sum(map(len, self.parts))
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(part)
        self.name = digest.hexdigest()


def _laid_out(parts: list[bytes | memoryview]) -> list[bytes | memoryview]:
    head = MAGIC + struct.pack(f">I{len(parts)}Q", len(parts), *map(len, parts))
    laid: list[bytes | memoryview] = [head]
    at = len(head)
    for part in parts:
        gap = -at % ALIGNMENT_BYTES
        laid += [bytes(gap), part]
        at += gap + len(part)
    return laid


class Shared(Generic[T]):
    """Stands for an object among the arguments of calls, which get the object itself.

    A child loads it once; arrays in it are read-only there. The object must not change any more.
    """

    def __init__(self, value: T) -> None:
        self.value = value
        self._blob: Blob | None = None

    @property
    def blob(self) -> Blob:
        if self._blob is None:
            self._blob = Blob(self.value)
        return self._blob

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError("a shared object travels as an argument of a call, and not in another object's file")

    def __repr__(self) -> str:
        return f"<Shared {type(self.value).__qualname__}>"


class Input:
    """Stands for a file of a result among the arguments of a call, which gets the path of a copy of it.

    The copy goes when the call has ended.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError("a file of a result travels as an argument of a call")


_handles: weakref.WeakValueDictionary[int, Shared[Any]] = weakref.WeakValueDictionary()


def share(value: T) -> Shared[T]:
    """A handle for `value`; the same one for the same object, as long as somebody has it."""
    handle = _handles.get(id(value))
    if handle is None or handle.value is not value:
        handle = _handles[id(value)] = Shared(value)
    return handle
