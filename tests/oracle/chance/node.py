"""Pieces of SQL that know simpler pieces."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

PLAIN = {
    "int": "1",
    "float": "CAST(0.5 AS DOUBLE PRECISION)",
    "decimal": "CAST(1.25 AS DECIMAL(12, 2))",
    "text": "'a'",
    "bool": "TRUE",
    "date": "DATE '2024-01-02'",
    "time": "TIMESTAMP '2024-01-02 03:00:00'",
}


@dataclass(frozen=True)
class Node:
    """A template whose `{}` are the parts. `kind` is what it gives, if it is an expression."""

    template: str
    parts: tuple["Node", ...] = field(default=())
    kind: str | None = None
    # a clause that may be left out
    optional: bool = False

    def __str__(self) -> str:
        return self.template.format(*self.parts) if self.parts else self.template

    def simpler(self) -> Iterator["Node"]:
        """The boldest first."""
        if self.optional:
            yield Node("")
        if self.kind and str(self) != PLAIN[self.kind]:
            yield Node(PLAIN[self.kind], kind=self.kind)
        if self.kind:
            yield from (part for part in self.parts if part.kind == self.kind)
        for n, part in enumerate(self.parts):
            for other in part.simpler():
                yield replace(self, parts=(*self.parts[:n], other, *self.parts[n + 1 :]))


def joined(between: str, parts: list[Node]) -> Node:
    return Node(between.join("{}" for _ in parts), tuple(parts))
