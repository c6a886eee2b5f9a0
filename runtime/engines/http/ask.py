"""What an engine asks a server over HTTP, and the one way in which an attempt fails.

Free of any HTTP library, so that engines and their records can be read without one; `client` does the asking.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from agentic_dsl.errors import EngineError, GenerationError

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.http.endpoints import Endpoint

T = TypeVar("T")

SHOWN_CHARS = 400
"""Of what a server says."""


@dataclass(frozen=True, kw_only=True)  # without slots, so that the defaults can be read from the class
class HttpLimits:
    """How long and how often a client asks, and how much it reads.

    Attributes:
        timeout: seconds for one attempt, from the request to the last byte of its answer.
        connect_timeout: seconds until a connection stands.
        max_retries: further attempts after one that failed by what can pass.
        longest_wait: seconds before an attempt; a server that asks for more is not asked again.
        max_concurrency: the most requests at once; others wait. Also the most connections.
        max_answer_bytes: the most bytes of one answer.
    """

    timeout: float = 600.0
    connect_timeout: float = 10.0
    max_retries: int = 3
    longest_wait: float = 30.0
    max_concurrency: int = 64
    max_answer_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        for name, least in (("max_retries", 0), ("max_concurrency", 1), ("max_answer_bytes", 1), ("longest_wait", 0)):
            if getattr(self, name) < least:
                raise EngineError(f"{name} is {getattr(self, name)}", help=f"give a number of {least} or more")
        for name in ("timeout", "connect_timeout"):
            if not 0 < getattr(self, name) < float("inf"):
                raise EngineError(f"{name} is {getattr(self, name)}", help="give a number of seconds above 0")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that begins to arrive; valid while its reader runs.

    Attributes:
        url: of the base URL that gives it.
        content_type: without parameters, in lower case.
        chunks: its bytes, bounded; can be read once.
    """

    url: str
    content_type: str
    chunks: AsyncIterator[bytes]

    async def body(self) -> bytes:
        """All of its bytes."""
        return b"".join([chunk async for chunk in self.chunks])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[T]):
    """One request.

    Attributes:
        path: below the base URL, or below its root where `at_root`.
        read: makes the value of the answer; raises `AttemptFailed` for what cannot be used. It is called again with
            each attempt.
        body: JSON, or None for ``GET``.
        headers: beside those of the client.
        model: that is asked for, for messages.
        at_root: see `Endpoint.root`.
        timeout: seconds, instead of `HttpLimits.timeout`.
    """

    path: str
    read: Callable[[Answer], Awaitable[T]]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    at_root: bool = False
    timeout: float | None = None

    def url(self, endpoint: Endpoint) -> str:
        """Where it goes at one base URL."""
        return f"{endpoint.root if self.at_root else endpoint.url}{self.path}"


class AttemptFailed(Exception):
    """One attempt failed. Only between the attempts of a client: callers see `error`.

    Attributes:
        error: for the caller, if this was the last attempt.
        again: whether another attempt can succeed, at the same base URL or at another.
        elsewhere: whether only another base URL can be asked again.
        is_down: whether the base URL should rest.
        wait: seconds that the server asked for.
        status: of the answer, None where there is none.
    """

    def __init__(
        self,
        error: GenerationError,
        *,
        again: bool = False,
        elsewhere: bool = False,
        is_down: bool = False,
        wait: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.again = again
        self.elsewhere = elsewhere
        self.is_down = is_down
        self.wait = wait
        self.status = status


def failure(message: str, help: str, *, again: bool = False, elsewhere: bool = False) -> AttemptFailed:
    """An attempt that failed by what its answer holds."""
    return AttemptFailed(GenerationError(message, help=help), again=again, elsewhere=elsewhere)


def server_reason(body: bytes) -> str:
    """What a server says is wrong: the message of the usual JSON shapes, else the beginning of its text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = re.sub(r"<[^>]*>", " ", text)
    for key in ("error", "message", "detail"):
        if isinstance(record, dict) and record.get(key):
            record = record[key]
    words = record if isinstance(record, str) else json.dumps(record)
    shown = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return (shown[:SHOWN_CHARS] + ("…" if len(shown) > SHOWN_CHARS else "")) or "no reason given"


def redacted(text: str, key: str | None) -> str:
    """A text without the key, also where a server shows only its ends, as some do."""
    if key:
        text = text.replace(key, "[key]")
    return re.sub(r"\b(sk|pk|hf)[-_][\w*.\-]{6,}", "[key]", text)
