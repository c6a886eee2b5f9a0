"""Servers that fail, refuse, lie or hang: each a clear error, retried only where that can help."""

from __future__ import annotations

import asyncio
import gc
import gzip
import logging
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("xgrammar")
pytest.importorskip("httpx")

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError, GenerationError, MissingExtraError
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Message, Prompt, Sampling
from agentic_dsl.runtime.engines.http.endpoints import FIRST_REST
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from agentic_dsl.runtime.generation import AgenticLLM
from tests.runtime.engines.chat_server import ChatHandler, ChatServer, chat_server, says, sends, status

pytestmark = pytest.mark.masks

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as server:
        yield server


@pytest.fixture
def ask(server: ChatServer) -> Iterator[Callable[..., EngineResult]]:
    """Asks one request of a new engine; closes all of them."""
    engines: list[OpenAIEngine] = []

    def asked(*, on_token: Any = None, task: str = "go", model: str = "tiny", **options: Any) -> EngineResult:
        defaults = {} if "base_urls" in options else {"base_url": server.url}
        engines.append(OpenAIEngine(model, **(defaults | options)))
        return engines[-1].generate([request(task)], on_token=on_token)[0]

    yield asked
    for engine in engines:
        engine.close()


def request(task: str = "go") -> EngineRequest:
    return EngineRequest(prompt=Prompt((Message("user", task),)), sampling=Sampling(seed=1), token_cap=50)


def message(result: EngineResult) -> str:
    assert result.finish == "error"
    assert result.error is not None
    assert result.error.help
    assert type(result.error) is GenerationError
    return result.error.message


def closed_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/v1"


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_wrong_address_is_said(ask: Callable[..., EngineResult]) -> None:
    url = closed_port()
    assert f"{url} cannot be reached" in message(ask(base_url=url, max_retries=0))


def test_a_single_generation_raises_the_error() -> None:
    llm = AgenticLLM(OpenAIEngine("tiny", base_url=closed_port(), max_retries=0))
    try:
        with pytest.raises(GenerationError, match="cannot be reached"):
            llm.generate_subgraph("go", constraints=Constraints(max_nodes=2))
    finally:
        llm.engine.close()


def test_an_address_without_the_route_is_said(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    said = message(ask(base_url=server.url.replace("/v1", "/api/v2")))
    assert "does not know the model" in said
    assert "or this address: Not Found" in said


def test_a_wrong_model_is_said_once(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    result = ask(model="huge")
    assert 'does not know the model "huge"' in message(result)
    assert result.error is not None
    assert "/v1/models" in str(result.error.help)
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (400, "refused the request: bad grammar at line 3"),
        (401, "does not accept the API key"),
        (403, "may not be used for this"),
        (405, "no OpenAI-compatible address"),
        (413, "too large"),
        (418, "status 418: bad grammar"),
        (422, "refused the request: bad grammar"),
        (501, "status 501"),
        (302, "redirects"),
    ],
)
def test_what_cannot_succeed_is_asked_once(
    server: ChatServer, ask: Callable[..., EngineResult], code: int, said: str
) -> None:
    server.acts = [status(code, "bad grammar at line 3", {"Location": "http://127.0.0.1:1/"})]
    assert said in message(ask())
    assert len(server.chats) == 1


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 504])
def test_what_can_pass_is_asked_again(server: ChatServer, ask: Callable[..., EngineResult], code: int) -> None:
    server.acts = [status(code, headers={"Retry-After": "0"})] * 2
    assert ask().text == "heard: go"
    assert len(server.chats) == 3


