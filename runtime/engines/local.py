"""What the engines in this process share: prompts to ids, grammars to matchers, batches, errors to results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock

from cachetools import LRUCache

from agentic_dsl.compiler.pipeline import CompiledSpec
from agentic_dsl.errors import AgenticDSLError, EngineError, GenerationError
from agentic_dsl.runtime.engines.base import Capabilities, EngineRequest, EngineResult, OnToken
from agentic_dsl.runtime.engines.decode import LogitsSource, Row, SourceError, decode
from agentic_dsl.runtime.engines.jump_forward import JumpForward
from agentic_dsl.runtime.engines.limits import answer_limit
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.masks import MaskCompiler
from agentic_dsl.runtime.matcher import Matcher
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, plan_of
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.prompt_tokens import prompt_tokens
from agentic_dsl.runtime.tokenizer import Tokenizer

_log = logging.getLogger(__name__)


class LocalEngine:
    """Answers requests in batches of bounded size, one batch at a time.

    A request that cannot begin (prompt too long, grammar that cannot be compiled) gets a result with its error and
    joins no batch. When a batch fails as a whole, each of its requests is tried once more alone, so that one request
    that the model cannot bear (too large for the memory that is left) takes no other with it.

    Attributes:
        tokenizer: the model's.
        context_tokens: the most tokens of prompt and answer together, None where there is no limit.
        alone: held by whoever uses the model.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        open_source: Callable[[Sequence[EngineRequest]], LogitsSource],
        *,
        context_tokens: int | None,
        max_batch_size: int,
        mask_store: MaskStore | None,
        semantic: bool = True,
        jump_forward: bool = True,
    ) -> None:
        """Keeps what it is given; nothing is loaded.

        Args:
            tokenizer: the model's.
            open_source: gives the model's state for a new batch of these requests.
            context_tokens: see the attribute.
            max_batch_size: the most requests in one batch.
            mask_store: where compiled grammars are kept on disk, or None.
            semantic: whether answers are held to all the rules while they are written, or to the grammar alone.
            jump_forward: whether forced text is appended without a pass for each of its tokens.
        """
        if max_batch_size < 1:
            raise EngineError(f"max_batch_size is {max_batch_size}", help="give a whole number of 1 or more")
        self.tokenizer = tokenizer
        self.context_tokens = context_tokens
        self._open_source = open_source
        self._max_batch_size = max_batch_size
        self._mask_store = mask_store
        self._masks: MaskCompiler | None = None
        self._semantic = semantic
        self._overlay: Overlay | None = None
        self._plans: LRUCache[str, Plan] = LRUCache(_MOST_PLANS)
        self._jumps = jump_forward
        self._jump_forward: JumpForward | None = None
        self.alone = Lock()

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`."""
        return Capabilities(supports_streaming=True, supports_overlay=self._semantic, supports_jump_forward=self._jumps)

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        results: dict[int, EngineResult] = {}
        # One batch at a time: two at once would only share the same cores, and cost twice the memory.
        with self.alone:
            numbers = list(range(len(requests)))
            for at in range(0, len(numbers), self._max_batch_size):
                batch = {number: requests[number] for number in numbers[at : at + self._max_batch_size]}
                results |= self._run(batch, on_token)
        return [results[number] for number in range(len(requests))]

    def _run(self, batch: dict[int, EngineRequest], on_token: OnToken | None) -> dict[int, EngineResult]:
        """Answers one batch; each request by its number in the call."""
        results: dict[int, EngineResult] = {}
        rows: list[Row] = []
        for number, request in batch.items():
            try:
                rows.append(self._row(number, request))
            except AgenticDSLError as exc:
                results[number] = EngineResult.failed(_request_error(exc))
        if not rows:
            return results
        try:
            source = self._open_source([batch[row.index] for row in rows])
            answers = decode(rows, source, self.tokenizer, on_token=on_token, jump_forward=self._jumper(rows))
        except SourceError as exc:
            if len(rows) == 1:
                error = model_error(exc.__cause__ or exc)
                return results | {rows[0].index: EngineResult.failed(error, rows[0].prompt)}
            _log.warning("a batch of %d failed in the model; trying each request alone", len(rows), exc_info=exc)
            for row in rows:
                results |= self._run({row.index: batch[row.index]}, on_token)
            return results
        return results | {row.index: answer for row, answer in zip(rows, answers, strict=True)}

    def _jumper(self, rows: Sequence[Row]) -> JumpForward | None:
        if self._jumps and self._jump_forward is None and any(row.matcher is not None for row in rows):
            self._jump_forward = JumpForward(self.tokenizer)
        return self._jump_forward

    def _row(self, number: int, request: EngineRequest) -> Row:
        prompt = prompt_tokens(request.prompt, self.tokenizer)
        limit = self._limit(len(prompt.ids), request)
        matcher = self._matcher(request.spec, limit) if request.spec is not None else None
        return Row(number, prompt.ids, prompt.spans, limit, request.sampling, matcher)

    def _matcher(self, spec: CompiledSpec, limit: int) -> Matcher:
        if self._semantic:
            self._overlay = self._overlay or Overlay(trie_of(self.tokenizer.vocabulary))
            digest = spec.constraints.digest
            if (plan := self._plans.get(digest)) is None:
                plan = self._plans[digest] = plan_of(spec)
            return SemanticMatcher(plan, self.tokenizer, max_output_tokens=limit, overlay=self._overlay)
        if spec.dialect != "xgrammar":
            raise GenerationError(
                f'the grammar is in the dialect "{spec.dialect}"',
                help='compile the constraints with dialect="xgrammar"',
            )
        self._masks = self._masks or MaskCompiler(self.tokenizer, store=self._mask_store)
        return self._masks.compile(spec.grammar).matcher()

    def _limit(self, prompt_tokens: int, request: EngineRequest) -> int:
        """The most tokens of the answer."""
        if self.context_tokens is None:
            return request.max_output_tokens or request.token_cap or _UNBOUNDED
        return answer_limit(prompt_tokens, request, self.context_tokens)


_MOST_PLANS = 64
"""Contracts whose plans are kept, with what their completions can cost: ten milliseconds each."""

_UNBOUNDED = 1 << 20
"""Where neither the model nor the request says when to stop."""


def _request_error(exc: AgenticDSLError) -> GenerationError:
    if isinstance(exc, GenerationError):
        return exc
    error = GenerationError(exc.message, help=exc.help)
    error.__cause__ = exc
    return error


def model_error(exc: BaseException) -> GenerationError:
    """What a person sees of an error of the model's library: its first line, and what may help."""
    reason = next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__
    memory = "memory" in reason.lower() or isinstance(exc, MemoryError)
    error = GenerationError(
        f"the model failed: {reason[:200]}",
        help="free memory, or shorten the prompt" if memory else "see the log for what the model's library says",
    )
    error.__cause__ = exc
    return error
