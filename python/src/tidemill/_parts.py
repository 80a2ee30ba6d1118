"""Functions of Python over the rows of a query: one run of calls, each of which reads a file of the result."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import cloudpickle

from tidemill import _gathered, _given, _groups
from tidemill._columns import Columns, schema_of
from tidemill._executor import Executor
from tidemill._forms import BATCH, PANDAS, POLARS, form_of, parameters_of
from tidemill._frame import Head
from tidemill._libraries import import_pandas, import_polars
from tidemill._map import executor_of
from tidemill._pickle import label
from tidemill._placeholders import unended
from tidemill._query import Query
from tidemill._result import Result
from tidemill._shared import Input
from tidemill._statement import Statement

#: for each call that runs at once, so that all workers are busy until the end
CALLS_OF_WORKER = 4
CALL_ROWS_MIN = 1000
PIECE_ROWS_MAX = 100_000

for module in (_gathered, _given, _groups):
    cloudpickle.register_pickle_by_value(module)


class GroupedQuery:
    """The rows of a query, those with the same values in some columns together."""

    def __init__(self, query: Query, columns: Sequence[str]) -> None:
        if not columns or not all(isinstance(name, str) for name in columns):
            raise TypeError("group_by needs the names of columns")
        self._query = query
        self._columns = list(dict.fromkeys(columns))

    def apply(
        self,
        fn: Callable[..., Any],
        schema: "Columns | None" = None,
        *,
        into: str | None = None,
        **options: Any,
    ) -> Result[Any]:
        """Calls `fn` with each group, whole, on the workers; the statement runs first, once.

            tm.sql("SELECT * FROM sales").group_by("shop").apply(forecast, "shop bigint, day date, sold double")

        The function takes the rows, or the key (a tuple) and the rows, and returns rows, as that of `map_batches`
        does. Groups come in no order. A null is a key, as NaN is; -0.0 and 0.0 are one.

        Args:
            schema: the columns that it returns, as in `map_batches`.
            into: the table that the rows go into, in the place of coming back.
            options: those of `map`.
        """
        needed = parameters_of(fn)
        if len(needed) not in (1, 2):
            raise TypeError(f"{_name(fn)} has {len(needed)} parameters: a function of groups has (rows) or (key, rows)")
        rows, columns = _rows_of(form_of(fn, needed[-1])), _schema(schema)
        called = _groups.Groups(fn, _name(fn), rows, columns, self._columns, len(needed) == 2)
        options = {"into": into, **options}
        executor = _executor(self._query, fn, options)
        files = _files(self._numbered)
        return _run(executor, called, _of_files(files, columns))

    @cached_property
    def _numbered(self) -> Query:
        """The same rows: equal keys are in one file, next to each other, and numbered."""
        sending = self._query._sending
        known = sending.statement
        partitions = CALLS_OF_WORKER * executor_of(sending._key).concurrency
        text = _numbering(known.text, self._columns)
        options = {"partitions": partitions, **known.options}
        return Query(sending.of_same_tables(Statement(text, known.params, known.name, options)), self._query._progress)


def map_batches(
    query: Query,
    fn: Callable[..., Any],
    schema: "Columns | None",
    batch_rows: int | None,
    options: dict[str, Any],
) -> Result[Any]:
    needed = parameters_of(fn)
    if len(needed) != 1:
        raise TypeError(f"{_name(fn)} has {len(needed)} parameters: a function of rows has one")
    if batch_rows is not None and batch_rows < 1:
        raise ValueError("batch_rows must be greater than 0")
    rows, columns = _rows_of(form_of(fn, needed[0])), _schema(schema)
    called = _groups.Pieces(fn, _name(fn), rows, columns, batch_rows or PIECE_ROWS_MAX)
    executor = _executor(query, fn, options)
    files = _files(query)
    ranges = list(_ranges(files, CALLS_OF_WORKER * executor.concurrency, batch_rows))
    return _run(executor, called, ranges or _of_files(files, columns))


def _name(fn: Callable[..., Any]) -> str:
    return label(fn).rpartition(".")[2]


def _schema(columns: "Columns | None") -> Any:
    return None if columns is None else schema_of(columns)


def _rows_of(form: str) -> Any:
    if form == PANDAS:
        return _given.PandasRows(import_pandas())
    if form == POLARS:
        return _given.PolarsRows(import_polars())
    return _given.BatchRows() if form == BATCH else _given.ArrowRows()


def _executor(query: Query, fn: Callable[..., Any], options: dict[str, Any]) -> Executor:
    return executor_of(query._sending._key).with_options(**{"echo": False, "name": label(fn), **options})


def _files(query: Query) -> list[Head]:
    """
    Raises:
        ValueError: the statement has written its rows elsewhere.
    """
    ended = query._ended()
    if ended.get("into") is not None or not ended.get("files"):
        raise ValueError("the statement gives no rows that a function could have: it writes into a table")
    files: list[Head] = ended["files"]
    return files


Range = tuple[Input, int, int, int]


def _of_files(files: Sequence[Head], schema: Any) -> list[Range]:
    """A call for each file that has rows; for one that has none, if nothing else tells of the schema."""
    ranges = [(Input(file["key"]), 0, file["rows"], 0) for file in files if file["rows"]]
    return ranges if ranges or schema is None else [(Input(files[0]["key"]), 0, 0, 0)]


def _ranges(files: Sequence[Head], calls: int, batch_rows: int | None) -> Iterator[Range]:
    """About so many, with whole pieces each, if there are rows enough."""
    piece = batch_rows or 1
    least = batch_rows or CALL_ROWS_MIN
    whole = max(sum(file["rows"] for file in files), 1)
    first = 0
    for file in files:
        count = file["rows"]
        parts = max(min(count // least, count * calls // whole), 1)
        size = max(-(-count // (parts * piece)) * piece, 1)
        for start in range(0, count, size):
            yield Input(file["key"]), start, min(start + size, count), first + start
        first += count


def _run(executor: Executor, called: Callable[..., Any], ranges: Sequence[Range]) -> Result[Any]:
    session = executor._session
    futures, calls = executor._calls(called, ranges)
    if len(calls) < len(futures):
        raise next(error for future in futures if future.done() and (error := future.exception()))
    runs = [session.submit_run(calls)] if calls else []
    return Result(session, futures, calls, runs, False, executor._options.progress)


def _numbering(sql: str, columns: Sequence[str]) -> str:
    keys = ", ".join('"{}"'.format(name.replace('"', '""')) for name in columns)
    return f"SELECT *, row_number() OVER (PARTITION BY {keys}) AS {_groups.NUMBER} FROM (\n{unended(sql)}\n) AS q"
