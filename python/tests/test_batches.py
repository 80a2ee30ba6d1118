"""Functions over batches of rows, in the process that workers have for them."""

import collections
import datetime
import decimal
import functools
import hashlib
import json
import math
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

# the child does not find this module
cloudpickle.register_pickle_by_value(sys.modules[__name__])
FOLDER = Path(__file__).parents[2] / "functions" / "python" / "src"
LENGTH = struct.Struct(">I")
D = decimal.Decimal
UTC = datetime.timezone.utc
NOON = datetime.datetime(2024, 1, 31, 12, 0, 0, 123456)
BERLIN = datetime.timezone(datetime.timedelta(hours=1))


class Child:
    """A child as `child.rs` starts one."""

    def __init__(self, **variables: str) -> None:
        code = (FOLDER / "child.rs").read_text()
        started = re.search(r'const BOOTSTRAP: &str = "\\\n(.*?)";', code, re.DOTALL)
        assert started is not None
        texts = [
            each
            for name, file in re.findall(r'\("(\w+)", include_str!\("(.*?)"\)\)', code)
            for each in (name, (FOLDER / file).read_text())
        ]
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", started[1], *texts],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **variables},
        )
        theirs.close()
        self.socket, self.frames = ours, ours.makefile("rb")
        self.calls = 0
        # as many as the runner keeps
        self.sent: collections.deque[str] = collections.deque(maxlen=16)
        assert "ready" in self.receive()[0]

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        head = json.loads(self.frames.read(*LENGTH.unpack(self.frames.read(LENGTH.size))))
        return head, [self.frames.read(size) for size in head["sizes"]]

    def send(self, head: dict[str, Any], *body: bytes) -> tuple[dict[str, Any], list[bytes]]:
        self.calls += 1
        text = json.dumps({"call": self.calls, "initializer": "", "sizes": list(map(len, body)), **head}).encode()
        self.socket.sendall(LENGTH.pack(len(text)) + text + b"".join(body))
        answer, parts = self.receive()
        assert (answer["call"], answer.get("item", 0)) == (self.calls, 0)
        return answer, parts

    def ask(
        self,
        function: Callable[..., Any] | str,
        returns: pa.DataType,
        rows: pa.RecordBatch,
        kind: str = "scalar",
        form: str | None = None,
        on_null: str = "null",
        volatile: bool = False,
        name: str = "f",
    ) -> tuple[dict[str, Any], list[bytes]]:
        code = function.encode() if isinstance(function, str) else cloudpickle.dumps(function)
        digest = hashlib.sha256(code).hexdigest()
        batch = {"name": name, "kind": kind, "input": form, "on_null": on_null, "volatile": volatile}
        types = stream(pa.schema([pa.field("returns", returns)]))
        head = {"function": digest, "batch": {**batch, "source": isinstance(function, str)}}
        answer, parts = self.send(head, b"" if digest in self.sent else code, b"", types, stream(rows.schema, rows))
        if answer["loaded"] and digest not in self.sent:
            self.sent.append(digest)
        return answer, parts

    def column(
        self, function: Callable[..., Any] | str, returns: pa.DataType, rows: pa.RecordBatch, **more: Any
    ) -> Any:
        answer, parts = self.ask(function, returns, rows, **more)
        assert answer["kind"] == "returned", answer["traceback"]
        assert answer["as"] == "batch"
        read = pa.ipc.open_stream(parts[0])
        (batch,) = list(read)
        assert batch.schema == pa.schema([pa.field("returns", returns)])
        column = batch.column(0)
        column.validate(full=True)
        return column

    def values(
        self, function: Callable[..., Any] | str, returns: pa.DataType, rows: pa.RecordBatch, **more: Any
    ) -> Any:
        return self.column(function, returns, rows, **more).to_pylist()

    def error(
        self, function: Callable[..., Any] | str, returns: pa.DataType, rows: pa.RecordBatch, **more: Any
    ) -> dict[str, Any]:
        answer, _ = self.ask(function, returns, rows, **more)
        assert answer["kind"] == "raised"
        return answer

    def wrong(self, function: Callable[..., Any] | str, returns: pa.DataType, rows: pa.RecordBatch, **more: Any) -> str:
        answer = self.error(function, returns, rows, **more)
        assert answer.get("wrong"), answer["traceback"]
        return f"{answer['message']} [{answer.get('row', '')}]"

    def end(self) -> tuple[str, str]:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.frames.close()
        self.socket.close()
        out, err = self.process.communicate(timeout=20)
        return out.decode(), err.decode()


