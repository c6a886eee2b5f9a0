"""What can be told to an engine's cache of prefixes: the port, and a record of each engine.

Engines differ in what they let one say. `PREFIX_CONTROLS` has for each what it does of every call, or why it does not;
a call that an engine cannot do raises an `EngineError` with these words, and is never made up of something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol, runtime_checkable

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import Prompt
from agentic_dsl.runtime.engines.prefills import Prefilled
from agentic_dsl.runtime.engines.registry import EngineName
from agentic_dsl.runtime.prefix_cache.selector import Selector

Extent = Literal["yes", "partly", "no"]


@dataclass(frozen=True, slots=True)
class Support:
    """How far an engine does one call.

    Attributes:
        extent: ``partly`` is less than the port says; the detail says how much.
        detail: what is done, or why it is not done, without a full stop.
        instead: what to do where the call is refused, as an imperative.
    """

    extent: Extent
    detail: str
    instead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixControls:
    """What one engine does of each call of `PrefixControl`.

    Attributes:
        engine: its name for people.
        adapter: the class that makes the calls; None where there is none.
        prefetch: reading prompts before requests come.
        statistics: how much was reused.
        evict: dropping what is kept.
        pin: keeping segments whatever comes.
        unpin: taking that back.
        move: bringing segments to another tier.
        isolation: keeping the prefixes of tenants apart.
    """

    engine: str
    adapter: str | None
    prefetch: Support
    statistics: Support
    evict: Support
    pin: Support
    unpin: Support
    move: Support
    isolation: Support

    def support(self, call: str) -> Support:
        """How far the engine does a call of `PREFIX_CALLS`.

        Raises:
            EngineError: there is no such call.
        """
        if call not in PREFIX_CALLS:
            raise EngineError(f'there is no call "{call}"', help=f"name one of: {', '.join(PREFIX_CALLS)}")
        support: Support = getattr(self, call)
        return support

    def refusal(self, call: str) -> EngineError:
        """The error of a call, or of the part of it, that the engine does not do."""
        support = self.support(call)
        return EngineError(f"{self.engine} cannot do this: {call}; {support.detail}", help=support.instead or None)


PREFIX_CALLS: tuple[str, ...] = tuple(
    field.name for field in fields(PrefixControls) if field.name not in ("engine", "adapter")
)
"""The calls by name, in the order of the reference."""


@dataclass(frozen=True, slots=True)
class PrefixCounts:
    """What a cache of prefixes was worth, in tokens, as the engine counts.

    Attributes:
        asked: of prompts that were looked up.
        reused: of these, found.
        held: kept now; None where the engine does not say.
    """

    asked: int
    reused: int
    held: int | None = None

    @property
    def hit_rate(self) -> float:
        """The share that was found."""
        return self.reused / self.asked if self.asked else 0.0


@runtime_checkable
class PrefixControl(Protocol):
    """The calls, on one engine. What `controls` says that it cannot do raises an `EngineError`."""

    @property
    def controls(self) -> PrefixControls:
        """What of this the engine does."""
        ...

    def prefetch(self, prompts: Iterable[Prompt], *, tenant: str | None = None) -> list[Prefilled]:
        """Reads what requests will begin with.

        Args:
            prompts: the beginnings, such as `skill_prompts` gives.
            tenant: only requests with this cache salt find them; None is everyone without one.
        """
        ...

    def statistics(self) -> PrefixCounts:
        """What was asked for and reused so far."""
        ...

    def evict(self, selector: Selector | None = None) -> int | None:
        """Drops segments, or everything; how many tokens went, None where the engine does not say."""
        ...

    def pin(self, selector: Selector) -> int:
        """Keeps segments until `unpin`; how many tokens that is now."""
        ...

    def unpin(self, selector: Selector) -> int:
        """Takes back a pin; how many tokens are pinned no longer."""
        ...

    def move(self, selector: Selector, tier: str) -> int:
        """Brings segments to a tier; how many tokens are there now that were not."""
        ...


_NOTHING_PINNED = Support("no", "nothing is ever pinned", "leave the call out")

_VLLM_PIN = Support(
    "no",
    "vLLM has no public pin, and drops whole blocks in the order of their last use",
    "prefetch again what must stay, or give the cache more room",
)
_VLLM_MOVE = Support(
    "no",
    "a block has one place; what vLLM's offloading connector moves, it moves by itself, and not on a CPU",
    "configure vLLM's own connectors",
)
_SALT = Support("yes", "one `cache_salt` a tenant: prompts with another salt, or none, share no block")


def _nothing(engine: str, reason: str, instead: str) -> PrefixControls:
    """The record of an engine that does none of it."""
    return PrefixControls(engine=engine, adapter=None, **dict.fromkeys(PREFIX_CALLS, Support("no", reason, instead)))


PREFIX_CONTROLS: Mapping[EngineName, PrefixControls] = {
    "transformers": PrefixControls(
        engine="transformers",
        adapter="TransformersPrefixes",
        prefetch=Support("yes", "prompts are read without an answer, or from files, up to their question"),
        statistics=Support("yes", "counts of each kind are in the cache's own statistics"),
        evict=Support("yes", "segments, or everything that is not leased"),
        pin=Support("yes", "segments, also those that come later"),
        unpin=Support("yes", "what another pin is about stays"),
        move=Support("yes", "between memory and the engine's tiers"),
        isolation=Support(
            "no", "the cache salt of a request is not looked at", "open an engine of its own for each tenant"
        ),
    ),
    "random": _nothing("random", "it has no model and reads no prompt", "take an engine with a model"),
    "vllm": PrefixControls(
        engine="vLLM",
        adapter="VllmPrefixes",
        prefetch=Support("yes", "each prompt is asked for one token, and vLLM keeps its whole blocks"),
        statistics=Support(
            "yes",
            "vLLM's own counters, which need `disable_log_stats=False`; of one request, `Stats.cached_tokens`",
            "start the engine with disable_log_stats=False, or read Stats.cached_tokens of each answer",
        ),
        evict=Support(
            "partly",
            "only everything at once, by vLLM's `reset_prefix_cache`, while no request runs",
            "evict without a selector",
        ),
        pin=_VLLM_PIN,
        unpin=_NOTHING_PINNED,
        move=_VLLM_MOVE,
        isolation=_SALT,
    ),
    "openai": PrefixControls(
        engine="a vLLM server",
        adapter="VllmServerPrefixes",
        prefetch=Support(
            "yes",
            "as with vLLM in process, at one base URL; what was there already is known with "
            "`--enable-prompt-tokens-details` only",
            "make an engine for each base URL",
        ),
        statistics=Support("yes", "the server's own counters at `/metrics`", "ask a vLLM server that shows /metrics"),
        evict=Support(
            "partly",
            "only everything at once, by `POST /reset_prefix_cache`, which servers have under `VLLM_SERVER_DEV_MODE=1`",
            "evict without a selector",
        ),
        pin=_VLLM_PIN,
        unpin=_NOTHING_PINNED,
        move=_VLLM_MOVE,
        isolation=_SALT,
    ),
    "sglang": _nothing(
        "SGLang",
        "no SGLang server could be run to try its calls, so none is made",
        "use prefill_all, whose requests for one token are like any others",
    ),
}
"""Engine → what it does; behind ``openai`` only a vLLM server does it."""


__all__ = [
    "PREFIX_CALLS",
    "PREFIX_CONTROLS",
    "Extent",
    "PrefixControl",
    "PrefixControls",
    "PrefixCounts",
    "Support",
]
