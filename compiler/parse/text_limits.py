"""How much text of the small languages is read: signatures, permissions, types, library references."""

from __future__ import annotations

from dataclasses import dataclass

MAX_LENGTH = 1024 * 1024
"""Characters that such texts of a document may have together, short ones counted as `SHORTEST`.

To read as much takes some five seconds. Paths and ids, of which documents are full, are read by a pattern and free.
"""

SHORTEST = 16
"""A text takes at least as long to read as this many characters of a long one."""

MAX_PERMISSIONS = 1_000
"""Permissions in one list: every one that a node asks for is compared with those that its subgraph has."""


@dataclass(slots=True)
class TextBudget:
    """What is left of the limit; shared by the blocks of one document."""

    left: int = MAX_LENGTH
    reported: bool = False
