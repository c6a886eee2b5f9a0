"""Whether a server runs the plug-in: asked briefly, remembered, and asked again where it may have changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("xgrammar")
pytest.importorskip("httpx")

from agentic_dsl.runtime.engines.http.ask import HttpLimits
from agentic_dsl.runtime.engines.http.client import HttpClient
from agentic_dsl.runtime.engines.http.endpoints import Endpoints
from agentic_dsl.runtime.engines.http.server_facts import FACTS_PATH, NO_SECONDS, ServerFacts
from tests.runtime.engines.chat_server import Act, ChatHandler, ChatServer, chat_server, status

pytestmark = pytest.mark.masks


class Facts:
    """`ServerFacts` of one server, with a clock that is moved by hand."""

    def __init__(self, url: str) -> None:
        self.now = 0.0
        self.client = HttpClient(Endpoints([url]), HttpLimits())
        self.facts = ServerFacts(self.client, model="tiny", overlay=None, clock=lambda: self.now)

    def overlay(self) -> bool:
        async def ask() -> bool:
            try:
                return await self.facts.overlay_at(self.client.endpoints.all[0])
            finally:
                await self.client.aclose()

        return asyncio.run(ask())


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as server:
        yield server


def asked(server: ChatServer) -> int:
    return sum(one.path == FACTS_PATH for one in server.seen)


def hang(handler: ChatHandler) -> None:
    time.sleep(8.0)


def hang_up(handler: ChatHandler) -> None:
    handler.hang_up()


def test_a_gateway_that_hangs_at_the_route_is_left_soon_and_for_a_minute(server: ChatServer) -> None:
    server.facts = hang
    facts = Facts(server.url)
    start = time.perf_counter()
    assert [facts.overlay() for _ in range(3)] == [False] * 3
    assert time.perf_counter() - start < 6.0
    assert asked(server) == 1


@pytest.mark.parametrize("act", [status(503), status(429), status(404), hang])
def test_a_no_holds_for_a_minute_whatever_it_comes_from(server: ChatServer, act: Act) -> None:
    server.facts = act
    facts = Facts(server.url)
    assert not facts.overlay()
    server.facts, server.overlay = None, True
    facts.now = NO_SECONDS - 1.0
    assert not facts.overlay()
    assert asked(server) == 1
    facts.now = NO_SECONDS
    assert facts.overlay()
    assert asked(server) == 2


def test_a_failure_at_the_route_costs_once_a_minute_through_outages_too(server: ChatServer) -> None:
    server.facts = status(503)
    facts = Facts(server.url)
    for _ in range(3):
        assert not facts.overlay()
        facts.client.endpoints.failed(facts.client.endpoints.all[0])
    assert asked(server) == 1


@pytest.mark.parametrize("before", [None, True])
def test_a_server_that_came_back_is_asked_at_once(server: ChatServer, before: bool | None) -> None:
    server.overlay = before
    facts = Facts(server.url)
    assert facts.overlay() is bool(before)
    server.overlay = None if before else True
    assert facts.overlay() is bool(before)
    facts.client.endpoints.failed(facts.client.endpoints.all[0])
    assert facts.overlay() is not bool(before)


def test_a_server_that_cannot_be_reached_is_asked_again_the_next_time(server: ChatServer) -> None:
    server.facts = hang_up
    facts = Facts(server.url)
    assert not facts.overlay()
    server.facts, server.overlay = None, True
    assert facts.overlay()
    facts.now = 1e9
    assert facts.overlay()
    assert asked(server) == 2
