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
UNITS = ["s", "ms", "us", "ns"]

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
    same = again.equals(frame) and again.attrs == frame.attrs and again.flags == frame.flags
    same = same and is_same_index(frame.index, again.index) and is_same_index(frame.columns, again.columns)
    same = same and all(a == b for a, b in zip(frame.dtypes, again.dtypes, strict=True))
    objects = [at for at, kind in enumerate(frame.dtypes) if str(kind) == "object"]
    # what is equal may be of another type
    same = same and all((frame.iloc[:, at].map(repr) == again.iloc[:, at].map(repr)).all() for at in objects)
    return ("pandas", of_table(table)[1]) if same else None


def is_same_index(index: Any, other: Any) -> bool:
    if type(index) is not type(other) or list(index.names) != list(other.names) or not index.equals(other):
        return False
    if getattr(index, "nlevels", 1) > 1:
        return all(is_same_index(a, b) for a, b in zip(index.levels, other.levels, strict=True))
    is_same = index.dtype == other.dtype and getattr(index, "freq", None) == getattr(other, "freq", None)
    return bool(is_same and (str(index.dtype) != "object" or list(map(repr, index)) == list(map(repr, other))))


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
    # a call that has no rows need not know the columns
    tables = [table for table in tables if table.num_columns or table.num_rows] or tables[:1]
    if tables[0].num_columns == 0:
        if not columns:
            raise TableError("calls have returned tables without columns, and there is no table yet that tells them")
        tables = [plain_schema(arrow, arrow.ipc.open_stream(base64.b64decode(columns)).schema).empty_table()]
    for table in tables:
        if set(table.column_names) != set(tables[0].column_names):
            raise TableError(f"calls have returned the columns {tables[0].column_names} and {table.column_names}")
    try:
        table = arrow.concat_tables(tables, promote_options="default")
    except arrow.ArrowException as error:
        raise TableError(f"calls have returned tables with different columns: {error}") from None
    if columns:
        wanted = plain_schema(arrow, arrow.ipc.open_stream(base64.b64decode(columns)).schema)
        table = as_wanted(arrow, table, wanted)
    for field in table.schema:
        if has(arrow.types.is_null, field.type):
            raise TableError(f"column {field.name} has no value to tell its type: cast it before it is returned")
        if has(arrow.types.is_duration, field.type):
            raise TableError(f"column {field.name} is of durations, which Parquet has not: return seconds")
    empty = arrow.BufferOutputStream()
    arrow.ipc.new_stream(empty, table.schema).close()
    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", store_schema=False)
    return packed_of([base64.b64encode(empty.getvalue()), b"%d" % table.num_rows, sink.getvalue()])


def rows_of(arrow: Any, stream: bytes) -> Any:
    """Without the index of a data frame that has no name, and with plain types."""
    table = arrow.ipc.open_stream(stream).read_all().replace_schema_metadata(None)
    table = table.select([name for name in table.column_names if not is_index(name)])
    if len(set(table.column_names)) < table.num_columns:
        raise TableError(f"a call has returned a table with two columns of one name: {table.column_names}")
    return table.cast(plain_schema(arrow, table.schema))


def plain_schema(arrow: Any, schema: Any) -> Any:
    return arrow.schema([arrow.field(field.name, plain_type(arrow, field.type)) for field in schema])


def has(is_kind: Any, kind: Any) -> bool:
    """Whether a type is of a kind, or what it consists of is."""
    children = [kind.field(at).type for at in range(kind.num_fields)]
    return bool(is_kind(kind)) or any(has(is_kind, child) for child in children)


def is_index(name: str) -> bool:
    return name.startswith("__index_level_") and name.endswith("__")


def is_view(types: Any, of: str, kind: Any) -> bool:
    """Older versions of pyarrow have none."""
    return hasattr(types, f"is_{of}_view") and bool(getattr(types, f"is_{of}_view")(kind))


def plain_type(arrow: Any, kind: Any) -> Any:
    types = arrow.types
    if types.is_dictionary(kind):
        return plain_type(arrow, kind.value_type)
    if types.is_large_string(kind) or is_view(types, "string", kind):
        return arrow.string()
    if types.is_large_binary(kind) or is_view(types, "binary", kind):
        return arrow.binary()
    if types.is_large_list(kind) or types.is_list(kind):
        return arrow.list_(plain_type(arrow, kind.value_type))
    return kind


def as_wanted(arrow: Any, table: Any, wanted: Any) -> Any:
    if set(table.column_names) != set(wanted.names):
        raise TableError(f"a call has returned the columns {table.column_names}, and the table has {wanted.names}")
    given = table.select(wanted.names)
    for column, field in zip(given.schema, wanted, strict=True):
        if not keeps_all(arrow.types, column.type, field.type):
            raise TableError(
                f"column {column.name} is {column.type}, and {field.type} in the table, as it was or as the first "
                "calls have returned it: cast it before it is returned"
            )
    try:
        return given.cast(wanted)
    except (arrow.ArrowException, ValueError) as error:
        raise TableError(f"what calls have returned does not fit the columns of the table: {error}") from None


def keeps_all(types: Any, given: Any, wanted: Any) -> bool:
    """Whether each value of a type is one of another."""
    if given == wanted or types.is_null(given):
        return True
    for is_kind in (types.is_signed_integer, types.is_unsigned_integer, types.is_floating):
        if is_kind(given) and is_kind(wanted):
            return bool(given.bit_width <= wanted.bit_width)
    if types.is_unsigned_integer(given) and types.is_signed_integer(wanted):
        return bool(given.bit_width < wanted.bit_width)
    if types.is_integer(given) and types.is_floating(wanted):
        # 24 bits of a real are digits, and 53 of a double
        return bool(given.bit_width <= {32: 16, 64: 32}.get(wanted.bit_width, 0))
    if types.is_decimal(given) and types.is_decimal(wanted):
        whole = given.precision - given.scale <= wanted.precision - wanted.scale
        return bool(whole and given.scale <= wanted.scale)
    if types.is_timestamp(given) and types.is_timestamp(wanted) and given.tz == wanted.tz:
        return UNITS.index(given.unit) <= UNITS.index(wanted.unit)
    if types.is_list(given) and types.is_list(wanted):
        return keeps_all(types, given.value_type, wanted.value_type)
    return False


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
