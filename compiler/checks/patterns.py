"""Which regular expressions of a schema may be applied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache


@lru_cache(maxsize=4096)
def is_harmless(pattern: str) -> bool:
    r"""Whether a pattern surely takes no more than quadratic time: few repetitions, none around another.

    A repeated group may hold neither a repetition nor an alternative, there are at most two unbounded repetitions, and
    no back references. What is not harmless may still be fine; it is then simply not applied.
    """
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    if re.search(r"\\[1-9]|\(\?P=", pattern):
        return False
    plain = re.sub(r"\\.", "a", pattern)
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "a", plain)
    unbounded = len(re.findall(r"[*+]|\{\d*,\}", plain))
    if unbounded > 2:
        return False
    return not any(re.search(r"[*+?|]|\{\d*,?\d*\}", group) for group in _repeated_groups(plain))


def _repeated_groups(plain: str) -> Iterator[str]:
    """The inside of each group that a repetition follows; nested groups are part of the outer ones."""
    opened: list[int] = []
    for at, char in enumerate(plain):
        if char == "(":
            opened.append(at)
        elif char == ")" and opened:
            start = opened.pop()
            if re.match(r"[*+{]", plain[at + 1 : at + 2]):
                inside = plain[start + 1 : at]
                yield inside.removeprefix("?:")
