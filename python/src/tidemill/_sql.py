"""Statements of SQL, over the tables of a bucket and of this process."""

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from tidemill._frames import check_frame
from tidemill._functions import Function, functions_of
from tidemill._map import Key
from tidemill._options import checked_progress
from tidemill._params import Params, check_text, encode_params
from tidemill._query import Query
from tidemill._sending import Sending
from tidemill._statement import Statement

#: of a run
NAME = "sql"


def sql(
    statement: str,
    params: Params = None,
    *,
    bucket: str | None = None,
    max_workers: int | None = None,
    partitions: int | None = None,
    deadline: float | None = None,
    max_cost_usd: float | None = None,
    name: str | None = None,
    progress: str | bool = "auto",
    functions: Iterable[Function[..., Any]] | None = None,
    tables: Mapping[str, Any] | None = None,
    **frames: Any,
) -> Query:
    """A statement, which runs when its rows are asked for.

        tm.sql("SELECT * FROM orders WHERE day = $day", {"day": today}).to_pandas()
        tm.sql("SELECT region, sum(price) FROM sold GROUP BY region", sold=frame)

    Args:
        params: values for $1, $2, … in a sequence, or for $name in a mapping.
        bucket: whose tables are meant; by default $TIDEMILL_BUCKET, else that of an emulator in this process.
        max_workers: of that emulator.
        partitions: to spread the work over, whatever its size.
        deadline: seconds after which the run ends as failed.
        max_cost_usd: that the run may cost.
        name: of the run.
        progress: "auto", "bar", "log" or "none".
        functions: of Python that it calls, as `udf`, `udaf` and `udtf` make them; by default those whose names it has.
            They are pickled when the statement is first sent.
        frames: tables of this process by their names in the statement: of pandas, polars or Arrow, dicts of
            columns, lists of dicts. They are read when the statement is first sent; a stream is read by one statement.
        tables: the same, for names that are those of options, too.
    """
    frames = {**(tables or {}), **frames}
    for frame, data in frames.items():
        check_frame(frame, data)
    options = checked_options(partitions, deadline, max_cost_usd)
    made = Statement(_checked_text(statement), encode_params(params), checked_name(name), options)
    key: Key = (bucket or os.environ.get("TIDEMILL_BUCKET") or None, max_workers)
    return Query(Sending(made, frames, key, functions_of(made.text, functions)), checked_progress(progress))


def checked_name(name: str | None) -> str:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name is of the run, and a str, not {type(name).__qualname__}: give the table in tables=")
    return NAME if name is None else check_text(name, "name")


def checked_options(
    partitions: int | None, deadline: float | None, max_cost_usd: float | None
) -> dict[str, int | float]:
    if partitions is not None and partitions < 1:
        raise ValueError("partitions must be greater than 0")
    given = {"deadline": deadline, "max_cost_usd": max_cost_usd}
    for name, value in given.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be greater than 0")
    # a run's deadline has whole seconds
    options = {**given, "partitions": partitions, "deadline": None if deadline is None else math.ceil(deadline)}
    return {name: value for name, value in options.items() if value is not None}


def _checked_text(statement: str) -> str:
    if not isinstance(statement, str):
        raise TypeError(f"a statement must be a str, not {type(statement).__qualname__}")
    return check_text(statement, "the statement")
