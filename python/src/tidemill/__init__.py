"""Functions of Python over a bucket: on this machine, or on AWS by naming a bucket.

    import tidemill as tm

    with tm.Executor() as ex:
        squares = list(ex.map(lambda x: x * x, range(10_000)))

    tm.sql("SELECT region, sum(price) FROM orders GROUP BY region").to_pandas()

`Executor` keeps the contract of `concurrent.futures`; `map` gives a `Result` that outlives its client.
"""

from tidemill._env import Env
from tidemill._errors import (
    CallTimeout,
    CostExceeded,
    EnvironmentMismatch,
    RemoteError,
    RunFailed,
    TaskKilled,
)
from tidemill._estimate import Estimate
from tidemill._executor import Executor
from tidemill._functions import udaf, udf, udtf
from tidemill._future import Future, as_completed
from tidemill._map import attach, map, starmap
from tidemill._progress import Progress
from tidemill._query import Query
from tidemill._result import Result
from tidemill._shared import Shared, share
from tidemill._sql import sql
from tidemill._values import PickledValue
from tidemill._write import write
from tidemill.dbapi import connect

__all__ = [
    "CallTimeout",
    "CostExceeded",
    "Env",
    "EnvironmentMismatch",
    "Estimate",
    "Executor",
    "Future",
    "PickledValue",
    "Progress",
    "Query",
    "RemoteError",
    "Result",
    "RunFailed",
    "Shared",
    "TaskKilled",
    "as_completed",
    "attach",
    "connect",
    "map",
    "share",
    "sql",
    "starmap",
    "udaf",
    "udf",
    "udtf",
    "write",
]
