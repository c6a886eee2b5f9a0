"""The embedded engine: any causal language model that transformers can load, in this process.

One model, one batch at a time, prompts padded on the left. See `agentic_dsl.runtime.engines.decode` for why the loop is
ours and why it stays this small.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_dsl.runtime.engines.base import BlockingEngine, Capabilities, EngineRequest, EngineResult, OnToken, Prompt
from agentic_dsl.runtime.engines.embedded.model_loading import (
    can_keep_prefixes,
    context_tokens,
    load_model,
    model_identity,
)
from agentic_dsl.runtime.engines.embedded.sessions import Sessions
from agentic_dsl.runtime.engines.embedded.tensor_files import TensorFiles
from agentic_dsl.runtime.engines.limits import answer_limit
from agentic_dsl.runtime.engines.local import LocalEngine, model_error
from agentic_dsl.runtime.engines.prefills import Prefilled
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.models import MODELS, require_model
from agentic_dsl.runtime.prefix_cache.payload import Shelf
from agentic_dsl.runtime.prefix_cache.policy import EvictionPolicy
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.shelves import prefix_key
from agentic_dsl.runtime.prompt_tokens import PromptTokens, prompt_tokens
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.decode import LogitsSource
    from agentic_dsl.runtime.engines.embedded.key_values import KeyValues

DEFAULT_MODEL = "smollm2"

DEFAULT_PREFIX_BYTES = 512 << 20
"""512 MiB of keys and values: 23,000 tokens of the embedded model."""


class TransformersEngine(BlockingEngine):
    """A model and its tokenizer, loaded once; safe to call from several threads, which then take turns.

    Greedy answers are the same alone and in a batch as far as the model's arithmetic is: padding is masked, but
    matrix products of other shapes round differently, in bfloat16 visibly. Load the model with ``dtype="float32"``
    where that matters more than memory.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        dtype: str = "bfloat16",
        device: str | None = None,
        max_batch_size: int = 8,
        mask_store: MaskStore | None = None,
        semantic: bool = True,
        jump_forward: bool = True,
        prefix_cache_bytes: int = DEFAULT_PREFIX_BYTES,
        prefix_folder: str | Path | None = None,
        prefix_policy: EvictionPolicy | None = None,
    ) -> None:
        """Loads the model, which takes seconds.

        Args:
            model: an embedded model's name, a folder that transformers can load, or a hub repository; None is
                ``smollm2``.
            dtype: a floating type of torch (``bfloat16``, ``float16``, ``float32``), or ``auto``: the file's own. A
                CPU that computes in bfloat16 reads prompts faster in it than in float32; steps take about as long.
            device: a device of torch; None is the first GPU, else the CPU.
            max_batch_size: the most requests in one batch.
            mask_store: where compiled grammars are kept on disk; None is the user's cache folder.
            semantic: hold answers to all the rules while they are written; False enforces the grammar alone.
            jump_forward: append text that is forced without a pass for each of its tokens. Models whose cache cannot
                be shortened (sliding windows, states instead of keys and values) go on token by token.
            prefix_cache_bytes: what keys and values of the beginnings of prompts may take between calls, see
                `prefixes`; 0 keeps none, and so does a model whose cache is no plain keys and values.
            prefix_folder: where `prefill` saves them; None is the user's cache folder.
            prefix_policy: which of them go first; None is `TypedPolicy`.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            ModelError: the model is missing or cannot be loaded.
            TokenizerError: its tokenizer is missing or has no end token.
        """
        name = str(model or DEFAULT_MODEL)
        location = str(require_model(name)) if name in MODELS else name
        self.model_name = name
        self.tokenizer: Tokenizer = load_tokenizer(location)
        self._model = load_model(name, location, dtype, device)
        folder = Path(prefix_folder) if prefix_folder else None
        self._model_identity = model_identity(self._model, location)
        self._jump_forward = jump_forward
        self.files = TensorFiles(self._model_identity, folder, device=self._model.device)
        shelves = {"disk": Shelf(self.files)}
        keeps = prefix_cache_bytes and can_keep_prefixes(self._model)
        self.prefixes: PrefixCache[KeyValues] | None = (
            PrefixCache(prefix_cache_bytes, prefix_policy, shelves) if keeps else None
        )
        """Keys and values of what prompts begin with, and the commands on them; None where none are kept."""
        self._sessions = Sessions(self.prefixes)
        self._engine = LocalEngine(
            self.tokenizer,
            self._open,
            context_tokens=context_tokens(self._model),
            max_batch_size=max_batch_size,
            mask_store=mask_store or MaskStore(),
            semantic=semantic,
            jump_forward=jump_forward,
        )

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return f"transformers/{self.model_name}"

    @property
    def identity(self) -> str:
        """See `Engine.identity`: the weights and their type, and whether text is jumped over."""
        return f"{self.name} {self._model_identity} jump_forward={self._jump_forward}"

    @property
    def context_tokens(self) -> int | None:
        """The most tokens of prompt and answer together."""
        return self._engine.context_tokens

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`."""
        return replace(self._engine.capabilities, supports_prefix_caching=self.prefixes is not None)

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        try:
            return self._engine.generate(requests, on_token=on_token)
        finally:
            with self._engine.alone:  # no batch that uses them is running
                self._sessions.finish(request.hints for request in requests)

    def prefill(self, prompt: Prompt, *, save: bool = False) -> Prefilled:
        """See `Prefills.prefill`."""
        from agentic_dsl.runtime.engines.embedded.prefix_reader import PrefixReader

        tokens = prompt_tokens(prompt, self.tokenizer)
        if self.context_tokens is not None:
            answer_limit(len(tokens.ids), EngineRequest(prompt=prompt), self.context_tokens)
        started = time.perf_counter()
        with self._engine.alone:
            try:
                read = PrefixReader(self._model, self.prefixes, self.files, save=save).read(tokens.ids, tokens.spans)
            # The boundary to the model's library, which raises what it likes (RuntimeError for memory, …).
            except Exception as exc:
                raise model_error(exc) from exc
        saved = save and bool(read.length) and self._in_files(tokens, 0) == read.length
        return Prefilled(read.length, read.reused, time.perf_counter() - started, saved)

    def known_tokens(self, tokens: PromptTokens) -> int:
        """See `Prefills.known_tokens`; what is only in files counts too."""
        known = self.prefixes.peek(tokens.ids) if self.prefixes is not None else 0
        return self._in_files(tokens, max((end for end in tokens.stops if end <= known), default=0))

    def _in_files(self, tokens: PromptTokens, at: int) -> int:
        """Up to where files hold the segments of a prompt, from the end of one of them on."""
        ids = array("i", tokens.ids)
        for end in (end for end in tokens.stops if end > at):
            if not self.files.holds(prefix_key(ids, at, end)):
                break
            at = end
        return at

    def _open(self, requests: Sequence[EngineRequest]) -> LogitsSource:
        from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits

        programs = [self._sessions.program(request.hints) for request in requests]
        return ModelLogits(self._model, self.prefixes, self.files, programs)
