"""The decoding loop: one static batch, from its prompts to the last row's end.

Why our own loop and not ``model.generate``: every request has its own seed, limits and grammar; a finished row leaves
the batch at once; the masks are timed row by row; and appending text that the grammar forces (several tokens in one
pass, after cropping the cache) needs the cache in our hands. Why it is no scheduler: rows never join, wait for each
other or are moved: a batch is decided by its caller and only gets smaller. Whoever needs more runs a server.

A *pass* of the model gives every row one token of its choice. What is forced behind it (`jump_forward`) is appended at
once, and the next pass reads all of that together.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.base import EngineResult, FinishReason, OnToken, Sampling, Stats
from agentic_dsl.runtime.engines.forced_text import common_prefix
from agentic_dsl.runtime.engines.logits_processor import GrammarLogitsProcessor
from agentic_dsl.runtime.engines.sampling import choose, generator_for
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.prefix_cache.spans import Span

if TYPE_CHECKING:
    import torch

    from agentic_dsl.runtime.engines.jump_forward import JumpForward
    from agentic_dsl.runtime.matcher import Matcher
    from agentic_dsl.runtime.tokenizer import Tokenizer


_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to the tokens of one row that the source has read.

    Attributes:
        drop: how many of the last ones are taken back.
        tokens: what is appended then, at least one.
    """

    drop: int
    tokens: Sequence[int]


class LogitsSource(Protocol):
    """What gives logits: a model with its key-value cache. One object a batch."""

    def start(self, prompts: Sequence[Sequence[int]], spans: Sequence[Sequence[Span]]) -> torch.Tensor:
        """Reads the prompts; the logits that follow them, of shape (rows, width). ``spans``: what is in them."""
        ...

    @property
    def reused(self) -> Sequence[int]:
        """How many tokens of each prompt `start` did not read for that row; known once it was asked."""
        ...

    @property
    def takes_back(self) -> bool:
        """Whether `step` can take tokens back; known once `start` has been asked."""
        ...

    def step(self, steps: Sequence[Step]) -> torch.Tensor:
        """Changes the end of each row's text; the logits that follow it."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these rows only, in this order; before `start`, they are the only ones that there will be."""
        ...


class SourceError(Exception):
    """A `LogitsSource` raised (the cause); nothing else of the loop did. Never leaves the engine."""


@dataclass(slots=True)
class Row:
    """One request on its way.

    Attributes:
        index: its number in the whole call, for `OnToken`.
        prompt: the ids of its prompt.
        spans: what they are for.
        limit: the most tokens of its answer.
        sampling: how its tokens are chosen.
        matcher: its grammar, or None.
        tokens: its answer so far.
        spelled: the bytes of these tokens.
        read: how many of these tokens the source has read.
        stale: how many tokens it has read behind them that stand no longer.
        shown: how many of the bytes are in the text; it has whole characters only.
    """

    index: int
    prompt: tuple[int, ...]
    spans: tuple[Span, ...]
    limit: int
    sampling: Sampling
    matcher: Matcher | None
    tokens: list[int] = field(default_factory=list)
    spelled: bytearray = field(default_factory=bytearray)
    read: int = 0
    stale: int = 0
    shown: int = 0
    text: str = ""
    # The bytes of a character may come in several tokens.
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))
    finish: FinishReason | None = None
    error: GenerationError | None = None
    passes: int = 0
    jumped: int = 0
    cached: int = 0
    mask_us: float = 0.0
    seconds: float = 0.0

    def result(self) -> EngineResult:
        """The answer, once `finish` is set."""
        return EngineResult(
            text=self.text,
            token_ids=tuple(self.tokens),
            prompt_token_ids=self.prompt,
            prompt_spans=self.spans,
            finish=self.finish or "error",
            error=self.error,
            overlay=isinstance(self.matcher, SemanticMatcher),
            stats=Stats(
                tokens=len(self.tokens),
                prompt_tokens=len(self.prompt),
                forward_passes=self.passes,
                jump_forward_tokens=self.jumped,
                mask_us=self.mask_us,
                seconds=self.seconds,
                cached_tokens=self.cached,
            ),
        )


