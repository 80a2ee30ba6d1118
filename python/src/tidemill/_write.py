"""Tables of this process, and rows of queries, into tables of a bucket."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from tidemill._options import checked_progress
from tidemill._params import check_text
from tidemill._placeholders import unended
from tidemill._query import Query
from tidemill._sending import Sending
from tidemill._sql import checked_name, checked_options, sql
from tidemill._statement import Statement

Mode: TypeAlias = Literal["append", "overwrite", "error"]

FOLDER = "tables/"
ALL = "SELECT * FROM data"
#: of a run
NAME = "write"


def write(
    data: Any,
    table: str,
    *,
    mode: Mode = "error",
    partition_by: str | Sequence[str] = (),
    bucket: str | None = None,
    max_workers: int | None = None,
    partitions: int | None = None,
    deadline: float | None = None,
    max_cost_usd: float | None = None,
    name: str | None = None,
    progress: str | bool = "auto",
) -> Query:
    """Writes rows into a table, all of them or none. Returns: the query that did, whose `rows` says how many.

    Args:
        data: as the tables of `sql`; or a query, whose rows do not come here.
        table: `orders` or `tables/orders/`.
        mode: "error" refuses a table that is there, "overwrite" takes its place, "append" adds to it, or makes it;
            columns are then matched by their names.
        partition_by: columns that become folders, of a table that "append" makes.

    Raises:
        RunFailed: nothing was written.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}")
    folders = [partition_by] if isinstance(partition_by, str) else list(partition_by)
    if folders and mode != "append":
        raise ValueError(f'partition_by is for mode="append", which makes a table too, and not for "{mode}"')
    rows = data
    if not (isinstance(data, Query) and data._sending.is_for(bucket)):
        rows = sql(ALL, bucket=bucket, max_workers=max_workers, data=data)
    sending: Sending = rows._sending
    text = _writing(unended(sending.statement.text), _table(table), mode, folders)
    options = {**sending.statement.options, **checked_options(partitions, deadline, max_cost_usd)}
    statement = Statement(text, sending.statement.params, checked_name(name or NAME), options)
    return Query(sending.of_same_tables(statement), checked_progress(progress)).wait()


def _writing(select: str, table: str, mode: Mode, folders: list[str]) -> str:
    # a comment at the end of the rows' statement ends with its line
    if mode == "append":
        by = f" PARTITIONED BY ({', '.join(map(_folder, folders))})" if folders else ""
        place = f"{FOLDER}{table}/".replace("'", "''")
        return f"COPY (\n{select}\n) TO '{place}'{by}"
    create = "CREATE OR REPLACE TABLE" if mode == "overwrite" else "CREATE TABLE"
    return f"{create} {_quoted(table)} AS\n{select}"


def _table(named: str) -> str:
    if not isinstance(named, str):
        raise TypeError(f"a table is named by a str, not {type(named).__qualname__}")
    table = check_text(named, "table").removeprefix(FOLDER).rstrip("/")
    if not table:
        raise ValueError(f"{named!r} is no name of a table")
    return table


def _folder(column: str) -> str:
    # there, SQL takes names as they are, and quotes for a part of them
    if not column.isidentifier():
        raise ValueError(f"column {column!r} cannot become folders: rename it to letters, digits and _")
    return column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
