"""Which numbers a request can have cost. Engines pass on what servers claim, and a server may claim anything."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

from agentic_dsl.runtime.engines.base import Stats

MOST = 1 << 53
"""The largest number that is believed: above it floats, which metrics are summed in, miss whole numbers."""

_Number = TypeVar("_Number", int, float)


def is_possible(number: float) -> bool:
    """Whether a request can have cost this: nothing negative, nothing beyond `MOST`, no NaN."""
    return 0 <= number <= MOST


def possible(number: _Number) -> _Number | None:
    """The number, None where no request can have cost it."""
    return number if is_possible(number) else None


def impossible(stats: Stats) -> tuple[str, ...]:
    """The fields that no request can have so, in their order."""
    return tuple(field.name for field in fields(stats) if not is_possible(getattr(stats, field.name)))


def without_impossible(stats: Stats) -> Stats:
    """The same with 0 in these fields."""
    return replace(stats, **dict.fromkeys(impossible(stats), 0))


__all__ = ["MOST", "impossible", "is_possible", "possible", "without_impossible"]
