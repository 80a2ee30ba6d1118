"""A decorated function that was pickled by value. This travels by value, too: a worker may be without this package."""

from collections.abc import Callable
from typing import Any


def revived(function: Callable[..., Any], declaration: dict[str, Any]) -> Callable[..., Any]:
    """Where this package is not, it is the plain function."""
    try:
        from tidemill._declared import Declaration
        from tidemill._functions import Function
    except ImportError:
        return function
    return Function(function, Declaration(**declaration))
