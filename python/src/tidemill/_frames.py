"""Tables of this process, written as Parquet for statements that read them."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from tidemill._libraries import import_polars, import_pyarrow, import_pyarrow_interchange, import_pyarrow_parquet
from tidemill._plain import plain_schema, plain_table

#: of a group of rows in the file, by which workers share it
GROUP_ROWS = 256 * 1024
GROUP_BYTES = 64 << 20
COMPRESSION = "zstd"

KINDS = "a table of pandas, polars or Arrow, a dict of columns or a list of dicts"


class Frame:
    """A table as it is written."""

    def __init__(self, data: memoryview) -> None:
        self.parts = [data]
        self.size = len(data)
        self.name = hashlib.sha256(data).hexdigest()


def check_frame(name: str, data: Any) -> None:
    if _is_polars(data) or _is_pandas(data) or isinstance(data, Mapping):
        return
    if isinstance(data, list) and all(isinstance(row, Mapping) for row in data):
        return
    if any(hasattr(data, way) for way in ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")):
        return
    # a dataset of Arrow
    if hasattr(data, "scanner") or hasattr(data, "to_reader"):
        return
    raise TypeError(f"{name} must be {KINDS}, not {type(data).__qualname__}")


def write_frame(name: str, data: Any) -> Frame:
    """
    Raises:
        TypeError: a column cannot be written.
    """
    try:
        if _is_polars(data):
            frame = data.lazy().collect()
            if not _has_arrow():
                return Frame(_written_by_polars(frame))
            # what later ones have, Arrow's own casts do not know
            levels = getattr(import_polars(), "CompatLevel", None)
            data = frame.to_arrow() if levels is None else frame.to_arrow(compat_level=levels.oldest())
        return Frame(_written(_reader(data)))
    except (TypeError, ValueError, NotImplementedError, ArithmeticError) as error:
        raise TypeError(f"the table {name} cannot be sent: {_said(error)}") from error


def _reader(data: Any) -> Any:
    """As a reader of batches."""
    opened = _opened(data)
    return opened.to_reader(GROUP_ROWS) if isinstance(opened, import_pyarrow().Table) else opened


def _opened(data: Any) -> Any:
    """As a table or a reader of Arrow."""
    arrow = import_pyarrow()
    if _is_pandas(data):
        # levels without a name only count the rows
        named = [level for level in data.index.names if level is not None]
        return arrow.Table.from_pandas(data.reset_index(level=named) if named else data, preserve_index=False)
    if isinstance(data, Mapping):
        return arrow.table(dict(data))
    if isinstance(data, list):
        names = dict.fromkeys(name for row in data for name in row)
        return arrow.table({name: [row.get(name) for row in data] for name in names})
    if isinstance(data, arrow.Table):
        return data
    if hasattr(data, "scanner"):
        return data.scanner().to_reader()
    if hasattr(data, "__arrow_c_stream__"):
        return arrow.RecordBatchReader.from_stream(data)
    if hasattr(data, "__arrow_c_array__"):
        return arrow.Table.from_batches([arrow.record_batch(data)])
    if hasattr(data, "to_reader"):
        return data.to_reader()
    return import_pyarrow_interchange().from_dataframe(data)


def _written(reader: Any) -> memoryview:
    if not reader.schema.names:
        raise ValueError("it has no columns")
    schema = plain_schema(reader.schema)
    sink = import_pyarrow().BufferOutputStream()
    with import_pyarrow_parquet().ParquetWriter(sink, schema, compression=COMPRESSION) as writer:
        for table in _groups(reader):
            writer.write_table(plain_table(table, schema), row_group_size=GROUP_ROWS)
    return memoryview(sink.getvalue())


def _groups(reader: Any) -> Iterator[Any]:
    """Batches that are small go together."""
    arrow = import_pyarrow()
    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield arrow.Table.from_batches(batches)
            batches, rows, size = [], 0, 0
    if rows:
        yield arrow.Table.from_batches(batches)


def _written_by_polars(frame: Any) -> memoryview:
    if not frame.columns:
        raise ValueError("it has no columns")
    library = import_polars()
    categories = library.selectors.by_dtype(library.Categorical, library.Enum)
    sink = BytesIO()
    frame.with_columns(categories.cast(library.String)).write_parquet(sink, compression=COMPRESSION)
    return sink.getbuffer()


def _is_polars(data: Any) -> bool:
    library = sys.modules.get("polars")
    return library is not None and isinstance(data, library.DataFrame | library.LazyFrame)


def _is_pandas(data: Any) -> bool:
    library = sys.modules.get("pandas")
    return library is not None and isinstance(data, library.DataFrame)


def _has_arrow() -> bool:
    try:
        import_pyarrow()
    except ImportError:
        return False
    return True


def _said(error: Exception) -> str:
    return ", ".join(str(each) for each in error.args) or type(error).__name__
