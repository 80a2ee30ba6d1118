"""One value as Arrow takes it for a type."""

import collections.abc
import dataclasses
import datetime
import decimal
import math
import struct
from collections.abc import Callable
from typing import Any

from tidemill_types import DIGITS, arrow, importable, is_binary, is_list, is_text, named, types

EPOCH = datetime.datetime(1970, 1, 1)
EPOCH_UTC = EPOCH.replace(tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)
DAY = 86_400 * 10**9
# more digits than a decimal has; nothing raises
EXACT = decimal.Context(prec=200, traps=[])
# of pandas' and dateutil's offsets, as months, days and nanoseconds
OFFSETS = {"years": (12, 0, 0), "months": (1, 0, 0), "weeks": (0, 7, 0), "days": (0, 1, 0)}
OFFSETS |= {"hours": (0, 0, 3600 * 10**9), "minutes": (0, 0, 60 * 10**9), "seconds": (0, 0, 10**9)}
OFFSETS |= {"milliseconds": (0, 0, 10**6), "microseconds": (0, 0, 1000), "nanoseconds": (0, 0, 1)}


class Unfit(Exception):
    """A value is none of a type."""

    def __init__(self, value: object, kind: Any, why: str = "") -> None:
        super().__init__()
        self.value, self.kind, self.why = value, kind, why


def fit(kind: Any, value: Any, nan_is_null: bool) -> Any:
    """
    Raises:
        Unfit: it would be another one.
    """
    value = unwrapped(value)
    if value is None or (nan_is_null and type(value) is float and value != value and not types.is_floating(kind)):
        return None
    for is_kind, fit_plain in PLAIN:
        if is_kind(kind):
            return fit_plain(kind, value)
    if types.is_dictionary(kind):
        return fit(kind.value_type, value, nan_is_null)
    if types.is_struct(kind):
        members = members_of(value, [field.name for field in kind])
        if members is not None:
            return {field.name: fit(field.type, each, nan_is_null) for field, each in zip(kind, members, strict=True)}
    elif (is_list(kind) or types.is_fixed_size_list(kind)) and isinstance(value, (list, tuple, range)):
        if types.is_fixed_size_list(kind) and len(value) != kind.list_size:
            raise Unfit(value, kind, f"it has {len(value)} values")
        return [fit(kind.value_type, each, nan_is_null) for each in value]
    raise Unfit(value, kind)


def unwrapped(value: Any) -> Any:
    """As Python has it: what libraries have instead, and nothing for what they say is missing."""
    if value is None or type(value) in (int, float, str, bool, bytes, list, tuple, dict):
        return value
    package, name = named(type(value))
    if name in ("NAType", "NaTType", "MaskedConstant"):
        return None
    if package == "numpy":
        if name in ("datetime64", "timedelta64"):
            return unwrapped_time(value)
        if name == "ndarray" and value.ndim == 0:
            return unwrapped(value[()])
        # a list of times has numbers for some of them
        return list(value) if value.dtype.kind in "Mm" else value.tolist()
    if isinstance(value, arrow.Scalar):
        return value.as_py()
    if isinstance(value, (arrow.Array, arrow.ChunkedArray)):
        return value.to_pylist()
    if package == "polars" and name == "Series":
        return value.to_list()
    if package == "pandas" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def unwrapped_time(value: Any) -> Any:
    is_point = value.dtype.kind == "M"
    if value != value:
        return None
    whole = value.astype("datetime64[us]" if is_point else "timedelta64[us]")
    if whole == value:
        return whole.item()
    pandas = importable("pandas")
    if pandas is None:
        return value
    return pandas.Timestamp(value) if is_point else pandas.Timedelta(value)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool)