def stream(schema: pa.Schema, *batches: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def rows(**columns: Any) -> pa.RecordBatch:
    arrays = [each if isinstance(each, pa.Array) else pa.array(each) for each in columns.values()]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def groups(kinds: dict[str, pa.DataType], *of_groups: Any) -> pa.RecordBatch:
    kind = pa.list_(pa.struct(list(kinds.items())))
    values = [None if group is None else [dict(zip(kinds, row, strict=True)) for row in group] for group in of_groups]
    return pa.RecordBatch.from_arrays([pa.array(values, kind)], names=["rows"])


def table(**columns: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct(list(columns.items())))


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.end()


def same(*values: Any) -> Any:
    return values[0]


BIG = D("12345678901234567890123456789012345678901234567890.12")
COLUMNS: dict[str, pa.Array] = {
    "boolean": pa.array([True, False, None]),
    "tinyint": pa.array([-128, 127, None], pa.int8()),
    "smallint": pa.array([-(2**15), 2**15 - 1, None], pa.int16()),
    "int": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
    "bigint": pa.array([-(2**63), 2**63 - 1, None, 2**53 + 1], pa.int64()),
    "tinyint unsigned": pa.array([255, None], pa.uint8()),
    "smallint unsigned": pa.array([65535, None], pa.uint16()),
    "int unsigned": pa.array([2**32 - 1, None], pa.uint32()),
    "bigint unsigned": pa.array([2**64 - 1, None], pa.uint64()),
    "double": pa.array([0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324, None]),
    "real": pa.array([0.1, math.nan, math.inf, 3.4028234663852886e38, None], pa.float32()),
    "decimal": pa.array([D("-99999999.99"), D("0.00"), None], pa.decimal128(10, 2)),
    "decimal of 38": pa.array([D("9" * 38), None], pa.decimal128(38, 0)),
    "decimal of 60": pa.array([BIG, None], pa.decimal256(60, 2)),
    "text": pa.array(["", "é", "👩‍👩‍👧", "a\0b", "\U0010ffff", None]),
    "large text": pa.array(["👍", None], pa.large_string()),
    "view": pa.array(["a", "a text that is longer than twelve bytes 👍", None], pa.string_view()),
    "bytea": pa.array([b"", b"\0\xff", None]),
    "large bytea": pa.array([b"\0", None], pa.large_binary()),
    "bytea view": pa.array([b"\0", b"x" * 20, None], pa.binary_view()),
    "date": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
    "time": pa.array([datetime.time(23, 59, 59, 999999), datetime.time(0), None], pa.time64("us")),
    "time of ns": pa.array([datetime.time(23, 59, 59, 999999), None], pa.time64("ns")),
    "timestamp": pa.array(
        [NOON, datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31), None], pa.timestamp("us")
    ),
    "timestamp of ns": pa.array([1, -1, 2**62, None], pa.timestamp("ns")),
    "timestamp of ms": pa.array([1, -1, None], pa.timestamp("ms")),
    "timestamp of s": pa.array([1, -1, None], pa.timestamp("s")),
    "timestamptz": pa.array([NOON, datetime.datetime(1900, 1, 1), None], pa.timestamp("us", "UTC")),
    "timestamptz of ns": pa.array([1, None], pa.timestamp("ns", "UTC")),
    "timestamptz of a place": pa.array([NOON, None], pa.timestamp("us", "Europe/Berlin")),
    "timestamptz of a distance": pa.array([NOON, None], pa.timestamp("us", "+05:30")),
    "interval": pa.array([pa.MonthDayNano([-1, 2, 3]), pa.MonthDayNano([0, 0, -(2**60)]), None]),
    "list": pa.array([[1, None], [], None, [2**62]], pa.list_(pa.int64())),
    "list of texts": pa.array([["é", None, "\0"], [], None], pa.list_(pa.string())),
    "large list": pa.array([[1.5, math.nan], None], pa.large_list(pa.float64())),
    "list of lists": pa.array([[[1], None, []], None], pa.list_(pa.list_(pa.int32()))),
    "list of ns": pa.array([[1, None], None], pa.list_(pa.timestamp("ns"))),
    "list of zones": pa.array([[NOON], None], pa.list_(pa.timestamp("us", "UTC"))),
    "struct": pa.array(
        [{"a": 1, "b": "é"}, {"a": None, "b": None}, None], pa.struct([("a", pa.int64()), ("b", pa.string())])
    ),
    "list of structs": pa.array(
        [[{"a": D("1.50"), "b": datetime.date(2024, 1, 1)}, None], None],
        pa.list_(pa.struct([("a", pa.decimal128(5, 2)), ("b", pa.date32())])),
    ),
    "dictionary": pa.array(["a", "é", None, "a"]).dictionary_encode(),
    "list of dictionaries": pa.array([["a", None], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "struct of views": pa.array([{"a": "x"}, None], pa.struct([("a", pa.string_view())])),
    "null": pa.array([None, None], pa.null()),
}
# polars has no intervals and no more than 38 digits
CANNOT = {"polars": {"interval", "decimal of 60"}}
FORMS = ["values", "pandas", "arrow", "polars", "numpy"]


def same_values(a: Any, b: Any) -> bool:
    """NaN is NaN, and zeros have their signs."""
    return a.equals(b) if "ns" in str(a.type) else repr(a.to_pylist()) == repr(b.to_pylist())


def without_nulls(column: Any) -> Any:
    return pa.concat_arrays([column.slice(at, 1) for at, valid in enumerate(column.is_valid().to_pylist()) if valid])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", list(COLUMNS))
def test_values_of_all_types_come_back_as_they_were(child: Child, kind: str, form: str) -> None:
    if kind in CANNOT.get(form, ()):
        pytest.skip("the library has no such type")
    column = COLUMNS[kind]
    whole = column if kind == "null" else without_nulls(column)
    for given, on_null in ((column, "call"), (whole, "null"), (whole, "call")):
        for repeated in (given, given.slice(0, 0), given.slice(1)):
            back = child.column(same, repeated.type, rows(x=repeated), form=form, on_null=on_null)
            assert same_values(back, repeated), (back, repeated)
    as_group = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), pa.StructArray.from_arrays([column[:1]], ["x"]))
    # a value of polars has no nanoseconds
    if kind != "null" and not (form == "polars" and "of ns" in kind):
        back = child.column(first, column.type, rows(x=as_group), form=form, kind="aggregate")
        assert same_values(back, column[:1])
    if form == "values":
        given = child.column(lambda x: [(x,)], table(x=column.type), rows(x=column), kind="table", on_null="call")
        assert same_values(given.flatten().field(0), column)


def first(x: Any) -> Any:
    return x.iloc[0] if isinstance(x, pd.Series) else x[0]


def test_forms_are_those_of_the_annotation(child: Child) -> None:
    def of_pandas(x: pd.Series) -> Any:
        return ["pandas"] * len(x) if isinstance(x, pd.Series) else type(x)

    def of_arrow(x: pa.Array) -> Any:
        return ["arrow"] * len(x) if isinstance(x, pa.Array) else type(x)

    def of_polars(x: "pl.Series") -> Any:
        return ["polars"] * len(x) if isinstance(x, pl.Series) else type(x)

    def of_numpy(x: "np.ndarray[Any, Any] | None") -> Any:
        return ["numpy"] * len(x) if isinstance(x, np.ndarray) else type(x)

    def of_values(x: int) -> str:
        return type(x).__name__

    class Bound:
        def __call__(self, x: "pd.Series") -> Any:
            return of_pandas(x)

    given = rows(x=[1, 2])
    of_partial = functools.partial(lambda n, x: ["partial"] * len(x), 5)
    for function in (of_pandas, of_arrow, of_polars, of_numpy):
        assert child.values(function, pa.string(), given) == [function.__name__[3:]] * 2
    assert child.values(of_values, pa.string(), given) == ["int", "int"]
    assert child.values(Bound(), pa.string(), given) == ["pandas"] * 2
    assert child.values(of_partial, pa.string(), given, form="pandas") == ["partial"] * 2
    assert child.values(abs, pa.int64(), rows(x=[-1])) == [1]
    assert child.values(np.negative, pa.int64(), rows(x=[-1]), form="numpy") == [1]

    def of_frame(x: pd.DataFrame) -> Any: ...

    assert "annotated as pandas.DataFrame" in child.error(of_frame, pa.int64(), given)["message"]


