"""Rows that calls of a table function return, as a column of lists of them."""

import bisect
import collections.abc
import dataclasses
from typing import Any

from tidemill_columns import Column, Wrong, is_frame
from tidemill_fitting import members_of
from tidemill_said import said
from tidemill_types import arrow, list_array, types

# before they become Arrow
ROWS_HELD_MAX = 65_536


class Rows:
    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.row = Column(kind.value_type)
        self.names = list(self.row.members)
        self.is_single = len(self.names) == 1
        # else what has names is a value
        self.takes_rows = not (self.is_single and types.is_struct(kind.value_type.field(0).type))
        self.chunks: list[Any] = []
        self.chunk_rows = 0
        self.held: list[Any] = []
        # the number of the first row that each call has returned
        self.starts: list[int] = []

    def begin(self) -> None:
        """The next call."""
        self.starts.append(self.chunk_rows + len(self.held))

    def call(self) -> int:
        return len(self.starts) - 1

    def add(self, returned: Any) -> None:
        """What the call has returned, which may raise as it goes on."""
        if returned is None:
            return
        if is_frame(returned):
            self.flush()
            try:
                self.keep(self.row.of_frame(returned))
            except Wrong as wrong:
                raise Wrong(str(wrong), self.call()) from None
            return
        is_one = isinstance(returned, (str, bytes, collections.abc.Mapping)) or hasattr(returned, "_fields")
        if is_one or not isinstance(returned, collections.abc.Iterable):
            message = f"returned {said(returned)}, and not rows: a table function returns a list or yields"
            raise Wrong(message, self.call())
        for row in returned:
            self.held.append(row if type(row) is tuple and len(row) == len(self.names) else self.members(row))
            if len(self.held) >= ROWS_HELD_MAX:
                self.flush()

    def members(self, row: Any) -> Any:
        if self.is_single:
            is_row = isinstance(row, (tuple, collections.abc.Mapping)) or dataclasses.is_dataclass(row)
            if not is_row or not self.takes_rows:
                return (row,)
        members = members_of(row, self.names)
        if members is None:
            raise Wrong(f"returned the row {said(row)} where {', '.join(self.names)} are declared", self.call())
        return members

    def flush(self) -> None:
        if self.held:
            try:
                chunk = self.row.of_members([list(column) for column in zip(*self.held, strict=True)])
            except Wrong as wrong:
                # the call that has returned the row
                row = None if wrong.index is None else self.chunk_rows + wrong.index
                raise Wrong(str(wrong), row if row is None else bisect.bisect_right(self.starts, row) - 1) from None
            self.held = []
            self.keep(chunk)

    def keep(self, chunk: Any) -> None:
        self.chunks.append(chunk)
        self.chunk_rows += len(chunk)

    def column(self) -> Any:
        self.flush()
        rows = arrow.concat_arrays(self.chunks or [arrow.nulls(0, self.kind.value_type)])
        return list_array(self.kind, [*self.starts, len(rows)], rows)
