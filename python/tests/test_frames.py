"""Tables of this process in statements."""

import datetime
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import tidemill as tm
from tidemill._frames import write_frame

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

DAY = datetime.date(2024, 1, 31)
NOON = datetime.datetime(2024, 1, 31, 12, 0, 0, 123456)


def rows(frame: Any, statement: str = "SELECT * FROM t") -> list[tuple[Any, ...]]:
    return tm.sql(statement, t=frame).fetchall()


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame({"a": [1, 2], "b": ["x", None]}),
        polars.DataFrame({"a": [1, 2], "b": ["x", None]}),
        polars.LazyFrame({"a": [1, 2], "b": ["x", None]}),
        pyarrow.table({"a": [1, 2], "b": ["x", None]}),
        pyarrow.RecordBatch.from_pydict({"a": [1, 2], "b": ["x", None]}),
        {"a": [1, 2], "b": ["x", None]},
        {"a": numpy.array([1, 2]), "b": pandas.Series(["x", None])},
        [{"a": 1, "b": "x"}, {"a": 2}],
        [{"a": 1, "b": "x"}, {"b": None, "a": 2}],
    ],
    ids=lambda frame: type(frame).__module__.partition(".")[0] + "." + type(frame).__name__,
)
def test_tables_of_any_library_are_read(frame: Any) -> None:
    assert sorted(rows(frame)) == [(1, "x"), (2, None)]


def test_readers_and_datasets_are_read(tmp_path: Any) -> None:
    dataset = pytest.importorskip("pyarrow.dataset")
    table = pyarrow.table({"a": [1, 2]})
    dataset.write_dataset(table, tmp_path, format="parquet")
    assert rows(dataset.dataset(tmp_path)) == [(1,), (2,)]
    assert rows(dataset.dataset(tmp_path).scanner(filter=dataset.field("a") > 1)) == [(2,)]
    assert rows(table.to_reader()) == [(1,), (2,)]


def test_what_gives_a_stream_is_read() -> None:
    duckdb = pytest.importorskip("duckdb")
    assert rows(duckdb.sql("SELECT 1 AS a, 'x' AS b")) == [(1, "x")]
    assert rows(tm.sql("SELECT 5 AS a")) == [(5,)]


@pytest.mark.filterwarnings("ignore:The DataFrame Interchange")
def test_what_only_has_the_older_protocol_is_read() -> None:
    class Old:
        def __dataframe__(self, **options: Any) -> Any:
            return pandas.DataFrame({"a": [1, 2]}).__dataframe__(**options)

    assert rows(Old()) == [(1,), (2,)]


def test_types_of_pandas() -> None:
    frame = pandas.DataFrame(
        {
            "text": ["é𝄞", None, ""],
            "number": [1.5, float("nan"), -0.0],
            "nullable": pandas.array([1, None, 3], dtype="Int64"),
            "flag": pandas.array([True, None, False], dtype="boolean"),
            "large": numpy.array([2**64 - 1, 0, 1], dtype="uint64"),
            "at": pandas.to_datetime(["2024-01-31T12:00:00.123456", None, "1900-01-01"], format="ISO8601"),
            "zoned": pandas.to_datetime(["2024-01-31T12", None, "1900-01-01"], format="ISO8601").tz_localize("UTC"),
            "length": pandas.to_timedelta([1, None, -1], unit="s"),
            "category": pandas.Categorical(["u", None, "v"]),
            "decimal": [Decimal("1.50"), None, Decimal("-12.25")],
            "day": [DAY, None, DAY],
            "time": [datetime.time(1, 2, 3), None, None],
            "bytes": [b"x", None, b""],
            "list": [[1, 2], None, []],
            "struct": [{"a": 1}, None, {"a": None}],
            "nothing": [None, None, None],
        }
    )
    query = tm.sql("SELECT * FROM t", t=frame)
    assert query.schema.names == list(frame.columns)
    first, second, _ = query.fetchall()
    zoned = NOON.replace(microsecond=0, tzinfo=datetime.timezone.utc)
    assert first[:7] == ("é𝄞", 1.5, 1, True, 2**64 - 1, NOON, zoned)
    assert first[7:11] == (datetime.timedelta(seconds=1), "u", Decimal("1.50"), DAY)
    assert first[11:] == (datetime.time(1, 2, 3), b"x", [1, 2], {"a": 1}, None)
    assert second == (None, None, None, None, 0, *[None] * 11)
    assert rows(frame, "SELECT at + length AS x FROM t WHERE category = 'u'") == [
        (NOON + datetime.timedelta(seconds=1),)
    ]


