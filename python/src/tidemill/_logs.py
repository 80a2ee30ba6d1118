"""What calls have printed: of the latest, and as much as fits."""

from collections import OrderedDict

LOGS_MAX = 100_000
CHARACTERS_MAX = 16 * 1024 * 1024


class Logs:
    def __init__(self) -> None:
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._characters = 0

    def keep(self, index: int, text: str) -> None:
        self._characters += len(text) - len(self._texts.pop(index, ""))
        self._texts[index] = text
        while len(self._texts) > LOGS_MAX or self._characters > CHARACTERS_MAX:
            _, oldest = self._texts.popitem(last=False)
            self._characters -= len(oldest)

    def find(self, index: int) -> str | None:
        return self._texts.get(index)

    def clear(self) -> None:
        self._texts.clear()
        self._characters = 0