def test_annotations_of_texts_need_no_module() -> None:
    child = Child()
    source = "from __future__ import annotations\ndef f(x: pd.Series) -> pd.Series:\n    return x + 1\n"
    assert child.values(source, pa.int64(), rows(x=[1])) == [2]
    child.end()


def test_types_of_series_do_not_depend_on_nulls(child: Child) -> None:
    def kinds(*columns: pd.Series) -> Any:
        text = ",".join(str(column.dtype) for column in columns)
        return [text] * len(columns[0])

    given = rows(a=[1, 2], b=[1.5, math.nan], c=[True, False], d=["x", "y"], e=pa.array([1, 2], pa.uint8()))
    assert child.values(kinds, pa.string(), given)[0] == f"int64,float64,bool,{pd.Series(['x']).dtype},uint8"
    for values in ([1, 2], [1, None]):
        given = rows(a=values, b=pa.array(values, pa.float64()), c=pa.array([True, None]), d=["x", None])
        got = child.values(kinds, pa.string(), given, form="pandas", on_null="call")
        assert got[0] == "Int64,Float64,boolean,string"


def test_null_and_nan_stay_apart(child: Child) -> None:
    given = rows(x=[1.0, math.nan, None])
    for form in FORMS:
        back = child.values(same, pa.float64(), given, form=form, on_null="call")
        assert repr(back) == "[1.0, nan, None]", form
        if form != "arrow":
            back = child.values(lambda x: None if x is None else x * 2, pa.float64(), given, form=form, on_null="call")
            assert repr(back) == "[2.0, nan, None]", form

    def missing(x: pd.Series) -> pd.Series:
        return x.isna()

    assert child.values(missing, pa.bool_(), given, on_null="call") == [False, False, True]


def test_missing_integers_of_pandas_are_null(child: Child) -> None:
    def shifted(x: pd.Series) -> pd.Series:
        return x.shift(1)

    assert child.values(shifted, pa.int64(), rows(x=[1, 2, 3])) == [None, 1, 2]
    assert child.values(shifted, pa.int32(), rows(x=[1, 2, 3])) == [None, 1, 2]
    assert repr(child.values(shifted, pa.float64(), rows(x=[1, 2]))) == "[nan, 1.0]"
    assert child.values(shifted, pa.string(), rows(x=["a", "b"])) == [None, "a"]

    def objects(x: pd.Series) -> pd.Series:
        return pd.Series(["a", math.nan, None, pd.NA], dtype=object)

    assert child.values(objects, pa.string(), rows(x=[1, 2, 3, 4])) == ["a", None, None, None]
    assert (
        child.wrong(lambda x: pd.Series([math.nan, 1.5]), pa.int64(), rows(x=[1, 2]), form="pandas")
        == "returned 1.5 where bigint is declared [x=2]"
    )
    assert "returned nan where bigint is declared" in child.wrong(
        lambda x: np.array([math.nan]), pa.int64(), rows(x=[1]), form="pandas"
    )
    assert "returned nan where bigint is declared" in child.wrong(lambda x: math.nan, pa.int64(), rows(x=[1]))
    got = child.values(
        lambda x: x.max(), pa.int64(), groups({"x": pa.int64()}, [], [[5]]), kind="aggregate", form="pandas"
    )
    assert got == [None, 5]