def test_nanoseconds_are_kept() -> None:
    at = pandas.Timestamp("2024-01-31T12:00:00.123456789")
    frame = pandas.DataFrame({"at": pandas.Series([at]).astype("datetime64[ns]")})
    assert tm.sql("SELECT at FROM t", t=frame).to_pandas()["at"][0] == at


def test_types_of_polars() -> None:
    frame = polars.DataFrame(
        {
            "category": polars.Series(["a", None], dtype=polars.Categorical),
            "enum": polars.Series(["a", "b"], dtype=polars.Enum(["b", "a"])),
            "length": [datetime.timedelta(days=1), None],
            "nothing": [None, None],
            "list": [["x", None], []],
            "struct": [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
            "array": polars.Series([[1, 2], [3, 4]], dtype=polars.Array(polars.Int8, 2)),
            "time": [datetime.time(1), None],
            "nan": [float("nan"), None],
            "zoned": polars.Series([NOON, None]).dt.replace_time_zone("Asia/Tokyo"),
            "categories": polars.Series([["a"], None], dtype=polars.List(polars.Categorical)),
        }
    )
    query = tm.sql("SELECT * FROM t", t=frame)
    first = query.fetchall()[0]
    assert first[:4] == ("a", "a", datetime.timedelta(days=1), None)
    assert first[4:8] == (["x", None], {"a": 1, "b": "x"}, [1, 2], datetime.time(1))
    assert str(first[8]) == "nan" and first[10] == ["a"]
    assert first[9].replace(tzinfo=None) == NOON and first[9].utcoffset() == datetime.timedelta(hours=9)


def test_types_of_arrow() -> None:
    text = pyarrow.string()
    table = pyarrow.table(
        {
            "map": pyarrow.array([[("k", 1)], None], pyarrow.map_(text, pyarrow.int8())),
            "large": pyarrow.array([Decimal("1.5"), None], pyarrow.decimal256(50, 2)),
            "list": pyarrow.array([[1], None], pyarrow.large_list(pyarrow.int8())),
            "seconds": pyarrow.array([1, None], pyarrow.timestamp("s")),
            "fixed": pyarrow.array([b"ab", None], pyarrow.binary(2)),
            "coded": pyarrow.array(["a", None]).dictionary_encode(),
            "day": pyarrow.array([DAY, None], pyarrow.date64()),
        }
    )
    second = datetime.datetime(1970, 1, 1, 0, 0, 1)
    assert rows(table)[0] == ([("k", 1)], Decimal("1.50"), [1], second, b"ab", "a", DAY)


@pytest.mark.skipif(int(pyarrow.__version__.partition(".")[0]) < 16, reason="this version of Arrow cannot cast them")
def test_halves_are_floats() -> None:
    table = pyarrow.table({"half": pyarrow.array([numpy.float16(1.5), None], pyarrow.float16())})
    assert rows(table) == [(1.5,), (None,)]


@pytest.mark.skipif(not hasattr(pyarrow, "uuid"), reason="this version of Arrow has no UUIDs")
def test_identifiers_are_text() -> None:
    table = pyarrow.table({"id": pyarrow.array([uuid.UUID(int=5).bytes, None], pyarrow.uuid())})
    assert rows(table) == [("00000000-0000-0000-0000-000000000005",), (None,)]


def test_empty_tables_have_columns() -> None:
    for frame in (
        pandas.DataFrame({"a": pandas.array([], dtype="int64"), "b": pandas.array([], dtype="str")}),
        polars.DataFrame(schema={"a": polars.Int64, "b": polars.String}),
        pyarrow.table({"a": pyarrow.array([], pyarrow.int64()), "b": pyarrow.array([], pyarrow.string())}),
    ):
        assert rows(frame, "SELECT count(*) AS n, sum(a) AS s FROM t") == [(0, None)]


def test_levels_of_an_index_are_columns_if_they_have_a_name() -> None:
    frame = pandas.DataFrame({"k": ["x", "y", "x"], "v": [1, 2, 3]})
    assert sorted(rows(frame.groupby("k").sum(), "SELECT k, v FROM t")) == [("x", 4), ("y", 2)]
    assert tm.sql("SELECT * FROM t", t=frame[frame["v"] > 1]).schema.names == ["k", "v"]


def test_names_of_columns_are_any() -> None:
    frame = {'a "b"': [1], "C": [2], "select": [3], "é": [4]}
    assert rows(frame, 'SELECT "a ""b""", "C", "select", "é" FROM t') == [(1, 2, 3, 4)]


def test_tables_are_joined_with_each_other() -> None:
    left, right = pandas.DataFrame({"k": [1, 2]}), polars.DataFrame({"k": [2, 3], "v": ["x", "y"]})
    query = tm.sql("SELECT v FROM a JOIN b USING (k) WHERE a.k = $1", [2], a=left, b=right)
    assert query.fetchall() == [("x",)]


def test_a_table_goes_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from tidemill._map import executor_of

    agent = executor_of((None, None))._session._agent
    request, shared = agent.request, []

    def spy(head: Any, bodies: Any, on_event: Any) -> int:
        if head["do"] == "share":
            shared.append(head["name"])
        return request(head, bodies, on_event)

    monkeypatch.setattr(agent, "request", spy)
    frame = pandas.DataFrame({"a": numpy.arange(10_000)})
    query = tm.sql("SELECT sum(a) AS s FROM t", t=frame)
    assert query.explain() and query.fetchall() == [(49_995_000,)]
    assert tm.sql("SELECT max(a) AS s FROM u", u=frame.copy()).fetchall() == [(9_999,)]
    assert len(shared) == 1


def test_many_batches_are_one_file() -> None:
    def batches() -> Iterator[Any]:
        for start in range(0, 1000, 10):
            yield pyarrow.RecordBatch.from_pydict({"a": list(range(start, start + 10))})

    reader = pyarrow.RecordBatchReader.from_batches(pyarrow.schema([("a", pyarrow.int64())]), batches())
    written = parquet.ParquetFile(pyarrow.BufferReader(write_frame("t", reader).parts[0]))
    assert (written.metadata.num_row_groups, written.metadata.num_rows) == (1, 1000)


@pytest.mark.parametrize("frame", [5, "text", None, [1, 2], object(), ["a"]])
def test_what_is_no_table_is_refused_by_name(frame: Any) -> None:
    with pytest.raises(TypeError, match=r"^this must be a table"):
        tm.sql("SELECT 1", this=frame)


@pytest.mark.parametrize(
    "frame",
    [
        {},
        [],
        {"a": [1], "b": [1, 2]},
        pandas.DataFrame({"a": ["x", 1]}),
        pandas.DataFrame([[1, 2]], columns=["a", "a"]),
        pandas.DataFrame({"a": pandas.period_range("2024", periods=2, freq="M")}),
        {"a": [object()]},
        pyarrow.table({"a": pyarrow.array([(1, 2, 3)], pyarrow.month_day_nano_interval())}),
        pandas.DataFrame({"a": [1]}, index=pandas.Index([1], name="a")),
    ],
)
def test_a_table_that_cannot_be_written_says_why(frame: Any) -> None:
    with pytest.raises(TypeError, match=r"the table this cannot be sent: \w+"):
        tm.sql("SELECT * FROM this", this=frame).wait()


def test_polars_needs_no_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = polars.DataFrame({"a": [1, 2], "c": polars.Series(["x", "y"], dtype=polars.Categorical)})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert tm.sql("SELECT a, c FROM t WHERE c = 'y'", t=frame).to_polars().rows() == [(2, "y")]
    with pytest.raises(ImportError, match=r'pip install "tidemill\[pandas\]"'):
        tm.sql("SELECT * FROM t", t={"a": [1]}).wait()
