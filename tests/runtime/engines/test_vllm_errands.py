"""What is told to vLLM beside requests: in its own thread, between steps, and never after its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.vllm_loop import EngineLoop, Job
from agentic_dsl.runtime.engines.vllm_prefixes import VllmPrefixes


@dataclass
class Resetting:
    """An engine in vLLM's interface: requests run until they are aborted, and a cache that is dropped between them."""

    log_stats: bool = True
    open: set[str] = field(default_factory=set)
    resets: list[int] = field(default_factory=list)
    stepping: bool = False
    fails: bool = False

    def add_request(self, request_id: str, prompt: str) -> None:
        self.open.add(request_id)

    def abort_request(self, names: list[str]) -> None:
        self.open -= set(names)

    def step(self) -> list[Any]:
        self.stepping = True
        threading.Event().wait(0.002)
        self.stepping = False
        return []

    def reset_prefix_cache(self) -> bool:
        assert not self.stepping
        if self.fails:
            raise RuntimeError("the device is gone")
        self.resets.append(threading.get_ident())
        return not self.open

    def get_metrics(self) -> list[Any]:
        def metric(name: str, value: int, model: str = "tiny") -> Any:
            return SimpleNamespace(name=f"vllm:{name}", value=value, labels={"model_name": model})

        return [
            metric("prefix_cache_queries", 64),
            metric("prefix_cache_hits", 32),
            metric("prefix_cache_hits", 900, "another"),
            metric("prompt_tokens", 7),
            SimpleNamespace(name="vllm:e2e_request_latency_seconds", labels={}),  # a histogram has no value
        ]


@pytest.fixture
def vllm() -> Resetting:
    return Resetting()


@pytest.fixture
def loop(vllm: Resetting) -> Iterator[EngineLoop]:
    loop = EngineLoop(lambda: vllm, lambda _: None)
    yield loop
    loop.close()


@pytest.fixture
def prefixes(loop: EngineLoop) -> VllmPrefixes:
    config = SimpleNamespace(
        cache_config=SimpleNamespace(block_size=128), model_config=SimpleNamespace(served_model_name="tiny")
    )
    return VllmPrefixes(SimpleNamespace(loop=loop, config=config))  # type: ignore[arg-type]  # what is used of it


def test_the_cache_is_dropped_in_the_thread_that_owns_vllm(vllm: Resetting, prefixes: VllmPrefixes) -> None:
    prefixes.evict()
    assert len(vllm.resets) == 1
    assert vllm.resets[0] != threading.get_ident()
    assert vllm.open == set()


def test_it_is_dropped_between_steps_and_what_vllm_refuses_is_an_error(
    vllm: Resetting, loop: EngineLoop, prefixes: VllmPrefixes
) -> None:
    loop.submit([Job(0, "long", {"prompt": "x"}, SimpleQueue())])
    for _ in range(20):
        with pytest.raises(EngineError, match="while requests are running"):
            prefixes.evict()
    loop.abort(["long"])
    prefixes.evict()
    assert len(vllm.resets) == 21


def test_an_errand_that_fails_is_its_caller_s_and_the_engine_goes_on(vllm: Resetting, prefixes: VllmPrefixes) -> None:
    vllm.fails = True
    with pytest.raises(EngineError, match="the device is gone"):
        prefixes.evict()
    vllm.fails = False
    prefixes.evict()
    assert len(vllm.resets) == 1


def test_a_closed_engine_is_told_nothing(vllm: Resetting, loop: EngineLoop, prefixes: VllmPrefixes) -> None:
    loop.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        prefixes.evict()
    assert vllm.resets == []


def test_counters_are_those_of_this_model(vllm: Resetting, prefixes: VllmPrefixes) -> None:
    assert prefixes.block_tokens == 128
    counts = prefixes.statistics()
    assert (counts.asked, counts.reused, counts.held) == (64, 32, None)
    vllm.log_stats = False
    with pytest.raises(EngineError, match="disable_log_stats=False"):
        prefixes.statistics()
