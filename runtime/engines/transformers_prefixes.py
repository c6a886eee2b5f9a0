"""The cache of prefixes of the transformers engine, which takes every order but one: it knows no tenants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import Prompt
from agentic_dsl.runtime.engines.prefills import Prefilled
from agentic_dsl.runtime.engines.prefix_controls import PREFIX_CONTROLS, PrefixControls, PrefixCounts
from agentic_dsl.runtime.prefix_cache.selector import Selector

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.transformers import TransformersEngine
    from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache


class TransformersPrefixes:
    """`PrefixControl` on a `TransformersEngine`, which stays its caller's. Safe to call from several threads."""

    def __init__(self, engine: TransformersEngine) -> None:
        """Keeps the engine.

        Raises:
            EngineError: the engine was told to keep no prefixes.
        """
        if engine.prefixes is None:
            raise EngineError(f"{engine.name} keeps no prefixes", help="give it prefix_cache_bytes above 0")
        self._engine = engine
        self._cache: PrefixCache[Any] = engine.prefixes

    @property
    def controls(self) -> PrefixControls:
        """See `PrefixControl.controls`."""
        return PREFIX_CONTROLS["transformers"]

    def prefetch(self, prompts: Iterable[Prompt], *, tenant: str | None = None) -> list[Prefilled]:
        """See `PrefixControl.prefetch`; prompts that files hold are loaded instead of read.

        Raises:
            EngineError: a tenant is named.
        """
        if tenant is not None:
            raise self.controls.refusal("isolation")
        return [self._engine.prefill(prompt) for prompt in prompts]

    def statistics(self) -> PrefixCounts:
        """See `PrefixControl.statistics`; the cache's own say it for each kind of segment."""
        total = self._cache.statistics().total
        return PrefixCounts(total.tokens_saved + total.tokens_computed, total.tokens_saved, total.tokens)

    def evict(self, selector: Selector | None = None) -> int:
        """See `PrefixControl.evict` and `PrefixCache.evict`; without a selector, `PrefixCache.clear`."""
        return self._cache.clear() if selector is None else self._cache.evict(selector)

    def pin(self, selector: Selector) -> int:
        """See `PrefixCache.pin`."""
        return self._cache.pin(selector)

    def unpin(self, selector: Selector) -> int:
        """See `PrefixCache.unpin`."""
        return self._cache.unpin(selector)

    def move(self, selector: Selector, tier: str) -> int:
        """See `PrefixCache.move`."""
        return self._cache.move(selector, tier)


__all__ = ["TransformersPrefixes"]
