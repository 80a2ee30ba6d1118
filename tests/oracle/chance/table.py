"""Tables of a few rows, with everything in them that goes wrong easily."""

from dataclasses import dataclass, replace

from oracle.chance.dice import Dice

# name, type, kind of its expressions, values
_COLUMNS = [
    ("k", "INTEGER", "int", ["0", "1", "2", "3", "-1"]),
    ("b", "BIGINT", "int", ["0", "1", "2", "7", "-5", "4294967296", "-1099511627776"]),
    ("x", "DOUBLE", "float", ["0.0", "-0.0", "1.5", "2.5", "-0.25", "'NaN'", "'Infinity'", "'-Infinity'", "1e6"]),
    ("y", "DOUBLE", "float", ["0.0", "1.0", "2.0", "-0.5", "3.75"]),
    ("m", "DECIMAL(9, 2)", "decimal", ["0.00", "1.25", "-1.25", "99.99", "0.05", "2.50"]),
    ("t", "VARCHAR", "text", ["'a'", "'b'", "'A'", "''", "'ab'", "'ä'", "'a b'", "'10'", "'two\nlines'"]),
    ("u", "VARCHAR", "text", ["'x'", "'y'", "'%'", "'_a'"]),
    ("f", "BOOLEAN", "bool", ["true", "false"]),
    ("d", "DATE", "date", ["'2024-02-29'", "'1969-12-31'", "'2020-01-01'", "'2024-03-01'"]),
    ("ts", "TIMESTAMP", "time", ["'2024-02-29 23:59:59.5'", "'1969-12-31 23:59:59'", "'2020-01-01 00:00:00'"]),
]
KINDS = {name: kind for name, _, kind, _ in _COLUMNS}
_TYPES = {name: type_ for name, type_, _, _ in _COLUMNS}


@dataclass(frozen=True)
class Table:
    name: str
    columns: list[str]
    rows: list[tuple[str, ...]]
    files: int
    # each file has rows of its own range of ids, so that a reader may leave some out
    in_ranges: bool

    def sql(self) -> str:
        """What makes it."""
        columns = ", ".join([f"{self.name}_id INTEGER", *(f"{c} {_TYPES[c]}" for c in self.columns)])
        made = f"CREATE TABLE {self.name} ({columns});"
        if not self.rows:
            return made
        rows = ", ".join(f"({', '.join(row)})" for row in self.rows)
        return f"{made}\nINSERT INTO {self.name} VALUES {rows};"

    def fewer(self) -> list["Table"]:
        """Half of the rows, then all but one."""
        half = len(self.rows) // 2
        shares = [self.rows[:half], self.rows[half:]] if half > 1 else []
        shares += [self.rows[:n] + self.rows[n + 1 :] for n in range(len(self.rows))]
        return [replace(self, rows=rows) for rows in shares]


def some(dice: Dice, prefix: str) -> list[Table]:
    return [_table(dice, f"{prefix}{n}") for n in range(2 + dice.below(2))]


def _table(dice: Dice, name: str) -> Table:
    chosen = sorted(dice.sample(range(1, len(_COLUMNS)), 3 + dice.below(4)))
    columns = [_COLUMNS[0], *(_COLUMNS[n] for n in chosen)]
    nulls = {column[0]: dice.pick([0, 10, 30, 90]) for column in columns}
    rows = [
        (str(n), *("NULL" if dice.chance(nulls[name]) else dice.pick(values) for name, _, _, values in columns))
        for n in range(dice.pick([0, 1, 4, 8, 8, 16, 30]))
    ]
    return Table(name, [column[0] for column in columns], rows, 1 + dice.below(3), dice.chance(50))
