"""Statements that call functions of Python, against the same functions over the whole table in this process."""

import asyncio
import datetime
import linecache
import math
import os
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tidemill as tm
from test_remote import bucket, load  # noqa: F401
from tidemill import _functions

PARTITIONS = (1, 2, 7)
ROWS = 700
NAN = float("nan")
WORDS = ["", "a b c", "é𝄞 ü", "nul\x00nul", "'; -- \n", None, "x" * 500]
MOMENTS = [
    datetime.datetime(1900, 1, 1),
    datetime.datetime(2024, 3, 31, 1, 59, 59, 999999),
    datetime.datetime(9999, 12, 31, 23, 59, 59),
    None,
]
TYPES = {
    "n": "bigint",
    "narrow": "smallint",
    "x": "double",
    "low": "real",
    "t": "text",
    "d": "decimal(20, 4)",
    "wide": "decimal(50, 3)",
    "flag": "boolean",
    "raw": "bytea",
    "day": "date",
    "hour": "time",
    "at": "timestamp(6)",
    "many": "bigint[]",
    "texts": "text[][]",
    "pair": "struct<a bigint, b text>",
    "pairs": "struct<a bigint, b text>[]",
}


@pytest.fixture(autouse=True)
def _known_are_those_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_functions, "_known", {})


