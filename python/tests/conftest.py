"""The tests run against the program that $TIDEMILL_PROGRAM names, or that of this environment."""

import faulthandler
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tidemill as tm

SECONDS_MAX = 60
SOURCE = Path(__file__).parent.parent / "src"


@pytest.fixture(autouse=True)
def no_test_hangs() -> Iterator[None]:
    faulthandler.dump_traceback_later(SECONDS_MAX, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def executor() -> Iterator[tm.Executor]:
    with tm.Executor(max_workers=2) as executor:
        yield executor


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a program of its own, which must end."""

    def run(text: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        path = tmp_path / "script.py"
        path.write_text(text)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), **variables}
        return subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, timeout=30, env=environment, check=False
        )

    return run
