"""The cache of prefixes of vLLM in this process: warmed up by requests, counted and emptied by vLLM itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

from agentic_dsl.errors import AgenticDSLError, EngineError
from agentic_dsl.runtime.engines.prefix_controls import PREFIX_CONTROLS, PrefixCounts
from agentic_dsl.runtime.engines.vllm import VllmEngine
from agentic_dsl.runtime.engines.vllm_loop import EngineLoop, Job
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
        # Its loop and configuration are read below: to callers, `VllmEngine` shows nothing of vLLM.
        self._engine = engine

    @property
    def block_tokens(self) -> int:
        """How many tokens vLLM keeps or drops together."""
        return int(self._engine._config.cache_config.block_size)

    def statistics(self) -> PrefixCounts:
        """See `PrefixControl.statistics`. Counted since vLLM was last started in this process.

        Raises:
            EngineError: the engine was started without statistics.
        """
        running = self._engine._loop.engine
        if not running.log_stats:
            raise self.controls.refusal("statistics")
        # Read from the process's registry, which any thread may do.
        model = self._engine._config.model_config.served_model_name
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
        if not _between_steps(self._engine._loop, lambda vllm: vllm.reset_prefix_cache()):
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


def _between_steps(loop: EngineLoop, do: Callable[[Any], Any]) -> Any:
    """Runs something in the thread that owns vLLM, while it takes no step; gives what it returns.

    Raises:
        EngineError: the engine is closed or has failed.
    """
    errand = _Errand(lambda: do(loop.engine))
    loop.submit([Job(0, "agentic-dsl-errand", {}, errand)])
    return errand.result()


class _Errand:
    """An outbox that acts instead of keeping what it gets.

    The loop hands outputs over in the engine's thread, and vLLM refuses a request without a prompt before it changes
    anything: so the refusal comes between two steps, which is when the engine may be told something.
    """

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do
        self._done: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def put(self, item: tuple[int, Any], /) -> None:
        """Acts, unless it is the end of the engine that is told."""
        _, output = item
        if isinstance(output, AgenticDSLError):
            self._done.put((None, output))
            return
        try:
            self._done.put((self._do(), None))
        except Exception as exc:  # whoever waits raises it
            error = EngineError(f"vLLM could not do it: {exc}", help="see the log for what it says")
            error.__cause__ = exc
            self._done.put((None, error))

    def result(self) -> Any:
        """Waits until it is done."""
        value, error = self._done.get()
        if error is not None:
            raise error
        return value


__all__ = ["ASKED", "REUSED", "VllmPrefixes", "counts_of"]
