"""Runs both parts, and says at the end how many statements passed.

PYTHONPATH=tests python -m oracle target/release/tidemill [--seconds 180] [--seed 7] [--cases 400] [--topic null]
"""

import argparse
import pathlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable

from oracle import fixed, postgres, record, statements, tidemill
from oracle.answer import Answer
from oracle.chance import trial
from oracle.duck import Duck
from oracle.statements import Judge

RANDOM_SECONDS = 60
# the same each time, so that no change is stopped by what it did not do; who looks for faults takes others
SEED = 1
MEMORY_BYTES = 2 * 1024**3


def main() -> None:
    options = _options()
    # whoever ends it early finds nothing of it left behind, either
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(dir=_memory()) as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # PostgreSQL has another account
        duck = Duck()
        with (
            postgres.server(folder / "postgres") as server,
            tidemill.emulator(options.program.resolve(), folder / "data", duck) as subject,
        ):
            skipped = 0
            passed, failed = (0, 0) if options.only_random else _fixed(options, duck, server, subject)
            if not options.topic:
                tally = _random(options, duck, subject)
                passed, failed = passed + tally.passed, failed + tally.failed
                skipped = tally.refused + tally.without_answer
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


def _fixed(
    options: argparse.Namespace, duck: Duck, server: postgres.Postgres, subject: tidemill.Tidemill
) -> tuple[int, int]:
    since = time.monotonic()
    fixed.make_tables(duck, server, subject.bucket)
    judges: dict[Judge, Callable[[str], Answer]] = {"postgres": server.answer, "duckdb": duck.answer}
    chosen = [s for s in statements.read_topics() if not options.topic or s.topic in options.topic]
    findings = fixed.run(chosen, judges, subject)
    known = statements.read_differences()
    if options.topic:
        known = {sql: known[sql] for sql in known.keys() & {s.sql for s in chosen}}
    if options.list:
        for finding in findings:
            if finding.outcome != "same":
                print(f"## {finding.statement.topic} {finding.outcome}: {finding.statement.sql}\n   {finding.text}")
    if options.record:
        record.record(findings, known)
        known = statements.read_differences()
    wrong = fixed.unexpected(findings, known)
    for text in wrong:
        print(text, end="\n\n")
    seconds = time.monotonic() - since
    print(f"fixed statements: {len(findings)} in {seconds:.0f} seconds, {len(known)} of them are known to differ")
    return len(findings) + len(known.keys() - {s.sql for s in chosen}) - len(wrong), len(wrong)


def _random(options: argparse.Namespace, duck: Duck, subject: tidemill.Tidemill) -> trial.Tally:
    """For what is left of the time."""
    since = time.monotonic()
    end = since + (RANDOM_SECONDS if options.seconds is None else options.seconds)
    tally = trial.Trial(duck, subject).run(options.seed, options.cases, end)
    print(
        f"random statements of seed {options.seed} in {time.monotonic() - since:.0f} seconds: {tally.passed} passed, "
        f"{tally.refused} were refused, {tally.failed} failed, {tally.without_answer} had no answer of DuckDB"
    )
    return tally


def _memory() -> str | None:
    """Thousands of small files are written and removed faster where no disk is."""
    memory = pathlib.Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_BYTES else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="the tidemill to be judged")
    parser.add_argument("--topic", action="append", help="only the fixed statements of this topic")
    parser.add_argument("--list", action="store_true", help="show all that differs, known or not")
    parser.add_argument("--record", action="store_true", help="bring the list of differences up to what was found")
    parser.add_argument("--only-random", action="store_true", help="none of the fixed statements")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the random statements; {SEED} if not given")
    parser.add_argument("--seconds", type=float, help=f"for random statements; {RANDOM_SECONDS} if not given")
    parser.add_argument("--cases", type=int, help="at most so many random statements")
    options = parser.parse_args()
    if options.record and options.topic:
        parser.error("the list is of all topics: --record goes without --topic")
    return options


if __name__ == "__main__":
    main()
