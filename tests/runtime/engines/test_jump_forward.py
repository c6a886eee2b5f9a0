"""Jump-forward: forced text without passes of its own, and nothing else changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentic_dsl import AgenticLLM, Constraints, ContextSignature, Sampling, ToolSpec, load_tokenizer
from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.runtime import models
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Message, Prompt
from agentic_dsl.runtime.engines.decode import Step
from agentic_dsl.runtime.matcher.semantic_matcher import minimum_tokens
from agentic_dsl.runtime.tokenizer import Tokenizer

torch = pytest.importorskip("torch")
pytest.importorskip("xgrammar")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
pytestmark = pytest.mark.masks

from agentic_dsl.runtime.engines.embedded import model_logits  # noqa: E402  # after the skip
from agentic_dsl.runtime.engines.embedded.kv_cache import read_in_place  # noqa: E402  # after the skip
from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits  # noqa: E402  # after the skip
from agentic_dsl.runtime.engines.local import LocalEngine  # noqa: E402  # after the skip
from agentic_dsl.runtime.engines.transformers import TransformersEngine  # noqa: E402

SAMPLE = Path(__file__).resolve().parents[3] / "examples" / "trip.md"
TOOL = ToolSpec(
    name="find_hotel",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "stars": {"enum": ["two", "three", "five"]}},
        "required": ["city"],
    },
)
SETS = (
    Constraints(tools=[TOOL], max_nodes=4, max_text_chars=30, max_output_tokens=200),
    Constraints(max_nodes=3, max_text_chars=20, allowed_node_types=["start", "assign", "end"], max_output_tokens=150),
    Constraints(
        path="/dynamic/other",
        tools=[TOOL],
        max_nodes=6,
        max_text_chars=20,
        context=ContextSignature(available_vars=["user"], required_outputs=("answer",)),
        max_output_tokens=240,
    ),
)


@pytest.fixture(scope="module")
def merging(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A byte-level BPE tokenizer that has learnt the layout, so that tokens cross the ends of forced text."""
    folder = tmp_path_factory.mktemp("tokenizer")
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<|end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([SAMPLE.read_text(encoding="utf-8")] * 4, trainer)
    backend.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def tiny(merging: Tokenizer) -> Any:
    """A random model in float32 over that tokenizer."""
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=merging.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.4,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    read_in_place(model)
    return model


class FreshLogits:
    """A `LogitsSource` without any cache: every row is read from its first token, alone, at every step."""

    takes_back = True

    def __init__(self, model: Any) -> None:
        self._model = model
        self.reused: list[int] = []
        self._rows: list[list[int]] = []
        self.dropped = 0

    def start(self, prompts: Sequence[Sequence[int]], spans: Sequence[Any]) -> Any:  # the port's
        self._rows = [list(prompt) for prompt in prompts]
        self.reused = [0] * len(prompts)
        return self._read()

    def step(self, steps: Sequence[Step]) -> Any:
        for row, step in zip(self._rows, steps, strict=True):
            del row[len(row) - step.drop :]
            row += step.tokens
            self.dropped += step.drop
        return self._read()

    def keep(self, rows: Sequence[int]) -> None:
        self._rows = [self._rows[row] for row in rows]

    def _read(self) -> Any:
        with torch.no_grad():
            return torch.cat([self._model(input_ids=torch.tensor([row])).logits[:, -1, :] for row in self._rows])


def engine_of(source: Any, tokenizer: Tokenizer, **options: Any) -> LocalEngine:
    return LocalEngine(tokenizer, lambda _: source(), context_tokens=2048, max_batch_size=8, mask_store=None, **options)


def requests(sets: Sequence[Constraints] = SETS, **sampling: Any) -> list[EngineRequest]:
    return [
        EngineRequest(
            prompt=Prompt((Message("user", "a plan, please" + " and quickly" * number),)),
            spec=compile_spec(constraints),
            sampling=Sampling(**sampling),
            max_output_tokens=constraints.max_output_tokens,
        )
        for number, constraints in enumerate(sets)
    ]


def outcome(result: EngineResult) -> tuple[object, ...]:
    return (result.error, result.text, result.token_ids, result.finish, result.stats.forward_passes)


@pytest.mark.parametrize(
    ("semantic", "sampling"),
    [(True, {}), (True, {"temperature": 0.7, "seed": 4}), (False, {"temperature": 0.7, "seed": 4})],
    ids=["greedy", "drawn", "grammar"],
)
def test_cached_answers_are_those_of_fresh_passes_over_the_whole_sequence(
    tiny: Any, merging: Tokenizer, semantic: bool, sampling: dict[str, Any]
) -> None:
    asked = requests(**sampling)
    fresh = FreshLogits(tiny)
    expected = [outcome(r) for r in engine_of(lambda: fresh, merging, semantic=semantic).generate(asked)]
    assert fresh.dropped > 0, "some tokens were replaced, or the test shows nothing"
    cached = engine_of(lambda: ModelLogits(tiny), merging, semantic=semantic)
    assert [outcome(r) for r in cached.generate(asked)] == expected
    assert [outcome(cached.generate([one])[0]) for one in asked] == expected


