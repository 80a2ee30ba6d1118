"""What a worker calls for the rows of a query. It travels by value, as a worker may be without this package."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill._gathered import Gathered

#: read at once, at most
READ_ROWS = 64 * 1024
READ_BYTES = 32 << 20
#: the column that numbers the rows of a group
NUMBER = "__row_of_group"
#: of the memory of a worker that one group may have
MEMORY_DIVISOR = 3


class Pieces:
    """Calls a function with pieces of a range of rows."""

    def __init__(self, fn: Callable[..., Any], label: str, rows: Any, schema: Any, piece_rows: int) -> None:
        self._fn, self._label, self._rows, self._schema = fn, label, rows, schema
        self._piece_rows = piece_rows

    def __call__(self, path: str, start: int, stop: int, first: int) -> Any:
        """
        Args:
            first: the number of the first of these rows in the whole result.
        """
        gathered = Gathered(self._label, self._schema)
        for table in self._pieces(path, start, stop):
            last = first + table.num_rows - 1
            try:
                returned = self._fn(self._rows.of(table))
            except Exception as error:
                tell(error, f"{self._label} raised for the rows {first} to {last} of the query")
                raise
            gathered.add(returned)
            first = last + 1
        return gathered.table()

    def _pieces(self, path: str, start: int, stop: int) -> Iterator[Any]:
        held: list[Any] = []
        count = 0
        for batch in batches(path, start, stop):
            while count + batch.num_rows >= self._piece_rows:
                needed = self._piece_rows - count
                yield pa.Table.from_batches([*held, batch.slice(0, needed)])
                held, count, batch = [], 0, batch.slice(needed)
            if batch.num_rows:
                held.append(batch)
                count += batch.num_rows
        if held:
            yield pa.Table.from_batches(held)


class Groups:
    """Calls a function with each group of a file, whose groups are numbered row by row."""

    def __init__(
        self, fn: Callable[..., Any], label: str, rows: Any, schema: Any, columns: list[str], takes_key: bool
    ) -> None:
        self._fn, self._label, self._rows, self._schema = fn, label, rows, schema
        self._columns = columns
        self._takes_key = takes_key

    def __call__(self, path: str, start: int, stop: int, first: int) -> Any:
        gathered = Gathered(self._label, self._schema)
        for table, edges in self._groups(path, start, stop):
            keys = self._keys(table, edges[:-1])
            for key, rows in zip(keys, self._rows.split(table, edges), strict=True):
                try:
                    returned = self._fn(key, rows) if self._takes_key else self._fn(rows)
                except Exception as error:
                    tell(error, f"{self._label} raised for the group {self._named(key)}")
                    raise
                gathered.add(returned)
        return gathered.table()

    def _groups(self, path: str, start: int, stop: int) -> Iterator[tuple[Any, Any]]:
        """Whole groups that follow each other, with the numbers of their first rows and that of all rows."""
        held: list[Any] = []
        size, limit = 0, group_bytes_max()
        for batch in batches(path, start, stop):
            firsts = np.flatnonzero(batch.column(NUMBER).to_numpy() == 1)
            rows = batch.select([name for name in batch.schema.names if name != NUMBER])
            if len(firsts):
                begun, last = int(firsts[0]), int(firsts[-1])
                if held:
                    yield whole([*held, rows.slice(0, begun)])
                if last > begun:
                    yield pa.Table.from_batches([rows.slice(begun, last - begun)]), firsts - begun
                held, size, rows = [], 0, rows.slice(last)
            held.append(rows)
            size += rows.nbytes
            if limit is not None and size > limit:
                raise MemoryError(self._too_large(held, size))
        if held:
            yield whole(held)

    def _keys(self, table: Any, firsts: Any) -> Iterator[tuple[Any, ...]]:
        return zip(*(table.column(name).take(firsts).to_pylist() for name in self._columns), strict=True)

    def _named(self, key: tuple[Any, ...]) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in zip(self._columns, key, strict=True))

    def _too_large(self, held: list[Any], size: int) -> str:
        (key,) = self._keys(pa.Table.from_batches(held[:1]), [0])
        count = sum(batch.num_rows for batch in held)
        return (
            f"the group {self._named(key)} has more than {count} rows and {size >> 20} MB: a group may have a third "
            "of a worker's memory, so ask for more with memory=, read fewer columns, or group by more"
        )


def whole(held: list[Any]) -> tuple[Any, Any]:
    table = pa.Table.from_batches(held)
    return table, np.array([0, table.num_rows])


def batches(path: str, start: int, stop: int) -> Iterator[Any]:
    """The rows of this range, of the parts of the file that have them."""
    file = pq.ParquetFile(path, memory_map=True)
    parts: list[int] = []
    begins, skipped, size = 0, 0, 0
    for part in range(file.num_row_groups):
        group = file.metadata.row_group(part)
        ends = begins + group.num_rows
        if begins < stop and ends > start:
            if not parts:
                skipped = begins
            parts.append(part)
            size = max(size, group.total_byte_size // max(group.num_rows, 1))
        begins = ends
    if not parts:
        return
    for batch in file.iter_batches(max(1, min(READ_ROWS, READ_BYTES // max(size, 1))), row_groups=parts):
        begins, skipped = skipped, skipped + batch.num_rows
        if skipped > start:
            yield plain(batch.slice(max(start - begins, 0), min(stop, skipped) - max(start, begins)))
        if skipped >= stop:
            return


def plain(batch: Any) -> Any:
    """Without views, which few functions of Arrow know."""
    wanted = pa.schema([field.with_type(plain_type(field.type)) for field in batch.schema])
    return batch if wanted.equals(batch.schema) else batch.cast(wanted)


def plain_type(kind: Any) -> Any:
    match str(kind):
        case "string_view":
            return pa.string()
        case "binary_view":
            return pa.binary()
    if pa.types.is_struct(kind):
        return pa.struct([each.with_type(plain_type(each.type)) for each in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type)))
    if pa.types.is_map(kind):
        return pa.map_(plain_type(kind.key_type), plain_type(kind.item_type))
    return kind


def group_bytes_max() -> int | None:
    memory = os.environ.get("TIDEMILL_MEMORY", "")
    return int(memory) // MEMORY_DIVISOR if memory.isdigit() else None


def tell(error: Exception, where: str) -> None:
    """In the log of the call, and with the error."""
    print(f"tidemill: {where}", file=sys.stderr)
    if sys.version_info >= (3, 11):
        error.add_note(where)
