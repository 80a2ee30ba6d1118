"""Inputs without a length."""

import asyncio
import decimal
import gc
import itertools
import subprocess
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import calls
import tidemill as tm
from tidemill._logs import CHARACTERS_MAX, Logs
from tidemill._pace import AHEAD_FIRST, AHEAD_MAX, UNTAKEN_FACTOR

Script = Callable[..., "subprocess.CompletedProcess[str]"]


class Source:
    """Inputs that say how far they were read, and whether they were closed."""

    def __init__(self, pause: float = 0.0) -> None:
        self.count = 0
        self.closed = threading.Event()
        self._pause = pause

    def __iter__(self) -> Iterator[int]:
        try:
            for number in itertools.count():
                time.sleep(self._pause)
                self.count += 1
                yield number
        finally:
            self.closed.set()

    def is_at_rest(self) -> bool:
        before = self.count
        time.sleep(0.2)
        return self.count == before


def until(holds: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def no_thread_is_left() -> bool:
    return not [each for each in threading.enumerate() if each.name in ("tidemill-inputs", "tidemill-pieces")]


def test_values_come_in_order_and_once() -> None:
    result = tm.map(calls.add, iter(range(500)))
    assert list(result) == list(range(500))
    assert (len(result), result.done, result.failed) == (500, 500, 0)
    assert list(result) == []
    until(no_thread_is_left)


def test_starmap_takes_the_items_of_a_generator_apart() -> None:
    assert list(tm.starmap(calls.add, ([n, n] for n in range(3)))) == [0, 2, 4]


def test_no_input_is_no_call() -> None:
    result = tm.map(calls.add, iter(()))
    assert list(result) == [] and len(result) == 0 and not result
    assert result.run is None and result.runs == []


def test_lines_of_a_file_are_inputs(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("a\nb\n")
    with path.open() as lines:
        assert list(tm.map(calls.say, lines)) == ["a\n", "b\n"]


def test_inputs_without_an_end_are_read_as_they_are_needed() -> None:
    source = Source()
    taken = []
    for value in tm.map(calls.add, iter(source)):
        taken.append(value)
        if value == 300:
            break
    assert taken == list(range(301))
    assert source.closed.wait(5)
    until(no_thread_is_left)
    assert source.count <= 300 + UNTAKEN_FACTOR * AHEAD_MAX + 2


def test_reading_does_not_wait_for_an_iterator_and_is_not_far_ahead() -> None:
    source = Source()
    result = tm.map(calls.add, iter(source), max_workers=2)
    until(lambda: result.done > 0)
    until(source.is_at_rest, 30)
    assert source.count <= UNTAKEN_FACTOR * AHEAD_MAX + 2
    result.cancel()
    assert source.closed.wait(5)


def test_slow_calls_are_not_begun_far_ahead() -> None:
    source = Source()
    result = tm.map(calls.sleep, (30 for _ in source), max_workers=2)
    time.sleep(0.5)
    assert source.is_at_rest() and source.count <= AHEAD_FIRST + 2
    result.cancel()
    until(no_thread_is_left)


def test_a_slow_input_does_not_wait_for_the_next() -> None:
    released = threading.Event()

    def inputs() -> Iterator[int]:
        yield 1
        released.wait(20)
        yield 2

    values = iter(tm.map(calls.add, inputs()))
    assert next(values) == 1
    released.set()
    assert list(values) == [2]


def test_few_inputs_a_time_are_few_runs() -> None:
    def inputs() -> Iterator[int]:
        for number in range(100):
            time.sleep(0.005)
            yield number

    result = tm.map(calls.add, inputs())
    assert list(result) == list(range(100))
    assert 1 < len(result.runs) <= 15
    assert result.run == result.runs[0]


def test_values_before_an_error_of_the_inputs_are_given_first() -> None:
    def inputs() -> Iterator[int]:
        yield from range(100)
        raise LookupError("no more")

    given: list[Any] = []
    with pytest.raises(LookupError, match="no more"):
        given.extend(tm.map(calls.sleep, (0.01 * (n == 3) for n in inputs()), return_exceptions=True))
    # `extend` keeps what it had before the error
    assert given == [0.01 * (n == 3) for n in range(100)]
    with pytest.raises(LookupError, match="no more"):
        given.extend(tm.map(calls.add, inputs()).unordered())

    async def main() -> None:
        with pytest.raises(LookupError, match="no more"):
            await tm.map(calls.add, inputs())

    asyncio.run(main())


def test_inputs_that_begin_with_an_error_end_with_it() -> None:
    def inputs() -> Iterator[int]:
        raise LookupError("at once")
        yield 1

    result = tm.map(calls.add, inputs())
    with pytest.raises(LookupError, match="at once"):
        list(result)
    assert result.run is None and len(result) == 0


def test_what_is_no_arguments_ends_the_inputs() -> None:
    inputs: list[Any] = [(1, 1), 2, (3, 3)]
    values = iter(tm.starmap(calls.add, iter(inputs)))
    assert next(values) == 2
    with pytest.raises(TypeError, match="not iterable"):
        next(values)


def test_what_is_no_iterable_is_refused_at_once() -> None:
    with pytest.raises(TypeError):
        tm.map(calls.add, 5)  # type: ignore[call-overload]


def test_an_input_that_cannot_be_pickled_fails_its_own_call() -> None:
    inputs: list[Any] = [1, calls.Unpicklable(), 3]
    first, second, third = tm.map(calls.add, iter(inputs), return_exceptions=True)
    assert (first, third) == (1, 3)
    assert isinstance(second, TypeError) and "will not be pickled" in str(second)


def test_a_function_that_cannot_be_pickled_is_refused_at_once() -> None:
    lock = threading.Lock()
    with pytest.raises(TypeError, match="lock"):
        tm.map(lambda _: lock, iter([1]))


def test_the_number_of_inputs_is_known_at_their_end() -> None:
    released = threading.Event()

    def inputs() -> Iterator[int]:
        yield 1
        released.wait(20)

    result = tm.map(calls.add, inputs())
    with pytest.raises(TypeError, match="not known yet"):
        len(result)
    assert result
    until(lambda: result.done == 1)
    assert result.progress().total is None and result.progress().status is None
    assert "1 calls done" in repr(result) and "<progress></progress>" in result._repr_html_()
    released.set()
    until(lambda: result.progress().status == "succeeded")
    assert len(result) == 1 and "1 of 1 calls" in repr(result)


def test_a_bar_without_a_total_is_a_count(script: Script) -> None:
    inputs = "(time.sleep(0.3) or 0.0 for _ in range(6))"
    done = script(f"import time\nimport tidemill as tm\nlist(tm.map(time.sleep, {inputs}, progress='bar'))")
    assert "calls done" in done.stderr and "=]" in done.stderr and "6 of 6 calls" in done.stderr


def test_an_error_of_a_call_ends_what_is_left() -> None:
    source = Source()
    values = iter(tm.map(calls.inverse, (1 - n for n in source)))
    assert next(values) == 1
    with pytest.raises(ZeroDivisionError):
        next(values)
    until(no_thread_is_left)


def test_errors_may_be_given_as_values_of_inputs_without_an_end() -> None:
    result = tm.map(calls.inverse, (n % 3 for n in itertools.count()), return_exceptions=True)
    values = list(itertools.islice(result, 6))
    assert [type(value) for value in values] == [ZeroDivisionError, float, float] * 2
    assert result.failed >= 2


def test_values_come_as_calls_end() -> None:
    result = tm.map(calls.sleep, iter([0.7, 0.0, 0.0]), max_workers=2)
    assert list(result.unordered()) == [0.0, 0.0, 0.7]
    source = Source()
    found = set(itertools.islice(tm.map(calls.add, iter(source)).unordered(), 200))
    assert len(found) == 200
    assert source.closed.wait(5)


def test_a_lazy_result_can_be_awaited() -> None:
    async def main() -> list[int]:
        return await tm.map(calls.double, iter(range(300)))

    assert asyncio.run(main()) == [2 * n for n in range(300)]


def test_awaiting_raises_what_a_call_raised() -> None:
    async def main() -> list[float]:
        return await tm.map(calls.inverse, iter([1, 0, 2]))

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    until(no_thread_is_left)


def test_a_loop_is_given_values_and_may_leave() -> None:
    source = Source()

    async def main() -> list[int]:
        found = []
        async for value in tm.map(calls.add, iter(source)):
            found.append(value)
            if len(found) == 100:
                break
        return found

    assert len(set(asyncio.run(main()))) == 100
    assert source.closed.wait(5)


def test_a_task_that_is_cancelled_ends_what_is_left() -> None:
    source = Source(0.01)

    async def wait() -> None:
        await tm.map(calls.add, iter(source))

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wait(), 0.5)

    asyncio.run(main())
    assert source.closed.wait(5)


def test_a_loop_goes_on_while_it_waits_for_inputs() -> None:
    async def main() -> int:
        result = tm.map(calls.sleep, (0.5 for _ in range(1)))
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        assert await result == [0.5]
        ticking.cancel()
        return ticks

    assert asyncio.run(main()) > 10


def test_only_what_failed_is_made_again(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in "abc"]
    inputs = ((path, times) for path, times in zip(paths, (2, 1, 2), strict=True))
    result = tm.starmap(calls.fail_until, inputs, return_exceptions=True)
    assert [type(value) for value in result] == [ConnectionError, int, ConnectionError]
    assert result.failed == 2
    assert list(result.retry_failed()) == [2, 2]
    assert (result.done, result.failed, len(result)) == (3, 0, 3)
    assert len(result.runs) >= 2


def test_what_failed_and_was_not_taken_is_made_again_in_its_place(tmp_path: Path) -> None:
    inputs = iter([(str(tmp_path / name), times) for name, times in (("a", 1), ("b", 2), ("c", 1))])
    result = tm.starmap(calls.fail_until, inputs)
    until(lambda: result.done == 3)
    assert list(result.retry_failed()) == [1, 2, 1]


def test_an_iterator_that_waits_is_given_what_is_made_again(tmp_path: Path) -> None:
    released = threading.Event()
    paths = [str(tmp_path / name) for name in "ab"]

    def inputs() -> Iterator[tuple[str, int]]:
        yield paths[0], 2
        released.wait(20)
        yield paths[1], 1

    result = tm.starmap(calls.fail_until, inputs(), return_exceptions=True)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(result))
    thread.start()
    until(lambda: result.failed == 1)
    time.sleep(0.1)
    result.retry_failed()
    released.set()
    thread.join()
    assert isinstance(found[0], ConnectionError) and sorted(found[1:]) == [1, 2]


