"""Mixed answers from end to end: the model chooses, and the result says what it chose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agentic_dsl import AgenticLLM, Constraints
from agentic_dsl.codes import INCOMPLETE
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, OnToken, Sampling
from agentic_dsl.runtime.engines.http.grammar_echo import departure
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.prompt import build_prompt
from agentic_dsl.runtime.proven_nodes import ProvenNodes
from agentic_dsl.runtime.reparse import reparse
from benchmarks.constraint_sets import MIXED, constraint_set

FREE = Constraints(max_nodes=2, max_text_chars=20, allow_free_text=True)
LIMITED = FREE.model_copy(update={"allow_free_text": False})
BLOCK = """### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""


def biased(byte: str, **options: object) -> AgenticLLM:
    """The random engine with a liking for one byte, which it takes wherever that is allowed first."""
    engine = RandomEngine(closing_boost=6.0, **options)  # type: ignore[arg-type]
    engine._bias[ord(byte)] += 5.0 if byte != "#" else 12.0
    return AgenticLLM(engine)


# --- the engine chooses ----------------------------------------------------------------------------------------------


@pytest.mark.masks
@pytest.mark.parametrize("seed", range(4))
def test_a_model_that_begins_a_block_gets_a_subgraph_and_one_that_does_not_its_text(seed: int) -> None:
    plan = biased("#").generate_subgraph("x", constraints=FREE, seed=seed)
    assert (plan.kind, plan.valid) == ("subgraph", True)
    assert plan.subgraph is not None
    text = biased("H").generate_subgraph("x", constraints=FREE, seed=seed)
    assert (text.kind, text.valid, text.subgraph, text.diagnostics) == ("text", True, None, ())
    assert text.text
    assert text.document is not None
    assert (text.document.blocks, text.document.source.text) == ((), text.text)
    assert text.stats.jump_forward_tokens == 0
    assert plan.stats.jump_forward_tokens > 0


@pytest.mark.masks
def test_the_keyword_replaces_the_field_both_ways_in_single_calls_batches_and_streams() -> None:
    llm = biased("H")
    assert llm.generate_subgraph("x", constraints=LIMITED, seed=1).kind == "subgraph"
    assert llm.generate_subgraph("x", constraints=LIMITED, seed=1, allow_free_text=True).kind == "text"
    assert llm.generate_subgraph("x", constraints=FREE, seed=1, allow_free_text=False).kind == "subgraph"
    batch = llm.batch_generate_subgraphs(["x", "y"], constraints=LIMITED, seed=1, allow_free_text=True)
    assert [answer.kind for answer in batch] == ["text", "text"]
    with llm.stream_subgraph("x", constraints=LIMITED, seed=1, allow_free_text=True) as stream:
        assert list(stream) == []
    assert stream.generation.kind == "text"


@pytest.mark.masks
@pytest.mark.parametrize("spare", [0, 7])
def test_within_a_budget_both_answers_are_complete(spare: int) -> None:
    from agentic_dsl.runtime.matcher.semantic_matcher import minimum_tokens
    from agentic_dsl.runtime.tokenizer import load_tokenizer

    budget = minimum_tokens(FREE, load_tokenizer("bytes")) + spare
    for byte, kind in (("#", "subgraph"), ("H", "text")):
        answer = biased(byte).generate_subgraph("x", constraints=FREE, seed=3, max_output_tokens=budget)
        assert (answer.kind, answer.valid) == (kind, True)
        assert len(answer.token_ids) <= budget


@pytest.mark.masks
def test_an_engine_with_the_grammar_alone_can_choose_too() -> None:
    answer = biased("H", semantic=False).generate_subgraph("x", constraints=FREE, seed=2)
    assert (answer.kind, answer.valid) == ("text", True)


@pytest.mark.masks
@pytest.mark.parametrize("number", MIXED)
def test_mixed_constraint_sets_give_valid_answers_whatever_is_chosen(number: int) -> None:
    for byte in "#H":
        answer = biased(byte).generate_subgraph("x", constraints=constraint_set(number), seed=5)
        assert answer.valid, answer.diagnostics
        assert answer.kind == ("subgraph" if byte == "#" else "text")


@pytest.mark.masks
@pytest.mark.parametrize("budget", [None, 80])
def test_a_block_that_begins_with_a_token_of_its_own_is_tokenised_again_when_the_rest_is_forced(
    budget: int | None,
) -> None:
    from agentic_dsl.runtime import models

    if models.model_path("smollm2") is None:
        pytest.skip("the tokenizer of the model is not there: agentic-dsl models pull smollm2")
    engine = RandomEngine("smollm2", closing_boost=8.0)
    [one] = [i for i, token in enumerate(engine.tokenizer.vocabulary.tokens) if token == b"#"]
    engine._bias[one] += 30.0
    answer = AgenticLLM(engine).generate_subgraph("x", constraints=FREE, seed=2, max_output_tokens=budget)
    assert (answer.kind, answer.valid) == ("subgraph", True)
    assert answer.token_ids[0] != one  # the heading has one token for all of its marks
    assert answer.stats.jump_forward_tokens > 20


