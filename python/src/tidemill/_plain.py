"""Columns of Arrow as SQL has them: without what only one library knows."""

from typing import Any

from tidemill._libraries import import_pyarrow


def plain_schema(schema: Any) -> Any:
    """The schema that a table is sent with.

    Raises:
        TypeError: a column has a type that SQL does not have.
    """
    arrow = import_pyarrow()
    return arrow.schema([arrow.field(field.name, _plain_field(field)) for field in schema])


def plain_table(table: Any, schema: Any) -> Any:
    arrow = import_pyarrow()
    columns = [_plain_column(column, field.type) for column, field in zip(table.columns, schema, strict=True)]
    return arrow.table(columns, schema=schema)


def _plain_field(field: Any) -> Any:
    if (plain := _plain_type(field.type)) is None:
        raise TypeError(f"column {field.name} is {field.type}, which SQL does not have")
    return plain


def _plain_type(kind: Any) -> Any:
    """Returns: nothing if there is none."""
    arrow = import_pyarrow()
    is_type = arrow.types
    if isinstance(kind, arrow.BaseExtensionType):
        return {"arrow.uuid": arrow.string(), "arrow.json": arrow.string(), "arrow.bool8": arrow.bool_()}.get(
            kind.extension_name
        )
    if is_type.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if is_type.is_struct(kind):
        fields = [(field.name, _plain_type(field.type)) for field in kind]
        return None if any(plain is None for _, plain in fields) else arrow.struct(fields)
    if is_type.is_map(kind):
        key, item = _plain_type(kind.key_type), _plain_type(kind.item_type)
        return None if key is None or item is None else arrow.map_(key, item)
    if hasattr(kind, "value_field"):
        item = _plain_type(kind.value_type)
        return None if item is None else arrow.list_(item)
    return _plain_scalar(kind)


def _plain_scalar(kind: Any) -> Any:
    arrow = import_pyarrow()
    name = str(kind)
    if "interval" in name or name.startswith(("union", "run_end", "sparse", "dense")):
        return None
    if name.startswith("decimal"):
        return arrow.decimal128(kind.precision, kind.scale) if kind.precision <= 38 else kind
    others = {
        "string_view": arrow.string(),
        "binary_view": arrow.binary(),
        "halffloat": arrow.float32(),
        "date64[ms]": arrow.date32(),
    }
    return others.get(name, kind)


def _plain_column(column: Any, kind: Any) -> Any:
    arrow = import_pyarrow()
    if column.type == kind:
        return column
    return arrow.chunked_array([_plain_chunk(chunk, kind) for chunk in column.chunks], kind)


def _plain_chunk(chunk: Any, kind: Any) -> Any:
    arrow = import_pyarrow()
    if isinstance(chunk, arrow.DictionaryArray):
        return chunk.dictionary.cast(kind).take(chunk.indices)
    if not isinstance(chunk, arrow.ExtensionArray):
        return chunk.cast(kind)
    if chunk.type.extension_name == "arrow.uuid":
        return arrow.array([None if value is None else str(value) for value in chunk.to_pylist()], kind)
    return chunk.storage.cast(kind)
