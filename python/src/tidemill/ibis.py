"""The backend "tidemill" of Ibis: `ibis.tidemill.connect()`.

Tables are those of the bucket. What is only here (memtables, temporary tables, files that are read) goes along with
each statement that names it, and is uploaded once.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future as Promise
from contextlib import contextmanager
from datetime import timedelta
from glob import glob
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary, WeakValueDictionary

import ibis
import ibis.common.exceptions as com
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.schema as sch
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.dataset as ds
import sqlglot.expressions as sge
from ibis import util
from ibis.backends import DirectPyArrowExampleLoader, NoUrl, SupportsTempTables
from ibis.backends.sql import SQLBackend
from ibis.formats.pyarrow import PyArrowSchema

from tidemill import _placeholders
from tidemill._errors import RunFailed
from tidemill._frame import Head
from tidemill._ibis_sql import compiler
from tidemill._map import executor_of
from tidemill._query import Query
from tidemill._sql import sql

#: an interval of days and times, as PostgreSQL writes it
INTERVAL = re.compile(
    r"(?:(?P<days>-?\d+) days?)? ?"
    r"(?:(?P<sign>[-+])?(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)(?:\.(?P<fraction>\d+))?)?"
)
#: what the planner says of a table that is not in the bucket
NO_TABLE = "there is no data file at"


class Backend(SupportsTempTables, SQLBackend, NoUrl, DirectPyArrowExampleLoader):  # type: ignore[misc]
    name = "tidemill"
    compiler: ClassVar[Any] = compiler
    supports_python_udfs = False

    @property
    def version(self) -> str:
        return version("tidemill")

    def do_connect(self, bucket: str | None = None, *, max_workers: int | None = None, **options: Any) -> None:
        """Opens nothing yet: the first expression does.

        Args:
            options: those of `tidemill.sql`, for each statement.
        """
        self._options = {"progress": False, **options, "bucket": bucket, "max_workers": max_workers}
        self._temporary: dict[str, pa.Table] = {}
        self._memtables_named: WeakValueDictionary[str, ops.InMemoryTable] = WeakValueDictionary()
        self._memtable_data: WeakKeyDictionary[ops.InMemoryTable, pa.Table] = WeakKeyDictionary()

    def disconnect(self) -> None:
        """The process keeps its deployment until it ends."""

    # what there is

    def list_tables(self, *, like: str | None = None, database: tuple[str, str] | str | None = None) -> list[str]:
        _refuse_database(database)
        names: list[str] = self._filter_with_like({*self._temporary, *self._tables_of_bucket()}, like)
        return names

    def get_schema(self, table_name: str, *, catalog: str | None = None, database: str | None = None) -> sch.Schema:
        _refuse_database(catalog or database)
        table = self._quoted(table_name)
        try:
            return self._get_schema_using_query(f"SELECT * FROM {table}")
        except RunFailed as error:
            if NO_TABLE in str(error):
                raise com.TableNotFound(table_name) from error
            raise

    def _get_schema_using_query(self, query: str) -> sch.Schema:
        schema = self._sql(f"SELECT * FROM (\n{_placeholders.unended(query)}\n) AS q LIMIT 0").schema
        return sch.Schema({name: _nullable(kind) for name, kind in PyArrowSchema.to_ibis(schema).items()})

    def _quoted(self, name: str) -> str:
        return str(sge.to_identifier(name, quoted=True).sql(self.dialect))

    def _tables_of_bucket(self) -> list[str]:
        return [table["name"] for table in self._asked({"do": "tables"})["tables"]]

    def _asked(self, request: Head) -> Head:
        session = executor_of((self._options["bucket"], self._options["max_workers"]))._session
        session.wait_opened()
        answer: Promise[Head] = Promise()

        def on_event(head: Head, _: list[bytes]) -> None:
            if not answer.done():
                answer.set_result(head)

        session.ask(request, on_event)
        head = answer.result()
        if head["event"] == "failed":
            raise RunFailed(head["error"])
        return head

    # expressions

    def raw_sql(self, query: str | sge.Expression) -> Query:
        """Runs a statement to its end."""
        text = query if isinstance(query, str) else query.sql(dialect=self.dialect)
        self._log(text)
        return self._sql(text).wait()

    @contextmanager
    def _safe_raw_sql(self, query: str | sge.Expression) -> Iterator[Any]:
        yield self.raw_sql(query)

    def to_pyarrow_batches(
        self,
        expr: ir.Expr,
        /,
        *,
        params: Mapping[ir.Scalar, Any] | None = None,
        limit: int | str | None = None,
        chunk_size: int = 1_000_000,
        **options: Any,
    ) -> pa.RecordBatchReader:
        self._run_pre_execute_hooks(expr)
        table = expr.as_table()
        query = self._sql(self.compile(table, params=params, limit=limit, **options))
        schema = sch.Schema({name: _nullable(kind) for name, kind in table.schema().items()}).to_pyarrow()
        batches = (part for batch in query.batches() for part in _sliced(_conformed(batch, schema), chunk_size))
        return pa.RecordBatchReader.from_batches(schema, batches)

    def to_pyarrow(
        self,
        expr: ir.Expr,
        /,
        *,
        params: Mapping[ir.Scalar, Any] | None = None,
        limit: int | str | None = None,
        **options: Any,
    ) -> pa.Table | pa.Array | pa.Scalar:
        reader = self.to_pyarrow_batches(expr, params=params, limit=limit, **options)
        return expr.__pyarrow_result__(reader.read_all())

    def execute(
        self,
        expr: ir.Expr,
        /,
        *,
        params: Mapping[ir.Scalar, Any] | None = None,
        limit: int | str | None = None,
        **options: Any,
    ) -> Any:
        reader = self.to_pyarrow_batches(expr, params=params, limit=limit, **options)
        return expr.__pandas_result__(reader.read_pandas(timestamp_as_object=True))

    # tables

    def create_table(
        self,
        name: str,
        /,
        obj: Any = None,
        *,
        schema: Any = None,
        database: str | None = None,
        temp: bool = False,
        overwrite: bool = False,
    ) -> ir.Table:
        """A table that is not temporary is a folder under `tables/`."""
        if obj is None and schema is None:
            raise ValueError("either obj or schema must be specified")
        _refuse_database(database)
        if schema is not None:
            schema = ibis.schema(schema)
        if obj is not None and not isinstance(obj, ir.Expr):
            obj = ibis.memtable(_in_memory(obj), schema=schema)
        if temp:
            self._keep(name, obj, schema, overwrite)
        else:
            replace = "OR REPLACE " if overwrite else ""
            table = self._quoted(name)
            self.raw_sql(f"CREATE {replace}TABLE {table} AS {self._rows_of(obj, schema)}")
        return self.table(name)

    def drop_table(self, name: str, /, *, database: tuple[str, str] | str | None = None, force: bool = False) -> None:
        _refuse_database(database)
        if self._temporary.pop(name, None) is not None:
            return
        if name in self._tables_of_bucket():
            self._asked({"do": "drop", "table": name})
        elif not force:
            raise com.TableNotFound(name)

    def truncate_table(self, name: str, /, *, database: tuple[str, str] | str | None = None) -> None:
        _refuse_database(database)
        table = self._quoted(name)
        self.raw_sql(f"INSERT OVERWRITE {table} SELECT * FROM {table} WHERE false")

    def insert(
        self, name: str, /, obj: Any, *, database: tuple[str, str] | str | None = None, overwrite: bool = False
    ) -> None:
        """Columns are matched by their names if the table has all of them, else by their places."""
        _refuse_database(database)
        if not isinstance(obj, ir.Table):
            obj = ibis.memtable(_in_memory(obj))
        self._run_pre_execute_hooks(obj)
        names, known = obj.schema().names, self.get_schema(name).names
        if not set(names) <= set(known):
            names = known
        table, *columns = (self._quoted(part) for part in (name, *names))
        how = "OVERWRITE" if overwrite else "INTO"
        self.raw_sql(f"INSERT {how} {table} ({', '.join(columns)}) {self.compile(obj)}")

    def upsert(self, name: str, /, obj: Any, on: str, *, database: Any = None) -> None:
        raise NotImplementedError("rows of a table are added or all replaced, and not changed one by one")

    def create_view(
        self, name: str, /, obj: ir.Table, *, database: str | None = None, overwrite: bool = False
    ) -> ir.Table:
        raise NotImplementedError("there are no views: keep the expression, or create a table")

    def drop_view(self, name: str, /, *, database: str | None = None, force: bool = False) -> None:
        if not force:
            raise NotImplementedError("there are no views")

    def read_parquet(
        self, path: str | Path | Iterable[str | Path], /, *, table_name: str | None = None, **options: Any
    ) -> ir.Table:
        """Files of this machine, as a temporary table."""
        return self._read(path, "parquet", table_name or util.gen_name("read_parquet"), options)

    def read_csv(
        self, paths: str | Path | Iterable[str | Path], /, *, table_name: str | None = None, **options: Any
    ) -> ir.Table:
        """Files of this machine, as a temporary table."""
        return self._read(paths, "csv", table_name or util.gen_name("read_csv"), options)

    def _read(self, paths: Any, format: str, name: str, options: dict[str, Any]) -> ir.Table:
        found = [file for path in util.normalize_filenames(paths) for file in sorted(glob(path)) or [path]]
        self._temporary[name] = ds.dataset(found, format=format, **options).to_table()
        return self.table(name)

    def _rows_of(self, obj: ir.Expr | None, schema: sch.Schema | None) -> str:
        """A query; without an expression one that has no rows."""
        if obj is None:
            assert schema is not None
            nothing = [self.compiler.cast(sge.null(), kind).as_(name, quoted=True) for name, kind in schema.items()]
            return str(sge.select(*nothing).where(sge.false()).sql(self.dialect))
        self._run_pre_execute_hooks(obj)
        table = obj.as_table()
        return str(self.compile(table.cast(dict(schema)) if schema is not None else table))

    def _keep(self, name: str, obj: ir.Expr | None, schema: sch.Schema | None, overwrite: bool) -> None:
        if name in self._temporary and not overwrite:
            raise com.IbisError(f"the temporary table {name} is there already")
        if obj is None:
            assert schema is not None
            self._temporary[name] = schema.to_pyarrow().empty_table()
        else:
            table = obj.as_table()
            self._temporary[name] = self.to_pyarrow(table.cast(dict(schema)) if schema is not None else table)

    # what goes along with a statement

    def _sql(self, text: str) -> Query:
        named = {_name_of(token.text) for token in _placeholders.tokens(text) if token.kind in ("word", "quoted")}
        frames = {name: self._temporary[name] for name in named & self._temporary.keys()}
        for name in named & set(self._memtables_named.keys()):
            frames[name] = self._data_of(self._memtables_named[name])
        return sql(text, tables=frames, **self._options)

    def _data_of(self, memtable: ops.InMemoryTable) -> pa.Table:
        known = self._memtable_data.get(memtable)
        if known is None:
            known = self._memtable_data[memtable] = memtable.data.to_pyarrow(memtable.schema)
        return known

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        self._memtables_named[op.name] = op

    def _make_memtable_finalizer(self, name: str) -> Callable[[], None] | None:
        return None


def _refuse_database(database: Any) -> None:
    if database is not None:
        raise com.UnsupportedOperationError("a bucket has no databases: a table is named by its folder alone")


def _in_memory(data: Any) -> Any:
    """Streams and files are read to their end."""
    if isinstance(data, pa.RecordBatchReader):
        return data.read_all()
    return data.to_table() if isinstance(data, ds.Dataset) else data


def _nullable(kind: dt.DataType) -> dt.DataType:
    """With the types in it."""
    if kind.is_struct():
        return kind.copy(fields={name: _nullable(each) for name, each in kind.items()}, nullable=True)
    if kind.is_array():
        return kind.copy(value_type=_nullable(kind.value_type), nullable=True)
    if kind.is_map():
        return kind.copy(key_type=kind.key_type, value_type=_nullable(kind.value_type), nullable=True)
    return kind.copy(nullable=True)


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """With the names and types that the expression has."""
    columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_duration(kind) and not pa.types.is_duration(column.type):
        # files have intervals as texts
        return pa.array([None if text is None else _duration(text) for text in column.to_pylist()], kind)
    return column.cast(kind, safe=False)


def _duration(text: str) -> timedelta:
    match = INTERVAL.fullmatch(text)
    if match is None:
        raise com.UnsupportedOperationError(f"an interval of months has no length: {text}")
    whole = {name: int(match[name] or 0) for name in ("hours", "minutes", "seconds")}
    fraction = int((match["fraction"] or "").ljust(6, "0")[:6])
    time = timedelta(**whole, microseconds=fraction)
    return timedelta(days=int(match["days"] or 0)) + (-time if match["sign"] == "-" else time)


def _sliced(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    for at in range(0, batch.num_rows, rows):
        yield batch.slice(at, rows)


def _name_of(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