# --- what is not believed --------------------------------------------------------------------------------------------


class Saying(BlockingEngine):
    """An engine that says one thing, a character a pass, and ends as it is told."""

    name = "saying"

    def __init__(self, text: str, finish: str = "stop") -> None:
        self.text, self.finish = text, finish

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        for size in range(1, len(self.text) + 1):
            if on_token is not None:
                on_token(0, size, self.text[:size])
        return [EngineResult(text=self.text, finish=self.finish) for _ in requests]  # type: ignore[arg-type]


def say(text: str, constraints: Constraints, finish: str = "stop") -> Generation:
    return AgenticLLM(Saying(text, finish)).generate_subgraph("x", constraints=constraints)


def test_the_same_text_is_no_answer_where_prose_is_not_allowed() -> None:
    assert say("Which city?", FREE).valid
    refused = say("Which city?", LIMITED)
    assert (refused.kind, refused.valid) == ("subgraph", False)


@pytest.mark.parametrize("text", ["", " Hello", "\n\n", "# A heading", "#"])
def test_what_is_neither_prose_nor_a_block_is_invalid(text: str) -> None:
    answer = say(text, FREE)
    assert (answer.kind, answer.valid) == ("subgraph", False)
    assert answer.diagnostics


def test_prose_that_was_cut_says_so_and_is_still_text() -> None:
    cut = say("Which ci", FREE, "length")
    assert (cut.kind, cut.valid, cut.subgraph) == ("text", False, None)
    assert [finding.code for finding in cut.diagnostics] == [INCOMPLETE.code]
    assert cut.diagnostics[0].help == "raise max_output_tokens"
    assert cut.diagnostics[0].span.start == len("Which ci")


def test_a_failed_request_has_no_text() -> None:
    from agentic_dsl import GenerationError

    failed = Generation.failed(GenerationError("no"))
    assert (failed.kind, failed.valid) == ("subgraph", False)


def test_a_block_inside_prose_is_not_read_and_streams_no_node() -> None:
    text = f"Here it is:\n\n{BLOCK}"
    assert reparse(BLOCK, FREE).kind == "subgraph"
    answer = reparse(text, FREE)
    assert (answer.kind, answer.subgraph, answer.document.blocks, answer.valid) == ("text", None, (), True)
    proven = ProvenNodes(FREE)
    assert [node for size in range(1, len(text) + 1) for node in proven.read(text[:size])] == []
    assert proven.rest(answer.subgraph, answer.diagnostics, len(text)) == []
    with AgenticLLM(Saying(text)).stream_subgraph("x", constraints=FREE) as stream:
        assert list(stream) == []
    assert stream.generation.kind == "text"
    with AgenticLLM(Saying(BLOCK)).stream_subgraph("x", constraints=FREE) as stream:
        assert [node.id for node in stream] == ["done"]


def test_prose_is_no_departure_from_a_grammar_that_has_it() -> None:
    assert departure("Which city?", FREE, complete=True) is None
    assert departure("Which", FREE, complete=False) is None
    assert departure("Which city?", LIMITED, complete=True) is not None
    for text in (" Which city?", "# Cities", ""):
        assert departure(text, FREE, complete=True) is not None
    assert departure("### Agen", FREE, complete=False) is None


def test_the_prompt_tells_the_model_in_one_line_that_it_may_choose() -> None:
    plain, mixed = (build_prompt("x", each).messages[0].content.splitlines() for each in (LIMITED, FREE))
    added = [line for line in mixed if line not in plain]
    assert len(added) == 1
    assert "plain text" in added[0]
    assert [line for line in mixed if line not in added] == plain


@pytest.mark.masks
def test_an_answer_that_is_not_believed_keeps_its_report() -> None:
    spec = compile(FREE)
    kept = Generation.of(spec, EngineResult(text="Hello.", finish="stop", overlay=True))
    assert kept.report == spec.report
    assert (kept.kind, kept.valid) == ("text", True)


@pytest.mark.masks
def test_sampling_with_a_seed_repeats_prose() -> None:
    sampling = Sampling(temperature=1.0, seed=4)
    one, again = (biased("H").generate_subgraph("x", constraints=FREE, sampling=sampling) for _ in range(2))
    assert (one.text, one.token_ids) == (again.text, again.token_ids)
    assert one.kind == "text"


@pytest.mark.parametrize("on_disk", [False, True])
def test_prose_in_the_cache_comes_back_as_prose(tmp_path: Path, on_disk: bool) -> None:
    from agentic_dsl.runtime.subgraph_cache.checked import CheckedCache
    from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
    from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

    cache = CheckedCache(SqliteSubgraphCache(tmp_path / "cache.db") if on_disk else MemorySubgraphCache())
    request = cache.request("x", FREE, engine="saying", sampling=Sampling())
    assert cache.put(request, say("Which city?", FREE))
    found = cache.get(request)
    assert found is not None
    assert (found.kind, found.valid, found.cached, found.text) == ("text", True, True, "Which city?")
