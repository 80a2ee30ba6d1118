"""What `sql` gives: the rows of a statement, which runs when they are first asked for."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from tidemill._estimate import Estimate
from tidemill._files import Files
from tidemill._frame import Head
from tidemill._html import html_of_rows
from tidemill._libraries import import_pandas, import_polars, import_pyarrow
from tidemill._sending import Sending
from tidemill._waiting import wait_for_end

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tidemill._columns import Columns
    from tidemill._parts import GroupedQuery
    from tidemill._result import Result

#: of a table in a notebook
SHOWN_ROWS = 10


class Query:
    """A statement that runs when its rows, or their number, are first asked for, and once.

    Ctrl-C while it waits cancels the run.
    """

    def __init__(self, sending: Sending, progress: str | bool) -> None:
        self._sending = sending
        self._progress = progress
        self._cursor: Iterator[tuple[Any, ...]] | None = None

    def wait(self) -> "Query":
        """Runs the statement to its end. Returns: this query.

        Raises:
            RunFailed: it cannot be run, or was cancelled.
        """
        self._ended()
        return self

    def __await__(self) -> Generator[Any, None, "Query"]:
        return self._awaited().__await__()

    def batches(self) -> Iterator["pa.RecordBatch"]:
        """The rows, one file of the result after the other; two are held at most."""
        files = self._files()
        return iter(self._counted().to_batches()) if files is None else files.batches()

    def to_arrow(self) -> "pa.Table":
        return self._reader().read_all()

    def to_pandas(self, **options: Any) -> "pd.DataFrame":
        """With the options of `pyarrow.Table.to_pandas`."""
        import_pandas()
        return self.to_arrow().to_pandas(**options)

    def to_polars(self) -> "pl.DataFrame":
        files = self._files()
        return import_polars().DataFrame({"count": [self.rows]}) if files is None else files.polars()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Lets other libraries read the rows, such as `polars.DataFrame(query)` and DuckDB."""
        return self._reader().__arrow_c_stream__(requested_schema)

    def map_batches(
        self,
        fn: Callable[[Any], Any],
        schema: "Columns | None" = None,
        *,
        batch_rows: int | None = None,
        into: str | None = None,
        **options: Any,
    ) -> "Result[Any]":
        """Calls `fn` with the rows, piece by piece, on the workers; the statement runs first.

            tm.sql("SELECT id, text FROM notes").map_batches(score, "id bigint, score double", into="scores")

        The function takes a pandas.DataFrame, or what its parameter is annotated as: polars.DataFrame, pyarrow.Table
        or pyarrow.RecordBatch. It returns any of these, or None for no rows.

        Args:
            schema: the columns that it returns: a pyarrow.Schema, types by the names of columns, or a text of SQL;
                without it, they are as they come, and calls that return no rows have no say.
            batch_rows: that the function is given at once, at most.
            into: the table that the rows go into, in the place of coming back.
            options: those of `map`.
        """
        import_pyarrow()
        from tidemill._parts import map_batches

        return map_batches(self, fn, schema, batch_rows, {"into": into, **options})

    def group_by(self, *columns: str) -> "GroupedQuery":
        """The rows with the same values in these columns together, as in `GROUP BY`: then `apply`."""
        import_pyarrow()
        from tidemill._parts import GroupedQuery

        return GroupedQuery(self, columns)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row that was not fetched yet."""
        return next(self._rows(), None)

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """At most so many of them."""
        return list(islice(self._rows(), size))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rest of them."""
        return list(self._rows())

    @property
    def schema(self) -> "pa.Schema":
        """Of the rows; the statement runs for it."""
        files = self._files()
        return self._counted().schema if files is None else files.schema()

    @property
    def rows(self) -> int:
        """How many rows there are, or went into a table; the statement runs for it."""
        return int(self._ended()["rows"])

    def explain(self) -> str:
        """The plan, and what it would take; the statement does not run for it."""
        return str(self._explained()["text"])

    @property
    def estimate(self) -> Estimate:
        """What the statement would take; it does not run for it."""
        return Estimate.of(self._explained().get("estimate") or {})

    @property
    def run(self) -> str | None:
        """The name of the run, once it has begun."""
        run = self._sending.run
        return None if run is None else run.name

    @property
    def cost_usd(self) -> float:
        """Of the run, once it has ended."""
        run = self._sending.run
        return 0.0 if run is None else run.cost_usd

    def cancel(self) -> None:
        """Ends the run; one that has not begun will not."""
        self._sending.cancel()

    def _repr_html_(self) -> str:
        """The first rows; the statement runs for them."""
        ended = self._ended()
        if ended.get("into") is not None:
            return html_of_rows([], [], f"{self.rows} rows went into {ended['into']}")
        reader = self._reader()
        rows = (row for batch in reader for row in _tuples(batch.slice(0, SHOWN_ROWS)))
        return html_of_rows(reader.schema.names, islice(rows, SHOWN_ROWS), f"{self.rows} rows")

    def __repr__(self) -> str:
        run = self._sending.run
        if run is None:
            return "<Query not begun>"
        said = [run.status or "running"]
        if run.name is not None:
            said.append(f"run {run.name}")
        if run.status == "succeeded":
            said.append(f"{run.answer()['rows']} rows")
        return f"<Query {', '.join(said)}>"

    def _ended(self) -> Head:
        run = self._sending.begin()
        self._sending.check_process(run)
        wait_for_end(run, self._progress)
        return run.answer()

    async def _awaited(self) -> "Query":
        try:
            run = await asyncio.to_thread(self._sending.begin)
            self._sending.check_process(run)
            await asyncio.shield(asyncio.wrap_future(run.outcome))
        except asyncio.CancelledError:
            self.cancel()
            raise
        run.answer()
        return self

    def _explained(self) -> Head:
        run = self._sending.explain()
        self._sending.check_process(run)
        run.outcome.result()
        return run.answer()

    def _files(self) -> Files | None:
        """Returns: nothing where the rows went into a table."""
        ended, session = self._ended(), self._sending.session
        if ended.get("into") is not None or not ended.get("files") or session is None:
            return None
        return Files(session, ended["files"])

    def _reader(self) -> "pa.RecordBatchReader":
        files = self._files()
        return self._counted().to_reader() if files is None else files.reader()

    def _counted(self) -> "pa.Table":
        """What there is to see of rows that went into a table."""
        return import_pyarrow().table({"count": [self.rows]})

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        if self._cursor is None:
            self._cursor = (row for batch in self.batches() for row in _tuples(batch))
        return self._cursor


def _tuples(batch: "pa.RecordBatch") -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(column) for column in batch.columns), strict=True)


def _values(column: "pa.Array") -> list[Any]:
    """Times of Python have microseconds."""
    kind, arrow = column.type, import_pyarrow()
    if str(kind).startswith("timestamp[ns"):
        column = column.cast(arrow.timestamp("us", kind.tz), safe=False)
    elif str(kind) in ("time64[ns]", "duration[ns]"):
        column = column.cast(arrow.type_for_alias(str(kind).replace("ns", "us")), safe=False)
    values: list[Any] = column.to_pylist()
    return values
