"""Ibis, with ours as its backend."""

import datetime
import hashlib
import itertools
from decimal import Decimal
from typing import Any

import pytest

ibis = pytest.importorskip("ibis", minversion="10")
pyarrow = pytest.importorskip("pyarrow")

import tidemill.ibis  # noqa: E402

_names = itertools.count()


@pytest.fixture(scope="module")
def con() -> Any:
    return tidemill.ibis.Backend().connect()


@pytest.fixture
def name() -> str:
    return f"ibis_{next(_names)}"


@pytest.fixture
def sales(con: Any, name: str) -> Any:
    return con.create_table(name, {"id": [1, 2, 3, 4], "town": ["a", "b", None, "a"], "price": [1.5, 2.5, None, 4.0]})


def test_a_table_of_the_bucket_is_read(con: Any, sales: Any) -> None:
    assert sales.get_name() in con.list_tables()
    assert sales.schema() == ibis.schema({"id": "int64", "town": "string", "price": "float64"})
    cheap = sales.filter(sales.price < 3).order_by("id").mutate(double=sales.price * 2)
    assert cheap.to_pyarrow().to_pylist() == [
        {"id": 1, "town": "a", "price": 1.5, "double": 3.0},
        {"id": 2, "town": "b", "price": 2.5, "double": 5.0},
    ]
    assert sales.price.sum().to_pyarrow().as_py() == 8.0
    assert sales.count().execute() == 4


def test_tables_of_this_process_go_along(con: Any, sales: Any) -> None:
    towns = ibis.memtable({"town": ["a", "b"], "people": [10, 20]})
    joined = sales.join(towns, "town").group_by("town").agg(people=lambda t: t.people.max(), n=lambda t: t.count())
    assert con.to_pyarrow(joined.order_by("town")).to_pylist() == [
        {"town": "a", "people": 10, "n": 2},
        {"town": "b", "people": 20, "n": 1},
    ]
    assert not [each for each in con.list_tables() if "memtable" in each]


def test_batches_are_of_the_size_that_was_asked_for(con: Any) -> None:
    many = ibis.memtable({"n": list(range(2500))})
    reader = con.to_pyarrow_batches(many.mutate(m=many.n + 1), chunk_size=1000)
    assert max(batch.num_rows for batch in reader) <= 1000
    assert con.to_pyarrow(many.limit(3)).num_rows == 3
    assert con.to_pyarrow(many, limit=7).num_rows == 7


def test_values_of_all_kinds_are_literals(con: Any) -> None:
    values = [
        1,
        0.1,
        "it's ?",
        True,
        None,
        Decimal("1.25"),
        datetime.date(2024, 1, 31),
        datetime.time(1, 2, 3),
        datetime.datetime(2024, 1, 31, 1, 2, 3),
        [1, 2],
        {"a": 1, "b": "x"},
    ]
    row = con.to_pyarrow(ibis.memtable({"n": [0]}).select(**{f"c{at}": ibis.literal(v) for at, v in enumerate(values)}))
    assert list(row.to_pylist()[0].values()) == values


