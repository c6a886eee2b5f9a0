"""What an engine learns of its servers by asking them once: the model's name, and whether they run the plug-in."""

from __future__ import annotations

import asyncio
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

_ASK_SECONDS = 10.0
_SHOWN_MODELS = 10


class _Facts(BaseModel):
    contract: int
    overlay: bool


class ServerFacts:
    """Asked when first needed, then kept. To be used on the client's event loop."""

    def __init__(self, client: HttpClient, *, model: str | None, overlay: bool | None) -> None:
        """Keeps what is known from the start.

        Args:
            client: asks.
            model: the model's name; None asks the first server that answers.
            overlay: whether the servers run the plug-in; None asks each.
        """
        self.given_model = model
        self.given_overlay = overlay
        self.known_model = model
        self._client = client
        # With the outages at that time: a server that came back may be another one.
        self._overlays: dict[tuple[str, int], bool] = {}
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
        """Whether one server says that it holds answers to all rules. No answer counts as no, until the next time."""
        if self.given_overlay is not None:
            return self.given_overlay
        url = endpoint.url
        if (said := self._overlays.get((url, endpoint.outages))) is not None:
            return said
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

        names, endpoint = await self._client.ask(Ask(path=MODELS_PATH, read=read, timeout=_ASK_SECONDS))
        if len(names) != 1:
            shown = ", ".join(name[:100] for name in names[:_SHOWN_MODELS])
            more = f", and {len(names) - _SHOWN_MODELS} more" if len(names) > _SHOWN_MODELS else ""
            listed = f"{len(names)} models: {shown}{more}" if names else "no model"
            raise GenerationError(f"{endpoint.url} has {listed}", help="name the one to use as model")
        self.known_model = names[0]
        return self.known_model

    async def _ask_overlay(self, endpoint: Endpoint) -> bool:
        try:
            said = await self._client.ask_at(
                endpoint, Ask(path=FACTS_PATH, read=_read_facts, at_root=True, timeout=_ASK_SECONDS)
            )
        except AttemptFailed as exc:
            # A server that refuses or answers something else does not run it; one that cannot be reached may.
            if not (exc.again or exc.is_down):
                self._overlays[endpoint.url, endpoint.outages] = False
            return False
        self._overlays[endpoint.url, endpoint.outages] = said
        return said


async def _read_facts(answer: Answer) -> bool:
    try:
        facts = _Facts.model_validate_json(await answer.body())
    except ValidationError as exc:
        raise failure(f"{answer.url} does not say what it runs", "run agentic-dsl serve") from exc
    return facts.overlay and facts.contract == VERSION
