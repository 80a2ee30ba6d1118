"""Lines of source in a traceback from elsewhere: a worker has no notebook, and not every file."""

import linecache
import re
from collections.abc import Iterator
from itertools import pairwise

FRAME = re.compile(r'(?P<indent> +)File "(?P<file>.+)", line (?P<line>\d+), in .')


def with_source(traceback: str) -> str:
    """Adds the lines that this process knows, and the worker did not."""
    return "\n".join(_lines(traceback))


def _lines(traceback: str) -> Iterator[str]:
    for line, after in pairwise([*traceback.split("\n"), ""]):
        yield line
        if (frame := FRAME.match(line)) is None or after.startswith(frame["indent"] + " "):
            continue
        if source := linecache.getline(frame["file"], int(frame["line"])).strip():
            yield f"{frame['indent']}  {source}"
