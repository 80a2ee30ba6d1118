"""DB-API 2.0."""

import datetime
import itertools
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tidemill import _placeholders, dbapi

pyarrow = pytest.importorskip("pyarrow")

_names = itertools.count()


@pytest.fixture
def connection() -> Iterator[dbapi.Connection]:
    with dbapi.connect() as connection:
        yield connection


@pytest.fixture
def table(connection: dbapi.Connection) -> str:
    """With columns a and b, and without rows."""
    name = f"dbapi_{next(_names)}"
    connection.execute(f"CREATE TABLE {name} AS SELECT 0 AS a, '' AS b WHERE false")
    return name


@pytest.mark.parametrize(
    ("sql", "placed"),
    [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT '?', ?", "SELECT '?', $1"),
        ("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1"),
        (r"SELECT e'it\'s ?', ?", r"SELECT e'it\'s ?', $1"),
        (r"SELECT 'a\', ?, '?'", r"SELECT 'a\', $1, '?'"),
        ('SELECT "a?b", `c?d`, ?', 'SELECT "a?b", `c?d`, $1'),
        ("SELECT $$ ? ' $$, ?", "SELECT $$ ? ' $$, $1"),
        ("SELECT $x$ ? $$ ? $x$, ?", "SELECT $x$ ? $$ ? $x$, $1"),
        ("SELECT 1 -- why? it's\n, ?", "SELECT 1 -- why? it's\n, $1"),
        ("SELECT /* ? /* ? */ ? */ ?", "SELECT /* ? /* ? */ ? */ $1"),
        ("SELECT ?::int[], x[1:2], true?, é$a, ?", "SELECT $1::int[], x[1:2], true$2, é$a, $3"),
        ("SELECT $1, $name, a$2", "SELECT $1, $name, a$2"),
        ("SELECT 'open ?", "SELECT 'open $1"),
        ("SELECT /* open ?", "SELECT /* open ?"),
        ("", ""),
    ],
)
def test_marks_are_found_where_they_are_parameters(sql: str, placed: str) -> None:
    assert _placeholders.numbered(sql) == placed
    assert "".join(token.text for token in _placeholders.tokens(sql)) == sql


@pytest.mark.parametrize(
    ("sql", "over"),
    [
        ("INSERT INTO t VALUES (?, ?)", 'INSERT INTO t SELECT "1", "2" FROM "rows"'),
        ("insert into t (a) values (?);", 'insert into t (a) SELECT "1" FROM "rows"'),
        ("INSERT INTO t VALUES (upper(?), $$)$$, 1) -- end)", 'INSERT INTO t SELECT upper("1"), $$)$$, 1 FROM "rows"'),
        ("INSERT INTO t VALUES ($name, $other)", 'INSERT INTO t SELECT "name", "other" FROM "rows"'),
        ("INSERT INTO t VALUES (?), (?)", None),
        ("INSERT INTO t SELECT ?", None),
        ("INSERT INTO t SELECT * FROM u WHERE a IN (?)", None),
        ("INSERT INTO t SELECT ? FROM (VALUES (1))", None),
        ("UPDATE t SET a = ?", None),
        ("", None),
    ],
)
def test_an_insert_of_values_can_be_one_statement_over_many_rows(sql: str, over: str | None) -> None:
    assert _placeholders.over_rows(sql, "rows") == over


