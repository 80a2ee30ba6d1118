"""Where the parameters of a statement are: outside of texts, quoted names and comments."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

TOKEN = re.compile(
    r"""
    (?P<quoted> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*`
              | \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? \$(?P=tag)\$ )
  | (?P<comment> --[^\n]* | /\* )
  | (?P<parameter> \? | \$\w+ )
  | (?P<word> \w[\w$\#@]* )
  | (?P<space> \s+ )
  | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
COMMENT_EDGE = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    kind: str
    text: str


def tokens(sql: str) -> Iterator[Token]:
    """The whole text, in order."""
    at = 0
    while at < len(sql):
        match = TOKEN.match(sql, at)
        assert match is not None and match.lastgroup is not None
        # the tag of a quote is a group, too
        kind = "quoted" if match.lastgroup == "tag" else match.lastgroup
        end = _comment_end(sql, match.end()) if match.group() == "/*" else match.end()
        yield Token(kind, sql[at:end])
        at = end


def _comment_end(sql: str, at: int) -> int:
    """Comments nest."""
    depth = 1
    for edge in COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)


def first_word(sql: str) -> str:
    """In upper case; opening parentheses before it do not count."""
    return next((token.text.upper() for token in tokens(sql) if token.kind == "word"), "")


def unended(sql: str) -> str:
    """Without the semicolon at its end."""
    said = list(tokens(sql))
    while said and (said[-1].kind in ("space", "comment") or said[-1].text == ";"):
        said.pop()
    return "".join(token.text for token in said)


def marks(sql: str) -> tuple[int, set[str]]:
    """How many `?` there are, and the names of those that begin with `$`."""
    found = [token.text for token in tokens(sql) if token.kind == "parameter"]
    return found.count("?"), {text[1:] for text in found if text != "?"}


def numbered(sql: str) -> str:
    """`?` becomes `$1`, `$2` …"""
    count = 0
    parts = []
    for token in tokens(sql):
        text = token.text
        if token == ("parameter", "?"):
            count += 1
            text = f"${count}"
        parts.append(text)
    return "".join(parts)


def over_rows(sql: str, frame: str) -> str | None:
    """`INSERT … VALUES (?, …)` as one statement over a table, whose columns are named as the parameters are.

    Returns: nothing where the statement has another form.
    """
    whole = [token for token in tokens(numbered(sql)) if token.kind != "comment"]
    said = [at for at, token in enumerate(whole) if token.kind != "space"]
    if said and whole[said[-1]].text == ";":
        said.pop()
    opened = _last_group(whole, said)
    if first_word(sql) != "INSERT" or opened is None:
        return None
    values, opens, closes = opened
    if any(token.kind == "parameter" for token in whole[:opens]):
        return None
    head = "".join(token.text for token in whole[:values])
    group = "".join(
        f'"{token.text[1:]}"' if token.kind == "parameter" else token.text for token in whole[opens + 1 : closes]
    )
    return f'{head}SELECT {group} FROM "{frame}"'


def _last_group(whole: Sequence[Token], said: Sequence[int]) -> tuple[int, int, int] | None:
    """Where the statement ends with `VALUES (…)`: the places of that word and of its parentheses."""
    depth = 0
    for place in range(len(said) - 1, 0, -1):
        text = whole[said[place]].text
        depth += {")": 1, "(": -1}.get(text, 0)
        if depth == 0:
            before = said[place - 1]
            is_group = text == "(" and whole[before].text.upper() == "VALUES"
            return (before, said[place], said[-1]) if is_group else None
    return None
