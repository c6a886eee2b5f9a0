"""How much a change matters to callers, and what a version says about that."""

from __future__ import annotations

from enum import Enum, IntEnum

from agentic_dsl.paths import Version


class Level(Enum):
    """What a change means to those who call a library or run an application."""

    BREAKING = "breaking"
    """What worked may fail."""
    ADDITIVE = "additive"
    """What worked works, and something new does."""
    PATCH = "patch"
    """Nobody outside can tell from the contract."""


class Bump(IntEnum):
    """Which component of a version grows; a larger one covers all smaller ones."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        """As people write it."""
        return self.name.lower()


_NEEDED = {Level.BREAKING: Bump.MAJOR, Level.ADDITIVE: Bump.MINOR, Level.PATCH: Bump.PATCH}

_NEEDED_BEFORE_PROMISES = {Level.BREAKING: Bump.MINOR, Level.ADDITIVE: Bump.PATCH, Level.PATCH: Bump.PATCH}
"""npm's caret reads versions that begin with 0 so: the second component says what the first one says later."""


def needed_bump(level: Level, *, promised: bool) -> Bump:
    """The bump that a change needs.

    Args:
        level: of the change.
        promised: whether callers may rely on the entry: it is not experimental, and its version does not begin with 0.
    """
    return (_NEEDED if promised else _NEEDED_BEFORE_PROMISES)[level]


def bump_between(old: Version, new: Version) -> Bump:
    """The bump that two versions declare; a version that does not grow declares none."""
    if new.full <= old.full:
        return Bump.NONE
    position = next(number for number in range(3) if old.full[number] != new.full[number])
    return Bump(Bump.MAJOR - position)


def bumped(version: Version, bump: Bump) -> Version:
    """The next version after a bump, with as many components as before, or as the bump needs."""
    if bump is Bump.NONE:
        return version
    position = Bump.MAJOR - bump
    parts = [*version.full[:position], version.full[position] + 1]
    return Version(tuple(parts + [0] * (len(version.parts) - len(parts))))
