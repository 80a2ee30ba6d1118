"""Part two: random statements, each against DuckDB; what differs is made as small as it gets."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from oracle.answer import Answer, Refusal, Rows
from oracle.chance import table
from oracle.chance.dice import Dice
from oracle.chance.node import Node
from oracle.chance.query import Queries
from oracle.compare import difference
from oracle.duck import Duck
from oracle.tidemill import Tidemill

STATEMENTS_OF_TABLES = 30
PARTITIONS = (None, 2, 7)
SHRINK_SECONDS = 20
SHRINKS = 5


@dataclass(frozen=True)
class Case:
    seed: int
    tables: tuple[table.Table, ...]
    node: Node
    partitions: int | None

    @property
    def sql(self) -> str:
        return str(self.node)


@dataclass
class Tally:
    passed: int = 0
    refused: int = 0
    without_answer: int = 0
    failed: int = 0


class Trial:
    def __init__(self, duck: Duck, subject: Tidemill) -> None:
        self._duck = duck
        self._subject = subject
        self._made = 0
        self._shrunk = 0
        self.tally = Tally()

    def run(self, seed: int, cases: int | None, end: float) -> Tally:
        done = 0
        while time.monotonic() < end and (cases is None or done < cases):
            count = STATEMENTS_OF_TABLES if cases is None else min(STATEMENTS_OF_TABLES, cases - done)
            self._round(seed, done, count)
            done += count
        return self.tally

    def _round(self, seed: int, done: int, count: int) -> None:
        """Some statements over the same tables."""
        tables = tuple(table.some(Dice(seed * 1_000_003 + done), f"t{done}_"))
        self._make(tables)
        cases = [self._case(seed, done + n, tables) for n in range(count)]
        answered = []
        for case in cases:
            right = self._duck.answer(case.sql)
            if isinstance(right, Rows):
                answered.append((case, right))
            else:
                self.tally.without_answer += 1
        given = self._subject.answers((case.sql, case.partitions) for case, _ in answered)
        for (case, right), answer in zip(answered, list(given), strict=True):
            self._count(case, right, answer)
        for made in tables:
            self._duck.execute(f"DROP TABLE {made.name}")

    def _case(self, seed: int, number: int, tables: tuple[table.Table, ...]) -> Case:
        dice = Dice(seed * 1_000_003 + number + 500_000_000)
        node = Queries(dice, list(tables)).statement()
        return Case(number, tables, node, dice.pick(PARTITIONS))

    def _make(self, tables: tuple[table.Table, ...]) -> None:
        for made in tables:
            self._duck.execute(made.sql())
            folder = self._subject.bucket / "tables" / made.name
            self._duck.write(made.name, folder, made.files, made.in_ranges)

    def _count(self, case: Case, right: Rows, given: Answer) -> None:
        found = _difference(case.sql, right, given)
        if found:
            self.tally.failed += 1
            self._report(case, found)
        elif isinstance(given, Refusal):
            self.tally.refused += 1
        else:
            self.tally.passed += 1

    def _report(self, case: Case, found: str) -> None:
        number = case.seed
        if self._shrunk < SHRINKS:
            self._shrunk += 1
            case, found = self._shrink(case, found)
        over = f"{case.partitions} partitions" if case.partitions else "one task"
        tables = "\n".join(made.sql() for made in case.tables if made.name in case.sql)
        print(f"case {number} over {over}: {found}\n{tables}\n{case.sql};\n", flush=True)

    def _shrink(self, case: Case, found: str) -> tuple[Case, str]:
        end = time.monotonic() + SHRINK_SECONDS
        smaller = True
        while smaller and time.monotonic() < end:
            smaller = False
            for other in _smaller(case):
                if time.monotonic() > end:
                    break
                text = self._try(other)
                if text:
                    case, found, smaller = other, text, True
                    break
        return case, found

    def _try(self, case: Case) -> str | None:
        """Over tables of other names, for the files of a table are its own for good."""
        self._made += 1
        renamed = case
        for made in case.tables:
            name = f"x{self._made}_{made.name}"
            node = _renamed(renamed.node, made.name, name)
            tables = tuple(replace(t, name=name) if t is made else t for t in renamed.tables)
            renamed = replace(renamed, node=node, tables=tables)
        self._make(renamed.tables)
        right = self._duck.answer(renamed.sql)
        found = None
        if isinstance(right, Rows):
            found = _difference(renamed.sql, right, next(iter(self._subject.answers([(renamed.sql, case.partitions)]))))
        for made in renamed.tables:
            self._duck.execute(f"DROP TABLE {made.name}")
        return found


def _difference(sql: str, right: Rows, given: Answer) -> str | None:
    if isinstance(given, Refusal) and "please report" not in given.reason:
        return None
    return difference(sql, right, given)


def _renamed(node: Node, old: str, new: str) -> Node:
    return replace(
        node, template=node.template.replace(old, new), parts=tuple(_renamed(part, old, new) for part in node.parts)
    )


def _smaller(case: Case) -> Iterator[Case]:
    for node in case.node.simpler():
        yield replace(case, node=node)
    for n, made in enumerate(case.tables):
        for fewer in made.fewer():
            yield replace(case, tables=(*case.tables[:n], fewer, *case.tables[n + 1 :]))
    for n, made in enumerate(case.tables):
        if made.files > 1:
            yield replace(case, tables=(*case.tables[:n], replace(made, files=1), *case.tables[n + 1 :]))
