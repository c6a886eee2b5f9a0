"""Reads what requests will begin with before they come, and says what that is worth.

An engine that keeps prefixes itself (`Prefills`) reads them without answering; any other one that has a cache is asked
for a single token, which makes it read and keep the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import Engine, Prompt
from agentic_dsl.runtime.engines.prefills import Prefilled, Prefills, prefill_by_request
from agentic_dsl.runtime.prompt import build_prompt
from agentic_dsl.runtime.prompt_tokens import PromptTokens, prompt_tokens
from agentic_dsl.runtime.task_skills import contract_with
from agentic_dsl.skills.registry import SkillRegistry

OnPrefilled = Callable[[int, Prefilled], None]
"""``on_done(number, what)``: prompt number ``number`` is read."""


def skill_prompts(
    registry: SkillRegistry, constraints: Constraints | None = None, names: Sequence[str] | None = None
) -> list[Prompt]:
    """One prompt for each skill, with all that it requires: what requests for it begin with.

    Args:
        registry: the skills.
        constraints: the contract of the requests, which comes before the skills; None is `Constraints()`.
        names: of the skills; None is all of them.

    Raises:
        UsageError: there is no skill of a name.
        ConstraintError: a skill's tools do not fit the contract.
    """
    contract = constraints or Constraints()
    wanted = [skill.name for skill in registry.skills] if names is None else names
    closures = [registry.closure([name]) for name in wanted]
    # With the tools of the skills, as `TaskSkills` gives them to requests: they stand before the skills.
    return [build_prompt("", contract_with(contract, skills), skills) for skills in closures]


def prefill_all(
    engine: Engine, prompts: Iterable[Prompt], *, save: bool = False, on_done: OnPrefilled | None = None
) -> list[Prefilled]:
    """Lets an engine read what prompts begin with, so that no request has to; what it has read before costs nothing.

    Args:
        engine: with a cache of prefixes.
        prompts: the beginnings.
        save: whether it is kept in files too, for other processes.
        on_done: told of each prompt.

    Raises:
        EngineError: the engine keeps no prefixes, or none in files.
        GenerationError: the model's context cannot hold a prompt, or the model failed.
    """
    if not engine.capabilities.supports_prefix_caching:
        raise EngineError(f"{engine.name} keeps no prefixes", help="give it a cache, or use another engine")
    if save and not isinstance(engine, Prefills):
        raise EngineError(f"{engine.name} saves no prefixes in files", help="prefill without saving")
    done: list[Prefilled] = []
    for number, prompt in enumerate(prompts):
        done.append(
            engine.prefill(prompt, save=save) if isinstance(engine, Prefills) else prefill_by_request(engine, prompt)
        )
        if on_done is not None:
            on_done(number, done[-1])
    return done


@dataclass(frozen=True, slots=True)
class CacheBenefit:
    """What a cache of prefixes saves for some requests, in tokens.

    Attributes:
        total: of all prompts.
        cached: of these, what need not be read.
        to_fill: what must be read once before, for the cache to hold it.
    """

    total: int
    cached: int
    to_fill: int = 0

    @property
    def computed(self) -> int:
        """What is read all the same."""
        return self.total - self.cached

    @property
    def hit_rate(self) -> float:
        """The share that need not be read."""
        return self.cached / self.total if self.total else 0.0

    @property
    def speed_up(self) -> float:
        """How many times sooner answers begin, where reading takes as long for each token."""
        return self.total / self.computed if self.computed else math.inf

    @property
    def break_even(self) -> int | None:
        """After how many such requests less was read in all than without a cache; None: never."""
        return self.to_fill // self.cached + 1 if self.cached else None


def estimate_cache_benefit(engine: Prefills, prompt: Prompt, fill: Sequence[Prompt] = ()) -> CacheBenefit:
    """What the cache would save for a request, from what the engine holds right now.

    Args:
        engine: tells what it holds.
        prompt: of the request.
        fill: prompts that would be prefilled before; what they share with the request counts as cached.
    """
    asked = prompt_tokens(prompt, engine.tokenizer)
    cached, to_fill = engine.known_tokens(asked), 0
    filled: list[tuple[int, ...]] = []
    for one in fill:
        tokens = prompt_tokens(one, engine.tokenizer)
        length = max(tokens.stops, default=0)
        begun = max((_reusable(tokens, other) for other in filled), default=0)
        to_fill += length - max(engine.known_tokens(tokens), begun)
        filled.append(tokens.ids[:length])
        cached = max(cached, _reusable(asked, filled[-1]))
    return CacheBenefit(len(asked.ids), cached, to_fill)


def _reusable(tokens: PromptTokens, filled: Sequence[int]) -> int:
    """How many tokens at the beginning of a prompt another beginning has too; whole segments, as they are read."""
    pairs = enumerate(zip(tokens.ids, filled, strict=False))
    shared = next((at for at, (mine, yours) in pairs if mine != yours), min(len(tokens.ids), len(filled)))
    return max((end for end in tokens.stops if end <= shared), default=0)
