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
from agentic_dsl.runtime.engines.prefix_controls import (
    PREFIX_CALLS,
    PREFIX_CONTROLS,
    PrefixControl,
    PrefixControls,
    PrefixCounts,
)
from agentic_dsl.runtime.engines.registry import ENGINES
from agentic_dsl.runtime.engines.warmed_prefixes import WarmedPrefixes
from agentic_dsl.runtime.prefix_cache.selector import Selector
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
