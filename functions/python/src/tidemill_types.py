"""Types of Arrow."""

import importlib
from collections.abc import Callable
from typing import Any

from tidemill_values import is_view


def importable(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


arrow: Any = importlib.import_module("pyarrow")
# not all interpreters with pyarrow have it
numpy: Any = importable("numpy")
types: Any = arrow.types
# of a second
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def named(kind: Any) -> tuple[str, str]:
    """The package and the name of a class."""
    module = getattr(kind, "__module__", None) or ""
    return str(module).partition(".")[0], str(getattr(kind, "__qualname__", kind))


def is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or is_view(types, "string", kind))


def is_binary(kind: Any) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or is_view(types, "binary", kind))


def is_list(kind: Any) -> bool:
    """Of any lengths."""
    return bool(types.is_list(kind) or types.is_large_list(kind))


NAMES: list[tuple[Callable[[Any], bool], str]] = [
    (types.is_boolean, "boolean"),
    (is_text, "text"),
    (is_binary, "bytea"),
    (types.is_date, "date"),
    (types.is_time, "time"),
    (types.is_interval, "interval"),
    (types.is_duration, "interval"),
]


def list_array(kind: Any, edges: list[int], items: Any, mask: Any = None) -> Any:
    """
    Args:
        edges: where among the items each list starts, and the last one ends.
    """
    is_large = types.is_large_list(kind)
    make = arrow.LargeListArray if is_large else arrow.ListArray
    offsets = arrow.array(edges, arrow.int64() if is_large else arrow.int32())
    return make.from_arrays(offsets, items, type=kind, mask=mask)


def changed(kind: Any, change: Callable[[Any], Any]) -> Any:
    """The same type with others in the place of what it consists of."""
    if types.is_struct(kind):
        return arrow.struct([field.with_type(changed(field.type, change)) for field in kind])
    if is_list(kind):
        make = arrow.large_list if types.is_large_list(kind) else arrow.list_
        return make(kind.value_field.with_type(changed(kind.value_type, change)))
    return change(kind)


def plain_type(kind: Any) -> Any:
    """Without dictionaries and views, which are ways to store what is the same."""

    def change(kind: Any) -> Any:
        if types.is_dictionary(kind):
            return plain_type(kind.value_type)
        if is_view(types, "string", kind):
            return arrow.string()
        return arrow.binary() if is_view(types, "binary", kind) else kind

    return changed(kind, change)


def as_type(array: Any, kind: Any) -> Any:
    return array if array.type == kind else array.cast(kind)


def sql_name(kind: Any) -> str:
    """As a statement would say it."""
    if types.is_dictionary(kind):
        return sql_name(kind.value_type)
    if types.is_integer(kind):
        name = {8: "tinyint", 16: "smallint", 32: "int", 64: "bigint"}[kind.bit_width]
        return f"{name} unsigned" if types.is_unsigned_integer(kind) else name
    if types.is_floating(kind):
        return "double" if kind.bit_width == 64 else "real"
    if types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if types.is_timestamp(kind):
        return f"timestamp({DIGITS[kind.unit]})" + (" with time zone" if kind.tz is not None else "")
    if is_list(kind) or types.is_fixed_size_list(kind):
        return f"{sql_name(kind.value_type)}[]"
    if types.is_struct(kind):
        return f"struct({', '.join(f'{field.name} {sql_name(field.type)}' for field in kind)})"
    return next((name for is_kind, name in NAMES if is_kind(kind)), str(kind))
