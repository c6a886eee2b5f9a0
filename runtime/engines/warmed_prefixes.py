"""What all engines share that keep prefixes by themselves: they are warmed up by requests, and take no other orders."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import Engine, Prompt, ServingHints
from agentic_dsl.runtime.engines.prefills import Prefilled, prefill_by_request
from agentic_dsl.runtime.engines.prefix_controls import PrefixControls
from agentic_dsl.runtime.prefix_cache.selector import Selector


class WarmedPrefixes:
    """The part of `PrefixControl` that a request can do, and refusals for what none can."""

    def __init__(self, engine: Engine, controls: PrefixControls) -> None:
        """Asks the engine nothing yet.

        Args:
            engine: whose cache it is.
            controls: what of the calls it does.
        """
        self._asked = engine
        self._controls = controls

    @property
    def controls(self) -> PrefixControls:
        """See `PrefixControl.controls`."""
        return self._controls

    def prefetch(self, prompts: Iterable[Prompt], *, tenant: str | None = None) -> list[Prefilled]:
        """See `PrefixControl.prefetch`: one request for one token each, one after the other.

        Together they would not find each other's beginnings, which are in the cache only once they are read.

        Raises:
            EngineError: the engine keeps no prefixes, or could not read one of the prompts.
        """
        if not self._asked.capabilities.supports_prefix_caching:
            raise EngineError(f"{self._asked.name} keeps no prefixes", help="switch its prefix cache on")
        hints = None if tenant is None else ServingHints(cache_salt=tenant)
        return [prefill_by_request(self._asked, prompt, hints) for prompt in prompts]

    def pin(self, selector: Selector) -> int:  # noqa: ARG002  # the port's arguments, as below
        """See `PrefixControl.pin`; refused."""
        raise self._controls.refusal("pin")

    def unpin(self, selector: Selector) -> int:  # noqa: ARG002
        """See `PrefixControl.unpin`; refused."""
        raise self._controls.refusal("unpin")

    def move(self, selector: Selector, tier: str) -> int:  # noqa: ARG002
        """See `PrefixControl.move`; refused."""
        raise self._controls.refusal("move")

    def _require_everything(self, selector: Selector | None) -> None:
        """Refuses to evict less than the whole cache."""
        if selector is not None:
            raise self._controls.refusal("evict")


__all__ = ["WarmedPrefixes"]
