"""Rows as a function takes them, on its worker. It travels by value, as a worker may be without this package."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: data frames that are made of a table because of what its groups have
PATTERNS_MAX = 8


class ArrowRows:
    def of(self, table: Any) -> Any:
        return table

    def split(self, table: Any, edges: Any) -> Iterator[Any]:
        """The rows between each edge and the next."""
        for start, stop in pairwise(edges.tolist()):
            yield self.of(table.slice(start, stop - start))


class BatchRows(ArrowRows):
    def of(self, table: Any) -> Any:
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)


class PolarsRows:
    def __init__(self, polars: Any) -> None:
        self._polars = polars

    def of(self, table: Any) -> Any:
        return self._polars.from_arrow(table)

    def split(self, table: Any, edges: Any) -> Iterator[Any]:
        whole = self.of(table)
        for start, stop in pairwise(edges.tolist()):
            yield whole.slice(start, stop - start)


class PandasRows(ArrowRows):
    """Numbers and booleans without nulls keep their types, whatever other groups have."""

    def __init__(self, pandas: Any) -> None:
        # a worker that is without it says so when it reads this
        self._pandas = pandas

    def of(self, table: Any) -> Any:
        frame = table.to_pandas()
        for at, column in enumerate(table.columns):
            if _is_wide(column):
                kind = "UInt64" if pa.types.is_unsigned_integer(column.type) else "Int64"
                frame[frame.columns[at]] = self._pandas.array(column.to_pylist(), dtype=kind)
        return frame

    def split(self, table: Any, edges: Any) -> Iterator[Any]:
        frames: dict[tuple[bool, ...], Any] = {}
        if any(map(_is_wide, table.columns)):
            yield from super().split(table, edges)
            return
        changed = [at for at, column in enumerate(table.columns) if column.null_count and _is_changed(column.type)]
        for (start, stop), pattern in zip(pairwise(edges.tolist()), _patterns(table, changed, edges), strict=True):
            whole = frames.get(pattern)
            if whole is None:
                if len(frames) == PATTERNS_MAX:
                    yield self.of(table.slice(start, stop - start))
                    continue
                whole = frames[pattern] = self.of(_filled(table, changed, pattern))
            yield whole.iloc[start:stop].reset_index(drop=True)


def _is_wide(column: Any) -> bool:
    """Whether it has nulls, so that a data frame has floats, and whole numbers that no float is."""
    if not (column.null_count and pa.types.is_integer(column.type)):
        return False
    least, most = (bound.as_py() for bound in pc.min_max(column).values())
    return least is not None and not (least >= -(2**53) and most <= 2**53)


def _is_changed(kind: Any) -> bool:
    """Whether a data frame has the values in another type when there are nulls among them."""
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _patterns(table: Any, changed: list[int], edges: Any) -> Iterator[tuple[bool, ...]]:
    """Of each group, which of these columns have nulls in it."""
    if not changed:
        return iter([()] * (len(edges) - 1))
    nulls = [table.column(at).is_null().to_numpy() for at in changed]
    return zip(*(np.logical_or.reduceat(each, edges[:-1]).tolist() for each in nulls), strict=True)


def _filled(table: Any, changed: list[int], pattern: tuple[bool, ...]) -> Any:
    """Without the nulls of the columns that are to have none."""
    for at, has_nulls in zip(changed, pattern, strict=True):
        if not has_nulls:
            column = table.column(at)
            nothing = pa.scalar(False if pa.types.is_boolean(column.type) else 0, column.type)
            table = table.set_column(at, table.field(at), column.fill_null(nothing))
    return table
