"""Values for the parameters of a statement, as JSON that keeps their types."""

import datetime
import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

Params: TypeAlias = Sequence[Any] | Mapping[str, Any] | None

NAME = re.compile(r"[0-9]+|[A-Za-z_][A-Za-z0-9_]*")
#: larger ones are decimals
INTEGERS = range(-(2**63), 2**63)
DIGITS_MAX = 76
#: nanoseconds of the units of numpy
UNITS = {
    "W": 604_800 * 10**9,
    "D": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}


def encode_params(params: Params) -> dict[str, Any]:
    """By their names without `$`; those of a sequence are 1, 2, …"""
    if params is None:
        return {}
    if isinstance(params, Mapping):
        named = {str(name) if isinstance(name, int) else name: value for name, value in params.items()}
    elif isinstance(params, Sequence) and not isinstance(params, str | bytes | bytearray):
        named = {str(number): value for number, value in enumerate(params, 1)}
    else:
        raise TypeError(f"params must be a sequence or a mapping, not {_kind(params)}")
    for name in named:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a parameter: letters, digits and _, without $")
    return {name: _encoded(name, value) for name, value in named.items()}


def check_text(text: str, what: str) -> str:
    """Half a character cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} is no valid text: {error}") from None
    return text


def _encoded(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if (encoded := _encoded_plain(name, value)) is not None:
        return encoded
    if (encoded := _encoded_time(name, value)) is not None:
        return encoded
    if isinstance(value, list | tuple):
        return {"list": [_encoded(name, each) for each in value]}
    if (known := _encoded_of_libraries(name, value)) is not None:
        return known[0]
    raise TypeError(f"parameter ${name} cannot be a {_kind(value)}")


def _encoded_plain(name: str, value: Any) -> Any:
    match value:
        case int():
            whole = int(value)
            return whole if whole in INTEGERS else _decimal(name, Decimal(whole))
        case float():
            return {"float": repr(float(value))}
        case str():
            return check_text(str.__str__(value), f"parameter ${name}")
        case Decimal():
            return _decimal(name, value)
        case bytes() | bytearray() | memoryview():
            return {"bytes": value.hex()}
        case uuid.UUID():
            return str(value)
    return None


def _decimal(name: str, value: Decimal) -> dict[str, str]:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"parameter ${name} is {value}, which no decimal of SQL is")
    if value.adjusted() >= DIGITS_MAX or exponent < -DIGITS_MAX:
        raise ValueError(f"parameter ${name} is {value}, and a decimal of SQL has at most {DIGITS_MAX} digits")
    return {"decimal": format(value, "f")}


def _encoded_time(name: str, value: Any) -> dict[str, str] | None:
    match value:
        # that of pandas is a datetime, too
        case datetime.datetime() if value != value:
            return None
        case datetime.datetime():
            offset = value.utcoffset()
            if offset is None:
                return {"timestamp": value.isoformat()}
            # zones of long ago have seconds, which no text of SQL has
            utc = value.astimezone(datetime.timezone.utc) if offset % datetime.timedelta(minutes=1) else value
            return {"timestamptz": utc.isoformat()}
        case datetime.date():
            return {"date": value.isoformat()}
        case datetime.time():
            if value.tzinfo is not None:
                raise TypeError(f"parameter ${name} is a time of day with a zone, which SQL here does not have")
            return {"time": value.isoformat()}
        case datetime.timedelta():
            micros = (value.days * 86_400 + value.seconds) * 10**6 + value.microseconds
            return {"interval": _interval(micros * 1000 + int(getattr(value, "nanoseconds", 0)))}
    return None


def _interval(nanos: int) -> str:
    days, left = divmod(abs(nanos), 86_400 * 10**9)
    seconds, fraction = divmod(left, 10**9)
    sign, days = ("-", -days) if nanos < 0 else ("", days)
    digits = f"{fraction:09}"
    return f"{days} days {sign}{seconds}.{digits.removesuffix('000')} seconds"


def _encoded_of_libraries(name: str, value: Any) -> tuple[Any] | None:
    """Returns: what is sent, if it is a value of numpy or pandas."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NaT or value is pandas.NA):
        return (None,)
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    match value:
        case numpy.ndarray() if value.ndim == 1:
            return (_encoded(name, list(value)),)
        case numpy.datetime64() | numpy.timedelta64():
            return None if (encoded := _time_of_numpy(value)) is None else (encoded or None,)
        case numpy.floating():
            return (_encoded(name, float(value)),)
        case numpy.integer() | numpy.bool_():
            return (_encoded(name, value.item()),)
    return None


def _time_of_numpy(value: Any) -> dict[str, str] | None:
    """Returns: nothing in it for no time."""
    import numpy

    if numpy.isnat(value):
        return {}
    unit, count = numpy.datetime_data(value.dtype)
    if isinstance(value, numpy.timedelta64):
        nanos = UNITS.get(unit)
        return None if nanos is None else {"interval": _interval(int(value.astype("i8")) * count * nanos)}
    if unit in "YMWD":
        return {"date": str(value.astype("M8[D]"))}
    return {"timestamp": str(value.astype("M8[s]") if unit in "hm" else value)}


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
