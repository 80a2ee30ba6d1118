"""Aggregates and window functions that do not depend on the order of equal rows."""

from oracle.chance.expression import Expressions
from oracle.chance.node import Node
from oracle.chance.scope import Scope

# what is called, of what, and what it gives
_AGGREGATES = [
    ("count(*)", None, "int"),
    ("count({})", "any", "int"),
    ("count(DISTINCT {})", "any", "int"),
    ("sum({})", "int", "int"),
    ("sum(DISTINCT {})", "int", "int"),
    ("sum({})", "float", "float"),
    ("sum({})", "decimal", "decimal"),
    ("avg({})", "int", "float"),
    ("avg({})", "float", "float"),
    ("bool_and({})", "bool", "bool"),
    ("bool_or({})", "bool", "bool"),
    ("min({})", "any", "same"),
    ("max({})", "any", "same"),
    ("min({})", "float", "float"),
    ("max({})", "float", "float"),
    ("sum(CASE WHEN {} THEN 1 ELSE 0 END)", "bool", "int"),
    ("max(length({}))", "text", "int"),
]

_ROWS = [
    "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
]

_PEERS = [
    "",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING",
    "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
]


class Aggregates(Expressions):
    def aggregate(self, scope: Scope, kind: str | None = None) -> Node:
        """Of any kind, or of the one that is wanted."""
        choices = [a for a in _AGGREGATES if kind is None or a[2] == kind or (a[2] == "same" and kind != "bool")]
        template, of, gives = self.dice.pick(choices)
        if of is None:
            return Node(template, kind=gives)
        if of == "any":
            of = kind if gives == "same" and kind else self._kind_of(scope, no_bool=gives == "same")
        node = Node(template, (self.expr(of, scope, 1),), of if gives == "same" else gives)
        if self.dice.chance(15):
            return Node("{} FILTER (WHERE {})", (node, self.predicate(scope, 1)), node.kind)
        return node

    def window(self, scope: Scope) -> Node:
        partition = ""
        if self.dice.chance(60):
            partition = f"PARTITION BY {self.dice.pick(scope.columns).sql} "
        if scope.total and self.dice.chance(60):
            return self._ordered(scope, partition, ", ".join(f"{key} NULLS LAST" for key in scope.total))
        keys = scope.of("int")
        if not keys or self.dice.chance(30):
            return self._over(scope, f"({partition})")
        order = f"ORDER BY {self.dice.pick(keys)}{self.dice.pick([' NULLS FIRST', ' DESC NULLS LAST', ' NULLS LAST'])}"
        if self.dice.chance(40):
            call = self.dice.pick(["rank()", "dense_rank()"])
            return Node(f"{call} OVER ({partition}{order})", kind="int")
        return self._over(scope, f"({partition}{order} {self.dice.pick(_PEERS)})")

    def _ordered(self, scope: Scope, partition: str, total: str) -> Node:
        over = f"OVER ({partition}ORDER BY {total}"
        kind = self._kind_of(scope)
        choice = self.dice.below(7)
        if choice == 0:
            return Node(f"row_number() {over})", kind="int")
        if choice in (1, 2):
            call = self.dice.pick(["lag({}, 1)", "lead({}, 1)", "lag({}, 2)", "lead({}, 2)"])
            return Node(f"{call} {over})", (self.expr(kind, scope, 1),), kind)
        frame = self.dice.pick(_ROWS)
        if choice in (3, 4):
            call = self.dice.pick(["first_value({})", "last_value({})", "nth_value({}, 2)"])
            return Node(f"{call} {over} {frame})", (self.expr(kind, scope, 1),), kind)
        return self._over(scope, f"({partition}ORDER BY {total} {frame})")

    def _over(self, scope: Scope, over: str) -> Node:
        template, of, gives = self.dice.pick([a for a in _AGGREGATES if "DISTINCT" not in a[0]])
        if of is None:
            return Node(f"{template} OVER {over}", kind=gives)
        kind = self._kind_of(scope, no_bool=gives == "same") if of == "any" else of
        return Node(f"{template} OVER {over}", (self.expr(kind, scope, 1),), kind if gives == "same" else gives)

    def _kind_of(self, scope: Scope, no_bool: bool = False) -> str:
        kinds = [column.kind for column in scope.columns if not (no_bool and column.kind == "bool")]
        return self.dice.pick(kinds or ["int"])