def fit_boolean(kind: Any, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(value, kind)
    return value


def fit_integer(kind: Any, value: Any) -> int:
    if not is_number(value) or not math.isfinite(value) or int(value) != value:
        raise Unfit(value, kind)
    bits = kind.bit_width
    low, high = (0, 2**bits) if types.is_unsigned_integer(kind) else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if not low <= int(value) < high:
        raise Unfit(value, kind, f"it has the numbers from {low} to {high - 1}")
    return int(value)


def fit_floating(kind: Any, value: Any) -> float:
    if not is_number(value):
        raise Unfit(value, kind)
    try:
        number = float(value)
        # also raises where a real would be infinite
        rounded = struct.unpack("<f", struct.pack("<f", number))[0] if kind.bit_width < 64 else number
    except (OverflowError, ValueError):
        raise Unfit(value, kind, "it is too large") from None
    if isinstance(value, float):
        return number
    if isinstance(value, int):
        is_same = math.isfinite(rounded) and int(rounded) == value
    else:
        is_same = not value.is_finite() or (math.isfinite(rounded) and decimal.Decimal(repr(rounded)) == value)
    if not is_same:
        raise Unfit(value, kind, "it would be rounded")
    return float(rounded)


def fit_decimal(kind: Any, value: Any) -> decimal.Decimal:
    if not is_number(value) or not math.isfinite(value):
        raise Unfit(value, kind)
    given = decimal.Decimal(repr(float(value)) if isinstance(value, float) else value)
    scaled = given.quantize(decimal.Decimal((0, (1,), -kind.scale)), context=EXACT)
    if scaled != given:
        raise Unfit(value, kind, f"it has more than {kind.scale} digits after the point")
    if len(scaled.as_tuple().digits) > kind.precision and scaled:
        raise Unfit(value, kind, f"it has more than {kind.precision} digits")
    return scaled


def fit_text(kind: Any, value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit(value, kind)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit(value, kind, "it has half a character") from None
    return str(value)


def fit_binary(kind: Any, value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise Unfit(value, kind)
    return bytes(value)


def fit_date(kind: Any, value: Any) -> datetime.date:
    if not isinstance(value, datetime.date):
        raise Unfit(value, kind)
    if not isinstance(value, datetime.datetime):
        return value
    if value.utcoffset() is not None:
        raise Unfit(value, kind, "it has a zone")
    if value.time() != datetime.time() or getattr(value, "nanosecond", 0) != 0:
        raise Unfit(value, kind, "it has a time of day")
    return value.date()


def fit_time(kind: Any, value: Any) -> int:
    if not isinstance(value, datetime.time):
        raise Unfit(value, kind)
    if value.tzinfo is not None:
        raise Unfit(value, kind, "it has a zone")
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return ticks(kind, value, (seconds * 10**6 + value.microsecond) * 1000)


def fit_timestamp(kind: Any, value: Any) -> int:
    if not isinstance(value, datetime.date):
        raise Unfit(value, kind)
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    has_zone = value.utcoffset() is not None
    if has_zone and kind.tz is None:
        raise Unfit(value, kind, "it has a zone")
    if not has_zone and kind.tz is not None:
        raise Unfit(value, kind, "it has no zone")
    plain = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    since = plain - EPOCH_UTC if has_zone else plain.replace(tzinfo=None) - EPOCH
    return ticks(kind, value, since // MICROSECOND * 1000 + getattr(value, "nanosecond", 0))


def ticks(kind: Any, value: object, nanoseconds: int) -> int:
    unit: int = 10 ** (9 - DIGITS[kind.unit])
    count, rest = divmod(nanoseconds, unit)
    if rest:
        raise Unfit(value, kind, f"it has more than {DIGITS[kind.unit]} digits of a second")
    if not -(2**63) <= count < 2**63:
        raise Unfit(value, kind, "it is too far away")
    return count


def fit_interval(kind: Any, value: Any) -> Any:
    package, name = named(type(value))
    if isinstance(value, datetime.timedelta):
        microseconds = value.seconds * 10**6 + value.microseconds
        parts = [0, value.days, microseconds * 1000 + getattr(value, "nanoseconds", 0)]
    elif isinstance(value, arrow.MonthDayNano):
        parts = list(value)
    elif (package, name) == ("pandas", "DateOffset") and not value.normalize:
        parts = summed(kind, value, value.kwds or {"days": 1}, value.n)
    elif (package, name) == ("dateutil", "relativedelta"):
        parts = summed(kind, value, {of: each for of, each in vars(value).items() if of != "_has_time"}, 1)
    else:
        raise Unfit(value, kind)
    if not all(-(2**bits) <= each < 2**bits for each, bits in zip(parts, (31, 31, 63), strict=True)):
        raise Unfit(value, kind, "it is too long")
    return arrow.MonthDayNano(parts)


def summed(kind: Any, value: object, offsets: dict[str, Any], times: int) -> list[int]:
    said = {of: each for of, each in offsets.items() if each}
    if not said.keys() <= OFFSETS.keys():
        raise Unfit(value, kind, "it says more than a distance")
    parts = [sum(each * OFFSETS[of][at] for of, each in said.items()) * times for at in range(3)]
    if any(each != int(each) for each in parts):
        raise Unfit(value, kind, "it has parts of a nanosecond, a day or a month")
    return [int(each) for each in parts]


def members_of(value: Any, names: list[str]) -> tuple[Any, ...] | list[Any] | None:
    """What a value has under these names; nothing, if it has others, or is none that has names."""
    if isinstance(value, (tuple, list)):
        if len(value) != len(names):
            return None
        of = value._asdict() if hasattr(value, "_asdict") else {}
        return [of[name] for name in names] if set(of) == set(names) else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if not isinstance(value, collections.abc.Mapping) or not set(value) <= set(names):
        return None
    return [value.get(name) for name in names]


PLAIN: list[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]]] = [
    (types.is_integer, fit_integer),
    (types.is_floating, fit_floating),
    (types.is_decimal, fit_decimal),
    (types.is_boolean, fit_boolean),
    (is_text, fit_text),
    (is_binary, fit_binary),
    (types.is_date, fit_date),
    (types.is_time, fit_time),
    (types.is_timestamp, fit_timestamp),
    (types.is_interval, fit_interval),
]
