"""How values come back, and how they become a table."""

import datetime
import decimal
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

import tidemill as tm
from calls import values_of_all_kinds


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of the buckets of a deployment that ends with the test."""
    monkeypatch.setenv("TIDEMILL_FOLDER", str(tmp_path))
    with tm.Executor(max_workers=2) as ours:
        monkeypatch.setattr("tidemill._map.executor_of", lambda key: ours)
        yield tmp_path


def rows_of(folder: Path, table: str) -> Any:
    (place,) = folder.glob(f"*/tables/{table}")
    return ds.dataset(place).to_table().to_pylist()


def test_values_of_all_kinds_come_back_as_they_were() -> None:
    expected = values_of_all_kinds()
    values = list(tm.map(lambda n: values_of_all_kinds()[n], range(len(expected))))
    for value, other in zip(values, expected, strict=True):
        assert type(value) is type(other)
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, other)
        elif hasattr(value, "equals"):
            assert value.equals(other)
        else:
            assert pickle.dumps(value) == pickle.dumps(other)


def test_lists_that_stand_in_two_places_are_still_one() -> None:
    def twice() -> list[list[int]]:
        one = [1]
        return [one, one]

    with tm.Executor(max_workers=2) as ours:
        value = ours.submit(twice).result()
    assert value[0] is value[1]


def frame(n: int) -> pd.DataFrame:
    return pd.DataFrame({"n": [n, n], "name": ["é", None]})


def test_data_frames_are_one_table() -> None:
    result = tm.map(frame, range(3))
    assert result.to_arrow().to_pydict() == {"n": [0, 0, 1, 1, 2, 2], "name": ["é", None] * 3}
    assert result.to_pandas().shape == (6, 2)
    assert result.to_polars().height == 6
    polars = tm.map(lambda n: pl.DataFrame({"n": [n]}), range(2))
    assert polars.to_arrow().to_pydict() == {"n": [0, 1]}
    with pytest.raises(TypeError, match="call 0 has returned a int, which is no data frame"):
        tm.map(abs, [1]).to_arrow()


def test_values_are_json() -> None:
    values = [None, 1, 1.5, "é", [1, {"a": True}]]
    assert json.loads(tm.map(lambda n: values[n], range(5)).to_json()) == values
    with pytest.raises(TypeError, match="call 1 has returned a set, which JSON cannot have"):
        tm.map(lambda n: {n} if n else n, range(2)).to_json()


def test_who_does_not_unpickle_runs_no_code(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, (f"open({str(folder / 'sprung')!r}, 'w')",)

    result = tm.map(lambda n: Trap() if n else frame(n), range(2))
    for _ in result.unordered():
        pass
    assert (folder / "sprung").exists()
    (folder / "sprung").unlink()
    assert result.run is not None
    seen = tm.attach(result.run, unpickle=False)
    assert [type(value).__name__ for value in seen] == ["DataFrame", "PickledValue"]
    with pytest.raises(TypeError, match="call 1 has returned <a pickle of"):
        seen.to_arrow()
    assert not (folder / "sprung").exists()


def test_frames_become_a_table_once(folder: Path) -> None:
    result = tm.map(frame, range(30), into="sims")
    assert list(result) == [None] * 30
    assert sorted(row["n"] for row in rows_of(folder, "sims")) == sorted(2 * list(range(30)))
    list(tm.map(lambda n: pl.DataFrame({"name": ["x"], "n": [n]}), iter(range(2)), into="tables/sims/"))
    assert len(rows_of(folder, "sims")) == 62
    assert result.run is not None
    assert list(tm.attach(result.run)) == [None] * 30
    assert len(rows_of(folder, "sims")) == 62


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda n: frame(1 // (5 - n)), "call 5 .* has raised builtins.ZeroDivisionError"),
        (lambda n: n, "has returned no data frame"),
        (lambda n: pd.DataFrame({"n": [n if n % 2 else "x"]}), "different columns"),
        (lambda n: pd.DataFrame({"n": [None]}), "column n has no value to tell its type"),
        (lambda n: pd.DataFrame({"a" if n < 20 else "b": [n]}), "has returned the columns"),
        (lambda n: pa.table({}), "without columns"),
        (lambda n: pd.DataFrame({"a" if n % 2 else "b": [n]}), "have returned the columns|has returned the columns"),
        (lambda n: pd.DataFrame({"n": [datetime.timedelta(n)]}), "durations"),
        (lambda n: pa.table({"n": pa.array([[None]])}), "no value to tell its type"),
    ],
)
def test_what_is_no_table_is_none(folder: Path, function: Any, message: str) -> None:
    with pytest.raises(tm.RunFailed, match=message):
        list(tm.map(function, range(40), into="sims"))
    assert not list(folder.glob("*/tables/sims/*"))


def test_what_does_not_fit_a_table_leaves_it_as_it_is(folder: Path) -> None:
    list(tm.map(frame, range(2), into="sims"))
    with pytest.raises(tm.RunFailed, match="the table has"):
        list(tm.map(lambda n: pd.DataFrame({"n": [n]}), range(2), into="sims"))
    with pytest.raises(tm.RunFailed, match="column n is string, and int64 in the table"):
        list(tm.map(lambda n: pd.DataFrame({"n": ["x"], "name": ["y"]}), range(2), into="sims"))
    assert len(rows_of(folder, "sims")) == 4


@pytest.mark.parametrize(
    ("there", "given"),
    [
        (pa.array([True]), pa.array([2])),
        (pa.array([1.5], pa.float32()), pa.array([1e300])),
        (pa.array([1], pa.int32()), pa.array([1])),
        (pa.array([1]), pa.array(["5"])),
        (pa.array([datetime.date(2024, 1, 1)]), pa.array([datetime.datetime(2024, 1, 1, 12)])),
        (pa.array([decimal.Decimal("1.5")]), pa.array([decimal.Decimal("1.25")])),
    ],
)
def test_values_that_would_lose_something_are_refused(folder: Path, there: Any, given: Any) -> None:
    list(tm.map(lambda n: pa.table({"n": there}), [1], into="sims"))
    with pytest.raises(tm.RunFailed, match=r"column n is .* in the table"):
        list(tm.map(lambda n: pa.table({"n": given}), [1], into="sims"))
    assert len(rows_of(folder, "sims")) == 1


def test_values_that_fit_are_taken(folder: Path) -> None:
    list(tm.map(lambda n: pa.table({"n": [1], "x": [1.5]}), [1], into="sims"))
    small = pa.table({"x": pa.array([2], pa.int16()), "n": pa.array([2], pa.int8())})
    list(tm.map(lambda n: small, [1], into="sims"))
    assert [(row["n"], row["x"]) for row in rows_of(folder, "sims")].count((2, 2.0)) == 1


def test_a_call_that_cannot_be_made_leaves_no_table(folder: Path) -> None:
    with pytest.raises(TypeError, match="pickle"):
        tm.map(lambda each: frame(1), [1, threading.Lock()], into="sims")
    with pytest.raises(ValueError, match="into is ''"):
        tm.map(frame, [1], into="")
    assert not list(folder.glob("*/tables/sims/*"))


def test_failed_rows_are_made_again_with_all_others(folder: Path) -> None:
    flag = folder / "flag"
    result = tm.map(lambda n: frame(n) if flag.exists() or n else frame(1 // n), range(5), into="sims")
    with pytest.raises(ZeroDivisionError):
        list(result)
    flag.touch()
    assert list(result.retry_failed()) == [None] * 5
    assert len(rows_of(folder, "sims")) == 10


def test_times_keep_their_zones() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2024, 1, 31, 12, tzinfo=zone)
    table = tm.map(lambda n: pa.table({"t": pa.array([moment], pa.timestamp("us", "Europe/Berlin"))}), [1]).to_arrow()
    assert table.schema.field("t").type == pa.timestamp("us", "Europe/Berlin")
    assert table.to_pydict()["t"][0] == moment


def test_an_index_without_a_name_is_no_column() -> None:
    def ordered(n: int) -> pd.DataFrame:
        made = pd.DataFrame({"a": [2, 1 + n]})
        return made.sort_values("a") if n else made

    assert tm.map(ordered, range(2)).to_arrow().to_pydict() == {"a": [2, 1, 2, 2]}
    mixed = tm.map(lambda n: pd.DataFrame({"a": [n, None if n else 1]}), range(2))
    assert mixed.to_arrow().to_pydict() == {"a": [0, 1, 1, None]}
