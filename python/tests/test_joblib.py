"""joblib, with ours as its backend."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

import calls

joblib = pytest.importorskip("joblib", minversion="1.5")
numpy = pytest.importorskip("numpy")
import tidemill as tm  # noqa: E402
import tidemill.joblib  # noqa: E402


@pytest.fixture(autouse=True)
def ours() -> Iterator[None]:
    with joblib.parallel_config("tidemill", n_jobs=2):
        yield


def test_calls_run_in_other_processes_and_keep_their_order() -> None:
    assert joblib.Parallel()(joblib.delayed(calls.add)(n, 1) for n in range(100)) == list(range(1, 101))
    assert os.getpid() not in joblib.Parallel()(joblib.delayed(calls.process)() for _ in range(4))


def test_functions_without_a_name_travel() -> None:
    assert joblib.Parallel()(joblib.delayed(lambda x: x * x)(n) for n in range(5)) == [0, 1, 4, 9, 16]


def test_results_come_as_a_generator() -> None:
    values = joblib.Parallel(return_as="generator")(joblib.delayed(calls.add)(n) for n in range(20))
    assert next(values) == 0
    assert list(values) == list(range(1, 20))


def test_an_exception_ends_the_call_of_parallel_and_not_the_backend() -> None:
    with joblib.Parallel() as parallel:
        with pytest.raises(ZeroDivisionError):
            parallel(joblib.delayed(calls.inverse)(n) for n in (1, 0, 2))
        assert parallel(joblib.delayed(calls.inverse)(n) for n in (1, 2)) == [1, 0.5]


def test_a_killed_process_ends_the_call_of_parallel() -> None:
    with pytest.raises(tm.TaskKilled):
        joblib.Parallel()(joblib.delayed(calls.crash)() for _ in range(4))
    assert joblib.Parallel()(joblib.delayed(calls.add)(n) for n in range(4)) == [0, 1, 2, 3]


def test_a_timeout_ends_the_call_of_parallel() -> None:
    began = time.monotonic()
    with pytest.raises(multiprocessing.TimeoutError):
        joblib.Parallel(timeout=0.5)(joblib.delayed(calls.sleep)(20) for _ in range(2))
    assert time.monotonic() - began < 8


def test_without_a_number_of_jobs_there_is_one_unless_the_context_names_the_backend() -> None:
    with joblib.parallel_config("loky", n_jobs=None):
        assert joblib.Parallel(backend="tidemill")._effective_n_jobs() == 1
    with joblib.parallel_config("tidemill", n_jobs=None):
        assert joblib.Parallel().n_jobs == -1


def test_calls_within_calls_are_threads() -> None:
    def outer() -> tuple[int, list[int]]:
        return os.getpid(), joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(2))

    for own, nested in joblib.Parallel()(joblib.delayed(outer)() for _ in range(2)):
        assert nested == [own, own]


def test_all_jobs_are_as_many_as_the_deployment_runs_at_once() -> None:
    assert joblib.effective_n_jobs(-1) >= 1
    with pytest.raises(ValueError, match="n_jobs == 0"):
        joblib.Parallel(n_jobs=0)(joblib.delayed(calls.add)(n) for n in range(2))


def test_a_large_argument_goes_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    array = numpy.arange(500_000)
    sizes: list[int] = []
    session = tidemill._map.executor_of((None, None))._session
    request = session._agent.request

    def spy(head: Any, bodies: Any, on_event: Any) -> int:
        sizes.extend(sum(map(len, body)) for body in bodies)
        return request(head, bodies, on_event)

    monkeypatch.setattr(session._agent, "request", spy)
    values = joblib.Parallel(batch_size=1)(joblib.delayed(lambda a, n: int(a[n]))(array, n) for n in range(20))
    assert values == list(range(20))
    assert sum(size >= array.nbytes for size in sizes) == 1
