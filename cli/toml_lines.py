"""Where a key stands in a TOML file; the reader of the standard library keeps no places."""

from __future__ import annotations

import tomllib
from typing import Any

MOST = 2_000
"""Lines of a file in which a key is looked for; the work grows with the square of them."""


def line_of(text: str, *keys: str) -> int | None:
    """The 1-based line on which a key, or the table of that name, begins; None where that cannot be said.

    The file is read line by line further: the key begins behind the last beginning of the file that is TOML without it.

    Args:
        text: of a file that is TOML.
        keys: the names that lead to the value.
    """
    lines = text.splitlines()
    before = 0
    for end in range(1, min(len(lines), MOST) + 1):
        try:
            table = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue  # within a value of several lines
        if _holds(table, keys):
            return before + 1
        before = end
    return None


def _holds(table: Any, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]
    return True
