"""The cache of prefixes of vLLM in this process: warmed up by requests, counted and emptied by vLLM itself."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.prefix_controls import PREFIX_CONTROLS, PrefixCounts
from agentic_dsl.runtime.engines.vllm import VllmEngine
from agentic_dsl.runtime.engines.warmed_prefixes import WarmedPrefixes
from agentic_dsl.runtime.prefix_cache.selector import Selector

ASKED = "vllm:prefix_cache_queries"
REUSED = "vllm:prefix_cache_hits"
"""vLLM's counters, in tokens."""


class VllmPrefixes(WarmedPrefixes):
    """`PrefixControl` on a `VllmEngine`, which stays its caller's. Safe to call from several threads."""

    def __init__(self, engine: VllmEngine) -> None:
        """Keeps the engine.

        Args:
            engine: open; with ``disable_log_stats=False`` among its options where `statistics` is to be asked for.
        """
        super().__init__(engine, PREFIX_CONTROLS["vllm"])
        self._engine = engine

    @property
    def block_tokens(self) -> int:
        """How many tokens vLLM keeps or drops together."""
        return int(self._engine.config.cache_config.block_size)

    def statistics(self) -> PrefixCounts:
        """See `PrefixControl.statistics`. Counted since vLLM was last started in this process.

        Raises:
            EngineError: the engine was started without statistics.
        """
        running = self._engine.loop.engine
        if not running.log_stats:
            raise self.controls.refusal("statistics")
        # Read from the process's registry, which any thread may do.
        model = self._engine.config.model_config.served_model_name
        return counts_of(
            (metric.name, metric.value)
            for metric in running.get_metrics()
            if metric.name in (ASKED, REUSED) and metric.labels.get("model_name") == model
        )

    def evict(self, selector: Selector | None = None) -> None:
        """See `PrefixControl.evict`: everything, of every tenant.

        Raises:
            EngineError: a selector was given, requests are running, or the engine is closed.
        """
        self._require_everything(selector)
        if not self._engine.loop.call(lambda vllm: vllm.reset_prefix_cache()):
            raise EngineError(
                "vLLM drops nothing while requests are running", help="evict again when they have their answers"
            )


def counts_of(samples: Iterable[tuple[str, float]]) -> PrefixCounts:
    """The counts that some samples of vLLM's counters add up to; those of other names are left out."""
    totals = {ASKED: 0, REUSED: 0}
    for name, value in samples:
        if name in totals:
            totals[name] += int(value)
    return PrefixCounts(totals[ASKED], totals[REUSED])


__all__ = ["ASKED", "REUSED", "VllmPrefixes", "counts_of"]
