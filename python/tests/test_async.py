"""Coroutine functions, and futures that are awaited."""

import asyncio
import os
import time

import pytest

import tidemill as tm


async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def odd(number: int) -> int:
    if number == 3:
        raise ValueError(number)
    if number == 5:
        await asyncio.sleep(60)
    if number == 7:
        os._exit(4)
    await asyncio.sleep(0.01)
    return number


def test_many_run_at_once_in_a_process() -> None:
    with tm.Executor(max_workers=1, concurrency=50) as executor:
        executor.submit(nap, 0.0).result()
        since = time.monotonic()
        assert list(executor.map(nap, [0.5] * 50)) == [0.5] * 50
        assert time.monotonic() - since < 5


def test_each_has_its_own_end() -> None:
    with tm.Executor(max_workers=1, concurrency=10, timeout=2) as executor:
        futures = list(tm.map(odd, range(12), max_workers=1, concurrency=10, timeout=2, return_exceptions=True))
        kinds: list[object] = [type(each) for each in futures]
        assert kinds[3] is ValueError
        assert kinds[5] is tm.CallTimeout
        assert kinds[7] is tm.TaskKilled
        assert [each for each in futures if isinstance(each, int)] == [0, 1, 2, 4, 6, 8, 9, 10, 11]
        assert executor.submit(odd, 1).result() == 1


def test_futures_are_awaited_and_executors_serve_a_loop() -> None:
    async def program() -> tuple[list[float], int, set[float]]:
        with tm.Executor(max_workers=2) as executor:
            slept = await asyncio.gather(*(executor.submit(nap, n / 100) for n in range(3)))
            power = await asyncio.get_running_loop().run_in_executor(executor, pow, 2, 5)
            seen = {value async for value in tm.map(nap, [0.0, 0.01])}
            return slept, power, seen

    assert asyncio.run(program()) == ([0.0, 0.01, 0.02], 32, {0.0, 0.01})


def test_who_blocks_the_loop_is_named() -> None:
    async def block() -> None:
        time.sleep(2.5)

    with tm.Executor(max_workers=1, concurrency=2, echo=False) as executor:
        future = executor.submit(block)
        assert future.result() is None
        assert "block (" in future.log()
        assert "event loop" in future.log()


def test_a_coroutine_function_runs_without_being_asked_for_more_than_one_at_once() -> None:
    with tm.Executor(max_workers=1) as executor:
        assert executor.submit(nap, 0.0).result() == 0.0
        with pytest.raises(ValueError):
            executor.submit(odd, 3).result()