def test_attempts_are_counted(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.acts = [status(503, "engine is dead", {"Retry-After": "0"})] * 9
    assert "failed with status 503: engine is dead" in message(ask(max_retries=2))
    assert len(server.chats) == 3


def test_a_pause_that_the_server_asks_for_is_kept(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.acts = [status(429, headers={"Retry-After": "1"})]
    start = time.perf_counter()
    assert ask().error is None
    assert time.perf_counter() - start >= 1.0


def test_a_pause_that_is_too_long_is_reported_instead(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.acts = [status(429, "quota", {"Retry-After": "86400"})]
    result = ask()
    assert "takes no more requests now: quota" in message(result)
    assert result.error is not None
    assert result.error.help == "try again in 86,400 seconds, as the server asks"
    assert len(server.chats) == 1


# --- broken answers --------------------------------------------------------------------------------------------------


def test_a_server_that_hangs_is_left(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.delay = 30.0
    start = time.perf_counter()
    assert "did not answer in time" in message(ask(timeout=2.0))
    assert time.perf_counter() - start < 15.0
    assert len(server.chats) == 1


def test_a_stream_that_drips_is_bounded_as_a_whole(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.token_delay = 0.2
    seen: list[str] = []
    assert "did not answer in time" in message(ask(timeout=0.7, task="x" * 200, on_token=lambda *a: seen.append(a[2])))
    assert seen


def cut_stream(handler: ChatHandler) -> None:
    pieces = [{"choices": [{"delta": {"content": "half "}}]}, {"choices": [{"delta": {"content": "an answer"}}]}]
    handler.send_stream(iter(pieces), ends=False)


def hang_up(handler: ChatHandler) -> None:
    handler.hang_up()


def test_a_stream_that_breaks_begins_again(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.acts = [cut_stream]
    seen: list[str] = []
    assert ask(on_token=lambda *call: seen.append(call[2])).text == "heard: go"
    assert seen[:2] == ["half ", "half an answer"]
    assert seen[-1] == "heard: go"


@pytest.mark.parametrize("act", [cut_stream, hang_up])
def test_a_server_that_goes_on_breaking_off_is_reported(
    server: ChatServer, ask: Callable[..., EngineResult], act: Callable[[ChatHandler], None]
) -> None:
    server.acts = [act] * 5
    assert "broke" in message(ask(max_retries=1, on_token=lambda *_: None))
    assert len(server.chats) == 2


def test_a_stream_that_just_ends_is_no_answer(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    piece = {"choices": [{"delta": {"content": "half"}}]}
    server.acts = [lambda handler: handler.send_stream(iter([piece]))] * 2
    assert "has no end" in message(ask(max_retries=0, on_token=lambda *_: None))


def test_an_error_in_the_middle_of_a_stream_is_the_servers_own(
    server: ChatServer, ask: Callable[..., EngineResult]
) -> None:
    pieces = [{"choices": [{"delta": {"content": "half"}}]}, {"error": {"message": "engine died", "code": 400}}]
    server.acts = [lambda handler: handler.send_stream(iter(pieces))]
    assert "failed while it answered: engine died" in message(ask(on_token=lambda *_: None))
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"<html><body>Welcome to <b>nginx</b></body></html>",
        b'{"choices": "none"}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": [{"token_ids": ["a"]}]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"\x1b[31mred\x07",
    ],
)
def test_an_answer_that_is_none_is_said(server: ChatServer, ask: Callable[..., EngineResult], data: bytes) -> None:
    server.acts = [sends(data)]
    said = message(ask())
    assert "is not what an OpenAI-compatible server gives" in said
    assert said.isprintable()
    assert len(said) < 400
    server.acts = [sends(b"data: " + data + b"\n\n", "text/event-stream")]
    message(ask(max_retries=0, on_token=lambda *_: None))


@pytest.mark.parametrize("record", [b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": "a"}}]}'])
def test_an_answer_without_an_end_is_none(server: ChatServer, ask: Callable[..., EngineResult], record: bytes) -> None:
    server.acts = [sends(record)]
    assert "has no end" in message(ask(max_retries=0))


@pytest.mark.parametrize(("finish", "attempts"), [("tool_calls", 1), ("content_filter", 1), ("abort", 2)])
def test_other_endings_are_no_answers(
    server: ChatServer, ask: Callable[..., EngineResult], finish: str, attempts: int
) -> None:
    server.acts = [says("text", finish)] * 5
    assert f'ended the answer with "{finish}"' in message(ask(max_retries=1))
    assert len(server.chats) == attempts


def endless(handler: ChatHandler) -> None:
    piece = {"choices": [{"delta": {"content": "again " * 1000}}]}
    handler.send_stream(iter(lambda: piece, None))


def test_huge_answers_are_cut_off(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.acts = [sends(b" " * 200_000), endless]
    assert "larger than 100,000 bytes" in message(ask(max_answer_bytes=100_000))
    assert "larger than 100,000 bytes" in message(ask(max_answer_bytes=100_000, on_token=lambda *_: None))
    assert server.aborted.wait(5)


def test_a_small_answer_cannot_unpack_to_a_huge_one(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    server.acts = [lambda handler: handler.send_raw(packed, 200, headers)]
    assert "larger than" in message(ask(max_answer_bytes=100_000))
    assert server.chats[0].headers["Accept-Encoding"] == "identity"


# --- several servers -------------------------------------------------------------------------------------------------


def test_a_dead_server_costs_no_request(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    engine = OpenAIEngine("tiny", base_urls=[closed_port(), server.url], max_retries=1)
    try:
        start = time.perf_counter()
        results = engine.generate([request(str(number)) for number in range(30)])
    finally:
        engine.close()
    assert [one.text for one in results] == [f"heard: {number}" for number in range(30)]
    assert time.perf_counter() - start < 20.0


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_gives_way_to_another_at_once(
    server: ChatServer, ask: Callable[..., EngineResult], code: int
) -> None:
    with chat_server() as other:
        server.acts = [status(code, headers={"Retry-After": "28"})] * 9
        start = time.perf_counter()
        engine = OpenAIEngine("tiny", base_urls=[server.url, other.url])
        try:
            results = engine.generate([request(str(number)) for number in range(10)])
        finally:
            engine.close()
    assert [one.error for one in results] == [None] * 10
    assert time.perf_counter() - start < 20.0


def test_a_server_that_hangs_gives_way_to_another(server: ChatServer, ask: Callable[..., EngineResult]) -> None:
    server.delay = 8.0
    with chat_server() as other:
        engine = OpenAIEngine("tiny", base_urls=[server.url, other.url], timeout=2.0)
        try:
            results = [engine.generate([request(str(number))])[0] for number in range(3)]
        finally:
            engine.close()
    assert [one.error for one in results] == [None] * 3
    assert len(server.chats) == 1


def test_a_server_that_hung_is_asked_for_its_health_before_it_gets_another_request(server: ChatServer) -> None:
    with chat_server() as other:
        engine = OpenAIEngine("tiny", base_urls=[server.url, other.url], timeout=2.0)
        try:
            server.delay = 8.0
            while not server.chats:
                assert engine.generate([request()])[0].error is None
            server.delay = 0.0
            server.health = 503
            time.sleep(FIRST_REST)
            assert [engine.generate([request()])[0].error for _ in range(4)] == [None] * 4
            assert len(server.chats) == 1
            assert "/health" in [one.path for one in server.seen]
            server.health = 200
            deadline = time.monotonic() + 30
            while len(server.chats) == 1 and time.monotonic() < deadline:
                assert engine.generate([request()])[0].error is None
            assert len(server.chats) == 2
        finally:
            engine.close()


def test_a_server_that_came_back_is_asked_again_what_it_runs() -> None:
    with chat_server(overlay=True) as server:
        engine = OpenAIEngine("tiny", base_url=server.url, max_retries=0)
        try:
            assert engine.capabilities.supports_overlay
            server.overlay = None
            assert engine.capabilities.supports_overlay
            server.acts = [status(503)]
            assert engine.generate([request()])[0].error is not None
            assert not engine.capabilities.supports_overlay
        finally:
            engine.close()


def test_requests_are_spread_over_servers(server: ChatServer) -> None:
    with chat_server() as other:
        engine = OpenAIEngine("tiny", base_urls=[server.url, other.url])
        try:
            engine.generate([request(str(number)) for number in range(20)])
        finally:
            engine.close()
        assert len(server.chats) == len(other.chats) == 10


def test_a_server_killed_in_the_middle_of_a_batch_is_reported_by_each_request_it_had() -> None:
    with chat_server(token_delay=0.1) as server:
        engine = OpenAIEngine("tiny", base_url=server.url, max_retries=1)

        async def killed() -> list[EngineResult]:
            first = await engine.agenerate([request("before")])
            work = asyncio.create_task(
                engine.agenerate([request("x" * 300)] * 4, on_token=lambda *_: None)  # takes 3 seconds
            )
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.kill)
            return first + await work

        try:
            before, *rest = asyncio.run(killed())
        finally:
            engine.close()
    assert before.error is None
    for one in rest:
        assert "broke" in message(one) or "cannot be reached" in message(one)


# --- keys ------------------------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_never_shown(
    server: ChatServer, ask: Callable[..., EngineResult], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"Incorrect API key provided: {KEY}."
    engine = OpenAIEngine("tiny", base_url=server.url, api_key=KEY, max_retries=1)
    server.acts = [
        status(400, echo),
        status(401, echo),
        status(503, echo, {"Retry-After": "0"}),
        status(503, echo),
        sends(f'{{"key": "{KEY}"}}'.encode()[:-1]),
        lambda handler: handler.send_stream(iter([{"error": {"message": echo, "code": 400}}])),
    ]
    try:
        errors = [engine.generate([request()])[0].error for _ in range(4)]
        errors.append(engine.generate([request()], on_token=lambda *_: None)[0].error)
        shown = (
            repr(engine)
            + str(engine)
            + repr(vars(engine._exchange) if hasattr(engine._exchange, "__dict__") else engine._exchange)
        )
    finally:
        engine.close()
    assert all(errors)
    assert server.chats[0].headers["Authorization"] == f"Bearer {KEY}"
    for error in errors:
        shown += str(error) + repr(error) + repr(error.__cause__) + repr(pickle.loads(pickle.dumps(error)))  # type: ignore[union-attr]
    assert "very-secret" not in shown
    assert "very-secret" not in caplog.text
    assert "[key]" in shown


def test_the_key_comes_from_the_environment(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in (("OPENAI_API_KEY", "second"), ("AGENTIC_DSL_API_KEY", "first\n")):
        monkeypatch.setenv(name, key)
        engine = OpenAIEngine("tiny", base_url=server.url)
        try:
            engine.generate([request()])
        finally:
            engine.close()
    assert [one.headers["Authorization"] for one in server.chats] == ["Bearer second", "Bearer first"]


def test_without_a_key_none_is_sent(
    server: ChatServer, ask: Callable[..., EngineResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("AGENTIC_DSL_API_KEY", raising=False)
    ask()
    assert "Authorization" not in server.chats[0].headers


@pytest.mark.parametrize("key", ["two words", "line\nend", "ключ"])
def test_a_key_that_no_header_holds_is_refused_unseen(key: str) -> None:
    with pytest.raises(EngineError, match="API key") as caught:
        OpenAIEngine("tiny", api_key=key)
    assert key not in str(caught.value)


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "localhost:8000"},
        {"base_url": "ftp://localhost"},
        {"base_url": "http://"},
        {"base_url": "http://[::1"},
        {"base_url": "http://h:99999"},
        {"base_url": "http://host/v1?key=1"},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"max_retries": -1},
        {"max_concurrency": 0},
        {"grammar_retries": -1},
        {"serving_layer": "mesh"},
        {"verify_tls": "/nowhere/ca.pem"},
    ],
)
def test_options_that_cannot_be_met_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(EngineError) as caught:
        OpenAIEngine("tiny", **options)
    assert caught.value.help


def test_a_key_in_an_address_is_refused_unseen() -> None:
    with pytest.raises(EngineError, match="user") as caught:
        OpenAIEngine("tiny", base_url=f"http://me:{KEY}@host/v1")
    assert KEY not in str(caught.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agentic_dsl.runtime.engines.http.client", raising=False)
    monkeypatch.setitem(sys.modules, "tenacity", None)
    with pytest.raises(MissingExtraError, match="tenacity") as caught:
        OpenAIEngine("tiny")
    assert "agentic-dsl[http]" in str(caught.value.help)


def test_the_engine_is_imported_without_its_libraries() -> None:
    check = "assert not {'httpx', 'tenacity'} & sys.modules.keys()"
    code = f"import sys; import agentic_dsl.runtime.engines.sglang; {check}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_engine_that_nobody_closed_leaves_no_thread(server: ChatServer) -> None:
    def used() -> None:
        assert OpenAIEngine("tiny", base_url=server.url).generate([request()])[0].error is None

    used()
    gc.collect()
    assert not [one for one in threading.enumerate() if one.name == "agentic-dsl-openai"]
