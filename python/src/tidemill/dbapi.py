"""DB-API 2.0 (PEP 249), for what speaks SQL through it: `tidemill.dbapi.connect()`.

    with tm.connect() as connection:
        pandas.read_sql("SELECT * FROM orders WHERE price > ?", connection, params=[10])

Parameters are `?`, or `$1` and `$name` as `tidemill.sql` has them. Each statement is a run, and what it writes is
there once it has ended: there are no transactions.
"""

import datetime
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from types import TracebackType
from typing import Any, ClassVar, TypeAlias

from tidemill import _placeholders
from tidemill._errors import RunFailed
from tidemill._libraries import import_pyarrow
from tidemill._query import Query
from tidemill._sql import sql

apilevel = "2.0"
#: threads may share the module and connections
threadsafety = 2
paramstyle = "qmark"

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]
Row: TypeAlias = tuple[Any, ...]

#: statements that begin otherwise write, and have no rows
READS = frozenset(["SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "DESCRIBE", "DESC", "FROM", "SHOW"])
#: how many rows become Python's values at once, whoever fetches them one by one
ROWS_AT_ONCE = 1024
#: the table that the rows of `executemany` are
ROWS_TABLE = "executemany_rows"


class Warning(Exception):
    pass


class Error(Exception):
    pass


class InterfaceError(Error):
    pass


class DatabaseError(Error):
    pass


class DataError(DatabaseError):
    pass


class OperationalError(DatabaseError):
    pass


class IntegrityError(DatabaseError):
    pass


class InternalError(DatabaseError):
    pass


class ProgrammingError(DatabaseError):
    pass


class NotSupportedError(DatabaseError):
    pass


#: in the sentence that says why a run failed
SIGNS: dict[type[Error], tuple[str, ...]] = {
    ProgrammingError: ("the SQL", "is not supported", "there is no table at", "a job is one statement"),
    OperationalError: ("cancelled", "the deadline of", "the program tidemill ended"),
    DataError: ("Cast error", "CAST(", "Divide by zero", "verflow", "out of range"),
}


class TypeObject:
    """Equal to the types of columns that it stands for: `STRING == cursor.description[0][1]`."""

    def __init__(self, *kinds: str) -> None:
        self._kinds = kinds

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeObject):
            return self is other
        from pyarrow import DataType, types

        return isinstance(other, DataType) and any(getattr(types, f"is_{kind}")(other) for kind in self._kinds)

    def __hash__(self) -> int:
        return hash(self._kinds)

    def __repr__(self) -> str:
        return f"<TypeObject {' '.join(self._kinds)}>"


STRING = TypeObject("string", "large_string", "string_view")
BINARY = TypeObject("binary", "large_binary", "binary_view", "fixed_size_binary")
NUMBER = TypeObject("integer", "floating", "decimal", "boolean")
DATETIME = TypeObject("temporal")
#: there is none
ROWID = TypeObject()

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    return Timestamp(*time.localtime(ticks)[:6])


def connect(bucket: str | None = None, *, max_workers: int | None = None, **options: Any) -> "Connection":
    """Opens nothing yet: the first statement does.

    Args:
        options: those of `tidemill.sql`, for each statement.
    """
    return Connection(bucket, max_workers, options)


class Connection:
    """Where statements go."""

    Warning: ClassVar = Warning
    Error: ClassVar = Error
    InterfaceError: ClassVar = InterfaceError
    DatabaseError: ClassVar = DatabaseError
    DataError: ClassVar = DataError
    OperationalError: ClassVar = OperationalError
    IntegrityError: ClassVar = IntegrityError
    InternalError: ClassVar = InternalError
    ProgrammingError: ClassVar = ProgrammingError
    NotSupportedError: ClassVar = NotSupportedError

    def __init__(self, bucket: str | None, max_workers: int | None, options: dict[str, Any]) -> None:
        self._options = {"progress": False, **options, "bucket": bucket, "max_workers": max_workers}
        self._is_closed = False
        #: whether anything was written since the last `commit`
        self._has_written = False

    def cursor(self) -> "Cursor":
        self._refuse_if_closed()
        return Cursor(self)

    def execute(self, operation: str, parameters: Parameters | None = None) -> "Cursor":
        """On a new cursor, which is returned."""
        return self.cursor().execute(operation, parameters)

    def commit(self) -> None:
        """What a statement writes is there when it has ended."""
        self._refuse_if_closed()
        self._has_written = False

    def rollback(self) -> None:
        """Nothing is to be taken back after statements that only read, or that failed."""
        self._refuse_if_closed()
        if self._has_written:
            self._has_written = False
            raise NotSupportedError("what a statement has written stays: there are no transactions")

    def close(self) -> None:
        self._refuse_if_closed()
        self._is_closed = True

    def __enter__(self) -> "Connection":
        self._refuse_if_closed()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise ProgrammingError("the connection is closed")

    def _query(self, statement: str, parameters: Parameters, frames: dict[str, Any]) -> Query:
        return sql(statement, parameters or None, **self._options, **frames)


class Cursor:
    """One statement after another, and the rows of the last one."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        #: for each column: name, type of Arrow, and five that are of no meaning here
        self.description: list[tuple[str, Any, None, None, None, None, bool | None]] | None = None
        #: of the result, or written
        self.rowcount = -1
        self.lastrowid = None
        #: of the last statement
        self.query: Query | None = None
        self._rows: _Rows | None = None
        self._is_closed = False

    def execute(self, operation: str, parameters: Parameters | None = None) -> "Cursor":
        """Runs a statement to its end. Returns: this cursor."""
        self._forget()
        parameters = () if parameters is None else parameters
        return self._run(_placed(operation, parameters), parameters, {}, _reads(operation))

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> "Cursor":
        """`INSERT … VALUES (…)` is one run, whatever number of rows there is; any other statement is one for each."""
        self._forget()
        rows = list(seq_of_parameters)
        if _reads(operation):
            raise ProgrammingError("executemany is for statements that write")
        if not rows:
            self.rowcount = 0
            return self
        for row in rows:
            _placed(operation, row)
        whole = _placeholders.over_rows(operation, ROWS_TABLE)
        if whole is not None and (columns := _columns(rows)) is not None:
            return self._run(whole, (), {ROWS_TABLE: columns}, False)
        count = 0
        for row in rows:
            self._run(_placed(operation, row), row, {}, False)
            count += self.rowcount
        self.rowcount = count
        return self

    def fetchone(self) -> Row | None:
        return next(iter(self._result().take(1)), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        return self._result().take(self.arraysize if size is None else size)

    def fetchall(self) -> list[Row]:
        return self._result().take(None)

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def fetch_arrow_table(self) -> Any:
        """The rows that were not fetched yet, as a `pyarrow.Table`."""
        return self._result().reader().read_all()

    def fetch_record_batch(self) -> Any:
        """Those rows as they come, as a `pyarrow.RecordBatchReader`."""
        return self._result().reader()

    def fetch_df(self) -> Any:
        """Those rows, as a `pandas.DataFrame`."""
        return self.fetch_arrow_table().to_pandas()

    def fetch_polars(self) -> Any:
        """Those rows, as a `polars.DataFrame`."""
        import polars

        return polars.DataFrame(self.fetch_arrow_table())

    def cancel(self) -> None:
        """Ends the run of the last statement, from another thread."""
        if self.query is not None:
            self.query.cancel()

    def close(self) -> None:
        self._forget()
        self._is_closed = True

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Of no consequence."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Of no consequence."""

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_closed:
            self.close()

    def _forget(self) -> None:
        if self._is_closed:
            raise ProgrammingError("the cursor is closed")
        self.connection._refuse_if_closed()
        self.description = self._rows = self.query = None
        self.rowcount = -1

    def _run(self, statement: str, parameters: Parameters, frames: dict[str, Any], reads: bool) -> "Cursor":
        with _translated():
            self.query = query = self.connection._query(statement, parameters, frames)
            self.rowcount = query.rows
            if reads:
                self._rows = _Rows.of(query)
                self.description = [
                    (field.name, field.type, None, None, None, None, field.nullable) for field in self._rows.schema
                ]
        if not reads:
            self.connection._has_written = True
        return self

    def _result(self) -> "_Rows":
        if self._is_closed:
            raise ProgrammingError("the cursor is closed")
        self.connection._refuse_if_closed()
        if self._rows is None:
            raise ProgrammingError("no results to fetch: no statement was run, or the last one wrote")
        return self._rows


class _Rows:
    """The rest of a result. Rows become Python's values some at a time."""

    def __init__(self, schema: Any, batches: Iterator[Any]) -> None:
        self.schema = schema
        self._batches = batches
        #: what is left of the batch that was begun
        self._left: Any = None
        #: rows at its start, as values
        self._ready: deque[Row] = deque()

    @classmethod
    def of(cls, query: Query) -> "_Rows":
        batches = query.batches()
        first = next(batches, None)
        # the first file is not fetched twice
        return cls(query.schema, batches) if first is None else cls(first.schema, chain([first], batches))

    def take(self, count: int | None) -> list[Row]:
        """Returns: at most `count` rows, fewer only at the end; without a number, all."""
        rows: list[Row] = []
        while (count is None or len(rows) < count) and self._prepare():
            some = len(self._ready) if count is None else min(count - len(rows), len(self._ready))
            rows += [self._ready.popleft() for _ in range(some)]
            self._left = self._left.slice(some)
        return rows

    def reader(self) -> Any:
        import pyarrow

        return pyarrow.RecordBatchReader.from_batches(self.schema, self._rest())

    def _rest(self) -> Iterator[Any]:
        left, self._left = self._left, None
        self._ready.clear()
        if left is not None:
            yield left
        with _translated():
            yield from self._batches

    def _prepare(self) -> bool:
        """Returns: whether there is a row."""
        while not self._ready:
            if self._left is None or not self._left.num_rows:
                with _translated():
                    self._left = next(self._batches, None)
            if self._left is None:
                return False
            some = self._left.slice(0, ROWS_AT_ONCE)
            self._ready.extend(zip(*(column.to_pylist() for column in some.columns), strict=True))
        return True


def _reads(sql: str) -> bool:
    return _placeholders.first_word(sql) in READS


def _placed(sql: str, parameters: Parameters) -> str:
    """With numbers for `?`, of which there must be as many as parameters."""
    questions, names = _placeholders.marks(sql)
    if isinstance(parameters, str | bytes):
        raise ProgrammingError("parameters are a sequence or a mapping, and not one value")
    if questions and isinstance(parameters, Mapping):
        raise ProgrammingError("the parameters are a mapping: name them as $name in the statement, in the place of ?")
    if questions and names:
        raise ProgrammingError(f"the statement has both ? and ${min(names)}: use one of them")
    if (questions or not names) and questions != len(parameters):
        raise ProgrammingError(f"the statement has {questions} parameters, and {len(parameters)} values were given")
    return _placeholders.numbered(sql)


def _columns(rows: list[Parameters]) -> dict[str, Any] | None:
    """Under the names that the parameters have in the statement.

    Returns: nothing where the rows are no table: they have no values, not the same ones, or not of one type.
    """
    named = [row if isinstance(row, Mapping) else {str(at + 1): value for at, value in enumerate(row)} for row in rows]
    names = list(named[0])
    if not names or any(list(row) != names for row in named):
        return None
    arrow = import_pyarrow()
    try:
        return {name: arrow.array([row[name] for row in named]) for name in names}
    except (arrow.ArrowException, TypeError, ValueError, ArithmeticError):
        return None


@contextmanager
def _translated() -> Iterator[None]:
    """With the exceptions of this module."""
    try:
        yield
    except RunFailed as error:
        raise _failure(error) from error
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise ProgrammingError(str(error)) from error


def _failure(error: RunFailed) -> Error:
    if type(error) is not RunFailed:
        return OperationalError(str(error))
    kinds = (kind for kind, signs in SIGNS.items() if any(sign in str(error) for sign in signs))
    return next(kinds, DatabaseError)(str(error))
