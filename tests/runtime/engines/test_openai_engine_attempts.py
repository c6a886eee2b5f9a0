"""Which server is asked after a failure, and what stays with the one request that it happened to."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("xgrammar")
pytest.importorskip("httpx")

from agentic_dsl.errors import EngineError, GenerationError
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Message, Prompt
from agentic_dsl.runtime.engines.http.chat_exchange import ChatExchange
from agentic_dsl.runtime.engines.http.endpoints import FIRST_REST
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from tests.runtime.engines.chat_server import Act, ChatHandler, ChatServer, chat_server, sends, status

pytestmark = pytest.mark.masks


@pytest.fixture
def servers() -> Iterator[tuple[ChatServer, ChatServer]]:
    with chat_server() as first, chat_server() as second:
        yield first, second


def request(task: str = "go") -> EngineRequest:
    return EngineRequest(prompt=Prompt((Message("user", task),)))


def hang(handler: ChatHandler) -> None:
    time.sleep(10.0)


def engine_of(servers: tuple[ChatServer, ...], **options: Any) -> OpenAIEngine:
    return OpenAIEngine("tiny", base_urls=[one.url for one in servers], overlay=False, **options)


# --- elsewhere -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [hang, sends(b"nope")], ids=["hangs", "is no such server"])
def test_what_only_another_server_can_answer_is_asked_once_of_each(
    servers: tuple[ChatServer, ChatServer], act: Act
) -> None:
    for one in servers:
        one.acts = [act] * 9
    # Longer than a server rests after its first failure: it looks healthy again when the other one fails.
    engine = engine_of(servers, timeout=FIRST_REST + 2.0, max_retries=5)
    try:
        assert engine.generate([request()])[0].error is not None
    finally:
        engine.close()
    assert [len(one.chats) for one in servers] == [1, 1]


def test_a_server_that_hung_is_not_asked_again_when_another_fails_for_a_while(
    servers: tuple[ChatServer, ChatServer],
) -> None:
    def unsteady(handler: ChatHandler) -> None:
        with handler.server.lock:
            failing.append(handler.server.url)
        (hang if failing[0] == handler.server.url else status(503))(handler)

    failing: list[str] = []
    for one in servers:
        one.acts = [unsteady] * 9
    engine = engine_of(servers, timeout=FIRST_REST + 2.0, max_retries=3)
    try:
        error = engine.generate([request()])[0].error
    finally:
        engine.close()
    assert error is not None
    assert "status 503" in error.message
    assert failing.count(failing[0]) == 1
    assert len(failing) == 4


# --- one's own on_token ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda engine: engine.generate([request("again")]),
        lambda engine: engine._thread.run(asyncio.sleep(0)),
    ],
    ids=["generate", "anything else"],
)
def test_an_engine_that_is_asked_from_its_own_hook_says_so(
    servers: tuple[ChatServer, ChatServer], use: Callable[[OpenAIEngine], object]
) -> None:
    engine = engine_of(servers)
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            engine.generate([request()], on_token=lambda *_: use(engine) and None)
        except BaseException as exc:
            raised.append(exc)

    work = threading.Thread(target=ask, daemon=True)
    work.start()
    work.join(10)
    assert not work.is_alive()
    assert [type(one) for one in raised] == [EngineError]
    assert "its own on_token" in str(raised[0])
    assert engine.generate([request()])[0].text == "heard: go"
    engine.close()


# --- what nobody foresaw ---------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests with "bad" in them fail by a defect."""
    ask = ChatExchange.ask

    def failing(self: ChatExchange, asked: EngineRequest, *rest: Any) -> Any:
        if "bad" in asked.prompt.messages[-1].content:
            raise OverflowError("date value out of range")
        return ask(self, asked, *rest)

    monkeypatch.setattr(ChatExchange, "ask", failing)


@pytest.mark.usefixtures("spoilt")
def test_an_unforeseen_error_stays_with_its_request(
    servers: tuple[ChatServer, ChatServer], caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_of(servers)
    try:
        results: list[EngineResult] = engine.generate([request("good"), request("bad"), request("fine")])
    finally:
        engine.close()
    assert [one.text for one in results] == ["heard: good", "", "heard: fine"]
    error = results[1].error
    assert type(error) is GenerationError
    assert error.message == "the request ended in an unexpected OverflowError"
    assert isinstance(error.__cause__, OverflowError)
    records = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert [one.exc_info is not None for one in records] == [True]


def test_what_a_hook_raises_and_a_cancellation_still_pass(servers: tuple[ChatServer, ChatServer]) -> None:
    def hook(*_: object) -> None:
        raise OverflowError("mine")

    async def cancelled(engine: OpenAIEngine) -> None:
        work = asyncio.create_task(engine.agenerate([request()]))
        await asyncio.to_thread(servers[0].started.wait, 10)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    engine = engine_of(servers[:1])
    try:
        with pytest.raises(OverflowError, match="mine"):
            engine.generate([request()], on_token=hook)
        servers[0].started.clear()
        servers[0].acts = [hang]
        asyncio.run(cancelled(engine))
    finally:
        engine.close()
