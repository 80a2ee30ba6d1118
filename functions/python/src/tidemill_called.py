"""What is called: a function of any kind, its parameters, and the form in which it takes arguments."""

import inspect
import linecache
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from tidemill_types import named

VALUES, PANDAS, ARROW, POLARS, NUMPY = "values", "pandas", "arrow", "polars", "numpy"
# as packages are called in texts
SHORT = {"pd": "pandas", "pl": "polars", "pa": "pyarrow", "np": "numpy", "npt": "numpy"}


class Source:
    """A text of Python that has been run, and what it has defined."""

    def __init__(self, name: str, text: bytes) -> None:
        file = f"functions/{name}.py"
        code = text.decode()
        # so that tracebacks show its lines
        linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
        self.module = types.ModuleType(f"functions.{name}")
        # data classes look for the module that they are of
        sys.modules[self.module.__name__] = self.module
        exec(compile(code, file, "exec"), self.module.__dict__)

    def function(self, name: str) -> Callable[..., Any]:
        found = self.module.__dict__.get(name)
        if not callable(found):
            raise NameError(f"the source of {name} defines no function of that name")
        return typing.cast(Callable[..., Any], found)


def is_async(called: Callable[..., Any]) -> bool:
    of_class = getattr(type(called), "__call__", None)  # noqa: B004
    return any(
        is_kind(each)
        for each in (called, of_class)
        for is_kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )


def parameters_of(called: Callable[..., Any]) -> list[inspect.Parameter]:
    """Those that take arguments by their place; none, if native code does not say."""
    try:
        known = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each for each in known if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD)]


def form_of(called: Callable[..., Any], parameters: list[inspect.Parameter]) -> str:
    """By the annotation of the first parameter."""
    if not parameters:
        return VALUES
    hint = parameters[0].annotation
    if isinstance(hint, str):
        hint = meant(called, hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next((each for each in typing.get_args(hint) if each is not type(None)), hint)
    hint = typing.get_origin(hint) or hint
    package, name = split(hint) if isinstance(hint, str) else named(hint)
    if name == "Series" and package in (PANDAS, POLARS):
        return package
    if package == "numpy" and name in ("ndarray", "NDArray", "MaskedArray"):
        return NUMPY
    if package == "pyarrow" and name.endswith("Array"):
        return ARROW
    if name in ("DataFrame", "Table", "RecordBatch"):
        raise TypeError(
            f"{parameters[0].name} is annotated as {package}.{name}: columns are given as pandas.Series, "
            "pyarrow.Array, polars.Series, numpy.ndarray, or values"
        )
    return VALUES


def meant(called: Callable[..., Any], text: str) -> Any:
    """What the text of an annotation says where the function stands; without such a thing, the text."""
    plain: Any = inspect.unwrap(getattr(called, "func", called))
    known = getattr(plain, "__globals__", None) or getattr(type(plain).__call__, "__globals__", {})
    try:
        return eval(text, known)
    except Exception:
        return text.partition("[")[0].partition("|")[0].strip(" '\"")


def split(text: str) -> tuple[str, str]:
    package, _, name = text.rpartition(".")
    package = package.partition(".")[0]
    return SHORT.get(package, package), name
