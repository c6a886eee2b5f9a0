"""The port of an engine that reads prompts ahead of requests and keeps what it read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agentic_dsl.runtime.engines.base import Prompt
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
