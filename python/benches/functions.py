"""Functions of Python in statements and over groups, beside DuckDB and Spark over the same file in the same run.

    pip install ./python[pandas] numpy duckdb pyspark
    python python/benches/functions.py

Two cores, the best of three after a run over a tenth of the rows; a ratio is to the peer of its line. Spark needs
Java 17 or later. What is not installed is left out. `--rows 100000` is a try, `--engines duckdb,spark` some of them.
"""

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

CORES = 2
GROUPS_MAX = 100_000
GROUP_ROWS = 100
PART_ROWS = 128 * 1024
REPEATS = 3
#: of groups, as many as Tidemill makes
PARTITIONS = 4 * CORES
#: what all of them write, as Tidemill does
ZSTD_LEVEL = 1

DOUBLE = "double"

#: reads what a run has made
Rows: TypeAlias = Callable[[], pa.Table]


def linear(x: pd.Series, y: pd.Series) -> pd.Series:
    return x * 2 + y


def heavy(x: pd.Series, y: pd.Series) -> pd.Series:
    return np.sqrt(x * x + y * y) * np.exp(-x) + np.log1p(y)


def plain(x: float, y: float) -> float:
    return x * 2 + y


def middle(x: pd.Series) -> float:
    return float(x.median())


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=frame.x - frame.x.mean())[["k", "x"]]


class Engine(Protocol):
    name: str

    def fetched(self, statement: str) -> Rows: ...

    def written(self, statement: str) -> Rows: ...

    def applied(self, table: str) -> Rows:
        """`spread` of each group of k."""


class Tidemill:
    name = "Tidemill"

    def __init__(self, tables: Path, out: Path) -> None:
        import tidemill as tm

        self._tm = tm
        of_rows: Callable[..., Any] = tm.udf(args=[DOUBLE, DOUBLE], returns=DOUBLE)
        of_group: Callable[..., Any] = tm.udaf(args=[DOUBLE], returns=DOUBLE)
        self._functions = [of_rows(linear), of_rows(heavy), of_rows(plain), of_group(middle)]

    def fetched(self, statement: str) -> Rows:
        table = self._sql(statement).to_arrow()
        return lambda: table

    def written(self, statement: str) -> Rows:
        read: Rows = self._sql(statement).wait().to_arrow
        return read

    def applied(self, table: str) -> Rows:
        groups = self._tm.sql(f"SELECT k, x FROM {table}").group_by("k")
        applied = groups.apply(spread, "k bigint, x double").to_arrow()
        return lambda: applied

    def _sql(self, statement: str) -> Any:
        return self._tm.sql(statement, functions=self._functions)


class DuckDB:
    name = "DuckDB"

    def __init__(self, tables: Path, out: Path) -> None:
        import duckdb

        self._places = places_in(out, self.name)
        self._connection: Any = duckdb.connect(config={"threads": CORES})
        for fn in (linear, heavy):
            self._create(fn.__name__, over_arrow(fn), "arrow")
        self._create("plain", plain, "native")
        for table in sorted(tables.iterdir()):
            self._connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM '{table}/*.parquet'")

    def fetched(self, statement: str) -> Rows:
        table = self._connection.sql(statement).to_arrow_table()
        return lambda: table

    def written(self, statement: str) -> Rows:
        place = next(self._places)
        form = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {ZSTD_LEVEL}"
        self._connection.execute(f"COPY ({statement}) TO '{place}' ({form})")
        return partial(pq.read_table, place)

    def applied(self, table: str) -> Rows:
        raise NotImplementedError("DuckDB has no functions of groups")

    def _create(self, name: str, fn: Callable[..., Any], form: str) -> None:
        self._connection.create_function(name, fn, [DOUBLE, DOUBLE], DOUBLE, type=form)


