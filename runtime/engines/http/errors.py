"""The one boundary where failures of HTTP become errors of ours.

Two tables: exceptions of httpx, and status codes. Each row says what a person reads and whether asking again can help.
What a server wrote is shown shortened, and never with the key in it.
"""

from __future__ import annotations

import email.utils
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.http.ask import SHOWN_CHARS, AttemptFailed, redacted, server_reason


@dataclass(frozen=True, slots=True)
class _Row:
    message: str
    help: str
    again: bool = False
    elsewhere: bool = False
    is_down: bool = False


_UNTRUSTED = _Row(
    "the certificate of {url} is not trusted: {reason}", "give verify_tls the file of the certificates to trust"
)
_START = "check the address, and that the server is running"
_CONNECTION = _Row("the connection to {url} broke", "see the server's log", again=True, is_down=True)

# The first row whose class fits; subclasses therefore stand before their bases.
_EXCEPTIONS: tuple[tuple[type[Exception], _Row], ...] = (
    (
        httpx.ConnectTimeout,
        _Row("{url} did not take the connection in time", _START, again=True, is_down=True),
    ),
    (httpx.PoolTimeout, _Row("no connection to {url} became free in time", "raise max_concurrency", again=True)),
    # A server that computes for too long would do so again; another one may be idle.
    (
        httpx.TimeoutException,
        _Row(
            "{url} did not answer in time",
            "raise timeout, lower max_output_tokens, or see the server's load",
            elsewhere=True,
            is_down=True,
        ),
    ),
    (httpx.ConnectError, _Row("{url} cannot be reached: {reason}", _START, again=True, is_down=True)),
    (httpx.UnsupportedProtocol, _Row("{url} is not an HTTP address", "write it like http://127.0.0.1:8000/v1")),
    (httpx.ProxyError, _Row("the proxy in front of {url} failed", "check HTTP_PROXY and NO_PROXY", again=True)),
    (httpx.LocalProtocolError, _Row("the request to {url} cannot be sent: {reason}", "check the key and the headers")),
    (httpx.TransportError, _CONNECTION),
    (httpx.DecodingError, _Row("the answer of {url} is damaged", "see the server's log", again=True)),
    (httpx.TooManyRedirects, _Row("{url} sends the request in circles", "give the address it redirects to")),
    (httpx.HTTPError, _CONNECTION),
    (httpx.StreamError, _CONNECTION),
    (httpx.InvalidURL, _Row("{url} is not an address", "write it like http://127.0.0.1:8000/v1")),
    (httpx.CookieConflict, _CONNECTION),
)

_STATUSES: Mapping[int, _Row] = {
    400: _Row(
        "{url} refused the request: {reason}", "see the reason; a server of another kind needs the engine of its name"
    ),
    401: _Row("{url} does not accept the API key", "set the environment variable AGENTIC_DSL_API_KEY, or give api_key"),
    403: _Row("the API key may not be used for this at {url}", "ask the operator, or give another api_key"),
    404: _Row('{url} does not know the model "{model}" or this address: {reason}', "name a model of GET {url}/models"),
    405: _Row("{url} is no OpenAI-compatible address", "give the URL that ends in /v1"),
    408: _Row("{url} gave up waiting for the request", "see the server's load", again=True),
    409: _Row("{url} is busy with a conflicting request", "try again later", again=True),
    413: _Row("the request is too large for {url}: {reason}", "give fewer tools, or raise the server's limit"),
    422: _Row(
        "{url} refused the request: {reason}", "see the reason; a server of another kind needs the engine of its name"
    ),
    429: _Row("{url} takes no more requests now: {reason}", "lower max_concurrency, or try again later", again=True),
}
_ANY_4XX = _Row("{url} refused the request with status {status}: {reason}", "see the server's log")
_ANY_5XX = _Row("{url} failed with status {status}: {reason}", "see the server's log", again=True, is_down=True)
# Of these nothing is gained by asking again: 501 not implemented, 505 version of HTTP, 511 a login page is in the way.
_FINAL_5XX = frozenset({501, 505, 511})
_REDIRECT = _Row("{url} redirects to another address", "give the address that it redirects to")


def exception_failure(exc: Exception, url: str) -> AttemptFailed:
    """What an exception of httpx means.

    Args:
        exc: the exception.
        url: of the server.
    """
    if (untrusted := _certificate_error(exc)) is not None:
        return _failure(_UNTRUSTED, url=url, reason=getattr(untrusted, "verify_message", "") or "it cannot be checked")
    row = next((row for kind, row in _EXCEPTIONS if isinstance(exc, kind)), _CONNECTION)
    reason = next(iter(str(exc).splitlines()), "")[:SHOWN_CHARS] or type(exc).__name__
    return _failure(row, url=url, reason=reason)


def _certificate_error(exc: BaseException) -> ssl.SSLCertVerificationError | None:
    """The error of a certificate that an exception comes from; httpx has no class for it. None where it is another."""
    seen: set[int] = set()
    found: BaseException | None = exc
    while found is not None and id(found) not in seen:
        if isinstance(found, ssl.SSLCertVerificationError):
            return found
        seen.add(id(found))
        found = found.__cause__ or found.__context__
    return None


def status_failure(
    status: int, headers: Mapping[str, str], body: bytes, *, url: str, model: str, key: str | None
) -> AttemptFailed:
    """What an answer that is no success means.

    Args:
        status: its code.
        headers: its headers; ``Retry-After`` is read.
        body: its body, or the beginning of it.
        url: of the server.
        model: that was asked for.
        key: never shown, even if the server repeats it.
    """
    row = _STATUSES.get(status)
    if row is None and status >= 500:
        row = _Row(_ANY_5XX.message, _ANY_5XX.help) if status in _FINAL_5XX else _ANY_5XX
    if row is None:
        row = _REDIRECT if 300 <= status < 400 else _ANY_4XX
    # Our plug-ins say what helps in the way of all our errors; a server's own words need ours.
    reason, _, remedy = redacted(server_reason(body), key).partition(" (help: ")
    failure = _failure(row, url=url, reason=reason, model=model, status=str(status))
    if remedy:
        failure.error.help = remedy.removesuffix(")")
    elif status in (400, 422) and "context length" in reason:
        failure.error.help = "shorten the task, give fewer tools, or lower max_output_tokens"
    failure.status = status
    failure.wait = retry_after(headers.get("retry-after")) if failure.again else None
    return failure


def _failure(row: _Row, **fields: str) -> AttemptFailed:
    error = GenerationError(row.message.format(**fields), help=row.help.format(**fields))
    return AttemptFailed(error, again=row.again, elsewhere=row.elsewhere, is_down=row.is_down)


def retry_after(value: str | None) -> float | None:
    """Seconds to wait by a ``Retry-After`` header: a number, or a date. None where there is none to read."""
    if not value:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
