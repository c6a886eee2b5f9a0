"""Prometheus metrics of what `AgenticLLM` generates, from one table.

Without the library ``prometheus_client`` there are none: `Metrics.where_installed` is None. What vLLM's side counts is
in `agentic_dsl.runtime.plugins.metrics`, in the registry of the engine's own processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from agentic_dsl.errors import MissingExtraError, UsageError
from agentic_dsl.runtime.engines.costs import is_possible
from agentic_dsl.runtime.observation.calls import FinishedOnly, Observation

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry, Counter, Histogram

PREFIX = "agentic_dsl_"
"""What the name of every metric of ours begins with."""

LABELS: Mapping[str, Callable[[Observation], str]] = {
    "engine": lambda seen: seen.call.engine,
    "outcome": lambda seen: seen.outcome,
}
"""Label → its value. None of them comes from a request, so that requests cannot make series without end."""

_MILLISECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: without `PREFIX`, and without the ``_total`` that counters end with.
        kind: counters add the value, histograms sort it into `buckets`.
        doc: one line, which the metric is exposed with.
        value: of one request; None where the request says nothing about it. One that is impossible is left out.
        labels: names of `LABELS`.
        buckets: upper bounds of a histogram.
    """

    name: str
    kind: Literal["counter", "histogram"]
    doc: str
    value: Callable[[Observation], float | None]
    labels: tuple[str, ...] = ("engine",)
    buckets: tuple[float, ...] = ()

    @property
    def exposed(self) -> str:
        """The name as Prometheus shows it."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


def _if_asked(value: float, seen: Observation) -> float | None:
    """A value that only requests have which an engine answered."""
    return value if seen.result is not None else None


METRICS: tuple[Metric, ...] = (
    Metric("generations", "counter", "Requests that are over.", lambda _: 1, ("engine", "outcome")),
    Metric("tokens", "counter", "Tokens of answers, end tokens included.", lambda seen: seen.stats.tokens),
    Metric("prompt_tokens", "counter", "Tokens of prompts.", lambda seen: seen.stats.prompt_tokens),
    Metric(
        "cached_prompt_tokens",
        "counter",
        "Tokens of prompts that the engine had in its own cache.",
        lambda seen: seen.stats.cached_tokens,
    ),
    Metric("forward_passes", "counter", "Passes of the model.", lambda seen: seen.stats.forward_passes),
    Metric(
        "jump_forward_tokens",
        "counter",
        "Tokens appended because nothing else was allowed, without a pass of their own.",
        lambda seen: seen.stats.jump_forward_tokens,
    ),
    Metric(
        "mask_seconds",
        "histogram",
        "Seconds that a request spent on its masks.",
        lambda seen: _if_asked(seen.stats.mask_us / 1e6, seen),
        buckets=_MILLISECONDS,
    ),
    Metric(
        "generation_seconds",
        "histogram",
        "Seconds from the start of a request's batch to its own end.",
        lambda seen: _if_asked(seen.stats.seconds, seen),
        buckets=_SECONDS,
    ),
    Metric("cache_hits", "counter", "Answers from the subgraph cache.", lambda seen: 1 if seen.cached else None),
    Metric(
        "cache_misses",
        "counter",
        "Requests that the subgraph cache could not answer.",
        lambda seen: 1 if seen.call.has_cache and seen.request is not None and not seen.cached else None,
    ),
)
"""Every metric, in the order in which they are exposed and documented."""

Collectors = Mapping[Metric, "Counter | Histogram"]

_collectors: WeakKeyDictionary[CollectorRegistry, Collectors] = WeakKeyDictionary()
# A registry takes a name once, and the default registry is shared by the whole process, so this is too.
_lock = threading.Lock()


class Metrics(FinishedOnly):
    """Counts requests in a registry. Several of them on one registry count together."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Makes the metrics, where the registry does not have them.

        Args:
            registry: where they are exposed; None is the default one of ``prometheus_client``.

        Raises:
            MissingExtraError: ``prometheus_client`` is not installed.
        """
        registry = _registry(registry)
        with _lock:
            if registry not in _collectors:
                _collectors[registry] = {metric: _collector(metric, registry) for metric in METRICS}
            self._metrics = _collectors[registry]

    @classmethod
    def where_installed(cls, registry: CollectorRegistry | None = None) -> Metrics | None:
        """The metrics, None without ``prometheus_client``."""
        return cls(registry) if find_spec("prometheus_client") is not None else None

    def observe(self, seen: Observation) -> None:
        """See `Observer.observe`."""
        from prometheus_client import Counter

        for metric, collector in self._metrics.items():
            if (value := _measured(metric, seen)) is None:
                continue
            series = collector.labels(*(LABELS[label](seen) for label in metric.labels))
            series.inc(value) if isinstance(series, Counter) else series.observe(value)


def _measured(metric: Metric, seen: Observation) -> float | None:
    """The value, None also where an engine claims what no request can have: no sum would recover from it."""
    try:
        value = metric.value(seen)
    except OverflowError:  # a number that no float can hold
        return None
    return value if value is not None and is_possible(value) else None


def _registry(registry: CollectorRegistry | None) -> CollectorRegistry:
    try:
        from prometheus_client import REGISTRY
    except ImportError as exc:
        raise MissingExtraError.of("prometheus-client", "metrics") from exc
    return REGISTRY if registry is None else registry


def _collector(metric: Metric, registry: CollectorRegistry) -> Counter | Histogram:
    from prometheus_client import Counter, Histogram

    name = PREFIX + metric.name
    if metric.kind == "counter":
        return Counter(name, metric.doc, metric.labels, registry=registry)
    return Histogram(name, metric.doc, metric.labels, registry=registry, buckets=metric.buckets)


class MetricsServer:
    """Exposes a registry over HTTP, in a thread of its own, until it is closed.

    Attributes:
        port: where it listens.
    """

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self.port = server.server_port
        self._server, self._thread = server, thread

    def close(self) -> None:
        """Stops listening. Calling it again does nothing."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_metrics_server(
    port: int, *, address: str = "127.0.0.1", registry: CollectorRegistry | None = None
) -> MetricsServer:
    """Exposes the metrics at ``/metrics``.

    Args:
        port: where to listen; 0 takes a free one.
        address: of the interface; ``0.0.0.0`` lets other machines read the metrics.
        registry: what is exposed; None is the default one of ``prometheus_client``.

    Raises:
        MissingExtraError: ``prometheus_client`` is not installed.
        UsageError: nothing can listen there.
    """
    registry = _registry(registry)
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, addr=address, registry=registry)
    except (OSError, OverflowError) as exc:
        raise UsageError(f"metrics cannot be exposed on {address}:{port}: {exc}", help="name a free port") from exc
    return MetricsServer(server, thread)


__all__ = ["LABELS", "METRICS", "PREFIX", "Metric", "Metrics", "MetricsServer", "start_metrics_server"]
