"""Memory for readers of small texts, bounded in entries and in the length of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

Result = TypeVar("Result")

MAX_LENGTH = 4096
"""The longest text remembered: longer ones are rare, and thousands of them would fill the memory of a service."""


def remembered(entries: int) -> Callable[[Callable[[str], Result]], Callable[[str], Result]]:
    """Makes a pure reader remember its last answers by their texts.

    The reader without memory is ``reader.__wrapped__``.

    Args:
        entries: how many answers are kept; the least recently used goes first.
    """

    def decorate(read: Callable[[str], Result]) -> Callable[[str], Result]:
        cached = lru_cache(maxsize=entries)(read)

        @wraps(read)
        def reader(text: str) -> Result:
            return cached(text) if len(text) <= MAX_LENGTH else read(text)

        return reader

    return decorate
