"""The columns that a function of rows returns, as its caller says them."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from tidemill._libraries import import_pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

Columns: TypeAlias = "pa.Schema | Mapping[str, Any] | str"

#: of SQL, as Arrow calls them
TYPES = {
    "bigint": "int64",
    "int": "int32",
    "integer": "int32",
    "smallint": "int16",
    "tinyint": "int8",
    "double": "double",
    "real": "float",
    "float": "float",
    "boolean": "bool",
    "text": "string",
    "varchar": "string",
    "string": "string",
    "date": "date32",
    "timestamp": "timestamp[us]",
    "timestamptz": "timestamp[us, tz=UTC]",
    "bytes": "binary",
    "bytea": "binary",
}
COLUMN = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<name>\w+))\s*[\s:]\s*(?P<type>\S.*?)\s*')
COMMA = re.compile(r'((?:"[^"]*"|\([^)]*\)|\[[^\]]*\]|[^,"(\[])*)(?:,|$)')
DECIMAL = re.compile(r"(?:decimal|decimal128|numeric)\((\d+)(?:,\s*(\d+))?\)")
ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]+)\]")


def schema_of(columns: Columns) -> "pa.Schema":
    """
    Args:
        columns: a schema of Arrow, types or their names by the names of columns, or a text as
            `k bigint, mean double`.

    Raises:
        TypeError: a type is not known.
    """
    arrow = import_pyarrow()
    if isinstance(columns, arrow.Schema):
        return columns.remove_metadata()
    if isinstance(columns, str):
        pairs = list(_parsed(columns))
    elif isinstance(columns, Mapping):
        pairs = list(columns.items())
    else:
        raise TypeError(f"schema must be a pyarrow.Schema, a mapping or a text, not {type(columns).__qualname__}")
    names = [name for name, _ in pairs]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"schema must have columns, and each name once: {columns!r}")
    return arrow.schema([arrow.field(name, _type_of(name, kind)) for name, kind in pairs])


def _parsed(text: str) -> Iterator[tuple[str, str]]:
    for part in COMMA.findall(text.rstrip().removesuffix(",") + ",")[:-1]:
        column = COLUMN.fullmatch(part)
        if column is None:
            raise TypeError(f"{part.strip()!r} is no column with its type, such as 'k bigint'")
        yield column["name"] or column["quoted"].replace('""', '"'), column["type"]


def _type_of(name: str, kind: Any) -> Any:
    arrow = import_pyarrow()
    if isinstance(kind, arrow.DataType):
        return kind
    if isinstance(kind, str):
        text = kind.strip()
        text = TYPES.get(text.lower(), text)
        if decimal := DECIMAL.fullmatch(text.lower()):
            return arrow.decimal128(int(decimal[1]), int(decimal[2] or 0))
        if zoned := ZONED.fullmatch(text):
            return arrow.timestamp(zoned[1], zoned[2])
        try:
            return arrow.type_for_alias(text)
        except ValueError:
            pass
    known = f"{', '.join(TYPES)}, decimal(p,s), and those of pyarrow by their names"
    raise TypeError(f"the type of column {name} is {kind!r}, which is not known: there are {known}")
