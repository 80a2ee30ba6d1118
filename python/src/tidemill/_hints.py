"""What the annotations of a function say: types of SQL, and as what its arguments come."""

import contextlib
import datetime
import inspect
import sys
import types
from collections.abc import Callable
from typing import Annotated, Any, Union, get_args, get_origin

from tidemill._forms import SHORT

#: of values
TYPES = {
    int: "bigint",
    float: "double",
    str: "text",
    bool: "boolean",
    bytes: "bytea",
    datetime.date: "date",
    # a timestamp without digits has those of a nanosecond, and fewer years
    datetime.datetime: "timestamp(6)",
    datetime.time: "time",
}
VALUES = "values"
#: by the package, and the name of the class
FORMS = {"pandas.Series": "pandas", "polars.Series": "polars", "numpy.ndarray": "numpy", "numpy.NDArray": "numpy"}
#: as packages are called in texts
PACKAGES = {**SHORT, "np": "numpy", "npt": "numpy"}
#: of those packages, and nothing that arguments come as
OTHERS = ("DataFrame", "LazyFrame", "Table", "RecordBatch", "ChunkedArray", "Index")


def hint_of(fn: Callable[..., Any], hint: Any) -> Any:
    """What an annotation says where the function stands: the text of one that cannot be read, nothing for none."""
    if hint is inspect.Parameter.empty:
        return None
    if not isinstance(hint, str):
        return hint
    plain: Any = inspect.unwrap(getattr(fn, "func", fn))
    short = {name: sys.modules[package] for name, package in PACKAGES.items() if package in sys.modules}
    try:
        said = eval(hint, {"datetime": datetime, **short, **getattr(plain, "__globals__", {})}, _closed(plain))
    except Exception:
        return hint.strip(" '\"")
    # a text in a text
    return hint_of(fn, said) if isinstance(said, str) and said != hint else said


def type_of(hint: Any) -> str | None:
    """Returns: nothing where it says none."""
    hint = _present(hint)
    if get_origin(hint) is list:
        items = [type_of(item) for item in get_args(hint)]
        return f"{items[0]}[]" if items and items[0] is not None else None
    return TYPES.get(hint) if isinstance(hint, type) else None


def form_of(what: str, hint: Any) -> str | None:
    """Returns: nothing where it says of no library what the arguments are.

    Raises:
        TypeError: it says what they never are.
    """
    package, name = _named(_present(hint))
    if package in ("pandas", "polars", "pyarrow") and name in OTHERS:
        raise TypeError(
            f"{what} is annotated as {package}.{name}: arguments come as values, or each as a pandas.Series, "
            "a polars.Series, a pyarrow.Array or a numpy.ndarray"
        )
    if package == "pyarrow" and name.endswith("Array"):
        return "arrow"
    return FORMS.get(f"{package}.{name}")


def _closed(plain: Any) -> dict[str, Any]:
    """The variables of the functions around it that it sees."""
    names = getattr(getattr(plain, "__code__", None), "co_freevars", ())
    known = {}
    for name, cell in zip(names, getattr(plain, "__closure__", None) or (), strict=True):
        # one that is yet to be defined has none, such as its own
        with contextlib.suppress(ValueError):
            known[name] = cell.cell_contents
    return known


def _present(hint: Any) -> Any:
    """Without what says that it may be missing."""
    if get_origin(hint) is Annotated:
        return _present(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        some = [each for each in get_args(hint) if each is not types.NoneType]
        return _present(some[0]) if len(some) == 1 else hint
    return hint


def _named(hint: Any) -> tuple[str, str]:
    if isinstance(hint, str):
        package, _, name = hint.partition("[")[0].partition("|")[0].strip().rpartition(".")
        package = package.partition(".")[0]
        return PACKAGES.get(package, package), name
    kind = get_origin(hint) or hint
    module = getattr(kind, "__module__", None) or ""
    return str(module).partition(".")[0], str(getattr(kind, "__qualname__", kind))