AWARE = datetime.datetime(2024, 1, 1, tzinfo=UTC)
CHANGED: list[tuple[Any, pa.DataType, str]] = [
    (2**63, pa.int64(), "bigint is declared: it has the numbers"),
    (-129, pa.int8(), "tinyint"),
    (-1, pa.uint64(), "bigint unsigned"),
    (1.5, pa.int64(), "returned 1.5 where bigint is declared [x=1]"),
    (math.nan, pa.int64(), "returned nan where bigint is declared"),
    (math.inf, pa.int64(), "returned inf where bigint is declared"),
    (1e300, pa.int64(), "bigint"),
    (2.0**63, pa.int64(), "bigint"),
    ("abc", pa.int64(), "returned 'abc' where bigint is declared [x=1]"),
    ("1", pa.int64(), "returned '1' where bigint is declared"),
    (True, pa.int64(), "returned True where bigint is declared"),
    (np.True_, pa.int64(), "where bigint is declared"),
    (1, pa.bool_(), "returned 1 where boolean is declared"),
    (D("1.5"), pa.int64(), "bigint"),
    (D("NaN"), pa.int64(), "bigint"),
    (True, pa.float64(), "double"),
    (2**53 + 1, pa.float64(), "would be rounded"),
    (2**2000, pa.float64(), "too large"),
    (2**24 + 1, pa.float32(), "would be rounded"),
    (1e300, pa.float32(), "real is declared: it is too large"),
    (D("0.12345678901234567890"), pa.float64(), "would be rounded"),
    ("1.5", pa.float64(), "double"),
    (1j, pa.float64(), "double"),
    (D("1.234"), pa.decimal128(10, 2), "decimal(10, 2) is declared: it has more than 2 digits after the point"),
    (D("123456"), pa.decimal128(5, 0), "more than 5 digits"),
    (D("NaN"), pa.decimal128(5, 0), "decimal(5, 0)"),
    (D("Infinity"), pa.decimal128(5, 0), "decimal(5, 0)"),
    (1 / 3, pa.decimal128(10, 2), "more than 2 digits"),
    (10**40, pa.decimal128(38, 0), "more than 38 digits"),
    (5, pa.string(), "returned 5 where text is declared"),
    (b"x", pa.string(), "returned b'x' where text is declared"),
    ("\ud800", pa.string(), "half a character"),
    ("x", pa.binary(), "returned 'x' where bytea is declared"),
    (NOON, pa.date32(), "date is declared: it has a time of day"),
    (AWARE, pa.date32(), "it has a zone"),
    (5, pa.date32(), "returned 5 where date is declared"),
    (5, pa.timestamp("us"), "returned 5 where timestamp(6) is declared"),
    (AWARE, pa.timestamp("us"), "it has a zone"),
    (NOON, pa.timestamp("us", "UTC"), "timestamp(6) with time zone is declared: it has no zone"),
    (datetime.date(2024, 1, 1), pa.timestamp("us", "UTC"), "it has no zone"),
    (NOON, pa.timestamp("ms"), "more than 3 digits of a second"),
    (pd.Timestamp("2024-01-01 00:00:00.123456789"), pa.timestamp("us"), "more than 6 digits of a second"),
    (np.datetime64("2024-01-01T00:00:00.123456789"), pa.timestamp("us"), "more than 6 digits of a second"),
    (datetime.datetime(9999, 1, 1), pa.timestamp("ns"), "too far away"),
    (datetime.time(1, tzinfo=UTC), pa.time64("us"), "it has a zone"),
    (datetime.timedelta(1), pa.time64("us"), "time is declared"),
    (datetime.time(1, 1, 1, 1), pa.time32("ms"), "digits of a second"),
    (5, pa.month_day_nano_interval(), "returned 5 where interval is declared"),
    (pd.DateOffset(month=5), pa.month_day_nano_interval(), "more than a distance"),
    ([1, "a"], pa.list_(pa.int64()), "returned [1, 'a'] where bigint[] is declared: 'a' is no bigint"),
    ([AWARE], pa.list_(pa.timestamp("us")), "it has a zone"),
    ("abc", pa.list_(pa.string()), "returned 'abc' where text[] is declared"),
    ({"b": 1}, pa.struct([("a", pa.int64())]), "returned {'b': 1} where struct(a bigint) is declared"),
    ((1, 2), pa.struct([("a", pa.int64())]), "struct(a bigint)"),
    ({"a": 1.5}, pa.struct([("a", pa.int64())]), "1.5 is no bigint"),
    (5, pa.dictionary(pa.int32(), pa.string()), "returned 5 where text is declared"),
    (object(), pa.int64(), "returned <object object"),
    (1, pa.null(), "returned 1 where null is declared"),
]


@pytest.mark.parametrize("value, kind, message", CHANGED, ids=lambda each: str(each)[:30])
def test_a_value_that_would_change_is_wrong(child: Child, value: Any, kind: pa.DataType, message: str) -> None:
    assert message in child.wrong(lambda x: value, kind, rows(x=[1]))
    # of pandas, NaN is what is missing
    if type(value) is not object and not (isinstance(value, float) and math.isnan(value)):
        declared = message.partition(" [")[0].rpartition("where ")[2]
        assert declared in child.wrong(lambda x: pd.Series([value], dtype=object), kind, rows(x=[1]), form="pandas")
        assert declared in child.wrong(
            lambda x: np.array([value, 1], dtype=object)[:1], kind, rows(x=[1]), form="numpy"
        )


SAME: list[tuple[Any, pa.DataType, Any]] = [
    (5.0, pa.int64(), 5),
    (np.int8(5), pa.int64(), 5),
    (np.uint64(5), pa.int64(), 5),
    (D("5.00"), pa.int64(), 5),
    (5, pa.float64(), 5.0),
    (2**60, pa.float64(), 2.0**60),
    (np.float32(0.5), pa.float64(), 0.5),
    (D("0.1"), pa.float64(), 0.1),
    (0.1, pa.float32(), float(np.float32(0.1))),
    (math.inf, pa.float32(), math.inf),
    (np.True_, pa.bool_(), True),
    (np.str_("é"), pa.string(), "é"),
    (bytearray(b"x"), pa.binary(), b"x"),
    (5, pa.decimal128(10, 2), D("5.00")),
    (0.1, pa.decimal128(10, 2), D("0.10")),
    (D("1E+2"), pa.decimal128(10, 2), D("100.00")),
    (D("1.500"), pa.decimal128(10, 2), D("1.50")),
    (0, pa.decimal128(2, 2), D("0.00")),
    (datetime.date(2024, 1, 1), pa.timestamp("us"), datetime.datetime(2024, 1, 1)),
    (datetime.datetime(2024, 1, 1), pa.date32(), datetime.date(2024, 1, 1)),
    (NOON.replace(tzinfo=BERLIN), pa.timestamp("us", "UTC"), (NOON - datetime.timedelta(hours=1)).replace(tzinfo=UTC)),
    (pd.Timestamp(NOON), pa.timestamp("us"), NOON),
    (np.datetime64(NOON), pa.timestamp("us"), NOON),
    (pd.NaT, pa.timestamp("us"), None),
    (pd.NA, pa.int64(), None),
    (np.datetime64("NaT"), pa.timestamp("us"), None),
    (datetime.timedelta(1, 2, 3), pa.month_day_nano_interval(), pa.MonthDayNano([0, 1, 2_000_003_000])),
    (pd.DateOffset(2, years=1, weeks=1), pa.month_day_nano_interval(), pa.MonthDayNano([24, 14, 0])),
    ((1, 2), pa.list_(pa.int64()), [1, 2]),
    (np.array([1, 2]), pa.list_(pa.int64()), [1, 2]),
    (pd.Series([1, 2]), pa.list_(pa.int64()), [1, 2]),
    (pa.array([1, None]), pa.list_(pa.int64()), [1, None]),
    (pa.scalar(5), pa.int64(), 5),
    ({"a": 1}, pa.struct([("a", pa.int64()), ("b", pa.string())]), {"a": 1, "b": None}),
    ((1, "x"), pa.struct([("a", pa.int64()), ("b", pa.string())]), {"a": 1, "b": "x"}),
    ("x", pa.dictionary(pa.int32(), pa.string()), "x"),
]


