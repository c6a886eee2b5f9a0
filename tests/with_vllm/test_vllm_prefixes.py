"""Real vLLM in this process, warmed up with skills: what requests then find, and what the control surface does."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed here: make test-vllm", allow_module_level=True)

from vllm_cases import EIGHT

from agentic_dsl import Constraints, compile
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Message, Prompt, ServingHints
from agentic_dsl.runtime.engines.prefix_controls import PrefixControl
from agentic_dsl.runtime.engines.vllm import VllmEngine
from agentic_dsl.runtime.engines.vllm_prefixes import VllmPrefixes
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.models import model_path
from agentic_dsl.runtime.prefill import prefill_all, skill_prompts
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prompt import build_prompt
from agentic_dsl.runtime.prompt_tokens import prompt_tokens
from agentic_dsl.skills.folders import library_folder
from agentic_dsl.skills.registry import SkillRegistry
from agentic_dsl.skills.segments import SegmentKind

if model_path("smollm2") is None:
    pytest.skip("the embedded model is not pulled: make model", allow_module_level=True)

SKILLS = ("planning-with-tools", "fork-and-join")
QUESTIONS = ("Plan a trip to Rome.", "Compare the prices of three shops and write down the lowest one.")
CONTRACT = Constraints(max_nodes=4, allowed_node_types=("assign", "fork", "join", "end"))

SHORT = Prompt((Message("user", "word " * 400),))
"""A few blocks of any size: a prompt with skills takes a CPU ten seconds."""


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    # The smallest block that vLLM 0.32 takes on a CPU; its default is 128 there.
    engine = VllmEngine(max_model_len=6144, max_num_seqs=4, block_size=32, disable_log_stats=False)
    yield engine
    engine.close()


@pytest.fixture
def prefixes(engine: VllmEngine) -> VllmPrefixes:
    """The controls of an engine whose cache is empty."""
    prefixes = VllmPrefixes(engine)
    prefixes.evict()
    return prefixes


@pytest.fixture(scope="module")
def registry() -> SkillRegistry:
    return SkillRegistry.load([library_folder()])


def question(registry: SkillRegistry, skill: str, text: str) -> Prompt:
    return build_prompt(text, CONTRACT, registry.closure([skill]))


def ask(engine: VllmEngine, prompt: Prompt, salt: str | None = None) -> EngineResult:
    hints = None if salt is None else ServingHints(cache_salt=salt)
    (result,) = engine.generate([EngineRequest(prompt=prompt, max_output_tokens=1, hints=hints)])
    assert result.error is None
    return result


def lengths(engine: VllmEngine, prompt: Prompt) -> tuple[int, int]:
    """Where the last skill ends, and where the question begins, in tokens."""
    spans = prompt_tokens(prompt, engine.tokenizer).spans
    skills = max(span.end for span in spans if span.kind is SegmentKind.SKILL)
    return skills, next(span.start for span in spans if span.kind is SegmentKind.QUESTION)


def test_blocks_have_the_size_that_was_asked_for(prefixes: VllmPrefixes) -> None:
    assert prefixes.block_tokens == 32


def test_after_warming_up_requests_find_their_skills_in_the_cache(
    engine: VllmEngine, prefixes: VllmPrefixes, registry: SkillRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    block = prefixes.block_tokens
    cold = ask(engine, question(registry, SKILLS[0], QUESTIONS[0]))
    assert cold.stats.cached_tokens == 0
    prefixes.evict()
    done = prefill_all(engine, skill_prompts(registry, CONTRACT, SKILLS))
    assert done[0].reused == 0
    rows = []
    for skill in SKILLS:
        for text in QUESTIONS:
            prompt = question(registry, skill, text)
            skills, prefix = lengths(engine, prompt)
            result = ask(engine, prompt)
            cached = result.stats.cached_tokens
            rows.append((skill, skills, prefix, cached, result.stats.prompt_tokens, result.stats.seconds))
            assert cached >= 0.95 * (skills // block * block)
            # All that comes before the question was read, not the skills alone.
            assert cached >= 0.95 * (prefix // block * block)
            assert cached % block == 0
            assert cached < result.stats.prompt_tokens
    with capsys.disabled():
        print(f"\nblocks of {block}; cold: {cold.stats.prompt_tokens} tokens in {cold.stats.seconds:.2f} s")
        for skill, skills, prefix, cached, total, seconds in rows:
            print(
                f"{skill}: up to the skills {skills}, to the question {prefix}, cached {cached} of {total} "
                f"({cached / prefix:.1%} of what comes before the question, {cached / (prefix // block * block):.0%} "
                f"of its whole blocks), {seconds:.2f} s"
            )


def test_a_tenant_finds_what_was_warmed_up_for_it_and_nobody_else_does(
    engine: VllmEngine, prefixes: VllmPrefixes
) -> None:
    (read,) = prefixes.prefetch([SHORT], tenant="one")
    assert read.reused == 0
    assert (
        ask(engine, SHORT, "one").stats.cached_tokens
        == (read.tokens - 1) // prefixes.block_tokens * prefixes.block_tokens
    )
    assert ask(engine, SHORT, "two").stats.cached_tokens == 0
    assert ask(engine, SHORT).stats.cached_tokens == 0


def test_evicting_empties_the_cache_and_a_part_of_it_is_refused(engine: VllmEngine, prefixes: VllmPrefixes) -> None:
    ask(engine, SHORT)
    assert ask(engine, SHORT).stats.cached_tokens > 0
    with pytest.raises(EngineError, match="only everything at once"):
        prefixes.evict(Selector(kind=SegmentKind.SKILL))
    assert ask(engine, SHORT).stats.cached_tokens > 0
    prefixes.evict()
    assert ask(engine, SHORT).stats.cached_tokens == 0


def test_vllm_s_own_counters_say_what_the_answers_say(engine: VllmEngine, prefixes: VllmPrefixes) -> None:
    before = prefixes.statistics()
    results = [ask(engine, SHORT), ask(engine, SHORT)]
    after = prefixes.statistics()
    assert after.asked - before.asked == sum(result.stats.prompt_tokens for result in results)
    assert after.reused - before.reused == sum(result.stats.cached_tokens for result in results) > 0
    assert after.held is None


def test_what_vllm_cannot_do_is_an_error_that_says_so(engine: VllmEngine) -> None:
    prefixes = VllmPrefixes(engine)
    assert isinstance(prefixes, PrefixControl)
    skills = Selector(kind=SegmentKind.SKILL)
    with pytest.raises(EngineError, match="vLLM has no public pin"):
        prefixes.pin(skills)
    with pytest.raises(EngineError, match="nothing is ever pinned"):
        prefixes.unpin(skills)
    with pytest.raises(EngineError, match="a block has one place"):
        prefixes.move(skills, "disk")


def test_nothing_is_evicted_while_a_request_runs(engine: VllmEngine) -> None:
    prefixes = VllmPrefixes(engine)
    refused: list[EngineError] = []

    def evict(row: int, tokens: int, text: str) -> None:
        try:
            prefixes.evict()
        except EngineError as exc:
            refused.append(exc)

    (result,) = engine.generate([engine_request("Plan a trip.", compile(EIGHT[1]))], on_token=evict)
    assert result.error is None
    assert result.stats.tokens > 20  # it ran for a while
    assert any("while requests are running" in error.message for error in refused)
    prefixes.evict()
