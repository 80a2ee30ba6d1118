"""Expressions of every kind."""

from oracle.chance.dice import Dice
from oracle.chance.node import PLAIN, Node
from oracle.chance.scope import Scope

SCALARS = ["int", "float", "decimal", "text", "bool", "date", "time"]

_LITERALS = {
    "int": ["0", "1", "2", "-3", "7"],
    "float": ["CAST(0 AS DOUBLE PRECISION)", "CAST('NaN' AS DOUBLE PRECISION)", "CAST(1.5 AS DOUBLE PRECISION)"],
    "decimal": ["CAST(1.25 AS DECIMAL(9, 2))", "CAST(0 AS DECIMAL(9, 2))"],
    "text": ["'a'", "''", "'ab'", "'b'"],
    "bool": ["TRUE", "FALSE"],
    "date": ["DATE '2024-02-29'", "DATE '2020-01-01'"],
    "time": ["TIMESTAMP '2024-02-29 23:59:59.5'", "TIMESTAMP '2020-01-01 00:00:00'"],
}
_NULLS = {"int": "INTEGER", "text": "VARCHAR", "bool": "BOOLEAN", "date": "DATE", "time": "TIMESTAMP"}

# what columns are cast to, and what that is compared with
_CASTS: dict[str, list[tuple[str, list[str]]]] = {
    "int": [("VARCHAR", ["'1'", "'01'", "'-1'", "''"]), ("DOUBLE PRECISION", ["1.5", "2", "-0.5"]), ("BIGINT", ["2"])],
    "decimal": [("DOUBLE PRECISION", ["1.25", "0", "2.5"]), ("DECIMAL(12, 4)", ["1.25", "1.2501", "0"])],
    "date": [("TIMESTAMP", ["TIMESTAMP '2024-02-29 00:00:00'", "TIMESTAMP '2024-02-29 12:00:00'"])],
    "time": [("DATE", ["DATE '2024-02-29'", "DATE '1969-12-31'", "DATE '2020-01-01'"])],
}

# what is called, and of what
_CALLS: dict[str, list[tuple[str, list[str]]]] = {
    "int": [
        ("({} + {})", ["int", "int"]),
        ("({} - {})", ["int", "int"]),
        ("({} * 3)", ["int"]),
        ("({} % 4)", ["int"]),
        ("abs({})", ["int"]),
        ("(- {})", ["int"]),
        ("CAST({} AS BIGINT)", ["bool"]),
        ("CAST(length({}) AS BIGINT)", ["text"]),
        ("CAST(strpos({}, {}) AS BIGINT)", ["text", "text"]),
        ("CAST(extract(year FROM {}) AS BIGINT)", ["date"]),
        ("CAST(extract(dow FROM {}) AS BIGINT)", ["date"]),
        ("CAST(extract(month FROM {}) AS BIGINT)", ["time"]),
        ("greatest({}, {})", ["int", "int"]),
        ("least({}, {})", ["int", "int"]),
    ],
    "float": [
        ("({} + {})", ["float", "float"]),
        ("({} - {})", ["float", "float"]),
        ("({} * {})", ["float", "float"]),
        ("({} / 2)", ["float"]),
        ("(- {})", ["float"]),
        ("abs({})", ["float"]),
        ("floor({})", ["float"]),
        ("CAST({} AS DOUBLE PRECISION)", ["int"]),
        ("CAST({} AS DOUBLE PRECISION)", ["decimal"]),
        ("greatest({}, {})", ["float", "float"]),
    ],
    "decimal": [
        ("({} + {})", ["decimal", "decimal"]),
        ("({} - {})", ["decimal", "decimal"]),
        ("(- {})", ["decimal"]),
        ("abs({})", ["decimal"]),
        ("least({}, {})", ["decimal", "decimal"]),
    ],
    "text": [
        ("upper({})", ["text"]),
        ("lower({})", ["text"]),
        ("({} || {})", ["text", "text"]),
        ("concat({}, {})", ["text", "text"]),
        ("substr({}, 2, 3)", ["text"]),
        ("left({}, 1)", ["text"]),
        ("right({}, -1)", ["text"]),
        ("replace({}, 'a', 'xy')", ["text"]),
        ("reverse({})", ["text"]),
        ("trim({})", ["text"]),
        ("lpad({}, 3, '*')", ["text"]),
        ("CAST({} AS VARCHAR)", ["int"]),
        ("CAST({} AS VARCHAR)", ["date"]),
        ("CAST({} AS VARCHAR)", ["bool"]),
        ("greatest({}, {})", ["text", "text"]),
    ],
    "bool": [],
    "date": [
        ("CAST({} AS DATE)", ["time"]),
        ("CAST(({} + INTERVAL '40 days') AS DATE)", ["date"]),
        ("CAST(({} + INTERVAL '1 month') AS DATE)", ["date"]),
        ("greatest({}, {})", ["date", "date"]),
    ],
    "time": [
        ("date_trunc('month', {})", ["time"]),
        ("date_trunc('hour', {})", ["time"]),
        ("({} + INTERVAL '90 minutes')", ["time"]),
        ("({} - INTERVAL '1 month')", ["time"]),
        ("CAST({} AS TIMESTAMP)", ["date"]),
    ],
}