@pytest.mark.parametrize("value, kind, expected", SAME, ids=lambda each: str(each)[:30])
def test_a_value_that_is_the_same_fits(child: Child, value: Any, kind: pa.DataType, expected: Any) -> None:
    assert child.values(lambda x: value, kind, rows(x=[1])) == [expected]
    assert child.values(lambda x: None if x == 1 else value, kind, rows(x=[1, 2])) == [None, expected]


def test_columns_of_any_library_are_taken(child: Child) -> None:
    given = rows(x=[1, 2, 3])
    made: list[Callable[[Any], Any]] = [
        lambda x: pd.Series([1, 2, 3], index=[5, 6, 7]),
        lambda x: pd.array([1, 2, 3], dtype="Int64"),
        lambda x: pd.Series([1, 2, 3], dtype="int64[pyarrow]"),
        lambda x: pd.Index([1, 2, 3]),
        lambda x: pd.Series([1, 2, 3]).astype("category"),
        lambda x: np.array([1, 2, 3], dtype=">i4"),
        lambda x: np.array([1.0, 2.0, 3.0]),
        lambda x: np.array([1, 2, 3], dtype=object),
        lambda x: pa.array([1, 2, 3], pa.int8()),
        lambda x: pa.chunked_array([[1], [2, 3]]),
        lambda x: pa.array([1, 2, 3]).dictionary_encode(),
        lambda x: pl.Series([1, 2, 3], dtype=pl.UInt8),
        lambda x: [1, 2, 3],
        lambda x: (1, 2, 3),
        lambda x: range(1, 4),
        lambda x: (n for n in (1, 2, 3)),
    ]
    for function in made:
        assert child.values(function, pa.int64(), given, form="pandas") == [1, 2, 3]
    masked = np.ma.MaskedArray([1, 2, 3], mask=[False, True, False])
    assert child.values(lambda x: masked, pa.int64(), given, form="numpy") == [1, None, 3]
    hours = np.array(["2024-01-01T05", "NaT", "1900-01-01"], dtype="datetime64[h]")
    expected = [datetime.datetime(2024, 1, 1, 5), None, datetime.datetime(1900, 1, 1)]
    assert child.values(lambda x: hours, pa.timestamp("us"), given, form="numpy") == expected
    assert "it has no zone" in child.wrong(lambda x: hours, pa.timestamp("us", "UTC"), given, form="pandas")
    frame = pd.DataFrame({"b": ["x", None, "z"], "a": [1.0, 2.0, math.nan]})
    kind = pa.struct([("a", pa.int64()), ("b", pa.string())])
    back = child.values(lambda x: frame, kind, given, form="pandas")
    assert back == [{"a": 1, "b": "x"}, {"a": 2, "b": None}, {"a": None, "b": "z"}]
    assert child.values(lambda x: np.eye(3), pa.list_(pa.float64()), given, form="numpy") == np.eye(3).tolist()


def test_lists_of_all_kinds_are_columns(child: Child) -> None:
    given = rows(x=[0, 1, 2, 3])
    numbers = pa.list_(pa.float64())
    for values in (
        [[1.0, None], None, [], [math.nan, 2.0]],
        [np.array([1.0, 2.0]), None, np.array([]), np.array([3.0])],
        [np.array([1, 2]), None, np.array([1.5]), (3.0,)],
        [np.array([0.5], "float32"), np.array([], "float32"), np.array([1], "float32"), None],
    ):
        expected = [each if each is None else [v if v is None else float(v) for v in each] for each in values]
        for kind in (numbers, pa.large_list(pa.float64())):
            assert repr(child.values(lambda x, values=values: values[x], kind, given)) == repr(expected)
    assert "returned [2, 1.5] where bigint[] is declared: 1.5 is no bigint [x=1]" in child.wrong(
        lambda x: [x] if x == 0 else [2, 1.5], pa.list_(pa.int64()), given
    )
    assert "bigint[][] is declared: array([1.5]) is no bigint[]" not in child.wrong(
        lambda x: np.array([1.5]), pa.list_(pa.list_(pa.int64())), given
    )
    nested = pa.list_(pa.list_(pa.int64()))
    assert child.values(lambda x: np.ones((2, x), dtype=int), nested, given)[2] == [[1, 1], [1, 1]]
    texts = pa.list_(pa.string())
    assert child.values(lambda x: x.str.split(), texts, rows(x=["a b", "", "👍"]), form="pandas") == [
        ["a", "b"],
        [],
        ["👍"],
    ]


