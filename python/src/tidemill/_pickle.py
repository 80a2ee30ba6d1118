"""How functions and arguments become bytes."""

import contextlib
import hashlib
import pickle
import threading
import types
import weakref
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar

import cloudpickle

from tidemill._shared import PICKLE_PROTOCOL, Blob, Input, Shared

#: objects of this size and more are shared
SHARED_BYTES_MIN = 64 * 1024


@dataclass(frozen=True)
class Pickled:
    """Bytes, and the shared objects that they name."""

    data: bytes
    shared: tuple[Blob, ...] = ()
    #: the key of the file that they stand for the path of
    input: str | None = None


@dataclass(frozen=True)
class Function:
    pickled: Pickled
    #: sha256 of the bytes
    name: str
    #: what people call it
    label: str


class Sharing:
    """The shared objects of calls that are not finished.

    An object is read once while a call that has it is unfinished, so it must not change until then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: by the id of the object, with the number of calls
        self._held: dict[int, tuple[Blob, int]] = {}

    def blob(self, source: object) -> Blob:
        known = self._held.get(id(source))
        return Blob(source) if known is None else known[0]

    def hold(self, blobs: Iterable[Blob]) -> None:
        with self._lock:
            for blob in blobs:
                known, count = self._held.get(id(blob.source), (blob, 0))
                self._held[id(blob.source)] = known, count + 1

    def let_go(self, blobs: Iterable[Blob]) -> None:
        with self._lock:
            for blob in blobs:
                known, count = self._held.pop(id(blob.source))
                if count > 1:
                    self._held[id(blob.source)] = known, count - 1


def pickle_arguments(sharing: Sharing, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pickled:
    """The pair of both."""
    pair = (args, kwargs)
    values = [*args, *kwargs.values()]
    if not any(_is_large(value) for value in values):
        with contextlib.suppress(Exception):
            data = pickle.dumps(pair, PICKLE_PROTOCOL)
            if len(data) < SHARED_BYTES_MIN and b"__main__" not in data:
                return Pickled(data)
    pickled = _pickled(sharing, pair, {})
    if len(pickled.data) < SHARED_BYTES_MIN:
        return pickled
    # large without a large object in it: the arguments themselves are
    whole = {id(value): sharing.blob(value) for value in values if not isinstance(value, Shared)}
    whole = {key: blob for key, blob in whole.items() if blob.size >= SHARED_BYTES_MIN}
    return _pickled(sharing, pair, whole) if whole else pickled


def pickle_function(sharing: Sharing, function: Callable[..., Any]) -> Function:
    """By the name that its module has for it; without one, and in `__main__`, by value."""
    if (known := _known(function)) is not None:
        return known
    pickled = _by_name(function) or _pickled(sharing, function, {})
    whole = Function(pickled, hashlib.sha256(pickled.data).hexdigest(), label(function))
    if isinstance(function, types.FunctionType) and _is_constant(function):
        _constant[function] = whole
    return whole


def pickle_initializer(sharing: Sharing, function: Callable[..., object], args: tuple[Any, ...]) -> Function:
    """The pair of both."""
    pickled = _pickled(sharing, (function, args), {})
    return Function(pickled, hashlib.sha256(pickled.data).hexdigest(), label(function))


def label(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name)


def _reduce_code(code: types.CodeType) -> tuple[Any, ...]:
    """As cloudpickle does, but with the file's name, which a traceback needs."""
    make, parts = _DISPATCH[types.CodeType](code)
    return make, tuple(code.co_filename if part == "<dynamic-code>" else part for part in parts)


_DISPATCH = cloudpickle.Pickler.dispatch_table


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar = ChainMap({types.CodeType: _reduce_code}, _DISPATCH)

    def __init__(self, stream: BytesIO, sharing: Sharing, whole: dict[int, Blob]) -> None:
        super().__init__(stream, PICKLE_PROTOCOL)
        self.sharing = sharing
        #: what is shared, by the id of the object
        self.known = whole
        self.shared: dict[str, Blob] = {}
        self.input: str | None = None

    def persistent_id(self, value: Any) -> str | tuple[str, str] | None:
        """Returns: the name of a shared object; with "once" before it where a child may keep it for other calls; or
        "input" for the path of the call's file.
        """
        if isinstance(value, Input):
            if self.input not in (None, value.key):
                raise pickle.PicklingError("a call reads one file of a result at most")
            self.input = value.key
            return "input", ""
        if isinstance(value, Shared):
            self.shared[value.blob.name] = value.blob
            return "once", value.blob.name
        blob = self.known.get(id(value))
        if blob is None and _is_large(value):
            blob = self.known[id(value)] = self.sharing.blob(value)
        if blob is None or blob.size < SHARED_BYTES_MIN:
            return None
        self.shared[blob.name] = blob
        return blob.name


def _pickled(sharing: Sharing, value: object, whole: dict[int, Blob]) -> Pickled:
    stream = BytesIO()
    pickler = _Pickler(stream, sharing, whole)
    pickler.dump(value)
    return Pickled(stream.getvalue(), tuple(pickler.shared.values()), pickler.input)


def _is_large(value: Any) -> bool:
    """By what it says of itself; objects that say nothing are no larger than what is in them."""
    kind = type(value)
    if kind is int or kind is float or value is None:
        return False
    if kind is str or kind is bytes or kind is bytearray:
        return len(value) >= SHARED_BYTES_MIN
    # of the class: an instance may answer to any name
    if not hasattr(kind, "nbytes"):
        return False
    try:
        return int(value.nbytes) >= SHARED_BYTES_MIN
    except Exception:
        return False


def _by_name(function: Callable[..., Any]) -> Pickled | None:
    if not isinstance(function, types.FunctionType | types.BuiltinFunctionType | type):
        return None
    try:
        data = pickle.dumps(function, PICKLE_PROTOCOL)
    except Exception:
        return None
    return None if b"__main__" in data else Pickled(data)


_constant: weakref.WeakKeyDictionary[types.FunctionType, Function] = weakref.WeakKeyDictionary()


def _known(function: Callable[..., Any]) -> Function | None:
    if not isinstance(function, types.FunctionType):
        return None
    known = _constant.get(function)
    return known if known is not None and _is_constant(function) else None


def _is_constant(function: types.FunctionType) -> bool:
    """Whether its bytes are the same at each time: it sees no variable that is not its own."""
    if function.__closure__ or function.__defaults__ or function.__kwdefaults__ or function.__dict__:
        return False
    known = function.__globals__
    return not any(
        name in known and not isinstance(known[name], types.ModuleType) for name in _names(function.__code__)
    )


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
