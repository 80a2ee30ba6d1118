"""Looks at what `sam build` made: a package for each function, with a bootstrap for arm64 in it."""

import io
import pathlib
import struct
import sys
import zipfile

FUNCTIONS = ["Api", "LargeWorker", "Planner", "Watcher", "Worker"]
AARCH64 = 183  # e_machine of the ELF header
MAX_UNZIPPED = 250 * 1024 * 1024  # Lambda quotas: deployment package


def machine(path):
    with open(path, "rb") as file:
        head = file.read(20)
    if head[:4] != b"\x7fELF":
        raise SystemExit(f"{path} is no ELF file")
    return struct.unpack_from("<H", head, 18)[0]


def zipped(path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "bootstrap")
    return len(data.getvalue())


def main():
    folder = pathlib.Path(sys.argv[1])
    for function in FUNCTIONS:
        files = sorted(p.name for p in (folder / function).iterdir())
        bootstrap = folder / function / "bootstrap"
        size = bootstrap.stat().st_size
        if files != ["bootstrap"] or not bootstrap.stat().st_mode & 0o111:
            raise SystemExit(f"{function} has {files}: it should have one executable bootstrap")
        if machine(bootstrap) != AARCH64:
            raise SystemExit(f"{bootstrap} is not for arm64")
        if size > MAX_UNZIPPED:
            raise SystemExit(f"{bootstrap} has {size} bytes: Lambda takes {MAX_UNZIPPED}")
        print(f"{function:12} {size / 1e6:6.1f} MB, {zipped(bootstrap) / 1e6:5.1f} MB zipped")


if __name__ == "__main__":
    main()
