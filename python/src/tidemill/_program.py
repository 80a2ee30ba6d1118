"""Where the program `tidemill` is."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from tidemill._errors import RunFailed

NAME = "tidemill"


def find_program() -> str:
    """$TIDEMILL_PROGRAM, else the one of this environment, else the one on PATH."""
    if named := os.environ.get("TIDEMILL_PROGRAM"):
        if _runs(Path(named)):
            return named
        raise RunFailed(f"$TIDEMILL_PROGRAM is {named}, which is no program")
    places = list(dict.fromkeys(_places()))
    for place in places:
        if _runs(place):
            return str(place)
    if found := shutil.which(NAME):
        return found
    looked = ", ".join(map(str, places))
    raise RunFailed(
        f"the program {NAME} is not there: looked for {looked}, and on PATH; "
        "install the package again, or name the program in $TIDEMILL_PROGRAM"
    )


def _places() -> list[Path]:
    folders = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    user = sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))
    return [folder / NAME for folder in [*folders, Path(user)]]


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
