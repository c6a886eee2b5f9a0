"""The decoding loop: one static batch, from its prompts to the last row's end.

Why our own loop and not ``model.generate``: every request has its own seed, limits and grammar; a finished row leaves
the batch at once; the masks are timed row by row; and appending text that the grammar forces (several tokens in one
pass, after cropping the cache) needs the cache in our hands. Why it is no scheduler: rows never join, wait for each
other or are moved: a batch is decided by its caller and only gets smaller. Whoever needs more runs a server.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.base import EngineResult, FinishReason, OnToken, Sampling, Stats
from agentic_dsl.runtime.engines.logits_processor import GrammarLogitsProcessor
from agentic_dsl.runtime.engines.sampling import choose, generator_for

if TYPE_CHECKING:
    import torch

    from agentic_dsl.runtime.matcher import Matcher
    from agentic_dsl.runtime.tokenizer import Tokenizer


_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class LogitsSource(Protocol):
    """What gives logits: a model with its key-value cache. One object a batch."""

    def start(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Reads the prompts; the logits that follow them, of shape (rows, width)."""
        ...

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Appends one token to each row; the logits that follow."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these rows only, in this order."""
        ...


class SourceError(Exception):
    """A `LogitsSource` raised (the cause); nothing else of the loop did. Never leaves the engine."""


@dataclass(slots=True)
class Row:
    """One request on its way.

    Attributes:
        index: its number in the whole call, for `OnToken`.
        prompt: the ids of its prompt.
        limit: the most tokens of its answer.
        sampling: how its tokens are chosen.
        matcher: its grammar, or None.
    """

    index: int
    prompt: tuple[int, ...]
    limit: int
    sampling: Sampling
    matcher: Matcher | None
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finish: FinishReason | None = None
    error: GenerationError | None = None
    passes: int = 0
    mask_us: float = 0.0
    seconds: float = 0.0

    def result(self) -> EngineResult:
        """The answer, once `finish` is set."""
        return EngineResult(
            text=self.text,
            token_ids=tuple(self.tokens),
            prompt_token_ids=self.prompt,
            finish=self.finish or "error",
            error=self.error,
            stats=Stats(
                tokens=len(self.tokens),
                prompt_tokens=len(self.prompt),
                forward_passes=self.passes,
                mask_us=self.mask_us,
                seconds=self.seconds,
            ),
        )


def decode(
    rows: Sequence[Row], source: LogitsSource, tokenizer: Tokenizer, *, on_token: OnToken | None = None
) -> list[EngineResult]:
    """Runs a batch to its end.

    Args:
        rows: new rows with a limit of at least one token each; changed.
        source: the model.
        tokenizer: the model's.
        on_token: see `OnToken`.

    Raises:
        SourceError: the source failed; the rows are then unfinished.
        EngineError: the tokenizer is not the model's.
    """
    started = time.perf_counter()
    ends = frozenset(tokenizer.eos_token_ids)
    processor = GrammarLogitsProcessor([row.matcher for row in rows], tokenizer.vocab_size)
    generators = [generator_for(row.sampling) for row in rows]
    # The bytes of a character may come in several tokens: progress shows whole characters only.
    decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in rows]
    logits = _ask(source.start, [row.prompt for row in rows])
    open_rows = list(range(len(rows)))
    while open_rows:
        processor.mask(logits)
        for place, number in enumerate(open_rows):
            row = rows[number]
            row.passes += 1
            token_id = choose(logits[place], row.sampling, generators[number])
            _append(row, token_id, ends, allowed=processor.accept(place, token_id))
            row.mask_us = processor.mask_us[place]
            row.text += decoders[number].decode(tokenizer.token_bytes(token_id) or b"", final=row.finish is not None)
            if row.finish is not None:
                row.seconds = time.perf_counter() - started
            if on_token is not None:
                on_token(row.index, len(row.tokens), row.text)
        going_on = [place for place, number in enumerate(open_rows) if rows[number].finish is None]
        if len(going_on) < len(open_rows):
            open_rows = [open_rows[place] for place in going_on]
            if open_rows:
                processor.keep(going_on)
                _ask(source.keep, going_on)
        if open_rows:
            logits = _ask(source.step, [rows[number].tokens[-1] for number in open_rows])
    return [row.result() for row in rows]


def _ask(question: Callable[[_Asked], _Answer], asked: _Asked) -> _Answer:
    """Asks the source. The boundary to the model's library, which raises what it likes (RuntimeError for memory, …)."""
    try:
        return question(asked)
    except Exception as exc:
        raise SourceError from exc


def _append(row: Row, token_id: int, ends: frozenset[int], *, allowed: bool) -> None:
    """Adds a chosen token to its row and decides whether the row is finished."""
    if not allowed:
        row.finish = "error"
        row.error = GenerationError(
            f"the grammar allows no token after {len(row.tokens)} tokens",
            help="report this: a grammar must always be able to end",
        )
        return
    row.tokens.append(token_id)
    if token_id in ends:
        row.finish = "stop"
    elif len(row.tokens) >= row.limit:
        row.finish = "length"