def decode(
    rows: Sequence[Row],
    source: LogitsSource,
    tokenizer: Tokenizer,
    *,
    on_token: OnToken | None = None,
    jump_forward: JumpForward | None = None,
) -> list[EngineResult]:
    """Runs a batch to its end.

    Args:
        rows: new rows with a limit of at least one token each; changed.
        source: the model.
        tokenizer: the model's.
        on_token: see `OnToken`.
        jump_forward: appends forced text; None lets the model choose every token.

    Raises:
        SourceError: the source failed; the rows are then unfinished.
        EngineError: the tokenizer is not the model's.
    """
    processor = GrammarLogitsProcessor([row.matcher for row in rows], tokenizer.vocab_size)
    writer = _Writer(processor, tokenizer, on_token, jump_forward)
    generators = [generator_for(row.sampling) for row in rows]
    for place, row in enumerate(rows):
        writer.begin(row, place)
    open_rows = list(range(len(rows)))
    started = False
    while going_on := [place for place, number in enumerate(open_rows) if rows[number].finish is None]:
        if len(going_on) < len(open_rows):
            open_rows = [open_rows[place] for place in going_on]
            processor.keep(going_on)
            _ask(source.keep, going_on)
        batch = [rows[number] for number in open_rows]
        if started:
            logits = _ask(source.step, [_step(row) for row in batch])
        else:
            prompts = [(*row.prompt, *_step(row).tokens) for row in batch]
            logits = _ask(partial(source.start, prompts), [row.spans for row in batch])
            writer.may_jump, started = source.takes_back, True
            for row, reused in zip(batch, source.reused, strict=True):
                row.cached = reused
        processor.mask(logits)
        for place, (number, row) in enumerate(zip(open_rows, batch, strict=True)):
            writer.write(row, place, choose(logits[place], row.sampling, generators[number]))
    return [row.result() for row in rows]


def _step(row: Row) -> Step:
    """What the source has to be told about a row; afterwards it has read all of it."""
    step = Step(row.stale, row.tokens[row.read :])
    row.read, row.stale = len(row.tokens), 0
    return step


class _Writer:
    """Appends tokens to rows: those that the model chose, and those that follow because nothing else is allowed."""

    def __init__(
        self,
        processor: GrammarLogitsProcessor,
        tokenizer: Tokenizer,
        on_token: OnToken | None,
        jump_forward: JumpForward | None,
    ) -> None:
        self.may_jump = True
        self._processor = processor
        self._tokenizer = tokenizer
        self._on_token = on_token
        self._jump_forward = jump_forward
        self._ends = tokenizer.eos_token_ids
        self._started = time.perf_counter()

    def begin(self, row: Row, place: int) -> None:
        """Appends what every answer of a row begins with: it is read with the prompt."""
        self._append_forced(row, place)
        if row.tokens:
            self._report(row, place)

    def write(self, row: Row, place: int, token_id: int) -> None:
        """Appends the token of one pass to the row at this place of the batch, and what is forced behind it."""
        row.passes += 1
        self._append(row, place, token_id)
        self._append_forced(row, place)
        self._report(row, place)

    def _report(self, row: Row, place: int) -> None:
        row.text += row.decoder.decode(bytes(row.spelled[row.shown :]), final=row.finish is not None)
        row.shown = len(row.spelled)
        row.mask_us = self._processor.mask_us[place]
        if row.finish is not None:
            row.seconds = time.perf_counter() - self._started
        if self._on_token is not None:
            self._on_token(row.index, len(row.tokens), row.text)

    def _append_forced(self, row: Row, place: int) -> None:
        if self._jump_forward is None or not self.may_jump or row.matcher is None:
            return
        chosen = len(row.tokens)
        while row.finish is None:
            jumped = self._processor.jump(place, row.tokens, row.limit, self._jump_forward)
            if jumped is not None:
                same = common_prefix(row.tokens, jumped)
                if same < row.read:
                    row.read, row.stale = same, row.stale + row.read - same
                row.tokens, row.spelled = jumped, bytearray(self._tokenizer.decode_bytes(jumped))
            only = self._processor.only_token(place, self._ends)
            if only is None:
                break
            self._append(row, place, only)
        row.jumped += len(row.tokens) - chosen

    def _append(self, row: Row, place: int, token_id: int) -> None:
        """Adds a token to its row and decides whether the row is finished."""
        if not self._processor.accept(place, token_id):
            row.finish = "error"
            row.error = GenerationError(
                f"the grammar allows no token after {len(row.tokens)} tokens",
                help="report this: a grammar must always be able to end",
            )
            return
        row.tokens.append(token_id)
        row.spelled += self._tokenizer.token_bytes(token_id) or b""
        if token_id in self._ends:
            row.finish = "stop"
        elif len(row.tokens) >= row.limit:
            row.finish = "length"


def _ask(question: Callable[[_Asked], _Answer], asked: _Asked) -> _Answer:
    """Asks the source. The boundary to the model's library, which raises what it likes (RuntimeError for memory, …)."""
    try:
        return question(asked)
    except Exception as exc:
        raise SourceError from exc