def test_a_lazy_result_says_what_it_cost_and_what_was_printed() -> None:
    result = tm.map(calls.say, iter(["one", "two"]))
    assert list(result) == ["one", "two"]
    assert "two" in result.log(1) and "one" not in result.log(1)
    with pytest.raises(IndexError):
        result.log(2)
    until(lambda: result.progress().status is not None)
    assert result.cost_usd >= 0


def test_cancelling_ends_reading_and_calls() -> None:
    source = Source()
    result = tm.map(calls.sleep, (30 for _ in source), return_exceptions=True)
    assert result.run
    result.cancel()
    began = time.monotonic()
    values = list(result)
    assert values and all(isinstance(value, BaseException) for value in values)
    assert time.monotonic() - began < 5
    assert result.done == result.failed == len(result) == len(values)
    until(no_thread_is_left)
    until(lambda: result.progress().status == "cancelled")


def test_cancelling_does_not_wait_for_an_input() -> None:
    released, closed = threading.Event(), threading.Event()

    def inputs() -> Iterator[int]:
        try:
            yield 1
            released.wait(20)
            yield 2
        finally:
            closed.set()

    result = tm.map(calls.add, inputs())
    values = iter(result)
    assert next(values) == 1
    result.cancel()
    assert list(values) == []
    released.set()
    assert closed.wait(5) and len(result) == 1


