"""OpenTelemetry spans of what `AgenticLLM` generates, named after the semantic conventions for generative AI.

A single task is one span ``agentic_dsl.generate`` with its stages as children. Several are a span
``agentic_dsl.batch`` with the stages, which they share, and one ``agentic_dsl.generate`` each. Whatever the engine
records while it runs, such as requests over HTTP, becomes a child of the stage ``agentic_dsl.engine``.

Without the library there are none (`Spans.where_installed` is None), without a tracer provider none is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agentic_dsl.errors import MissingExtraError
from agentic_dsl.runtime.engines.base import EngineRequest
from agentic_dsl.runtime.engines.costs import possible
from agentic_dsl.runtime.observation.calls import CallInfo, Observation, Stage

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.util.types import AnyValue

GENERATE, BATCH = "agentic_dsl.generate", "agentic_dsl.batch"
"""The names of the spans of a task and of several together; stages are called ``agentic_dsl.`` and their own name."""

Value = str | bool | int | float | Sequence[str] | None


def _of_request(read: Callable[[EngineRequest], Value]) -> Callable[[Observation], Value]:
    """An attribute that only tasks have which became a request."""
    return lambda seen: None if seen.request is None else read(seen.request)


def _in_seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


ATTRIBUTES: tuple[tuple[str, Callable[[Observation], Value]], ...] = (
    ("gen_ai.operation.name", lambda _: "chat"),
    ("gen_ai.provider.name", lambda seen: seen.call.engine_name),
    ("gen_ai.output.type", lambda _: "text"),
    ("gen_ai.request.model", lambda seen: seen.call.model),
    ("gen_ai.request.max_tokens", _of_request(lambda request: request.max_output_tokens)),
    ("gen_ai.request.temperature", _of_request(lambda request: request.sampling.temperature)),
    ("gen_ai.request.top_p", _of_request(lambda request: request.sampling.top_p)),
    ("gen_ai.request.top_k", _of_request(lambda request: request.sampling.top_k or None)),
    ("gen_ai.request.seed", _of_request(lambda request: request.sampling.seed)),
    ("gen_ai.conversation.id", _of_request(lambda request: request.hints.session if request.hints else None)),
    ("gen_ai.response.finish_reasons", lambda seen: None if seen.result is None else (seen.result.finish,)),
    ("gen_ai.usage.input_tokens", lambda seen: possible(seen.stats.prompt_tokens)),
    ("gen_ai.usage.output_tokens", lambda seen: possible(seen.stats.tokens)),
    ("gen_ai.usage.cache_read.input_tokens", lambda seen: possible(seen.stats.cached_tokens)),
    ("error.type", lambda seen: seen.error),
    ("agentic_dsl.request_id", lambda seen: seen.id),
    ("agentic_dsl.outcome", lambda seen: seen.outcome),
    ("agentic_dsl.cached", lambda seen: seen.cached),
    ("agentic_dsl.overlay", lambda seen: None if seen.result is None else seen.result.overlay),
    ("agentic_dsl.constraints", _of_request(lambda r: None if r.spec is None else r.spec.constraints.digest)),
    ("agentic_dsl.forward_passes", lambda seen: possible(seen.stats.forward_passes)),
    ("agentic_dsl.jump_forward_tokens", lambda seen: possible(seen.stats.jump_forward_tokens)),
    ("agentic_dsl.mask_seconds", lambda seen: _in_seconds(possible(seen.stats.mask_us))),
    (
        "agentic_dsl.diagnostics",
        lambda seen: () if seen.generation is None else tuple(finding.code for finding in seen.generation.diagnostics),
    ),
)
"""Attribute of `GENERATE` → its value; None leaves it out."""


class Spans:
    """Records every call as spans. Safe to share between threads."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        """Takes a tracer.

        Args:
            provider: of the tracer; None is the one that the application has set, even if it does so later.

        Raises:
            MissingExtraError: ``opentelemetry-api`` is not installed.
        """
        try:
            from opentelemetry import trace
        except ImportError as exc:
            raise MissingExtraError.of("opentelemetry-api", "metrics") from exc
        self._tracer = trace.get_tracer("agentic_dsl", tracer_provider=provider)
        self._single: dict[object, Span] = {}
        """The span of each task that runs alone, by the key of its call."""

    @classmethod
    def where_installed(cls, provider: TracerProvider | None = None) -> Spans | None:
        """The spans, None without the library."""
        return cls(provider) if find_spec("opentelemetry") is not None else None

    @contextmanager
    def during(self, call: CallInfo) -> Iterator[None]:
        """See `Observer.during`."""
        if call.count == 1:
            with self._tracer.start_as_current_span(GENERATE) as span:
                self._single[call.key] = span
                try:
                    yield
                finally:
                    del self._single[call.key]
        else:
            attributes: dict[str, AnyValue] = {
                "gen_ai.provider.name": call.engine_name,
                "agentic_dsl.batch_size": call.count,
            }
            with self._tracer.start_as_current_span(BATCH, attributes=attributes):
                yield

    @contextmanager
    def stage(self, _call: CallInfo, stage: Stage) -> Iterator[None]:
        """See `Observer.stage`."""
        with self._tracer.start_as_current_span(f"agentic_dsl.{stage}"):
            yield

    def observe(self, seen: Observation) -> None:
        """See `Observer.observe`."""
        span = self._single.get(seen.call.key)
        if span is not None:
            _describe(span, seen)
            return
        span = self._tracer.start_span(GENERATE, start_time=seen.asked_ns)
        _describe(span, seen)
        span.end(_end_ns(seen))


def _end_ns(seen: Observation) -> int:
    """When the task was over, by what its engine says as far as that can be."""
    now = time.time_ns()
    seconds = possible(seen.stats.seconds)
    return now if seconds is None else min(now, seen.asked_ns + int(seconds * 1e9))


def _describe(span: Span, seen: Observation) -> None:
    from opentelemetry.trace import Status, StatusCode

    if not span.is_recording():
        return
    for name, read in ATTRIBUTES:
        if (value := read(seen)) is not None:
            span.set_attribute(name, value)
    if seen.error is not None:
        span.set_status(Status(StatusCode.ERROR, seen.error))


__all__ = ["ATTRIBUTES", "BATCH", "GENERATE", "Spans"]
