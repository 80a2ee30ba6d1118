"""Local modules and packages, as they travel to workers that do not have them."""

import functools
import gzip
import hashlib
import io
import os
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

#: what is larger is data, and belongs into the bucket
MODULES_BYTES_MAX = 50 << 20

#: cloudpickle is shipped with every worker, and this package by itself where it is needed
OWN = ("tidemill", "cloudpickle")


class Archive:
    """A tar of files, zipped; workers unpack it once, and find modules in it."""

    def __init__(self, data: bytes) -> None:
        self.parts = [data]
        self.size = len(data)
        self.name = hashlib.sha256(data).hexdigest()


def archive(files: dict[str, Path]) -> Archive:
    """The same bytes for the same files, whenever and by whomever they are packed."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return Archive(packed.getvalue())


@functools.cache
def own_package() -> Archive:
    """This package, for workers that do not have it."""
    folder = Path(__file__).parent
    return archive({f"{folder.name}/{path.name}": path for path in folder.glob("*.py")})


def local_modules() -> dict[str, Path]:
    """The files of all modules that are loaded and not installed, by the names that they are found by."""
    files: dict[str, Path] = {}
    for name, module in list(sys.modules.items()):
        if "." not in name and name != "__main__" and name not in OWN and isinstance(module, ModuleType):
            files.update(_files(name, module))
    size = sum(path.stat().st_size for path in files.values())
    if size > MODULES_BYTES_MAX:
        largest = max(files, key=lambda name: files[name].stat().st_size)
        raise ValueError(
            f"the local modules that are loaded have {size >> 20} MiB, the largest file is {largest}: "
            f"at most {MODULES_BYTES_MAX >> 20} MiB travel with calls, put data into the bucket"
        )
    return files


def _files(name: str, module: ModuleType) -> Iterator[tuple[str, Path]]:
    if paths := list(getattr(module, "__path__", ())):
        for root in map(Path, paths):
            if root.is_dir() and not _is_installed(root):
                for path in root.rglob("*"):
                    within = path.relative_to(root)
                    if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in within.parts):
                        yield str(Path(name) / within), path
        return
    file = getattr(module, "__file__", None)
    if file and file.endswith(".py") and os.path.isfile(file) and not _is_installed(Path(file)):
        yield f"{name}.py", Path(file)


def _is_installed(path: Path) -> bool:
    path = path.resolve()
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    known = sysconfig.get_paths()
    return any(path.is_relative_to(Path(known[kind]).resolve()) for kind in ("stdlib", "platstdlib"))
