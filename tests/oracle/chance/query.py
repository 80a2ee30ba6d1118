"""Queries, one in another."""

from oracle.chance import table
from oracle.chance.aggregate import Aggregates
from oracle.chance.dice import Dice
from oracle.chance.expression import SCALARS
from oracle.chance.node import Node, joined
from oracle.chance.scope import Column, Scope, of_result

DEPTH = 2
# a join that might have more rows is not written
MOST_ROWS = 4_000


class Queries(Aggregates):
    def __init__(self, dice: Dice, tables: list[table.Table]) -> None:
        super().__init__(dice)
        self._tables = tables
        self._aliases = 0
        self._shared: Scope | None = None

    def statement(self) -> Node:
        with_ = Node("")
        if self.dice.chance(20):
            shared, self._shared = self.query(1, None)
            with_ = Node("WITH shared AS ({}) ", (shared,))
        node, scope = self.query(DEPTH, None)
        if scope.total and self.dice.chance(40):
            order = ", ".join(f"{key}{self._direction()}" for key in scope.total)
            limit = self.dice.pick(["", "", " LIMIT 3", " LIMIT 5 OFFSET 2", " OFFSET 1"])
            node = Node("SELECT * FROM ({}) AS r{}", (node, Node(f" ORDER BY {order}{limit}", optional=True)))
        return Node("{}{}", (with_, node))

    def query(self, depth: int, want: list[str] | None) -> tuple[Node, Scope]:
        """Its columns are `c0`, `c1` and so on; of the kinds that are wanted, if any are."""
        if depth > 0 and self.dice.chance(20):
            return self._set_operation(depth, want)
        source, scope = self._from(depth)
        choice = self.dice.below(10)
        if want is None and choice < 3:
            return self._grouped(source, scope)
        if want is None and choice < 5:
            return self._windowed(source, scope)
        if want is None and choice == 5:
            node = joined(
                ", ", [Node("{} AS c0", (self.aggregate(scope),)), Node("{} AS c1", (self.aggregate(scope),))]
            )
            kinds = [str(part.parts[0].kind) for part in node.parts]
            return Node("SELECT {} FROM {}{}", (node, source, self._where(scope, depth))), of_result(kinds, 1)
        if want is None and choice == 6 and scope.total and self.dice.chance(50):
            return self._firsts(source, scope)
        kinds = want or [self.dice.pick(scope.columns).kind for _ in range(1 + self.dice.below(3))]
        items = self._items([self._value(kind, scope, depth) for kind in kinds])
        distinct = "DISTINCT " if self.dice.chance(20) else ""
        node = Node(f"SELECT {distinct}{{}} FROM {{}}{{}}", (items, source, self._where(scope, depth)))
        result = of_result(kinds, scope.rows)
        if result.total and self.dice.chance(15):
            order = ", ".join(f"{key}{self._direction()}" for key in result.total)
            page = f"LIMIT {1 + self.dice.below(6)} OFFSET {self.dice.below(3)}"
            node = Node(f"SELECT * FROM ({{}}) AS l ORDER BY {order} {page}", (node,))
        return node, result

    def _direction(self) -> str:
        return self.dice.pick([" NULLS FIRST", " NULLS LAST", " DESC NULLS FIRST", " DESC NULLS LAST"])

    def _items(self, items: list[Node]) -> Node:
        return joined(", ", [Node(f"{{}} AS c{n}", (item,)) for n, item in enumerate(items)])

    def _value(self, kind: str, scope: Scope, depth: int) -> Node:
        if depth == 0 or kind == "bool" or self.dice.chance(85):
            return self.expr(kind, scope, 2)
        self._aliases += 1
        source, inner = self._table(f"v{self._aliases}")
        condition = self.predicate(inner, 1)
        if inner.of("int") and scope.of("int") and self.dice.chance(60):
            condition = Node("{} = {}", (self.leaf("int", inner), self.leaf("int", scope)))
        parts = (self.aggregate(inner, kind), source, condition)
        return Node("(SELECT {} FROM {} WHERE {})", parts, kind)

    def _where(self, scope: Scope, depth: int) -> Node:
        if self.dice.chance(40):
            return Node("")
        test = self.subquery_test(scope) if depth > 0 and self.dice.chance(35) else self.predicate(scope, 2)
        if self.dice.chance(20):
            test = Node("({} OR {})", (test, self.predicate(scope, 1)), "bool")
        return Node(" WHERE {}", (test,), optional=True)

    def _grouped(self, source: Node, scope: Scope) -> tuple[Node, Scope]:
        keys = self.dice.sample(scope.columns, 1 + self.dice.below(2))
        names = [key.sql for key in keys]
        items = [Node(key.sql, kind=key.kind) for key in keys]
        items += [self.aggregate(scope) for _ in range(1 + self.dice.below(2))]
        group = ", ".join(names)
        if self.dice.chance(25):
            group = self.dice.pick(
                [f"ROLLUP ({group})", f"CUBE ({group})", f"GROUPING SETS (({group}), ({names[0]}), ())"]
            )
        having = Node("")
        if self.dice.chance(25):
            sign = self.dice.pick(["<", ">", "<>"])
            having = Node(f" HAVING {{}} {sign} {{}}", (self.aggregate(scope, "int"), Node("1")), optional=True)
        parts = (self._items(items), source, self._where(scope, 0), having)
        node = Node(f"SELECT {{}} FROM {{}}{{}} GROUP BY {group}{{}}", parts)
        result = of_result([str(item.kind) for item in items], scope.rows * 2)
        if result.total and self.dice.chance(25):
            # the aggregate first, as those do who look for the largest groups
            order = ", ".join(f"{key}{self._direction()}" for key in reversed(result.total))
            node = Node(f"{{}} ORDER BY {order} LIMIT {1 + self.dice.below(4)}", (node,))
        return node, result

    def _firsts(self, source: Node, scope: Scope) -> tuple[Node, Scope]:
        """The first row of each key."""
        key = self.dice.pick(scope.columns)
        order = ", ".join(
            [key.sql + self._direction(), *(f"{c}{self._direction()}" for c in scope.total or () if c != key.sql)]
        )
        items = [Node(key.sql, kind=key.kind), self.leaf(self.dice.pick(scope.columns).kind, scope)]
        parts = (self._items(items), source, self._where(scope, 0))
        node = Node(f"SELECT DISTINCT ON ({key.sql}) {{}} FROM {{}}{{}} ORDER BY {order}", parts)
        return Node("SELECT * FROM ({}) AS d", (node,)), of_result([str(item.kind) for item in items], scope.rows)

    def _windowed(self, source: Node, scope: Scope) -> tuple[Node, Scope]:
        first = self.dice.pick(scope.columns)
        items = [Node(first.sql, kind=first.kind), self.window(scope)]
        if self.dice.chance(40):
            items.append(self.window(scope))
        node = Node("SELECT {} FROM {}{}", (self._items(items), source, self._where(scope, 0)))
        return node, of_result([str(item.kind) for item in items], scope.rows)

    def _set_operation(self, depth: int, want: list[str] | None) -> tuple[Node, Scope]:
        kinds = want or [self.dice.pick(SCALARS) for _ in range(1 + self.dice.below(2))]
        (left, a), (right, b) = self.query(depth - 1, kinds), self.query(depth - 1, kinds)
        sign = self.dice.pick(["UNION ALL", "UNION", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
        node = Node(f"SELECT * FROM ({{}}) AS p {sign} SELECT * FROM ({{}}) AS q", (left, right))
        return node, of_result(kinds, a.rows + b.rows)

    def _from(self, depth: int) -> tuple[Node, Scope]:
        node, scope = self._source(depth)
        for _ in range(self.dice.pick([0, 0, 0, 1, 1, 2])):
            right, other = self._source(depth - 1)
            if scope.rows * other.rows > MOST_ROWS:
                break
            node, scope = self._join(node, scope, right, other)
        return node, scope

    def _source(self, depth: int) -> tuple[Node, Scope]:
        self._aliases += 1
        alias = f"a{self._aliases}"
        if self._shared and self.dice.chance(40):
            return Node(f"shared AS {alias}"), self._shared.named(alias)
        if depth > 0 and self.dice.chance(25):
            node, scope = self.query(depth - 1, None)
            return Node(f"({{}}) AS {alias}", (node,)), scope.named(alias)
        return self._table(alias)

    def _table(self, alias: str) -> tuple[Node, Scope]:
        chosen = self.dice.pick(self._tables)
        key = f"{chosen.name}_id"
        columns = (Column(key, "int"), *(Column(name, table.KINDS[name]) for name in chosen.columns))
        return Node(f"{chosen.name} AS {alias}"), Scope(columns, (key,), max(1, len(chosen.rows))).named(alias)

    def _join(self, left: Node, a: Scope, right: Node, b: Scope) -> tuple[Node, Scope]:
        scope = a.join(b)
        join = self.dice.pick(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
        shared = [c.kind for c in a.columns if b.of(c.kind)]
        if join == "CROSS JOIN" or not shared:
            return Node("{} CROSS JOIN {}", (left, right)), scope
        kind = self.dice.pick(shared)
        sign = self.dice.pick(["=", "=", "=", "=", "IS NOT DISTINCT FROM"])
        if join in ("JOIN", "LEFT JOIN") and self.dice.chance(10):
            sign = self.dice.pick(["<", ">=", "<>"])
        test = Node(f"{self.dice.pick(a.of(kind))} {sign} {self.dice.pick(b.of(kind))}")
        more = Node("")
        if self.dice.chance(30):
            more = Node(" AND {}", (self.predicate(scope, 1),), optional=True)
        return Node(f"{{}} {join} {{}} ON {{}}{{}}", (left, right, test, more)), scope

    def subquery_test(self, outer: Scope) -> Node:
        self._aliases += 1
        source, inner = self._table(f"s{self._aliases}")
        kinds = [c.kind for c in outer.columns if inner.of(c.kind)]
        kind = self.dice.pick(kinds or ["int"])
        conditions = []
        if self.dice.chance(50):
            sign = self.dice.pick(["=", "=", "=", "<", "<>"])
            conditions.append(Node(f"{{}} {sign} {{}}", (self.leaf("int", inner), self.leaf("int", outer))))
        if self.dice.chance(50) or not conditions:
            conditions.append(self.predicate(inner, 1))
        where = joined(" AND ", conditions)
        negated = self.dice.pick(["", "NOT "])
        choice = self.dice.below(5)
        if choice == 0:
            return Node(f"({negated}EXISTS (SELECT 1 FROM {{}} WHERE {{}}))", (source, where), "bool")
        if choice in (1, 2):
            parts = (self.leaf(kind, outer), self.leaf(kind, inner), source, where)
            return Node(f"({{}} {negated}IN (SELECT {{}} FROM {{}} WHERE {{}}))", parts, "bool")
        if choice == 3:
            sign = self.dice.pick(["> ALL", "<> ALL", "= ANY", "< ANY"])
            parts = (self.leaf(kind, outer), self.leaf(kind, inner), source, where)
            return Node(f"({{}} {sign} (SELECT {{}} FROM {{}} WHERE {{}}))", parts, "bool")
        sign = self.dice.pick(["=", "<", ">", "<>"])
        parts = (self.expr("int", outer, 0), self.aggregate(inner, "int"), source, where)
        return Node(f"({{}} {sign} (SELECT {{}} FROM {{}} WHERE {{}}))", parts, "bool")