def test_rows_are_fetched_in_every_way(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    assert cursor.description is None and cursor.rowcount == -1
    assert cursor.execute("SELECT * FROM generate_series(1, 3000) AS t(n) ORDER BY n") is cursor
    assert cursor.rowcount == 3000
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    assert cursor.fetchmany(2) == [(3,), (4,)]
    cursor.arraysize = 3
    assert len(cursor.fetchmany()) == 3
    assert next(cursor) == (8,)
    assert len(cursor.fetchmany(1500)) == 1500
    assert [row[0] for row in cursor.fetchall()] == list(range(1509, 3001))
    assert (cursor.fetchone(), cursor.fetchmany(5), cursor.fetchall(), list(cursor)) == (None, [], [], [])


def test_the_rest_comes_as_a_table(connection: dbapi.Connection) -> None:
    cursor = connection.execute("SELECT * FROM generate_series(1, 3000) AS t(n) ORDER BY n")
    cursor.fetchmany(1100)
    table = cursor.fetch_arrow_table()
    assert table.num_rows == 1900 and table["n"][0].as_py() == 1101
    assert cursor.fetchall() == []
    assert cursor.fetch_arrow_table().schema == table.schema
    batches = connection.execute("SELECT 1 AS n").fetch_record_batch()
    assert batches.read_all().to_pylist() == [{"n": 1}]


def test_columns_are_described(connection: dbapi.Connection) -> None:
    cursor = connection.execute(
        "SELECT 'x' AS s, 1 AS n, 1.5 AS d, 2e0 AS f, true AS t, DATE '2024-01-31' AS day, now() AS at, "
        "X'00' AS bytes, TIME '12:00:00' AS hour"
    )
    assert cursor.description is not None
    kinds = {column[0]: column[1] for column in cursor.description}
    assert [name for name, kind in kinds.items() if kind == dbapi.STRING] == ["s"]
    assert [name for name, kind in kinds.items() if kind == dbapi.NUMBER] == ["n", "d", "f", "t"]
    assert [name for name, kind in kinds.items() if kind == dbapi.DATETIME] == ["day", "at", "hour"]
    assert [name for name, kind in kinds.items() if kind == dbapi.BINARY] == ["bytes"]
    assert not any(kind == dbapi.ROWID for kind in kinds.values())
    assert all(len(column) == 7 for column in cursor.description)


def test_parameters_are_values_and_never_sql(connection: dbapi.Connection) -> None:
    text = "'; DROP TABLE t; -- ? $1 \\' \" é\n"
    values = [text, 3, 2.5, None, True, Decimal("12.50"), datetime.date(2024, 1, 31), b"\x00\xff"]
    marks = ", ".join(f"? AS c{at}" for at in range(len(values)))
    assert connection.execute(f"SELECT {marks}", values).fetchone() == tuple(values)
    assert connection.execute("SELECT $2 AS a, $1 AS b", ["x", "y"]).fetchall() == [("y", "x")]
    assert connection.execute("SELECT $x AS a, '$x' AS b", {"x": text}).fetchall() == [(text, "$x")]


@pytest.mark.parametrize(
    ("sql", "parameters", "why"),
    [
        ("SELECT ? AS a", (), "has 1 parameters, and 0 values"),
        ("SELECT ? AS a", (1, 2), "has 1 parameters, and 2 values"),
        ("SELECT 1 AS a", (1,), "has 0 parameters, and 1 values"),
        ("SELECT ? AS a, $1 AS b", (1,), "both"),
        ("SELECT ? AS a", {"a": 1}, "mapping"),
        ("SELECT ? AS a", "x", "not one value"),
        ("SELECT ? AS a", [object()], "object"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    connection: dbapi.Connection, sql: str, parameters: Any, why: str
) -> None:
    with pytest.raises(dbapi.ProgrammingError, match=why):
        connection.execute(sql, parameters)


def test_what_is_written_is_counted_and_has_no_rows(connection: dbapi.Connection, table: str) -> None:
    cursor = connection.execute(f"INSERT INTO {table} VALUES (1, 'x'), (2, NULL)")
    assert cursor.rowcount == 2 and cursor.description is None
    with pytest.raises(dbapi.ProgrammingError, match="no results"):
        cursor.fetchone()
    assert connection.execute(f"SELECT * FROM {table} ORDER BY a").fetchall() == [(1, "x"), (2, None)]


def test_many_rows_are_one_run(connection: dbapi.Connection, table: str) -> None:
    rows = [(n, None if n % 7 == 0 else f"ü{n}") for n in range(2000)]
    cursor = connection.cursor().executemany(f"INSERT INTO {table} (a, b) VALUES (?, upper(?))", rows)
    assert cursor.rowcount == 2000
    assert connection.execute(f"SELECT count(*) AS n, sum(a) AS s, max(b) AS b FROM {table}").fetchall() == [
        (2000, 1999000, "Ü999")
    ]
    cursor.executemany(f"INSERT INTO {table} VALUES ($a, $b)", [{"a": 1, "b": None}, {"b": "x", "a": 2}])
    assert cursor.rowcount == 2
    assert cursor.executemany(f"INSERT INTO {table} SELECT ?, ?", [(1, "x"), (2, "y")]).rowcount == 2
    assert cursor.executemany(f"INSERT INTO {table} VALUES (?, ?)", []).rowcount == 0
    for bad in ([(1,)], [(1, "x"), (1,)], [(1, "x", 2)]):
        with pytest.raises(dbapi.ProgrammingError):
            cursor.executemany(f"INSERT INTO {table} VALUES (?, ?)", bad)
    with pytest.raises(dbapi.ProgrammingError, match="that write"):
        cursor.executemany("SELECT ?", [(1,)])


def test_only_what_was_written_cannot_be_rolled_back(connection: dbapi.Connection, table: str) -> None:
    connection.execute("SELECT 1 AS a")
    with pytest.raises(dbapi.DatabaseError):
        connection.execute(f"INSERT INTO {table} VALUES (1, 'x', 3)")
    connection.commit()
    connection.rollback()
    connection.execute(f"INSERT INTO {table} VALUES (1, 'x')")
    with pytest.raises(dbapi.NotSupportedError):
        connection.rollback()
    connection.execute(f"INSERT INTO {table} VALUES (1, 'x')")
    connection.commit()
    connection.rollback()


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT * FROM there_is_none", "SELECT nope FROM (VALUES (1)) AS t(a)"])
def test_what_is_wrong_with_a_statement_is_said(connection: dbapi.Connection, sql: str) -> None:
    with pytest.raises(dbapi.ProgrammingError):
        connection.execute(sql)


def test_what_goes_wrong_in_a_run_is_an_error_of_the_data(connection: dbapi.Connection) -> None:
    with pytest.raises(dbapi.DataError, match="zero"):
        connection.execute("SELECT 1 / (n - n) AS x FROM generate_series(1, 2) AS t(n)")


def test_another_thread_cancels(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    timer = threading.Timer(1, cursor.cancel)
    timer.start()
    with pytest.raises(dbapi.OperationalError, match="cancelled"):
        cursor.execute(
            "SELECT count(*) AS n FROM generate_series(1, 100000) AS a(x), generate_series(1, 1000000) AS b(y) "
            "WHERE (x * y) % 7 = 3"
        )


def test_what_is_closed_is_refused(connection: dbapi.Connection) -> None:
    cursor = connection.execute("SELECT 1 AS a")
    cursor.close()
    uses: list[Callable[[], Any]] = [cursor.fetchone, cursor.close, lambda: cursor.execute("SELECT 1 AS a")]
    for use in uses:
        with pytest.raises(dbapi.ProgrammingError):
            use()
    other = dbapi.connect()
    cursor = other.cursor()
    other.close()
    uses = [other.cursor, other.commit, other.rollback, other.close, cursor.fetchall]
    for use in uses:
        with pytest.raises(dbapi.ProgrammingError):
            use()


def test_threads_share_a_connection(connection: dbapi.Connection) -> None:
    rows: list[Any] = []

    def work(n: int) -> None:
        rows.extend(connection.execute("SELECT ? AS n", [n]).fetchall())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rows) == [(0,), (1,), (2,), (3,)]


def test_the_exceptions_and_types_of_the_standard_are_there(connection: dbapi.Connection) -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 2, "qmark")
    for name in ("Warning", "Error", "InterfaceError", "IntegrityError", "InternalError"):
        assert getattr(connection, name) is getattr(dbapi, name)
    assert dbapi.Binary(b"x") == b"x"
    assert dbapi.Date(2024, 1, 31) == datetime.date(2024, 1, 31)
    at = datetime.datetime(2024, 1, 31, 12, 30, 15)
    assert dbapi.TimestampFromTicks(at.timestamp()) == at
    assert dbapi.DateFromTicks(at.timestamp()) == at.date()
    assert dbapi.TimeFromTicks(at.timestamp()) == at.time()
    assert dbapi.STRING != dbapi.NUMBER and len({dbapi.STRING, dbapi.NUMBER}) == 2


def test_pandas_reads(connection: dbapi.Connection, table: str) -> None:
    pandas = pytest.importorskip("pandas")
    connection.execute(f"INSERT INTO {table} VALUES (1, 'x'), (2, 'y'), (3, NULL)")
    with pytest.warns(UserWarning, match="SQLAlchemy"):
        frame = pandas.read_sql(f"SELECT * FROM {table} WHERE a > ? ORDER BY a", connection, params=[1])
    assert frame.to_dict("list") == {"a": [2, 3], "b": ["y", frame["b"][1]]}
    with pytest.warns(UserWarning, match="SQLAlchemy"):
        parts = list(pandas.read_sql(f"SELECT a FROM {table} ORDER BY a", connection, chunksize=2))
    assert [len(part) for part in parts] == [2, 1]
    assert connection.execute(f"SELECT a FROM {table} ORDER BY a").fetch_df()["a"].tolist() == [1, 2, 3]


def test_rows_that_are_no_table_go_one_by_one(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE mixed AS SELECT 'x' AS a, 1.5::decimal(9, 2) AS b WHERE 1 = 0")
    cursor.executemany("INSERT INTO mixed VALUES (?, ?)", [("a", Decimal("1.5")), (1, 2)])
    assert cursor.rowcount == 2
    cursor.execute("SELECT a, b FROM mixed ORDER BY b")
    assert cursor.fetchall() == [("a", Decimal("1.50")), ("1", Decimal("2.00"))]
    for rows in ([(1,)], [(1, 2), (1,)]):
        with pytest.raises(dbapi.ProgrammingError):
            cursor.executemany("INSERT INTO mixed VALUES (?, ?)", rows)
