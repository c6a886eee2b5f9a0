"""What each engine says that its cache can be told, and that it does exactly that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from agentic_dsl.errors import EngineError, GenerationError
from agentic_dsl.runtime.engines.base import (
    BlockingEngine,
    Capabilities,
    EngineRequest,
    EngineResult,
    Message,
    OnToken,
    Prompt,
    Stats,
)
from agentic_dsl.runtime.engines.prefills import Prefilled
from agentic_dsl.runtime.engines.prefix_controls import (
    PREFIX_CALLS,
    PREFIX_CONTROLS,
    PrefixControl,
    PrefixControls,
    PrefixCounts,
)
from agentic_dsl.runtime.engines.registry import ENGINES
from agentic_dsl.runtime.engines.transformers_prefixes import TransformersPrefixes
from agentic_dsl.runtime.engines.warmed_prefixes import WarmedPrefixes
from agentic_dsl.runtime.prefix_cache.payload import CountedPayload
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.skills.segments import SegmentKind

SKILLS = Selector(kind=SegmentKind.SKILL)
RECORDS = list(PREFIX_CONTROLS.items())


def prompt(text: str) -> Prompt:
    return Prompt((Message("user", text),))


def test_there_is_a_record_for_each_engine_and_no_other() -> None:
    assert tuple(PREFIX_CONTROLS) == tuple(ENGINES)


def test_the_calls_of_the_port_are_those_of_the_records() -> None:
    methods = {name for name in dir(PrefixControl) if not name.startswith("_")} - {"controls"}
    # How tenants are kept apart is an argument of the calls, not a call.
    assert methods == set(PREFIX_CALLS) - {"isolation"}


@pytest.mark.parametrize(("name", "record"), RECORDS)
def test_a_record_says_one_sentence_for_each_call_and_a_remedy_for_each_that_is_refused(
    name: str, record: PrefixControls
) -> None:
    for call in PREFIX_CALLS:
        support = record.support(call)
        assert support.detail
        assert ". " not in support.detail
        assert not support.detail.endswith(".")
        assert support.extent == "yes" or support.instead, (name, call)
        error = record.refusal(call)
        assert record.engine in error.message
        assert support.detail in error.message
        assert error.help == (support.instead or None)


@pytest.mark.parametrize(("name", "record"), RECORDS)
def test_an_engine_without_an_adapter_claims_nothing(name: str, record: PrefixControls) -> None:
    does = {call for call in PREFIX_CALLS if record.support(call).extent != "no"}
    assert bool(does) == (record.adapter is not None)


def test_a_call_that_there_is_not_is_named() -> None:
    with pytest.raises(EngineError, match='no call "freeze"'):
        PREFIX_CONTROLS["vllm"].support("freeze")


def test_the_hit_rate_of_nothing_is_zero() -> None:
    assert PrefixCounts(0, 0).hit_rate == 0.0
    assert PrefixCounts(8, 6).hit_rate == 0.75


# --- engines that are warmed up by requests ---


@dataclass
class Keeping(BlockingEngine):
    """Keeps whole prompts of each tenant, and refuses one that says so."""

    name: str = "keeping"
    keeps: bool = True
    known: set[tuple[str | None, str]] = field(default_factory=set)
    calls: list[int] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(supports_prefix_caching=self.keeps)

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.calls.append(len(requests))
        return [self._answer(request) for request in requests]

    def _answer(self, request: EngineRequest) -> EngineResult:
        text = request.prompt.text
        if "refuse" in text:
            return EngineResult.failed(GenerationError("too long", help="shorten it"))
        assert request.max_output_tokens == 1
        key = (None if request.hints is None else request.hints.cache_salt, text)
        cached = len(text) if key in self.known else 0
        self.known.add(key)
        return EngineResult(text="", finish="length", stats=Stats(prompt_tokens=len(text), cached_tokens=cached))


def warmed(engine: Keeping) -> WarmedPrefixes:
    return WarmedPrefixes(engine, PREFIX_CONTROLS["vllm"])


def test_prompts_are_read_one_after_the_other_so_that_each_finds_what_was_read_before() -> None:
    engine = Keeping()
    first, again = warmed(engine).prefetch([prompt("one"), prompt("one")])
    assert (first.tokens, first.reused) == (5, 0)
    assert again.reused == 5
    assert engine.calls == [1, 1]


def test_what_is_read_for_a_tenant_carries_its_salt() -> None:
    engine = Keeping()
    prefixes = warmed(engine)
    prefixes.prefetch([prompt("one")], tenant="a")
    assert [read.reused for read in prefixes.prefetch([prompt("one")], tenant="b")] == [0]
    assert [read.reused for read in prefixes.prefetch([prompt("one")])] == [0]
    assert [read.reused for read in prefixes.prefetch([prompt("one")], tenant="a")] == [5]


def test_a_prompt_that_is_refused_and_an_engine_without_a_cache_are_errors() -> None:
    with pytest.raises(GenerationError, match="too long"):
        warmed(Keeping()).prefetch([prompt("refuse")])
    engine = Keeping(keeps=False)
    with pytest.raises(EngineError, match="keeping keeps no prefixes"):
        warmed(engine).prefetch([prompt("one")])
    assert engine.calls == []


def test_what_requests_cannot_do_is_refused() -> None:
    prefixes = warmed(Keeping())
    with pytest.raises(EngineError, match="vLLM cannot do this: pin; vLLM has no public pin"):
        prefixes.pin(SKILLS)
    with pytest.raises(EngineError, match="unpin"):
        prefixes.unpin(SKILLS)
    with pytest.raises(EngineError, match="move"):
        prefixes.move(SKILLS, "disk")


# --- the transformers engine ---


class Reading:
    """What `TransformersPrefixes` uses of its engine: a cache, and prompts of one skill that are read into it."""

    name = "transformers/tiny"

    def __init__(self, capacity: int = 1000) -> None:
        self.prefixes: PrefixCache[CountedPayload] | None = PrefixCache(capacity) if capacity else None

    def prefill(self, prompt: Prompt) -> Prefilled:
        assert self.prefixes is not None
        ids = list(prompt.text.encode())
        spans = [Span(0, len(ids), SegmentKind.SKILL, "one")]
        with self.prefixes.acquire(ids) as lease:
            self.prefixes.insert(ids, lambda start, end: CountedPayload(end - start), spans)
            return Prefilled(len(ids), lease.length, 0.0)


@pytest.fixture
def kept() -> TransformersPrefixes:
    return TransformersPrefixes(Reading())  # type: ignore[arg-type]  # as much of an engine as is used


def test_the_transformers_engine_does_every_call_on_its_cache(kept: TransformersPrefixes) -> None:
    assert isinstance(kept, PrefixControl)
    assert [read.reused for read in kept.prefetch([prompt("abc"), prompt("abc")])] == [0, 5]
    counts = kept.statistics()
    assert (counts.asked, counts.reused, counts.held) == (10, 5, 5)
    assert kept.pin(SKILLS) == 5
    assert kept.evict(SKILLS) == 0  # pinned
    assert kept.unpin(SKILLS) == 5
    assert kept.evict(SKILLS) == 5
    assert kept.statistics().held == 0
    kept.prefetch([prompt("abc")])
    assert kept.evict() == 5
    assert kept.move(SKILLS, "memory") == 0


def test_it_reads_for_no_tenant_because_everyone_would_find_it(kept: TransformersPrefixes) -> None:
    with pytest.raises(EngineError, match="the cache salt of a request is not looked at"):
        kept.prefetch([prompt("abc")], tenant="a")
    assert kept.statistics().asked == 0


def test_an_engine_that_keeps_nothing_has_no_controls() -> None:
    with pytest.raises(EngineError, match="keeps no prefixes"):
        TransformersPrefixes(Reading(0))  # type: ignore[arg-type]
