"""Functions of Python that statements call by their names."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Generic, ParamSpec, TypeVar, overload

import cloudpickle

from tidemill import _revived
from tidemill._declared import Asked, Columns, Declaration, Input, Kind, OnNull, Type, Volatility
from tidemill._placeholders import tokens

P = ParamSpec("P")
T = TypeVar("T")


class Function(Generic[P, T]):
    """A function that statements call by its name, and that is called here as ever."""

    __wrapped__: Callable[P, T]
    __name__: str

    def __init__(self, function: Callable[P, T], declaration: Declaration) -> None:
        functools.update_wrapper(self, function)
        self.declaration = declaration

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.__wrapped__(*args, **kwargs)

    def __reduce__(self) -> str:
        """As functions are pickled: by the name that their module has for them."""
        return str(getattr(self, "__qualname__", self.declaration.name))

    def __repr__(self) -> str:
        return f"<Function {self.declaration}>"


def _reduced(function: "Function[..., Any]") -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return _revived.revived, (function.__wrapped__, vars(function.declaration))


cloudpickle.register_pickle_by_value(_revived)
# its module imports this package, which a worker may be without
cloudpickle.Pickler.dispatch_table[Function] = _reduced


@overload
def udf(function: Callable[P, T], /, **options: Any) -> Function[P, T]: ...
@overload
def udf(
    *,
    name: str | None = None,
    args: Sequence[Type] | None = None,
    returns: Type | None = None,
    on_null: OnNull = "null",
    volatility: Volatility = "immutable",
    cost: str | None = None,
    input: Input | None = None,
) -> Callable[[Callable[P, T]], Function[P, T]]: ...
def udf(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a function one that statements call for each row.

        @tm.udf
        def label(n: int) -> str: ...

        @tm.udf(returns="double")
        def score(age: pd.Series, income: pd.Series) -> pd.Series: ...

        tm.sql("SELECT label(id), score(age, income) FROM people")

    It gets the values of a row; or, annotated as a pandas.Series, a polars.Series, a pyarrow.Array or a numpy.ndarray,
    those of many rows at once, for which it returns as many.

    Args:
        name: that statements call it by; by default its own.
        args: types of SQL; by default those that annotations say, else arguments come with the types that they have.
        returns: a type of SQL; by default that which the annotation says.
        on_null: "null" gives NULL for a row with a NULL argument, without a call; "call" calls with None or NA.
        volatility: "volatile" where it gives another value each time, "stable" where it does so in another statement.
        cost: the time for a row, such as "1ms": many tasks share what takes long.
        input: "values", "pandas", "arrow", "polars" or "numpy", in the place of annotations.
    """
    return _decorated("scalar", options, function)


@overload
def udaf(function: Callable[P, T], /, **options: Any) -> Function[P, T]: ...
@overload
def udaf(
    *,
    name: str | None = None,
    args: Sequence[Type] | None = None,
    returns: Type | None = None,
    on_null: OnNull = "null",
    volatility: Volatility = "immutable",
    cost: str | None = None,
    input: Input | None = None,
) -> Callable[[Callable[P, T]], Function[P, T]]: ...
def udaf(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a function one that statements call for each group, as an aggregate.

        @tm.udaf(returns="double")
        def spread(prices: pd.Series) -> float: ...

        tm.sql("SELECT shop, spread(price) FROM sales GROUP BY shop")

    It gets all values of the group, as lists or as its annotations say, and returns one.

    Args:
        on_null: "null" leaves rows with a NULL argument out; "call" has them in.
        options: the others are those of `udf`.
    """
    return _decorated("aggregate", options, function)


@overload
def udtf(function: Callable[P, T], /, **options: Any) -> Function[P, T]: ...
@overload
def udtf(
    *,
    returns: Columns,
    name: str | None = None,
    args: Sequence[Type] | None = None,
    on_null: OnNull = "null",
    volatility: Volatility = "immutable",
    cost: str | None = None,
) -> Callable[[Callable[P, T]], Function[P, T]]: ...
def udtf(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a function one that statements call for each row, and that gives rows.

        @tm.udtf(returns="word text, n bigint")
        def words(text: str):
            for n, word in enumerate(text.split()):
                yield word, n

        tm.sql("SELECT id, word FROM notes, words(text)")

    It gets the values of a row, and yields or returns rows: tuples, dicts, or values where there is one column; or a
    table of pandas, polars or Arrow.

    Args:
        returns: the columns, as SQL has them.
        on_null: "null" gives no rows for a row with a NULL argument, without a call.
        options: the others are those of `udf`.
    """
    return _decorated("table", options, function)


#: the last one of each name
_known: dict[str, Function[..., Any]] = {}


def _decorated(kind: Kind, options: dict[str, Any], function: Callable[..., Any] | None) -> Any:
    if unknown := options.keys() - {field.name for field in fields(Asked)[1:]}:
        raise TypeError(f"there is no option {min(unknown)}")
    asked = Asked(kind, **options)

    def decorate(function: Callable[..., Any]) -> Function[..., Any]:
        plain = function.__wrapped__ if isinstance(function, Function) else function
        made: Function[..., Any] = Function(plain, asked.of(plain))
        _known[made.declaration.name] = made
        return made

    return decorate if function is None else decorate(function)


def functions_of(statement: str, functions: Iterable[Any] | None) -> tuple[Function[..., Any], ...]:
    """Those that a statement is sent with: these, or the decorated ones that it calls."""
    if functions is None:
        # most statements call none
        text = statement.lower()
        may_be = {name for name in _known if name in text}
        called = may_be.intersection(_called(statement)) if may_be else ()
        return tuple(_known[name] for name in sorted(called))
    if not isinstance(functions, Iterable) or isinstance(functions, str):
        raise TypeError("functions is a list of those that tm.udf, tm.udaf or tm.udtf have made")
    named: dict[str, Function[..., Any]] = {}
    for each in functions:
        if not isinstance(each, Function):
            raise TypeError(f"functions has {each!r}, which neither tm.udf, tm.udaf nor tm.udtf has made")
        if named.setdefault(each.declaration.name, each) is not each:
            raise ValueError(f"functions has two of the name {each.declaration.name}")
    return tuple(named.values())


def _called(statement: str) -> Iterator[str]:
    """What stands before a parenthesis."""
    before = None
    for token in tokens(statement):
        if token.text == "(" and before is not None:
            yield before
        if token.kind not in ("space", "comment"):
            is_name = token.kind == "word" or token.text.startswith('"')
            before = (token.text.strip('"') if token.text.startswith('"') else token.text.lower()) if is_name else None
