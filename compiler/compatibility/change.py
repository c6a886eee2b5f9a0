"""What a comparison gives: changes with their places, and the verdict about each entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from agentic_dsl.ast import Document
from agentic_dsl.compiler.compatibility.kinds import ChangeKind
from agentic_dsl.compiler.compatibility.levels import Bump, Level, needed_bump
from agentic_dsl.paths import Version
from agentic_dsl.span import Span

Side = Literal["old", "new"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, in one of the two versions."""

    side: Side
    document: Document = field(compare=False, repr=False)
    span: Span


@dataclass(frozen=True, slots=True)
class Change:
    """One difference that somebody may notice.

    Attributes:
        place: in the new version, or in the old one where the new one has nothing to point at.
        message: one sentence that names what changed.
        help: what to do about it, or None.
    """

    kind: ChangeKind
    place: Place
    message: str
    help: str | None = None

    @property
    def level(self) -> Level:
        """What it means to callers."""
        return self.kind.level


@dataclass(frozen=True, slots=True)
class Verdict:
    """All changes of one entry, and whether its version says so.

    Attributes:
        name: path of the entry; ``/__meta__`` for what an application says about itself.
        old: its version before, None where it is new or states none.
        new: its version now, None where it is gone or states none.
        place: where the version stands, or would stand.
        changes: worst first, then by place.
        needed: the bump that the changes need.
        declared: the bump that the versions declare.
        announced: whether nothing needs to be declared: what goes was deprecated, or what comes is new.
        next: the lowest version that would do, None where none would.
    """

    name: str
    old: Version | None
    new: Version | None
    place: Place
    changes: tuple[Change, ...]
    needed: Bump
    declared: Bump
    announced: bool = False
    next: Version | None = None

    @property
    def covered(self) -> bool:
        """Whether callers were told: the version grew as much as the changes need."""
        return self.announced or self.declared >= self.needed

    @property
    def level(self) -> Level:
        """The level of the worst change."""
        return self.changes[0].level


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of a set of documents.

    Attributes:
        verdicts: of every entry that changed, by name.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, entry by entry."""
        return tuple(change for verdict in self.verdicts for change in verdict.changes)

    @property
    def needed(self) -> Bump:
        """The bump that the whole set needs, where it is released under one version."""
        return max((needed_bump(change.level, promised=True) for change in self.changes), default=Bump.NONE)

    @property
    def covered(self) -> bool:
        """Whether every entry's version says what changed."""
        return all(verdict.covered for verdict in self.verdicts)

    def undeclared(self, levels: Iterable[Level]) -> tuple[Verdict, ...]:
        """The entries with a change of one of these levels whose version does not say so."""
        wanted = frozenset(levels)
        return tuple(v for v in self.verdicts if not v.covered and any(c.level in wanted for c in v.changes))
