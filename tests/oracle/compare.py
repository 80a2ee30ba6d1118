"""Whether two answers are the same.

- numbers are equal by value, whatever their types; NaN is NaN, and zero has no sign;
- floats are equal to 1e-9 of the larger where the statement adds up or calls a function of the mathematical
  library, and to the last bit elsewhere;
- an exact number that a division or an average gives is compared at the digits that Tidemill's type has;
- moments are equal as instants of UTC, a date is its midnight, intervals are equal by months, days and time;
- rows are a multiset; they are a list if the statement ends with an order.
"""

import collections
import decimal
import math
import re
from collections.abc import Callable

from oracle.answer import Answer, Cell, Moment, Refusal, Row, Rows, Span, span

TOLERANCE = 1e-9

_ADDS = re.compile(
    r"\b(sum|avg|mean|stddev\w*|var\w*|corr|covar\w*|regr\w*|median|percentile\w*|quantile\w*|sqrt|exp|ln|log\w*"
    r"|pow\w*|sin|cos|tan|asin|acos|atan\w*|cbrt|degrees|radians|percent_rank|cume_dist|extract|date_part)\s*\(",
    re.I,
)
_DIVIDES = re.compile(r"/|\b(avg|var\w*|stddev\w*|median|percentile\w*|round)\s*\(", re.I)
_ORDERED = re.compile(r"\border\s+by\b[^()]*(\([^()]*\)[^()]*)*$", re.I)

SHOWN_ROWS = 6


def is_ordered(sql: str) -> bool:
    return bool(_ORDERED.search(sql))


def difference(sql: str, right: Rows, given: Answer) -> str | None:
    """What is wrong with an answer; nothing if it is the right one."""
    if isinstance(given, Refusal):
        return f"refused: {given.reason}"
    close, cuts = bool(_ADDS.search(sql)), bool(_DIVIDES.search(sql))

    def same(a: Row, b: Row) -> bool:
        return len(a) == len(b) and all(_same(x, y, close, cuts) for x, y in zip(a, b, strict=True))

    missing, surplus = _unmatched(right.rows, given.rows, same)
    if missing or surplus:
        count = f"{len(given.rows)} rows of {len(right.rows)}"
        return f"{count}\n  right: {_rows(missing)}\n  given: {_rows(surplus)}"
    if is_ordered(sql) and not all(same(a, b) for a, b in zip(right.rows, given.rows, strict=True)):
        return f"in another order\n  right: {_rows(right.rows)}\n  given: {_rows(given.rows)}"
    return None


def _unmatched(right: list[Row], given: list[Row], same: Callable[[Row, Row], bool]) -> tuple[list[Row], list[Row]]:
    rest = collections.deque(given)
    missing = []
    for row in right:
        for _ in range(len(rest)):
            candidate = rest.popleft()
            if same(row, candidate):
                break
            rest.append(candidate)
        else:
            missing.append(row)
    return missing, list(rest)


def _same(right: Cell, given: Cell, close: bool, cuts: bool) -> bool:
    match right, given:
        case (bool(), _) | (_, bool()):
            return right is given
        case float() | decimal.Decimal(), float() | decimal.Decimal():
            return _same_numbers(right, given, close, cuts)
        case Span(), str():
            return right == span(given)
        case Span(), Span():
            return right == given
        case tuple(), tuple() if type(right) is tuple:
            return len(right) == len(given) and all(_same(a, b, close, cuts) for a, b in zip(right, given, strict=True))
    return type(right) is type(given) and right == given


def _same_numbers(right: decimal.Decimal | float, given: decimal.Decimal | float, close: bool, cuts: bool) -> bool:
    if isinstance(right, decimal.Decimal) and isinstance(given, decimal.Decimal):
        return right == given or (cuts and _rounded_alike(right, given))
    a, b = float(right), float(given)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == b:
        return True
    if isinstance(right, decimal.Decimal) or isinstance(given, decimal.Decimal):
        close = close or cuts
    return close and math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-300)


def _rounded_alike(right: decimal.Decimal, given: decimal.Decimal) -> bool:
    """An exact quotient has as many digits as its type; whose has fewer decides, and neither may be cut."""
    if not right.is_finite() or not given.is_finite():
        return False
    digits = [int(n.as_tuple().exponent) for n in (right, given)]
    if max(digits) >= 0:
        return False
    context = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_UP)
    unit = decimal.Decimal(1).scaleb(max(digits))
    return right.quantize(unit, context=context) == given.quantize(unit, context=context)


def _rows(rows: list[Row]) -> str:
    shown = [" | ".join(_cell(c) for c in row) for row in rows[:SHOWN_ROWS]]
    more = len(rows) - len(shown)
    return "\n         ".join([*shown, *([f"and {more} more"] if more > 0 else [])]) or "nothing"


def _cell(value: Cell) -> str:
    match value:
        case None:
            return "NULL"
        case Moment():
            return value.text
        case tuple() if type(value) is tuple:
            return "(" + ", ".join(_cell(item) for item in value) + ")"
        case str():
            return repr(value)
    return str(value)


def show(answer: Answer) -> str:
    return f"refused: {answer.reason}" if isinstance(answer, Refusal) else _rows(answer.rows)
