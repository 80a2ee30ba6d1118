"""Libraries that are imported where they are needed, and not before."""

from importlib import import_module
from typing import Any


def import_pyarrow() -> Any:
    return _imported("pyarrow", "pandas")


def import_pyarrow_parquet() -> Any:
    return _imported("pyarrow.parquet", "pandas")


def import_pyarrow_interchange() -> Any:
    return _imported("pyarrow.interchange", "pandas")


def import_pandas() -> Any:
    return _imported("pandas", "pandas")


def import_polars() -> Any:
    return _imported("polars", None)


def _imported(module: str, extra: str | None) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        package = name if extra is None else f'"tidemill[{extra}]"'
        raise ImportError(f"{name} is needed for this, and not installed: pip install {package}") from error
