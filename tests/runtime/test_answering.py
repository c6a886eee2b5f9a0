"""`Answering`: what the cache is asked, and engines that cannot say what they are."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from agentic_dsl import AgenticLLM, Constraints
from agentic_dsl.errors import ConstraintError, GenerationError
from agentic_dsl.runtime.engines.base import Sampling
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.observation.trace import TraceWriter
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from tests.runtime.engines.chat_server import ChatServer, chat_server

SMALL = Constraints(max_nodes=2, max_output_tokens=400)
NOWHERE = "http://127.0.0.1:1/v1"


def random_llm(cache: MemorySubgraphCache, **options: Any) -> AgenticLLM:
    return AgenticLLM(RandomEngine(**options), subgraph_cache=cache)


@pytest.mark.parametrize("options", [{"jump_forward": False}, {"closing_boost": 3.0}], ids=str)
def test_an_answer_made_with_other_options_is_no_hit(options: dict[str, Any]) -> None:
    cache = MemorySubgraphCache()
    made = random_llm(cache).generate_subgraph("go", constraints=SMALL, seed=1)
    assert random_llm(cache).generate_subgraph("go", constraints=SMALL, seed=1).cached
    other = random_llm(cache, **options)
    assert not other.generate_subgraph("go", constraints=SMALL, seed=1).cached
    assert random_llm(cache).generate_subgraph("go", constraints=SMALL, seed=1).text == made.text


def test_the_fields_that_a_server_gets_are_part_of_what_answers_depend_on() -> None:
    with chat_server() as server:
        engines = [
            OpenAIEngine("tiny", base_url=server.url, extra_body=body) for body in ({}, {"top_k": 3}, {"top_k": 4})
        ]
        assert len({engine.identity for engine in engines}) == 3
        assert {engine.name for engine in engines} == {"openai/tiny"}
        for engine in engines:
            engine.close()


def slow_models(server: ChatServer, seconds: float) -> None:
    """The server takes so long to say which models it has."""
    handler = server.RequestHandlerClass

    class Slow(handler):  # type: ignore[misc, valid-type]  # the server's own class
        def do_GET(self) -> None:
            time.sleep(seconds)
            super().do_GET()

    server.RequestHandlerClass = Slow


def test_the_loop_stays_free_while_a_server_says_which_model_it_has() -> None:
    async def longest_gap(llm: AgenticLLM) -> float:
        async def tick() -> float:
            longest, before = 0.0, time.monotonic()
            while True:
                try:
                    await asyncio.sleep(0.02)
                except asyncio.CancelledError:
                    return longest
                now = time.monotonic()
                longest, before = max(longest, now - before), now

        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0.05)
        await llm.agenerate_subgraph("go", constraints=SMALL, sampling=Sampling(seed=1))
        ticking.cancel()
        return await ticking

    with chat_server() as server:
        slow_models(server, 1.0)
        engine = OpenAIEngine(base_url=server.url)
        llm = AgenticLLM(engine, subgraph_cache=MemorySubgraphCache())
        assert asyncio.run(longest_gap(llm)) < 0.6
        assert engine.name == "openai/tiny"
        llm.close()


@pytest.mark.parametrize("cached", [False, True])
def test_a_server_without_a_model_name_that_is_down_fails_each_request_and_is_traced(
    tmp_path: Path, cached: bool
) -> None:
    file = tmp_path / "trace.jsonl"
    engine = OpenAIEngine(base_url=NOWHERE, max_retries=0)
    with TraceWriter(file) as writer:
        llm = AgenticLLM(
            engine, subgraph_cache=MemorySubgraphCache() if cached else None, observers=Observers((writer,))
        )
        answers = llm.batch_generate_subgraphs(["a", "b"], constraints=SMALL, seed=1)
        llm.close()
    assert [type(answer.error) for answer in answers] == [GenerationError, GenerationError]
    assert len(file.read_text().splitlines()) == 2


def test_a_trace_names_the_model_that_the_server_turned_out_to_have(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    with chat_server() as server, TraceWriter(file) as writer:
        llm = AgenticLLM(OpenAIEngine(base_url=server.url), observers=Observers((writer,)))
        llm.generate_subgraph("go", constraints=SMALL, seed=1)
        llm.close()
    assert "tiny" in file.read_text()


def test_a_subgraph_for_a_request_that_cannot_be_made_is_that_requests_error() -> None:
    llm = random_llm(MemorySubgraphCache())
    made = llm.generate_subgraph("go", constraints=SMALL, seed=1)
    assert made.subgraph is not None
    with pytest.raises(ConstraintError, match="max_nodes"):
        llm.cache_subgraph(made.subgraph, "other", max_nodes=0)
