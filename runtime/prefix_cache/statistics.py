"""What a prefix cache did and holds, by kind of segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields

from agentic_dsl.skills.segments import SegmentKind


@dataclass(frozen=True, slots=True)
class KindStatistics:
    """Counts of one kind, or of all.

    Attributes:
        tokens: held in memory.
        bytes: of their payloads.
        stored_bytes: of the copies on other tiers.
        hits: look-ups that reused tokens.
        misses: inserts of tokens that were not there.
        evictions: runs that left the cache, or memory, to make room or because they were told to.
        tokens_saved: reused by look-ups.
        tokens_computed: inserted because they were not there.
        tokens_recomputed: of these, what the cache had held before, as far as it remembers.
        refused: inserts of which something was not kept.
        damaged: runs whose copy on a tier was gone or wrong.
    """

    tokens: int = 0
    bytes: int = 0
    stored_bytes: int = 0
    hits: int = 0
    misses: int = 0
    evictions: int = 0
    tokens_saved: int = 0
    tokens_computed: int = 0
    tokens_recomputed: int = 0
    refused: int = 0
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class PrefixStatistics:
    """A cache's counts since it was made.

    Attributes:
        total: of everything.
        kinds: by kind, in the order of `SegmentKind`; a kind that never occurred is not there.
        leases: held now.
        programs: open now.
    """

    total: KindStatistics
    kinds: Mapping[SegmentKind, KindStatistics]
    leases: int
    programs: int


class Ledger:
    """The counts while they change."""

    def __init__(self) -> None:
        self._counts: dict[SegmentKind | None, dict[str, int]] = defaultdict(
            lambda: {field.name: 0 for field in fields(KindStatistics)}
        )

    def add(self, kind: SegmentKind, **amounts: int) -> None:
        """Adds to the counts of a kind and to the total."""
        for row in (self._counts[kind], self._counts[None]):
            for name, amount in amounts.items():
                row[name] += amount

    def once(self, kinds: set[SegmentKind], name: str) -> None:
        """Counts one event for each of these kinds, and one in total if there are any."""
        for kind in (*kinds, None) if kinds else ():
            self._counts[kind][name] += 1

    def statistics(self, *, leases: int, programs: int) -> PrefixStatistics:
        """The counts as they are now."""
        kinds = {kind: KindStatistics(**self._counts[kind]) for kind in SegmentKind if kind in self._counts}
        return PrefixStatistics(KindStatistics(**self._counts[None]), kinds, leases, programs)
