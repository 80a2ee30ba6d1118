"""Functions over the rows of queries, against pandas in this process."""

import asyncio
import datetime
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import tidemill as tm
from tidemill._columns import schema_of
from tidemill._given import PandasRows
from tidemill._groups import NUMBER, Groups
from tidemill._parts import _numbering, _ranges
from tidemill._pickle import Sharing, pickle_function

if TYPE_CHECKING:
    import pyarrow as arrow_of_checkers

PARTITIONS = (1, 2, 7)
NAN = float("nan")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of the buckets of a deployment that ends with the test."""
    monkeypatch.setenv("TIDEMILL_FOLDER", str(tmp_path))
    with tm.Executor(max_workers=2) as ours:
        for module in ("_map", "_parts", "_sending"):
            monkeypatch.setattr(f"tidemill.{module}.executor_of", lambda key: ours)
        yield tmp_path


def some_rows(count: int = 5000, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "k": random.integers(0, 50, count),
            "name": random.choice(["", "é", "a b", "NULL"], count),
            "v": random.integers(-100, 100, count) / 4,
        }
    )


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"k": frame.k.iloc[:1], "rows": len(frame), "total": frame.v.sum(), "most": frame.v.max()})


def same(got: Any, expected: Any, *by: str) -> None:
    """Whatever the order of rows."""
    by = by or tuple(expected.columns)
    left, right = (each.sort_values(list(by)).reset_index(drop=True) for each in (got, expected))
    pd.testing.assert_frame_equal(left, right, check_dtype=False)


@pytest.mark.parametrize("partitions", PARTITIONS)
def test_groups_are_those_of_pandas(partitions: int) -> None:
    rows = some_rows()
    got = tm.sql("SELECT * FROM rows", partitions=partitions, rows=rows).group_by("k").apply(spread)
    same(got.to_pandas(), rows.groupby("k")[rows.columns].apply(spread).reset_index(drop=True), "k")


@pytest.mark.parametrize("partitions", PARTITIONS)
def test_batches_are_the_rows_in_their_order(partitions: int) -> None:
    rows = some_rows(20_000)
    query = tm.sql("SELECT * FROM rows WHERE v > 0", partitions=partitions, rows=rows)
    got = query.map_batches(lambda frame: frame.assign(twice=frame.v * 2)).to_pandas()
    whole = query.to_pandas()
    pd.testing.assert_frame_equal(got, whole.assign(twice=whole.v * 2))


def test_batches_have_no_more_rows_than_is_said() -> None:
    query = tm.sql("SELECT value AS v FROM range(0, 1003)")
    got = query.map_batches(lambda frame: pd.DataFrame({"rows": [len(frame)], "first": frame.v[:1]}), batch_rows=10)
    frame = got.to_pandas()
    assert len(got) == 8
    assert frame["rows"].tolist() == [10] * 100 + [3]
    assert frame["first"].tolist() == list(range(0, 1003, 10))


@pytest.mark.parametrize(
    ("counts", "calls", "batch_rows", "expected"),
    [
        ([8000], 8, None, [1000] * 8),
        ([100_000], 8, None, [12_500] * 8),
        ([1500], 8, None, [1500]),
        ([10, 0, 5], 8, None, [10, 5]),
        ([100], 8, 1, [13] * 7 + [9]),
        ([100], 8, 7, [14] * 7 + [2]),
        ([0], 8, None, []),
    ],
)
def test_ranges_of_files(counts: list[int], calls: int, batch_rows: int | None, expected: list[int]) -> None:
    files = [{"key": f"{at}", "rows": count} for at, count in enumerate(counts)]
    ranges = list(_ranges(files, calls, batch_rows))
    assert [stop - start for _, start, stop, _ in ranges] == expected
    firsts = [0, *np.cumsum(expected).tolist()][: len(expected)]
    assert [first for *_, first in ranges] == firsts


@pytest.mark.parametrize("partitions", PARTITIONS)
def test_a_key_that_has_most_rows(partitions: int) -> None:
    keys = np.where(np.arange(200_000) % 10 > 0, 5, np.arange(200_000) % 97)
    rows = pd.DataFrame({"k": keys, "v": np.arange(200_000)})
    query = tm.sql("SELECT * FROM rows", partitions=partitions, rows=rows)
    got = query.group_by("k").apply(
        lambda frame: frame.groupby("k", as_index=False).agg(n=("v", "size"), s=("v", "sum"))
    )
    same(got.to_pandas(), rows.groupby("k", as_index=False).agg(n=("v", "size"), s=("v", "sum")))


@pytest.mark.parametrize("partitions", PARTITIONS)
def test_keys_of_all_kinds(partitions: int) -> None:
    bits = np.array([0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(float)
    floats = np.tile([1.5, NAN, bits[0], bits[1], 0.0, -0.0, float("inf")], 300)
    table = pa.table(
        {
            "f": pa.array(floats, mask=np.arange(2100) % 10 == 0, from_pandas=False),
            "t": pa.array(["", "a", None, "A", "é"] * 420),
            "n": pa.array(range(2100)),
        }
    )

    def said(key: tuple[Any, ...], frame: pa.Table) -> Any:
        assert len(set(frame["t"].to_pylist())) == 1
        f = None if key[0] is None else repr(abs(key[0]))
        return pa.table(
            {"f": pa.array([f], pa.string()), "t": pa.array([key[1]], pa.string()), "rows": [frame.num_rows]}
        )

    got = tm.sql("SELECT * FROM t", partitions=partitions, t=table).group_by("f", "t").apply(said).to_arrow()
    expected: dict[Any, int] = {}
    for row in table.to_pylist():
        key = (None if row["f"] is None else repr(abs(row["f"])), row["t"])
        expected[key] = expected.get(key, 0) + 1
    assert len(got) == len(expected)
    assert {(row["f"], row["t"]): row["rows"] for row in got.to_pylist()} == expected


def test_many_small_groups_and_groups_over_batches_are_whole() -> None:
    # the worker reads 65,536 rows at once
    sizes = np.array([1, 65_535, 65_537, 1, 1, 200_000, 3] + [7] * 5000)
    keys = np.repeat(np.arange(len(sizes)), sizes)
    rows = pd.DataFrame({"k": keys, "v": np.arange(len(keys))})
    query = tm.sql("SELECT * FROM rows", partitions=1, rows=rows)

    def summed(key: tuple[int], frame: pa.Table) -> Any:
        return pa.table({"k": [key[0]], "n": [frame.num_rows], "s": [int(frame["v"].to_numpy().sum())]})

    expected = rows.groupby("k", as_index=False).agg(n=("v", "size"), s=("v", "sum"))
    same(query.group_by("k").apply(summed).to_pandas(), expected)


def test_numbers_of_a_group_have_the_type_that_they_have_alone() -> None:
    table = pa.table({"k": [1, 1, 2, 2, 3], "v": [2**60 + 1, 1, None, 1, None], "b": [True, None, True, False, None]})

    def types(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {"k": frame.k[:1], "v": str(frame.v.dtype), "b": str(frame.b.dtype), "first": frame.index[0]}
        )

    got = tm.sql("SELECT * FROM t", partitions=1, t=table).group_by("k").apply(types).to_pandas()
    assert got.sort_values("k").values.tolist() == [
        [1, "int64", "object", 0],
        [2, "float64", "bool", 0],
        [3, "float64", "object", 0],
    ]


def test_whole_numbers_that_no_float_is_come_back() -> None:
    wide = [2**53 + 1, None, -(2**63)]
    query = tm.sql("SELECT * FROM t", t=pa.table({"x": wide}))
    assert query.map_batches(lambda frame: frame, "x bigint").to_arrow().to_pydict() == {"x": wide}


def test_groups_are_cut_from_data_frames_as_if_each_were_alone() -> None:
    random = np.random.default_rng(1)
    columns = {f"c{at}": pa.array(random.integers(0, 9, 4000), mask=random.random(4000) < 0.1) for at in range(5)}
    columns["flag"] = pa.array(random.random(4000) < 0.5, mask=random.random(4000) < 0.1)
    table = pa.table({**columns, "text": [None, "é"] * 2000})
    edges = np.array([0, *np.unique(random.integers(1, 4000, 1000)), 4000])
    for at, frame in enumerate(PandasRows(pd).split(table, edges)):
        pd.testing.assert_frame_equal(frame, table.slice(edges[at], edges[at + 1] - edges[at]).to_pandas())
    assert at == len(edges) - 2


def kind_of(rows: Any) -> str:
    kind = type(rows)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def test_what_a_function_takes_is_what_it_says(executor: tm.Executor) -> None:
    query = tm.sql("SELECT value AS v FROM range(0, 10)")

    def of_polars(frame: "pl.DataFrame") -> "pl.DataFrame":
        return frame.with_columns(kind=pl.lit(kind_of(frame)))

    def of_table(table: "arrow_of_checkers.Table") -> Any:
        return table.append_column("kind", [[kind_of(table)] * len(table)])

    def of_batch(batch: pa.RecordBatch) -> Any:
        kinds = [kind_of(batch)] * len(batch)
        return pa.record_batch([*batch.columns, pa.array(kinds)], [*batch.schema.names, "kind"])

    def of_pandas(frame: "pd.DataFrame", more: int = 1) -> Any:
        return frame.assign(kind=kind_of(frame))

    for function, kind in [
        (of_polars, "polars.DataFrame"),
        (of_table, "pyarrow.Table"),
        (of_batch, "pyarrow.RecordBatch"),
        (of_pandas, "pandas.DataFrame"),
        (lambda frame: frame.assign(kind=kind_of(frame)), "pandas.DataFrame"),
    ]:
        got = query.map_batches(function).to_polars()
        assert got["v"].to_list() == list(range(10)), kind
        assert got["kind"].unique().to_list() == [kind]
        got = query.group_by("v").apply(function).to_polars()
        assert sorted(got["v"].to_list()) == list(range(10)), kind
        assert got["kind"].unique().to_list() == [kind]


def test_functions_that_cannot_be_called_with_rows() -> None:
    query = tm.sql("SELECT 1 AS v")

    async def later(frame: pd.DataFrame) -> Any: ...
    def of_lazy(frame: pl.LazyFrame) -> Any: ...

    with pytest.raises(TypeError, match="not async"):
        query.map_batches(later)
    with pytest.raises(TypeError, match=r"annotated as polars\.LazyFrame"):
        query.map_batches(of_lazy)
    with pytest.raises(TypeError, match="has 2 parameters"):
        query.map_batches(lambda key, rows: rows)  # type: ignore[arg-type,misc]
    with pytest.raises(TypeError, match="has 3 parameters"):
        query.group_by("v").apply(lambda key, rows, more: rows)
    with pytest.raises(TypeError, match="a function is needed, not str"):
        query.map_batches("v")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="names of columns"):
        query.group_by()
    with pytest.raises(TypeError, match="'chunks' is no option"):
        query.map_batches(lambda rows: rows, chunks=3)
    with pytest.raises(ValueError, match="batch_rows"):
        query.map_batches(lambda rows: rows, batch_rows=0)
    with pytest.raises(tm.RunFailed, match="nothing"):
        query.group_by("nothing").apply(lambda rows: rows)


def test_no_rows() -> None:
    query = tm.sql("SELECT 1 AS k, 'x' AS name WHERE false")

    def never(rows: Any) -> Any:
        raise AssertionError

    for result in (query.map_batches(never), query.group_by("k").apply(never)):
        assert result.to_arrow().num_rows == 0
    for result in (query.map_batches(never, "a bigint"), query.group_by("k").apply(never, "a bigint")):
        assert result.to_arrow().schema == pa.schema({"a": "int64"})
        assert result.to_pandas().empty


def test_calls_that_return_no_rows_have_no_say_in_the_types() -> None:
    query = tm.sql("SELECT value AS v FROM range(0, 4000)")

    def some(frame: pd.DataFrame) -> Any:
        if frame.v[0] == 0:
            return None
        if frame.v[0] == 1000:
            return pd.DataFrame({"v": pd.Series([], dtype="str"), "other": []})
        return frame.head(1) if frame.v[0] == 2000 else frame.head(1).assign(v=0.5)

    result = query.map_batches(some)
    assert len(result) == 4
    assert result.to_arrow() == pa.table({"v": [2000.0, 0.5]})
    assert query.map_batches(lambda frame: frame[:0]).to_arrow() == pa.table({"v": pa.array([], pa.int64())})
    assert query.map_batches(lambda frame: None).to_arrow() == pa.table({})


def test_a_schema_names_and_casts(executor: tm.Executor) -> None:
    query = tm.sql("SELECT value AS v FROM range(0, 3)")

    def made(frame: pd.DataFrame) -> Any:
        return pd.DataFrame({"b": [Decimal("1.5"), None, Decimal(2)], "a": frame.v.astype(float), "c": [None] * 3})

    for schema in (
        "a smallint, b decimal(10, 2), c timestamptz",
        {"a": pa.int16(), "b": "decimal(10,2)", "c": "timestamp[us, tz=UTC]"},
        pa.schema({"a": pa.int16(), "b": pa.decimal128(10, 2), "c": pa.timestamp("us", "UTC")}),
    ):
        got = query.map_batches(made, schema).to_arrow()
        assert got.schema.names == ["a", "b", "c"]
        assert got.schema.types == [pa.int16(), pa.decimal128(10, 2), pa.timestamp("us", "UTC")]
        assert got["b"].to_pylist() == [Decimal("1.50"), None, Decimal("2.00")]


@pytest.mark.parametrize(
    ("returned", "schema", "said"),
    [
        (lambda rows: pd.Series([1]), None, "has returned a Series, and not a pandas.DataFrame"),
        (lambda rows: 5, "a bigint", "has returned a int, and not"),
        (
            lambda rows: pd.DataFrame({"a": [1]}),
            "a bigint, b text",
            "not returned the column b of the schema, but a int64",
        ),
        (lambda rows: pd.DataFrame({"a": [1], "b": 2}), "a bigint", "the column b, which is not in the schema"),
        (lambda rows: pd.DataFrame({"a": [1.5]}), "a bigint", "column a as double, which does not fit int64"),
        (lambda rows: pd.DataFrame({"a": [300]}), "a tinyint", "column a as int64, which does not fit int8"),
        (lambda rows: pd.DataFrame({"a": [1, "x"]}), None, "what no column of Arrow can have"),
        (lambda rows: pa.table([[1], [2]], ["a", "a"]), None, "two columns of one name: a, a"),
        (lambda rows: pd.DataFrame([[1, 2]], columns=["a", "a"]), None, "what no column of Arrow can have"),
    ],
)
def test_what_does_not_fit_is_said(returned: Any, schema: Any, said: str) -> None:
    query = tm.sql("SELECT 1 AS k")
    for result in (query.map_batches(returned, schema), query.group_by("k").apply(returned, schema)):
        with pytest.raises(TypeError, match=said) as raised:
            result.to_arrow()
        assert "<lambda>" in str(raised.value)


def test_tables_that_have_no_common_type() -> None:
    query = tm.sql("SELECT value AS k FROM range(0, 4)", partitions=1)
    of_one = query.group_by("k").apply(lambda key, rows: pd.DataFrame({"a": ["x" if key[0] else 1]}))
    with pytest.raises(TypeError, match=r"columns do not fit each other .* schema="):
        of_one.to_arrow()
    of_many = query.map_batches(lambda rows: pd.DataFrame({"a": ["x" if rows.k[0] else 1]}), batch_rows=1)
    with pytest.raises(TypeError, match=r"columns do not fit each other .* schema="):
        of_many.to_arrow()
    by_turns = query.map_batches(lambda rows: pd.DataFrame({"a" if rows.k[0] else "b": [1]}), batch_rows=1)
    with pytest.raises(TypeError, match=r"columns do not fit each other .* schema="):
        by_turns.to_arrow()


def test_texts_of_schemas() -> None:
    text = (
        "a bigint, b int, c integer, d smallint, e tinyint, f double, g real, h float, i boolean, j text, "
        'k VARCHAR, "l, ""m" string, n date, o timestamp, p timestamptz, q decimal(10,2), r bytes, s bytea, '
        "t: Double, u decimal(5),"
    )
    types = "int64 int32 int32 int16 int8 double float float bool string string string date32[day] timestamp[us] "
    types += "timestamp[us,tz=UTC] decimal128(10,2) binary binary double decimal128(5,0)"
    schema = schema_of(text)
    assert [str(kind).replace(", ", ",") for kind in schema.types] == types.split()
    assert schema.names[11] == 'l, "m'
    wrongs: list[tuple[Any, str]] = [
        ("a bigint, b money", "column b is 'money', which is not known"),
        ("a", "'a' is no column with its type"),
        ("a decimal", "'decimal', which is not known"),
        ({"a": int}, "which is not known"),
        (5, "not int"),
    ]
    for wrong, said in wrongs:
        with pytest.raises(TypeError, match=said):
            schema_of(wrong)
    twices: list[Any] = ["a int, a int", "", {}]
    for twice in twices:
        with pytest.raises((ValueError, TypeError)):
            schema_of(twice)


def test_an_error_keeps_its_type_and_says_where_it_was() -> None:
    query = tm.sql("SELECT value AS v, concat('g', value) AS name FROM range(0, 30)")

    def picky(frame: pd.DataFrame) -> pd.DataFrame:
        if 17 in frame.v.tolist():
            raise LookupError("not 17")
        return frame

    for result, where in [
        (query.map_batches(picky, batch_rows=5), "picky raised for the rows 15 to 19 of the query"),
        (query.group_by("v", "name").apply(picky), "picky raised for the group v=17, name='g17'"),
    ]:
        with pytest.raises(LookupError, match="not 17") as raised:
            result.to_arrow()
        assert 'raise LookupError("not 17")' in str(raised.value.__cause__)
        if sys.version_info >= (3, 11):
            assert where in raised.value.__notes__
        logs = [result.log(index) for index in range(len(result))]
        assert [log for log in logs if log] == [f"tidemill: {where}\n"]
        assert result.failed == 1


def test_failed_calls_are_made_again(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    query = tm.sql("SELECT value AS v FROM range(0, 20)")

    def unlucky(frame: pd.DataFrame) -> pd.DataFrame:
        if not flag.exists():
            flag.touch()
            raise ValueError("once")
        return frame

    result = query.map_batches(unlucky, batch_rows=20)
    with pytest.raises(ValueError, match="once"):
        result.to_arrow()
    assert result.retry_failed().to_pandas().v.tolist() == list(range(20))
    flag.unlink()
    again = query.map_batches(unlucky, batch_rows=20, retries=1)
    assert again.to_pandas().v.tolist() == list(range(20))
    flag.unlink()
    again = query.map_batches(unlucky, batch_rows=20, retries=1, retry_on=ValueError)
    assert again.to_pandas().v.tolist() == list(range(20))


def test_a_group_that_is_too_large_is_an_error() -> None:
    query = tm.sql("SELECT value % 2 AS k, concat('x', value) AS t FROM range(0, 200000)", partitions=1)

    def limit(frame: Any) -> Any:
        return pa.table({"n": [len(frame)]})

    def set_limit(bytes: str) -> None:
        os.environ["TIDEMILL_MEMORY"] = bytes

    options: dict[str, Any] = {"initializer": set_limit, "initargs": ("4000000",)}
    with pytest.raises(MemoryError, match=r"the group k=[01] has more than \d+ rows and 1 MB: .*memory="):
        query.group_by("k").apply(limit, **options).to_arrow()
    options["initargs"] = ("60000000",)
    assert query.group_by("k").apply(limit, **options).to_pandas().n.tolist() == [100_000, 100_000]


def test_rows_go_into_a_table_once(folder: Path) -> None:
    query = tm.sql("SELECT value AS v, value % 7 AS k FROM range(0, 10000)")
    result = query.map_batches(lambda frame: frame.assign(w=frame.v * 2), into="scored")
    list(result)
    got = tm.sql("SELECT count(*) AS n, count(DISTINCT v) AS d, sum(w) AS s FROM scored").fetchall()
    assert got == [(10_000, 10_000, 2 * sum(range(10_000)))]
    list(
        query.group_by("k").apply(
            lambda key, frame: pd.DataFrame({"k": key, "n": len(frame)}), "n int, k bigint", into="counts"
        )
    )
    (place,) = folder.glob("*/tables/counts")
    rows = ds.dataset(place).to_table()
    assert rows.schema.names == ["n", "k"] and rows.schema.types == [pa.int32(), pa.int64()]
    assert sorted(rows["k"].to_pylist()) == list(range(7))
    assert sum(rows["n"].to_pylist()) == 10_000

    def breaks(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(v=1 // int(frame.v[0]))

    with pytest.raises(ZeroDivisionError):
        list(query.map_batches(breaks, into="broken"))
    with pytest.raises(tm.RunFailed, match="broken"):
        tm.sql("SELECT * FROM broken").fetchall()
    written = tm.sql("INSERT INTO scored SELECT v, k, v AS w FROM scored")
    with pytest.raises(ValueError, match="gives no rows"):
        written.map_batches(lambda frame: frame)


def test_a_result_can_be_cancelled() -> None:
    query = tm.sql("SELECT value AS v FROM range(0, 8)")

    def slow(frame: pd.DataFrame) -> pd.DataFrame:
        time.sleep(30)
        return frame

    result: tm.Result[Any] = query.group_by("v").apply(slow)
    began = time.monotonic()
    time.sleep(0.5)
    result.cancel()
    with pytest.raises((CancelledError, tm.TaskKilled)):
        result.to_arrow()
    assert time.monotonic() - began < 15


def test_workers_need_no_package_but_that_of_the_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"k": [1, 1, 2], NUMBER: pa.array([1, 2, 1], pa.uint64())}), tmp_path / "rows")
    function = cloudpickle.loads(cloudpickle.dumps(lambda frame: frame.head(1)))
    called = Groups(function, "head", PandasRows(pd), schema_of("k bigint"), ["k"], False)
    (tmp_path / "called").write_bytes(pickle_function(Sharing(), called).pickled.data)
    script = """
