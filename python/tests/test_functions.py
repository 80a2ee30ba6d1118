"""Functions of Python in statements: how they are declared, and what is sent of them."""

import __future__

import copy
import datetime
import decimal
import functools
import inspect
import math
import pickle
import threading
import typing
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tidemill as tm
from tidemill import _functions
from tidemill._declared import Declaration
from tidemill._functions import Function, functions_of
from tidemill._map import executor_of


@pytest.fixture(autouse=True)
def _known_are_those_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_functions, "_known", {})


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """The heads of what would go to the agent, and the bodies; each request is answered, and nothing is done."""
    requests: list[tuple[Any, Any]] = []
    session = executor_of((None, None))._session
    session.wait_opened()
    # nothing of this is there afterwards
    monkeypatch.setattr(session, "_uploaded", set())

    def answer(head: Any, bodies: Any, on_event: Any) -> int:
        requests.append((head, bodies))
        done = {"event": "ended", "status": "succeeded", "rows": 0, "run": "r"}
        explained = {"event": "explained", "text": "", "estimate": None}
        on_event({"sql": done, "explain": explained}.get(head["do"], {"event": "shared"}), [])
        return 0

    monkeypatch.setattr(session._agent, "request", answer)
    return requests


def declared(fn: Any) -> Declaration:
    assert isinstance(fn, Function)
    return fn.declaration


def of_text(text: str, **known: Any) -> Any:
    """The function `f` of a module whose annotations are texts."""
    flags = __future__.annotations.compiler_flag
    exec(compile(text, "<text>", "exec", flags=flags), known)
    return known["f"]


class Numbers:
    def __call__(self, x: int) -> int:
        return x + 1


def test_types_are_those_of_the_annotations() -> None:
    @tm.udf
    def f(
        a: int,
        b: float,
        c: str,
        d: bool,
        e: bytes,
        f: datetime.date,
        g: datetime.datetime,
        h: datetime.time,
        i: list[float],
        j: list[list[int]],
    ) -> list[str]:
        return [c]

    known = ["bigint", "double", "text", "boolean", "bytea", "date", "timestamp(6)", "time", "double[]", "bigint[][]"]
    assert declared(f).head() == {
        "kind": "scalar",
        "args": known,
        "returns": "text[]",
        "on_null": "null",
        "volatility": "immutable",
        "input": "values",
    }


def test_what_may_be_missing_has_the_type_of_the_rest() -> None:
    @tm.udf
    def f(a: int | None, b: str | None, c: list[float | None] | None, d: typing.Annotated[int, "x"]) -> int | None:
        return a

    g = of_text("def f(a: typing.Optional[int], b: typing.List[str]) -> int: ...", typing=typing)
    assert declared(tm.udf(g)).args == ("bigint", "text[]")
    assert declared(f).args == ("bigint", "text", "double[]", "bigint")
    assert (declared(f).returns, declared(f).on_null) == ("bigint", "null")


@pytest.mark.parametrize(
    ("hint", "form"),
    [
        (pd.Series, "pandas"),
        (pd.Series | None, "pandas"),
        (pa.Array, "arrow"),
        (pa.Int64Array, "arrow"),
        (pl.Series, "polars"),
        (np.ndarray, "numpy"),
        (np.typing.NDArray[np.float64], "numpy"),
        ("pd.Series", "pandas"),
        ("pandas.Series[float]", "pandas"),
        ("pd.Series | None", "pandas"),
        ("pl.Series", "polars"),
        ("pa.DoubleArray", "arrow"),
        ("np.ndarray", "numpy"),
        ("npt.NDArray[np.float64]", "numpy"),
        (typing.Any, "values"),
        ("nothing.known", "values"),
        (dict, "values"),
    ],
)
def test_the_form_is_that_of_the_annotation(hint: Any, form: str) -> None:
    def f(x: Any, y: Any = None) -> Any: ...

    f.__annotations__["x"] = hint
    for made in (tm.udf(f, returns="double"), tm.udaf(f, returns="double")):
        assert (declared(made).input, declared(made).args) == (form, None)


