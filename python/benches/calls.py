"""Calls through the whole chain, beside a process pool and joblib's loky on the same machine in the same run.

    pip install ./python joblib scikit-learn numpy
    python python/benches/calls.py

Medians of three; a ratio is to the peer of its line.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor

import joblib
import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

import tidemill as tm
import tidemill.joblib

WORKERS = os.cpu_count() or 1
REPEATS = 3

COLD = """\
import time
since = time.perf_counter()
import {module}
with {executor}(max_workers=2) as executor:
    executor.submit(pow, 2, 2).result()
    print(time.perf_counter() - since)
"""


def nothing(n: int) -> int:
    return n


def nap(n: int) -> int:
    time.sleep(0.005)
    return n


def total(array: "np.ndarray[tuple[int], np.dtype[np.float64]]", n: int) -> float:
    return float(array[n])


async def await_nap(n: int) -> int:
    await asyncio.sleep(0.05)
    return n


def seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        since = time.perf_counter()
        work()
        taken.append(time.perf_counter() - since)
    return statistics.median(taken)


def line(name: str, unit: str, ours: float, peer: str, theirs: float | None) -> None:
    ratio = f"{ours / theirs:.2f}" if theirs else ""
    print(
        f"| {name} | {ours:,.3g} {unit} | {f'{theirs:,.3g} {unit}' if theirs else ''} ({peer}) | {ratio} |", flush=True
    )


def calls_a_second(executor: Executor, count: int) -> float:
    return count / seconds(lambda: list(executor.map(nothing, range(count))))


def efficiency(took: float) -> float:
    return 2000 * 0.005 / WORKERS / took


def cold(module: str, executor: str) -> float:
    def start() -> float:
        script = COLD.format(module=module, executor=executor)
        return float(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)

    return statistics.median(start() for _ in range(REPEATS))


def search() -> GridSearchCV:
    features, labels = make_classification(600, 20, random_state=0)
    grid = {"max_depth": [2, 3, 4, 5, 6], "min_samples_leaf": [1, 2, 3, 4]}
    forest = RandomForestClassifier(n_estimators=25, random_state=0)
    return GridSearchCV(forest, grid, cv=10, n_jobs=2).fit(features, labels)


def searched(backend: str) -> float:
    def run() -> None:
        with joblib.parallel_config(backend, n_jobs=2):
            search()

    run()
    return seconds(run)


def main() -> None:
    print(f"| {WORKERS} workers | Tidemill | beside it | ratio |\n|---|---|---|---|")
    with tm.Executor(max_workers=WORKERS) as ours, ProcessPoolExecutor(WORKERS) as pool:
        for executor in (ours, pool):
            list(executor.map(nothing, range(200)))
        line("`map` of 10,000 calls", "calls/s", calls_a_second(ours, 10_000), "pool", calls_a_second(pool, 10_000))
        mine, theirs = (seconds(lambda e=e: list(e.map(nap, range(2000)))) for e in (ours, pool))
        line("2,000 calls of 5 ms, efficiency", "", efficiency(mine), "pool", efficiency(theirs))
        mine, theirs = (1000 * seconds(lambda e=e: e.submit(pow, 2, 2).result()) for e in (ours, pool))
        line("one `submit`, warm", "ms", mine, "pool", theirs)
        array = np.arange(100 * 2**20 // 8, dtype=float)
        mine = seconds(lambda: list(ours.map(total, [array] * 100, range(100))))
        jobs = [joblib.delayed(total)(array, n) for n in range(100)]
        joblib.Parallel(n_jobs=WORKERS)(joblib.delayed(nothing)(n) for n in range(10))
        theirs = seconds(lambda: joblib.Parallel(n_jobs=WORKERS, max_nbytes="1M")(jobs))
        line("100 calls that share 100 MB", "s", mine, "loky", theirs)
    theirs = cold("concurrent.futures", "concurrent.futures.ProcessPoolExecutor")
    line("import, executor, first result", "s", cold("tidemill", "tidemill.Executor"), "pool", theirs)
    line("`GridSearchCV` of 200 fits", "s", searched("tidemill"), "loky", searched("loky"))
    with tm.Executor(max_workers=WORKERS, concurrency=100) as together:
        list(together.map(await_nap, range(10)))
        took = seconds(lambda: list(together.map(await_nap, range(10_000))))
        line("10,000 awaits of 50 ms", "awaits/s", 10_000 / took, "none", None)


if __name__ == "__main__":
    main()
