"""Reading ahead: what it reads, what it saves, what it says that it would save, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from agentic_dsl.constraints import Constraints, ToolSpec  # noqa: E402  # after the skip
from agentic_dsl.errors import EngineError, GenerationError, UsageError  # noqa: E402
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt  # noqa: E402
from agentic_dsl.runtime.engines.prefills import Prefilled, Prefills  # noqa: E402
from agentic_dsl.runtime.engines.random import RandomEngine  # noqa: E402
from agentic_dsl.runtime.engines.transformers import TransformersEngine  # noqa: E402
from agentic_dsl.runtime.jobs import Jobs, Task  # noqa: E402
from agentic_dsl.runtime.prefill import (  # noqa: E402
    CacheBenefit,
    estimate_cache_benefit,
    prefill_all,
    skill_prompts,
)
from agentic_dsl.runtime.prompt import build_prompt  # noqa: E402
from agentic_dsl.runtime.task_skills import TaskSkills  # noqa: E402
from agentic_dsl.skills.registry import SkillRegistry  # noqa: E402
from agentic_dsl.skills.segments import Segment, SegmentKind  # noqa: E402
from tests.tiny_models import save_tiny_model  # noqa: E402

SMALL = Constraints(allowed_node_types=("assign", "end"), max_nodes=2, max_text_chars=20)

TOOLS = '[{"name": "search", "description": "Searches the web."}]'
FRONT = "---\nname: {name}\ndescription: How to {name}.\n{more}---\n"


def write(root: Path, name: str, body: str, more: str = "") -> None:
    (root / name / "assets").mkdir(parents=True)
    (root / name / "SKILL.md").write_text(FRONT.format(name=name, more=more) + body, encoding="utf-8")
    (root / name / "assets" / "tools.json").write_text(TOOLS, encoding="utf-8")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> SkillRegistry:
    root = tmp_path_factory.mktemp("skills")
    write(root, "cooking", "Weigh the flour first. " * 8)
    write(root, "baking", "Heat the oven. " * 9, "metadata:\n  requires: cooking\n")
    write(root, "searching", "Ask the web. " * 9, "metadata:\n  tools: assets/tools.json\n")
    return SkillRegistry.load([root])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


def opened(folder: Path, files: Path, **options: Any) -> TransformersEngine:
    return TransformersEngine(folder, dtype="float32", device="cpu", semantic=False, prefix_folder=files, **options)


@pytest.fixture
def engine(folder: Path, tmp_path: Path) -> TransformersEngine:
    return opened(folder, tmp_path / "files")


@pytest.fixture(scope="module")
def shared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    """An engine for tests that write no files and begin with an empty cache."""
    return opened(folder, tmp_path_factory.mktemp("files"))


def asking(prompt: Prompt) -> EngineRequest:
    return EngineRequest(prompt=prompt, max_output_tokens=1)


def segmented(*texts: str) -> Prompt:
    """A prompt of skills of these texts, with a question of its own."""
    parts = [Segment(SegmentKind.SKILL, f"skill {number}", text) for number, text in enumerate(texts)]
    question = Segment(SegmentKind.QUESTION, "", f"What of {len(texts)}?")
    return Prompt((Message.of("system", parts), Message.of("user", [question])))


ONE, TWO, THREE, FOUR = ("one " * 20, "two " * 20, "three " * 20, "four " * 20)


# Reading ahead


def test_what_was_read_ahead_is_not_read_for_the_request(engine: TransformersEngine, registry: SkillRegistry) -> None:
    assert isinstance(engine, Prefills)
    told: list[int] = []
    done = prefill_all(engine, skill_prompts(registry, SMALL), on_done=lambda number, _: told.append(number))
    assert told == [0, 1, 2]
    assert [skill.name for skill in registry.skills] == ["baking", "cooking", "searching"]
    assert done[0].reused == 0
    # The second one's text was read for the first one, which requires it.
    assert done[1].reused > 0
    asked = build_prompt("Bake bread.", SMALL, registry.closure(["baking"]))
    [result] = engine.generate([asking(asked)])
    assert result.error is None
    assert result.stats.cached_tokens == done[0].tokens
    # All that is left is the question and what ends the prompt.
    spans = result.prompt_spans
    assert result.stats.prompt_tokens - result.stats.cached_tokens == spans[-1].end - spans[-1].start


def test_reading_ahead_twice_reads_nothing(engine: TransformersEngine, registry: SkillRegistry) -> None:
    prompts = skill_prompts(registry, SMALL, ["baking"])
    [first], [second] = prefill_all(engine, prompts), prefill_all(engine, prompts)
    assert (second.tokens, second.reused) == (first.tokens, first.tokens)


def test_requests_for_a_skill_with_tools_begin_as_what_was_read_for_it(
    engine: TransformersEngine, registry: SkillRegistry
) -> None:
    [done] = prefill_all(engine, skill_prompts(registry, Constraints(max_nodes=2), ["searching"]))
    chooser = TaskSkills.of(registry)
    [task] = replace(chooser, explicit=("searching",), limit=0).equipped([Task("x", Constraints(max_nodes=2))])
    [job] = Jobs.of([task]).jobs
    assert estimate_cache_benefit(engine, job.request.prompt).cached == done.tokens > 0


def test_what_is_saved_serves_an_engine_that_starts_later(
    engine: TransformersEngine, folder: Path, tmp_path: Path
) -> None:
    asked = segmented(ONE, TWO)
    done = engine.prefill(asked, save=True)
    assert done.saved
    later = opened(folder, tmp_path / "files")
    [fresh], [result] = (opened(folder, tmp_path / "none").generate([asking(asked)]), later.generate([asking(asked)]))
    assert (fresh.stats.cached_tokens, result.stats.cached_tokens) == (0, done.tokens)
    assert result.token_ids == fresh.token_ids


def test_what_an_earlier_request_left_in_memory_is_saved_too(
    engine: TransformersEngine, folder: Path, tmp_path: Path
) -> None:
    asked = segmented(ONE, TWO)
    assert not engine.prefill(asked).saved
    assert not (tmp_path / "files").exists()
    done = engine.prefill(asked, save=True)
    assert (done.reused, done.saved) == (done.tokens, True)
    assert opened(folder, tmp_path / "files").prefill(asked).reused == done.tokens


def test_a_save_that_fails_is_told_and_costs_no_answer(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    done = engine.prefill(segmented(ONE), save=True)
    assert done.tokens > 0
    assert not done.saved
    assert "No space left" in caplog.text
    assert engine.prefill(segmented(ONE)).reused == done.tokens


# What is refused


def test_a_prompt_larger_than_the_context_is_refused_with_both_numbers(tmp_path: Path) -> None:
    engine = opened(save_tiny_model(tmp_path / "small", context=128), tmp_path / "files")
    with pytest.raises(GenerationError, match=r"takes \d,\d{3} tokens: more than the 128 that the model can hold"):
        prefill_all(engine, [segmented("word " * 300)])
    assert engine.prefill(segmented("word " * 10)).tokens > 0


def test_an_error_of_the_models_library_is_an_error_of_ours(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("not enough memory: you tried to allocate 99 bytes\nat: a place")

    monkeypatch.setattr(type(engine._model), "forward", broken)
    with pytest.raises(GenerationError, match="the model failed: not enough memory") as caught:
        engine.prefill(segmented(ONE))
    assert caught.value.help == "free memory, or shorten the prompt"


def test_an_engine_without_a_cache_of_prefixes_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="random/bytes keeps no prefixes"):
        prefill_all(RandomEngine("bytes"), [segmented(ONE)])
    without = opened(folder, tmp_path / "files", prefix_cache_bytes=0)
    assert not without.capabilities.supports_prefix_caching
    with pytest.raises(EngineError, match="keeps no prefixes"):
        prefill_all(without, [segmented(ONE)])


def test_a_model_that_forgets_what_is_far_back_claims_no_cache(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "windows")
    config = transformers.MistralConfig(
        vocab_size=272,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=16,
    )
    transformers.MistralForCausalLM(config).save_pretrained(folder)
    engine = opened(folder, tmp_path / "files")
    assert not engine.capabilities.supports_prefix_caching
    assert engine.prefill(segmented(ONE)) == Prefilled(0, 0, pytest.approx(0, abs=60))
    [result] = engine.generate([asking(segmented(ONE))])
    assert (result.error, result.stats.cached_tokens) == (None, 0)


def test_a_skill_that_there_is_not_is_named(registry: SkillRegistry) -> None:
    with pytest.raises(UsageError, match="swimming"):
        skill_prompts(registry, SMALL, ["swimming"])


# What it would save

CASES = {
    "nothing is filled": ((ONE, TWO), ()),
    "the same is filled": ((ONE, TWO), ((ONE, TWO),)),
    "a part is filled": ((ONE, TWO, THREE), ((ONE, TWO),)),
    "more is filled": ((ONE,), ((ONE, TWO),)),
    "others are filled too": ((ONE, THREE), ((ONE, TWO), (ONE, THREE), (FOUR,))),
    "texts begin alike": ((ONE, TWO + "a"), ((ONE, TWO + "b"), (ONE, TWO + "c"))),
    "nothing is shared": ((ONE, TWO), ((THREE,), (FOUR, ONE))),
    "there are empty texts": (("", ONE), (("",), ("", ONE))),
    "the prompt is empty": (("",), ()),
}


@pytest.mark.parametrize("known", [(), (ONE,), (ONE, TWO)], ids=["cold", "one", "two"])
@pytest.mark.parametrize("name", CASES)
def test_the_estimate_is_what_happens_then(shared: TransformersEngine, name: str, known: tuple[str, ...]) -> None:
    engine = shared
    assert engine.prefixes is not None
    engine.prefixes.clear()
    texts, fills = CASES[name]
    if known:
        engine.prefill(segmented(*known))
    asked, fill = segmented(*texts), [segmented(*one) for one in fills]
    benefit = estimate_cache_benefit(engine, asked, fill)
    done = prefill_all(engine, fill)
    assert benefit.to_fill == sum(one.tokens - one.reused for one in done)
    [result] = engine.generate([asking(asked)])
    assert benefit.total == result.stats.prompt_tokens
    assert benefit.cached == result.stats.cached_tokens
    assert benefit.computed == benefit.total - benefit.cached


def test_the_estimate_changes_nothing(engine: TransformersEngine) -> None:
    assert engine.prefixes is not None
    engine.prefill(segmented(ONE))
    before = engine.prefixes.statistics()
    estimate_cache_benefit(engine, segmented(ONE, TWO), [segmented(THREE)])
    assert engine.prefixes.statistics() == before


def test_what_is_only_in_files_counts_as_known(engine: TransformersEngine, folder: Path, tmp_path: Path) -> None:
    done = engine.prefill(segmented(ONE, TWO), save=True)
    later = opened(folder, tmp_path / "files")
    assert estimate_cache_benefit(later, segmented(ONE, TWO)).cached == done.tokens


@pytest.mark.parametrize(
    ("total", "cached", "to_fill", "expected"),
    [(1000, 900, 900, 2), (1000, 900, 899, 1), (1000, 300, 900, 4), (1000, 900, 0, 1), (1000, 0, 0, None)],
)
def test_it_breaks_even_with_the_first_request_after_which_less_was_read(
    total: int, cached: int, to_fill: int, expected: int | None
) -> None:
    benefit = CacheBenefit(total, cached, to_fill)
    assert benefit.break_even == expected
    less = [count for count in range(20) if to_fill + count * benefit.computed < count * total]
    assert next(iter(less), None) == expected


def test_rate_and_speed_follow_from_the_tokens() -> None:
    benefit = CacheBenefit(1000, 900)
    assert (benefit.hit_rate, benefit.speed_up, benefit.computed) == (0.9, 10.0, 100)
    empty = CacheBenefit(0, 0)
    assert (empty.hit_rate, empty.speed_up, empty.break_even) == (0.0, math.inf, None)


def test_tools_of_skills_stand_before_them_in_what_is_read(registry: SkillRegistry) -> None:
    [plain] = skill_prompts(registry, Constraints(max_nodes=2), ["cooking"])
    [tooled] = skill_prompts(registry, Constraints(max_nodes=2), ["searching"])
    kinds = [[segment.kind for segment in prompt.messages[0].segments] for prompt in (plain, tooled)]
    assert SegmentKind.TOOL_DEFINITION not in kinds[0]
    assert kinds[1].index(SegmentKind.TOOL_DEFINITION) < kinds[1].index(SegmentKind.SKILL)
    assert all(isinstance(tool, ToolSpec) for skill in registry.skills for tool in skill.tools)