def test_annotations_may_be_texts() -> None:
    f = of_text("def f(a: int, b: list[Day], c: datetime.date | None) -> 'str': ...", Day=datetime.date)
    assert declared(tm.udf(f)).args == ("bigint", "date[]", "date")
    assert declared(tm.udf(f)).returns == "text"
    of_local = of_text("def make(Number):\n def f(x: Number) -> int: return Number(f)\n return f\nf = make(float)")
    assert declared(tm.udf(of_local)).args == ("double",)


def test_an_aggregate_gets_lists_of_what_its_arguments_are() -> None:
    @tm.udaf
    def f(x: list[float], y: list[list[int] | None]) -> float: ...  # type: ignore[empty-body]

    assert declared(f).head() | {"args": ["double", "bigint[]"], "returns": "double", "kind": "aggregate"} == (
        declared(f).head()
    )
    with pytest.raises(TypeError, match=r"x of g gets the values of a group: annotate it as list\[int\]"):

        @tm.udaf
        def g(x: int) -> int: ...  # type: ignore[empty-body]


def test_a_table_function_has_columns() -> None:
    @tm.udtf(returns="word text, n bigint")
    def f(text: str) -> Iterator[tuple[str, int]]:
        yield text, 1

    assert declared(f).head() | {"kind": "table", "args": ["text"], "returns": "word text, n bigint"} == (
        declared(f).head()
    )
    named = tm.udtf(Numbers(), name="g", returns={"n": int, 'a "b"': "decimal(12, 2)"})
    assert declared(named).returns == 'n bigint, "a ""b""" decimal(12, 2)'


def test_only_what_must_be_given_is_an_argument() -> None:
    def f(x: int, y: int = 2, *, z: int = 3, **others: int) -> int:
        return x + y + z

    assert declared(tm.udf(f)).args == ("bigint",)
    assert declared(tm.udf(f, args=[int, "int"])).args == ("bigint", "int")
    for count in (0, 3):
        with pytest.raises(TypeError, match=f"f has 1 parameters, and args {count} types"):
            tm.udf(f, args=["int"] * count)


def test_any_number_of_arguments_needs_no_types() -> None:
    def f(x: int, *others: int) -> int:
        return x

    assert declared(tm.udf(f)).args is None
    assert declared(tm.udf(f, args=["int"] * 5)).args == ("int",) * 5
    assert declared(tm.udf(lambda: 1, name="f", returns="int")).args == ()


def test_one_annotation_that_says_nothing_leaves_all_types_open() -> None:
    @tm.udf
    def f(x: int, y) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return x

    assert declared(f).args is None


def test_callables_of_all_kinds_can_be_declared() -> None:
    assert declared(tm.udf(Numbers(), name="f")).args == ("bigint",)
    assert declared(tm.udf(max, name="f", returns="int")).args is None
    root = tm.udf(math.sqrt, name="root", args=[float], returns=float)
    assert (root(4.0), declared(root).args, root.__name__) == (2.0, ("double",), "sqrt")
    power = tm.udf(functools.partial(pow, 2), name="power", args=[int], returns=int)
    assert power(3) == 8


def test_options_are_sent_as_they_are() -> None:
    @tm.udf(name="g", args=["int"], returns=int, on_null="call", volatility="volatile", cost="1.5 ms", input="arrow")
    def f(x: Any) -> Any:
        return x

    assert declared(f).head() == {
        "kind": "scalar",
        "args": ["int"],
        "returns": "bigint",
        "on_null": "call",
        "volatility": "volatile",
        "cost": "1.5 ms",
        "input": "arrow",
    }


@pytest.mark.parametrize(
    ("decorator", "example"),
    [(tm.udf, r'@tm.udf\(returns="double"\)'), (tm.udaf, "@tm.udaf"), (tm.udtf, r'@tm.udtf\(returns="word text')],
)
def test_how_to_say_what_is_returned_is_said(decorator: Any, example: str) -> None:
    with pytest.raises(TypeError, match=f"what f returns is not said: write {example}"):

        @decorator  # type: ignore[untyped-decorator]
        def f(x: list[int]) -> Any:
            return x


