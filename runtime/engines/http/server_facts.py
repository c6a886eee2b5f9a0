"""What an engine learns of its servers by asking them: the model's name, and whether they run the plug-in."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.http.ask import Answer, Ask, AttemptFailed, failure
from agentic_dsl.runtime.engines.http.openai_wire import MODELS_PATH, read_models
from agentic_dsl.runtime.wire import VERSION

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.http.client import HttpClient
    from agentic_dsl.runtime.engines.http.endpoints import Endpoint

FACTS_PATH = "/agentic-dsl"
"""Below a server's root: where ``agentic-dsl serve`` says what it runs."""

NO_SECONDS = 60.0
"""How long a server that did not say that it runs the plug-in is taken for one without."""

_MODEL_SECONDS = 10.0
_FACTS_SECONDS = 2.0
"""Short: answers wait for it, and whoever knows the route answers at once."""

_AT_ONCE_SECONDS = 0.1

_SHOWN_MODELS = 10


class _Facts(BaseModel):
    contract: int
    overlay: bool


@dataclass(frozen=True, slots=True)
class _Said:
    """Whether a server runs the plug-in, and for how long that holds.

    Attributes:
        overlay: what it said.
        until: on the clock of `ServerFacts`.
        outages: of the server when it was asked: one that came back may be another one. None holds for any number.
    """

    overlay: bool
    until: float
    outages: int | None


class ServerFacts:
    """Asked when first needed, then kept. To be used on the client's event loop."""

    def __init__(
        self,
        client: HttpClient,
        *,
        model: str | None,
        overlay: bool | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keeps what is known from the start.

        Args:
            client: asks.
            model: the model's name; None asks the first server that answers.
            overlay: whether the servers run the plug-in; None asks each.
            clock: seconds, for tests.
        """
        self.given_model = model
        self.given_overlay = overlay
        self.known_model = model
        self._client = client
        self._clock = clock
        self._overlays: dict[str, _Said] = {}
        self._asking: dict[str, asyncio.Task[bool]] = {}
        self._asking_model: asyncio.Task[str] | None = None

    async def model(self) -> str:
        """The name of the model that requests ask for.

        Raises:
            AttemptFailed: no server gives a list.
            GenerationError: the list does not hold exactly one.
        """
        if self.known_model is not None:
            return self.known_model
        # One question for all requests that wait for it; a cancelled request must not end it for the others.
        if self._asking_model is None or self._asking_model.done():
            self._asking_model = asyncio.create_task(self._only_model())
        return await asyncio.shield(self._asking_model)

    async def overlay_at(self, endpoint: Endpoint) -> bool:
        """Whether one server says that it holds answers to all rules. No answer counts as no.

        A yes holds until the server fails, a no for `NO_SECONDS` at most. One that cannot be reached is asked again.
        """
        if self.given_overlay is not None:
            return self.given_overlay
        url = endpoint.url
        said = self._overlays.get(url)
        if said is not None and self._clock() < said.until and said.outages in (None, endpoint.outages):
            return said.overlay
        if (asking := self._asking.get(url)) is None:
            asking = self._asking[url] = asyncio.create_task(self._ask_overlay(endpoint))
            asking.add_done_callback(lambda _: self._asking.pop(url, None))
        return await asyncio.shield(asking)

    async def overlay_everywhere(self) -> bool:
        """Whether all servers say so."""
        return all(await asyncio.gather(*(self.overlay_at(endpoint) for endpoint in self._client.endpoints.all)))

    async def _only_model(self) -> str:
        async def read(answer: Answer) -> list[str]:
            return read_models(await answer.body(), answer.url)

        names, endpoint = await self._client.ask(Ask(path=MODELS_PATH, read=read, timeout=_MODEL_SECONDS))
        if len(names) != 1:
            shown = ", ".join(name[:100] for name in names[:_SHOWN_MODELS])
            more = f", and {len(names) - _SHOWN_MODELS} more" if len(names) > _SHOWN_MODELS else ""
            listed = f"{len(names)} models: {shown}{more}" if names else "no model"
            raise GenerationError(f"{endpoint.url} has {listed}", help="name the one to use as model")
        self.known_model = names[0]
        return self.known_model

    async def _ask_overlay(self, endpoint: Endpoint) -> bool:
        outages: int | None = endpoint.outages
        start = self._clock()
        try:
            overlay = await self._client.ask_at(
                endpoint, Ask(path=FACTS_PATH, read=_read_facts, at_root=True, timeout=_FACTS_SECONDS)
            )
        except AttemptFailed as exc:
            # Who cannot be reached says nothing, and costs no time. Gateways that hang at the route, or fail, cost it
            # with each answer, also through outages of what is behind them.
            if exc.again and exc.status is None and self._clock() - start < _AT_ONCE_SECONDS:
                return False
            overlay = False
            outages = None if exc.again or exc.is_down else outages
        until = math.inf if overlay else self._clock() + NO_SECONDS
        self._overlays[endpoint.url] = _Said(overlay, until, outages)
        return overlay


async def _read_facts(answer: Answer) -> bool:
    try:
        facts = _Facts.model_validate_json(await answer.body())
    except ValidationError as exc:
        raise failure(f"{answer.url} does not say what it runs", "run agentic-dsl serve") from exc
    return facts.overlay and facts.contract == VERSION
