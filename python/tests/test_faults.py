"""Each way in which a call can go wrong ends as an error of that call."""

import linecache
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool, _RemoteTraceback
from pathlib import Path
from typing import Any

import pytest

import calls
import tidemill as tm

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def test_an_exception_comes_with_its_type_and_where_it_was_raised(executor: tm.Executor) -> None:
    error = executor.submit(calls.refuse, 3).exception()
    assert type(error) is ValueError and str(error) == "not 3"
    assert type(error.__cause__) is _RemoteTraceback
    assert 'raise ValueError(f"not {number}")' in str(error.__cause__)
    if sys.version_info >= (3, 11):
        assert error.__notes__ == [f"call 0 of run {executor.submit(calls.refuse, 3).run or error.__notes__[0][14:]}"]


def test_leaving_the_interpreter_is_an_exception_too(executor: tm.Executor) -> None:
    error = executor.submit(calls.leave).exception()
    assert type(error) is SystemExit and error.code == 3


def test_a_crash_is_the_error_of_its_call_alone(executor: tm.Executor) -> None:
    futures = [executor.submit(call, 1) for call in (calls.add, calls.crash, calls.add)]
    error = futures[1].exception()
    assert isinstance(error, tm.TaskKilled) and isinstance(error, BrokenProcessPool)
    assert error.reason == "crash"
    assert futures[0].result() == futures[2].result() == 1
    assert executor.submit(calls.add, 2).result() == 2


def test_a_call_is_killed_at_its_timeout() -> None:
    with tm.Executor(max_workers=1, timeout=0.5) as executor:
        error = executor.submit(calls.sleep, 30).exception()
        assert isinstance(error, tm.CallTimeout) and isinstance(error, TimeoutError)
        assert error.reason == "timeout"


def test_an_argument_that_cannot_be_pickled_is_the_error_of_its_call(executor: tm.Executor) -> None:
    bad, good = executor.submit(calls.keywords, calls.Unpicklable()), executor.submit(calls.add, 1)
    with pytest.raises(TypeError, match="will not be pickled"):
        bad.result()
    assert good.result() == 1


def test_an_argument_that_cannot_be_pickled_leaves_the_rest_of_a_map(executor: tm.Executor) -> None:
    values = executor.map(calls.keywords, [1, calls.Unpicklable(), 3])
    assert next(values) == ((1,), {})
    with pytest.raises(TypeError, match="will not be pickled"):
        next(values)


def test_a_function_that_cannot_be_pickled_is_an_error(executor: tm.Executor) -> None:
    bad = calls.Unpicklable()
    with pytest.raises(TypeError, match="will not be pickled"):
        executor.submit(lambda: bad).result()


def test_a_result_that_cannot_be_pickled_is_an_error(executor: tm.Executor) -> None:
    with pytest.raises(TypeError, match="will not be pickled"):
        executor.submit(calls.give_unpicklable).result()
    assert executor.submit(calls.add, 1).result() == 1


def test_a_result_that_cannot_be_read_is_an_error(executor: tm.Executor) -> None:
    with pytest.raises(BrokenProcessPool, match="cannot be read") as caught:
        executor.submit(calls.give_unreadable).result()
    assert type(caught.value.__cause__) is _RemoteTraceback
    assert executor.submit(calls.add, 1).result() == 1


def test_an_exception_is_read_without_its_init(executor: tm.Executor) -> None:
    error = executor.submit(calls.raise_of_two).exception()
    assert type(error) is calls.OfTwoError and error.args == ("of two",) and error.two == 2
    assert type(error.__cause__) is _RemoteTraceback


def test_an_exception_that_cannot_be_read_keeps_its_name(executor: tm.Executor) -> None:
    error = executor.submit(calls.raise_with_a_lock).exception()
    assert isinstance(error, tm.RemoteError)
    assert error.type == "builtins.ValueError" and "lock" in error.message
    assert "raise_with_a_lock" in error.traceback


def test_an_exception_may_name_half_a_character(executor: tm.Executor) -> None:
    error = executor.submit(calls.raise_half).exception()
    assert type(error) is OSError and error.args == ("a\udcff",)
    assert executor.submit(calls.add, 1).result() == 1


def test_an_initializer_runs_until_it_has_succeeded() -> None:
    with tm.Executor(max_workers=1, initializer=calls.fail_to_start) as executor:
        values = [future.exception() for future in [executor.submit(calls.add, n) for n in range(3)]]
    assert all(isinstance(each, BrokenProcessPool) for each in values)


def test_an_initializer_that_fails_breaks_the_executor(caplog: pytest.LogCaptureFixture) -> None:
    with tm.Executor(max_workers=1, initializer=calls.fail_to_start) as executor:
        with pytest.raises(BrokenProcessPool):
            executor.submit(calls.add, 1).result()
        deadline = time.monotonic() + 5
        while executor._broken is None and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(BrokenProcessPool):
            executor.submit(calls.add, 1)
    assert "error in initializer" in caplog.text


def test_a_call_can_be_killed(executor: tm.Executor) -> None:
    future = executor.submit(calls.sleep, 30)
    while not future.run:
        time.sleep(0.01)
    assert not future.cancel()
    assert future.kill()
    error = future.exception()
    assert isinstance(error, tm.TaskKilled) and error.reason == "cancelled"
    assert executor.submit(calls.add, 1).result() == 1


