"""What plug-ins count, as Prometheus metrics of the engine's own process where that library is installed."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

Outcome = Literal["overlay", "grammar", "refused"]
"""Who enforces a contract: our matcher, the grammar alone, nobody because it was refused."""


class PluginMetrics:
    """Counters of one process; without ``prometheus_client`` everything is accepted and nothing kept.

    Names, as operators see them: ``agentic_dsl_contracts_total{outcome}``, ``agentic_dsl_fallbacks_total{reason}``,
    ``agentic_dsl_compile_seconds``, ``agentic_dsl_fill_seconds_total``, ``agentic_dsl_fills_total``,
    ``agentic_dsl_rejected_tokens_total``.
    """

    def __init__(self) -> None:
        try:
            from prometheus_client import Counter, Histogram
        except ImportError:
            self._contracts: Any = None
            return
        self._contracts = Counter("agentic_dsl_contracts", "Requests with a contract, by who enforces it.", ["outcome"])
        self._fallbacks = Counter(
            "agentic_dsl_fallbacks", "Contracts left to the engine's own grammar, by reason.", ["reason"]
        )
        self._compile = Histogram(
            "agentic_dsl_compile_seconds",
            "Time to compile one contract that was not kept.",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
        )
        # Two counters and no histogram: this is counted for every token.
        self._fill_seconds = Counter("agentic_dsl_fill_seconds", "Time spent on filling masks of contracts.")
        self._fills = Counter("agentic_dsl_fills", "Masks filled for contracts.")
        self._rejected = Counter("agentic_dsl_rejected_tokens", "Tokens of the engine that a contract did not allow.")

    def contract(self, outcome: Outcome) -> None:
        """Counts a request with a contract, once."""
        if self._contracts is not None:
            self._contracts.labels(outcome).inc()

    def fallback(self, reason: str) -> None:
        """Counts a contract that is left to the engine; ``reason`` is one of a few fixed words."""
        if self._contracts is not None:
            self._fallbacks.labels(reason).inc()

    def compiled(self, seconds: float) -> None:
        """Counts a compilation."""
        if self._contracts is not None:
            self._compile.observe(seconds)

    def filled(self, seconds: float) -> None:
        """Counts one row of a mask."""
        if self._contracts is not None:
            self._fill_seconds.inc(seconds)
            self._fills.inc()

    def rejected(self) -> None:
        """Counts a token that the engine chose against the mask."""
        if self._contracts is not None:
            self._rejected.inc()


@cache
def plugin_metrics() -> PluginMetrics:
    """The metrics of this process; a name can be registered only once."""
    return PluginMetrics()
