"""What a function has returned as a column of the declared type, if each value stays what it is.

Values that Arrow does not turn into that type exactly are looked at one by one.
"""

import collections.abc
import datetime
import functools
import importlib
import itertools
from collections.abc import Callable
from typing import Any

from tidemill_called import NUMPY, PANDAS
from tidemill_fitting import Unfit, fit, unwrapped
from tidemill_said import counted, said
from tidemill_types import (
    arrow,
    as_type,
    is_binary,
    is_list,
    is_text,
    list_array,
    named,
    numpy,
    plain_type,
    sql_name,
    types,
)

compute: Any = importlib.import_module("pyarrow.compute")
FAILURES = (arrow.ArrowException, ValueError, OverflowError, TypeError)
# whole numbers up to it are doubles
DOUBLE_MAX = 2**53
LISTS = {list, tuple, type(None), *([numpy.ndarray] if numpy is not None else [])}
INTEGERS = {int, *((numpy.int8, numpy.int16, numpy.int32, numpy.int64) if numpy is not None else ())}
EXACT: list[tuple[Callable[[Any], bool], set[type]]] = [
    (types.is_integer, INTEGERS),
    # integers that it rounds are looked at
    (types.is_float32, {float}),
    (types.is_float64, {float, *INTEGERS, *((numpy.float64, numpy.float32) if numpy is not None else ())}),
    (types.is_boolean, {bool}),
    (is_text, {str}),
    (is_binary, {bytes}),
    (types.is_date32, {datetime.date}),
    (types.is_time64, {datetime.time}),
]


