"""The base URLs of an engine: which one is asked next, and which ones rest after a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from agentic_dsl.errors import EngineError

FIRST_REST = 0.5
"""Seconds that a base URL rests after its first failure; each further one in a row doubles it."""

LONGEST_REST = 30.0
"""Seconds. A server that came back is found after this time at the latest."""


@dataclass(slots=True)
class Endpoint:
    """One base URL and what is known of it. Owned by its `Endpoints`; changed on the event loop of the client only.

    Attributes:
        url: with its version, without a slash at the end, such as ``http://127.0.0.1:8000/v1``.
        in_flight: requests that are being answered there.
        failures: in a row.
        outages: failures in all; what was learned of the server before the last one may hold no more.
        resting_until: on the clock of `Endpoints`; asked before only if all others rest too.
    """

    url: str
    in_flight: int = 0
    failures: int = 0
    outages: int = 0
    resting_until: float = 0.0

    @property
    def root(self) -> str:
        """The URL without its version: where ``/health`` and ``/agentic-dsl`` are."""
        return self.url.removesuffix("/v1")


class Endpoints:
    """Chooses the least busy of the base URLs that answer."""

    def __init__(self, urls: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the URLs; nothing is asked.

        Args:
            urls: one or more; see `read_base_url`.
            clock: seconds, for tests.

        Raises:
            EngineError: there is none, or one cannot be used.
        """
        if not urls:
            raise EngineError("there is no base URL", help="give base_url, such as http://127.0.0.1:8000/v1")
        self._all = tuple(Endpoint(url) for url in dict.fromkeys(map(read_base_url, urls)))
        self._clock = clock
        self._turn = 0

    @property
    def all(self) -> tuple[Endpoint, ...]:
        """Every base URL once, in the order given."""
        return self._all

    def choose(self, avoid: Collection[str] = (), never: Collection[str] = ()) -> Endpoint:
        """The base URL to ask next.

        Args:
            avoid: URLs that are taken only where no other one answers.
            never: URLs that are not taken, unless these are all.
        """
        now = self._clock()
        self._turn += 1
        order = [self._all[(self._turn + at) % len(self._all)] for at in range(len(self._all))]
        order = [one for one in order if one.url not in never] or order
        # Equally busy ones take turns: `min` keeps the first, and the order moves on with each choice.
        return min(order, key=lambda one: (max(one.resting_until - now, 0.0), one.url in avoid, one.in_flight))

    def has_other(self, endpoint: Endpoint, never: Collection[str] = ()) -> bool:
        """Whether another base URL, none of ``never``, answers now, so that a request can go there at once."""
        now = self._clock()
        return any(one is not endpoint and one.url not in never and one.resting_until <= now for one in self._all)

    def hold(self, endpoint: Endpoint, seconds: float) -> None:
        """Sends nothing there while somebody looks whether it is back."""
        endpoint.resting_until = self._clock() + seconds

    def succeeded(self, endpoint: Endpoint) -> None:
        """It answered; that a request was refused is an answer too."""
        endpoint.failures = 0
        endpoint.resting_until = 0.0

    def failed(self, endpoint: Endpoint, wait: float | None = None) -> None:
        """It did not answer, or asked for a pause.

        Args:
            endpoint: the base URL.
            wait: seconds that it asked for; None rests by the number of failures.
        """
        endpoint.failures += 1
        endpoint.outages += 1
        rest = FIRST_REST * 2.0 ** min(endpoint.failures - 1, 10) if wait is None else wait
        endpoint.resting_until = self._clock() + min(rest, LONGEST_REST)


def read_base_url(url: str) -> str:
    """A base URL as it is used: ``/v1`` is appended where the URL has no path.

    Raises:
        EngineError: it is no URL of a server, or it holds a key. The message then does not show it.
    """
    # Before anything else, so that no later message can show what is in front of the "@".
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as exc:
        raise EngineError("a base URL cannot be read", help="write it like http://127.0.0.1:8000/v1") from exc
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise EngineError(
            "a base URL holds a user, a query or a fragment", help="give the key as api_key, and the URL without it"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise EngineError(f'"{url[:200]}" is not the URL of a server', help="write it like http://127.0.0.1:8000/v1")
    path = parts.path.rstrip("/")
    for tail in ("/chat/completions", "/completions", "/models"):
        path = path.removesuffix(tail)
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"
