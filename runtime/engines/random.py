"""The engine without a model: seeded random logits over any tokenizer.

It is honest about everything but meaning: it takes prompts, grammars, sampling and limits as the others do, and what
it writes is whatever the grammar allows. Tests walk grammars with it; people try constraints without a download.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from agentic_dsl.errors import MissingExtraError
from agentic_dsl.runtime.engines.base import (
    BlockingEngine,
    Capabilities,
    EngineRequest,
    EngineResult,
    OnToken,
    Sampling,
)
from agentic_dsl.runtime.engines.decode import Step
from agentic_dsl.runtime.engines.local import LocalEngine
from agentic_dsl.runtime.engines.sampling import generator_for
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    import torch

CLOSING = frozenset(b'"}])\n')
"""Tokens made of these bytes alone close something."""

_LOGITS = 0x5EED


class RandomEngine(BlockingEngine):
    """Every logit is a normally distributed number from the request's seed.

    Random logits almost never draw a closing quote among thousands of letters, so texts run up to their limits;
    ``closing_boost`` is added to tokens that close something and to the end tokens. With it documents end; without
    it, long texts and words are walked. Tests use both.
    """

    def __init__(
        self,
        model: str | Tokenizer | None = None,
        *,
        closing_boost: float = 0.0,
        context_tokens: int | None = None,
        max_batch_size: int = 64,
        mask_store: MaskStore | None = None,
        semantic: bool = True,
        jump_forward: bool = True,
    ) -> None:
        """Loads the tokenizer.

        Args:
            model: a tokenizer, or what `load_tokenizer` takes; None is the byte tokenizer.
            closing_boost: in standard deviations of a logit.
            context_tokens: pretends to be a model with this much room.
            max_batch_size: the most requests at once.
            mask_store: where compiled grammars are kept on disk; None keeps them in memory only.
            semantic: hold answers to all the rules while they are written; False enforces the grammar alone.
            jump_forward: append text that is forced without drawing its tokens.

        Raises:
            TokenizerError: there is no such tokenizer.
            MissingExtraError: torch is not installed.
        """
        try:
            import torch  # noqa: F401  # fail now, not in the first request
        except ImportError as exc:
            raise MissingExtraError.of("torch", "masks") from exc
        self.tokenizer = model if isinstance(model, Tokenizer) else load_tokenizer(model or "bytes")
        self._closing_boost = closing_boost
        self._jump_forward = jump_forward
        self._engine = LocalEngine(
            self.tokenizer,
            self._open,
            context_tokens=context_tokens,
            max_batch_size=max_batch_size,
            mask_store=mask_store,
            semantic=semantic,
            jump_forward=jump_forward,
        )

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return f"random/{self.tokenizer.name}"

    @property
    def identity(self) -> str:
        """See `Engine.identity`."""
        return f"{self.name} closing_boost={self._closing_boost} jump_forward={self._jump_forward}"

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`."""
        return self._engine.capabilities

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        return self._engine.generate(requests, on_token=on_token)

    def _open(self, requests: Sequence[EngineRequest]) -> RandomLogits:
        # Logits and choices must not be drawn from the same numbers: another seed for the logits.
        samplings = [request.sampling for request in requests]
        seeds = [None if sampling.seed is None else sampling.seed ^ _LOGITS for sampling in samplings]
        return RandomLogits([generator_for(Sampling(seed=seed)) for seed in seeds], self._bias)

    @cached_property
    def _bias(self) -> torch.Tensor:
        import torch

        bias = torch.zeros(self.tokenizer.vocab_size)
        for token_id, token in enumerate(self.tokenizer.vocabulary.tokens):
            if token is not None and CLOSING.issuperset(token):
                bias[token_id] = self._closing_boost
        bias[list(self.tokenizer.eos_token_ids)] = self._closing_boost
        return bias


class RandomLogits:
    """A `LogitsSource` whose rows depend on their own generators only, so on no other row of the batch."""

    def __init__(self, generators: Sequence[torch.Generator], bias: torch.Tensor) -> None:
        self._generators = list(generators)
        self.reused: Sequence[int] = ()
        self._bias = bias

    def start(self, prompts: Sequence[Sequence[int]], spans: Sequence[Sequence[Span]]) -> torch.Tensor:  # noqa: ARG002
        """Logits for the first tokens; the prompts' contents change nothing."""
        self.reused = [0] * len(prompts)
        return self._draw()

    takes_back = True
    """Nothing was read, so anything can be taken back."""

    def step(self, steps: Sequence[Step]) -> torch.Tensor:  # noqa: ARG002  # the port's argument
        """Logits for the next tokens; what the last ones were changes nothing."""
        return self._draw()

    def keep(self, rows: Sequence[int]) -> None:
        """See `LogitsSource.keep`."""
        self._generators = [self._generators[row] for row in rows]

    def _draw(self) -> torch.Tensor:
        import torch

        return torch.stack([torch.randn(len(self._bias), generator=g) + self._bias for g in self._generators])
