"""How values become bytes: as JSON where they are small and plain, as Arrow where they are data frames, else as
pickles. Who reads JSON and Arrow runs no code.
"""

import base64
import contextlib
import importlib
import io
import json
import math
import pickle
import struct
from typing import Any

PICKLE_PROTOCOL = 5
# larger ones are pickles: they are read and written faster
JSON_VALUES_MAX = 1000
JSON_DEPTH_MAX = 20
JSON_CHARACTERS_MAX = 10_000
INT_MAX = 2**63

Encoded = tuple[str, bytes]


class TableError(Exception):
    """What calls have returned is no table."""


def encoded(value: object) -> Encoded:
    """Returns: the name of the format, and the bytes."""
    kind = type(value)
    if value is None or kind is bool:
        return "json", json.dumps(value).encode()
    if kind in (int, float, str, list, dict) and Plain().has(value, 0):
        return "json", json.dumps(value, ensure_ascii=False).encode()
    if (to_arrow := FRAMES.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")) is not None:
        try:
            if (arrow := to_arrow(value)) is not None:
                return arrow
        except Exception:
            pass  # what Arrow cannot have is a pickle
    return "pickle", pickled(value)


class Plain:
    """Whether JSON has the same value, and each list and dict of it stands in one place."""

    def __init__(self) -> None:
        self.left = JSON_VALUES_MAX
        self.seen: set[int] = set()

    def has(self, value: object, depth: int) -> bool:
        self.left -= 1
        kind = type(value)
        if value is None or kind is bool:
            return True
        if isinstance(value, int):
            return kind is int and -INT_MAX <= value < INT_MAX
        if isinstance(value, float):
            return kind is float and math.isfinite(value)
        if isinstance(value, str):
            return kind is str and is_text(value)
        if kind not in (list, dict) or depth == JSON_DEPTH_MAX or self.left < len(value):  # type: ignore[arg-type]
            return False
        if id(value) in self.seen:
            return False
        self.seen.add(id(value))
        if isinstance(value, dict):
            if not all(type(key) is str and is_text(key) for key in value):
                return False
            value = list(value.values())
        return all(self.has(each, depth + 1) for each in value)  # type: ignore[attr-defined]


def is_text(text: str) -> bool:
    if len(text) > JSON_CHARACTERS_MAX:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def of_pandas(frame: Any) -> Encoded | None:
    """Nothing, if Arrow gives another frame back."""
    arrow = importlib.import_module("pyarrow")
    table = arrow.Table.from_pandas(frame)
    again = table.to_pandas()
    pairs = [(frame.index, again.index), (frame.columns, again.columns)]
    same = again.equals(frame) and again.attrs == frame.attrs
    same = same and all(type(a) is type(b) and a.equals(b) and list(a.names) == list(b.names) for a, b in pairs)
    same = same and all(a == b for a, b in zip(frame.dtypes, again.dtypes, strict=True))
    objects = [at for at, kind in enumerate(frame.dtypes) if str(kind) == "object"]
    same = same and all((frame.iloc[:, at].map(type) == again.iloc[:, at].map(type)).all() for at in objects)
    return ("pandas", of_table(table)[1]) if same else None


def of_polars(frame: Any) -> Encoded | None:
    stream = io.BytesIO()
    frame.write_ipc_stream(stream)
    stream.seek(0)
    again = importlib.import_module("polars").read_ipc_stream(stream)
    return ("polars", stream.getvalue()) if again.schema == frame.schema and again.equals(frame) else None


def of_table(table: Any) -> Encoded:
    arrow = importlib.import_module("pyarrow")
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write(table)
    return "table", sink.getvalue().to_pybytes()


def of_batch(batch: Any) -> Encoded:
    return "batch", of_table(batch)[1]


FRAMES = {
    "pandas.DataFrame": of_pandas,
    "polars.DataFrame": of_polars,
    "pyarrow.Table": of_table,
    "pyarrow.RecordBatch": of_batch,
}


def pickled(value: object) -> bytes:
    """As cloudpickle does what a module does not have a name for, if there is one."""
    try:
        return pickle.dumps(value, PICKLE_PROTOCOL)
    except Exception:
        with contextlib.suppress(ImportError):
            whole: bytes = importlib.import_module("cloudpickle").dumps(value, PICKLE_PROTOCOL)
            return whole
        raise


def file_of(packed: bytes) -> bytes:
    """The rows of several Arrow streams as one Parquet file.

    Args:
        packed: the columns that the table has (a schema message in base64; empty, if it is new), and the streams,
            as `unpacked` reads them.

    Returns: the columns, the number of rows, and the file, as `packed` has them.
    """
    columns, *streams = unpacked(packed)
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise TableError(f"a table needs pyarrow where the function runs ({error})") from None
    tables = [rows_of(arrow, stream) for stream in streams]
    try:
        table = arrow.concat_tables(tables, promote_options="default")
    except arrow.ArrowException as error:
        raise TableError(f"calls have returned tables with different columns: {error}") from None
    if columns:
        wanted = arrow.ipc.open_stream(base64.b64decode(columns)).schema
        table = as_wanted(arrow, table, wanted)
    for field in table.schema:
        if arrow.types.is_null(field.type):
            raise TableError(f"column {field.name} has no value to tell its type: cast it before it is returned")
    empty = arrow.BufferOutputStream()
    arrow.ipc.new_stream(empty, table.schema).close()
    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", store_schema=False)
    return packed_of([base64.b64encode(empty.getvalue()), b"%d" % table.num_rows, sink.getvalue()])


def rows_of(arrow: Any, stream: bytes) -> Any:
    """Without the index of a data frame that has no name, and with plain types."""
    table = arrow.ipc.open_stream(stream).read_all().replace_schema_metadata(None)
    table = table.select([name for name in table.column_names if not is_index(name)])
    if table.num_columns == 0:
        raise TableError("a call has returned a table without columns")
    if len(set(table.column_names)) < table.num_columns:
        raise TableError(f"a call has returned a table with two columns of one name: {table.column_names}")
    fields = [arrow.field(field.name, plain_type(arrow, field.type)) for field in table.schema]
    return table.cast(arrow.schema(fields))


def is_index(name: str) -> bool:
    return name.startswith("__index_level_") and name.endswith("__")


def plain_type(arrow: Any, kind: Any) -> Any:
    types = arrow.types
    if types.is_dictionary(kind):
        return plain_type(arrow, kind.value_type)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return arrow.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return arrow.binary()
    if types.is_large_list(kind) or types.is_list(kind):
        return arrow.list_(plain_type(arrow, kind.value_type))
    return kind


def as_wanted(arrow: Any, table: Any, wanted: Any) -> Any:
    if set(table.column_names) != set(wanted.names):
        raise TableError(f"a call has returned the columns {table.column_names}, and the table has {wanted.names}")
    try:
        return table.select(wanted.names).cast(wanted)
    except (arrow.ArrowException, ValueError) as error:
        raise TableError(f"what calls have returned does not fit the columns of the table: {error}") from None


def unpacked(packed: bytes) -> list[bytes]:
    """Each part after its length (8 bytes, big-endian)."""
    parts, at, whole = [], 0, memoryview(packed)
    while at < len(whole):
        (size,) = struct.unpack_from(">Q", whole, at)
        parts.append(bytes(whole[at + 8 : at + 8 + size]))
        at += 8 + size
    return parts


def packed_of(parts: list[Any]) -> bytes:
    return b"".join(piece for part in parts for piece in (struct.pack(">Q", len(part)), bytes(part)))
