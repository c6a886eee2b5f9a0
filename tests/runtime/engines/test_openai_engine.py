"""The engine behind OpenAI-compatible servers: what it sends, what it makes of answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("xgrammar")
pytest.importorskip("httpx")

import itertools

from agentic_dsl.compiler.grammar.report import Level
from agentic_dsl.compiler.pipeline import CompiledSpec, compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError, GenerationError
from agentic_dsl.runtime.engines.base import (
    Engine,
    EngineRequest,
    EngineResult,
    Message,
    Prompt,
    Sampling,
    ServingHints,
)
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.reparse import reparse
from agentic_dsl.runtime.wire import read_contract
from tests.runtime.engines.chat_server import ChatServer, chat_server, says, status

pytestmark = pytest.mark.masks

SMALL = Constraints(max_nodes=3, allowed_node_types=("assign", "end"), max_text_chars=12, max_identifier_chars=4)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as server:
        yield server


@pytest.fixture
def engine(server: ChatServer) -> Iterator[OpenAIEngine]:
    engine = OpenAIEngine("tiny", base_url=server.url, max_retries=0)
    yield engine
    engine.close()


def request(task: str = "go", constraints: Constraints | None = SMALL, seed: int = 1, **options: Any) -> EngineRequest:
    spec: CompiledSpec | None = None if constraints is None else compile(constraints)
    prompt = Prompt((Message("system", "be brief"), Message("user", task)))
    defaults: dict[str, Any] = {"sampling": Sampling(temperature=1.0, seed=seed), "token_cap": 900}
    return EngineRequest(prompt=prompt, spec=spec, **(defaults | options))


def test_it_is_an_engine(engine: OpenAIEngine) -> None:
    assert isinstance(engine, Engine)
    assert engine.name == "openai/tiny"
    assert engine.capabilities.supports_streaming
    assert not engine.capabilities.supports_priority


def test_a_subgraph_makes_the_round_trip_through_a_server_with_the_plug_in() -> None:
    with chat_server(overlay=True) as server:
        llm = AgenticLLM(OpenAIEngine(base_url=server.url))
        try:
            generation = llm.generate_subgraph("go", constraints=SMALL, seed=3, sampling=Sampling(temperature=1.0))
        finally:
            llm.engine.close()
    assert generation.valid
    assert generation.stats.tokens == len(generation.token_ids) > 0
    assert generation.stats.prompt_tokens == len(generation.prompt_token_ids) > 0
    assert generation.stats.cached_tokens == 2
    assert any(entry.level is Level.OVERLAY for entry in generation.report)


def test_without_the_plug_in_nothing_is_said_to_be_held_by_the_overlay(server: ChatServer) -> None:
    llm = AgenticLLM(OpenAIEngine(base_url=server.url))
    try:
        generation = llm.generate_subgraph("go", constraints=SMALL, seed=3, sampling=Sampling(temperature=1.0))
    finally:
        llm.engine.close()
    assert not any(entry.level is Level.OVERLAY for entry in generation.report)


def test_everything_that_shapes_an_answer_is_sent(server: ChatServer, engine: OpenAIEngine) -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=7, seed=11)
    asked = request("plan it", sampling=sampling, max_output_tokens=400, hints=ServingHints(cache_salt="tenant"))
    engine.generate([asked])
    body = server.chats[0].body
    grammar = body.pop("structured_outputs")["grammar"]
    contract = read_contract(grammar)
    assert contract.constraints == SMALL
    assert (contract.max_output_tokens, contract.semantic) == (400, True)
    assert grammar.endswith(compile(SMALL).grammar)
    assert body == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "plan it"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": 11,
        "max_tokens": 400,
        "return_token_ids": True,
        "cache_salt": "tenant",
    }


def test_what_is_not_asked_for_is_not_sent(server: ChatServer, engine: OpenAIEngine) -> None:
    free = request(constraints=None, sampling=Sampling(), token_cap=None, priority=5)
    result = engine.generate([free])[0]
    assert result.text == "heard: go"
    body = server.chats[0].body
    assert body["top_k"] == -1
    assert not {"structured_outputs", "max_tokens", "seed", "priority", "stream", "tools", "cache_salt"} & body.keys()


def test_priorities_and_hints_are_sent_where_configured(server: ChatServer) -> None:
    engine = OpenAIEngine(
        "tiny", base_url=server.url, send_priority=True, extra_body={"chat_template_kwargs": {"a": 1}}
    )
    routed = OpenAIEngine("tiny", base_url=server.url, serving_layer="dynamo")
    hints = ServingHints(session="run-1", parent="doc", expected_tokens=300)
    try:
        assert engine.capabilities.supports_priority
        assert routed.capabilities.supports_priority
        engine.generate([request(constraints=None, priority=5)])
        routed.generate([request(constraints=None, priority=5, hints=hints)])
    finally:
        engine.close()
        routed.close()
    first, second = server.chats
    assert first.body["priority"] == 5
    assert first.body["chat_template_kwargs"] == {"a": 1}
    assert second.headers["X-Dynamo-Session-ID"] == "run-1"
    assert second.body["nvext"]["agent_hints"]["osl"] == 300


def test_answers_come_in_the_order_of_the_requests(server: ChatServer, engine: OpenAIEngine) -> None:
    results = engine.generate([request(f"task {number}", None) for number in range(20)])
    assert [result.text for result in results] == [f"heard: task {number}" for number in range(20)]


def test_one_bad_request_spoils_no_other(server: ChatServer, engine: OpenAIEngine) -> None:
    gbnf = replace(request(), spec=compile(SMALL, dialect="gbnf"))
    tight = replace(request(), max_output_tokens=2)
    first, bad, refused, last = engine.generate([request("a", None), gbnf, tight, request("b", None)])
    assert (first.text, last.text) == ("heard: a", "heard: b")
    assert bad.error is not None
    assert "gbnf" in bad.error.message
    # Two tokens are no document: the server, which holds to the contract, cuts or refuses.
    assert refused.finish in ("length", "error")


def test_streams_grow_to_the_answer_that_comes_whole(server: ChatServer, engine: OpenAIEngine) -> None:
    seen: dict[int, list[tuple[int, str]]] = {0: [], 1: []}
    asked = [request(seed=4), request("b", None)]
    results = engine.generate(asked, on_token=lambda row, tokens, text: seen[row].append((tokens, text)))
    whole = engine.generate(asked)
    assert [one.text for one in results] == [one.text for one in whole]
    assert [one.token_ids for one in results] == [one.token_ids for one in whole]
    assert [one.prompt_token_ids for one in results] == [one.prompt_token_ids for one in whole]
    for row, calls in seen.items():
        assert len(calls) > 1 or row == 1
        assert calls[-1][1] == results[row].text
        for (tokens, text), (more, longer) in itertools.pairwise(calls):
            assert more > tokens
            assert longer.startswith(text)


def test_a_server_that_does_not_stream_still_answers(server: ChatServer, engine: OpenAIEngine) -> None:
    server.acts = [says("all at once")]
    calls: list[str] = []
    [result] = engine.generate([request(constraints=None)], on_token=lambda *call: calls.append(call[2]))
    assert result.text == "all at once"
    assert calls == ["all at once"]


def test_an_exception_of_the_callback_ends_the_call_and_the_other_requests(server: ChatServer) -> None:
    server.token_delay = 0.05
    engine = OpenAIEngine("tiny", base_url=server.url)

    def stop(row: int, tokens: int, text: str) -> None:
        raise TimeoutError("enough")

    try:
        with pytest.raises(TimeoutError, match="enough"):
            engine.generate([request(), request(seed=2)], on_token=stop)
        assert server.aborted.wait(5)
        assert len(server.chats) <= 2
    finally:
        engine.close()


def test_a_cancelled_call_closes_its_connections(server: ChatServer, engine: OpenAIEngine) -> None:
    server.token_delay = 0.05

    async def cancelled() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake(row: int, tokens: int, text: str) -> None:
            loop.call_soon_threadsafe(begun.set)

        work = asyncio.create_task(engine.agenerate([request()], on_token=wake))
        await asyncio.wait_for(begun.wait(), 20)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(cancelled())
    assert server.aborted.wait(5)
    assert engine.generate([request("still here", None)])[0].text == "heard: still here"


def test_one_engine_serves_threads_and_event_loops(server: ChatServer, engine: OpenAIEngine) -> None:
    async def both() -> list[str]:
        asked = [asyncio.to_thread(engine.generate, [request("thread", None)])]
        other = engine.agenerate([request("loop", None)])
        results = await asyncio.gather(*asked, other)
        return [one.text for [one] in results]

    assert asyncio.run(both()) == ["heard: thread", "heard: loop"]
    assert asyncio.run(both()) == ["heard: thread", "heard: loop"]


def test_a_thousand_concurrent_calls_keep_few_connections(server: ChatServer) -> None:
    engine = OpenAIEngine("tiny", base_url=server.url, max_concurrency=16)

    async def many() -> list[list[EngineResult]]:
        return await asyncio.gather(*(engine.agenerate([request(f"{n}", None)]) for n in range(1000)))

    try:
        results = asyncio.run(many())
    finally:
        engine.close()
    assert [one.text for [one] in results] == [f"heard: {number}" for number in range(1000)]
    assert server.most_connections <= 16


def test_requests_run_at_the_same_time(server: ChatServer, engine: OpenAIEngine) -> None:
    server.delay = 1.0
    start = time.perf_counter()
    engine.generate([request(str(number), None) for number in range(8)])
    assert time.perf_counter() - start < 6.0


# --- what servers are ------------------------------------------------------------------------------------------------


def test_without_a_model_the_only_one_is_taken(server: ChatServer) -> None:
    engine = OpenAIEngine(base_url=server.url)
    try:
        assert engine.generate([request("a", None), request("b", None)])[1].text == "heard: b"
        assert engine.name == "openai/tiny"
    finally:
        engine.close()
    assert [one.path for one in server.seen].count("/v1/models") == 1
    assert server.chats[0].body["model"] == "tiny"


@pytest.mark.parametrize(("models", "said"), [(["one", "two"], "2 models: one, two"), ([], "no model")])
def test_without_a_model_several_are_an_error_that_lists_them(server: ChatServer, models: list[str], said: str) -> None:
    server.models = models
    engine = OpenAIEngine(base_url=server.url)
    try:
        [result] = engine.generate([request(constraints=None)])
        assert result.error is not None
        assert said in result.error.message
        assert engine.name == "openai"
        with pytest.raises(GenerationError, match=said):
            assert engine.identity
        server.models = ["now"]
        assert engine.identity.startswith("openai/now ")
        assert engine.name == "openai/now"
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("says_so", "semantic", "believed"),
    [(True, True, True), (True, False, False), (False, True, False), (None, True, False)],
)
def test_a_server_is_asked_once_whether_it_runs_the_plug_in(
    server: ChatServer, says_so: bool | None, semantic: bool, believed: bool
) -> None:
    server.overlay = says_so
    engine = OpenAIEngine("tiny", base_url=server.url, semantic=semantic)
    try:
        results = engine.generate([request(seed=1), request(seed=2), request(constraints=None)])
        assert engine.capabilities.supports_overlay == believed
    finally:
        engine.close()
    assert [one.overlay for one in results] == [believed, believed, False]
    assert [one.path for one in server.seen].count("/agentic-dsl") == (1 if semantic else 0)


def test_a_plug_in_that_reads_another_contract_holds_none_of_ours(server: ChatServer, engine: OpenAIEngine) -> None:
    server.overlay, server.contract = True, 2
    assert not engine.capabilities.supports_overlay


def test_a_configured_overlay_is_not_asked_for(server: ChatServer) -> None:
    engine = OpenAIEngine("tiny", base_url=server.url, overlay=True)
    try:
        assert engine.generate([request()])[0].overlay
        assert engine.capabilities.supports_overlay
    finally:
        engine.close()
    assert "/agentic-dsl" not in [one.path for one in server.seen]


@pytest.mark.parametrize("text", ["Sure! Here is your plan.", "", '{"nodes": []}', "### AgenticDSL `/other`\n"])
def test_a_server_that_ignores_the_grammar_is_found_out(server: ChatServer, engine: OpenAIEngine, text: str) -> None:
    server.acts = [says(text)]
    [result] = engine.generate([request()])
    assert result.error is not None
    assert "does not keep to the grammar" in result.error.message
    assert result.text == text
    assert len(server.chats) == 1


def test_prose_that_was_allowed_is_no_departure(server: ChatServer, engine: OpenAIEngine) -> None:
    free = SMALL.model_copy(update={"allow_free_text": True})
    server.acts = [says("Which city do you mean?"), says("# a heading")]
    [prose] = engine.generate([request(constraints=free)])
    [heading] = engine.generate([request(constraints=free)])
    assert (prose.text, prose.error) == ("Which city do you mean?", None)
    assert heading.error is not None


def test_a_text_that_is_almost_generated_is_found_out_too(server: ChatServer, engine: OpenAIEngine) -> None:
    [good] = engine.generate([request()])
    assert good.error is None
    for damaged in (
        f"{good.text}\nHope this helps!\n",
        good.text.replace("    type: ", "    type:  ", 1),
        good.text[:-9],
    ):
        server.acts = [says(damaged)]
        [result] = engine.generate([request()])
        assert result.error is not None, damaged


def test_an_ignored_grammar_is_retried_at_most_as_configured(server: ChatServer) -> None:
    engine = OpenAIEngine("tiny", base_url=server.url, grammar_retries=2)
    try:
        server.acts = [says("no"), says("no")]
        [result] = engine.generate([request()])
        assert result.error is None
        server.acts = [says("no")] * 5
        [result] = engine.generate([request()])
        assert result.error is not None
        assert len(server.acts) == 2
    finally:
        engine.close()


def test_a_grammar_retry_goes_to_another_server(server: ChatServer) -> None:
    with chat_server() as other:
        server.acts = [says("no")] * 9
        other.acts = []
        engine = OpenAIEngine("tiny", base_urls=[server.url, other.url], grammar_retries=1)
        try:
            results = [engine.generate([request()])[0] for _ in range(4)]
        finally:
            engine.close()
    assert [result.error for result in results] == [None] * 4


def test_the_check_of_grammars_can_be_left_to_the_caller(server: ChatServer) -> None:
    engine = OpenAIEngine("tiny", base_url=server.url, check_grammar=False)
    server.acts = [says("no plan")]
    try:
        [result] = engine.generate([request()])
    finally:
        engine.close()
    assert (result.text, result.error) == ("no plan", None)


def test_no_answer_of_a_grammar_is_taken_for_one_that_ignores_it(server: ChatServer, engine: OpenAIEngine) -> None:
    sets = [
        SMALL,
        Constraints(max_nodes=6, max_text_chars=20),
        Constraints(path="/lib/a/b", max_nodes=4, max_subgraphs=2),
    ]
    asked = [request(constraints=one, seed=seed, token_cap=4000) for one in sets for seed in range(12)]
    results = engine.generate(asked)
    assert [result.error for result in results] == [None] * len(asked)
    complete = [(one, two) for one, two in zip(asked, results, strict=True) if two.finish == "stop"]
    assert len(complete) > 20
    # Grammar alone: some break rules that no grammar holds, and that is no sign of a server that ignores it.
    assert not all(reparse(two.text, one.spec.constraints).valid for one, two in complete if one.spec is not None)


def test_a_grammar_over_the_limit_is_refused_before_it_is_sent(server: ChatServer) -> None:
    engine = OpenAIEngine("tiny", base_url=server.url, max_grammar_chars=500)
    try:
        big, small = engine.generate([request(), request(constraints=None)])
    finally:
        engine.close()
    assert big.error is not None
    assert "500 may be sent" in big.error.message
    assert small.error is None
    assert len(server.chats) == 1


def test_a_cap_gives_way_to_the_context_but_a_demand_does_not(server: ChatServer, engine: OpenAIEngine) -> None:
    refusal = status(400, "max_tokens is too large: the model's maximum context length is 100 tokens")
    server.acts = [refusal]
    assert engine.generate([request(constraints=None, token_cap=900)])[0].error is None
    assert [one.body.get("max_tokens") for one in server.chats] == [900, None]
    server.acts = [refusal]
    [result] = engine.generate([request(constraints=None, max_output_tokens=900)])
    assert result.error is not None
    assert "maximum context length is 100" in result.error.message


def test_a_closed_engine_says_so(engine: OpenAIEngine) -> None:
    engine.generate([request(constraints=None)])
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.generate([request(constraints=None)])


def test_closing_ends_calls_that_run(server: ChatServer, engine: OpenAIEngine) -> None:
    server.delay = 3.0

    async def close_meanwhile() -> None:
        work = asyncio.create_task(engine.agenerate([request(constraints=None)]))
        await asyncio.to_thread(server.started.wait, 10)
        await asyncio.to_thread(engine.close)
        with pytest.raises(EngineError, match="closed"):
            await work

    asyncio.run(close_meanwhile())


def test_odd_characters_arrive_and_broken_ones_are_refused(server: ChatServer, engine: OpenAIEngine) -> None:
    odd = 'quotes " and \x00 and \u2028 and 🙂'
    [result, broken] = engine.generate([request(odd, None), request("half \ud800", None)])
    assert result.text == f"heard: {odd}"
    assert broken.error is not None
    assert "half of a character" in broken.error.message
