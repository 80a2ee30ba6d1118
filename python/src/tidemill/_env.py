"""Packages that calls need and a deployment does not have."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tidemill._archive import Archive, archive
from tidemill._errors import EnvironmentMismatch

#: what the template's functions run on
DEPLOYED_PLATFORM = "aarch64-manylinux_2_28"

#: seconds that resolving and fetching may take
RESOLVE_SECONDS_MAX = 900


class Env:
    """Packages for calls, resolved once by this client and unpacked once by each worker.

    Args:
        requirements: lines as in requirements.txt, or the path of such a file.
        modules: whether local modules that are loaded travel, too; they do by default.
        platform: of the workers, as uv names it; by default that of the template, and on this machine its own.
    """

    def __init__(
        self,
        requirements: str | os.PathLike[str] | Iterable[str] = (),
        *,
        modules: bool = True,
        platform: str | None = None,
    ) -> None:
        if isinstance(requirements, (str, os.PathLike)):
            requirements = Path(requirements).read_text().splitlines()
        lines = (line.strip() for line in requirements)
        self.requirements = tuple(line for line in lines if line and not line.startswith("#"))
        self.modules = modules
        self.platform = platform

    def packages(self, is_local: bool) -> Archive | None:
        """The packages as they travel: from the cache, if they have been resolved before."""
        if not self.requirements:
            return None
        platform = self.platform or (None if is_local else DEPLOYED_PLATFORM)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        key = "\n".join([version, platform or sys.platform, *sorted(self.requirements)])
        cached = _cache() / f"{hashlib.sha256(key.encode()).hexdigest()}.tar.gz"
        if not cached.exists():
            data = self._resolve(platform, version).parts[0]
            cached.parent.mkdir(parents=True, exist_ok=True)
            partial = cached.with_suffix(f".{os.getpid()}")
            partial.write_bytes(data)
            partial.rename(cached)
        return Archive(cached.read_bytes())

    def _resolve(self, platform: str | None, version: str) -> Archive:
        uv = shutil.which("uv", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]))
        if uv is None:
            raise EnvironmentMismatch("packages are resolved by uv, which is not here: pip install uv")
        with tempfile.TemporaryDirectory(prefix="tidemill-env-") as folder:
            command = [uv, "pip", "install", "--quiet", "--target", folder, "--only-binary", ":all:"]
            command += ["--python-version", version] if platform else ["--python", sys.executable]
            command += ["--python-platform", platform] if platform else []
            done = subprocess.run(
                [*command, *self.requirements], capture_output=True, text=True, timeout=RESOLVE_SECONDS_MAX, check=False
            )
            if done.returncode != 0:
                wanted = ", ".join(self.requirements)
                raise EnvironmentMismatch(
                    f"{wanted} cannot be resolved for {platform or 'this machine'}: {done.stderr}"
                )
            root = Path(folder)
            files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
            return archive({str(path.relative_to(root)): path for path in files})


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "tidemill" / "env"
