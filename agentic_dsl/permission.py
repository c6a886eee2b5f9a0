"""Permissions: what a block or node may reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentic_dsl.signature import Data
from agentic_dsl.span import NOWHERE, Span

PERMISSION_KINDS: tuple[str, ...] = (
    "tool",
    "runtime",
    "network",
    "generate_subgraph",
    "reasoning",
    "memory",
    "kg",
    "vector",
    "profile",
    "file",
)
"""The kinds of permission (``language.md`` §3)."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission, whichever way it was written.

    Attributes:
        kind: one of `PERMISSION_KINDS`.
        name: what of that kind (``web_search``, ``python3``, ``read``, ``outbound``), None = all of it.
        options: what narrows it further (``scope``, ``domains``, ``allow_imports``, ``max_depth``), empty = nothing.
    """

    kind: str
    name: str | None = None
    options: Mapping[str, Data] = field(default_factory=dict)
    span: Span = field(default=NOWHERE, compare=False)

    def covers(self, other: Permission) -> bool:
        """Whether whoever holds this permission holds ``other`` too.

        Options narrow: a permission without an option covers every value of it; lists are covered when they are
        subsets, numbers when they are not larger (-1 is no limit, as in a budget), other values when they are equal.
        """
        if self.kind != other.kind or (self.name is not None and self.name != other.name):
            return False
        return all(_narrows(other.options.get(key), held) for key, held in self.options.items())


def _narrows(asked: Data, held: Data) -> bool:
    """Whether the option value ``asked`` is within ``held``; None, like absence, is no limit."""
    if held is None or asked is None:
        return held is None
    if isinstance(held, tuple | list) and isinstance(asked, tuple | list):
        return all(item in held for item in asked)
    if isinstance(held, int | float) and isinstance(asked, int | float) and not isinstance(held, bool):
        return held < 0 or 0 <= asked <= held
    return asked == held