def test_what_was_given_is_not_held() -> None:
    alive: list[weakref.ref[Any]] = []
    result: tm.Result[Any] = tm.map(set, ([number] for number in range(200)))
    for value in result:
        alive.append(weakref.ref(value))
        del value
    gc.collect()
    assert [each for each in alive if each() is not None] == []
    feed = result._feed  # type: ignore[attr-defined]
    assert not feed._untaken and not feed._ended and not feed._unfinished and not feed._failed


def test_a_result_that_nobody_holds_goes_on(tmp_path: Path) -> None:
    count = 3 * UNTAKEN_FACTOR * AHEAD_FIRST
    path = str(tmp_path / "file")
    tm.starmap(calls.fail_until, ((path, 0) for _ in range(count)))
    until(lambda: (tmp_path / "file").exists() and (tmp_path / "file").stat().st_size >= count, 20)
    until(no_thread_is_left)


def test_threads_share_the_values() -> None:
    result = tm.map(calls.add, iter(range(1000)))
    found: list[list[int]] = [[], []]
    threads = [threading.Thread(target=lambda each=each: each.extend(result)) for each in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found[0] + found[1]) == list(range(1000))


def test_a_result_may_be_the_inputs_of_another() -> None:
    first = tm.map(calls.add, itertools.count())
    second = tm.map(calls.double, first)
    assert list(itertools.islice(second, 100)) == [2 * n for n in range(100)]
    del first, second
    until(no_thread_is_left)


