"""Which segments of a prefix cache go first when memory is short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentic_dsl.runtime.prefix_cache.victims import Priority
from agentic_dsl.skills.segments import SegmentKind

FIRST_TO_GO: tuple[frozenset[SegmentKind], ...] = (
    frozenset({SegmentKind.QUESTION, SegmentKind.REASONING_BRANCH, SegmentKind.EXECUTION_CHECKPOINT}),
    frozenset({SegmentKind.CONTEXT}),
)
"""What is over goes in this order, before all that is not: a branch of a closed program is never asked for again, its
context perhaps by the next question of the same session."""

LAST_TO_GO = frozenset({SegmentKind.TOOL_DEFINITION, SegmentKind.SYSTEM_PROMPT})
"""Nothing of these goes while anything of another kind can: most prompts begin with them."""


class Candidate(Protocol):
    """What a policy sees of a run that could go; see `Run` for what each means."""

    @property
    def kind(self) -> SegmentKind: ...  # noqa: D102  # described where they are kept
    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def length(self) -> int: ...  # noqa: D102
    @property
    def nbytes(self) -> int: ...  # noqa: D102
    @property
    def hits(self) -> int: ...  # noqa: D102
    @property
    def used(self) -> int: ...  # noqa: D102
    @property
    def programs(self) -> frozenset[int]: ...  # noqa: D102
    @property
    def over(self) -> bool: ...  # noqa: D102


class EvictionPolicy(Protocol):
    """Orders what can go. It sees only runs that nothing in memory builds on and that nobody holds."""

    def priority(self, run: Candidate) -> Priority:
        """The lowest goes first. It may depend on nothing that changes while the run is not used."""
        ...

    def may_replace(self, victim: Candidate, newcomer: Candidate) -> bool:
        """Whether a new run is worth more than this one; otherwise the new one is refused."""
        ...


class LruPolicy:
    """What was unused for longest goes first, whatever it is: the baseline."""

    def priority(self, run: Candidate) -> Priority:
        """See `EvictionPolicy.priority`."""
        return (run.used, -run.start)

    def may_replace(self, victim: Candidate, newcomer: Candidate) -> bool:  # noqa: ARG002  # the port's arguments
        """See `EvictionPolicy.may_replace`: the newest is worth more than anything."""
        return True


@dataclass(frozen=True, slots=True)
class TypedPolicy:
    """What is over goes first, what most prompts begin with goes last, and in between what was unused for longest.

    Over is what closed programs used and nobody asked for since. Of what no program ever used nobody knows whether it
    goes on, so it is never over: without programs this is LRU with the last row protected.

    Skills stand in the middle on purpose. Ranking them above the branches of open programs costs far more than it
    saves: an idle skill then holds memory that running programs need at their next step (docs/prefix-cache.md).
    Size and depth are not weighed: a byte of any run costs about the same to compute again.

    Attributes:
        first: rows of kinds that go first once they are over, in order.
        last: kinds that go only where nothing else can.
    """

    first: Sequence[frozenset[SegmentKind]] = FIRST_TO_GO
    last: frozenset[SegmentKind] = LAST_TO_GO

    def priority(self, run: Candidate) -> Priority:
        """See `EvictionPolicy.priority`: the row, then the last use, then the deeper of two."""
        return (self.row(run), run.used, -run.start)

    def may_replace(self, victim: Candidate, newcomer: Candidate) -> bool:
        """See `EvictionPolicy.may_replace`: what goes last gives way to its like only."""
        return victim.kind not in self.last or newcomer.kind in self.last

    def row(self, run: Candidate) -> int:
        """Its place in the order: a row of ``first``, then everything else, then ``last``."""
        if run.kind in self.last:
            return len(self.first) + 1
        for number, kinds in enumerate(self.first if run.over else ()):
            if run.kind in kinds:
                return number
        return len(self.first)
