"""Libraries that are imported where they are needed, and not before."""

from importlib import import_module
from typing import Any


def pyarrow() -> Any:
    return _imported("pyarrow", "pandas")


def pyarrow_parquet() -> Any:
    return _imported("pa.parquet", "pandas")


def pyarrow_interchange() -> Any:
    return _imported("pa.interchange", "pandas")


def pandas() -> Any:
    return _imported("pandas", "pandas")


def polars() -> Any:
    return _imported("polars", None)


def _imported(module: str, extra: str | None) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        package = name if extra is None else f'"tidemill[{extra}]"'
        raise ImportError(f"{name} is needed for this, and not installed: pip install {package}") from error
