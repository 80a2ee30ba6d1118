"""Brings the list of differences up to what was found: what is the same goes, what is new comes unexplained."""

import json
from collections.abc import Iterable

from oracle.fixed import Finding
from oracle.statements import DIFFERENCES, UNEXPLAINED, Difference, Outcome

HEAD = """\
# Where Tidemill does not answer as its judge does, and why; read by the runner. An outcome is "refused" or
# "differs". A statement that is the same again has to go from here: `--record` brings the list up to date,
# and leaves what is new without a reason, which fails the run until somebody writes one.
"""


def record(findings: list[Finding], known: dict[str, Difference]) -> None:
    groups: dict[tuple[Outcome, str], list[str]] = {(d.outcome, d.why): [] for d in known.values()}
    for finding in findings:
        if finding.outcome == "same":
            continue
        sql = finding.statement.sql
        listed = known.get(sql)
        why = listed.why if listed and listed.outcome == finding.outcome else UNEXPLAINED
        groups.setdefault((finding.outcome, why), []).append(sql)
    texts = [_group(outcome, why, statements) for (outcome, why), statements in groups.items() if statements]
    DIFFERENCES.write_text("\n".join([HEAD, *texts]))


def _group(outcome: Outcome, why: str, statements: Iterable[str]) -> str:
    lines = "\n".join(f"  {_quoted(sql)}," for sql in statements)
    reason = json.dumps(why, ensure_ascii=False)
    return f'[[difference]]\noutcome = "{outcome}"\nwhy = {reason}\nstatements = [\n{lines}\n]\n'


def _quoted(sql: str) -> str:
    """TOML takes everything but a single quote between single quotes."""
    return json.dumps(sql, ensure_ascii=False) if "'" in sql else f"'{sql}'"