def test_odd_columns_keep_their_values(child: Child) -> None:
    given = rows(x=[1, 2])
    for made, kind, expected in [
        (lambda x: pd.Series(["a", None]).astype("category"), pa.string(), ["a", None]),
        (lambda x: pd.Series(["a", None], dtype="string[pyarrow]"), pa.string(), ["a", None]),
        (lambda x: pd.Series([b"\0", None]), pa.binary(), [b"\0", None]),
        (lambda x: np.array(["a", "é"]), pa.string(), ["a", "é"]),
        (lambda x: np.array([1.5, 2], dtype="float16"), pa.float64(), [1.5, 2.0]),
        (lambda x: pd.Series([1, 0]) == 1, pa.bool_(), [True, False]),
        (lambda x: pd.array([True, None], dtype="boolean"), pa.bool_(), [True, None]),
        (lambda x: pd.array([1, None], dtype="Int8"), pa.int64(), [1, None]),
        (lambda x: pd.Series([2**53 + 1, None], dtype="Int64"), pa.int64(), [2**53 + 1, None]),
        (lambda x: pd.to_datetime(["2024-01-31", None]), pa.date32(), [datetime.date(2024, 1, 31), None]),
        (
            lambda x: pd.Series(pd.to_datetime(["2024-01-31", None])),
            pa.timestamp("us"),
            [datetime.datetime(2024, 1, 31), None],
        ),
        (lambda x: pd.Series([D("1.5"), 2]), pa.decimal128(5, 2), [D("1.50"), D("2.00")]),
        (lambda x: pd.Series([1.5, math.nan]), pa.decimal128(5, 2), [D("1.50"), None]),
        (
            lambda x: pd.Series([pd.Timedelta(1, "ns"), None]),
            pa.month_day_nano_interval(),
            [pa.MonthDayNano([0, 0, 1]), None],
        ),
        (lambda x: pl.Series(["a", None], dtype=pl.Categorical), pa.string(), ["a", None]),
        (
            lambda x: pl.Series([datetime.timedelta(1), None]),
            pa.month_day_nano_interval(),
            [pa.MonthDayNano([0, 1, 0]), None],
        ),
        (lambda x: pl.Series([None, None]), pa.int64(), [None, None]),
        (lambda x: pa.nulls(2), pa.list_(pa.int64()), [None, None]),
        (lambda x: pa.array(["1", "2"], pa.string_view()), pa.large_string(), ["1", "2"]),
        (lambda x: pa.array([2**60, 1]), pa.float64(), [2.0**60, 1.0]),
        (lambda x: pa.array([D("5"), D("6")]), pa.int64(), [5, 6]),
        (lambda x: [None, None], pa.timestamp("us", "UTC"), [None, None]),
        (lambda x: pd.Series([1, 2], dtype="Sparse[int64]"), pa.int64(), [1, 2]),
    ]:
        assert child.values(made, kind, given, form="pandas") == expected
    for wrong, kind in [
        (lambda x: pd.period_range("2024", periods=2, freq="D"), pa.date32()),
        (lambda x: pd.Series([1, 2]), pa.string()),
        (lambda x: pa.array([1, 2]), pa.string()),
        (lambda x: pa.array([1, 2]), pa.bool_()),
        (lambda x: pa.array(["1", "2"]), pa.int64()),
        (lambda x: pa.array(["1", "2"]), pa.binary()),
        (lambda x: pa.array([b"1", b"2"]), pa.string()),
        (lambda x: pa.array([True, False]), pa.int64()),
        (lambda x: pa.array([1, 2]), pa.timestamp("us")),
        (lambda x: pa.array([1, 2]), pa.date32()),
        (lambda x: pa.array([2**53 + 1, 0]), pa.float64()),
        (lambda x: pa.array([1, 2**62]).cast(pa.timestamp("us")), pa.timestamp("ns")),
        (lambda x: pa.array([1e300, 0]), pa.float32()),
        (lambda x: pa.array([{"b": 1}] * 2), pa.struct([("a", pa.int64())])),
        (lambda x: np.array([1 + 0j, 2]), pa.float64()),
    ]:
        assert "declared" in child.wrong(wrong, kind, given, form="pandas")


def test_what_is_no_column_is_wrong(child: Child) -> None:
    given = rows(x=list(range(10)))
    for value, message in [
        (pd.Series([1, 2, 3]), "returned 3 values for 10 rows []"),
        ([1], "returned 1 value for 10 rows []"),
        ("abc", "returned 'abc' for 10 rows: a value for each row is needed []"),
        (5, "returned 5 for 10 rows"),
        (np.float64(5), "for 10 rows"),
        (None, "returned None for 10 rows"),
        ({"a": 1}, "returned {'a': 1} for 10 rows"),
        (pd.DataFrame({"a": range(10)}), "returned a DataFrame where bigint is declared"),
        (np.zeros((10, 1)), "returned array([0.]) where bigint is declared [x=0]"),
        (pd.Series(["a"] * 10), "returned 'a' where bigint is declared [x=0]"),
        (pa.array([1.0] * 9 + [1.5]), "returned 1.5 where bigint is declared [x=9]"),
        (pl.Series([1] * 9 + [2**40]), "returned 1099511627776 where int is declared"),
    ]:
        kind = pa.int32() if isinstance(value, pl.Series) else pa.int64()
        assert message in child.wrong(lambda x, value=value: value, kind, given, form="pandas")


def test_the_row_that_raises_is_found(child: Child) -> None:
    given = rows(age=[1, None, 3], income=[1.5, 2.5, 12.5])

    def of_values(a: int | None, income: float) -> float:
        if a is None:
            raise ValueError("no age")
        return income

    answer = child.error(of_values, pa.float64(), given, on_null="call")
    assert (answer["type"], answer["message"]) == ("builtins.ValueError", "no age")
    assert answer["row"] == "a=NULL, income=2.5" and "wrong" not in answer
    assert "in of_values" in answer["traceback"] and "<tidemill>" not in answer["traceback"]

    def of_series(*columns: pd.Series) -> pd.Series:
        print("called")
        if (columns[0] == 7000).any():
            raise LookupError("seven thousand")
        return columns[0]

    many = rows(x=list(range(10_000)), y=["é" * 2000] * 10_000)
    answer = child.error(of_series, pa.int64(), many)
    assert answer["message"] == "seven thousand"
    assert answer["row"].startswith("x=7000, y='ééé") and len(answer["row"]) == 1000
    assert "row" not in child.error(of_series, pa.int64(), many, volatile=True)

    def together(x: pd.Series) -> pd.Series:
        raise ValueError(f"{len(x)} rows") if len(x) > 5 else TypeError()

    answer = child.error(together, pa.int64(), rows(x=list(range(10_000))), form="pandas")
    assert answer["message"] == "10000 rows" and "row" not in answer

    def stops(x: int) -> int:
        raise StopIteration

    answer = child.error(stops, pa.int64(), rows(x=[1, 2]))
    assert answer["message"] == "f raised StopIteration" and answer["row"] == "x=1"

    def leaves(x: int) -> int:
        sys.exit(3)

    assert child.error(leaves, pa.int64(), rows(x=[1]))["type"] == "builtins.SystemExit"


def test_a_function_may_write_to_what_it_is_given() -> None:
    child = Child()

    def of_series(x: pd.Series) -> pd.Series:
        x.iloc[0] = 5
        x.values.flags.writeable = True
        return x

    def of_array(x: "np.ndarray[Any, Any]") -> Any:
        x[0] = 5
        return x

    def of_group(x: "np.ndarray[Any, Any]") -> int:
        x[0] = 5
        return int(x.sum())

    for function in (of_series, of_array):
        for _ in range(2):
            for volatile in (False, True):
                assert child.values(function, pa.int64(), rows(x=[1, 2]), volatile=volatile) == [5, 2]
    given = groups({"x": pa.int64()}, [[1], [2]], [[3], [4]])
    for volatile in (False, True):
        assert child.values(of_group, pa.int64(), given, kind="aggregate", volatile=volatile) == [7, 9]
    child.end()


