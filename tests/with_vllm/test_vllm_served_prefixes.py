"""A real vLLM server on the CPU: warmed up, counted and emptied over HTTP."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed here: make test-vllm", allow_module_level=True)

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt, ServingHints
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from agentic_dsl.runtime.engines.vllm_server_prefixes import VllmServerPrefixes
from agentic_dsl.runtime.models import model_path
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.service.plan import ServeOptions, plan_server
from agentic_dsl.runtime.service.server import Server
from agentic_dsl.skills.segments import SegmentKind

if model_path("smollm2") is None:
    pytest.skip("the embedded model is not pulled: make model", allow_module_level=True)

ARGUMENTS = ("--enforce-eager", "--max-model-len", "2048", "--max-num-seqs", "4", "--enable-prompt-tokens-details")
KNOWN = Prompt((Message("user", "word " * 400),))


@pytest.fixture(scope="module")
def engine() -> Iterator[OpenAIEngine]:
    environment = os.environ | {"VLLM_SERVER_DEV_MODE": "1"}
    with Server(plan_server(ServeOptions(port=0, extra=ARGUMENTS), environment)) as server:
        server.wait_until_ready(600)
        engine = OpenAIEngine(base_url=server.base_url, max_retries=0)
        yield engine
        engine.close()


def cached(engine: OpenAIEngine, salt: str | None = None) -> int:
    hints = None if salt is None else ServingHints(cache_salt=salt)
    (result,) = engine.generate([EngineRequest(prompt=KNOWN, max_output_tokens=1, hints=hints)])
    assert result.error is None
    return result.stats.cached_tokens


def test_what_was_prefetched_is_found_by_its_tenant_counted_and_evicted(engine: OpenAIEngine) -> None:
    prefixes = VllmServerPrefixes(engine)
    before = prefixes.statistics()
    (read,) = prefixes.prefetch([KNOWN], tenant="one")
    assert (read.reused, read.tokens > 400) == (0, True)
    found = cached(engine, "one")
    # In blocks of 128, and one token is read in any case.
    assert found == (read.tokens - 1) // 128 * 128
    assert cached(engine, "two") == 0
    assert cached(engine) == 0
    after = prefixes.statistics()
    assert after.asked - before.asked == 4 * read.tokens
    assert after.reused - before.reused == found
    with pytest.raises(EngineError, match="only everything at once"):
        prefixes.evict(Selector(kind=SegmentKind.SKILL))
    prefixes.evict()
    assert cached(engine, "one") == 0