def test_batches_are_no_values() -> None:
    with pytest.raises(TypeError, match="what f returns is not said"):

        @tm.udf
        def f(x: pd.Series) -> float: ...  # type: ignore[empty-body]

    @tm.udaf
    def g(x: pd.Series) -> float: ...  # type: ignore[empty-body]

    assert (declared(g).returns, declared(g).args) == ("double", None)


def with_keyword(x: int, *, y: int) -> int:
    return x


def of_decimal(x: decimal.Decimal) -> int:
    return 1


def to_decimal(x: int) -> decimal.Decimal:
    return decimal.Decimal(x)


def of_frame(x: pd.DataFrame) -> int:
    return 1


def of_both(x: pd.Series, y: pl.Series) -> int:
    return 1


def of_series_and_value(x: pd.Series, y: int) -> int:
    return 1


def of_series(x: pd.Series) -> int:
    return 1


def add_one(x: int) -> int:
    """Says so."""
    return x + 1


def rows_of(x: int) -> Iterator[int]:
    yield x


async def later(x: int) -> int:
    return x


@pytest.mark.parametrize(
    ("decorator", "fn", "options", "said"),
    [
        (tm.udf, with_keyword, {}, "with_keyword needs y by its name"),
        (tm.udf, of_decimal, {}, r"x of of_decimal is a decimal.*args=\["),
        (tm.udf, to_decimal, {}, r"to_decimal returns decimals.*returns=\"decimal\(12, 2\)\""),
        (tm.udf, of_frame, {}, r"x of of_frame is annotated as pandas\.DataFrame"),
        (tm.udf, of_both, {"returns": "int"}, "x as pandas, y as polars"),
        (tm.udf, of_series_and_value, {"returns": "int"}, "x as pandas, y as values"),
        (tm.udf, rows_of, {"returns": "int"}, "rows_of yields rows: that is @tm.udtf"),
        (tm.udf, later, {}, "later is a coroutine function"),
        (tm.udtf, of_series, {"returns": "n bigint"}, "gets the values of a row, and no pandas"),
        (tm.udtf, add_one, {"returns": "n bigint", "input": "arrow"}, "gets the values of a row, and no arrow"),
        (tm.udtf, add_one, {"returns": "text"}, "'text', which is no column"),
        (tm.udtf, add_one, {"returns": "n int,, m int"}, "'', which is no column"),
        (tm.udtf, add_one, {"returns": ""}, "the columns of a table function"),
        (tm.udtf, add_one, {"returns": {}}, "the columns of a table function"),
        (tm.udtf, add_one, {"returns": int}, "the columns of a table function"),
        (tm.udf, add_one, {"name": "Add"}, r"'Add' is no name .* such as name=\"score\""),
        (tm.udf, add_one, {"name": "1a"}, "'1a' is no name"),
        (tm.udf, add_one, {"name": "ä"}, "'ä' is no name"),
        (tm.udf, add_one, {"name": ""}, "'' is no name"),
        (tm.udf, add_one, {"name": "x" * 64}, "xx' is no name"),
        (tm.udf, add_one, {"name": 5}, "5 is no name"),
        (tm.udf, lambda x: x, {"returns": "int"}, "'<lambda>' is no name"),
        (tm.udf, add_one, {"on_null": "skip"}, "on_null must be one of null, call, not 'skip'"),
        (tm.udf, add_one, {"volatility": "pure"}, "volatility must be one of immutable, stable, volatile"),
        (tm.udf, add_one, {"input": "dask"}, "input must be one of values, pandas"),
        (tm.udf, add_one, {"cost": "1h"}, "cost is '1h': write a time"),
        (tm.udf, add_one, {"cost": "0ms"}, "cost is '0ms'"),
        (tm.udf, add_one, {"cost": 5}, "cost is 5"),
        (tm.udf, add_one, {"returns": complex}, "returns has <class 'complex'>"),
        (tm.udf, add_one, {"returns": " "}, "returns has ' '"),
        (tm.udf, add_one, {"returns": "\ud800"}, "returns is no valid text"),
        (tm.udf, add_one, {"args": "bigint"}, "args is a list of types"),
        (tm.udf, add_one, {"args": [5]}, "args has 5"),
        (tm.udf, add_one, {"kind": "aggregate"}, "there is no option kind"),
        (tm.udf, 5, {}, "a function is needed, not int"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_declared(
    decorator: Any, fn: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        decorator(fn, **options)
    assert _functions._known == {}


def test_a_decorated_function_is_called_as_ever() -> None:
    f = tm.udf(add_one)
    assert (f(1), f(x=1), f.__name__, f.__doc__, f.__wrapped__) == (2, 2, "add_one", "Says so.", add_one)
    assert inspect.signature(f) == inspect.signature(add_one)
    assert repr(f) == "<Function add_one(bigint) -> bigint>"
    assert repr(tm.udf(lambda *x: 1, name="g", returns="int")) == "<Function g(…) -> int>"


def test_one_can_be_decorated_again() -> None:
    f = tm.udf(add_one)
    g = tm.udf(f, name="g", returns="int")
    assert (g.__wrapped__, declared(g).name, declared(f).name) == (add_one, "g", "add_one")


@tm.udf
def twice(x: int) -> int:
    return 2 * x


@tm.udf
def factorial(x: int) -> int:
    return x * factorial(x - 1) if x else 1


def test_it_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(twice)) is twice
    assert copy.deepcopy([twice])[0] is twice
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(tm.udf(add_one))


def test_it_is_pickled_by_value_for_workers() -> None:
    for fn, value in ((twice, 6), (factorial, 6), (tm.udf(lambda x: 2 * x, name="f", returns="int"), 6)):
        back = cloudpickle.loads(cloudpickle.dumps(fn))
        assert isinstance(back, Function) and back is not fn
        assert (back(3), back.declaration, back.__name__) == (value, fn.declaration, fn.__name__)


def test_it_is_a_function_of_calls_too() -> None:
    assert list(tm.map(factorial, range(5), max_workers=2)) == [1, 1, 2, 6, 24]
    assert list(tm.map(lambda x: twice(x) + 1, range(3), max_workers=2)) == [1, 3, 5]
    f = tm.udf(lambda x: 3 * x, name="f", returns="int")
    assert list(tm.starmap(lambda g, x: g(x), [(f, 1), (twice, 1)], max_workers=2)) == [3, 2]


def test_where_this_package_is_not_it_is_the_plain_function(script: Callable[..., Any]) -> None:
    data = cloudpickle.dumps(factorial)
    ended = script(f"import sys, pickle\nsys.modules['tidemill'] = None\nprint(pickle.loads({data!r}))", PYTHONPATH="")
    assert ended.stdout.startswith("<function factorial"), ended.stderr


@pytest.mark.parametrize(
    ("statement", "called"),
    [
        ("SELECT f(x), g (y) FROM t", "f g"),
        ("SELECT F(x)", "f"),
        ('SELECT "f"(x), "G"(y)', "f"),
        ("SELECT f/* ( */ -- (\n (x)", "f"),
        ("SELECT f, g FROM f", ""),
        ("SELECT 'f(x)', $$ f(x) $$, $1, E'\\'f(x)' -- f(x)\n /* /* */ f(x) */", ""),
        ("SELECT ff(x), f_(x), xg(y)", ""),
        ("SELECT * FROM t, g(t.x) AS w", "g"),
        ("SELECT id + f(g(x)) FROM t WHERE (SELECT f(1)) > 0", "f g"),
        ("SELECT f (", "f"),
        ("f", ""),
        ("", ""),
    ],
)
def test_those_are_sent_that_a_statement_calls(statement: str, called: str) -> None:
    for name in ("f", "g", "h"):
        tm.udf(lambda x: x, name=name, returns="int")
    assert [each.declaration.name for each in functions_of(statement, None)] == called.split()


def test_the_last_one_of_a_name_is_called() -> None:
    def f(x: int) -> int:
        return x

    tm.udf(f)
    last = tm.udaf(f, returns="text", args=["int"])
    assert functions_of("SELECT f(x)", None) == (last,)


def test_functions_can_be_named() -> None:
    f, g = tm.udf(add_one, name="f"), tm.udf(add_one, name="g")
    assert functions_of("SELECT g(x)", [f]) == (f,)
    assert functions_of("SELECT g(x)", iter([f, g, f])) == (f, g)
    assert functions_of("SELECT g(x)", ()) == ()


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        ([add_one], "which neither tm.udf, tm.udaf nor tm.udtf has made"),
        (add_one, "functions is a list"),
        ("f", "functions is a list"),
        (["f"], "'f', which neither"),
        ([tm.udf(add_one), tm.udf(add_one)], "two of the name add_one"),
    ],
)
def test_what_are_no_functions_is_refused(functions: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        tm.sql("SELECT 1", functions=functions)


def test_a_function_goes_with_the_statement(sent: list[tuple[Any, Any]]) -> None:
    table = np.arange(10_000.0)
    f = tm.udf(lambda x: table[x], name="f", args=["int"], returns="double", cost="1ms")
    query = tm.sql("SELECT f($1)", [1])
    query.explain()
    assert query.rows == 0
    *shares, (explain, _), (head, _) = sent
    assert (explain["functions"], explain["do"], head["do"]) == (head["functions"], "explain", "sql")
    said = head["functions"]["f"]
    pickled = said.pop("pickled")
    assert said == f.declaration.head()
    assert pickled["archives"] == [] and len(pickled["shared"]) == 1
    assert pickled["python"].count(".") == 1
    assert {share["name"] for share, _ in shares} == {pickled["function"], *pickled["shared"]}
    (code,) = [bodies for share, bodies in shares if share["name"] == pickled["function"]]
    with pytest.raises(pickle.UnpicklingError, match="persistent"):
        pickle.loads(b"".join(code[0]))


def test_what_is_made_of_a_query_has_its_functions(sent: list[tuple[Any, Any]]) -> None:
    f = tm.udf(add_one, name="f")
    query = tm.sql("SELECT f(x) AS y FROM t", functions=[f], t={"x": [1, 2]})
    tm.write(query, "target")
    statements = [head for head, _ in sent if head["do"] == "sql"]
    assert [list(head["functions"]) for head in statements] == [["f"]]
    assert list(statements[0]["frames"]) == ["t"]
    query.group_by("y")._numbered._sending.begin()
    assert list(sent[-1][0]["functions"]) == ["f"]


def test_other_ways_to_send_statements_have_functions(sent: list[tuple[Any, Any]]) -> None:
    tm.udf(add_one, name="f")
    g = tm.udf(add_one, name="g")
    with tm.connect() as connection:
        connection.cursor().execute("INSERT INTO t SELECT f(?)", [1])
    with tm.connect(functions=[g]) as connection:
        connection.cursor().execute("INSERT INTO t SELECT f(?)", [1])
    assert [list(head["functions"]) for head, _ in sent if head["do"] == "sql"] == [["f"], ["g"]]


def test_statements_without_functions_send_none(sent: list[tuple[Any, Any]]) -> None:
    tm.udf(add_one, name="f")
    assert tm.sql("SELECT 1").rows == 0
    assert [(head["do"], head["functions"]) for head, _ in sent] == [("sql", {})]


def test_a_frame_may_have_the_name_of_the_option(sent: list[tuple[Any, Any]]) -> None:
    assert tm.sql("SELECT * FROM functions", tables={"functions": {"a": [1]}}).rows == 0
    assert list(sent[-1][0]["frames"]) == ["functions"]


def test_one_that_cannot_be_pickled_is_named(sent: list[tuple[Any, Any]]) -> None:
    lock = threading.Lock()
    tm.udf(lambda x: lock, name="f", returns="int")
    query = tm.sql("SELECT f(1)")
    for _ in range(2):
        with pytest.raises(TypeError, match="the function f cannot be sent: cannot pickle"):
            query.wait()
    assert sent == []


def test_another_python_is_refused_before_anything_is_uploaded(
    sent: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tm.udf(add_one, name="f")
    monkeypatch.setattr(executor_of((None, None))._session, "_unfit", "the workers have 3.9")
    with pytest.raises(tm.EnvironmentMismatch, match=r"have 3\.9"):
        tm.sql("SELECT f(1) FROM t", t={"a": [1]}).wait()
    assert sent == []
    assert tm.sql("SELECT 1").rows == 0