import pickle, sys
if sys.argv[1:]:
    sys.modules[sys.argv[1]] = None
with open("called", "rb") as file:
    called = pickle.load(file)
assert called("rows", 0, 3, 0).to_pydict() == {"k": [1, 2]}
assert "tidemill" not in sys.modules
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for argument, said in [((), ""), (("pandas",), "ModuleNotFoundError: import of pandas")]:
        ran = subprocess.run(
            [sys.executable, "-c", script, *argument], capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        assert (said in ran.stderr) if said else ran.returncode == 0, ran.stderr


async def tables_of(query: tm.Query) -> Any:
    ran = await query
    return await ran.map_batches(lambda frame: frame, batch_rows=2)


def test_results_can_be_awaited() -> None:
    tables = asyncio.run(tables_of(tm.sql("SELECT value AS v FROM range(0, 4)")))
    assert [table["v"].to_pylist() for table in tables] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("end", ["", ";", " ; ; ", "-- done", "; -- it's done", "; /* a /* b */ ; */ ", " -- ';"])
def test_statements_with_parameters_and_frames(end: str) -> None:
    names = pd.DataFrame({"id": [1, 2, 3], "name": ["a;", "b--", "c"]})
    text = "WITH n AS (SELECT * FROM names WHERE id < $most) SELECT id, name, ';' AS s FROM n ORDER BY id"
    query = tm.sql(text + end, {"most": 3}, names=names)
    expected = [[1, "a;", ";"], [2, "b--", ";"]]
    assert query.map_batches(lambda frame: frame).to_pandas().values.tolist() == expected
    got = query.group_by("id").apply(lambda frame: frame).to_pandas()
    assert got.sort_values("id").values.tolist() == expected


def test_names_of_columns_are_quoted() -> None:
    frame = pd.DataFrame({'a "b': [1, 1, 2], "Ünï": ["x", "x", "y"]})
    query = tm.sql("SELECT * FROM t", t=frame)
    got = query.group_by('a "b', "Ünï").apply(lambda key, rows: pd.DataFrame({"key": [str(key)], "rows": len(rows)}))
    assert sorted(got.to_pandas().values.tolist()) == [["(1, 'x')", 2], ["(2, 'y')", 1]]
    assert _numbering("SELECT 1;", ["a"]).splitlines()[1] == "SELECT 1"


def test_types_of_data_frames_come_through() -> None:
    table = pa.table(
        {
            "k": [1, 2, 3],
            "text": ["é𝄞", "", None],
            "decimal": pa.array([Decimal("1.20"), None, Decimal("-0.01")], pa.decimal128(12, 2)),
            "zoned": pa.array(
                [datetime.datetime(2024, 3, 31, 1, tzinfo=ZoneInfo("UTC")), None, None], pa.timestamp("us", "UTC")
            ),
            "plain": pa.array([None, datetime.datetime(1, 1, 1), None], pa.timestamp("us")),
            "date": [datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31)],
            "list": [[1, 2], [], None],
            "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": ""}],
            "bytes": [b"", b"\x00\xff", None],
            "flag": [True, None, False],
            "small": pa.array([1, 2, 3], pa.int8()),
            "big": pa.array([2**63, 0, 2**64 - 1], pa.uint64()),
            "category": pa.array(["x", "y", "x"]).dictionary_encode(),
        }
    )
    query = tm.sql("SELECT * FROM t", t=table)
    whole = query.to_arrow()
    schema = whole.schema

    def by_key(row: dict[str, Any]) -> Any:
        return row["k"]

    def of_pandas(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(category=frame.category.astype("category"))

    def of_table(rows: pa.Table) -> pa.Table:
        return rows

    def of_polars(rows: pl.DataFrame) -> pl.DataFrame:
        return rows

    for function in (of_pandas, of_table, of_polars):
        for result in (query.map_batches(function, schema), query.group_by("k").apply(function, schema)):
            assert sorted(result.to_arrow().to_pylist(), key=by_key) == whole.to_pylist()
        loose = query.group_by("k").apply(function).to_arrow()
        assert sorted(loose.to_pylist(), key=by_key) == whole.to_pylist()


def test_an_index_with_a_name_is_a_column() -> None:
    rows = some_rows(100)
    query = tm.sql("SELECT * FROM rows", rows=rows)
    got = query.group_by("k").apply(lambda frame: frame.groupby(["k", "name"])[["v"]].sum()).to_pandas()
    same(got, rows.groupby(["k", "name"])[["v"]].sum().reset_index(), "k", "name")
    got = query.map_batches(lambda frame: frame.set_index("k", drop=False)[["k"]].head(3)).to_pandas()
    assert got.k.tolist() == query.to_pandas().k[:3].tolist()