def test_a_function_without_arguments_has_a_value_for_each_row(child: Child) -> None:
    nothing = pa.RecordBatch.from_struct_array(pa.array([{}] * 3, pa.struct([])))
    assert nothing.num_rows == 3
    assert child.values(lambda: 5, pa.int64(), nothing) == [5, 5, 5]
    assert child.values(lambda: [1, 2], table(n=pa.int64()), nothing, kind="table") == [[{"n": 1}, {"n": 2}]] * 3


def test_a_batch_without_rows_calls_nothing(child: Child) -> None:
    def fails(*columns: Any) -> Any:
        raise ValueError

    for kind, returns in (("scalar", pa.int64()), ("aggregate", pa.int64()), ("table", table(n=pa.int64()))):
        given = groups({"x": pa.int64()}) if kind == "aggregate" else rows(x=pa.array([], pa.int64()))
        for form in FORMS:
            assert child.values(fails, returns, given, kind=kind, form=form) == []


@pytest.mark.parametrize("form", FORMS)
def test_groups_have_a_value_each(child: Child, form: str) -> None:
    def weighted(x: Any, y: Any) -> Any:
        if form == "values":
            return sum(a * b for a, b in zip(x, y, strict=True)) + len(x)
        if form == "arrow":
            x, y = x.to_numpy(), y.to_numpy()
        return (x * y).sum() + len(x)

    kinds = {"x": pa.int64(), "y": pa.float64()}
    given = groups(kinds, [(1, 2.0), (3, 4.0)], [], None, [(5, 0.5)])
    for batch in (given, given.slice(1), given.slice(0, 2)):
        expected = [16.0, 0.0, 0.0, 3.5]
        back = child.values(weighted, pa.float64(), batch, kind="aggregate", form=form)
        assert back == expected[len(expected) - batch.num_rows :] or back == expected[: batch.num_rows]


def test_series_of_groups_count_from_zero(child: Child) -> None:
    def first_by_label(x: pd.Series, t: pd.Series, z: pd.Series) -> str:
        return f"{x[0]} {t[0]} {z[0].isoformat()} {list(x.index)} {x.dtype} {t.dtype}"

    kinds = {"x": pa.int64(), "t": pa.string(), "z": pa.timestamp("us", "UTC")}
    at = NOON.replace(tzinfo=UTC)
    given = groups(kinds, [(1, "a", at), (2, "b", at)], [(3, "c", at)])
    dtype = pd.Series(["a"]).dtype
    assert child.values(first_by_label, pa.string(), given, kind="aggregate") == [
        f"1 a {at.isoformat()} [0, 1] int64 {dtype}",
        f"3 c {at.isoformat()} [0] int64 {dtype}",
    ]


def test_the_group_that_raises_is_told(child: Child) -> None:
    def fails(x: list[int]) -> int:
        raise ValueError(len(x))

    kinds = {"x": pa.int64(), "y": pa.string()}
    assert child.error(lambda x, t: 1 / 0, pa.int64(), groups(kinds, [(7, "é"), (8, None)]), kind="aggregate")[
        "row"
    ] == ("a group of 2 rows, the first of them x=7, t='é'")
    assert child.error(lambda *x: 1 / 0, pa.int64(), groups(kinds, [(7, None)]), kind="aggregate")["row"] == (
        "a group of 1 row: x=7, y=NULL"
    )
    assert child.error(fails, pa.int64(), groups({"x": pa.int64()}, []), kind="aggregate")["row"] == (
        "a group without rows"
    )
    given = groups({"x": pa.int64()}, [[1]], [[2], [3]])
    assert child.wrong(lambda x: 1 if len(x) == 1 else "x", pa.int64(), given, kind="aggregate") == (
        "returned 'x' where bigint is declared [a group of 2 rows, the first of them x=2]"
    )


WORDS = table(word=pa.string(), n=pa.int64())


def test_table_functions_have_rows_for_each_row(child: Child) -> None:
    source = """
import collections, dataclasses
import pandas as pd, polars as pl, pyarrow as pa

Named = collections.namedtuple("Named", "n word")

@dataclasses.dataclass
class Row:
    n: int
    word: str

def f(kind: str):
    rows = [(1, "a"), (2, None)]
    if kind == "tuples":
        return [(word, n) for n, word in rows]
    if kind == "lists":
        return ([word, n] for n, word in rows)
    if kind == "named":
        return [Named(*row) for row in rows]
    if kind == "dicts":
        return [{"n": n, "word": word} for n, word in rows]
    if kind == "data":
        return [Row(*row) for row in rows]
    if kind == "nothing":
        return None
    if kind == "none":
        return []
    of = {"n": [1, 2], "word": ["a", None]}
    return {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[kind](of)
"""
    kinds = ["tuples", "nothing", "lists", "named", "pandas", "dicts", "none", "data", "polars", "arrow"]
    back = child.values(source, WORDS, rows(kind=kinds), kind="table")
    expected = [{"word": "a", "n": 1}, {"word": None, "n": 2}]
    assert back == [[] if kind in ("nothing", "none") else expected for kind in kinds]
    large = pa.large_list(WORDS.value_type)
    assert child.values(source, large, rows(kind=kinds), kind="table") == back

    def single(n: int) -> Iterator[Any]:
        yield n
        yield (n,)
        yield {"n": n}

    assert child.values(single, table(n=pa.int64()), rows(x=[1, 2]), kind="table") == [[{"n": 1}] * 3, [{"n": 2}] * 3]
    lists = child.values(lambda x: [[1, 2], [3]], table(a=pa.list_(pa.int64())), rows(x=[1]), kind="table")
    assert lists == [[{"a": [1, 2]}, {"a": [3]}]]