class Wrong(Exception):
    """What a function has returned is not what is declared."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


class Column:
    """Makes a column of a type."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.plain = kind.value_type if types.is_dictionary(kind) else kind
        self.is_floating = types.is_floating(self.plain)
        self.is_zoned = types.is_timestamp(kind) and kind.tz is not None
        self.exact = exact_types(self.plain)
        self.item = Column(kind.value_type) if is_list(kind) else None
        self.members = {field.name: Column(field.type) for field in kind} if types.is_struct(kind) else {}

    def of_returned(self, value: Any, count: int, form: str) -> Any:
        """What a function of columns has returned."""
        make = self.maker(value, form)
        if make is None:
            one = (str, bytes, bytearray, memoryview, collections.abc.Mapping, collections.abc.Set)
            is_one = isinstance(value, one) or getattr(value, "ndim", 1) == 0
            if is_one or not isinstance(value, collections.abc.Iterable):
                raise Wrong(f"returned {said(value)} for {counted(count, 'row')}: a value for each row is needed")
            make, value = self.of_values, list(value)
        if len(value) != count:
            raise Wrong(f"returned {counted(len(value), 'value')} for {counted(count, 'row')}")
        return make(value)

    def maker(self, value: Any, form: str = "") -> Callable[[Any], Any] | None:
        """What makes a column of one of any library."""
        package, name = named(type(value))
        if is_frame(value):
            return self.of_frame
        if isinstance(value, (arrow.Array, arrow.ChunkedArray)):
            return self.of_arrow
        if package == "polars" and name == "Series":
            return self.of_polars
        if package == "pandas" and hasattr(value, "dtype") and hasattr(value, "__len__"):
            return self.of_pandas
        if numpy is not None and isinstance(value, numpy.ndarray) and value.ndim > 0:
            # which has no zones
            return functools.partial(self.of_numpy, zone_is_utc=form == NUMPY)
        return None

    def of_frame(self, frame: Any) -> Any:
        """A struct's members."""
        if not types.is_struct(self.kind):
            raise Wrong(f"returned a {type(frame).__qualname__} where {sql_name(self.kind)} is declared")
        is_arrow = isinstance(frame, (arrow.RecordBatch, arrow.Table))
        names = [str(name) for name in (frame.schema.names if is_arrow else frame.columns)]
        if sorted(names) != sorted(self.members):
            raise Wrong(f"returned the columns {', '.join(names)} where {', '.join(self.members)} are declared")
        return self.of_members([frame.column(name) if is_arrow else frame[name] for name in self.members])

    def of_members(self, columns: list[Any]) -> Any:
        arrays = []
        for (name, member), column in zip(self.members.items(), columns, strict=True):
            try:
                arrays.append((member.maker(column) or member.of_values)(column))
            except Wrong as wrong:
                raise Wrong(f"{wrong} as {name}", wrong.index) from None
        return arrow.StructArray.from_arrays(arrays, fields=list(self.kind))

    def of_pandas(self, value: Any) -> Any:
        values = getattr(value, "array", value)
        if type(value.dtype).__module__.partition(".")[0] == "numpy":
            return self.of_numpy(values.to_numpy(), nan_is_null=True)
        if hasattr(values, "__arrow_array__"):
            try:
                return self.of_arrow(arrow.array(values), nan_is_null=True)
            except FAILURES:
                pass
        return self.of_values(list(value), nan_is_null=True)

    def of_polars(self, value: Any) -> Any:
        try:
            array = None if str(value.dtype) == "Object" else value.to_arrow()
        except FAILURES:
            # of 128 bits
            array = None
        return self.of_values(value.to_list()) if array is None else self.of_arrow(array)

    def of_numpy(self, value: Any, nan_is_null: bool = False, zone_is_utc: bool = False) -> Any:
        dtype = value.dtype
        if value.ndim != 1:
            return self.of_values(list(value), nan_is_null)
        if dtype.kind not in "biufMm":
            return self.of_values(value.tolist(), nan_is_null)
        if not dtype.isnative:
            value = value.astype(dtype.newbyteorder("="))
        if dtype.kind in "Mm" and numpy.datetime_data(dtype)[0] in ("Y", "M", "W", "h", "m"):
            value = value.astype(f"{'datetime' if dtype.kind == 'M' else 'timedelta'}64[s]")
        try:
            array = arrow.array(value)
        except arrow.ArrowException:
            return self.of_values(value.tolist(), nan_is_null)
        if zone_is_utc and self.is_zoned and types.is_timestamp(array.type):
            array = array.cast(arrow.timestamp(array.type.unit, "UTC"))
        return self.of_arrow(array, nan_is_null)

    def of_arrow(self, array: Any, nan_is_null: bool = False) -> Any:
        if isinstance(array, arrow.ChunkedArray):
            array = array.chunk(0) if array.num_chunks == 1 else in_one(array.combine_chunks())
        if isinstance(array, arrow.ExtensionArray):
            array = array.storage
        if array.type == self.kind:
            return array
        if types.is_null(array.type):
            return arrow.nulls(len(array), self.kind)
        array = as_type(array, plain_type(array.type))
        if types.is_floating(array.type) and not self.is_floating and nan_is_null:
            array = compute.if_else(compute.is_nan(array), arrow.scalar(None, array.type), array)
        fitting = self.cast(array)
        if fitting is None:
            try:
                values = array.to_pylist()
            except Exception:
                # what Python's times cannot have
                came, declared = sql_name(array.type), sql_name(self.kind)
                raise Wrong(f"returned {came} where {declared} is declared") from None
            return self.of_values(values, nan_is_null)
        return self.stored(fitting)

    def cast(self, array: Any) -> Any:
        """Nothing, if values may change."""
        kind, wanted = array.type, self.plain
        try:
            if types.is_floating(kind) and types.is_integer(wanted):
                ends = compute.min_max(array).as_py()
                is_small = all(each is None or abs(each) <= DOUBLE_MAX for each in ends.values())
                return array.cast(wanted) if is_small else None
            if types.is_floating(kind) and self.is_floating:
                rounded = array.cast(wanted, safe=False)
                is_inf = compute.is_inf
                is_narrow = kind.bit_width > wanted.bit_width
                return None if is_narrow and not is_inf(rounded).equals(is_inf(array)) else rounded
            return array.cast(wanted) if casts_exactly(kind, wanted) else None
        except arrow.ArrowException:
            return None

    def of_values(self, values: list[Any], nan_is_null: bool = False) -> Any:
        kinds = set(map(type, values))
        array = None
        if kinds <= self.exact and self.has_right_zones(kinds, values):
            try:
                # a number that a real has not would be infinite in it
                is_real = self.is_floating and self.plain.bit_width < 64
                array = in_one(arrow.array(values, arrow.float64() if is_real else self.plain))
                array = self.cast(array) if is_real else array
            except FAILURES:
                array = None
        if array is None:
            array = self.of_lists(kinds, values, nan_is_null)
        if array is None:
            array = in_one(self.of_any_values(values, nan_is_null))
        return self.stored(array)

    def stored(self, array: Any) -> Any:
        return array if self.plain is self.kind else array.dictionary_encode().cast(self.kind)

    def has_right_zones(self, kinds: set[type], values: list[Any]) -> bool:
        if datetime.datetime in kinds:
            return all(each is None or (each.utcoffset() is None) is not self.is_zoned for each in values)
        return datetime.time not in kinds or all(each is None or each.tzinfo is None for each in values)

    def of_lists(self, kinds: set[type], values: list[Any], nan_is_null: bool) -> Any:
        """All items at once; nothing, if it is to be said which of them is wrong."""
        if self.item is None or not kinds <= LISTS:
            return None
        given = [each for each in values if each is not None]
        arrays = [each for each in given if type(each) not in (list, tuple)]
        if any(each.ndim != 1 for each in arrays):
            return None
        try:
            if arrays and len(arrays) == len(given) and len({each.dtype for each in arrays}) == 1:
                items = self.item.of_numpy(numpy.concatenate(arrays), nan_is_null)
            else:
                items = self.item.of_values([*itertools.chain.from_iterable(map(unwrapped, given))], nan_is_null)
        except Wrong:
            return None
        edges = [*itertools.accumulate((0 if each is None else len(each) for each in values), initial=0)]
        mask = arrow.array([each is None for each in values]) if len(given) < len(values) else None
        return list_array(self.kind, edges, items, mask)

    def of_any_values(self, values: list[Any], nan_is_null: bool) -> Any:
        fitting = []
        for index, value in enumerate(values):
            try:
                fitting.append(fit(self.plain, value, nan_is_null))
            except Unfit as unfit:
                raise Wrong(self.message(value, unfit), index) from None
        try:
            return arrow.array(fitting, self.plain)
        except FAILURES as error:
            raise Wrong(f"returned values that are no {sql_name(self.plain)}: {error}") from None

    def message(self, value: object, unfit: Unfit) -> str:
        message = f"returned {said(value)} where {sql_name(self.kind)} is declared"
        if unfit.kind != self.plain:
            message += f": {said(unfit.value)} is no {sql_name(unfit.kind)}"
        return message + (f": {unfit.why}" if unfit.why else "")

    def of_scalars(self, values: list[Any], form: str) -> Any:
        """What a function of groups has returned."""
        kinds = set(map(type, values))
        if numpy is not None and len(kinds) == 1:
            is_plain = issubclass(kinds.pop(), (numpy.number, numpy.bool_, numpy.datetime64))
            if is_plain and len({each.dtype for each in values}) == 1:
                return self.of_numpy(numpy.array(values), form == PANDAS, form == NUMPY)
        return self.of_values(values, form == PANDAS)


