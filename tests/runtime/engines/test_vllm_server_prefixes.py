"""The cache of a vLLM server over HTTP: counters in Prometheus' text form, a reset that servers may not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from chat_server import Act, ChatHandler, ChatServer, chat_server, sends, status

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import Message, Prompt
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from agentic_dsl.runtime.engines.prefix_controls import PrefixControl
from agentic_dsl.runtime.engines.vllm_prefixes import counts_of
from agentic_dsl.runtime.engines.vllm_server_prefixes import VllmServerPrefixes
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.skills.segments import SegmentKind

METRICS = """\
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="a } 7"} 8220.0
vllm:prefix_cache_queries_total{engine="1",model_name="a } 7"} 1e+03
vllm:prefix_cache_queries_created{engine="0",model_name="a } 7"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="a } 7"} 4096.0
vllm:prefix_cache_hits_total{engine="1",model_name="a } 7"} 0.0 1712345678901
vllm:external_prefix_cache_hits_total{engine="0"} 99.0
"""

Shows = Callable[[str], None]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as server:
        yield server


@pytest.fixture
def prefixes(server: ChatServer) -> Iterator[VllmServerPrefixes]:
    engine = OpenAIEngine("tiny", base_url=server.url, max_retries=0)
    yield VllmServerPrefixes(engine)
    engine.close()


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch) -> Shows:
    """Gives the server a page of counters."""

    def show(text: str) -> None:
        def do_GET(self: ChatHandler) -> None:
            assert self.path == "/metrics"
            self.send_raw(text.encode(), 200, {"Content-Type": "text/plain; version=0.0.4"})

        monkeypatch.setattr(ChatHandler, "do_GET", do_GET)

    return show


def test_counters_of_all_engine_cores_are_added_up(prefixes: VllmServerPrefixes, shows: Shows) -> None:
    shows(METRICS)
    counts = prefixes.statistics()
    assert isinstance(prefixes, PrefixControl)
    assert (counts.asked, counts.reused, counts.held) == (9220, 4096, None)


@pytest.mark.parametrize(
    "text", ["", "<html>", METRICS.replace("hits", "misses"), "vllm:prefix_cache_hits_total NaN\n" * 3, "\x00\xff"]
)
def test_a_page_without_the_counters_is_an_error_and_no_zero(
    prefixes: VllmServerPrefixes, shows: Shows, text: str
) -> None:
    shows(text)
    with pytest.raises(EngineError, match="counts no prefixes"):
        prefixes.statistics()


def test_a_server_without_counters_is_told_apart(prefixes: VllmServerPrefixes) -> None:
    with pytest.raises(EngineError, match="the server has no /metrics"):
        prefixes.statistics()


def test_evicting_asks_for_a_reset_and_believes_only_its_success(
    server: ChatServer, prefixes: VllmServerPrefixes
) -> None:
    server.acts = [sends(b'{"success": true}'), sends(b'{"success": false}'), sends(b"ok")]
    prefixes.evict()
    assert [(one.method, one.path) for one in server.seen] == [("POST", "/reset_prefix_cache")]
    with pytest.raises(EngineError, match="while requests are running"):
        prefixes.evict()
    with pytest.raises(EngineError, match="does not say whether"):
        prefixes.evict()


@pytest.mark.parametrize("act", [status(404), status(405)])
def test_a_server_that_lets_nobody_evict_says_how_it_would(
    server: ChatServer, prefixes: VllmServerPrefixes, act: Act
) -> None:
    server.acts = [act]
    with pytest.raises(EngineError, match="VLLM_SERVER_DEV_MODE=1"):
        prefixes.evict()


def test_a_part_of_the_cache_is_refused_before_the_server_is_asked(
    server: ChatServer, prefixes: VllmServerPrefixes
) -> None:
    with pytest.raises(EngineError, match="only everything at once"):
        prefixes.evict(Selector(kind=SegmentKind.SKILL))
    assert server.seen == []


def test_warm_ups_ask_for_one_token_with_the_tenant_s_salt(server: ChatServer, prefixes: VllmServerPrefixes) -> None:
    (read,) = prefixes.prefetch([Prompt((Message("user", "Know this."),))], tenant="one")
    (chat,) = server.chats
    assert (chat.body["max_tokens"], chat.body["cache_salt"]) == (1, "one")
    assert (read.tokens, read.reused) == (3, 2)


def test_several_servers_are_refused_because_a_warm_up_reaches_one() -> None:
    engine = OpenAIEngine("tiny", base_urls=["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"])
    with pytest.raises(EngineError, match="several servers"):
        VllmServerPrefixes(engine)
    engine.close()


def test_samples_of_other_counters_are_left_out() -> None:
    counts = counts_of(
        [("vllm:prefix_cache_queries", 32.0), ("vllm:prompt_tokens", 9.0), ("vllm:prefix_cache_hits", 16)]
    )
    assert (counts.asked, counts.reused) == (32, 16)
