"""Nodes of answers that an engine begins again: what was given is in the answer, or the stream fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentic_dsl import AgenticLLM, Constraints, GenerationError, Sampling
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, FinishReason, OnToken
from agentic_dsl.runtime.proven_nodes import ProvenNodes
from agentic_dsl.runtime.reparse import reparse
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache

WANTED = Constraints(max_nodes=5, allowed_node_types=("assign", "end"))


def node(name: str, successor: str | None, value: str = "x") -> str:
    if successor is None:
        return f"  - id: {name}\n    type: end\n"
    setting = f'    assign:\n      said: "{value}"\n'
    return f'  - id: {name}\n    type: assign\n{setting}    next: ["/dynamic/plan/{successor}"]\n'


def answer(*nodes: str) -> str:
    head = "### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
    return head + "".join(nodes) + "# --- END AgenticDSL ---\n```\n"


TEXT = answer(node("a", "b"), node("b", "c"), node("c", None))
OTHER_SECOND = answer(node("a", "b"), node("b", "c", "y"), node("c", None))
OTHER_FIRST = answer(node("a", "b", "y"), node("b", "c"), node("c", None))
SHORT = answer(node("a", None))


def grown(text: str, upto: str | None = None) -> list[str]:
    """A text as it grows, a character at a time, at most until it ends so."""
    size = len(text) if upto is None else text.index(upto) + len(upto)
    return [text[:end] for end in range(1, size + 1)]


def given(proven: ProvenNodes, texts: Sequence[str]) -> list[str]:
    return [found.id for text in texts for found in proven.read(text)]


def end(proven: ProvenNodes, text: str, *, complete: bool = True) -> list[str]:
    found = reparse(text, WANTED, complete=complete)
    return [node.id for node in proven.rest(found.subgraph, found.diagnostics, len(text))]


def test_an_answer_that_is_begun_again_and_says_the_same_gives_no_node_twice() -> None:
    proven = ProvenNodes(WANTED)
    assert given(proven, grown(TEXT, "  - id: c")) == ["a", "b"]
    assert given(proven, grown(TEXT, "  - id: b")) == []
    assert given(proven, grown(TEXT)) == ["c"]
    assert end(proven, TEXT) == []


def test_before_the_first_node_is_given_another_answer_is_as_good() -> None:
    proven = ProvenNodes(WANTED)
    assert given(proven, grown(OTHER_FIRST, "said:")) == []
    assert given(proven, grown(TEXT)) == ["a", "b", "c"]


def test_another_answer_with_the_nodes_that_were_given_goes_on_behind_them() -> None:
    proven = ProvenNodes(WANTED)
    assert given(proven, grown(TEXT, "  - id: b")) == ["a"]
    assert given(proven, grown(OTHER_SECOND)) == ["b", "c"]
    assert end(proven, OTHER_SECOND) == []


def test_a_header_that_differs_is_no_node_that_differs() -> None:
    proven = ProvenNodes(WANTED)
    loose = TEXT.replace("graph_type: subgraph\n", "graph_type:  subgraph\n")
    assert given(proven, grown(TEXT, "  - id: b")) == ["a"]
    assert given(proven, grown(loose)) == []
    assert end(proven, loose) == ["b", "c"]


@pytest.mark.parametrize(
    ("again", "lost"),
    [(OTHER_SECOND, "1 node that was given no longer holds"), (OTHER_FIRST, "2 nodes that were given no longer hold")],
)
def test_a_node_that_differs_from_the_one_given_is_an_error_at_once(again: str, lost: str) -> None:
    proven = ProvenNodes(WANTED)
    assert given(proven, grown(TEXT, "  - id: c")) == ["a", "b"]
    with pytest.raises(GenerationError, match=f"the answer was begun again, and {lost}") as caught:
        given(proven, grown(again))
    assert caught.value.help is not None
    assert "seed" in caught.value.help


@pytest.mark.parametrize("final", [SHORT, "Which city?", "", OTHER_SECOND])
def test_the_final_answer_has_to_hold_what_was_given(final: str) -> None:
    proven = ProvenNodes(WANTED)
    assert given(proven, grown(TEXT, "  - id: c")) == ["a", "b"]
    with pytest.raises(GenerationError, match="begun again"):
        end(proven, final)


def test_an_answer_outside_the_layout_that_is_begun_again_in_it_gives_its_nodes_as_they_come() -> None:
    proven = ProvenNodes(WANTED)
    assert given(proven, grown(TEXT.replace("  - id: a\n    type: assign", "  - type: assign\n    id: a"))) == []
    assert given(proven, grown(TEXT, "  - id: c")) == ["a", "b"]


def test_a_cut_answer_holds_what_was_given_wherever_it_was_cut() -> None:
    for text in grown(TEXT):
        proven = ProvenNodes(WANTED)
        given(proven, [text])
        assert end(proven, text, complete=False) == []


class Restarting(BlockingEngine):
    """An engine that types texts one after the other, as one answer that is begun again; the last one is the answer."""

    name = "restarting"

    def __init__(self, *texts: str, finish: FinishReason = "stop") -> None:
        self.texts, self.finish = texts, finish
        self.calls = 0

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.calls += 1
        for text in self.texts if self.calls == 1 else self.texts[-1:]:
            for size in range(7, len(text) + 7, 7):
                if on_token is not None:
                    on_token(0, size, text[:size])
        return [EngineResult(text=self.texts[-1], finish=self.finish)]


def test_a_stream_fails_where_nodes_that_it_gave_are_not_in_the_answer() -> None:
    broken = TEXT[: TEXT.index("  - id: c") + 9]
    with AgenticLLM(Restarting(broken, OTHER_FIRST)).stream_subgraph("x", constraints=WANTED) as stream:
        assert [next(stream).id, next(stream).id] == ["a", "b"]
        with pytest.raises(GenerationError, match="2 nodes that were given"):
            next(stream)
        assert list(stream) == []


def test_a_stream_whose_answer_is_begun_again_ends_with_the_nodes_of_the_answer() -> None:
    broken = TEXT[: TEXT.index("  - id: b") + 9]
    for final in (TEXT, OTHER_SECOND):
        with AgenticLLM(Restarting(broken, final)).stream_subgraph("x", constraints=WANTED) as stream:
            nodes = tuple(stream)
        assert stream.generation.subgraph is not None
        assert nodes == stream.generation.subgraph.nodes


def test_what_fails_one_reader_is_no_answer_for_the_cache() -> None:
    broken = TEXT[: TEXT.index("  - id: c") + 9]
    engine = Restarting(broken, OTHER_FIRST)
    llm = AgenticLLM(engine, subgraph_cache=MemorySubgraphCache())
    with llm.stream_subgraph("x", constraints=WANTED) as stream, pytest.raises(GenerationError, match="begun again"):
        list(stream)
    assert llm.generate_subgraph("x", constraints=WANTED).valid
    assert engine.calls == 2


@pytest.mark.masks
def test_random_answers_that_are_begun_again_stream_what_they_end_with_or_fail() -> None:
    wanted = Constraints(max_nodes=4, min_nodes=4, max_text_chars=20)
    sampling = Sampling(temperature=1.0)
    llm = AgenticLLM("random", closing_boost=5.0)
    first, second = (llm.generate_subgraph("x", constraints=wanted, sampling=sampling, seed=seed) for seed in (1, 2))
    broken = first.text[: first.text.rindex("  - id: ") + 10]
    stream = AgenticLLM(Restarting(broken, second.text)).stream_subgraph("x", constraints=wanted)
    with pytest.raises(GenerationError, match="3 nodes that were given no longer hold"):
        list(stream)
    same = AgenticLLM(Restarting(broken, first.text)).stream_subgraph("x", constraints=wanted)
    assert first.subgraph is not None
    assert tuple(same) == first.subgraph.nodes