class Expressions:
    """Writes expressions over the columns of a scope."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def expr(self, kind: str, scope: Scope, depth: int) -> Node:
        if depth == 0 or self.dice.chance(40):
            return self.leaf(kind, scope)
        choice = self.dice.below(10)
        if choice == 0:
            parts = (self.predicate(scope, depth - 1), *self.two(kind, scope, depth))
            return Node("CASE WHEN {} THEN {} ELSE {} END", parts, kind)
        if choice == 1:
            return Node("coalesce({}, {})", self.two(kind, scope, depth), kind)
        if choice == 2 and kind != "bool":
            return Node("nullif({}, {})", self.two(kind, scope, depth), kind)
        if kind == "bool":
            return self.predicate(scope, depth)
        template, kinds = self.dice.pick(_CALLS[kind])
        return Node(template, tuple(self.expr(k, scope, depth - 1) for k in kinds), kind)

    def test(self, template: str, *parts: Node) -> Node:
        """A condition, at times without the parentheses around it: then its operators have to bind as they should."""
        if self.dice.chance(35):
            template = template.removeprefix("(").removesuffix(")")
        return Node(template, parts, "bool")

    def two(self, kind: str, scope: Scope, depth: int) -> tuple[Node, Node]:
        return self.expr(kind, scope, depth - 1), self.expr(kind, scope, depth - 1)

    def leaf(self, kind: str, scope: Scope) -> Node:
        columns = scope.of(kind)
        if columns and self.dice.chance(85):
            return Node(self.dice.pick(columns), kind=kind)
        if kind in _NULLS and self.dice.chance(10):
            return Node(f"CAST(NULL AS {_NULLS[kind]})", kind=kind)
        return Node(self.dice.pick(_LITERALS.get(kind, [PLAIN[kind]])), kind=kind)

    def predicate(self, scope: Scope, depth: int) -> Node:
        if depth > 0:
            choice = self.dice.below(10)
            if choice < 3:
                template = self.dice.pick(["({} AND {})", "({} OR {})", "({} OR {})"])
                return self.test(template, self.predicate(scope, depth - 1), self.predicate(scope, depth - 1))
            if choice == 3:
                return self.test("(NOT {})", self.predicate(scope, depth - 1))
            if choice == 4:
                test = self.dice.pick(["TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "NULL"])
                return self.test(f"({{}} IS {test})", self.predicate(scope, depth - 1))
        return self._test(scope)

    def _test(self, scope: Scope) -> Node:
        kind = self.dice.pick(scope.columns).kind if scope.columns else "int"

        def one() -> Node:
            return self.expr(kind, scope, self.dice.pick([0, 0, 1]))

        sign = self.dice.pick(["=", "<>", "<", "<=", ">", ">="])
        choice = self.dice.below(12)
        if choice == 0:
            return self.test("({} IS NULL)", one())
        if choice == 1:
            return self.test("({} IS NOT NULL)", one())
        if choice == 2:
            return self.test(f"({{}} IS {self.dice.pick(['', 'NOT '])}DISTINCT FROM {{}})", one(), one())
        if choice == 3:
            return self.test("({} BETWEEN {} AND {})", one(), one(), one())
        if choice == 4:
            return self.test(f"({{}} {self.dice.pick(['', 'NOT '])}IN ({{}}, {{}}))", one(), one(), one())
        if choice == 5 and kind == "text":
            pattern = self.dice.pick(["a%", "%a%", "_", "", "%", "a_b"])
            return self.test(f"({{}} {self.dice.pick(['', 'NOT '])}LIKE '{pattern}')", one())
        if choice == 6 and kind in ("int", "decimal", "float"):
            other = self.dice.pick(["int", "decimal", "float"])
            return self.test(f"({{}} {sign} {{}})", one(), self.expr(other, scope, 0))
        if choice == 7 and kind == "bool":
            return one()
        if choice == 8 and kind in _CASTS:
            # a comparison with a cast is rewritten by planners
            cast, literals = self.dice.pick(_CASTS[kind])
            return Node(f"(CAST({{}} AS {cast}) {sign} {self.dice.pick(literals)})", (self.leaf(kind, scope),), "bool")
        return self.test(f"({{}} {sign} {{}})", one(), one())
