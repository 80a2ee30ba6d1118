import asyncio
import concurrent.futures
import threading
import time
from pathlib import Path

import pytest

import calls
import tidemill as tm


def test_a_call_gives_its_value(executor: tm.Executor) -> None:
    assert executor.submit(pow, 2, 10).result() == 1024


def test_any_keyword_arrives(executor: tm.Executor) -> None:
    future = executor.submit(calls.keywords, 1, self=2, fn=3, timeout=4)
    assert future.result() == ((1,), {"self": 2, "fn": 3, "timeout": 4})


def test_functions_without_a_name_travel(executor: tm.Executor) -> None:
    offset = 5
    assert list(executor.map(lambda x: x + offset, range(3))) == [5, 6, 7]


def test_a_function_is_sent_as_it_is_at_the_call(executor: tm.Executor) -> None:
    state = [0]
    futures = []
    for number in range(3):
        state[0] = number
        futures.append(executor.submit(lambda: state[0]))
    assert [future.result() for future in futures] == [0, 1, 2]


def test_map_keeps_the_order_of_its_inputs(executor: tm.Executor) -> None:
    assert list(executor.map(calls.sleep, [0.2, 0.0, 0.1])) == [0.2, 0.0, 0.1]


def test_map_takes_its_inputs_at_the_call(executor: tm.Executor) -> None:
    inputs = iter([1, 2, 3])
    values = executor.map(calls.add, inputs, [10, 20, 30])
    assert list(inputs) == []
    assert list(values) == [11, 22, 33]


def test_a_buffered_map_takes_its_inputs_as_it_gives_its_results(executor: tm.Executor) -> None:
    inputs = iter(range(10))
    values = executor.map(calls.add, inputs, buffersize=4)
    assert next(inputs) == 4
    assert list(values) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("size", [0, -1])
def test_a_map_without_room_is_refused(executor: tm.Executor, size: int) -> None:
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(calls.add, [1], chunksize=size)
    with pytest.raises(ValueError, match="buffersize"):
        executor.map(calls.add, [1], buffersize=size)


def test_map_stops_at_its_timeout(executor: tm.Executor) -> None:
    values = executor.map(calls.sleep, [0.0, 5.0], timeout=1)
    assert next(values) == 0.0
    with pytest.raises(concurrent.futures.TimeoutError):
        next(values)


def test_an_unordered_map_gives_what_ends_first(executor: tm.Executor) -> None:
    assert list(executor.map_unordered(calls.sleep, [0.5, 0.0])) == [0.0, 0.5]


def test_starmap_takes_apart_what_map_leaves_whole(executor: tm.Executor) -> None:
    assert list(executor.starmap(calls.add, [(1, 2), (3, 4)])) == [3, 7]
    assert list(executor.map(calls.keywords, [(1, 2)])) == [(((1, 2),), {})]


def test_ten_thousand_calls_have_a_value_each(executor: tm.Executor) -> None:
    assert list(executor.map(calls.add, range(10_000))) == list(range(10_000))


def test_thousands_of_submits_have_a_value_each(executor: tm.Executor) -> None:
    futures = [executor.submit(calls.add, number) for number in range(3000)]
    assert [future.result() for future in futures] == list(range(3000))
    assert len({future.run for future in futures}) < 1000


def test_an_executor_that_is_shut_takes_no_calls() -> None:
    executor = tm.Executor(max_workers=1)
    future = executor.submit(calls.sleep, 0.1)
    executor.shutdown()
    executor.shutdown()
    assert future.done()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(pow, 2, 3)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(pow, [2], [3])


def test_calls_that_were_not_sent_can_be_cancelled() -> None:
    executor = tm.Executor(max_workers=1)
    futures = [executor.submit(calls.sleep, 0.1) for _ in range(50)]
    executor.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)
    assert sum(future.cancelled() for future in futures) > 20
    assert all(future.result() == 0.1 for future in futures if not future.cancelled())


def test_a_cancelled_call_wakes_who_waits_for_it(executor: tm.Executor) -> None:
    futures = [executor.submit(calls.sleep, 0.2) for _ in range(40)]
    last = futures[-1]
    assert last.cancel()
    done, _ = concurrent.futures.wait([last], timeout=0.5)
    assert done == {last}
    executor.shutdown(cancel_futures=True)


