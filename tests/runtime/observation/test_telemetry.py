"""Metrics: one table, no series without end, and nothing where the library is missing."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from dataclasses import fields, replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import MissingExtraError, UsageError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import EngineResult, Stats
from agentic_dsl.runtime.jobs import Jobs, Task
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.observation.metrics import LABELS, METRICS, PREFIX, Metrics, start_metrics_server
from agentic_dsl.runtime.plugins import metrics as plugin_metrics

ROOT = Path(__file__).resolve().parents[3]
SMALL = Constraints(max_nodes=2, allowed_node_types=("end",))
STATS = Stats(
    tokens=40,
    prompt_tokens=100,
    forward_passes=10,
    jump_forward_tokens=30,
    mask_us=4_000,
    seconds=2.0,
    cached_tokens=64,
)


HUGE = pytest.param(int("9" * 401), id="401 digits")

SUMS = {
    "tokens": "agentic_dsl_tokens_total",
    "prompt_tokens": "agentic_dsl_prompt_tokens_total",
    "forward_passes": "agentic_dsl_forward_passes_total",
    "jump_forward_tokens": "agentic_dsl_jump_forward_tokens_total",
    "mask_us": "agentic_dsl_mask_seconds_sum",
    "seconds": "agentic_dsl_generation_seconds_sum",
    "cached_tokens": "agentic_dsl_cached_prompt_tokens_total",
}
"""Where each number of a request is added up."""


def count(
    registry: CollectorRegistry,
    *,
    cached: bool = False,
    has_cache: bool = False,
    engine: str = "e/m",
    stats: Stats = STATS,
) -> None:
    """One request that an engine, or the cache, answered with prose."""
    jobs = Jobs.of([Task("a", SMALL)])
    result = EngineResult(text="no block", finish="stop", stats=stats)
    with Observers((Metrics(registry),)).call(engine, 1, has_cache=has_cache) as call:
        with call.asking(jobs.jobs):
            pass
        generation = Generation(text="", subgraph=None, diagnostics=(), report=(), stats=stats, cached=cached)
        if not cached:
            call.answered(jobs.jobs, [result])
        call.done([generation])


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, {"engine": "e/m"} | labels)


def test_a_request_is_counted_with_what_it_cost() -> None:
    registry = CollectorRegistry()
    count(registry)
    count(registry)
    assert value(registry, "agentic_dsl_generations_total", outcome="invalid") == 2
    assert value(registry, "agentic_dsl_tokens_total") == 80
    assert value(registry, "agentic_dsl_prompt_tokens_total") == 200
    assert value(registry, "agentic_dsl_cached_prompt_tokens_total") == 128
    assert value(registry, "agentic_dsl_forward_passes_total") == 20
    assert value(registry, "agentic_dsl_jump_forward_tokens_total") == 60
    assert value(registry, "agentic_dsl_mask_seconds_sum") == pytest.approx(0.008)
    assert value(registry, "agentic_dsl_generation_seconds_sum") == 4
    assert value(registry, "agentic_dsl_generation_seconds_bucket", le="2.5") == 2
    assert value(registry, "agentic_dsl_generation_seconds_bucket", le="1.0") == 0


@pytest.mark.parametrize("wrong", [-1, HUGE, float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("name", [field.name for field in fields(Stats)])
def test_a_number_that_no_request_can_have_is_left_out_and_the_others_are_counted(
    name: str, wrong: float, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()
    count(registry, stats=replace(STATS, **{name: wrong}))
    assert caplog.records == []
    shown = dict(SUMS)
    del shown[name]
    assert {name: value(registry, SUMS[name]) for name in shown} == pytest.approx(
        {name: getattr(STATS, name) / (1e6 if name == "mask_us" else 1) for name in shown}
    )
    assert not value(registry, SUMS[name])
    assert value(registry, "agentic_dsl_generations_total", outcome="invalid") == 1
    count(registry)  # and nothing is spoilt for those that come
    assert value(registry, SUMS[name]) == pytest.approx(getattr(STATS, name) / (1e6 if name == "mask_us" else 1))


def test_hits_and_misses_of_the_cache_are_counted_only_where_there_is_one() -> None:
    registry = CollectorRegistry()
    count(registry)
    assert value(registry, "agentic_dsl_cache_misses_total") is None
    count(registry, has_cache=True)
    count(registry, has_cache=True, cached=True)
    assert value(registry, "agentic_dsl_cache_misses_total") == 1
    assert value(registry, "agentic_dsl_cache_hits_total") == 1
    assert value(registry, "agentic_dsl_tokens_total") == 80  # a hit makes none
    assert value(registry, "agentic_dsl_generation_seconds_count") == 2


def test_a_call_that_fails_is_counted_as_errors() -> None:
    registry = CollectorRegistry()
    with pytest.raises(RuntimeError), Observers((Metrics(registry),)).call("e/m", 3):
        raise RuntimeError
    assert value(registry, "agentic_dsl_generations_total", outcome="error") == 3
    assert value(registry, "agentic_dsl_generation_seconds_count") is None


def test_the_registry_exposes_exactly_the_table() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    families = {family.name: family for family in registry.collect()}
    assert set(families) == {PREFIX + metric.name for metric in METRICS}
    for metric in METRICS:
        assert families[PREFIX + metric.name].type == metric.kind
        assert families[PREFIX + metric.name].documentation == metric.doc
        assert set(metric.labels) <= set(LABELS)


def test_no_name_is_one_of_the_plug_in() -> None:
    documented = plugin_metrics.PluginMetrics.__doc__ or ""
    assert not [metric.exposed for metric in METRICS if metric.exposed in documented]


def test_several_llms_of_a_process_count_together() -> None:
    registry = CollectorRegistry()
    assert Metrics(registry) is not Metrics(registry)
    count(registry)
    assert value(registry, "agentic_dsl_generations_total", outcome="invalid") == 1


def test_the_metrics_are_exposed_over_http_until_the_server_is_closed() -> None:
    registry = CollectorRegistry()
    count(registry)
    with start_metrics_server(0, registry=registry) as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert 'agentic_dsl_tokens_total{engine="e/m"} 40.0' in text
        with pytest.raises(UsageError, match="cannot be exposed"):
            start_metrics_server(server.port, registry=registry)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10)
    server.close()


@pytest.mark.parametrize(("port", "address"), [(70_000, "127.0.0.1"), (0, "no.such.host.invalid")])
def test_an_address_that_cannot_be_is_a_usage_error(port: int, address: str) -> None:
    with pytest.raises(UsageError, match="cannot be exposed"):
        start_metrics_server(port, address=address)


def test_without_the_libraries_nothing_is_observed_and_the_help_names_the_extra() -> None:
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("prometheus_client", "opentelemetry"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name in ("prometheus_client", "opentelemetry") else real(name, *a)
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.observation.metrics import Metrics, start_metrics_server
from agentic_dsl.runtime.observation.spans import Spans
from agentic_dsl.errors import MissingExtraError
assert Observers.installed() == Observers()
for make in (Metrics, Spans, lambda: start_metrics_server(0)):
    try:
        make()
    except MissingExtraError as exc:
        assert "agentic-dsl[metrics]" in exc.help
    else:
        sys.exit("made without its library")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_error_is_one_of_ours() -> None:
    assert "prometheus-client" in MissingExtraError.of("prometheus-client", "metrics").message
