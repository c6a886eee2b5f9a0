"""What is counted of skills: their part of what was reused, once a request that a model read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, OnToken, Stats
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.observation.skill_uses import SkillUses, uses_of
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from agentic_dsl.skills.segments import SegmentKind
from agentic_dsl.skills.usage import SkillUsage, SkillUse

SPANS = (
    Span(0, 100, SegmentKind.SYSTEM_PROMPT, "language"),
    Span(100, 160, SegmentKind.SKILL, "baking"),
    Span(160, 200, SegmentKind.SKILL, "mending"),
    Span(200, 230, SegmentKind.CONTEXT, "contract"),
    Span(230, 240, SegmentKind.QUESTION),
)

ANSWER = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""


@dataclass
class Told(BlockingEngine):
    """An engine that says how much of each prompt it did not read."""

    cached: int = 0
    fails: bool = False
    spans: tuple[Span, ...] = SPANS
    name: str = "told"

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        if self.fails:
            return [EngineResult.failed(GenerationError("no", help="wait")) for _ in requests]
        stats = Stats(tokens=1, prompt_tokens=240, cached_tokens=self.cached)
        return [EngineResult(text=ANSWER, prompt_spans=self.spans, finish="stop", stats=stats) for _ in requests]


def watched(engine: Told, usage: SkillUsage, **options: MemorySubgraphCache) -> AgenticLLM:
    return AgenticLLM(engine, observers=Observers.installed(SkillUses(usage)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cached", "saved"), [(0, (0, 0)), (100, (0, 0)), (101, (1, 0)), (160, (60, 0)), (170, (60, 10)), (230, (60, 40))]
)
def test_a_skill_saves_its_own_part_of_the_beginning(cached: int, saved: tuple[int, int]) -> None:
    result = EngineResult(text="", prompt_spans=SPANS, finish="stop", stats=Stats(cached_tokens=cached))
    assert uses_of(result) == [SkillUse("baking", 60, saved[0]), SkillUse("mending", 40, saved[1])]


def test_requests_are_added_up_in_the_file(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage.db")
    watched(Told(cached=0), usage).generate_subgraph("one")
    watched(Told(cached=230), usage).batch_generate_subgraphs(["two", "three"])
    rows = {one.skill: (one.uses, one.hits, one.tokens, one.tokens_saved) for one in usage.totals()}
    assert rows == {"baking": (3, 2, 180, 120), "mending": (3, 2, 120, 80)}


def test_answers_from_the_subgraph_cache_use_no_skill(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage.db")
    llm = watched(Told(), usage, subgraph_cache=MemorySubgraphCache())
    assert [llm.generate_subgraph("one").cached for _ in range(3)] == [False, True, True]
    assert {one.uses for one in usage.totals()} == {1}


def test_requests_without_skills_or_without_an_answer_make_no_file(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage.db")
    watched(Told(spans=SPANS[:1]), usage).generate_subgraph("one")
    with pytest.raises(GenerationError):
        watched(Told(fails=True), usage).generate_subgraph("one")
    assert not usage.path.exists()


def test_a_file_that_cannot_be_written_costs_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    usage = SkillUsage(tmp_path / "file" / "usage.db")
    with caplog.at_level(logging.WARNING):
        assert watched(Told(), usage).generate_subgraph("one").valid
    assert "going on without" in caplog.text
