"""What a statement would take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

#: the least and the most
Bounds: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """Bounds, as a plan does not tell how many rows a filter leaves."""

    cost_usd: Bounds
    seconds: Bounds
    tasks: Bounds
    #: of tables
    read_bytes: Bounds
    #: all that was said
    details: Mapping[str, Any]

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> "Estimate":
        read = details.get("read_bytes", details.get("table_bytes"))
        return cls(
            _bounds(details.get("cost_usd")),
            _bounds(details.get("seconds")),
            _bounds(details.get("tasks")),
            _bounds(read),
            details,
        )


def _bounds(said: Any) -> Bounds:
    match said:
        case [low, high] | {"low": low, "high": high}:
            return low, high
        case None:
            return 0, 0
        case _:
            return said, said