class Spark:
    name = "Spark"

    def __init__(self, tables: Path, out: Path) -> None:
        os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        from pyspark.sql import SparkSession
        from pyspark.sql.functions import pandas_udf, udf

        self._places = places_in(out, self.name)
        settings = {
            "spark.driver.memory": "4g",
            "spark.driver.maxResultSize": "0",
            "spark.local.dir": str(out),
            "spark.sql.warehouse.dir": str(out / "warehouse"),
            "spark.sql.execution.arrow.pyspark.enabled": "true",
            "spark.sql.shuffle.partitions": str(PARTITIONS),
            "spark.sql.adaptive.coalescePartitions.enabled": "false",
            "spark.hadoop.parquet.compression.codec.zstd.level": str(ZSTD_LEVEL),
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }
        session = SparkSession.builder.master(f"local[{CORES}]").config(map=settings).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        for fn in (linear, heavy, middle):
            session.udf.register(fn.__name__, pandas_udf(fn, DOUBLE))
        session.udf.register("plain", udf(plain, DOUBLE))
        for table in sorted(tables.iterdir()):
            session.read.parquet(str(table)).createOrReplaceTempView(table.name)
        self._session = session

    def fetched(self, statement: str) -> Rows:
        table = self._session.sql(statement).toArrow()
        return lambda: table

    def written(self, statement: str) -> Rows:
        place = next(self._places)
        self._session.sql(statement).write.parquet(place, compression="zstd")
        return partial(pq.read_table, place)

    def applied(self, table: str) -> Rows:
        groups = self._session.sql(f"SELECT k, x FROM {table}").groupBy("k")
        applied = groups.applyInPandas(spread, "k bigint, x double").toArrow()
        return lambda: applied


PACKAGES = {"Tidemill": "tidemill", "DuckDB": "duckdb", "Spark": "pyspark"}
HOW = {
    "Tidemill": "pip install ./python[pandas]",
    "DuckDB": "pip install duckdb",
    "Spark": "pip install pyspark, and Java 17 or later on PATH or in $JAVA_HOME",
}


@dataclass(frozen=True)
class Figure:
    name: str
    run: Callable[[Engine, str], Rows]
    #: the peers, with the ratio that is aimed at
    aims: dict[str, str]
    table: str = "t"


def figures(few: int, groups: int) -> list[Figure]:
    scalar = {"DuckDB": "1.1 x", "Spark": "0.2 x"}
    written, medians = "SELECT linear(x, y) AS v FROM {}", "SELECT k, middle(x) AS m FROM {} GROUP BY k"
    return [
        Figure("`sum(f(x, y))`, pandas, `x * 2 + y`", sum_of("linear"), scalar),
        Figure("`sum(f(x, y))`, pandas, `sqrt`, `exp`, `log1p` of numpy", sum_of("heavy"), scalar),
        Figure("`SELECT f(x, y)`, pandas, `x * 2 + y`, written", lambda e, t: e.written(written.format(t)), scalar),
        Figure(f"`sum(f(x, y))`, plain values, {few:,} rows", sum_of("plain"), {"DuckDB": "", "Spark": ""}, "few"),
        Figure(f"`group_by.apply`, {groups:,} groups", lambda e, t: e.applied(t), {"Spark": "0.3 x"}),
        Figure(f"an aggregate, pandas, {groups:,} groups", lambda e, t: e.fetched(medians.format(t)), {"Spark": ""}),
    ]


def sum_of(function: str) -> Callable[[Engine, str], Rows]:
    return lambda engine, table: engine.fetched(f"SELECT sum({function}(x, y)) AS s FROM {table}")


def over_arrow(fn: Callable[[pd.Series, pd.Series], pd.Series]) -> Callable[[Any, Any], Any]:
    return lambda x, y: pa.array(fn(x.to_pandas(), y.to_pandas()))


def places_in(out: Path, name: str) -> Iterator[str]:
    return (str(out / f"{name}-{n}.parquet") for n in count())


def make(place: Path, rows: int, groups: int) -> None:
    """A key and two floats."""
    random = np.random.default_rng(1)
    table = pa.table({"k": random.integers(0, groups, rows), "x": random.random(rows), "y": random.random(rows)})
    place.mkdir(parents=True)
    pq.write_table(table, place / "0.parquet", row_group_size=PART_ROWS, compression="zstd")


