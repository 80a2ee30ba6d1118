"""How values come back: the worker's `tidemill_values.py` writes them."""

import io
import json
import pickle
from typing import Any

from tidemill._libraries import import_polars, import_pyarrow


class PickledValue:
    """A value that was not unpickled, as that would run code."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<a pickle of {len(self.data)} bytes>"


def decoded(form: str, body: bytes, unpickle: bool = True) -> Any:
    """
    Raises:
        ImportError: the library whose value it is is not here.
    """
    if form == "json":
        return json.loads(body)
    if form == "pickle":
        return pickle.loads(body) if unpickle else PickledValue(body)
    if form == "polars":
        return import_polars().read_ipc_stream(io.BytesIO(body))
    stream = import_pyarrow().ipc.open_stream(body)
    if form == "batch":
        return stream.read_next_batch()
    table = stream.read_all()
    return table.to_pandas() if form == "pandas" else table


def to_arrow(value: object) -> Any:
    """
    Raises:
        TypeError: it is no data frame and no Arrow table.
    """
    pyarrow = import_pyarrow()
    kind = type(value)
    if isinstance(value, pyarrow.Table):
        return value
    if isinstance(value, pyarrow.RecordBatch):
        return pyarrow.Table.from_batches([value])
    match f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}":
        case "pandas.DataFrame":
            # an index without a name only counts the rows, or says which of others they were
            named = [level for level in value.index.names if level is not None]  # type: ignore[attr-defined]
            named_rows = value.reset_index(level=named) if named else value  # type: ignore[attr-defined]
            return pyarrow.Table.from_pandas(named_rows, preserve_index=False)
        case "polars.DataFrame":
            return value.to_arrow()  # type: ignore[attr-defined]
    raise TypeError(f"has returned {_named(value)}, which is no data frame and no Arrow table")


def one_table(tables: list[Any]) -> Any:
    """The rows of all; types that differ from call to call become wider.

    Raises:
        TypeError: their columns are not the same, or have no common type.
    """
    pyarrow = import_pyarrow()
    # a call that has no rows need not know the columns
    counted = [table for table in tables if table.num_rows] or tables[:1] or [pyarrow.table({})]
    for table in counted:
        if set(table.column_names) != set(counted[0].column_names):
            raise _unfit(f"{counted[0].column_names} and {table.column_names}")
    try:
        return pyarrow.concat_tables(counted, promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise _unfit(str(error)) from None


def _unfit(what: str) -> TypeError:
    return TypeError(
        f"calls have returned tables whose columns do not fit each other ({what}): have all return the same "
        "(map_batches and apply are told them by schema=)"
    )


def to_json(value: object) -> str:
    """
    Raises:
        TypeError: JSON cannot have it.
    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError):
        raise TypeError(f"has returned {_named(value)}, which JSON cannot have") from None


def _named(value: object) -> str:
    return repr(value) if isinstance(value, PickledValue) else f"a {type(value).__qualname__}"
