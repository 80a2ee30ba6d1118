"""Values as messages show them."""

from typing import Any

ROW_CHARACTERS_MAX = 1000
VALUE_CHARACTERS_MAX = 200


def said(value: object, characters: int = VALUE_CHARACTERS_MAX) -> str:
    if isinstance(value, (str, bytes)):
        value = value[: characters + 1]
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__qualname__}"
    return cut(" ".join(text.split("\n")), characters)


def cut(text: str, characters: int = ROW_CHARACTERS_MAX) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= characters else text[: characters - 1] + "…"


def said_row(names: list[str], columns: list[Any], row: int) -> str:
    """Of columns of Arrow."""
    return ", ".join(f"{name}={said_value(column[row])}" for name, column in zip(names, columns, strict=True))


def said_value(scalar: Any) -> str:
    try:
        value = scalar.as_py()
    except Exception:
        # with nanoseconds, which Python has not
        return str(scalar)
    return "NULL" if value is None else said(value, ROW_CHARACTERS_MAX)


def counted(count: int, of: str) -> str:
    return f"{count} {of}{'' if count == 1 else 's'}"
