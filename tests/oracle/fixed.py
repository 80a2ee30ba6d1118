"""Part one: the fixed statements, each against the judge that has the last word, and the list of differences."""

import pathlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from oracle.answer import Answer, Refusal, Rows
from oracle.compare import difference, show
from oracle.duck import Duck
from oracle.postgres import Postgres
from oracle.statements import UNEXPLAINED, Difference, Judge, Outcome, Statement

PARTITIONS: tuple[int | None, ...] = (None, 2, 7)
FILES = 3


class Subject(Protocol):
    def answers(self, asked: list[tuple[str, int | None]]) -> Iterable[Answer]: ...


@dataclass(frozen=True)
class Finding:
    statement: Statement
    outcome: Outcome
    text: str


def make_tables(duck: Duck, postgres: Postgres, bucket: pathlib.Path) -> None:
    duck.execute((pathlib.Path(__file__).parent / "tables.sql").read_text())
    for table in duck.tables():
        duck.write(table, bucket / "tables" / table, FILES)
        postgres.load(duck, table)


def run(statements: list[Statement], judges: dict[Judge, Callable[[str], Answer]], subject: Subject) -> list[Finding]:
    asked = [(statement.sql, partitions) for statement in statements for partitions in _spreads(statement.sql)]
    given = iter(subject.answers(asked))
    findings = []
    for statement in statements:
        right = judges[statement.judge](statement.judge_sql)
        answers = {partitions: next(given) for partitions in _spreads(statement.sql)}
        findings.append(_judge(statement, right, answers))
    return findings


def _spreads(sql: str) -> tuple[int | None, ...]:
    """What reads no table is one task, whatever is asked for."""
    return PARTITIONS if re.search(r"\bfrom\b", sql, re.I) else PARTITIONS[:1]


_GRAVITY: list[Outcome] = ["same", "refused", "differs"]


def _judge(statement: Statement, right: Answer, answers: dict[int | None, Answer]) -> Finding:
    worst = Finding(statement, "same", "")
    for partitions, given in answers.items():
        outcome, text = _outcome(statement.sql, right, given)
        if _GRAVITY.index(outcome) > _GRAVITY.index(worst.outcome):
            over = f"{partitions} partitions" if partitions else "one task"
            worst = Finding(statement, outcome, f"{statement.judge}, {over}: {text}")
    return worst


def _outcome(sql: str, right: Answer, given: Answer) -> tuple[Outcome, str]:
    if isinstance(given, Refusal):
        if "please report" in given.reason:
            return "differs", f"{given.reason}\n  right: {show(right)}"
        return ("same", "") if isinstance(right, Refusal) else ("refused", given.reason)
    if not isinstance(right, Rows):
        return "differs", f"\n  right: {show(right)}\n  given: {show(given)}"
    found = difference(sql, right, given)
    return ("differs", found) if found else ("same", "")


def unexpected(findings: list[Finding], known: dict[str, Difference]) -> list[str]:
    """What is not as the list of differences says."""
    wrong = []
    for finding in findings:
        sql = finding.statement.sql
        listed = known.get(sql)
        expected = listed.outcome if listed else "same"
        if finding.outcome != expected or (listed and listed.why == UNEXPLAINED):
            because = f" ({listed.why})" if listed else ""
            wrong.append(f"{finding.outcome}, and should be {expected}{because}\n  {sql}\n  {finding.text}".rstrip())
    all_sql = {finding.statement.sql for finding in findings}
    wrong.extend(
        f"listed among the differences, and not among the statements\n  {sql}" for sql in known.keys() - all_sql
    )
    return wrong