def is_frame(value: object) -> bool:
    return isinstance(value, (arrow.RecordBatch, arrow.Table)) or type(value).__qualname__ == "DataFrame"


def in_one(array: Any) -> Any:
    if isinstance(array, arrow.ChunkedArray):
        raise Wrong("returned more than a column of one batch can hold")
    return array


def exact_types(kind: Any) -> set[type]:
    """Of Python, whose values Arrow turns into those of a type exactly, or not at all."""
    exact = next((exact for is_kind, exact in EXACT if is_kind(kind)), set[type]())
    if types.is_timestamp(kind) and kind.unit in ("us", "ns"):
        exact = {datetime.datetime}
    return exact | {type(None)}


def casts_exactly(kind: Any, wanted: Any) -> bool:
    """Whether Arrow's cast keeps each value of a type, or raises."""
    if kind == wanted or types.is_null(kind):
        return True
    if types.is_integer(kind):
        return bool(types.is_integer(wanted) or types.is_float32(wanted) or types.is_float64(wanted))
    if types.is_timestamp(kind) and types.is_timestamp(wanted):
        return (kind.tz is None) == (wanted.tz is None)
    if is_list(kind) and is_list(wanted):
        return casts_exactly(kind.value_type, wanted.value_type)
    if types.is_struct(kind) and types.is_struct(wanted) and len(kind) == len(wanted):
        pairs = zip(kind, wanted, strict=True)
        return all(a.name == b.name and casts_exactly(a.type, b.type) for a, b in pairs)
    return any(is_kind(kind) and is_kind(wanted) for is_kind in (types.is_decimal, is_text, is_binary, types.is_time))