def test_calls_go_on_after_all_that_waited_were_cancelled(executor: tm.Executor) -> None:
    assert executor.submit(calls.add, 1).result() == 1
    for _ in range(20):
        assert all(future.cancel() or future.result() for future in [executor.submit(calls.add, 1)])
    assert executor.submit(calls.add, 2).result(10) == 2


def test_dropping_an_iterator_ends_what_is_left(executor: tm.Executor) -> None:
    values = executor.map(calls.sleep, [0.0, 20.0, 20.0, 20.0])
    assert next(values) == 0.0
    del values
    began = time.monotonic()
    executor.shutdown()
    assert time.monotonic() - began < 5


def test_an_executor_may_be_dropped_before_its_futures() -> None:
    future = tm.Executor(max_workers=1).submit(calls.sleep, 0.2)
    assert future.result(10) == 0.2


def test_options_stand_on_views_of_an_executor(executor: tm.Executor) -> None:
    with executor.with_options(timeout=0.3) as hasty, pytest.raises(tm.CallTimeout):
        hasty.submit(calls.sleep, 10).result()
    with pytest.raises(RuntimeError):
        hasty.submit(pow, 2, 3)
    assert executor.submit(pow, 2, 3).result() == 8


def test_an_unknown_option_is_named(executor: tm.Executor) -> None:
    with pytest.raises(TypeError, match="'tiemout' is no option"):
        executor.with_options(tiemout=3)


def test_an_initializer_runs_before_the_calls_of_a_process() -> None:
    with tm.Executor(max_workers=1, initializer=calls.start, initargs=(7,)) as executor:
        assert executor.submit(calls.what_started).result() == [7]
        assert executor.submit(calls.what_started).result() == [7]


def test_calls_are_made_again_after_named_exceptions_only(executor: tm.Executor, tmp_path: Path) -> None:
    patient = executor.with_options(retries=3, retry_on=ConnectionError)
    assert patient.submit(calls.fail_until, str(tmp_path / "a"), 3).result() == 3
    with pytest.raises(ValueError, match="not 1"):
        patient.submit(calls.refuse, 1).result()
    stubborn = executor.with_options(retries=2)
    assert stubborn.submit(calls.fail_until, str(tmp_path / "b"), 3).result() == 3
    with pytest.raises(ConnectionError):
        stubborn.submit(calls.fail_until, str(tmp_path / "c"), 9).result()


def test_a_future_knows_what_its_call_printed(executor: tm.Executor) -> None:
    future = executor.submit(calls.say, "hello")
    assert future.result() == "hello"
    assert "hello" in future.log() and "HELLO" in future.log()
    assert future.run and future.attempts == 1


def test_what_a_call_printed_is_printed_here(executor: tm.Executor, capsys: pytest.CaptureFixture[str]) -> None:
    executor.submit(calls.say, "hello").result()
    printed = capsys.readouterr()
    assert "hello" in printed.out and "HELLO" in printed.out + printed.err
    executor.with_options(echo=False).submit(calls.say, "hello").result()
    assert capsys.readouterr() == ("", "")


def test_a_future_can_be_awaited(executor: tm.Executor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        in_executor = await loop.run_in_executor(executor, calls.add, 1, 2)
        awaited = await executor.submit(calls.add, 3, 4)
        return [in_executor, awaited, *await asyncio.gather(*(executor.submit(calls.add, n) for n in range(3)))]

    assert asyncio.run(main()) == [3, 7, 0, 1, 2]


def test_a_coroutine_function_gives_what_it_returns(executor: tm.Executor) -> None:
    assert executor.submit(calls.double, 4).result() == 8


def test_callbacks_may_make_calls(executor: tm.Executor) -> None:
    ended = threading.Event()
    values = []

    def then(future: "concurrent.futures.Future[int]") -> None:
        values.append(future.result())
        executor.submit(calls.add, 40, 2).add_done_callback(finish)

    def finish(future: "concurrent.futures.Future[int]") -> None:
        values.append(future.result())
        ended.set()

    executor.submit(calls.add, 1).add_done_callback(then)
    assert ended.wait(10)
    assert values == [1, 42]


def test_many_threads_make_calls(executor: tm.Executor) -> None:
    values: list[int] = []

    def make() -> None:
        values.extend(future.result() for future in [executor.submit(calls.add, n) for n in range(100)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values) == sorted(list(range(100)) * 8)
