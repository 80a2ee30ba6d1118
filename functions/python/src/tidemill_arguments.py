"""Columns of Arrow as a function takes them."""

import contextlib
import importlib
import typing
from collections.abc import Callable
from typing import Any

from tidemill_called import ARROW, NUMPY, PANDAS, POLARS, VALUES
from tidemill_types import arrow, as_type, changed, is_text, numpy, plain_type, types
from tidemill_values import has

DISTINGUISH = "future.distinguish_nan_and_na"


class Arguments:
    def __init__(self, form: str, has_nulls: bool, copies: bool) -> None:
        """
        Args:
            has_nulls: whether NULL may be among the values: types do not depend on whether it is.
            copies: whether the function may write to what it is given.

        Raises:
            ModuleNotFoundError: the library of this form is not there.
        """
        self.form, self.has_nulls, self.copies = form, has_nulls, copies
        self.library: Any = importlib.import_module(form) if form in (PANDAS, POLARS, NUMPY) else None
        self.is_nullable = form == PANDAS and has_nulls
        self.make: Callable[[Any], Any] = {
            VALUES: list_of,
            PANDAS: self.series_of,
            ARROW: lambda column: column,
            POLARS: self.polars_of,
            NUMPY: self.numpy_of,
        }[form]

    def options(self) -> contextlib.AbstractContextManager[Any]:
        """That keep NaN from being NULL."""
        if self.is_nullable:
            with contextlib.suppress(Exception):
                self.library.get_option(DISTINGUISH)
                return typing.cast(
                    contextlib.AbstractContextManager[Any], self.library.option_context(DISTINGUISH, True)
                )
        return contextlib.nullcontext()

    def given(self, columns: list[Any]) -> list[Any]:
        return [self.make(as_type(column, plain_type(column.type))) for column in columns]

    def slicers(self, columns: list[Any]) -> list[Callable[[int, int], Any]]:
        """What gives the rows of a column from one to another."""
        return [self.slicer(given) for given in self.given(columns)]

    def slicer(self, given: Any) -> Callable[[int, int], Any]:
        if self.form in (VALUES, NUMPY):
            return lambda start, stop: given[start:stop]
        if self.form in (ARROW, POLARS):
            return lambda start, stop: given.slice(start, stop - start)
        series, dtype = self.library.Series, given.dtype
        rows = given.to_numpy() if isinstance(dtype, numpy.dtype) else given.array
        # what is of objects is not looked at anew
        return lambda start, stop: series(rows[start:stop], dtype=dtype, copy=False)

    def can_copy(self, error: BaseException) -> bool:
        """Whether the function has raised because it writes; from now on it may."""
        if self.copies or not isinstance(error, ValueError) or "read-only" not in str(error):
            return False
        self.copies = True
        return True

    def series_of(self, column: Any) -> Any:
        pandas, kind = self.library, column.type
        nullable = nullable_dtype(pandas, kind) if self.is_nullable else None
        if nullable is not None:
            series = pandas.Series(nullable.__from_arrow__(column), copy=False)
        elif (types.is_integer(kind) or types.is_floating(kind)) and not column.null_count:
            return pandas.Series(self.writable(column.to_numpy()), copy=False)
        elif types.is_nested(kind):
            # arrays of numpy would not tell what is missing
            series = pandas.Series(list_of(column), dtype=object)
        else:
            series = column.to_pandas()
        return series.copy() if self.copies else series

    def polars_of(self, column: Any) -> Any:
        if has(types.is_interval, column.type):
            raise TypeError("polars has no intervals: take them as pandas, arrow or values")

        def change(kind: Any) -> Any:
            if types.is_decimal256(kind):
                return arrow.decimal128(38, kind.scale)
            # places have names there, and distances have not
            is_distance = types.is_timestamp(kind) and (kind.tz or "").startswith(("+", "-"))
            return arrow.timestamp(kind.unit, "UTC") if is_distance else kind

        return self.library.from_arrow(as_type(column, changed(column.type, change)))

    def numpy_of(self, column: Any) -> Any:
        kind = column.type
        if types.is_nested(kind):
            objects = numpy.empty(len(column), dtype=object)
            for at, value in enumerate(list_of(column)):
                objects[at] = value
            return objects
        is_time = types.is_timestamp(kind) or types.is_date(kind) or types.is_duration(kind)
        is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
        if not self.has_nulls or not (is_time or is_number):
            return self.writable(column.to_numpy(zero_copy_only=False))
        mask = column.is_null().to_numpy(zero_copy_only=False)
        if is_number and column.null_count:
            column = column.fill_null(False if types.is_boolean(kind) else 0)
        return numpy.ma.MaskedArray(self.writable(column.to_numpy(zero_copy_only=False)), mask=self.writable(mask))

    def writable(self, array: Any) -> Any:
        return array.copy() if self.copies and not array.flags.writeable else array


def list_of(column: Any) -> list[Any]:
    column = in_microseconds(column)
    kind = column.type
    is_number = types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind)
    if numpy is not None and (types.is_string(kind) or (is_number and not column.null_count)):
        return typing.cast(list[Any], column.to_numpy(zero_copy_only=False).tolist())
    return typing.cast(list[Any], column.to_pylist())


def in_microseconds(column: Any) -> Any:
    """As Python's times have them.

    Raises:
        ValueError: it has a time of day with nanoseconds.
    """

    def change(kind: Any) -> Any:
        if types.is_timestamp(kind) and kind.unit == "ns":
            return arrow.timestamp("us", kind.tz)
        if types.is_duration(kind) and kind.unit == "ns":
            return arrow.duration("us")
        return arrow.time64("us") if types.is_time64(kind) else kind

    try:
        return as_type(column, changed(column.type, change))
    except arrow.ArrowInvalid:
        if has(types.is_time, column.type):
            raise ValueError(
                "a time has nanoseconds, which Python's datetime.time has not: cast it, or take it as arrow"
            ) from None
        # pandas has a datetime with nanoseconds
        return column


def nullable_dtype(pandas: Any, kind: Any) -> Any:
    if types.is_boolean(kind):
        return pandas.BooleanDtype()
    if is_text(kind):
        return pandas.StringDtype()
    if types.is_integer(kind):
        return getattr(pandas, f"{'U' if types.is_unsigned_integer(kind) else ''}Int{kind.bit_width}Dtype")()
    if types.is_float32(kind) or types.is_float64(kind):
        return getattr(pandas, f"Float{kind.bit_width}Dtype")()
    return None
