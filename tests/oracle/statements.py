"""The fixed statements, one a line, and what is known to differ."""

import pathlib
import re
import tomllib
from dataclasses import dataclass
from typing import Literal

HERE = pathlib.Path(__file__).parent
DIFFERENCES = HERE / "differences.toml"
# the reason of a difference that nobody has looked at
UNEXPLAINED = "?"

Judge = Literal["postgres", "duckdb"]
Outcome = Literal["same", "refused", "differs"]


@dataclass(frozen=True)
class Statement:
    topic: str
    sql: str
    judge: Judge
    # the same in the words of the judge
    judge_sql: str


@dataclass(frozen=True)
class Difference:
    outcome: Outcome
    why: str


_WORDS_OF_JUDGE = re.compile(r"--\s*(postgres|duckdb):\s*(.*)")


def read_topics() -> list[Statement]:
    return [statement for path in sorted((HERE / "topics").glob("*.sql")) for statement in _read(path)]


def _read(path: pathlib.Path) -> list[Statement]:
    """A line that is indented goes on with the statement above; it may be what a judge says in its own words."""
    found: list[Statement] = []
    judge: Judge = "postgres"
    for line in path.read_text().splitlines():
        if line == "-- judge: duckdb":
            judge = "duckdb"
        elif line.startswith("--") or not line.strip():
            continue
        elif not line.startswith(" "):
            found.append(Statement(path.stem, line, judge, line))
        elif own := _WORDS_OF_JUDGE.match(line.strip()):
            teller: Judge = "postgres" if own[1] == "postgres" else "duckdb"
            found[-1] = Statement(path.stem, found[-1].sql, teller, own[2])
        else:
            raise SystemExit(f"{path}: {line.strip()} belongs to no statement")
    return found


def read_differences() -> dict[str, Difference]:
    """By statement. Those of one reason stand together."""
    known: dict[str, Difference] = {}
    with open(DIFFERENCES, "rb") as file:
        table = tomllib.load(file)
    for reason in table.get("difference", []):
        for sql in reason["statements"]:
            if sql in known:
                raise SystemExit(f"differences.toml names it twice: {sql}")
            known[sql] = Difference(reason["outcome"], reason["why"])
    return known
