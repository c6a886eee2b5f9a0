"""`AgenticLLM`: from a task and constraints to a checked subgraph, alone, in batches and asynchronously."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

import agentic_dsl
from agentic_dsl.compiler.pipeline import without_overlay
from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec
from agentic_dsl.errors import ConstraintError, EngineError, GenerationError, ModelError
from agentic_dsl.format import format_document
from agentic_dsl.runtime import models
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, OnToken, Sampling, Stats
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.jobs import default_token_cap
from agentic_dsl.runtime.masks import compile_masks
from agentic_dsl.runtime.prompt import build_prompt
from agentic_dsl.runtime.tokenizer import load_tokenizer

SEARCH = ToolSpec(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    returns={"type": "object", "properties": {"hits": {"type": "array"}}},
)
SMALL = Constraints(max_nodes=3, tools=(SEARCH,), allowed_node_types=("tool_call", "assign", "end"))

ANSWER = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: find
    type: tool_call
    tool: search
    arguments:
      query: "news"
    output_keys: ["hits"]
    next: ["/dynamic/plan/done"]
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""


@dataclass
class Scripted(BlockingEngine):
    """An engine that answers from a list and remembers what it was asked."""

    answers: list[str | GenerationError]
    finish: str = "stop"
    asked: list[EngineRequest] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    name: str = "scripted"

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.threads.add(threading.current_thread().name)
        results = []
        for row, request in enumerate(requests):
            answer = self.answers[len(self.asked) % len(self.answers)]
            self.asked.append(request)
            if isinstance(answer, GenerationError):
                results.append(EngineResult.failed(answer, (1, 2)))
                continue
            if on_token is not None:
                on_token(row, 3, answer)
            results.append(
                EngineResult(
                    text=answer,
                    token_ids=(5, 6, 7),
                    prompt_token_ids=(1, 2),
                    finish=self.finish,  # type: ignore[arg-type]  # one of the words
                    stats=Stats(tokens=3, prompt_tokens=2),
                )
            )
        return results


# One generation


def test_a_valid_answer_comes_back_as_a_checked_subgraph() -> None:
    engine = Scripted([ANSWER])
    generation = AgenticLLM(engine).generate_subgraph("find news", constraints=SMALL)
    assert generation.valid
    assert generation.text == ANSWER
    assert generation.subgraph is not None
    assert [node.id for node in generation.subgraph.nodes] == ["find", "done"]
    assert (generation.token_ids, generation.prompt_token_ids, generation.stats.tokens) == ((5, 6, 7), (1, 2), 3)
    assert not any(finding.is_error for finding in generation.diagnostics)
    assert generation.report == without_overlay(agentic_dsl.compile(SMALL).report)
    assert generation.cached is False
    [request] = engine.asked
    assert request.prompt == build_prompt("find news", SMALL)
    assert request.spec == agentic_dsl.compile(SMALL)
    assert request.sampling == Sampling()


def test_an_answer_that_the_grammar_could_not_keep_from_error_says_so() -> None:
    broken = ANSWER.replace("plan/done", "plan/gone")
    generation = AgenticLLM(Scripted([broken])).generate_subgraph("x", constraints=SMALL)
    assert not generation.valid
    assert generation.subgraph is not None
    assert "ADL301" in {finding.code for finding in generation.diagnostics}


def test_an_answer_cut_by_its_limit_is_incomplete() -> None:
    engine = Scripted([ANSWER[:200]], finish="length")
    generation = AgenticLLM(engine).generate_subgraph("x", constraints=SMALL)
    assert not generation.valid
    assert [finding.code for finding in generation.diagnostics] == ["ADL711"]
    assert generation.error is None


def test_arguments_replace_fields_of_the_constraints() -> None:
    engine = Scripted([ANSWER])
    AgenticLLM(engine).generate_subgraph(
        "x",
        constraints=SMALL,
        max_output_tokens=99,
        max_nodes=2,
        allowed_node_types=["end", "tool_call"],
        context_signature=ContextSignature(available_vars={"city": "string"}),
        seed=4,
        sampling=Sampling(temperature=0.5, seed=1),
    )
    [request] = engine.asked
    assert request.spec is not None
    wanted = request.spec.constraints
    assert (wanted.max_nodes, wanted.allowed_node_types, wanted.max_output_tokens) == (2, ("end", "tool_call"), 99)
    assert wanted.context == ContextSignature(available_vars={"city": "string"})
    assert wanted.tools == SMALL.tools
    assert request.sampling == Sampling(temperature=0.5, seed=4)
    assert request.max_output_tokens == 99


def test_without_constraints_the_defaults_hold() -> None:
    engine = Scripted([ANSWER])
    AgenticLLM(engine).generate_subgraph("x")
    assert engine.asked[0].spec == agentic_dsl.compile(Constraints())
    assert engine.asked[0].max_output_tokens is None
    assert engine.asked[0].token_cap == default_token_cap(Constraints())


def test_contradicting_arguments_are_refused_before_any_model_runs() -> None:
    engine = Scripted([ANSWER])
    for wrong in ({"max_nodes": 0}, {"allowed_node_types": []}, {"allowed_node_types": ["magic"]}):
        with pytest.raises(ConstraintError):
            AgenticLLM(engine).generate_subgraph("x", **wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConstraintError, match="min_nodes"):
        AgenticLLM(engine).generate_subgraph("x", constraints=Constraints(min_nodes=5), max_nodes=2)
    assert engine.asked == []


def test_a_failure_of_the_engine_is_raised_for_a_single_generation() -> None:
    with pytest.raises(GenerationError, match="lost"):
        AgenticLLM(Scripted([GenerationError("lost")])).generate_subgraph("x")


def test_the_cap_grows_with_what_is_asked_for() -> None:
    assert default_token_cap(Constraints(max_nodes=5)) == 1_113
    assert default_token_cap(Constraints(max_nodes=6)) > default_token_cap(Constraints(max_nodes=5))
    assert default_token_cap(Constraints(max_text_chars=900)) > default_token_cap(Constraints())
    assert default_token_cap(Constraints(max_subgraphs=2)) > default_token_cap(Constraints())


# Batches


def test_a_batch_keeps_its_order_and_one_failure_spoils_no_other() -> None:
    engine = Scripted([ANSWER, GenerationError("lost"), ANSWER])
    first, second, third = AgenticLLM(engine).batch_generate_subgraphs(["a", "b", "c"], constraints=SMALL)
    assert first.valid
    assert third.valid
    assert not second.valid
    assert str(second.error) == "lost"
    assert second.prompt_token_ids == (1, 2)
    assert [request.prompt.messages[-1].content for request in engine.asked] == ["Task: a", "Task: b", "Task: c"]


def test_each_prompt_may_have_its_own_constraints_and_context() -> None:
    engine = Scripted([ANSWER])
    contexts = [ContextSignature(available_vars={"a": "any"}), None]
    AgenticLLM(engine).batch_generate_subgraphs(
        ["x", "y"], constraints=[SMALL, Constraints(max_nodes=2)], context_signatures=contexts
    )
    wanted = [request.spec.constraints for request in engine.asked if request.spec is not None]
    assert [c.max_nodes for c in wanted] == [3, 2]
    assert [c.context for c in wanted] == contexts


def test_one_impossible_row_does_not_keep_the_others_from_their_answers() -> None:
    engine = Scripted([ANSWER])
    seen: list[int] = []
    good, bad, also = AgenticLLM(engine).batch_generate_subgraphs(
        ["x", "y", "z"],
        constraints=[SMALL, Constraints(min_nodes=4), SMALL],
        max_nodes=3,
        on_token=lambda row, tokens, text: seen.append(row),
    )
    assert good.valid
    assert also.valid
    assert isinstance(bad.error, ConstraintError)
    assert seen == [0, 2], "progress counts prompts, not what reached the engine"


def test_the_seeds_of_a_batch_count_up() -> None:
    engine = Scripted([ANSWER])
    AgenticLLM(engine).batch_generate_subgraphs(["x", "x", "x"], seed=40, sampling=Sampling(temperature=1.0))
    assert [request.sampling.seed for request in engine.asked] == [40, 41, 42]
    AgenticLLM(engine).batch_generate_subgraphs(["x"], sampling=Sampling(temperature=1.0))
    assert engine.asked[-1].sampling.seed is None


def test_lists_of_other_lengths_are_misuse() -> None:
    llm = AgenticLLM(Scripted([ANSWER]))
    with pytest.raises(ValueError, match="argument"):
        llm.batch_generate_subgraphs(["x", "y"], constraints=[SMALL])
    with pytest.raises(ValueError, match="argument"):
        llm.batch_generate_subgraphs(["x"], context_signatures=[None, None])


def test_no_prompts_are_no_answers_and_no_call() -> None:
    engine = Scripted([ANSWER])
    assert AgenticLLM(engine).batch_generate_subgraphs([]) == []
    assert engine.threads == set()


# Asynchronous


def test_the_asynchronous_twins_answer_the_same_and_leave_the_loop_free() -> None:
    engine = Scripted([ANSWER])
    llm = AgenticLLM(engine)

    async def both() -> tuple[Generation, list[Generation]]:
        one = llm.agenerate_subgraph("x", constraints=SMALL)
        many = llm.abatch_generate_subgraphs(["y", "z"], constraints=SMALL)
        return await asyncio.gather(one, many)

    one, many = asyncio.run(both())
    assert one == llm.generate_subgraph("x", constraints=SMALL)
    assert [generation.text for generation in many] == [ANSWER, ANSWER]
    assert engine.threads - {threading.main_thread().name}


# Engines by name


def test_an_unknown_engine_is_named_with_those_there_are() -> None:
    with pytest.raises(EngineError, match="name one of: transformers, random"):
        AgenticLLM("magic")
    with pytest.raises(EngineError, match="no model and no options"):
        AgenticLLM(Scripted([ANSWER]), "smollm2")


def test_the_default_engine_names_the_command_that_fetches_its_model(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(tmp_path))
    with pytest.raises(ModelError, match="agentic-dsl models pull smollm2"):
        AgenticLLM()


@pytest.mark.masks
@pytest.mark.parametrize("boost", [0.0, 5.0])
def test_random_answers_follow_the_grammar_and_whole_ones_parse_as_printed(boost: float) -> None:
    pytest.importorskip("xgrammar")
    constraints = [
        SMALL,
        Constraints(max_nodes=2, max_text_chars=40),
        Constraints(path="/lib/workflow/x", max_nodes=3),
        Constraints(max_nodes=4, signature="(q: string) -> {a: string}", max_subgraph_depth=0),
    ]
    llm = AgenticLLM("random", closing_boost=boost)
    wanted = [constraints[number % len(constraints)] for number in range(16)]
    generations = llm.batch_generate_subgraphs(
        ["go"] * len(wanted),
        constraints=wanted,
        seed=100,
        sampling=Sampling(temperature=1.0),
        max_output_tokens=1500 if boost else 300,
    )
    for own, generation in zip(wanted, generations, strict=True):
        assert generation.error is None
        spec = agentic_dsl.compile(own, dialect="xgrammar")
        matcher = compile_masks(spec.grammar, load_tokenizer("bytes")).matcher()
        assert all(matcher.accept(token_id) for token_id in generation.token_ids)
        if matcher.is_terminated():
            assert generation.document is not None
            assert not generation.document.has_errors
            assert format_document(generation.document) == generation.text
            assert generation.subgraph is not None
            assert len(generation.subgraph.nodes) <= own.max_nodes
    assert any(g.token_ids[-1] == 256 for g in generations) or not boost


# The embedded model


@pytest.mark.model
@pytest.mark.masks
def test_the_embedded_model_writes_a_subgraph_that_the_grammar_accepts_and_that_parses() -> None:
    if models.model_path("smollm2") is None:
        pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
    llm = AgenticLLM()
    shown: list[str] = []
    generation = llm.generate_subgraph(
        "Search the web for news about Lisbon.",
        constraints=SMALL,
        max_output_tokens=400,
        on_token=lambda row, tokens, text: shown.append(text),
    )
    spec = agentic_dsl.compile(SMALL.model_copy(update={"max_output_tokens": 400}))
    matcher = compile_masks(spec.grammar, load_tokenizer("smollm2")).matcher()
    assert all(matcher.accept(token_id) for token_id in generation.token_ids)
    assert shown[-1] == generation.text
    assert generation.text.startswith("### AgenticDSL `/dynamic/plan`\n")
    assert generation.stats.mask_us > 0
    if matcher.is_terminated():
        assert generation.document is not None
        assert not generation.document.has_errors
        assert 1 <= len(generation.subgraph.nodes if generation.subgraph else ()) <= 3
    else:
        assert [finding.code for finding in generation.diagnostics] == ["ADL711"]
    # Whether it is valid is the model's doing: a grammar cannot make references resolve. It is never claimed wrongly.
    assert generation.valid == (
        generation.subgraph is not None and not any(finding.is_error for finding in generation.diagnostics)
    )
