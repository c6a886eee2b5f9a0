"""The transformers engine, with a tiny random model, does every call on its own cache, for one tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt
from agentic_dsl.runtime.engines.prefix_controls import PREFIX_CALLS, PrefixControl
from agentic_dsl.runtime.engines.transformers import TransformersEngine
from agentic_dsl.runtime.engines.transformers_prefixes import TransformersPrefixes
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.skills.segments import Segment, SegmentKind
from tests.tiny_models import save_tiny_model

SKILLS = Selector(kind=SegmentKind.SKILL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def engine(folder: Path, tmp_path: Path) -> TransformersEngine:
    return TransformersEngine(folder, dtype="float32", device="cpu", semantic=False, prefix_folder=tmp_path)


def prompt(question: str = "") -> Prompt:
    skill = Segment(SegmentKind.SKILL, "cooking", "Weigh the flour first. " * 5)
    return Prompt(
        (Message.of("system", [skill]), Message.of("user", [Segment(SegmentKind.QUESTION, "", f"Task: {question}")]))
    )


def test_what_is_prefetched_is_reused_and_counted(engine: TransformersEngine) -> None:
    prefixes = TransformersPrefixes(engine)
    assert isinstance(prefixes, PrefixControl)
    first, again = prefixes.prefetch([prompt(), prompt()])
    assert first.reused == 0
    assert again.reused == again.tokens == first.tokens > 0
    before = prefixes.statistics()
    (result,) = engine.generate([EngineRequest(prompt=prompt("a cake"), max_output_tokens=1)])
    after = prefixes.statistics()
    assert result.stats.cached_tokens >= first.tokens
    assert after.reused - before.reused == result.stats.cached_tokens
    assert after.held is not None
    assert after.held >= first.tokens


def test_segments_are_pinned_and_evicted(engine: TransformersEngine) -> None:
    prefixes = TransformersPrefixes(engine)
    (read,) = prefixes.prefetch([prompt()])
    assert prefixes.pin(SKILLS) == read.tokens
    assert prefixes.evict(SKILLS) == 0
    assert prefixes.unpin(SKILLS) == read.tokens
    assert prefixes.evict(SKILLS) == read.tokens
    assert prefixes.statistics().held == 0
    prefixes.prefetch([prompt()])
    assert prefixes.evict() == read.tokens


def test_segments_go_to_disk_and_come_back(engine: TransformersEngine) -> None:
    prefixes = TransformersPrefixes(engine)
    (read,) = prefixes.prefetch([prompt()])
    assert prefixes.move(SKILLS, "disk") == read.tokens
    assert prefixes.statistics().held == 0
    assert prefixes.move(SKILLS, "memory") == read.tokens
    assert prefixes.statistics().held == read.tokens


def test_it_reads_for_no_tenant_because_everyone_would_find_it(engine: TransformersEngine) -> None:
    prefixes = TransformersPrefixes(engine)
    with pytest.raises(EngineError, match="the cache salt of a request is not looked at"):
        prefixes.prefetch([prompt()], tenant="a")
    assert prefixes.statistics().held == 0


def test_its_record_refuses_nothing_else(engine: TransformersEngine) -> None:
    controls = TransformersPrefixes(engine).controls
    assert [call for call in PREFIX_CALLS if controls.support(call).extent != "yes"] == ["isolation"]


def test_an_engine_that_keeps_nothing_has_no_controls(folder: Path) -> None:
    engine = TransformersEngine(folder, dtype="float32", device="cpu", semantic=False, prefix_cache_bytes=0)
    with pytest.raises(EngineError, match="keeps no prefixes"):
        TransformersPrefixes(engine)
