"""Rows as a table of HTML."""

import html
from collections.abc import Iterable, Sequence

#: characters of a value
VALUE_MAX = 200


def html_of_rows(names: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if names else ""
    return f"<div>{table}{html.escape(caption)}</div>"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if len(text) > VALUE_MAX:
        text = f"{text[:VALUE_MAX]}…"
    return f"<td>{html.escape(text)}</td>"