def test_without_the_agent_every_call_ends() -> None:
    with tm.Executor(max_workers=2) as executor:
        running = executor.submit(calls.sleep, 30)
        waiting = [executor.submit(calls.sleep, 30) for _ in range(100)]
        while not running.run:
            time.sleep(0.01)
        os.kill(executor._session._agent._process.pid, signal.SIGKILL)
        for future in [running, *waiting]:
            with pytest.raises(BrokenProcessPool):
                future.result(10)
        with pytest.raises(BrokenProcessPool):
            executor.submit(calls.add, 1).result(10)


def test_an_agent_that_dies_idle_is_found_out() -> None:
    with tm.Executor(max_workers=1) as executor:
        executor.submit(calls.add, 1).result()
        os.kill(executor._session._agent._process.pid, signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            executor.submit(calls.add, 1).result(10)


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_PROGRAM", "/nowhere/tidemill")
    with pytest.raises(tm.RunFailed, match="/nowhere/tidemill"):
        tm.Executor()


def test_places_without_the_program_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TIDEMILL_PROGRAM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path / "scripts"))
    with pytest.raises(tm.RunFailed, match=r"scripts/tidemill.*PATH.*TIDEMILL_PROGRAM"):
        tm.Executor()


def test_a_program_that_is_no_agent_breaks_the_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_PROGRAM", "/bin/false")
    with tm.Executor() as executor, pytest.raises(BrokenProcessPool, match="exit code 1"):
        executor.submit(calls.add, 1).result(10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_leaves_its_parents_agent_alone(script: Script) -> None:
    done = script("""
import os
import tidemill as tm

executor = tm.Executor(max_workers=1)
assert executor.submit(pow, 2, 3).result() == 8
future = executor.submit(pow, 2, 4)
child = os.fork()
if child == 0:
    try:
        executor.submit(pow, 2, 3).result(5)
    except tm.RunFailed:
        with tm.Executor(max_workers=1) as own:
            os._exit(0 if own.submit(pow, 2, 3).result(10) == 8 else 2)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert future.result() == 16
assert executor.submit(pow, 2, 5).result() == 32
print("right")
""")
    assert (done.stdout, done.returncode) == ("right\n", 0), done.stderr


def test_what_was_submitted_is_finished_at_the_end_of_the_program(script: Script, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    done = script(f"""
import time
import tidemill as tm

def write(path):
    time.sleep(0.5)
    open(path, "w").close()

tm.Executor(max_workers=1).submit(write, {str(mark)!r})
tm.map(abs, [1])
""")
    assert done.returncode == 0, done.stderr
    assert mark.exists()


def test_a_program_that_fails_ends(script: Script) -> None:
    done = script("""
import tidemill as tm
executor = tm.Executor(max_workers=1)
executor.submit(pow, 2, 3)
raise SystemExit(5)
""")
    assert done.returncode == 5, done.stderr


def test_a_program_ends_though_its_agent_was_killed(script: Script) -> None:
    done = script("""
import os, signal, time
import tidemill as tm
executor = tm.Executor(max_workers=1)
executor.submit(time.sleep, 60)
os.kill(executor._session._agent._process.pid, signal.SIGKILL)
""")
    assert done.returncode == 0, done.stderr


def test_functions_of_the_program_itself_travel_by_value(script: Script) -> None:
    done = script("""
import tidemill as tm

class Point:
    def __init__(self, x): self.x = x

def move(point): return Point(point.x + STEP)

STEP = 2
with tm.Executor(max_workers=1) as executor:
    moved = executor.submit(move, Point(1)).result()
    print(type(moved) is Point, moved.x)
""")
    assert done.stdout == "True 3\n", done.stderr


def test_a_traceback_shows_lines_that_only_the_client_has(executor: tm.Executor) -> None:
    source = "def fail():\n    raise ValueError('in a cell')\n"
    linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(True), "<cell 1>")
    cell: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell 1>", "exec"), cell)
    error = executor.submit(cell["fail"]).exception()
    assert error is not None
    assert 'File "<cell 1>", line 2, in fail\n    raise ValueError(' in str(error.__cause__)


def test_ctrl_c_cancels_the_run_and_says_so(script: Script) -> None:
    done = script("""
import os, signal, threading, time
import tidemill as tm
result = tm.map(time.sleep, [0, 30, 30], max_workers=2)
threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
began = time.monotonic()
try:
    list(result)
except KeyboardInterrupt:
    print("interrupted")
result.run
while result.progress().status is None:
    time.sleep(0.01)
print(result.progress().status, time.monotonic() - began < 5)
""")
    assert done.stdout == "interrupted\ncancelled True\n", done.stderr
    assert "is cancelled; 1 of 3 calls were done" in done.stderr


@pytest.mark.parametrize("block", ["with tm.Executor(max_workers=1) as executor:", "if executor := tm.Executor():"])
def test_ctrl_c_ends_a_program_though_its_calls_run(script: Script, block: str) -> None:
    began = time.monotonic()
    done = script(f"""
import os, signal, threading, time
import tidemill as tm
{block}
    futures = [executor.submit(time.sleep, 60) for _ in range(50)]
    threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
    futures[-1].result()
""")
    assert "KeyboardInterrupt" in done.stderr and done.returncode != 0
    assert time.monotonic() - began < 10
