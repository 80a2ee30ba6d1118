"""How statements call a function: by what its decorator says, and its annotations."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from tidemill._columns import COLUMN, COMMA
from tidemill._frame import Head
from tidemill._hints import VALUES, type_of
from tidemill._params import check_text
from tidemill._signature import Signature

Kind: TypeAlias = Literal["scalar", "aggregate", "table"]
OnNull: TypeAlias = Literal["null", "call"]
Volatility: TypeAlias = Literal["immutable", "stable", "volatile"]
Input: TypeAlias = Literal["values", "pandas", "arrow", "polars", "numpy"]
#: of SQL: its name there, or the type of Python that stands for it
Type: TypeAlias = str | type[Any]
Columns: TypeAlias = str | Mapping[str, Type]

RETURNS = {
    "scalar": '@tm.udf(returns="double"), or for plain values annotate it as -> float',
    "aggregate": '@tm.udaf(returns="double"), or annotate it as -> float',
    "table": '@tm.udtf(returns="word text, n bigint")',
}
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
COST = re.compile(r"(\d+(?:\.\d+)?) ?(?:us|ms|s)")


@dataclass(frozen=True)
class Declaration:
    name: str
    kind: Kind
    #: nothing where arguments come with the types that they have
    args: tuple[str, ...] | None
    returns: str
    on_null: OnNull
    volatility: Volatility
    cost: str | None
    input: str

    def head(self) -> Head:
        """As a job has it under the function's name."""
        said = {name: value for name, value in vars(self).items() if name != "name" and value is not None}
        return said if self.args is None else {**said, "args": list(self.args)}

    def __str__(self) -> str:
        args = "…" if self.args is None else ", ".join(self.args)
        return f"{self.name}({args}) -> {self.returns}"


@dataclass(frozen=True)
class Asked:
    """What a decorator says."""

    kind: Kind
    name: str | None = None
    args: Sequence[Type] | None = None
    returns: Type | Columns | None = None
    on_null: OnNull = "null"
    volatility: Volatility = "immutable"
    cost: str | None = None
    input: Input | None = None

    def of(self, fn: Callable[..., Any]) -> Declaration:
        """
        Raises:
            TypeError: statements cannot call the function, or what comes back is not known.
            ValueError: an option is none of those that there are.
        """
        name = _checked_name(fn, self.name)
        _check_function(fn, name, self.kind)
        _check_one_of("on_null", self.on_null, OnNull)
        _check_one_of("volatility", self.volatility, Volatility)
        if self.cost is not None:
            _check_cost(self.cost)
        signature = Signature(fn, name)
        form = self._form(signature)
        args = self._args(signature, self.kind == "aggregate" and form == VALUES)
        returns = self._returns(signature, form)
        return Declaration(name, self.kind, args, returns, self.on_null, self.volatility, self.cost, form)

    def _form(self, signature: Signature) -> str:
        if self.input is not None:
            _check_one_of("input", self.input, Input)
        form = self.input or signature.form()
        if self.kind == "table" and form != VALUES:
            raise TypeError(f"{signature.name} is a table function, which gets the values of a row, and no {form}")
        return form

    def _args(self, signature: Signature, is_of_groups: bool) -> tuple[str, ...] | None:
        if self.args is None:
            return signature.types(is_of_groups)
        if isinstance(self.args, str) or not isinstance(self.args, Sequence):
            raise TypeError('args is a list of types, such as ["bigint", "double"]')
        signature.check_count(len(self.args))
        return tuple(_sql_type("args", each) for each in self.args)

    def _returns(self, signature: Signature, form: str) -> str:
        if self.returns is not None and self.kind == "table":
            return _columns(self.returns)
        if self.returns is not None:
            return _sql_type("returns", self.returns)
        # a scalar function of batches returns batches, whose annotation is not that of a value
        is_of_values = self.kind == "aggregate" or (self.kind == "scalar" and form == VALUES)
        said = signature.return_type() if is_of_values else None
        if said is None:
            raise TypeError(f"what {signature.name} returns is not said: write {RETURNS[self.kind]}")
        return said


def _checked_name(fn: Callable[..., Any], name: str | None) -> str:
    if not callable(fn):
        raise TypeError(f"a function is needed, not {type(fn).__qualname__}")
    name = getattr(fn, "__name__", type(fn).__name__) if name is None else name
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name!r} is no name that SQL calls a function by: give one of lower-case letters, digits and _, "
            'such as name="score"'
        )
    return name


def _check_function(fn: Callable[..., Any], name: str, kind: Kind) -> None:
    asked = (fn, getattr(type(fn), "__call__", None))  # noqa: B004
    if any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in asked):
        raise TypeError(f"{name} is a coroutine function, and a function of a statement must be a plain one")
    if inspect.isgeneratorfunction(fn) and kind != "table":
        raise TypeError(f"{name} yields rows: that is @tm.udtf")


def _check_one_of(option: str, value: object, known: Any) -> None:
    if value not in get_args(known):
        raise ValueError(f"{option} must be one of {', '.join(get_args(known))}, not {value!r}")


def _check_cost(cost: object) -> None:
    match = COST.fullmatch(cost) if isinstance(cost, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError(f"cost is {cost!r}: write a time for a row, such as 20us, 1ms or 0.5s")


def _sql_type(option: str, kind: object) -> str:
    if isinstance(kind, str) and kind.strip():
        return check_text(kind.strip(), option)
    if (said := type_of(kind)) is not None:
        return said
    raise TypeError(f"{option} has {kind!r}, which is no type of SQL, such as 'bigint'")


def _columns(columns: object) -> str:
    if isinstance(columns, Mapping):
        named = {name: _sql_type("returns", kind) for name, kind in columns.items()}
        quoted = {name: name if NAME.fullmatch(name) else '"{}"'.format(name.replace('"', '""')) for name in named}
        columns = ", ".join(f"{quoted[name]} {kind}" for name, kind in named.items())
    if not isinstance(columns, str) or not columns.strip():
        raise TypeError(f"returns has the columns of a table function, such as 'word text, n bigint', not {columns!r}")
    for part in COMMA.findall(columns + ",")[:-1]:
        if COLUMN.fullmatch(part) is None:
            raise TypeError(f"returns has {part.strip()!r}, which is no column with its type, such as 'n bigint'")
    return check_text(columns.strip(), "returns")
