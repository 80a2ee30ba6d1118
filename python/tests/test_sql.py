"""Statements, their parameters and their rows."""

import asyncio
import datetime
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

import tidemill as tm
from tidemill._map import executor_of
from tidemill._params import encode_params

pyarrow = pytest.importorskip("pyarrow")

Script = Callable[..., "subprocess.CompletedProcess[str]"]

#: takes longer than any test
SLOW = "SELECT count(*) AS n FROM range(0, 40000000000) AS t(v) WHERE v % 7 = 3"
UTC = datetime.timezone.utc
NOON = datetime.datetime(2024, 1, 31, 12, 0, 0, 123456)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The heads of what goes to the agent."""
    heads: list[Any] = []
    agent = executor_of((None, None))._session._agent
    request = agent.request

    def spy(head: Any, bodies: Any, on_event: Any) -> int:
        heads.append(head)
        return request(head, bodies, on_event)

    monkeypatch.setattr(agent, "request", spy)
    return heads


def one(statement: str, params: Any = None, **frames: Any) -> Any:
    (row,) = tm.sql(statement, params, **frames).fetchall()
    (value,) = row
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -5,
        2**63 - 1,
        -(2**63),
        1.5,
        -0.0,
        1e300,
        5e-324,
        float("inf"),
        float("-inf"),
        "",
        "text",
        "é𝄞\n\t\0",
        "'; DROP TABLE t; --",
        "$1",
        "\\' \" `",
        b"",
        b"\x00\xff",
        Decimal("12.50"),
        Decimal("-0.000001"),
        Decimal("12345678901234567890123456789012345678"),
        datetime.date(2024, 1, 31),
        datetime.date(1, 1, 1),
        datetime.date(9999, 12, 31),
        NOON,
        datetime.datetime(1900, 1, 1),
        datetime.time(12, 0, 0, 5),
        datetime.time(23, 59, 59, 999999),
    ],
)
def test_a_parameter_comes_back_as_it_was(value: Any) -> None:
    back = one("SELECT $1 AS x", [value])
    assert (back, type(back)) == (value, type(value))


def test_a_parameter_that_is_no_number_is_none() -> None:
    assert str(one("SELECT $1 AS x", [float("nan")])) == "nan"


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30])
def test_integers_are_as_large_as_they_are(number: int) -> None:
    assert one("SELECT $1 AS x", [number]) == number


@pytest.mark.parametrize(
    "zone", [UTC, ZoneInfo("Asia/Tokyo"), datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))]
)
def test_a_time_with_a_zone_is_the_same_instant(zone: datetime.tzinfo) -> None:
    at = NOON.replace(tzinfo=zone)
    back = one("SELECT $1 AS x", [at])
    assert back == at and back.tzinfo is not None


def test_a_zone_of_long_ago_has_seconds() -> None:
    at = datetime.datetime(1900, 1, 1, 12, tzinfo=ZoneInfo("Europe/Amsterdam"))
    assert one("SELECT $1 AS x", [at]) == at


@pytest.mark.parametrize(
    "length",
    [
        datetime.timedelta(days=1, seconds=3723, microseconds=1),
        datetime.timedelta(seconds=-1),
        datetime.timedelta(days=-3, microseconds=5),
        datetime.timedelta(),
    ],
)
def test_a_length_of_time_can_be_added(length: datetime.timedelta) -> None:
    assert one("SELECT $at + $length AS x", {"at": NOON, "length": length}) == NOON + length


def test_an_identifier_is_text() -> None:
    assert one("SELECT $1 AS x", [uuid.UUID(int=5)]) == "00000000-0000-0000-0000-000000000005"


@pytest.mark.parametrize("values", [[1, 2, None], ["a", "'b"], [1.5], [datetime.date(2024, 1, 31)]])
def test_a_list_can_be_looked_into(values: list[Any]) -> None:
    assert one("SELECT $1 AS x", [values]) == values
    assert one("SELECT array_has($1, $2) AS x", [values, values[0]]) is True
    assert one("SELECT $2 = ANY($1) AS x", [values, values[0]]) is True


def test_values_of_numpy_are_pythons() -> None:
    numpy = pytest.importorskip("numpy")
    values = [
        numpy.int8(-3),
        numpy.uint64(2**64 - 1),
        numpy.float32(1.5),
        numpy.float64(0.1),
        numpy.bool_(True),
        numpy.str_("a"),
        numpy.datetime64("2024-01-31"),
        numpy.datetime64("2024-01-31T12:00:00.123456"),
        numpy.datetime64("2024-01-31T12"),
        numpy.datetime64("NaT"),
        [1, 2],
    ]
    names = ", ".join(f"${number} AS v{number}" for number in range(1, len(values) + 1))
    (row,) = tm.sql(f"SELECT {names}", values).fetchall()
    day = datetime.date(2024, 1, 31)
    assert row == (-3, 2**64 - 1, 1.5, 0.1, True, "a", day, NOON, NOON.replace(microsecond=0), None, [1, 2])
    assert one("SELECT $1 AS x", [numpy.arange(3)]) == [0, 1, 2]
    assert one("SELECT $1 + $2 AS x", [NOON, numpy.timedelta64(-5, "h")]) == NOON - datetime.timedelta(hours=5)


def test_values_of_pandas_are_pythons() -> None:
    pandas = pytest.importorskip("pandas")
    at = pandas.Timestamp("2024-01-31T12:00:00.123456789")
    assert encode_params([at, pandas.NaT, pandas.NA]) == {"1": {"timestamp": at.isoformat()}, "2": None, "3": None}
    assert encode_params([pandas.Timedelta("-1ns")]) == {"1": {"interval": "0 days -0.000000001 seconds"}}
    back = tm.sql("SELECT $1 AS x", [at])
    assert back.to_pandas()["x"][0] == at and back.fetchone() == (NOON,)
    at = at.floor("us")
    assert one("SELECT $1 AS x", [at.tz_localize("Asia/Tokyo")]) == at.tz_localize("Asia/Tokyo")


def test_parameters_have_numbers_or_names() -> None:
    assert tm.sql("SELECT $2 AS a, $1 AS b", (1, 2)).fetchall() == [(2, 1)]
    assert tm.sql("SELECT $2 AS a, $1 AS b", {"1": 1, 2: 2}).fetchall() == [(2, 1)]  # type: ignore[dict-item]
    assert tm.sql("SELECT $b AS a, $a_1 + $a_1 AS b", {"a_1": 1, "b": 2}).fetchall() == [(2, 2)]


@pytest.mark.parametrize("value", [object(), 1j, {"a": 1}, {1}, [1, object()], datetime.time(12, tzinfo=UTC)])
def test_other_parameters_are_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match=r"parameter \$this "):
        tm.sql("SELECT $this", {"this": value})


@pytest.mark.parametrize("value", ["\udcff", Decimal("NaN"), Decimal("Infinity"), Decimal("1E+99999999")])
def test_values_that_sql_does_not_have_are_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match=r"parameter \$this "):
        tm.sql("SELECT $this", {"this": value})


@pytest.mark.parametrize("params", ["text", b"bytes", 5, {1.5: 1}, {"$x": 1}, {"a b": 1}, {"": 1}])
def test_what_is_no_parameters_is_refused(params: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="param"):
        tm.sql("SELECT 1", params)


def test_a_missing_parameter_fails_the_run() -> None:
    with pytest.raises(tm.RunFailed, match="2"):
        tm.sql("SELECT $1, $2", [1]).wait()


@pytest.mark.parametrize(
    "options",
    [
        {"partitions": 0},
        {"deadline": 0},
        {"deadline": float("inf")},
        {"max_cost_usd": -1},
        {"max_cost_usd": float("nan")},
        {"progress": "loud"},
    ],
)
def test_options_are_checked_before_anything_is_sent(options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        tm.sql("SELECT 1", **options)


def test_a_statement_is_a_text() -> None:
    with pytest.raises(TypeError, match="str"):
        tm.sql(b"SELECT 1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="statement"):
        tm.sql("SELECT '\udcff'")


def test_nothing_is_sent_before_it_is_needed_and_then_once(sent: list[Any]) -> None:
    query = tm.sql("SELECT 1 AS x")
    assert repr(query) == "<Query not begun>"
    assert (query.run, query.cost_usd, sent) == (None, 0.0, [])
    assert query.rows == 1 and query.fetchall() == [(1,)] and query.to_arrow().num_rows == 1
    assert [head["do"] for head in sent if head["do"] != "read"] == ["sql"]
    assert query.run is not None and query.run in repr(query) and "1 rows" in repr(query)
    assert query.cost_usd >= 0


def test_explaining_does_not_run_it(sent: list[Any]) -> None:
    query = tm.sql("SELECT v FROM range(0, 100) AS t(v) WHERE v > $1", [5])
    assert query.explain()
    low, high = query.estimate.cost_usd
    assert 0 <= low <= high
    assert query.estimate.seconds[1] >= query.estimate.seconds[0] >= 0 and query.estimate.tasks[1] >= 1
    assert [head["do"] for head in sent] == ["explain"]
    assert query.rows == 94


def test_threads_share_one_run(sent: list[Any]) -> None:
    query, counts = tm.sql("SELECT v FROM range(0, 1000) AS t(v)"), []
    threads = [threading.Thread(target=lambda: counts.append(len(query.to_arrow()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1000] * 8
    assert sum(head["do"] == "sql" for head in sent) == 1


def test_rows_are_fetched_one_after_the_other() -> None:
    query = tm.sql("SELECT v, v * 2 AS w FROM range(0, 10) AS t(v) ORDER BY v")
    assert query.fetchone() == (0, 0)
    assert query.fetchmany(2) == [(1, 2), (2, 4)]
    assert len(query.fetchall()) == 7
    assert (query.fetchone(), query.fetchmany(5), query.fetchall()) == (None, [], [])


def test_no_rows_have_columns() -> None:
    query = tm.sql("SELECT 1 AS a, 'x' AS b WHERE false")
    assert query.rows == 0 and query.fetchall() == []
    assert query.schema.names == query.to_arrow().schema.names == ["a", "b"]
    assert "0 rows" in query._repr_html_()


def test_rows_go_to_any_library() -> None:
    pandas, polars, duckdb = map(pytest.importorskip, ["pandas", "polars", "duckdb"])
    query = tm.sql("SELECT v, 'x' || v AS s FROM range(0, 5) AS t(v) ORDER BY v")
    assert query.to_pandas()["s"].tolist() == ["x0", "x1", "x2", "x3", "x4"]
    assert isinstance(query.to_pandas(types_mapper=pandas.ArrowDtype)["v"].dtype, pandas.ArrowDtype)
    assert query.to_polars()["v"].to_list() == polars.DataFrame(query)["v"].to_list() == [0, 1, 2, 3, 4]
    # what has a stream is a series of structs to it
    assert polars.from_arrow(query).struct.unnest().equals(polars.DataFrame(query))
    assert pyarrow.table(query).equals(query.to_arrow())
    assert duckdb.sql("SELECT sum(v), max(s) FROM query").fetchall() == [(10, "x4")]
    assert sum(batch.num_rows for batch in query.batches()) == 5


@pytest.fixture(params=["where they lie", "through the agent"])
def spread(request: pytest.FixtureRequest) -> tm.Query:
    """Has its 1000 rows in several files."""
    numbers = {"v": list(range(10_000))}
    query = tm.sql("SELECT v % 1000 AS k, count(*) AS n FROM t GROUP BY k", partitions=4, t=numbers)
    files = query._ended()["files"]
    assert len(files) > 1
    if request.param == "through the agent":
        for file in files:
            del file["path"]
    return query


def test_files_are_read_one_after_the_other(spread: tm.Query) -> None:
    keys = [k for batch in spread.batches() for k in batch["k"].to_pylist()]
    assert sorted(keys) == list(range(1000))
    assert spread.to_arrow()["k"].to_pylist() == spread.to_polars()["k"].to_list() == keys
    assert [k for k, _ in spread.fetchall()] == keys
    assert pyarrow.table(spread).num_rows == spread.rows == 1000


def test_who_stops_reading_gets_no_further_file(spread: tm.Query, sent: list[Any]) -> None:
    batches = spread.batches()
    next(batches)
    del batches
    assert sum(head["do"] == "read" for head in sent) <= 2 < len(spread._ended()["files"])


def test_a_result_that_is_gone_says_so(spread: tm.Query) -> None:
    for file in spread._ended()["files"]:
        file.pop("path", None)
        file["key"] += ".gone"
    with pytest.raises(tm.RunFailed, match="gone"):
        spread.to_arrow()


@pytest.mark.parametrize("statement", ["SELEC 1", "SELECT * FROM nowhere", "SELECT missing FROM range(0, 1) AS t(v)"])
def test_a_statement_that_cannot_run_says_why(statement: str) -> None:
    query = tm.sql(statement)
    for _ in range(2):
        with pytest.raises(tm.RunFailed) as caught:
            query.to_arrow()
        assert str(caught.value)
    assert "failed" in repr(query)
    with pytest.raises(tm.RunFailed):
        tm.sql(statement).explain()


def test_an_error_of_a_row_fails_the_run() -> None:
    with pytest.raises(tm.RunFailed, match=r"(?i)zero"):
        tm.sql("SELECT 1 / (v - 5) AS x FROM range(0, 10) AS t(v)").fetchall()


def test_a_run_ends_at_its_deadline() -> None:
    with pytest.raises(tm.RunFailed, match=r"deadline|seconds"):
        tm.sql(SLOW, deadline=1).wait()


def test_a_run_can_be_cancelled() -> None:
    query = tm.sql(SLOW)
    threading.Timer(0.5, query.cancel).start()
    with pytest.raises(tm.RunFailed, match="cancel"):
        query.wait()
    assert "cancelled" in repr(query)


def test_what_was_cancelled_does_not_begin(sent: list[Any]) -> None:
    query = tm.sql("SELECT 1")
    query.cancel()
    with pytest.raises(tm.RunFailed, match="cancelled before"):
        query.wait()
    assert sent == []


def test_a_query_can_be_awaited() -> None:
    async def main() -> list[int]:
        queries = [tm.sql("SELECT $1 AS x", [number]) for number in range(3)]
        return [query.rows for query in await asyncio.gather(*queries)]

    assert asyncio.run(main()) == [1, 1, 1]


def test_who_stops_awaiting_cancels() -> None:
    async def main() -> tm.Query:
        query = tm.sql(SLOW)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(query, 1)
        return query

    with pytest.raises(tm.RunFailed, match="cancel"):
        asyncio.run(main()).wait()


def test_a_notebook_shows_the_first_rows_and_no_markup_of_theirs() -> None:
    query = tm.sql("SELECT '<b>' || v AS \"<i>\" FROM range(0, 50) AS t(v)")
    shown = query._repr_html_()
    assert shown.count("<td>") == 10 and "50 rows" in shown
    assert "<b>" not in shown and "<i>" not in shown and "&lt;b&gt;0" in shown


def test_without_the_agent_a_query_ends(script: Script) -> None:
    done = script(f"""
