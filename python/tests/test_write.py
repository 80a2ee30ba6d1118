"""Tables of this process, and rows of queries, become tables of the bucket."""

import itertools
from typing import Any

import pytest

import tidemill as tm

pyarrow = pytest.importorskip("pyarrow")
pandas = pytest.importorskip("pandas")

FRAME = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})

_numbers = itertools.count()


@pytest.fixture
def table() -> str:
    return f"written_{next(_numbers)}"


def rows(table: str) -> list[tuple[Any, ...]]:
    return tm.sql(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()


def test_a_table_is_made(table: str) -> None:
    written = tm.write(FRAME, table)
    assert written.rows == 2 and "succeeded" in repr(written)
    assert written.to_arrow().to_pydict() == {"count": [2]} and written.fetchall() == [(2,)]
    assert f"2 rows went into tables/{table}/" in written._repr_html_()
    assert rows(table) == [(1, "x"), (2, None)]


def test_a_table_that_is_there_is_left_alone(table: str) -> None:
    tm.write(FRAME, table)
    with pytest.raises(tm.RunFailed, match=f"{table}/ exists already"):
        tm.write(FRAME, table)
    assert len(rows(table)) == 2


def test_a_table_is_replaced(table: str) -> None:
    for frame in (FRAME, pandas.DataFrame({"c": [5]})):
        tm.write(frame, f"tables/{table}/", mode="overwrite")
    assert rows(table) == [(5,)]


def test_rows_are_added_by_the_names_of_columns(table: str) -> None:
    assert tm.write(FRAME, table, mode="append").rows == 2
    assert tm.write({"b": ["z"], "a": [3]}, table, mode="append").rows == 1
    assert rows(table) == [(1, "x"), (2, None), (3, "z")]
    with pytest.raises(tm.RunFailed, match="columns"):
        tm.write({"a": [4], "c": ["z"]}, table, mode="append")
    with pytest.raises(tm.RunFailed, match="cast it"):
        tm.write({"a": [1.5], "b": ["z"]}, table, mode="append")
    assert len(rows(table)) == 3


def test_no_rows_make_a_table(table: str) -> None:
    assert tm.write(FRAME[:0].astype({"b": "string"}), table, mode="append").rows == 0
    assert tm.write(FRAME, table, mode="append").rows == 2
    assert len(rows(table)) == 2


def test_columns_become_folders(table: str) -> None:
    tm.write(FRAME.assign(day="2024-01-31", Kind="k"), table, mode="append", partition_by=["day", "Kind"])
    tm.write(FRAME.assign(day="2024-02-01", Kind="k"), table, mode="append")
    query = tm.sql(f"SELECT count(*) AS n FROM {table} WHERE day = '2024-01-31' AND \"Kind\" = 'k'")
    assert query.fetchall() == [(2,)]
    with pytest.raises(tm.RunFailed, match="partitioned by"):
        tm.write(FRAME.assign(day="", Kind="k"), table, mode="append", partition_by="day")


def test_rows_of_a_query_do_not_come_here(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query = tm.sql("SELECT a, $1 AS b FROM t WHERE a > $2; ", ["'x", 1], t=FRAME)
    assert tm.write(query, table).rows == 1
    assert query.run is None and query.rows == 1
    assert tm.write(query, table, mode="append").rows == 1
    assert rows(table) == [(2, "'x"), (2, "'x")]


def test_a_query_may_end_with_a_comment(table: str) -> None:
    query = tm.sql("SELECT 1 AS a -- one")
    for mode in ("append", "append", "overwrite"):
        tm.write(query, table, mode=mode)
    assert rows(table) == [(1,)]


@pytest.mark.parametrize("name", ["With Space", 'a"b', "it's", "select", "é"])
def test_a_table_has_any_name(name: str) -> None:
    for mode in ("overwrite", "append"):
        tm.write({"a": [1]}, name, mode=mode)
    quoted = name.replace('"', '""')
    assert tm.sql(f'SELECT count(*) AS n FROM "{quoted}"').fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("table", "options", "why"),
    [
        ("", {}, "no name"),
        ("tables/", {}, "no name"),
        ("t", {"mode": "replace"}, "append, overwrite, error"),
        ("t", {"partition_by": "a"}, 'mode="append"'),
        ("t", {"partition_by": "a", "mode": "overwrite"}, 'mode="append"'),
        ("t", {"partition_by": 'a"', "mode": "append"}, "rename it"),
        ("t", {"partitions": 0}, "partitions"),
    ],
)
def test_what_cannot_be_done_is_refused(table: str, options: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tm.write(FRAME, table, **options)


def test_a_table_is_written_by_a_statement_too(table: str) -> None:
    assert tm.sql(f"CREATE TABLE {table} AS SELECT a FROM t", t=FRAME).rows == 2
    assert tm.sql(f"INSERT INTO {table} VALUES ($1)", [3]).fetchall() == [(1,)]
    assert rows(table) == [(1,), (2,), (3,)]


def test_a_query_keeps_its_limits_and_its_end() -> None:
    with pytest.raises(tm.CostExceeded):
        tm.write(tm.sql("SELECT 1 AS a", max_cost_usd=1e-10), "limited")
    assert tm.write(tm.sql("SELECT 1 AS a; -- one"), "ended", mode="append").rows == 1