def test_many_rows_come_from_one(child: Child) -> None:
    def count(n: int) -> Iterator[tuple[str, int]]:
        for each in range(n):
            yield "x", each

    back = child.column(count, WORDS, rows(n=[0, 100_000, 70_000, 3]), kind="table")
    assert back.value_lengths().to_pylist() == [0, 100_000, 70_000, 3]
    assert back.flatten().field(1).to_pylist() == [*range(100_000), *range(70_000), 0, 1, 2]

    def wrong(n: int) -> Iterator[tuple[str, Any]]:
        for each in range(n):
            yield "x", "y" if n == 70_000 and each == 69_999 else each

    assert child.wrong(wrong, WORDS, rows(n=[0, 100_000, 70_000, 3]), kind="table") == (
        "returned 'y' where bigint is declared as n [n=70000]"
    )


def test_rows_that_are_none_are_wrong(child: Child) -> None:
    def yields(t: str) -> Iterator[Any]:
        yield "a", 1
        if t == "raises":
            raise ValueError("midway")
        yield {"tuple": ("a",), "names": {"word": "a", "m": 1}, "type": (5, 1), "value": "a"}[t]

    given = rows(t=["raises"])
    answer = child.error(yields, WORDS, given, kind="table")
    assert (answer["message"], answer["row"]) == ("midway", "t='raises'")
    for kind, message in [
        ("tuple", "returned the row ('a',) where word, n are declared [t='tuple']"),
        ("names", "returned the row {'word': 'a', 'm': 1} where word, n are declared"),
        ("type", "returned 5 where text is declared as word [t='type']"),
        ("value", "returned the row 'a' where"),
    ]:
        assert message in child.wrong(yields, WORDS, rows(t=[kind]), kind="table")
    for value in ("abc", 5, {"word": "a", "n": 1}):
        wrong = child.wrong(lambda t, value=value: value, WORDS, given, kind="table")
        assert "and not rows: a table function returns a list or yields [t='raises']" in wrong
    frame = pd.DataFrame({"word": ["a"], "m": [1]})
    assert "returned the columns word, m where word, n are declared [t='raises']" in child.wrong(
        lambda t: frame, WORDS, given, kind="table"
    )


def test_sources_are_told_by_their_name(child: Child) -> None:
    source = "def g(x):\n    return x + 1\n\ndef h(x):\n    return 1 / x\n"
    assert child.values(source, pa.int64(), rows(x=[1]), name="g") == [2]
    answer = child.error(source, pa.float64(), rows(x=[0]), name="h")
    assert answer["row"] == "x=0"
    assert "functions/g.py" in answer["traceback"] and "return 1 / x" in answer["traceback"]
    answer = child.error(source, pa.int64(), rows(x=[1]), name="missing")
    assert answer["unread"] and answer["message"] == "the source of missing defines no function of that name"
    answer = child.error("def f(x) return x", pa.int64(), rows(x=[1]))
    assert answer["unread"] and answer["type"] == "builtins.SyntaxError" and not answer["loaded"]
    answer = child.error("import no_such_module", pa.int64(), rows(x=[1]))
    assert answer["unread"] and answer["missing"] == "no_such_module"
    assert child.values("def f(x):\n    return '👍'", pa.string(), rows(x=[1])) == ["👍"]


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('pyarrow', 'polars'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
    )
    child = Child(PYTHONPATH=str(tmp_path))
    answer = child.error("def f(x): return x", pa.int64(), rows(x=[1]))
    assert answer["unread"] and answer["missing"] == "pyarrow"
    child.end()
    (tmp_path / "sitecustomize.py").write_text((tmp_path / "sitecustomize.py").read_text().replace("'pyarrow', ", ""))
    child = Child(PYTHONPATH=str(tmp_path))
    text = "def f(x: 'pl.Series'): return x"
    answer = child.error(text, pa.int64(), rows(x=[1]))
    assert answer["unread"] and answer["missing"] == "polars"
    assert child.values(text, pa.int64(), rows(x=[1]), form="values") == [1]
    child.end()


def test_coroutine_functions_are_refused(child: Child) -> None:
    async def later(x: int) -> int:
        return x

    answer = child.error(later, pa.int64(), rows(x=[1]))
    assert answer["unread"] and "f is a coroutine function" in answer["message"]


def test_nanoseconds_are_not_cut_before_a_call(child: Child) -> None:
    given = rows(x=pa.array([1], pa.timestamp("ns")))
    assert child.values(lambda x: x.nanosecond, pa.int64(), given) == [1]
    answer = child.error(same, pa.time64("ns"), rows(x=pa.array([1], pa.time64("ns"))))
    assert "nanoseconds" in answer["message"]
    assert child.column(same, pa.time64("ns"), rows(x=pa.array([1], pa.time64("ns"))), form="arrow").cast(
        pa.int64()
    ).to_pylist() == [1]


def test_plain_calls_go_on_beside_batches() -> None:
    child = Child()
    plain = cloudpickle.dumps(lambda: "pyarrow" in sys.modules or sys.argv)
    arguments = cloudpickle.dumps(((), {}))
    answer, parts = child.send({"function": "plain"}, plain, b"", arguments)
    assert (answer["kind"], json.loads(parts[0])) == ("returned", ["-c"])
    assert child.values(lambda x: x + 1, pa.int64(), rows(x=[1])) == [2]
    # functions are forgotten together
    for n in range(20):
        assert child.values(lambda x, n=n: x + n, pa.int64(), rows(x=[1])) == [1 + n]
    answer, parts = child.send({"function": "plain"}, plain, b"", arguments)
    assert (answer["kind"], json.loads(parts[0])) == ("returned", True)
    child.end()


def test_a_fork_answers_for_nobody() -> None:
    child = Child()

    def forks(x: pd.Series) -> pd.Series:
        print(f"printed {len(x)}", flush=True)
        if os.fork() == 0:
            raise ValueError("of the fork")
        os.wait()
        return x

    assert child.values(forks, pa.int64(), rows(x=[1, 2])) == [1, 2]
    assert child.values(forks, pa.int64(), rows(x=[3])) == [3]
    out, _ = child.end()
    assert out.split("\n")[:2] == ["printed 2", "printed 1"]
