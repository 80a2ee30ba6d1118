"""Statements from Python, beside DuckDB over the same files: `python benches/tables.py` with tidemill[pandas],
duckdb and numpy installed. Prints a table of the median of REPEATS.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tidemill as tm

ROWS = 10_000_000
FILES = 4
GROUPS = 100_000
REPEATS = 3


def make(folder: Path) -> None:
    """A table of whole numbers, floats, texts and times."""
    random = np.random.default_rng(1)
    names = np.array([f"name {n}" for n in range(1000)])
    count = ROWS // FILES
    for file in range(FILES):
        start = file * count
        table = pa.table(
            {
                "id": np.arange(start, start + count),
                "k": random.integers(0, GROUPS, count),
                "x": random.random(count),
                "name": names[random.integers(0, len(names), count)],
                "t": (np.arange(count) * 1_000_000).astype("datetime64[us]"),
            }
        )
        pq.write_table(table, folder / f"{file}.parquet", compression="zstd")


def seconds(run: Callable[[], Any]) -> float:
    def once() -> float:
        since = time.perf_counter()
        run()
        return time.perf_counter() - since

    return statistics.median(once() for _ in range(REPEATS))


def line(name: str, unit: str, ours: float, peer: str, theirs: float | None) -> None:
    beside = "" if theirs is None else f"{peer} {theirs:,.2f} {unit}"
    ratio = "" if theirs is None else f"{ours / theirs:.2f}"
    print(f"| {name} | {ours:,.2f} {unit} | {beside} | {ratio} |", flush=True)


def doubled(frame: Any) -> Any:
    return frame.assign(y=frame.x * 2)


def spread(frame: Any) -> Any:
    return frame.assign(x=frame.x - frame.x.mean())[["k", "x"]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIDEMILL_FOLDER"] = folder
        list(tm.map(abs, [1]))
        (bucket,) = (path for path in Path(folder).iterdir() if not path.name.startswith("."))
        place = bucket / "tables" / "t"
        place.mkdir(parents=True)
        make(place)
        files = f"'{place}/*.parquet'"
        print(f"| {ROWS:,} rows in {FILES} files | Tidemill | beside it | ratio |\n|---|---|---|---|")
        mine = 1000 * seconds(lambda: tm.sql("SELECT 1").fetchall())
        theirs = 1000 * seconds(lambda: duckdb.sql("SELECT 1").fetchall())
        line("`SELECT 1`, warm", "ms", mine, "DuckDB", theirs)
        mine = seconds(lambda: tm.sql("SELECT * FROM t").to_pandas())
        theirs = seconds(lambda: duckdb.sql(f"SELECT * FROM {files}").df())
        line("`SELECT *` to pandas", "s", mine, "DuckDB", theirs)
        mine = seconds(lambda: tm.sql("SELECT * FROM t").to_arrow())
        theirs = seconds(lambda: duckdb.sql(f"SELECT * FROM {files}").to_arrow_table())
        line("`SELECT *` to Arrow", "s", mine, "DuckDB", theirs)
        statement = "SELECT name, count(*), avg(x) FROM {} GROUP BY name"
        mine = seconds(lambda: tm.sql(statement.format("t")).to_pandas())
        theirs = seconds(lambda: duckdb.sql(statement.format(files)).df())
        line("a group by of 1,000 groups", "s", mine, "DuckDB", theirs)
        mine = seconds(lambda: tm.sql("SELECT k, x FROM t").map_batches(doubled).to_arrow())
        line("`map_batches` of a pandas function", "s", mine, "", None)
        few = "SELECT k, x FROM t WHERE id < 1000000"
        mine = seconds(lambda: tm.sql(few).group_by("k").apply(spread).to_arrow())
        line(f"`group_by.apply` of 1,000,000 rows in {GROUPS:,} groups", "s", mine, "", None)


if __name__ == "__main__":
    main()
