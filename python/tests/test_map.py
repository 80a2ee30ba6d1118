import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import calls
import tidemill as tm


def test_a_result_gives_the_values_in_order_as_often_as_asked() -> None:
    result = tm.map(calls.sleep, [0.2, 0.0, 0.1])
    assert list(result) == list(result) == [0.2, 0.0, 0.1]
    assert (len(result), result.done, result.failed) == (3, 3, 0)


def test_a_result_gives_values_as_they_come() -> None:
    assert list(tm.map(calls.sleep, [0.5, 0.0], max_workers=2).unordered()) == [0.0, 0.5]


@pytest.mark.parametrize(("done", "says"), [(1, "running"), (2, "done")])
def test_what_is_shown_says_that_calls_are_done_before_the_run_has_ended(done: int, says: str) -> None:
    assert f"</code> {says}<br>" in tm.Progress("r", 2, done, 0, None, 0.0, 1.0).html()


def test_a_result_of_nothing_is_empty() -> None:
    result = tm.map(calls.add, [])
    assert list(result) == [] and len(result) == 0
    assert result.run is None and result.done == 0


def test_map_leaves_items_whole_and_starmap_takes_them_apart() -> None:
    assert list(tm.map(calls.keywords, [(1, 2)])) == [(((1, 2),), {})]
    assert list(tm.starmap(calls.add, [(1, 2), [3, 4]])) == [3, 7]


def test_an_error_is_raised_where_its_value_would_be() -> None:
    values = iter(tm.map(calls.inverse, [1, 0, 2]))
    assert next(values) == 1
    with pytest.raises(ZeroDivisionError):
        next(values)


def test_errors_may_be_given_as_values() -> None:
    first, second, third = tm.map(calls.inverse, [1, 0, 2], return_exceptions=True)
    assert (first, third) == (1, 0.5) and isinstance(second, ZeroDivisionError)


def test_only_what_failed_is_made_again(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in "ab"]
    result = tm.starmap(calls.fail_until, [(paths[0], 1), (paths[1], 2)], return_exceptions=True)
    assert [type(value) for value in result] == [int, ConnectionError]
    assert result.failed == 1
    assert list(result.retry_failed()) == [1, 2]
    assert (result.done, result.failed) == (2, 0)
    assert len(result.runs) == 2 and result.runs[0] == result.run


def test_a_result_says_what_it_cost_and_what_was_printed() -> None:
    result = tm.map(calls.say, ["one", "two"])
    assert list(result) == ["one", "two"]
    assert "two" in result.log(1) and "one" not in result.log(1)
    while result.progress().status is None:
        time.sleep(0.01)
    assert result.cost_usd >= 0
    assert "<progress" in result._repr_html_() and "2 of 2 calls" in repr(result)


def test_a_result_can_be_awaited() -> None:
    async def main() -> list[int]:
        return await tm.map(calls.add, range(5))

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]


def test_a_result_gives_values_to_a_loop_as_they_come() -> None:
    async def main() -> list[float]:
        return [value async for value in tm.map(calls.sleep, [0.5, 0.0], max_workers=2)]

    assert asyncio.run(main()) == [0.0, 0.5]


def test_a_cancelled_result_ends() -> None:
    result = tm.map(calls.sleep, [30, 30, 30], return_exceptions=True)
    assert result.run
    result.cancel()
    began = time.monotonic()
    assert all(isinstance(value, BaseException) for value in result)
    assert time.monotonic() - began < 5
    assert result.done == 3


def test_options_of_calls_are_options_of_map() -> None:
    (error,) = tm.map(calls.sleep, [30], timeout=0.3, return_exceptions=True)
    assert isinstance(error, tm.CallTimeout)
    with pytest.raises(TypeError, match="'tiemout' is no option"):
        tm.map(calls.sleep, [1], tiemout=1)


def test_a_run_is_attached_to_by_its_name() -> None:
    result = tm.map(calls.inverse, [1, 0, 2], return_exceptions=True)
    list(result)
    assert result.run
    again = tm.attach(result.run, return_exceptions=True)
    assert [repr(value) for value in again] == [repr(value) for value in result]
    assert again.run == result.run
    with pytest.raises(RuntimeError, match="arguments"):
        again.retry_failed()


def test_a_run_that_is_not_there_cannot_be_attached_to() -> None:
    with pytest.raises(tm.RunFailed):
        tm.attach("calls-nowhere")


def test_another_process_attaches_to_a_run(
    script: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    folder = str(tmp_path / "bucket")
    first = script("import tidemill as tm\nr = tm.map(abs, [-1, -2])\nlist(r)\nprint(r.run)", TIDEMILL_FOLDER=folder)
    name = first.stdout.strip()
    assert name, first.stderr
    then = script(f"import tidemill as tm\nprint(list(tm.attach({name!r})))", TIDEMILL_FOLDER=folder)
    assert then.stdout == "[1, 2]\n", then.stderr


def test_a_piped_program_prints_nothing_of_its_own(script: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    done = script("import time\nimport tidemill as tm\nlist(tm.map(time.sleep, [0.4] * 4))")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_log_has_a_line(script: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    done = script(
        "import logging\nimport tidemill as tm\nlogging.basicConfig(level='INFO')\nlist(tm.map(abs, range(7)))"
    )
    # where calls are slow there is one before
    assert 1 <= done.stderr.count("\n") <= 2 and done.stderr.count("7 of 7 calls") == 1


def test_a_bar_is_shown_where_asked_for(script: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    done = script("import time\nimport tidemill as tm\nlist(tm.map(time.sleep, [0.4] * 6, progress='bar'))")
    assert "6 of 6 calls" in done.stderr and "=]" in done.stderr
