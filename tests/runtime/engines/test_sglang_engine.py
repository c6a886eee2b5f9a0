"""The engine behind SGLang servers: SGLang's own fields, beside everything that the OpenAI engine does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("xgrammar")
pytest.importorskip("httpx")

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt, Sampling
from agentic_dsl.runtime.engines.sglang import SGLangEngine
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.wire import read_contract
from tests.runtime.engines.chat_server import ChatServer, chat_server

pytestmark = pytest.mark.masks

SMALL = Constraints(max_nodes=3, allowed_node_types=("assign", "end"), max_text_chars=12, max_identifier_chars=4)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server(ids="sglang", overlay=True) as server:
        yield server


@pytest.fixture
def engine(server: ChatServer) -> Iterator[SGLangEngine]:
    engine = SGLangEngine("tiny", base_url=server.url, send_priority=True)
    yield engine
    engine.close()


def request(priority: int = 0) -> EngineRequest:
    prompt = Prompt((Message("user", "go"),))
    sampling = Sampling(temperature=1.0, seed=5)
    return EngineRequest(prompt=prompt, spec=compile(SMALL), sampling=sampling, token_cap=900, priority=priority)


def test_a_subgraph_makes_the_round_trip(engine: SGLangEngine) -> None:
    assert engine.name == "sglang/tiny"
    generation = AgenticLLM(engine).generate_subgraph(
        "go", constraints=SMALL, seed=3, sampling=Sampling(temperature=1.0)
    )
    assert generation.valid
    assert len(generation.token_ids) == generation.stats.tokens > 0
    assert generation.prompt_token_ids


def test_grammar_and_priority_are_spelled_as_sglang_reads_them(server: ChatServer, engine: SGLangEngine) -> None:
    engine.generate([request(priority=4)])
    body = server.chats[0].body
    assert read_contract(body["ebnf"]).constraints == SMALL
    assert "structured_outputs" not in body
    # Higher numbers go first there, lower ones here.
    assert body["priority"] == -4


def test_streams_bring_the_ids_in_sglangs_extension(server: ChatServer, engine: SGLangEngine) -> None:
    [whole] = engine.generate([request()])
    calls: list[tuple[int, str]] = []
    [streamed] = engine.generate([request()], on_token=lambda _, tokens, text: calls.append((tokens, text)))
    # SGLang refuses streams with return_token_ids on this route.
    assert [one.body.get("return_token_ids") for one in server.chats] == [True, None]
    assert (streamed.text, streamed.token_ids) == (whole.text, whole.token_ids)
    assert streamed.prompt_token_ids == whole.prompt_token_ids
    assert calls[-1][1] == whole.text
    assert [tokens for tokens, _ in calls] == list(range(1, len(calls) + 1))
