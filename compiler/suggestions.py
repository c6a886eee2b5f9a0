"""The name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_ALIKE = 0.75
_LENGTHS_APART = 4


@dataclass
class Suggester:
    """Finds names like a mistaken one, within a bounded amount of work.

    Attributes:
        left: how many more names it compares before it gives no more suggestions; a document with thousands of
            mistakes would else cost seconds.
    """

    left: int = 50_000

    def closest(self, name: str, candidates: Iterable[str]) -> str | None:
        """The candidate most like ``name``, None where none is."""
        if self.left <= 0:
            return None
        last = name.rpartition("/")[2]
        alike: list[str] = []
        for candidate in candidates:
            self.left -= 1
            if candidate.rpartition("/")[2] == last and candidate != name:
                return candidate  # the right name in the wrong folder
            if abs(len(candidate) - len(name)) <= _LENGTHS_APART:
                alike.append(candidate)
            if self.left <= 0:
                break
        found = get_close_matches(name, alike, 1, _ALIKE)
        return found[0] if found else None

    def help(self, name: str, candidates: Iterable[str], otherwise: str) -> str:
        """The help that offers the closest candidate, or says something else."""
        found = self.closest(name, candidates)
        return f'write "{found}" if that is meant' if found else otherwise
