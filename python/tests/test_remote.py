"""Calls of a client that is not where its workers are: its modules and packages travel."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tidemill as tm
from tidemill._program import find_program


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """That of an emulator in a process of its own, whose interpreters know nothing of these tests."""
    command = [find_program(), "local", "--port", "0", "--dir", str(tmp_path / "buckets"), "--python", sys.executable]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    emulator = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/", env=environment
    )
    assert emulator.stdout is not None
    endpoint = next(line.split()[1] for line in emulator.stdout if line.split()[:1] == ["endpoint"])
    for name, value in {
        "ENDPOINT_URL": endpoint,
        "ACCESS_KEY_ID": "l",
        "SECRET_ACCESS_KEY": "l",
        "REGION": "x",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield "tidemill"
    emulator.terminate()
    emulator.wait()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Any]]:
    """Writes a module beside this process's own, and imports it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = []

    def load(name: str, text: str) -> Any:
        path = tmp_path / name.replace(".", "/") / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        names.append(name)
        return __import__(name)

    yield load
    for name in names:
        sys.modules.pop(name, None)


def test_local_modules_travel_and_are_those_of_now(
    bucket: str, load: Callable[[str, str], Any], tmp_path: Path
) -> None:
    module = load("of_this_test", "def twice(x):\n    return 2 * x\n")
    with tm.Executor(bucket) as executor:
        assert list(executor.map(module.twice, range(3))) == [0, 2, 4]
        (tmp_path / "of_this_test" / "__init__.py").write_text("def twice(x):\n    return 'edited'\n")
        assert executor.submit(module.twice, 1).result() == "edited"


def test_a_module_that_is_nowhere_fails_the_run_with_its_name(bucket: str, load: Callable[[str, str], Any]) -> None:
    module = load("left_behind", "def once(x):\n    return x\n")
    why = r"no module left_behind.*requirements\.txt"
    with tm.Executor(bucket, env=tm.Env(modules=False)) as executor, pytest.raises(tm.RunFailed, match=why):
        executor.submit(module.once, 1).result()


@pytest.mark.skipif(shutil.which("uv", path=os.path.dirname(sys.executable)) is None, reason="uv is not installed")
def test_packages_travel(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wheel = tmp_path / "packed-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("packed/__init__.py", "answer = 42\n")
        file.writestr("packed-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: packed\nVersion: 1.0\n")
        file.writestr("packed-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("packed-1.0.dist-info/RECORD", "")

    def answer() -> object:
        import packed  # type: ignore[import-not-found]

        return packed.answer

    platform = f"{os.uname().machine}-manylinux_2_28"
    with tm.Executor(bucket, env=tm.Env([str(wheel)], platform=platform)) as executor:
        assert executor.submit(answer).result() == 42
    with tm.Executor(bucket) as executor, pytest.raises(ModuleNotFoundError, match="packed"):
        executor.submit(answer).result()


def test_packages_that_do_not_exist_fail_before_anything_is_uploaded(bucket: str) -> None:
    env = tm.Env(["/nowhere/none-1.0-py3-none-any.whl"])
    with tm.Executor(bucket, env=env) as executor, pytest.raises(tm.EnvironmentMismatch):
        executor.submit(pow, 2, 2).result()
