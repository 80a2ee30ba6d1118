"""Graphs of Dask whose tasks are calls of Tidemill: Dask keeps the graph, the executor runs what is ready.

Dask takes any executor of `concurrent.futures` as its scheduler. Three graphs, of an array, a bag and delayed
functions, give what Dask's synchronous scheduler gives.

    python dask_graph.py
"""

from collections.abc import Callable

import dask
import dask.array as da
import dask.bag as db
import tidemill as tm
from dask import delayed


def singular_values() -> list[float]:
    """The largest ones of a tall random matrix, by a QR decomposition of blocks."""
    matrix = da.random.default_rng(7).normal(size=(20_000, 20), chunks=(5_000, 20))
    _, values, _ = da.linalg.svd(matrix)
    return [round(float(value), 3) for value in values[:3].compute()]


def letters() -> dict[str, int]:
    """How often the letters of some names occur."""
    names = db.from_sequence(["ada", "emmy", "grace", "hedy", "lise", "maria", "rosalind", "vera"], npartitions=4)
    return dict(names.map(list).flatten().frequencies().topk(3, key=lambda pair: (pair[1], pair[0])).compute())


def tree() -> int:
    """The sum of squares up to 31, added in pairs."""
    level = [delayed(pow)(n, 2) for n in range(32)]
    while len(level) > 1:
        level = [delayed(sum)(pair) for pair in zip(level[::2], level[1::2], strict=True)]
    return level[0].compute()


def main() -> None:
    graphs: list[Callable[[], object]] = [singular_values, letters, tree]
    with dask.config.set(scheduler="synchronous"):
        expected = [graph() for graph in graphs]
    with tm.Executor() as ex, dask.config.set(scheduler=ex):
        found = [graph() for graph in graphs]
    for graph, value in zip(graphs, found, strict=True):
        print(f"{graph.__name__}: {value}")
    print(f"as with the synchronous scheduler: {found == expected}")


if __name__ == "__main__":
    main()
