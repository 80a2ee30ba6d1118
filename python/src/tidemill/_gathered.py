"""What a function of rows returns, on its worker. It travels by value, as a worker may be without this package."""

from typing import Any

import pyarrow as pa

#: small data frames become a table together
FRAMES_MAX = 1024
FRAMES_ROWS_MAX = 256 * 1024

KINDS = "a pandas.DataFrame, a polars.DataFrame, a pyarrow.Table, a pyarrow.RecordBatch or None"


class Gathered:
    """One table of all that is added."""

    def __init__(self, label: str, schema: Any) -> None:
        self.label = label
        self.schema = schema
        self._tables: list[Any] = []
        #: the first of those without rows
        self._empty: Any = None
        #: of pandas, with the same columns
        self._frames: list[Any] = []
        self._rows = 0
        self._columns: Any = None

    def add(self, value: Any) -> None:
        """
        Raises:
            TypeError: it is no table, or not what the schema says.
        """
        kind = type(value)
        match f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}":
            case "builtins.NoneType":
                pass
            case "pandas.DataFrame":
                self._add_frame(value)
            case "polars.DataFrame":
                self._add_table(value.to_arrow())
            case "pyarrow.Table":
                self._add_table(value)
            case "pyarrow.RecordBatch":
                self._add_table(pa.Table.from_batches([value]))
            case _:
                raise TypeError(f"{self.label} has returned a {kind.__qualname__}, and not {KINDS}")

    def table(self) -> Any:
        self._flush()
        if not self._tables:
            if self.schema is not None:
                return self.schema.empty_table()
            return pa.table({}) if self._empty is None else self._empty
        try:
            return pa.concat_tables(self._tables, promote_options="permissive")
        except pa.ArrowException as error:
            said = f"{self.label} has returned tables whose columns do not fit each other"
            raise TypeError(f"{said} ({error}): say with schema= what they are") from None

    def _add_frame(self, frame: Any) -> None:
        named = [level for level in frame.index.names if level is not None]
        if named:
            known = [level for level in named if level in frame.columns]
            frame = frame.reset_index(known, drop=True) if known else frame
            frame = frame.reset_index([level for level in named if level not in known])
        columns = frame.columns, list(frame.dtypes)
        if self._columns is None or columns[1] != self._columns[1] or not columns[0].equals(self._columns[0]):
            self._flush()
            self._columns = columns
        self._frames.append(frame)
        self._rows += len(frame)
        if len(self._frames) >= FRAMES_MAX or self._rows >= FRAMES_ROWS_MAX:
            self._flush()

    def _flush(self) -> None:
        frames, self._frames, self._rows = self._frames, [], 0
        if not frames:
            return
        # it is there, as these are of it
        import pandas

        frame = frames[0] if len(frames) == 1 else pandas.concat(frames, ignore_index=True)
        try:
            table = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowException, ValueError, TypeError) as error:
            said = ", ".join(map(str, error.args))
            raise TypeError(f"{self.label} has returned what no column of Arrow can have: {said}") from None
        self._add_table(table)

    def _add_table(self, table: Any) -> None:
        names = table.column_names
        if len(set(names)) < len(names):
            raise TypeError(f"{self.label} has returned two columns of one name: {', '.join(names)}")
        table = table.replace_schema_metadata(None)
        if self.schema is not None and names:
            table = self._fitted(table)
        if table.num_rows:
            self._tables.append(table)
        elif self._empty is None:
            self._empty = table

    def _fitted(self, table: Any) -> Any:
        names = table.column_names
        given = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        if missing := [name for name in self.schema.names if name not in names]:
            raise TypeError(f"{self.label} has not returned the column {', '.join(missing)} of the schema, but {given}")
        if surplus := [name for name in names if name not in self.schema.names]:
            raise TypeError(f"{self.label} has returned the column {', '.join(surplus)}, which is not in the schema")
        return pa.Table.from_arrays([self._cast(table, field) for field in self.schema], schema=self.schema)

    def _cast(self, table: Any, field: Any) -> Any:
        column = table.column(field.name)
        try:
            if str(field.type) == "string_view":
                # not all others can become one
                column = column.cast(pa.string())
            return column.cast(field.type)
        except (pa.ArrowException, ValueError) as error:
            said = f"{self.label} has returned the column {field.name} as {column.type}"
            raise TypeError(f"{said}, which does not fit {field.type} of the schema: {error}") from None
