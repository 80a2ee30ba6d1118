"""Tidemill's emulator as the one that is judged: a job for each statement, many at a time."""

import collections
import contextlib
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator

from oracle.answer import Answer, Refusal
from oracle.duck import Duck

BUCKET = "tidemill"
START_SECONDS = 30
RUN_SECONDS = 60
# enough that no function waits for a job, and few enough that all of them end soon
AT_ONCE = 16


class Tidemill:
    def __init__(self, port: int, folder: pathlib.Path, reader: Duck) -> None:
        self.bucket = folder / BUCKET
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=RUN_SECONDS)
        self._reader = reader
        self._jobs = 0

    def answers(self, asked: Iterable[tuple[str, int | None]]) -> Iterator[Answer]:
        """One answer for each statement and its number of partitions, in their order."""
        waiting: collections.deque[tuple[str, float]] = collections.deque()
        for sql, partitions in asked:
            if len(waiting) == AT_ONCE:
                yield self._wait(*waiting.popleft())
            waiting.append((self._submit(sql, partitions), time.monotonic()))
        while waiting:
            yield self._wait(*waiting.popleft())

    def _submit(self, sql: str, partitions: int | None) -> str:
        self._jobs += 1
        job = f"q{self._jobs}"
        options = {"partitions": partitions} if partitions else {}
        body = json.dumps({"sql": sql, "options": options})
        self._connection.request("PUT", f"/{BUCKET}/jobs/{job}.json", body)
        response = self._connection.getresponse()
        text = response.read()
        if response.status != http.client.OK:
            raise SystemExit(f"the emulator did not take a job: {response.status} {text.decode()}")
        return job

    def _wait(self, job: str, since: float) -> Answer:
        folder = self.bucket / "results" / job
        while time.monotonic() < since + RUN_SECONDS:
            for marker in folder.glob("*/_*"):
                if marker.name in ("_SUCCESS", "_FAILED"):
                    return self._read(marker)
            time.sleep(0.003)
        return Refusal(f"no answer after {RUN_SECONDS} seconds: please report it")

    def _read(self, marker: pathlib.Path) -> Answer:
        outcome = json.loads(marker.read_text())
        if marker.name == "_FAILED":
            return Refusal(outcome["reason"])
        return self._reader.read([self.bucket / file["key"] for file in outcome["files"]])


@contextlib.contextmanager
def emulator(program: pathlib.Path, folder: pathlib.Path, reader: Duck) -> Iterator[Tidemill]:
    port = _free_port()
    with open(folder.parent / "tidemill.log", "wb") as log:
        process = subprocess.Popen(
            [program, "local", "--dir", folder, "--port", str(port)], stdout=log, stderr=log, cwd=folder.parent
        )
    try:
        _wait_until_ready(port, process)
        yield Tidemill(port, folder, reader)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("the emulator did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