def bucket_in(folder: Path) -> Path:
    """That of Tidemill, which is there after its first run."""
    os.environ["TIDEMILL_FOLDER"] = str(folder)
    import tidemill as tm

    list(tm.map(abs, [1]))
    (bucket,) = (path for path in folder.iterdir() if not path.name.startswith("."))
    return bucket


def is_there(name: str) -> bool:
    found = find_spec(PACKAGES[name]) is not None
    return found and (name != "Spark" or "JAVA_HOME" in os.environ or shutil.which("java") is not None)


def best(run: Callable[[str], Rows], table: str) -> tuple[float, Rows]:
    run("few")
    taken = []
    for _ in range(REPEATS):
        since = time.perf_counter()
        rows = run(table)
        taken.append(time.perf_counter() - since)
    return min(taken), rows


def digest(rows: Rows) -> tuple[int, float]:
    table = rows()
    return table.num_rows, pc.sum(pc.abs(table.column(table.num_columns - 1))).as_py()


def check_same(figure: Figure, digests: dict[str, tuple[int, float]]) -> None:
    """
    Raises:
        ValueError: not all of them have made the same.
    """
    (count, total), *others = digests.values()
    if not all(count == other[0] and math.isclose(total, other[1], rel_tol=1e-9) for other in others):
        raise ValueError(f"{figure.name}: rows and totals differ: {digests}")


def measure(figure: Figure, engines: dict[str, Engine]) -> None:
    taken: dict[str, float] = {}
    digests: dict[str, tuple[int, float]] = {}
    for name in ("Tidemill", *figure.aims):
        if name in engines:
            taken[name], rows = best(partial(figure.run, engines[name]), figure.table)
            digests[name] = digest(rows)
    if not digests:
        return
    check_same(figure, digests)
    ours = taken.pop("Tidemill", None)
    for name, theirs in taken.items():
        line(figure.name, figure.aims[name], ours, f"{theirs:,.2f} s ({name} {version(PACKAGES[name])})", theirs)
    if not taken:
        line(figure.name, "", ours, "", None)


def line(name: str, aim: str, ours: float | None, beside: str, theirs: float | None) -> None:
    mine = "" if ours is None else f"{ours:,.2f} s"
    ratio = "" if ours is None or theirs is None else f"{ours / theirs:.2f}"
    print(f"| {name} | {aim} | {mine} | {beside} | {ratio} |", flush=True)


def main() -> None:
    kinds: dict[str, Callable[[Path, Path], Engine]] = {kind.name: kind for kind in (Tidemill, DuckDB, Spark)}
    parser = argparse.ArgumentParser(description="Functions of Python, beside DuckDB and Spark.")
    parser.add_argument("--rows", type=int, default=GROUPS_MAX * GROUP_ROWS)
    parser.add_argument("--engines", default=",".join(kinds).lower(), help="of these, by commas: %(default)s")
    given = parser.parse_args()
    asked = given.engines.lower().split(",")
    if unknown := set(asked) - {name.lower() for name in kinds}:
        parser.error(f"no engine: {', '.join(unknown)}")
    wanted = [name for name in kinds if name.lower() in asked]
    for name in wanted:
        if not is_there(name):
            print(f"{name} is left out: {HOW[name]}")
    wanted = [name for name in wanted if is_there(name)]
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    few, groups = max(given.rows // 10, 1), max(min(GROUPS_MAX, given.rows // GROUP_ROWS), 1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        out, buckets = Path(folder) / "out", Path(folder) / "buckets"
        out.mkdir()
        tables = (bucket_in(buckets) if "Tidemill" in wanted else buckets) / "tables"
        make(tables / "t", given.rows, groups)
        make(tables / "few", few, max(groups // 10, 1))
        engines = {name: kinds[name](tables, out) for name in wanted}
        print(f"| {given.rows:,} rows in one file | aim | Tidemill | beside it | ratio |\n|---|---|---|---|---|")
        for figure in figures(few, groups):
            measure(figure, engines)


if __name__ == "__main__":
    main()
