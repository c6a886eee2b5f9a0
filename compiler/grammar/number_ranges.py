"""Bounds of numbers, and the shortest end that makes an allowed number of a beginning.

Numbers are those of the generated layout: at most 15 digits, or 9 before the point and 6 behind it, without a nought
that says nothing. Each such text stands for a decimal that a float tells from its neighbours, so bounds are compared
exactly. Steps are compared as the check does it, in floats, as ``0.07`` is no multiple of ``0.01`` there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, gcd, lcm
from typing import NamedTuple

INTEGER_DIGITS, SHORT_DIGITS, FRACTION_DIGITS = 15, 9, 6
"""The digits of a whole number, and those before and behind the point of any other."""

_TRIED = 200
"""Multiples that are tried in one row, where floats may disagree about what a multiple is."""


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers between bounds.

    Attributes:
        low: the least, None where there is none; ``above`` where it is itself too small.
        high: the greatest, None where there is none; ``below`` where it is itself too great.
        whole: whether they are integers.
        steps: numbers of which they are multiples.
    """

    low: Fraction | None = None
    high: Fraction | None = None
    above: bool = False
    below: bool = False
    whole: bool = False
    steps: tuple[int | float, ...] = ()

    def __and__(self, other: NumberRange) -> NumberRange:
        low, above = self.low, self.above
        if other.low is not None and (low is None or (other.low, other.above) > (low, above)):
            low, above = other.low, other.above
        high, below = self.high, self.below
        if other.high is not None and (high is None or (-other.high, other.below) > (-high, below)):
            high, below = other.high, other.below
        steps = tuple(dict.fromkeys((*self.steps, *other.steps)))
        return NumberRange(low, high, above, below, self.whole or other.whole, steps)

    @property
    def is_free(self) -> bool:
        """Whether every number is within, or every integer."""
        return self.low is None and self.high is None and not self.steps

    def holds(self, value: int | float) -> bool:
        """Whether a number is within, as the check sees it."""
        exact = exactly(value)
        if self.low is not None and (exact < self.low or (self.above and exact == self.low)):
            return False
        if self.high is not None and (exact > self.high or (self.below and exact == self.high)):
            return False
        return (not self.whole or exact.denominator == 1) and all(_is_multiple(value, step) for step in self.steps)

    @property
    def is_empty(self) -> bool:
        """Whether no number of the generated layout is within."""
        return number_end("", (self,)) is None


def exactly(value: int | float) -> Fraction:
    """The decimal that a number is written as.

    Raises:
        ValueError: it is not finite.
    """
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def _is_multiple(value: int | float, step: int | float) -> bool:
    """The arithmetic of the validator that the check uses."""
    if not isinstance(step, float):
        return not value % step
    quotient = value / step
    try:
        return int(quotient) == quotient
    except (OverflowError, ValueError):
        return False


def allows(text: str, ranges: tuple[NumberRange, ...]) -> bool:
    """Whether a text is a number of the layout within one of some ranges."""
    return number_end(text, ranges) == ""


@lru_cache(maxsize=65_536)
def number_end(typed: str, ranges: tuple[NumberRange, ...]) -> str | None:
    """The shortest text that makes a number within one of some ranges of a beginning; None where there is none."""
    left = [one for one in ranges if not _is_past(typed, one)]
    rows = sorted(_rows(typed), key=lambda row: row.more) if left else []
    for row in rows:
        for one in left:
            if (row.point or typed.count(".")) and one.whole:
                continue
            if (text := _first(row, one)) is not None:
                return text[len(typed) :]
    return None


def _is_past(typed: str, within: NumberRange) -> bool:
    """Whether a beginning is of the wrong sign or too great already, which most are and which is cheap to see."""
    sign, edge = (-1, within.low) if typed.startswith("-") else (1, within.high)
    whole = typed.removeprefix("-").partition(".")[0]
    return (
        bool(typed)
        and edge is not None
        and whole.isascii()
        and (not whole or whole.isdigit())
        and int(whole or 0) > edge * sign
    )


