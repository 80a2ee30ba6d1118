"""Large objects travel once."""

import gc
import importlib.util
import mmap
import sys
from pathlib import Path
from typing import Any

import pytest

import calls
import tidemill as tm
from tidemill._pickle import Sharing, pickle_arguments
from tidemill._shared import Blob

numpy = pytest.importorskip("numpy")

RUNNER = Path(__file__).parents[2] / "functions" / "python" / "src" / "tidemill_runner.py"


@pytest.fixture
def load_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reader that workers have."""
    # it imports what lies beside it
    monkeypatch.syspath_prepend(str(RUNNER.parent))
    spec = importlib.util.spec_from_file_location("runner", RUNNER)
    assert spec is not None and spec.loader is not None
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    monkeypatch.setenv("TIDEMILL_SHARED", str(tmp_path))
    return lambda path, once: runner.load_shared(path.name, mmap.ACCESS_READ if once else mmap.ACCESS_COPY)


def test_a_blob_is_read_as_it_was_written(tmp_path: Path, load_shared: Any) -> None:
    value = {"a": numpy.arange(100_000), "b": b"x" * 10, "c": numpy.ones((3, 5), order="F")}
    path = written(tmp_path, value)
    for once in (True, False):
        read = load_shared(path, once)
        assert read["b"] == value["b"]
        assert (read["a"] == value["a"]).all() and (read["c"] == value["c"]).all()
        assert read["a"].ctypes.data % 64 == 0
        assert read["a"].flags.writeable is not once


def test_writing_to_what_was_read_changes_no_file(tmp_path: Path, load_shared: Any) -> None:
    path = written(tmp_path, numpy.zeros(10_000))
    load_shared(path, False)[:] = 1
    assert load_shared(path, False).sum() == 0


def test_a_blob_in_a_cycle_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    cycle: list[object] = [Blob(b"x" * 100)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert not said


def test_a_large_object_goes_up_once(executor: tm.Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    array = numpy.arange(1_000_000)
    sizes = spied(executor, monkeypatch)
    futures = [executor.submit(lambda a, i: int(a[i]), array, i) for i in range(20)]
    assert [future.result() for future in futures] == list(range(20))
    assert list(executor.map(lambda a: int(a[-1]), [array] * 5)) == [999_999] * 5
    assert sum(size >= array.nbytes for size in sizes) == 1


@pytest.mark.parametrize(
    "value", [b"x" * 100_000, "x" * 100_000, list(range(100_000)), {"in": b"x" * 100_000}, bytearray(100_000)]
)
def test_any_large_object_arrives(executor: tm.Executor, value: Any) -> None:
    pickled = pickle_arguments(Sharing(), (value,), {})
    assert len(pickled.shared) == 1 and len(pickled.data) < 1000
    assert executor.submit(lambda x: x, value).result() == value


def test_a_changed_object_is_sent_as_it_is(executor: tm.Executor) -> None:
    array = numpy.zeros(100_000)
    for number in range(3):
        array[0] = number
        assert executor.submit(lambda a: float(a[0]), array).result() == number


def test_a_call_may_change_its_own_copy(executor: tm.Executor) -> None:
    array = numpy.zeros(100_000)
    assert [executor.submit(calls.change, array).result() for _ in range(3)] == [-1, -1, -1]
    assert array[0] == 0


def test_a_handle_stands_for_its_object(executor: tm.Executor) -> None:
    array = numpy.arange(100_000)
    handle = tm.share(array)
    assert tm.share(array) is handle
    assert list(executor.map(lambda a, i: int(a[i]), [handle] * 3, range(3))) == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        executor.submit(calls.change, handle).result()


def test_a_function_may_hold_a_large_object(executor: tm.Executor) -> None:
    array = numpy.arange(1_000_000)
    assert list(executor.map(lambda i: int(array[i]), range(3))) == [0, 1, 2]


def written(folder: Path, value: object) -> Path:
    path = folder / "shared"
    path.write_bytes(b"".join(Blob(value).parts))
    return path


def spied(executor: tm.Executor, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sizes: list[int] = []
    request = executor._session._agent.request

    def spy(head: Any, bodies: Any, on_event: Any) -> int:
        sizes.extend(sum(map(len, body)) for body in bodies)
        return request(head, bodies, on_event)

    monkeypatch.setattr(executor._session._agent, "request", spy)
    return sizes