import os, signal, threading
import tidemill as tm
query = tm.sql({SLOW!r})
def kill():
    os.kill(query._sending.session._agent._process.pid, signal.SIGKILL)
threading.Timer(2, kill).start()
try:
    query.rows
except tm.RunFailed as error:
    print(error)
print(tm.sql("SELECT 1 AS x").fetchall())
""")
    assert "ended before" in done.stdout and "[(1,)]" in done.stdout, done.stderr


def test_ctrl_c_cancels_the_run_and_says_so(script: Script) -> None:
    done = script(f"""
import os, signal, threading, time
import tidemill as tm
query = tm.sql({SLOW!r})
threading.Timer(2, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    query.wait()
except KeyboardInterrupt:
    print("interrupted")
run = query._sending.run
while run.status is None:
    time.sleep(0.01)
print(run.status)
""")
    assert done.stdout == "interrupted\ncancelled\n", done.stderr
    assert "is cancelled" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_runs_its_own(script: Script) -> None:
    done = script(f"""
import os, threading, time
import tidemill as tm
slow = tm.sql({SLOW!r})
threading.Thread(target=lambda: slow._sending.begin()).start()
while slow.run is None:
    time.sleep(0.01)
child = os.fork()
if child == 0:
    try:
        slow.wait()
    except tm.RunFailed as error:
        os._exit(0 if tm.sql("SELECT 1 AS x").fetchall() == [(1,)] else 2)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
slow.cancel()
print(tm.sql("SELECT 2 AS x").fetchall())
""")
    assert done.stdout == "[(2,)]\n", done.stderr


def test_a_program_ends_once_what_it_began_has(script: Script) -> None:
    began = time.monotonic()
    done = script(f"""
import tidemill as tm
tm.sql({SLOW!r}, deadline=3)._sending.begin()
""")
    assert done.returncode == 0, done.stderr
    assert 2 < time.monotonic() - began < 20


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    query = tm.sql("SELECT 1 AS x").wait()
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "tidemill\[pandas\]"'):
        query.to_arrow()
    polars = pytest.importorskip("polars")
    assert query.to_polars().equals(polars.DataFrame({"x": [1]}))


def test_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    tm.sql("SELECT 1").wait()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_stream_that_broke_is_not_taken_for_its_end() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        raise RuntimeError("the line is down")

    broken = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
    query = tm.sql("SELECT a FROM t", t=broken)
    for _ in range(2):
        with pytest.raises(Exception, match="the line is down"):
            query.fetchall()


def test_the_name_of_a_run_is_a_text() -> None:
    with pytest.raises(TypeError, match="give the table in tables="):
        tm.sql("SELECT * FROM name", name={"a": [1]})  # type: ignore[arg-type]
    assert tm.sql("SELECT a FROM name", tables={"name": {"a": [1]}}).fetchall() == [(1,)]
