"""Answers of vLLM as they grow: what one caller asked for together, and each of its requests."""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from agentic_dsl.errors import AgenticDSLError, GenerationError
from agentic_dsl.runtime.engines.base import EngineResult, FinishReason, OnToken, Stats
from agentic_dsl.runtime.engines.vllm_loop import Job
from agentic_dsl.runtime.tokenizer import Tokenizer

_FINISHES: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}


class Call:
    """The requests of one caller.

    Attributes:
        jobs: what vLLM is asked.
        answers: of these, by row.
        results: what is finished, by row.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.jobs: list[Job] = []
        self.answers: dict[int, Answer] = {}
        self.results: dict[int, EngineResult] = {}

    @property
    def waiting(self) -> bool:
        """Whether something is not finished."""
        return len(self.results) < self._size

    def take(self, row: int, output: Any, on_token: OnToken | None) -> None:
        """Adds one output of vLLM."""
        answer = self.answers[row]
        if (result := answer.take(output)) is not None:
            self.results[row] = result
        if on_token is not None and answer.fresh():
            on_token(row, len(answer.tokens), answer.text)

    def ordered(self) -> list[EngineResult]:
        """The results, once all are there."""
        return [self.results[row] for row in range(self._size)]


class LoopOutbox:
    """Where a call in an event loop reads what another thread puts."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[tuple[int, Any]]) -> None:
        self._loop, self._inbox = loop, inbox

    def put(self, item: tuple[int, Any]) -> None:
        """Wakes the event loop; one that is closed waits for nothing any more."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, item)


class Answer:
    """One answer as it grows."""

    def __init__(self, tokenizer: Tokenizer, prompt: tuple[int, ...], overlay: bool) -> None:
        self._tokenizer, self._prompt, self._overlay = tokenizer, prompt, overlay
        self.tokens: list[int] = []
        self.text = ""
        self._shown = 0
        self._passes = 0
        self._cached = 0
        self._begun = time.perf_counter()
        # The bytes of a character may come in several tokens.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def fresh(self) -> bool:
        """Whether there are tokens that nobody was told of; asked once for each output."""
        shown, self._shown = self._shown, len(self.tokens)
        return self._shown > shown

    def take(self, output: Any) -> EngineResult | None:
        """Adds what vLLM gave; the result once it is the last."""
        if isinstance(output, BaseException):
            return EngineResult.failed(_error(output), self._prompt)
        completion = output.outputs[0]
        new = list(completion.token_ids)
        if new:
            self._passes += 1
            self.tokens += new
            self.text += self._decoder.decode(self._tokenizer.decode_bytes(new))
        if output.num_cached_tokens is not None:
            self._cached = max(self._cached, output.num_cached_tokens)
        if not output.finished:
            return None
        self.text += self._decoder.decode(b"", final=True)
        finish = _FINISHES.get(completion.finish_reason, "error")
        error = None
        if finish == "error":
            error = GenerationError(
                f"vLLM ended the request: {completion.finish_reason}", help="see the log for what it says"
            )
        return EngineResult(
            text=self.text,
            token_ids=tuple(self.tokens),
            prompt_token_ids=self._prompt,
            finish=finish,
            error=error,
            overlay=self._overlay,
            stats=Stats(
                tokens=len(self.tokens),
                prompt_tokens=len(self._prompt),
                forward_passes=self._passes,
                seconds=time.perf_counter() - self._begun,
                cached_tokens=self._cached,
            ),
        )


def request_error(exc: AgenticDSLError) -> GenerationError:
    """An error of ours as one of its request."""
    if isinstance(exc, GenerationError):
        return exc
    error = GenerationError(exc.message, help=exc.help)
    error.__cause__ = exc
    return error


def _error(exc: BaseException) -> GenerationError:
    """What one request's result says of what vLLM or the loop raised."""
    if isinstance(exc, AgenticDSLError):
        return request_error(exc)
    reason = next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__
    error = GenerationError(f"vLLM refused the request: {reason[:300]}", help="change what it names")
    error.__cause__ = exc
    return error
