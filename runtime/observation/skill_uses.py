"""Counts what skills cost and what their reuse saved, request by request: an `Observer`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from agentic_dsl.skills.segments import SegmentKind
from agentic_dsl.skills.usage import SkillUsage, SkillUse

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.base import EngineResult
    from agentic_dsl.runtime.observation.calls import CallInfo, Observation, Stage


class SkillUses:
    """Writes one row a skill and request into a file of counts.

    Answers from the subgraph cache use no skill: no prompt was read for them.
    """

    def __init__(self, usage: SkillUsage) -> None:
        self._usage = usage

    def during(self, call: CallInfo) -> AbstractContextManager[object]:  # noqa: ARG002  # the port's argument
        """See `Observer.during`."""
        return nullcontext()

    def stage(self, call: CallInfo, stage: Stage) -> AbstractContextManager[object]:  # noqa: ARG002
        """See `Observer.stage`."""
        return nullcontext()

    def observe(self, seen: Observation) -> None:
        """See `Observer.observe`."""
        if seen.result is not None and (uses := uses_of(seen.result)):
            self._usage.record(uses)


def uses_of(result: EngineResult) -> list[SkillUse]:
    """The skills in the prompt of an answer: what is reused is always its beginning."""
    cached = result.stats.cached_tokens
    return [
        SkillUse(span.name, span.end - span.start, max(0, min(span.end, cached) - span.start))
        for span in result.prompt_spans
        if span.kind is SegmentKind.SKILL
    ]
