"""How a function takes rows: by the annotation of its parameter."""

import inspect
from collections.abc import Callable
from typing import Any

PANDAS, POLARS, TABLE, BATCH = "pandas", "polars", "table", "batch"

#: by the package, and the name of the class
FORMS = {
    "pandas.DataFrame": PANDAS,
    "polars.DataFrame": POLARS,
    "pyarrow.Table": TABLE,
    "pyarrow.RecordBatch": BATCH,
}
#: as packages are called in texts
SHORT = {"pd": "pandas", "pl": "polars", "pa": "pyarrow"}


def parameters_of(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    """Those that it must be given, or the first one, if it need not be given any.

    Raises:
        TypeError: it is nothing that a worker could call with rows.
    """
    if not callable(fn):
        raise TypeError(f"a function is needed, not {type(fn).__qualname__}")
    if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None)):  # noqa: B004
        raise TypeError("a function of rows must be a plain one, and not async")
    try:
        known = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        # of native code, which does not say
        return [inspect.Parameter("rows", inspect.Parameter.POSITIONAL_ONLY)]
    given = [each for each in known if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD)]
    needed = [each for each in given if each.default is each.empty and each.kind != each.VAR_POSITIONAL]
    return needed or given[:1]


def form_of(fn: Callable[..., Any], parameter: inspect.Parameter) -> str:
    """Data frames of pandas, where the annotation does not say another thing.

    Raises:
        TypeError: the annotation says what rows are not given as.
    """
    hint = parameter.annotation
    if isinstance(hint, str):
        hint = _meant(fn, hint)
    package, name = _split(hint) if isinstance(hint, str) else _named(hint)
    if name in ("Table", "RecordBatch") and isinstance(hint, str):
        package = "pyarrow"
    form = FORMS.get(f"{package}.{name}", PANDAS)
    if form == PANDAS and package in ("polars", "pyarrow"):
        raise TypeError(
            f"{parameter.name} is annotated as {package}.{name}: rows are given as a pandas.DataFrame, "
            "a polars.DataFrame, a pyarrow.Table or a pyarrow.RecordBatch"
        )
    return form


def _meant(fn: Callable[..., Any], text: str) -> Any:
    """What the text of an annotation says where the function stands; without such a thing, the text."""
    plain: Any = inspect.unwrap(getattr(fn, "func", fn))
    known = getattr(plain, "__globals__", None) or getattr(type(plain).__call__, "__globals__", {})
    try:
        return eval(text, known)
    except Exception:
        return text.strip(" '\"")


def _split(text: str) -> tuple[str, str]:
    package, _, name = text.rpartition(".")
    package = package.partition(".")[0]
    return SHORT.get(package, package), name


def _named(hint: Any) -> tuple[str, str]:
    module = getattr(hint, "__module__", None) or ""
    return str(module).partition(".")[0], str(getattr(hint, "__qualname__", hint))
