"""One run of tokens as a prefix cache keeps it: its payload or where that lies, what it is, who needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from agentic_dsl.runtime.prefix_cache.payload import P
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.skills.segments import SegmentKind


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a copy of a payload lies: on which tier, under which key, and how many bytes it takes there."""

    tier: str
    key: str
    nbytes: int


class Run(Generic[P]):
    """The value of a node. Written by the cache only, under its lock.

    Attributes:
        payload: what was computed for the tokens; None while it is not in memory.
        kind: what the tokens are for.
        name: what people know them by.
        start: tokens before it.
        length: tokens of its own.
        nbytes: bytes of its payload in memory, also while that is not there.
        stored: its copy on a tier, or None. A run has a payload, a copy, or both.
        hits: look-ups that reused it.
        used: the cache's clock (requests so far) when it was last made or reused.
        programs: open programs that used it.
        over: whether programs used it, all are closed, and nobody asked for it since.
        leases: leases that end with it, and children with leases: above 0 where anything at or below it is leased.
        keeps: the same for runs that must not be dropped: 1 if it is ``kept``, and children with keeps.
        pinned: whether a pin is about it.
        kept: whether it must not be dropped for its own sake: pinned, or an open program's checkpoint.
        resident_children: children whose payload is in memory.
    """

    __slots__ = (
        "hits",
        "keeps",
        "kept",
        "kind",
        "leases",
        "length",
        "name",
        "nbytes",
        "over",
        "payload",
        "pinned",
        "programs",
        "resident_children",
        "start",
        "stored",
        "used",
    )

    def __init__(self, label: Span, used: int) -> None:
        self.payload: P | None = None
        self.kind: SegmentKind = label.kind
        self.name = label.name
        self.start = label.start
        self.length = label.end - label.start
        self.nbytes = 0
        self.stored: Stored | None = None
        self.hits = 0
        self.used = used
        self.programs: frozenset[int] = frozenset()
        self.over = False
        self.leases = 0
        self.keeps = 0
        self.pinned = False
        self.kept = False
        self.resident_children = 0

    @property
    def label(self) -> Span:
        """Its place in a prompt, kind and name."""
        return Span(self.start, self.start + self.length, self.kind, self.name)

    @property
    def locked(self) -> bool:
        """Whether it must stay: it or something below it is leased, pinned or a checkpoint of an open program."""
        return self.leases > 0 or self.keeps > 0

    def split(self, at: int) -> tuple[Run[P], Run[P]]:
        """See `Splittable.split`. The payload must be in memory; the copy on a tier is the caller's to delete."""
        if self.payload is None:
            raise ValueError("a run that is not in memory cannot be split")
        halves = self.payload.split(at)
        upper, lower = (self._part(*bounds) for bounds in ((0, at), (at, self.length)))
        for run, payload in zip((upper, lower), halves, strict=True):
            run.payload, run.nbytes = payload, payload.nbytes
        upper.resident_children, lower.resident_children = 1, self.resident_children
        lower.leases, lower.keeps, lower.kept = self.leases, self.keeps, self.kept
        # The upper half has one child, and is not kept for its own sake until the cache says so.
        upper.leases, upper.keeps = int(self.leases > 0), int(self.keeps > 0)
        return upper, lower

    def _part(self, low: int, high: int) -> Run[P]:
        part: Run[P] = Run(Span(self.start + low, self.start + high, self.kind, self.name), self.used)
        part.hits, part.programs, part.over, part.pinned = self.hits, self.programs, self.over, self.pinned
        return part
