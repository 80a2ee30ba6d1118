"""The HTTP API of the emulator beside FastAPI, and lists of many runs.

    python python/benches/http_api.py target/release/tidemill

FastAPI is the peer where it is installed (`pip install fastapi uvicorn`): a POST that only validates its body and
answers, on one process. Tidemill's POST passes the emulator's gateway and the function's process, validates the job
and writes it to the bucket. Runs are started for the first two figures only: for the third the planner's queue would
be measured.
"""

import http.client
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPEATS = 50
CONNECTIONS = 8
SECONDS = 5.0
RUNS = 100_000

FASTAPI = """
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    partitions: int | None = None

class Job(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sql: str
    options: Options = Options()

app = FastAPI()

@app.post("/runs", status_code=201)
async def submit(job: Job) -> dict[str, str]:
    return {"run": "query-20260102T030405678Z-1f0a9c33aa00", "state": "queued"}
"""


class Asked:
    """A connection that requests are sent on."""

    def __init__(self, port: int, prefix: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.prefix = prefix

    def post(self, path: str, body: object, **headers: str) -> tuple[int, bytes]:
        sent = {"content-type": "application/json", **headers}
        self.connection.request("POST", self.prefix + path, json.dumps(body), sent)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def milliseconds(act: Callable[[], object], pause: float = 0.0) -> str:
    """Median, and the least and the most."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        times.append(1e3 * (time.perf_counter() - began))
        time.sleep(pause)
    return f"{statistics.median(times):6.1f} ms ({min(times):.1f} to {max(times):.1f})"


def per_second(port: int, prefix: str, body: object, expected: int) -> float:
    """Requests that are answered, on several connections."""
    until = time.perf_counter() + SECONDS
    counts: list[int] = []

    def ask() -> None:
        asked, count = Asked(port, prefix), 0
        while time.perf_counter() < until:
            status, answer = asked.post("/runs", body)
            if status != expected:
                raise SystemExit(f"{status}: {answer!r}")
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


@contextmanager
def started(command: list[str], mark: str) -> Iterator[None]:
    """A server that is ready once it has said so."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                if mark in line:
                    break
            drain = threading.Thread(target=process.stdout.read, daemon=True)
            drain.start()
            yield
        finally:
            process.terminate()


def of_tidemill(program: str, folder: str) -> None:
    port = 47310
    command = [program, "local", "--dir", folder, "--port", str(port), "--console-port", str(port + 1)]
    with started(command, "no local effect"):
        asked = Asked(port, "/_api")
        job = {"sql": "SELECT 1 AS one"}
        for _ in range(5):
            asked.post("/runs", job, prefer="wait=20")

        # with a pause, else the run of the one before is measured, too
        print(f"POST /runs                        {milliseconds(lambda: asked.post('/runs', job), pause=0.1)}")
        print(f"POST /runs, Prefer: wait          {milliseconds(lambda: asked.post('/runs', job, prefer='wait=20'))}")
        refused = {"sql": "SELECT 1", "options": {"speed": 9}}
        print(f"POST /runs that is refused        {per_second(port, '/_api', refused, 422):6.0f} requests/s")


def of_fastapi(folder: str) -> None:
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        print("FastAPI is not installed: pip install fastapi uvicorn")
        return
    Path(folder, "app.py").write_text(FASTAPI)
    port = 47320
    command = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", folder, "--port", str(port), "--no-access-log"]
    with started(command, "Uvicorn running"):
        refused = {"sql": "SELECT 1", "options": {"speed": 9}}
        print(f"FastAPI, POST that is refused     {per_second(port, '', refused, 422):6.0f} requests/s")
        print(f"FastAPI, POST that is validated   {per_second(port, '', {'sql': 'SELECT 1'}, 201):6.0f} requests/s")


def of_many_runs(program: str, folder: str) -> None:
    bucket = Path(folder, "tidemill")
    recent = bucket / "recent"
    recent.mkdir(parents=True)
    for number in range(RUNS):
        run = f"query-20260102T030405678Z-{number:012x}"
        (recent / f"{9_000_000_000_000 + number:013}-{run}").touch()
        if number < 60:
            outcome = {
                "version": "1", "run": run, "job": "query", "status": "succeeded", "files": [], "rows": 1, "bytes": 1,
                "seconds": 0.1, "tasks": 1, "stages": [], "ended": "2026-01-02T03:04:05Z",
            }  # fmt: skip
            (bucket / "runs" / run).mkdir(parents=True)
            (bucket / "runs" / run / "outcome.json").write_text(json.dumps(outcome))
    port = 47330
    command = [program, "local", "--dir", folder, "--port", str(port), "--console-port", str(port + 1)]
    with started(command, "no local effect"):
        environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}

        def listed() -> None:
            out = subprocess.run([program, "ls"], env=environment, capture_output=True, check=True)
            assert out.stdout.count(b"succeeded") == 50

        print(f"tidemill ls, {RUNS:,} past runs     {milliseconds(listed)}")


def main() -> None:
    program = str(Path(sys.argv[1]).resolve())
    for bench in (lambda f: of_tidemill(program, f), of_fastapi, lambda f: of_many_runs(program, f)):
        folder = tempfile.mkdtemp()
        try:
            bench(folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
