"""DuckDB: a judge, the writer of the tables' files, and the reader of results."""

import pathlib

import duckdb

from oracle.answer import Answer, Cell, Refusal, Rows, cell, moment, span

_MOMENTS = ("DATE", "TIME", "TIMESTAMP")


class Duck:
    """A database in memory, in UTC, that gives the same order with every run."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        for setting in ("TimeZone = 'UTC'", "threads = 1", "memory_limit = '1GB'"):
            self._connection.execute(f"SET {setting}")

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def answer(self, sql: str) -> Answer:
        try:
            return self._rows(sql)
        except duckdb.Error as error:
            return Refusal(str(error).splitlines()[0])

    def columns(self, table: str) -> list[tuple[str, str]]:
        """Names and types."""
        described = self._connection.execute(f"DESCRIBE {table}").fetchall()
        return [(row[0], row[1]) for row in described]

    def texts(self, table: str) -> list[tuple[str | None, ...]]:
        """The rows of a table as texts that PostgreSQL reads, too."""
        casts = ", ".join(f'CAST("{name}" AS VARCHAR)' for name, _ in self.columns(table))
        return self._connection.execute(f"SELECT {casts} FROM {table}").fetchall()

    def tables(self) -> list[str]:
        return [row[0] for row in self._connection.execute("SHOW TABLES").fetchall()]

    def write(self, table: str, folder: pathlib.Path, files: int, in_ranges: bool = False) -> None:
        """A table as so many Parquet files, with its rows dealt out in turn, or cut in ranges."""
        folder.mkdir(parents=True)
        of_row = f"rowid * {files} // (SELECT count(*) FROM {table})" if in_ranges else f"rowid % {files}"
        for n in range(files):
            rows = f"SELECT * FROM {table} WHERE {of_row} = {n}"
            self._connection.execute(f"COPY ({rows}) TO '{folder}/{n}.parquet' (FORMAT parquet)")

    def read(self, files: list[pathlib.Path]) -> Rows:
        """The rows of Parquet files, in their order."""
        if not files:
            return Rows([])
        names = ", ".join(f"'{file}'" for file in files)
        return self._rows(f"SELECT * FROM read_parquet([{names}], hive_partitioning = false)")

    def _rows(self, sql: str) -> Rows:
        types = [str(row[1]) for row in self._connection.execute(f"DESCRIBE {sql}").fetchall()]
        names = ", ".join(f"c{n}" for n in range(len(types)))
        # Python has no year 10000, and no nanoseconds
        values = ", ".join(
            f"CAST(c{n} AS VARCHAR)" if _is_text_first(type_) else f"c{n}" for n, type_ in enumerate(types)
        )
        # a statement ends with an order, which is kept by what selects from it
        found = self._connection.execute(f"SELECT {values} FROM ({sql}) AS q({names})").fetchall()
        return Rows([tuple(_cell(v, t) for v, t in zip(row, types, strict=True)) for row in found])


def _is_text_first(type_: str) -> bool:
    return (type_.startswith(_MOMENTS) or type_ in ("INTERVAL", "UUID")) and not type_.endswith("]")


def _cell(value: object, type_: str) -> Cell:
    if isinstance(value, str) and _is_text_first(type_):
        if type_ == "INTERVAL":
            return span(value)
        return value if type_ == "UUID" else moment(value)
    return cell(value)
