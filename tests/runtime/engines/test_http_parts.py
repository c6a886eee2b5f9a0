"""The parts below the HTTP engines: errors, endpoints, event streams, retry times, the engine's own loop."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import ssl
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

httpx = pytest.importorskip("httpx")

from agentic_dsl.errors import EngineError  # noqa: E402  # after the skip
from agentic_dsl.runtime.engines.http.ask import redacted, server_reason  # noqa: E402
from agentic_dsl.runtime.engines.http.endpoints import (  # noqa: E402
    FIRST_REST,
    LONGEST_REST,
    Endpoints,
    read_base_url,
)
from agentic_dsl.runtime.engines.http.errors import exception_failure, retry_after, status_failure  # noqa: E402
from agentic_dsl.runtime.engines.http.event_loop import EventLoopThread  # noqa: E402
from agentic_dsl.runtime.engines.http.sse import events  # noqa: E402


def exceptions_of_httpx() -> list[type[Exception]]:
    found = [getattr(httpx, name) for name in httpx.__all__]
    return [one for one in found if isinstance(one, type) and issubclass(one, Exception)]


def raised(kind: Any) -> Any:
    request = httpx.Request("POST", "http://h/v1")
    if kind is httpx.HTTPStatusError:
        return kind("said", request=request, response=httpx.Response(500, request=request))
    try:
        return kind("said")
    except TypeError:
        return kind()  # those of streams bring their own text


@pytest.mark.parametrize("kind", exceptions_of_httpx(), ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_has_a_message_and_a_help(kind: type[Exception]) -> None:
    failed = exception_failure(raised(kind), "http://h/v1")
    assert "http://h/v1" in failed.error.message
    assert "{" not in failed.error.message
    assert failed.error.help
    assert pickle.loads(pickle.dumps(failed.error)).message == failed.error.message


def test_every_status_has_a_message_and_a_help() -> None:
    for code in range(300, 600):
        failed = status_failure(code, {}, b"", url="http://h/v1", model="m", key=None)
        assert "http://h/v1" in failed.error.message
        assert "{" not in f"{failed.error.message}{failed.error.help}"
        assert failed.error.help
        assert not (failed.again and code in (400, 401, 403, 404, 405, 413, 422, 501))


def test_braces_of_a_server_are_shown_as_they_are() -> None:
    failed = status_failure(400, {}, b'{"detail": "in {url} {0}"}', url="http://h/v1", model="{m}", key=None)
    assert failed.error.message.endswith("in {url} {0}")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "no room", "code": 400}}', "no room"),
        (b'{"object": "error", "message": "no room"}', "no room"),
        (b'{"detail": [{"loc": ["body"], "msg": "bad"}]}', '[{"loc": ["body"], "msg": "bad"}]'),
        (b"<h1>502</h1>\n<p>Bad Gateway", "502 Bad Gateway"),
        (b"", "no reason given"),
        (b"x" * 1000, "x" * 400 + "…"),
        (b"\x1b[31mred\x00", "[31mred"),
    ],
)
def test_what_a_server_says_is_found_and_shortened(body: bytes, said: str) -> None:
    assert server_reason(body) == said


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_whatever_a_server_says_is_one_printable_line(body: bytes) -> None:
    said = server_reason(body)
    assert said.isprintable()
    assert 0 < len(said) <= 401


def test_the_help_of_a_plug_in_is_the_help_of_the_error() -> None:
    body = b'{"error": {"message": "max_output_tokens is 5 (help: allow at least 57)"}}'
    failed = status_failure(400, {}, body, url="http://h/v1", model="m", key=None)
    assert str(failed.error) == "http://h/v1 refused the request: max_output_tokens is 5 (help: allow at least 57)"
    body = b'{"error": {"message": "maximum context length is 100 tokens"}}'
    assert "shorten" in str(status_failure(400, {}, body, url="http://h/v1", model="m", key=None).error.help)


def test_keys_are_taken_out() -> None:
    assert redacted("key: abc-123!", "abc-123!") == "key: [key]!".replace("]!", "]")
    assert redacted("Incorrect API key: sk-pro*****6789.", "abc") == "Incorrect API key: [key]"


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after("3") == 3.0
    assert retry_after(" 0.5 ") == 0.5
    soon = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert soon is not None
    assert 80 < soon <= 90
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert [retry_after(text) for text in (None, "", "soon", "-1", "1e999", "9" * 40, "inf")] == [None] * 7


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Mon, 01 Jan 0001 00:00:00 +2300",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
def test_a_date_that_no_clock_reaches_is_no_reason_to_fail(text: str) -> None:
    wait = retry_after(text)
    assert wait is None or wait >= 0.0


def test_a_certificate_that_is_not_trusted_is_final_and_no_outage() -> None:
    reached = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]")
    reached.__context__ = OSError("below")
    reached.__context__.__cause__ = ssl.SSLCertVerificationError("self-signed")
    failed = exception_failure(reached, "https://h/v1")
    assert "certificate of https://h/v1 is not trusted" in failed.error.message
    assert "verify_tls" in str(failed.error.help)
    assert [failed.again, failed.elsewhere, failed.is_down] == [False] * 3


def test_exceptions_that_name_each_other_as_their_cause_are_read_once() -> None:
    first, second = httpx.ConnectError("refused"), OSError("below")
    first.__cause__, second.__cause__ = second, first
    assert exception_failure(first, "http://h/v1").is_down


# --- endpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_url", "used"),
    [
        ("http://h:8000", "http://h:8000/v1"),
        ("http://h:8000/", "http://h:8000/v1"),
        ("https://h/proxy/v1/", "https://h/proxy/v1"),
        ("http://h/v1/chat/completions", "http://h/v1"),
        ("http://h/api/v3", "http://h/api/v3"),
        (" http://[::1]:8000/v1 ", "http://[::1]:8000/v1"),
    ],
)
def test_base_urls_are_read_as_people_write_them(given_url: str, used: str) -> None:
    assert read_base_url(given_url) == used
    assert read_base_url(used) == used


def test_a_failed_endpoint_rests_longer_each_time_and_comes_back() -> None:
    now = 0.0
    endpoints = Endpoints(["http://a", "http://b"], clock=lambda: now)
    first, second = endpoints.all
    rests = []
    for _ in range(10):
        endpoints.failed(first)
        rests.append(first.resting_until - now)
        assert {endpoints.choose().url for _ in range(4)} == {second.url}
    assert rests[:3] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert rests[-1] == LONGEST_REST
    now += LONGEST_REST
    assert {endpoints.choose().url for _ in range(4)} == {first.url, second.url}
    endpoints.succeeded(first)
    endpoints.failed(first)
    assert first.resting_until - now == FIRST_REST


def test_where_all_rest_the_first_to_come_back_is_asked() -> None:
    endpoints = Endpoints(["http://a", "http://b"], clock=lambda: 0.0)
    first, second = endpoints.all
    endpoints.failed(first, 20.0)
    endpoints.failed(second, 5.0)
    assert endpoints.choose() is second
    assert not endpoints.has_other(first)


def test_the_least_busy_endpoint_is_asked_and_avoided_ones_last() -> None:
    endpoints = Endpoints(["http://a", "http://b", "http://c"], clock=lambda: 0.0)
    first, second, third = endpoints.all
    first.in_flight, second.in_flight, third.in_flight = 2, 1, 3
    assert endpoints.choose() is second
    assert endpoints.choose(avoid={second.url}) is first
    assert endpoints.choose(avoid={one.url for one in endpoints.all}) is second


def test_who_is_given_up_is_neither_chosen_nor_counted() -> None:
    endpoints = Endpoints(["http://a", "http://b"], clock=lambda: 0.0)
    first, second = endpoints.all
    endpoints.failed(second, 20.0)
    assert endpoints.choose(never={first.url}) is second
    assert not endpoints.has_other(second, never={first.url})
    assert endpoints.choose(never={first.url, second.url}) is first


def test_the_same_address_twice_is_one() -> None:
    assert len(Endpoints(["http://a", "http://a/v1/"]).all) == 1
    with pytest.raises(EngineError, match="no base URL"):
        Endpoints([])


# --- event streams ---------------------------------------------------------------------------------------------------


def read_events(chunks: list[bytes]) -> list[str]:
    async def parts() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def read() -> list[str]:
        return [event async for event in events(parts())]

    return asyncio.run(read())


STREAM = ': ping\n\ndata: {"a": "é"}\n\nevent: ids\ndata:two\r\ndata: lines\r\n\r\nid: 7\n\ndata: [DONE]'.encode()
EVENTS = ['{"a": "é"}', "two\nlines", "[DONE]"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    at = sorted({0, len(STREAM), *cuts})
    assert read_events([STREAM[a:b] for a, b in itertools.pairwise(at)]) == EVENTS


# --- the loop --------------------------------------------------------------------------------------------------------


def test_the_loop_ends_what_runs_before_its_ending() -> None:
    order: list[str] = []

    async def ending() -> None:
        order.append("ending")

    async def forever() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            order.append("work")

    async def start() -> asyncio.Task[None]:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        return task

    thread = EventLoopThread("test", ending)
    thread.run(start())
    thread.close()
    thread.close()
    assert order == ["work", "ending"]
    with pytest.raises(EngineError, match="closed"):
        thread.run(ending())


def test_an_interrupted_wait_cancels_the_work() -> None:
    begun = threading.Event()
    ended: list[str] = []

    async def nothing() -> None:
        return

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def waiting(thread: EventLoopThread) -> None:
        work = asyncio.create_task(thread.arun(forever()))
        await asyncio.to_thread(begun.wait, 30)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    thread = EventLoopThread("test", nothing)
    asyncio.run(waiting(thread))
    thread.close()
    assert ended == ["cancelled"]


def test_work_that_would_wait_for_itself_is_refused_at_once() -> None:
    async def nothing() -> None:
        return

    async def inside(thread: EventLoopThread) -> str:
        with pytest.raises(EngineError, match="cannot be asked from its own on_token") as caught:
            thread.run(nothing())
        return str(caught.value.help)

    thread = EventLoopThread("test", nothing)
    work = threading.Thread(target=lambda: said.append(thread.run(inside(thread))), daemon=True)
    said: list[str] = []
    work.start()
    work.join(10)
    thread.close()
    assert said == ["note what is needed, and ask after the answer"]
