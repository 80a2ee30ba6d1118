"""Calls functions of statements over batches of rows, which come and go as Arrow.

A scalar function has as many values as there were rows, an aggregate one for each group, a table function rows for
each row. What is returned becomes a column of the declared type, or is `Wrong`.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from tidemill_arguments import Arguments
from tidemill_called import VALUES, Source, form_of, is_async, parameters_of
from tidemill_columns import Column, Wrong
from tidemill_said import counted, cut, said_row
from tidemill_tables import Rows
from tidemill_types import arrow

# of a function that has raised, to find the row
SEARCH_SECONDS_MAX = 10.0

Answered = tuple[dict[str, Any], list[Any]]


class Raised(Exception):
    """A function has raised, for the row or group of this number, if it is known."""

    def __init__(self, error: BaseException, index: int | None) -> None:
        super().__init__()
        self.error, self.index = error, index


class Functions:
    """Those that have been called, with all that does not change from batch to batch."""

    def __init__(self) -> None:
        self.known: dict[str, dict[tuple[Any, ...], Function]] = {}

    def called(
        self, name: str, loaded: Any, batch: dict[str, Any], types: bytes, all_loaded: dict[str, Any]
    ) -> "Function":
        """
        Args:
            name: of its bytes.
            types: a stream of Arrow with the declared type.
            all_loaded: by names; what is not there any more is forgotten here, too.

        Raises:
            ModuleNotFoundError: a library is not there.
            NameError: the source does not define it.
            TypeError: it cannot be called so.
        """
        for forgotten in [each for each in self.known if each not in all_loaded]:
            del self.known[forgotten]
        key = (batch["name"], batch["kind"], batch["input"], batch["on_null"], batch["volatile"], types)
        of_name = self.known.setdefault(name, {})
        found = of_name.get(key)
        if found is None or found.loaded is not loaded:
            found = of_name[key] = Function(loaded, batch, types)
        return found


class Function:
    def __init__(self, loaded: Any, batch: dict[str, Any], types: bytes) -> None:
        self.loaded = loaded
        self.name, self.kind, self.volatile = batch["name"], batch["kind"], batch["volatile"]
        self.called = loaded.function(self.name) if isinstance(loaded, Source) else loaded
        if is_async(self.called):
            raise TypeError(
                f"{self.name} is a coroutine function, and a function of a statement must be a plain one: "
                "let it call asyncio.run"
            )
        self.parameters = parameters_of(self.called)
        self.form = VALUES if self.kind == "table" else batch["input"] or form_of(self.called, self.parameters)
        self.arguments = Arguments(self.form, batch["on_null"] == "call", self.volatile)
        self.schema = arrow.ipc.open_stream(types).schema
        self.returns = self.schema.field(0).type
        self.column = Column(self.returns)
        self.make = {"scalar": self.scalar, "aggregate": self.aggregate, "table": self.table}[self.kind]

    def answer(self, rows: bytes, raised: Callable[[BaseException], Answered]) -> Answered:
        """
        Args:
            rows: a stream of Arrow with one batch.
            raised: makes the answer for an exception.
        """
        batch = index = None
        try:
            batch = arrow.ipc.open_stream(rows).read_next_batch()
            with self.arguments.options():
                column = self.make(batch)
            return {"kind": "returned", "as": "batch"}, [self.stream(column)]
        except Raised as found:
            index = found.index
            answer, body = raised(found.error)
        except Wrong as wrong:
            index = wrong.index
            answer, body = raised(TypeError(str(wrong)))
            answer["wrong"] = True
        except BaseException as error:
            answer, body = raised(error)
        if index is not None:
            with contextlib.suppress(Exception):
                answer["row"] = cut(self.row(batch, index))
        return answer, body

    def stream(self, column: Any) -> Any:
        sink = arrow.BufferOutputStream()
        with arrow.ipc.new_stream(sink, self.schema) as stream:
            stream.write_batch(arrow.RecordBatch.from_arrays([column], schema=self.schema))
        return sink.getvalue()

    def scalar(self, batch: Any) -> Any:
        if batch.num_rows == 0:
            return arrow.nulls(0, self.returns)
        if self.form == VALUES:
            return self.column.of_values(self.values(batch))
        return self.column.of_returned(self.whole(batch.columns, batch.num_rows), batch.num_rows, self.form)

    def values(self, batch: Any) -> list[Any]:
        given = self.arguments.given(batch.columns)
        calls: Iterator[Any] = map(self.called, *given) if given else (self.called() for _ in range(batch.num_rows))
        values: list[Any] = []
        try:
            # what has been returned is there when a call raises, too
            values.extend(calls)
        except BaseException as error:
            raise Raised(error, len(values)) from None
        if len(values) < batch.num_rows:
            raise Raised(RuntimeError(f"{self.name} raised StopIteration"), len(values))
        return values

    def whole(self, columns: list[Any], count: int) -> Any:
        owner = os.getpid()
        while True:
            try:
                return self.called(*self.arguments.given(columns))
            except BaseException as error:
                if self.arguments.can_copy(error):
                    continue
                # a fork is not to call anything
                searched = isinstance(error, Exception) and not self.volatile and columns and os.getpid() == owner
                raise Raised(error, self.first_that_raises(columns, count, error) if searched else None) from None

    def first_that_raises(self, columns: list[Any], count: int, error: BaseException) -> int | None:
        """The row for which the function raises by itself."""

        def raises(start: int, stop: int) -> bool:
            try:
                self.called(*self.arguments.given([column.slice(start, stop - start) for column in columns]))
            except BaseException as other:
                return type(other) is type(error)
            return False

        until = time.monotonic() + SEARCH_SECONDS_MAX
        start, stop = 0, count
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            while stop - start > 1:
                middle = (start + stop) // 2
                halves = ((start, middle), (middle, stop))
                half = next((each for each in halves if time.monotonic() < until and raises(*each)), None)
                if half is None:
                    return None
                start, stop = half
            return start if count > 1 or raises(start, stop) else None

    def aggregate(self, batch: Any) -> Any:
        edges, columns = groups(batch)
        slicers = self.arguments.slicers(columns)
        called, values = self.called, list[Any]()
        while len(values) < len(edges):
            start, stop = edges[len(values)]
            try:
                values.append(called(*[of(start, stop) for of in slicers]))
            except BaseException as error:
                if not self.arguments.can_copy(error):
                    raise Raised(error, len(values)) from None
                slicers = self.arguments.slicers(columns)
        return self.column.of_scalars(values, self.form)

    def table(self, batch: Any) -> Any:
        rows = Rows(self.returns)
        given = self.arguments.given(batch.columns)
        for row, each in enumerate(zip(*given, strict=True) if given else [()] * batch.num_rows):
            rows.begin()
            try:
                rows.add(self.called(*each))
            except Wrong:
                raise
            except BaseException as error:
                raise Raised(error, row) from None
        return rows.column()

    def row(self, batch: Any, index: int) -> str:
        """Of arguments, as the message about it shows it."""
        if self.kind != "aggregate":
            return said_row(self.names(batch.schema.names), batch.columns, index)
        edges, columns = groups(batch)
        start, stop = edges[index]
        if start == stop:
            return "a group without rows"
        first = said_row(self.names([field.name for field in batch.column(0).type.value_type]), columns, start)
        of = f"a group of {counted(stop - start, 'row')}"
        return f"{of}: {first}" if stop - start == 1 else f"{of}, the first of them {first}"

    def names(self, columns: list[str]) -> list[str]:
        names = [each.name for each in self.parameters if each.kind != each.VAR_POSITIONAL]
        return names[: len(columns)] + columns[len(names) :]


def groups(batch: Any) -> tuple[list[tuple[int, int]], list[Any]]:
    """Where the rows of each group are among the rows of all."""
    lists = batch.column(0)
    offsets = lists.offsets.to_pylist()
    edges = list(itertools.pairwise(offsets))
    if lists.null_count:
        edges = [edge if valid else (0, 0) for edge, valid in zip(edges, lists.is_valid().to_pylist(), strict=True)]
    rows = lists.values
    return edges, rows.flatten() if rows.type.num_fields else []
