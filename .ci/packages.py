"""Looks at what `sam build` made: a package for each function, with a bootstrap for arm64 in it; and for those of
Python a package of packages, and a layer with their program."""

import io
import pathlib
import struct
import sys
import zipfile

FUNCTIONS = ["Api", "LargeWorker", "Planner", "Watcher", "Worker"]
# layers, their programs, and the functions that have them
LAYERS = {
    "PythonLayer": ("python", ["LargePythonWorker", "PythonWorker"]),
    "PythonSqlLayer": ("python-sql", ["PythonSqlWorker"]),
}
AARCH64 = 183  # e_machine of the ELF header
MAX_UNZIPPED = 250 * 1024 * 1024  # Lambda quotas: deployment package, with its layers


def machine(path):
    with open(path, "rb") as file:
        head = file.read(20)
    if head[:4] != b"\x7fELF":
        raise SystemExit(f"{path} is no ELF file")
    return struct.unpack_from("<H", head, 18)[0]


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def zipped(folder):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files(folder):
            archive.write(path, path.relative_to(folder))
    return len(data.getvalue())


def check_program(path):
    if not path.is_file() or not path.stat().st_mode & 0o111:
        raise SystemExit(f"{path} should be there, and executable")
    if machine(path) != AARCH64:
        raise SystemExit(f"{path} is not for arm64")


def check_size(folder, layer_bytes=0):
    size = sum(path.stat().st_size for path in files(folder))
    if size + layer_bytes > MAX_UNZIPPED:
        raise SystemExit(f"{folder} has {size} bytes, its layer {layer_bytes}: Lambda takes {MAX_UNZIPPED}")
    print(f"{folder.name:17} {size / 1e6:6.1f} MB, {zipped(folder) / 1e6:5.1f} MB zipped")
    return size


def check_layer(layer, program):
    """Its size."""
    check_program(layer / "tidemill" / program)
    if not (layer / "python/cloudpickle/__init__.py").is_file():
        raise SystemExit(f"{layer} has no cloudpickle where Python looks for it")
    return check_size(layer)


def check_packages(folder, layer_bytes):
    if not (folder / "requirements.txt").is_file():
        raise SystemExit(f"{folder.name} is not made of functions/python/packages")
    for path in folder.rglob("*.so"):
        if machine(path) != AARCH64:
            raise SystemExit(f"{path} is not for arm64")
    check_size(folder, layer_bytes)


def main():
    folder = pathlib.Path(sys.argv[1])
    for function in FUNCTIONS:
        found = [path.name for path in files(folder / function)]
        if found != ["bootstrap"]:
            raise SystemExit(f"{function} has {found}: it should have one bootstrap")
        check_program(folder / function / "bootstrap")
        check_size(folder / function)
    for layer, (program, functions) in LAYERS.items():
        layer_bytes = check_layer(folder / layer, program)
        for function in functions:
            check_packages(folder / function, layer_bytes)


if __name__ == "__main__":
    main()