def test_numbers_are_those_of_python(con: Any) -> None:
    n = ibis.memtable({"n": [7, -7]}).n
    for expression, expected in (
        (n / 2, [3.5, -3.5]),
        (n // 2, [3, -4]),
        (n ^ 3, [7 ^ 3, -7 ^ 3]),
        (~n, [-8, 6]),
        (ibis.literal(0.1) + n * 0.2, [0.1 + 7 * 0.2, 0.1 - 7 * 0.2]),
    ):
        assert con.to_pyarrow(expression).to_pylist() == pytest.approx(expected)


def test_times_have_parts_and_differences(con: Any) -> None:
    at, other = datetime.datetime(2024, 1, 31, 12, 34, 56, 789123), datetime.datetime(2023, 12, 31, 1, 2, 3)
    t = ibis.memtable({"at": [at], "other": [other]})
    for expression, expected in (
        (t.at.microsecond(), 789123),
        (t.at.millisecond(), 789),
        (t.at.second(), 56),
        (t.at.epoch_seconds(), int((at - datetime.datetime(1970, 1, 1)).total_seconds())),
        (t.at.date(), at.date()),
        (t.at.day_of_week.index(), 2),
        (t.at.truncate("h"), at.replace(minute=0, second=0, microsecond=0)),
        (t.at.bucket(minutes=5), at.replace(minute=30, second=0, microsecond=0)),
        (t.at.delta(t.other, unit="week"), 5),
        (t.at.delta(t.other, unit="quarter"), 1),
        (t.at.date().delta(t.other.date(), unit="day"), 31),
        (t.at + ibis.interval(days=1), at + datetime.timedelta(days=1)),
        (t.at - t.other, datetime.timedelta(days=31, hours=11, minutes=32, seconds=53)),
    ):
        (value,) = con.to_pyarrow(expression).to_pylist()
        assert value == expected, expression


def test_lists_texts_and_maps_have_their_functions(con: Any) -> None:
    t = ibis.memtable({"n": [3], "s": ["7"], "x": [[1, 2, 3, 4]], "day": ["02/03/24"]})
    lookup = ibis.literal({"7": "seven"})
    for expression, expected in (
        (ibis.range(t.n), [0, 1, 2]),
        (ibis.range(5, 0, -2), [5, 3, 1]),
        (ibis.range(5, 0, 1), []),
        (t.x[1:3], [2, 3]),
        (t.x[-2:], [3, 4]),
        (t.x[:-1], [1, 2, 3]),
        (t.x.sums(), 10),
        (t.x.means(), 2.5),
        (t.s.try_cast("int64"), 7),
        (t.day.try_cast("int64"), None),
        (t.day.as_date("%m/%d/%y"), datetime.date(2024, 2, 3)),
        (t.s.hexdigest("md5"), hashlib.md5(b"7").hexdigest()),
        (lookup.get(t.s, "none"), "seven"),
        (lookup.get(t.day, "none"), "none"),
        (t.n.cast("uint8"), 3),
    ):
        (value,) = con.to_pyarrow(expression.as_table()).to_pydict().popitem()[1]
        assert value == expected, expression


def test_a_time_without_a_zone_is_utc(con: Any) -> None:
    value = con.to_pyarrow(ibis.timestamp("2022-02-04 16:20:00").cast("timestamp('America/New_York')")).as_py()
    assert value == datetime.datetime(2022, 2, 4, 16, 20, tzinfo=datetime.timezone.utc)


def test_tables_are_made_and_filled(con: Any, name: str) -> None:
    empty = con.create_table(name, schema={"a": "int32", "b": "string", "c": "timestamp"})
    assert empty.count().execute() == 0
    con.insert(name, {"b": ["x"], "a": [1]})
    con.insert(name, empty.mutate(a=empty.a + 1))
    assert sorted(con.table(name).a.to_pyarrow().to_pylist()) == [1, 2]
    with pytest.raises(tidemill.RunFailed, match="exists already"):
        con.create_table(name, {"a": [1]})
    con.insert(name, empty.filter(empty.a == 2), overwrite=True)
    assert con.table(name).a.to_pyarrow().to_pylist() == [2]
    con.truncate_table(name)
    assert con.table(name).count().execute() == 0
    other = con.create_table(name, ibis.memtable({"z": [1]}), overwrite=True)
    assert other.schema().names == ("z",)
    con.drop_table(name)
    assert name not in con.list_tables()


def test_a_temporary_table_is_only_here(con: Any, sales: Any) -> None:
    name = f"{sales.get_name()}_kept"
    kept = con.create_table(name, sales.filter(sales.id > 1), temp=True)
    assert kept.count().execute() == 3 and name in con.list_tables()
    other = tidemill.ibis.Backend().connect()
    assert name not in other.list_tables()
    cached = sales.filter(sales.id > 2).cache()
    assert cached.count().execute() == 2
    con.drop_table(name)
    assert name not in con.list_tables()


def test_files_of_this_machine_are_read(con: Any, tmp_path: Any) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("a,b\n1,x\n2,y\n")
    assert con.read_parquet(tmp_path / "a.parquet").a.sum().execute() == 3
    assert con.read_csv(tmp_path / "b.csv").b.max().execute() == "y"


def test_sql_is_part_of_an_expression(con: Any, sales: Any) -> None:
    query = con.sql(f"SELECT town, sum(price) AS total FROM {sales.get_name()} GROUP BY town")
    assert query.schema() == ibis.schema({"town": "string", "total": "float64"})
    assert query.filter(query.town == "a").total.to_pyarrow().to_pylist() == [5.5]


def test_what_there_is_not_is_said(con: Any, sales: Any) -> None:
    with pytest.raises(ibis.common.exceptions.TableNotFound):
        con.table("there_is_none")
    with pytest.raises(ibis.common.exceptions.TableNotFound):
        con.drop_table("there_is_none")
    con.drop_table("there_is_none", force=True)
    with pytest.raises(NotImplementedError, match="views"):
        con.create_view("v", sales)
    with pytest.raises(ibis.common.exceptions.UnsupportedOperationError, match="databases"):
        con.list_tables(database="x")
    with pytest.raises(ibis.common.exceptions.OperationNotDefinedError):
        con.compile(sales.town.re_split("x"))
