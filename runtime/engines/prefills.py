"""The port of an engine that reads prompts ahead of requests and keeps what it read; a request does it for others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agentic_dsl.runtime.engines.base import Engine, EngineRequest, Prompt, ServingHints
from agentic_dsl.runtime.prompt_tokens import PromptTokens
from agentic_dsl.runtime.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The beginning of one prompt, read.

    Attributes:
        tokens: how long it is.
        reused: how many of them were there already.
        seconds: wall time.
        saved: whether files hold all of it now; False where that was not asked for.
    """

    tokens: int
    reused: int
    seconds: float
    saved: bool = False


@runtime_checkable
class Prefills(Protocol):
    """An engine that can read prompts without answering."""

    def prefill(self, prompt: Prompt, *, save: bool = False) -> Prefilled:
        """Reads what a prompt begins with, up to its question.

        Args:
            prompt: the beginning of requests.
            save: write it to files for other processes. Where that fails, `Prefilled.saved` says so, and why is in the
                log.

        Raises:
            GenerationError: the model's context cannot hold it, or the model failed.
        """
        ...

    def known_tokens(self, tokens: PromptTokens) -> int:
        """How many tokens at the beginning of a prompt would not be read again."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's."""
        ...


def prefill_by_request(engine: Engine, prompt: Prompt, hints: ServingHints | None = None) -> Prefilled:
    """Lets an engine with a cache of its own read a prompt, by a request for a single token.

    Args:
        engine: to ask.
        prompt: the beginning of requests.
        hints: of the request; a salt names the tenant whose cache it is.

    Raises:
        AgenticDSLError: the engine could not.
    """
    started = time.perf_counter()
    (result,) = engine.generate([EngineRequest(prompt=prompt, max_output_tokens=1, hints=hints)])
    if result.error is not None:
        raise result.error
    return Prefilled(result.stats.prompt_tokens, result.stats.cached_tokens, time.perf_counter() - started)