def test_closing_the_gaps_of_a_batch_changes_nothing(
    tiny: Any, merging: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests(temperature=0.9, seed=2)
    expected = [outcome(r) for r in engine_of(lambda: FreshLogits(tiny), merging).generate(asked)]
    monkeypatch.setattr(model_logits, "_GAPS", 1.0)
    monkeypatch.setattr(model_logits, "_GAPS_FROM", 1)
    assert [outcome(r) for r in engine_of(lambda: ModelLogits(tiny), merging).generate(asked)] == expected


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("semantic", [True, False])
def test_the_tokens_of_an_answer_are_those_of_the_tokenizer(merging: Tokenizer, seed: int, semantic: bool) -> None:
    llm = AgenticLLM("random", merging, closing_boost=4.0, semantic=semantic)
    constraints = Constraints(tools=[TOOL], max_nodes=5, max_text_chars=40)
    result = llm.generate_subgraph("x", constraints=constraints, sampling=Sampling(temperature=1.0, seed=seed))
    stats = result.stats
    assert stats.tokens == len(result.token_ids) == stats.forward_passes + stats.jump_forward_tokens
    assert stats.jump_forward_tokens > 0
    if result.token_ids[-1] in merging.eos_token_ids:
        assert list(result.token_ids[:-1]) == merging.encode(result.text)
    else:
        assert not semantic


@pytest.mark.parametrize("extra", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("seed", range(3))
def test_no_jump_breaks_the_budget(merging: Tokenizer, extra: int, seed: int) -> None:
    least = minimum_tokens(SETS[2], merging)
    constraints = SETS[2].model_copy(update={"max_output_tokens": least + extra})
    llm = AgenticLLM("random", merging)
    generation = llm.generate_subgraph("x", constraints=constraints, sampling=Sampling(temperature=1.0, seed=seed))
    assert generation.valid
    assert generation.stats.tokens <= least + extra


def test_an_answer_that_is_forced_from_its_first_token_to_its_last_takes_no_pass(merging: Tokenizer) -> None:
    constraints = SETS[1].model_copy(update={"max_output_tokens": minimum_tokens(SETS[1], merging)})
    generation = AgenticLLM("random", merging).generate_subgraph("x", constraints=constraints)
    assert generation.valid
    assert generation.stats.forward_passes == 0
    assert generation.stats.jump_forward_tokens == generation.stats.tokens


def test_switched_off_every_token_takes_a_pass(merging: Tokenizer) -> None:
    on, off = AgenticLLM("random", merging), AgenticLLM("random", merging, jump_forward=False)
    slow = off.generate_subgraph("x", constraints=SETS[0], seed=1).stats
    assert slow.jump_forward_tokens == 0
    assert slow.forward_passes == slow.tokens
    quick = on.generate_subgraph("x", constraints=SETS[0], seed=1).stats
    assert quick.forward_passes < 0.7 * quick.tokens


def test_a_model_that_cannot_take_tokens_back_goes_on_token_by_token(tiny: Any, merging: Tokenizer) -> None:
    class Forgetful(FreshLogits):
        takes_back = False

        def step(self, steps: Sequence[Step]) -> Any:
            assert all(step.drop == 0 and len(step.tokens) == 1 for step in steps)
            return super().step(steps)

    for result in engine_of(lambda: Forgetful(tiny), merging).generate(requests()):
        assert result.error is None
        head = result.stats.jump_forward_tokens
        assert 0 < head == result.stats.tokens - result.stats.forward_passes


def test_a_cache_of_sliding_windows_takes_no_tokens_back(merging: Tokenizer) -> None:
    config = transformers.MistralConfig(
        vocab_size=merging.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=16,
        pad_token_id=None,
    )
    source = ModelLogits(transformers.MistralForCausalLM(config).eval())
    source.start([[1, 2, 3]])
    assert not source.takes_back


# The embedded model


@pytest.mark.model
def test_the_embedded_model_writes_with_jumps_what_fresh_passes_write() -> None:
    if models.model_path("smollm2") is None:
        pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
    engine = TransformersEngine(dtype="float32")
    sets = [one.model_copy(update={"max_output_tokens": 160}) for one in SETS[:2]]
    asked = requests(sets)
    fresh = engine_of(lambda: FreshLogits(engine._model), engine.tokenizer)
    expected = [outcome(r) for r in fresh.generate(asked)]
    results = engine.generate(asked)
    assert [outcome(r) for r in results] == expected
    for result in results:
        assert list(result.token_ids[:-1]) == engine.tokenizer.encode(result.text)