def cycled(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array([values[at % len(values)] for at in range(ROWS)], kind)


def some_rows() -> pa.Table:
    """Of each type, with nulls that do not fall together."""
    zone = datetime.timezone.utc
    pair = pa.struct([("a", pa.int64()), ("b", pa.string())])
    columns = {
        "id": pa.array(range(ROWS)),
        "k": pa.array([at * at % 11 for at in range(ROWS)]),
        "n": cycled([1, -5, None, 2**53 + 1, -(2**63), 2**63 - 1, 0], pa.int64()),
        "narrow": cycled([1, None, -(2**15), 2**15 - 1], pa.int16()),
        "x": cycled([1.5, NAN, None, -0.0, float("inf"), float("-inf"), 1e-300, 0.1], pa.float64()),
        "low": cycled([1.5, NAN, None, 0.1], pa.float32()),
        "t": cycled(WORDS, pa.string()),
        "d": cycled([Decimal("1.5000"), None, Decimal("-9999999999999999.9999")], pa.decimal128(20, 4)),
        "wide": cycled([Decimal("1" * 47 + ".125"), None, Decimal("-0.001")], pa.decimal256(50, 3)),
        "flag": cycled([True, False, None], pa.bool_()),
        "raw": cycled([b"", b"\x00\xff", None], pa.binary()),
        "day": cycled([datetime.date(1, 1, 1), datetime.date(2024, 2, 29), None], pa.date32()),
        "hour": cycled([datetime.time(0), None, datetime.time(23, 59, 59, 999999)], pa.time64("us")),
        "at": cycled(MOMENTS, pa.timestamp("us")),
        "zoned": cycled([at and at.replace(tzinfo=zone) for at in MOMENTS], pa.timestamp("us", "UTC")),
        "many": cycled([[1, None, 3], [], None, [2**62]], pa.list_(pa.int64())),
        "texts": cycled([[["é"], []], None, [None, [None, ""]]], pa.list_(pa.list_(pa.string()))),
        "pair": cycled([{"a": 1, "b": "é"}, None, {"a": None, "b": ""}], pair),
        "pairs": cycled([[{"a": 1, "b": None}], [], None, [{"a": 2, "b": "x"}] * 3], pa.list_(pair)),
    }
    return pa.table(columns)


TABLE = some_rows()


def plain(value: Any) -> Any:
    """What can be compared: one NaN is as the other, and no zero as the other."""
    match value:
        case float():
            return repr(value)
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case datetime.datetime() if value.tzinfo is not None:
            return value.astimezone(datetime.timezone.utc)
    return value


def column(query: tm.Query, name: str = "y") -> list[Any]:
    """In the order of `id`."""
    rows = query.to_arrow().select(["id", name]).to_pylist()
    return [plain(row[name]) for row in sorted(rows, key=lambda row: row["id"])]


def given(name: str) -> list[Any]:
    return [plain(value) for value in TABLE[name].to_pylist()]


def over(statement: str, partitions: int | None = None, **options: Any) -> tm.Query:
    return tm.sql(statement, partitions=partitions, t=TABLE, progress=False, **options)


@pytest.fixture(params=PARTITIONS)
def partitions(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


# values of all types, both ways


@pytest.mark.parametrize("on_null", ["null", "call"])
@pytest.mark.parametrize("form", ["values", "pandas", "arrow", "polars", "numpy"])
def test_values_of_all_types_come_and_go_as_they_are(form: Any, on_null: Any) -> None:
    # polars has decimals of 38 digits
    names = [name for name in TYPES if name != "wide" or form != "polars"]
    for name in names:
        kind = TYPES[name]
        tm.udf(lambda v: v, name=f"same_{name}", args=[kind], returns=kind, input=form, on_null=on_null)
    calls = ", ".join(f"same_{name}({name}) AS {name}" for name in names)
    query = over(f"SELECT id, {calls} FROM t", 2)
    for name in names:
        assert column(query, name) == given(name), name


@pytest.mark.parametrize("on_null", ["null", "call"])
@pytest.mark.parametrize("form", ["values", "pandas", "arrow", "polars"])
def test_times_with_a_zone_come_and_go_as_they_are(form: Any, on_null: Any) -> None:
    kind = "timestamp(6) with time zone"
    tm.udf(lambda v: v, name="same", args=[kind], returns=kind, input=form, on_null=on_null)
    assert column(over("SELECT id, same(zoned) AS y FROM t", 2)) == given("zoned")


def test_arguments_have_the_types_that_they_have() -> None:
    @tm.udf(name="kind", returns="text", on_null="call", input="arrow")
    def kind(v: Any) -> Any:
        return [str(v.type)] * len(v)

    names = [name for name in TYPES if "pair" not in name]
    calls = ", ".join(f"kind({name}) AS {name}" for name in names)
    (row,) = over(f"SELECT {calls} FROM t WHERE id = 0").to_arrow().to_pylist()
    alike = {"timestamp[us, tz=+00:00]": "timestamp[us, tz=UTC]"}
    assert {name: alike.get(said, said).replace("item", "element") for name, said in row.items()} == {
        name: str(TABLE.schema.field(name).type).replace("item", "element") for name in names
    }


# scalar functions


def both(left: Any, right: Any) -> Any:
    return left * 2 + right


@pytest.mark.parametrize("form", ["values", "pandas", "numpy", "polars"])
def test_a_function_of_two_columns(form: Any, partitions: int) -> None:
    tm.udf(both, args=["double", "double"], returns="double", input=form)
    expected = [
        None if x is None or narrow is None else repr(both(x, float(narrow)))
        for x, narrow in zip(TABLE["x"].to_pylist(), TABLE["narrow"].to_pylist(), strict=True)
    ]
    assert column(over("SELECT id, both(x, narrow) AS y FROM t", partitions)) == expected


def test_a_function_of_arrow(partitions: int) -> None:
    @tm.udf(returns="text")
    def larger(t: pa.Array) -> Any:
        return pc.utf8_upper(t)

    assert column(over("SELECT id, larger(t) AS y FROM t", partitions)) == pc.utf8_upper(TABLE["t"]).to_pylist()


def test_nulls_are_values_where_they_are_asked_for(partitions: int) -> None:
    @tm.udf(on_null="call")
    def filled(n: int | None, t: str | None) -> str:
        return f"{n} {t is None}"

    @tm.udf(on_null="call", returns="boolean")
    def is_missing(x: pd.Series) -> pd.Series:
        return x.isna()

    @tm.udf(on_null="call", returns="text")
    def dtype(x: pd.Series) -> pd.Series:
        return pd.Series([str(x.dtype)] * len(x))

    rows = over("SELECT id, filled(n, t) AS y, is_missing(x) AS m, dtype(n) AS d FROM t", partitions)
    pairs = zip(TABLE["n"].to_pylist(), TABLE["t"].to_pylist(), strict=True)
    assert column(rows) == [f"{n} {t is None}" for n, t in pairs]
    assert column(rows, "m") == [x is None for x in TABLE["x"].to_pylist()]
    assert set(column(rows, "d")) == {"Int64"}


def test_functions_are_called_at_all_places(partitions: int) -> None:
    @tm.udf
    def halved(n: int) -> int:
        return n // 2

    @tm.udf
    def is_odd(n: int) -> bool:
        return n % 2 == 1

    def rows(statement: str) -> list[Any]:
        return sorted(over(statement, partitions).fetchall())

    def alone(statement: str) -> list[Any]:
        return tm.sql(statement, partitions=partitions).fetchall()

    ids = range(ROWS)
    assert rows("SELECT halved(halved(id) + 1) AS y FROM t") == sorted(((at // 2 + 1) // 2,) for at in ids)
    assert rows("SELECT id FROM t WHERE is_odd(id) AND halved(id) < 10") == [(at,) for at in range(20) if at % 2]
    expected: dict[int, int] = {}
    for at in ids:
        expected[at // 2 % 5] = expected.get(at // 2 % 5, 0) + at
    assert rows("SELECT halved(id) % 5 AS g, sum(id) AS s FROM t GROUP BY halved(id) % 5") == sorted(expected.items())
    assert rows("SELECT g FROM (SELECT id % 7 AS g, sum(id) AS s FROM t GROUP BY id % 7) WHERE is_odd(s)") == [
        (g,) for g in range(7) if sum(at for at in ids if at % 7 == g) % 2
    ]
    assert rows("SELECT halved(sum(id)) AS s FROM t") == [(sum(ids) // 2,)]
    assert rows("SELECT k FROM t GROUP BY k HAVING is_odd(count(*))") == rows(
        "SELECT k FROM t GROUP BY k HAVING count(*) % 2 = 1"
    )
    joined = "SELECT a.id, b.id AS other FROM t AS a JOIN t AS b ON {} = b.id WHERE a.id < 50"
    assert rows(joined.format("halved(a.id)")) == [(at, at // 2) for at in range(50)]
    assert rows("SELECT CASE WHEN is_odd(id) THEN 'o' ELSE 'e' END AS y, count(*) AS n FROM t GROUP BY 1") == [
        ("e", 350),
        ("o", 350),
    ]
    assert over("SELECT id FROM t ORDER BY halved(id) DESC, id LIMIT 3", partitions).fetchall() == [
        (698,),
        (699,),
        (696,),
    ]
    assert alone("SELECT halved(5) AS y") == [(2,)]
    assert alone("SELECT halved(NULL) AS y") == [(None,)]
    assert rows("WITH u AS (SELECT halved(id) AS h FROM t) SELECT max(h) AS m FROM u WHERE h <> halved(11)") == [(349,)]
    assert rows("SELECT y FROM (SELECT halved(id) AS y FROM t UNION ALL SELECT halved(k) FROM t) WHERE y = 5") == [
        *[(5,)] * (2 + sum(k // 2 == 5 for k in TABLE["k"].to_pylist()))
    ]
    windowed = "SELECT id, sum(halved(id)) OVER (PARTITION BY is_odd(id) ORDER BY id) AS y FROM t WHERE id < 6"
    assert rows(windowed) == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 3), (5, 3)]


def test_functions_without_arguments_and_with_any_number() -> None:
    tm.udf(lambda: "é", name="nothing", returns="text")
    tm.udf(lambda *v: len(v), name="count_of", returns="int")
    tm.udf(lambda *v: ",".join(map(str, v)), name="joined", returns="text", on_null="call")
    query = over("SELECT id, nothing() AS y, count_of(id, t, x) AS c, joined(n, t) AS j FROM t", 2)
    assert column(query) == ["é"] * ROWS
    known = zip(*(TABLE[name].to_pylist() for name in ("t", "x")), strict=True)
    assert column(query, "c") == [None if t is None or x is None else 3 for t, x in known]
    known = zip(*(TABLE[name].to_pylist() for name in ("n", "t")), strict=True)
    assert column(query, "j") == [f"{n},{t}" for n, t in known]


def test_a_table_without_rows_calls_nothing() -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError

    tm.udf(refuse, name="f", returns="bigint", input="pandas")
    tm.udtf(refuse, name="g", returns="v bigint")
    query = over("SELECT f(id) AS y FROM t WHERE id < 0", 2)
    assert (query.fetchall(), query.schema.field("y").type) == ([], pa.int64())
    assert over("SELECT id, v FROM t, g(id) AS r WHERE id < 0").fetchall() == []


def test_a_volatile_function_is_called_once_for_a_row(partitions: int) -> None:
    tm.udf(lambda _: random.random(), name="chance", returns="double", args=["bigint"], volatility="volatile")
    query = over("SELECT id, y, y - y AS zero, z FROM (SELECT id, chance(id) AS y, chance(id) AS z FROM t)", partitions)
    table = query.to_arrow()
    assert set(table["zero"].to_pylist()) == {0.0}
    assert len(set(table["y"].to_pylist()) | set(table["z"].to_pylist())) == 2 * ROWS
    assert over("SELECT id, y FROM (SELECT id, chance(id) AS y FROM t) WHERE y > 2").fetchall() == []


def test_parameters_frames_and_functions_go_together() -> None:
    tm.udf(both, args=["bigint", "bigint"], returns="bigint")
    assert tm.sql("SELECT both(v, $1) AS y FROM f WHERE both($1, v) > 11", [5], f={"v": [1, 2]}).fetchall() == [(9,)]


# aggregates


def grouped(*names: str, null: bool) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of each group, in the order that they have."""
    groups: dict[int, list[tuple[Any, ...]]] = {}
    for k, *row in zip(*(TABLE[name].to_pylist() for name in ("k", *names)), strict=True):
        rows = groups.setdefault(k, [])
        if null or None not in row:
            rows.append(tuple(row))
    return groups


@pytest.mark.parametrize("form", ["values", "pandas", "arrow", "polars", "numpy"])
def test_an_aggregate_is_that_of_each_group(form: Any, partitions: int) -> None:
    def spread(x: Any) -> float | None:
        numbers = sorted(each for each in np.asarray(x, dtype=float) if math.isfinite(each))
        return float(numbers[-1] - numbers[0] + len(x)) if numbers else None

    tm.udaf(spread, args=["double"], returns="double", input=form)
    expected = {k: spread([x for (x,) in rows]) for k, rows in grouped("x", null=False).items()}
    assert dict(over("SELECT k, spread(x) AS y FROM t GROUP BY k", partitions).fetchall()) == expected
    whole = spread([x for rows in grouped("x", null=False).values() for (x,) in rows])
    assert over("SELECT spread(x) AS y FROM t", partitions).fetchall() == [(whole,)]


def test_an_aggregate_of_several_columns_sees_rows(partitions: int) -> None:
    @tm.udaf(on_null="call", returns="text")
    def said(n: list[int], t: list[str]) -> str:
        return repr(sorted(zip(n, t, strict=True), key=repr))

    @tm.udaf(returns="text")
    def said_without(n: list[int], t: list[str]) -> str:
        return repr(sorted(zip(n, t, strict=True), key=repr))

    got = over("SELECT k, said(n, t) AS y, said_without(n, t) AS z, count(*) AS c FROM t GROUP BY k", partitions)
    rows = {k: (y, z, c) for k, y, z, c in got.fetchall()}
    with_null, without = grouped("n", "t", null=True), grouped("n", "t", null=False)
    assert rows == {
        k: (repr(sorted(with_null[k], key=repr)), repr(sorted(without[k], key=repr)), len(with_null[k]))
        for k in with_null
    }


def test_aggregates_with_all_that_sql_has_for_them(partitions: int) -> None:
    @tm.udaf
    def listed(x: list[int]) -> list[int]:
        return sorted(x)

    def rows(statement: str) -> list[Any]:
        return sorted(over(statement, partitions).fetchall())

    assert rows("SELECT listed(DISTINCT k) AS y FROM t") == [(sorted(set(TABLE["k"].to_pylist())),)]
    assert rows("SELECT listed(id) FILTER (WHERE id < 3) AS y FROM t") == [([0, 1, 2],)]
    assert rows("SELECT id % 2 AS g, listed(id) FILTER (WHERE id < 3) AS y FROM t GROUP BY id % 2") == [
        (0, [0, 2]),
        (1, [1]),
    ]
    assert rows("SELECT k % 2 AS g, listed(k) AS y FROM (SELECT DISTINCT k FROM t) GROUP BY k % 2") == [
        (g, sorted({k for k in TABLE["k"].to_pylist() if k % 2 == g})) for g in (0, 1)
    ]
    assert rows("SELECT k FROM t GROUP BY k HAVING listed(id)[1] < 3") == [(0,), (1,), (4,)]


def test_an_aggregate_of_no_rows(partitions: int) -> None:
    tm.udaf(lambda x: len(x), name="size", args=["bigint"], returns="bigint")
    assert over("SELECT size(id) AS y FROM t WHERE id < 0", partitions).fetchall() == [(0,)]
    assert over("SELECT k, size(id) AS y FROM t WHERE id < 0 GROUP BY k", partitions).fetchall() == []


# table functions


def words(text: str) -> Iterator[tuple[str, int]]:
    for number, word in enumerate(text.split()):
        yield word, number


def test_a_table_function_gives_rows_for_each(partitions: int) -> None:
    tm.udtf(words, returns="word text, place int")
    got = over("SELECT id, word, place FROM t, words(t) AS r", partitions).fetchall()
    expected = [(at, *row) for at, t in enumerate(TABLE["t"].to_pylist()) if t is not None for row in words(t)]
    assert sorted(got) == sorted(expected)


def test_columns_with_the_names_of_others_are_renamed(partitions: int) -> None:
    tm.udtf(lambda n: [(n, n + 1)], name="pair_of", args=["bigint"], returns="id bigint, n bigint")
    with pytest.raises(tm.RunFailed, match=r"name its columns, as in words\(t\.text\) AS w\(word, place\)"):
        over("SELECT t.id, r.id AS a, r.n AS b FROM t, pair_of(t.id) AS r", partitions).to_arrow()
    renamed = over("SELECT t.id, a, b FROM t, pair_of(t.id) AS r(a, b) WHERE b = 3", partitions)
    assert renamed.fetchall() == [(2, 2, 3)]


def test_table_functions_return_what_has_rows(partitions: int) -> None:
    results: dict[str, Callable[[int], Any]] = {
        "tuples": lambda n: [(at, str(at)) for at in range(n)],
        "dicts": lambda n: ({"b": str(at), "a": at} for at in range(n)),
        "frame": lambda n: pd.DataFrame({"a": range(n), "b": [str(at) for at in range(n)]}),
        "polar": lambda n: pl.DataFrame({"a": list(range(n)), "b": [str(at) for at in range(n)]}),
        "arrow": lambda n: pa.table({"a": list(range(n)), "b": pa.array([str(at) for at in range(n)], pa.string())}),
        "none": lambda n: None if n == 0 else [(at, str(at)) for at in range(n)],
    }
    expected = sorted((at, a, str(a)) for at in range(ROWS) for a in range(at % 4))
    for name, function in results.items():
        tm.udtf(function, name=name, args=["bigint"], returns="a bigint, b text")
        assert sorted(over(f"SELECT id, a, b FROM t, {name}(id % 4) AS r", partitions).fetchall()) == expected, name


def test_a_table_function_of_one_column_and_of_constants() -> None:
    tm.udtf(lambda n: range(n), name="upto", args=["bigint"], returns="v bigint")
    assert tm.sql("SELECT v FROM upto(3) AS r ORDER BY v").fetchall() == [(0,), (1,), (2,)]
    query = over("SELECT id, count(v) AS c FROM t, upto(id) AS r WHERE v % 2 = 0 GROUP BY id ORDER BY id LIMIT 3", 2)
    assert query.fetchall() == [(1, 1), (2, 1), (3, 2)]
    outer = "SELECT id, v FROM t LEFT JOIN LATERAL upto(id) AS r ON true WHERE id < 3 ORDER BY id, v"
    assert over(outer, 2).fetchall() == [(0, None), (1, 0), (2, 0), (2, 1)]


# what goes wrong


def reason(statement: str, partitions: int | None = None) -> str:
    with pytest.raises(tm.RunFailed) as failed:
        over(statement, partitions).wait()
    return str(failed.value)


@pytest.mark.parametrize("form", ["values", "pandas", "arrow", "polars", "numpy"])
def test_what_is_raised_is_shown_with_its_row(form: Any, partitions: int) -> None:
    def checked(v: Any, t: Any) -> Any:
        if 77 in np.atleast_1d(np.asarray(v)):
            raise ValueError("not 77 é")
        return v

    tm.udf(checked, args=["bigint", "text"], returns="bigint", input=form)
    said = reason("SELECT checked(id, t) AS y FROM t", partitions)
    for part in ("checked", "ValueError: not 77 é", "Traceback", "test_called_functions.py", "v=77, t=''"):
        assert part in said, said


def test_aggregates_and_table_functions_raise_so_too() -> None:
    def failing(x: Any) -> Any:
        raise KeyError("no such thing")

    tm.udaf(failing, name="a", args=["bigint"], returns="bigint")
    tm.udtf(failing, name="b", args=["bigint"], returns="v bigint")
    said = reason("SELECT k, a(id) AS y FROM t WHERE id < 3 GROUP BY k")
    assert all(part in said for part in ("KeyError: 'no such thing'", "a group of 1 row", "x=")), said
    said = reason("SELECT v FROM t, b(id) AS r WHERE id = 5")
    assert all(part in said for part in ("KeyError: 'no such thing'", "x=5")), said


def test_a_traceback_has_the_lines_that_only_this_process_knows() -> None:
    text = "def f(v):\n    return v / 0  # of a notebook\n"
    known: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "<cell>", "exec"), known)
    linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
    tm.udf(known["f"], args=["bigint"], returns="double")
    assert 'File "<cell>", line 2, in f\n    return v / 0  # of a notebook' in reason("SELECT f(id) AS y FROM t")


@pytest.mark.parametrize(
    ("function", "returns", "form", "said"),
    [
        (lambda v: "abc", "bigint", "values", "returned 'abc' where bigint is declared"),
        (lambda v: 1.5, "bigint", "values", "returned 1.5 where bigint is declared"),
        (lambda v: 2**70, "bigint", "values", f"returned {2**70} where bigint is declared"),
        (lambda v: v[:3], "bigint", "pandas", "returned 3 values for"),
        (lambda v: v.sum(), "bigint", "pandas", "returned"),
        (lambda v: v + 0.5, "bigint", "numpy", "where bigint is declared"),
        (lambda v: datetime.datetime(2024, 1, 1), "timestamptz", "values", "is declared"),
        (lambda v: None if v else v, "bigint[]", "values", "is declared"),
    ],
)
def test_what_is_not_as_declared_is_said(function: Any, returns: str, form: Any, said: str) -> None:
    tm.udf(function, name="f", args=["bigint"], returns=returns, input=form)
    text = reason("SELECT f(id) AS y FROM t WHERE id >= 0")
    assert said in text and "f" in text, text


def test_a_process_that_ends_fails_the_run() -> None:
    tm.udf(lambda v: os._exit(3), name="f", args=["bigint"], returns="bigint")
    assert "f" in reason("SELECT f(id) AS y FROM t")
    tm.udf(lambda v: exit(3), name="f", args=["bigint"], returns="bigint")
    assert "SystemExit" in reason("SELECT f(id) AS y FROM t WHERE id = 1")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT f(id, id) AS y FROM t", "f() takes 1 argument and is given 2"),
        ("SELECT f(t) AS y FROM t", "f() takes bigint as argument 1 and is given varchar: CAST it"),
    ],
)
def test_what_does_not_fit_the_declaration_is_refused_by_the_planner(statement: str, said: str) -> None:
    tm.udf(lambda v: v, name="f", args=["bigint"], returns="bigint")
    assert said in reason(statement)


@pytest.mark.parametrize("kind", ["double[", "nothing", "bigint; DROP"])
def test_a_type_that_sql_does_not_have_is_refused(kind: str) -> None:
    tm.udf(lambda v: v, name="f", returns=kind)
    assert "f" in reason("SELECT f(id) AS y FROM t")
    tm.udf(lambda v: v, name="f", args=[kind], returns="bigint")
    assert "f" in reason("SELECT f(id) AS y FROM t")


def test_the_name_of_a_built_in_function_is_refused() -> None:
    tm.udf(lambda v: v, name="upper", args=["text"], returns="text")
    assert "upper" in reason("SELECT upper(t) AS y FROM t")


# around it


def test_explain_shows_what_python_does() -> None:
    tm.udf(lambda v: v, name="f", args=["bigint"], returns="bigint", cost="1ms")
    query = over("SELECT f(id) AS y FROM t")
    assert "CallExec: f(id)" in query.explain()
    assert query.estimate.cost_usd[1] > 0
    assert query.run is None


def test_rows_of_functions_go_on() -> None:
    tm.udf(lambda v: v + 1, name="f", args=["bigint"], returns="bigint")
    query = over("SELECT id % 3 AS g, f(id) AS y FROM t", 2)
    parts = query.map_batches(lambda frame: frame.assign(y=frame.y * 2), "g bigint, y bigint").to_pandas()
    assert parts.y.sum() == 2 * sum(range(1, ROWS + 1))
    groups = query.group_by("g").apply(
        lambda frame: pd.DataFrame({"g": frame.g[:1], "s": [frame.y.sum()]}), "g bigint, s bigint"
    )
    assert groups.to_pandas().s.sum() == sum(range(1, ROWS + 1))


def test_cursors_call_functions() -> None:
    tm.udf(lambda v: v + 1, name="f", args=["bigint"], returns="bigint")
    with tm.connect() as connection:
        assert connection.execute("SELECT f(?) AS y", [4]).fetchall() == [(5,)]
        assert pd.read_sql("SELECT f(1) AS y", connection).y.tolist() == [2]


def test_ibis_calls_functions() -> None:
    pytest.importorskip("ibis")
    tm.udf(lambda v: v + 1, name="f", args=["bigint"], returns="bigint")
    from tidemill.ibis import Backend

    connection = Backend()
    connection.do_connect()
    expression = connection.sql("SELECT f(1) AS y")
    assert connection.to_pyarrow(expression).to_pydict() == {"y": [2]}


def test_a_function_that_was_changed_is_the_new_one() -> None:
    for number in range(3):
        tm.udf(lambda v, number=number: v + number, name="f", args=["bigint"], returns="bigint")
        assert tm.sql("SELECT f(1) AS y").fetchall() == [(1 + number,)]


def test_large_objects_of_a_function_are_shared() -> None:
    table = np.arange(100_000.0)
    tm.udf(lambda v: table[v], name="f", args=["bigint"], returns="double", input="numpy")
    assert column(over("SELECT id, f(id) AS y FROM t", 2)) == [repr(float(at)) for at in range(ROWS)]


def test_it_can_be_awaited() -> None:
    tm.udf(lambda v: v + 1, name="f", args=["bigint"], returns="bigint")

    async def asked() -> Any:
        return (await tm.sql("SELECT f(1) AS y")).fetchall()

    assert asyncio.run(asked()) == [(2,)]


def test_a_table_of_files(partitions: int) -> None:
    tm.udf(lambda v: v * 2, name="f", args=["bigint"], returns="bigint", input="pandas")
    name = f"files_{partitions}"
    for at in range(partitions):
        tm.write(TABLE.slice(at * 100, 100).select(["id"]), name, mode="append")
    got = tm.sql(f"SELECT id, f(id) AS y FROM {name}").fetchall()
    assert sorted(got) == [(at, 2 * at) for at in range(100 * partitions)]


MODULE = """
import tidemill as tm

FACTOR = {factor}

def helped(n):
    return n * FACTOR

@tm.udf
def scaled(n: int) -> int:
    return helped(n)
"""


def test_functions_of_local_modules_travel_and_are_those_of_now(
    bucket: str,  # noqa: F811
    load: Callable[[str, str], Any],  # noqa: F811
) -> None:
    for factor in (2, 3):
        name = f"scales_{factor}"
        load(name, MODULE.format(factor=factor))
        query = tm.sql("SELECT scaled($1) AS y", [5], bucket=bucket, max_workers=factor)
        assert query.fetchall() == [(5 * factor,)]


def test_functions_of_a_main_program_travel(bucket: str, script: Callable[..., Any]) -> None:  # noqa: F811
    ended = script(
        """
import tidemill as tm

def helped(text):
    return text.upper()

@tm.udtf(returns="letter text")
def letters(text: str):
    yield from helped(text)

@tm.udaf
def longest(text: list[str]) -> str:
    return max(text, key=len)

print(tm.sql("SELECT longest(letter || letter) AS y FROM letters('é$')").fetchall())
""",
        TIDEMILL_BUCKET=bucket,
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "[('ÉÉ',)]"), ended.stderr
