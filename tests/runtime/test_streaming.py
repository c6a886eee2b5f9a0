"""Streams: nodes as they are closed and proven, and no thread left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Sequence

import pytest

from agentic_dsl import AgenticLLM, ConstraintError, Constraints, EngineError, GenerationError, Sampling, ToolSpec
from agentic_dsl.runtime import models
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, OnToken
from agentic_dsl.runtime.proven_nodes import ProvenNodes

TOOL = ToolSpec(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
TEXT = """### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: start
    type: start
    next: ["/dynamic/plan/find"]
  - id: find
    type: tool_call
    tool: search
    arguments:
      query: "hotels"
    output_keys: ["hotels"]
    next: ["/dynamic/plan/end"]
  - id: end
    type: end
# --- END AgenticDSL ---
```
"""


class Typist(BlockingEngine):
    """An engine that types a text, three characters a pass, and says how far it came."""

    name = "typist"

    def __init__(self, text: str, pause: float = 0.0, error: Exception | None = None) -> None:
        self.text, self.pause, self.error = text, pause, error
        self.typed = 0

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        assert len(requests) == 1
        for end in range(3, len(self.text) + 3, 3):
            self.typed = min(end, len(self.text))
            time.sleep(self.pause)
            if on_token is not None:
                on_token(0, end // 3, self.text[:end])
        if self.error is not None:
            raise self.error
        return [EngineResult(text=self.text, finish="stop")]


def stream_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "agentic-dsl-stream"]


def constraints() -> Constraints:
    return Constraints(tools=[TOOL], max_nodes=5)


def test_each_node_comes_as_soon_as_the_next_line_closes_it() -> None:
    typist = Typist(TEXT, pause=0.001)
    seen: list[tuple[str, int]] = []
    stream = AgenticLLM(typist).stream_subgraph(
        "x", constraints=constraints(), on_token=lambda row, tokens, text: seen.append((text, tokens))
    )
    proven = ProvenNodes(constraints())
    first_at = next(end for end in range(len(TEXT)) if proven.read(TEXT[:end]))
    assert TEXT[:first_at].endswith("\n  - ")
    nodes = list(stream)
    assert [node.id for node in nodes] == ["start", "find", "end"]
    assert stream.generation.valid
    assert stream.generation.subgraph is not None
    assert tuple(nodes) == stream.generation.subgraph.nodes
    assert seen[-1][0] == TEXT


def test_a_node_with_an_error_and_those_behind_it_are_not_given() -> None:
    wrong = TEXT.replace("tool: search", "tool: hunt")
    stream = AgenticLLM(Typist(wrong)).stream_subgraph("x", constraints=constraints())
    assert [node.id for node in stream] == ["start"]
    assert not stream.generation.valid


def test_an_answer_outside_the_generated_layout_gives_its_nodes_at_the_end() -> None:
    loose = TEXT.replace("  - id: start\n    type: start", "  - type: start\n    id: start")
    proven = ProvenNodes(constraints())
    assert all(not proven.read(loose[:end]) for end in range(len(loose) + 1))
    stream = AgenticLLM(Typist(loose)).stream_subgraph("x", constraints=constraints())
    nodes = list(stream)
    assert stream.generation.subgraph is not None
    assert tuple(nodes) == stream.generation.subgraph.nodes[: len(nodes)]


def test_a_stream_that_is_closed_early_stops_the_engine_and_leaves_no_thread() -> None:
    typist = Typist(TEXT, pause=0.002)
    with AgenticLLM(typist).stream_subgraph("x", constraints=constraints()) as stream:
        assert next(stream).id == "start"
    assert not stream_threads()
    assert typist.typed < len(TEXT)
    assert list(stream) == []
    with pytest.raises(EngineError, match="not finished"):
        stream.generation  # noqa: B018  # the property raises


def test_a_stream_that_is_dropped_stops_the_engine_too() -> None:
    typist = Typist(TEXT, pause=0.002)
    stream = AgenticLLM(typist).stream_subgraph("x", constraints=constraints())
    next(stream)
    del stream
    gc.collect()
    for thread in stream_threads():
        thread.join(5)
    assert not stream_threads()
    assert typist.typed < len(TEXT)


def test_a_stream_that_nobody_reads_starts_nothing() -> None:
    typist = Typist(TEXT)
    AgenticLLM(typist).stream_subgraph("x", constraints=constraints()).close()
    assert typist.typed == 0


def test_what_goes_wrong_is_raised_where_the_stream_is_read() -> None:
    stream = AgenticLLM(Typist(TEXT, error=GenerationError("broken"))).stream_subgraph("x", constraints=constraints())
    with pytest.raises(GenerationError, match="broken"):
        list(stream)
    assert list(stream) == []
    with pytest.raises(ConstraintError):
        AgenticLLM(Typist(TEXT)).stream_subgraph("x", max_nodes=0)


def test_the_asynchronous_stream_gives_the_same_and_stops_the_same_way() -> None:
    async def read_all() -> list[str]:
        stream = AgenticLLM(Typist(TEXT)).astream_subgraph("x", constraints=constraints())
        found = [node.id async for node in stream]
        assert stream.generation.valid
        return found

    async def read_one() -> int:
        typist = Typist(TEXT, pause=0.002)
        async with AgenticLLM(typist).astream_subgraph("x", constraints=constraints()) as stream:
            assert (await anext(stream)).id == "start"
        assert not stream_threads()
        return typist.typed

    assert asyncio.run(read_all()) == ["start", "find", "end"]
    assert asyncio.run(read_one()) < len(TEXT)


def test_a_task_that_is_cancelled_while_it_waits_leaves_no_thread() -> None:
    async def cancelled() -> None:
        async with AgenticLLM(Typist(TEXT, pause=0.01)).astream_subgraph("x", constraints=constraints()) as stream:
            await asyncio.wait_for(anext(stream), timeout=0.03)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert not stream_threads()


@pytest.mark.masks
@pytest.mark.parametrize("seed", range(4))
def test_random_answers_stream_all_their_nodes(seed: int) -> None:
    llm = AgenticLLM("random", closing_boost=4.0)
    sampling = Sampling(temperature=1.0, seed=seed)
    wanted = Constraints(tools=[TOOL], max_nodes=6, max_text_chars=40)
    stream = llm.stream_subgraph("x", constraints=wanted, sampling=sampling)
    nodes = list(stream)
    whole = llm.generate_subgraph("x", constraints=wanted, sampling=sampling)
    assert stream.generation.valid
    assert stream.generation.text == whole.text
    assert whole.subgraph is not None
    assert tuple(nodes) == whole.subgraph.nodes


@pytest.mark.model
def test_the_embedded_model_streams_its_nodes() -> None:
    if models.model_path("smollm2") is None:
        pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
    stream = AgenticLLM().stream_subgraph(
        "Find a hotel in Lisbon.", constraints=Constraints(tools=[TOOL], max_nodes=3, max_output_tokens=160)
    )
    nodes = list(stream)
    assert stream.generation.valid
    assert stream.generation.subgraph is not None
    assert tuple(nodes) == stream.generation.subgraph.nodes