def test_inputs_see_the_context_of_who_called() -> None:
    with decimal.localcontext() as context:
        context.prec = 3
        assert list(tm.map(str, (decimal.Decimal(1) / 3 for _ in range(1)))) == ["0.333"]


def test_without_the_agent_a_lazy_result_ends() -> None:
    source = Source(0.01)
    result = tm.map(calls.sleep, (30 for _ in source), max_workers=3)
    assert result.run
    result._session.kill()
    with pytest.raises(tm.RunFailed):
        list(result)
    assert source.closed.wait(5)


def test_all_runs_are_held_to_one_cost() -> None:
    result = tm.map(calls.sleep, (0.05 for _ in itertools.count()), max_cost_usd=1e-6)
    with pytest.raises(tm.CostExceeded):
        list(result)
    until(no_thread_is_left)


def test_a_generator_of_a_loop_is_closed_with_it() -> None:
    async def first(values: AsyncIterator[int]) -> int:
        return await values.__anext__()

    source = Source()
    assert asyncio.run(first(aiter(tm.map(calls.add, iter(source))))) >= 0
    assert source.closed.wait(5)


def test_of_logs_the_latest_are_kept_as_much_as_fits() -> None:
    logs = Logs()
    for index in range(4):
        logs.keep(index, "x" * (CHARACTERS_MAX // 2))
    logs.keep(2, "")
    assert [logs.find(index) is None for index in range(5)] == [True, True, False, False, True]


LEAVES = """
import itertools, sys, time
import tidemill as tm
result = tm.map({fn}, {items})
{then}
print("end")
"""


@pytest.mark.parametrize(
    ("fn", "items", "then"),
    [
        ("abs", "itertools.count()", ""),
        ("abs", "itertools.count()", "values = iter(result); next(values)"),
        ("time.sleep", "(0.5 for _ in range(4))", ""),
        ("abs", "(time.sleep(1000) for _ in range(4))", ""),
        ("abs", "itertools.count()", "del result"),
        ("abs", "itertools.count()", "sys.modules['x'] = result; next(iter(result))"),
    ],
)
def test_a_program_ends_with_a_lazy_result_unfinished(script: Script, fn: str, items: str, then: str) -> None:
    began = time.monotonic()
    done = script(LEAVES.format(fn=fn, items=items, then=then))
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)
    assert time.monotonic() - began < 15


def test_what_was_read_is_made_before_a_program_ends(script: Script, tmp_path: Path) -> None:
    path = tmp_path / "file"
    done = script(
        f"""
import time
import tidemill as tm
def write(number):
    with open({str(path)!r}, "a") as file:
        file.write("x")
def inputs():
    yield from range(5)
    time.sleep(1000)
result = tm.map(write, inputs())
while result._feed.count < 5:
    time.sleep(0.001)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == "x" * 5


def test_a_forked_process_ends(script: Script) -> None:
    done = script(
        """
import itertools, os, warnings
import tidemill as tm
warnings.simplefilter("ignore")
result = tm.map(abs, itertools.count())
values = iter(result)
next(values)
child = os.fork()
if child == 0:
    try:
        next(values)
    except tm.RunFailed as error:
        print("child:", error, flush=True)
    try:
        list(result)
    except tm.RunFailed:
        print(result.run, list(tm.map(abs, iter([-1]))), flush=True)
    raise SystemExit
print(os.waitpid(child, 0)[1], next(values))
"""
    )
    assert done.stderr == ""
    says, then, last = done.stdout.splitlines()
    assert "forked" in says and then == "None [1]" and last == "0 1"


def test_an_interrupt_ends_what_is_left(script: Script) -> None:
    done = script(
        """
import itertools, os, signal, threading, time
import tidemill as tm
closed = threading.Event()
def inputs():
    try:
        for number in itertools.count():
            yield 30
    finally:
        closed.set()
result = tm.map(time.sleep, inputs())
result.run
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    list(result)
except KeyboardInterrupt:
    print(closed.wait(5), result._feed.count > 0)
    while result.progress().status is None:
        time.sleep(0.01)
    print(result.progress().status)
"""
    )
    assert done.stdout == "True True\ncancelled\n", done.stderr
    assert "0 of" in done.stderr or "0 calls were done" in done.stderr


def test_values_that_were_given_are_not_taken_for_none() -> None:
    result = tm.map(abs, iter([1, -2]))
    assert result.to_json() == "[1, 2]"
    with pytest.raises(RuntimeError, match="were given already"):
        result.to_json()
