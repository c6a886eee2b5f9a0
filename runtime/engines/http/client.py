"""`HttpClient`: requests to servers with several addresses, retries and bounds.

An answer is one of three things: a value, a `GenerationError` (what the server refuses, or goes on failing at), or the
caller's own exception. Which failures are worth another attempt is decided in `http_errors`, and where it goes in
`http_endpoints`. Nothing here knows what is asked.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import tenacity

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.http.ask import Answer, Ask, AttemptFailed, HttpLimits, failure
from agentic_dsl.runtime.engines.http.connections import open_connections
from agentic_dsl.runtime.engines.http.endpoints import Endpoint, Endpoints
from agentic_dsl.runtime.engines.http.errors import exception_failure, status_failure

_log = logging.getLogger(__name__)

T = TypeVar("T")

_ERROR_BYTES = 64 << 10
"""Of an answer that is no success; more says nothing more."""

_HTTPX_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)


@dataclass(frozen=True, slots=True)
class _Session:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    http: httpx.AsyncClient
    slots: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class _Tried:
    """Where one question has been asked already.

    Attributes:
        avoid: base URLs that are asked only if there is no other.
        given_up: those that would fail at it in the same way; they are not asked again.
    """

    avoid: set[str]
    given_up: set[str] = field(default_factory=set)


class HttpClient:
    """Asks servers. To be used on one event loop; owns its connections until `aclose`."""

    def __init__(
        self, endpoints: Endpoints, limits: HttpLimits, *, key: str | None = None, tls: ssl.SSLContext | bool = True
    ) -> None:
        """Keeps what it is given; nothing is opened.

        Args:
            endpoints: where to ask.
            limits: how long, how often, how much.
            key: sent as a bearer token. It never appears in messages, logs or `repr`.
            tls: how certificates are checked.

        Raises:
            EngineError: the key cannot stand in a header. The message does not show it.
        """
        if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
            raise EngineError(
                "the API key holds blanks, line ends or characters that no header can hold",
                help="copy the key again, without what is around it",
            )
        self.endpoints = endpoints
        self.limits = limits
        self._key = key
        self._tls = tls
        self._session: _Session | None = None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits until fewer than ``max_concurrency`` requests run; held while the block runs, pauses included."""
        async with self._opened().slots:
            yield

    async def ask(self, ask: Ask[T], *, avoid: Collection[str] = ()) -> tuple[T, Endpoint]:
        """Asks until there is an answer, or no hope of one.

        Args:
            ask: the request.
            avoid: base URLs that are asked only if there is no other.

        Returns:
            The value, and who gave it.

        Raises:
            AttemptFailed: the last attempt failed.
        """
        tried = _Tried(set(avoid))
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self.limits.max_retries + 1),
            retry=tenacity.retry_if_exception(lambda exc: isinstance(exc, AttemptFailed) and exc.again),
            wait=_pause,
            before_sleep=_log_retry,
            reraise=True,
        )
        return await retrying(self._attempt, ask, tried)

    async def ask_at(self, endpoint: Endpoint, ask: Ask[T]) -> T:
        """Asks one base URL, once.

        Raises:
            AttemptFailed: there is no answer.
        """
        url = ask.url(endpoint)
        clock = asyncio.timeout(ask.timeout or self.limits.timeout)
        try:
            async with clock:
                return await self._exchange(url, endpoint, ask)
        except TimeoutError:
            if not clock.expired():
                raise
            raise exception_failure(httpx.ReadTimeout(""), endpoint.url) from None
        except _HTTPX_ERRORS as exc:
            raise exception_failure(exc, endpoint.url) from exc

    async def aclose(self) -> None:
        """Closes all connections. Calling it again does nothing."""
        session, self._session = self._session, None
        if session is not None and session.loop is asyncio.get_running_loop():
            await session.http.aclose()

    async def _attempt(self, ask: Ask[T], tried: _Tried) -> tuple[T, Endpoint]:
        endpoint = await self._healthy(tried)
        endpoint.in_flight += 1
        try:
            value = await self.ask_at(endpoint, ask)
        except AttemptFailed as exc:
            tried.avoid.add(endpoint.url)
            if exc.elsewhere:
                tried.given_up.add(endpoint.url)
            self._judge(exc, endpoint, tried)
            raise
        finally:
            endpoint.in_flight -= 1
        self.endpoints.succeeded(endpoint)
        return value, endpoint

    async def _healthy(self, tried: _Tried) -> Endpoint:
        """The base URL to ask. One that failed must show that it is back, if another could be asked instead."""
        while True:
            endpoint = self.endpoints.choose(tried.avoid, tried.given_up)
            if not endpoint.failures or not self.endpoints.has_other(endpoint, tried.given_up):
                return endpoint
            self.endpoints.hold(endpoint, _HEALTH_SECONDS)
            try:
                await self.ask_at(endpoint, _HEALTH)
            except AttemptFailed as exc:
                # Servers without the route refuse it, which only one that runs can do.
                if exc.is_down:
                    self.endpoints.failed(endpoint)
                    continue
            self.endpoints.succeeded(endpoint)
            return endpoint

    def _judge(self, failed: AttemptFailed, endpoint: Endpoint, tried: _Tried) -> None:
        """Notes how the base URL is, and whether and when to ask again."""
        if failed.is_down or failed.wait is not None or failed.status == httpx.codes.TOO_MANY_REQUESTS:
            self.endpoints.failed(endpoint, failed.wait)
        elif failed.status is not None:
            self.endpoints.succeeded(endpoint)
        if self.endpoints.has_other(endpoint, tried.given_up):
            failed.again |= failed.elsewhere
            failed.wait = 0.0 if failed.again else None
        elif failed.wait is not None and failed.wait > self.limits.longest_wait:
            failed.again = False
            failed.error.help = f"try again in {failed.wait:,.0f} seconds, as the server asks"

    async def _exchange(self, url: str, endpoint: Endpoint, ask: Ask[T]) -> T:
        method = "GET" if ask.body is None else "POST"
        sent = self._opened().http.stream(method, url, content=ask.body, headers=dict(ask.headers))
        async with sent as response:
            if not response.is_success:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) >= _ERROR_BYTES:
                        break
                raise status_failure(
                    response.status_code,
                    response.headers,
                    body[:_ERROR_BYTES],
                    url=endpoint.url,
                    model=ask.model,
                    key=self._key,
                )
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return await ask.read(Answer(endpoint.url, kind, self._bounded(response, endpoint.url)))

    async def _bounded(self, response: httpx.Response, url: str) -> AsyncIterator[bytes]:
        limit, size = self.limits.max_answer_bytes, 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > limit:
                raise failure(
                    f"the answer of {url} is larger than {limit:,} bytes",
                    "lower max_output_tokens, or raise max_answer_bytes",
                )
            yield chunk

    def _opened(self) -> _Session:
        """The session of the running loop; a forked process has none yet.

        Raises:
            EngineError: see `open_connections`.
        """
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.loop is not loop:
            http = open_connections(self.limits, key=self._key, tls=self._tls)
            self._session = _Session(loop, http, asyncio.Semaphore(self.limits.max_concurrency))
        return self._session


_HEALTH_SECONDS = 5.0


async def _read_nothing(answer: Answer) -> None:
    await answer.body()


_HEALTH = Ask(path="/health", read=_read_nothing, at_root=True, timeout=_HEALTH_SECONDS)

_back_off = tenacity.wait_random_exponential(multiplier=0.5, max=20)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt: what the server asks for, none at another base URL, else more each time."""
    failed = state.outcome.exception() if state.outcome is not None else None
    if isinstance(failed, AttemptFailed) and failed.wait is not None:
        return failed.wait
    return _back_off(state)


def _log_retry(state: tenacity.RetryCallState) -> None:
    failed = state.outcome.exception() if state.outcome is not None else None
    wait = state.next_action.sleep if state.next_action is not None else 0.0
    _log.warning("attempt %d failed: %s; asking again in %.1f s", state.attempt_number, failed, wait)