class _Row(NamedTuple):
    """The numbers that a beginning becomes with so many more characters: sign × N / 10^places, low ≤ N ≤ high.

    `ends` says which last digits there may be: all ("any"), none but 0 ("0"), all but 0 ("1").
    """

    more: int
    sign: int
    digits: int
    places: int
    low: int
    high: int
    ends: str

    @property
    def point(self) -> bool:
        return self.places > 0


def _rows(typed: str) -> Iterator[_Row]:
    signs = (1, -1) if not typed else (-1,) if typed.startswith("-") else (1,)
    whole, point, fraction = typed.removeprefix("-").partition(".")
    if any(not (part.isascii() and part.isdigit()) for part in (whole, fraction) if part):
        return
    if (point and not whole) or (len(whole) > 1 and whole[0] == "0"):
        return
    for sign in signs:
        before = len(typed)
        for digits, low, high in _wholes(whole, closed=bool(point)):
            shown = (sign < 0) + digits
            if not point:
                yield _Row(shown - before, sign, digits, 0, low, high, "any")
            yield from _fractions(_Row(shown + 1 - before, sign, digits, 0, low, high, ""), fraction)


def _wholes(whole: str, *, closed: bool) -> Iterator[tuple[int, int, int]]:
    """How many digits may stand before the point, and between which numbers they are."""
    if not whole:
        yield 1, 0, 9
    elif len(whole) <= INTEGER_DIGITS:
        yield len(whole), int(whole), int(whole)
    if closed or whole == "0":
        return
    for digits in range(max(len(whole), 1) + 1, INTEGER_DIGITS + 1):
        scale = 10 ** (digits - len(whole))
        low = int(whole) * scale if whole else 10 ** (digits - 1)
        yield digits, low, (int(whole) + 1) * scale - 1 if whole else 10**digits - 1


def _fractions(row: _Row, fraction: str) -> Iterator[_Row]:
    """The rows with a point; ``row`` counts it, and no places."""
    for places in range(max(len(fraction), 1), FRACTION_DIGITS + 1):
        scale = 10**places
        low, high = row.low * scale, row.high * scale + scale - 1
        if fraction:
            given = int(fraction) * 10 ** (places - len(fraction))
            if row.low == row.high:
                low = row.low * scale + given
                high = low + 10 ** (places - len(fraction)) - 1
        longer = row._replace(more=row.more + places, places=places, low=low, high=high)
        if row.digits <= SHORT_DIGITS:
            yield longer._replace(ends="any" if places == 1 else "1")
        elif places == 1:
            yield longer._replace(ends="0")


def _first(row: _Row, within: NumberRange) -> str | None:
    """The number of a row with the least N that is within a range, as text."""
    scale = 10**row.places
    low, high = row.low, row.high
    least, most = (within.low, within.high) if row.sign > 0 else (within.high, within.low)
    above, below = (within.above, within.below) if row.sign > 0 else (within.below, within.above)
    if least is not None:
        edge = least * row.sign * scale
        low = max(low, floor(edge) + 1 if above else ceil(edge))
    if most is not None:
        edge = most * row.sign * scale
        high = min(high, ceil(edge) - 1 if below else floor(edge))
    if row.sign < 0:
        low = max(low, 1)  # there is no -0
    step = _step(within.steps, scale)
    if row.ends == "0":
        step = lcm(step, 10)
    if row.ends == "1" and step % 10 == 0:
        return None
    at = -(-low // step) * step
    for number in range(at, min(high, at + step * _TRIED) + 1, step):
        if row.ends == "1" and number % 10 == 0:
            continue
        text = _written(row, number)
        if all(_is_multiple(float(text) if row.places else int(text), one) for one in within.steps):
            return text
    return None


def _step(steps: tuple[int | float, ...], scale: int) -> int:
    """Which N/scale can be multiples of all steps: those whose N is a multiple of this."""
    found = 1
    for step in steps:
        exact = exactly(step)
        size = exact.numerator * scale
        found = lcm(found, size // gcd(exact.denominator, size))
    return found


def _written(row: _Row, number: int) -> str:
    digits = str(number).zfill(row.digits + row.places)
    sign = "-" if row.sign < 0 else ""
    return f"{sign}{digits[: row.digits]}.{digits[row.digits :]}" if row.places else f"{sign}{digits}"
