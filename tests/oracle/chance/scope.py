from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    sql: str
    kind: str


@dataclass(frozen=True)
class Scope:
    """What a query reads from."""

    columns: tuple[Column, ...]
    # columns that leave no two rows equal, if there are any
    total: tuple[str, ...] | None
    rows: int

    def of(self, kind: str) -> list[str]:
        return [column.sql for column in self.columns if column.kind == kind]

    def named(self, alias: str) -> "Scope":
        columns = tuple(Column(f"{alias}.{c.sql}", c.kind) for c in self.columns)
        total = None if self.total is None else tuple(f"{alias}.{sql}" for sql in self.total)
        return Scope(columns, total, self.rows)

    def join(self, other: "Scope") -> "Scope":
        total = None if self.total is None or other.total is None else self.total + other.total
        return Scope(self.columns + other.columns, total, self.rows * other.rows + self.rows + other.rows)


def of_result(kinds: list[str], rows: int) -> Scope:
    """Of a query whose columns are `c0`, `c1` and so on."""
    columns = tuple(Column(f"c{n}", kind) for n, kind in enumerate(kinds))
    return Scope(columns, tuple(c.sql for c in columns) if "float" not in kinds else None, rows)
