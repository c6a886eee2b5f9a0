"""Spans: the tree of a call, attributes by the conventions' own names, and no spans without a provider."""

from __future__ import annotations

import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace import StatusCode, format_trace_id

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Sampling, ServingHints, Stats
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.jobs import Jobs, Task
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.observation.spans import ATTRIBUTES, BATCH, GENERATE, Spans

SMALL = Constraints(max_nodes=2, allowed_node_types=("assign", "end"), max_text_chars=20, max_output_tokens=900)


class Recorder:
    """A tracer provider and what it recorded."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.observers = Observers((Spans(self.provider),))

    @property
    def spans(self) -> list[ReadableSpan]:
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def children(self, parent: ReadableSpan) -> list[str]:
        assert parent.context is not None
        return [
            span.name
            for span in self.spans
            if span.parent is not None and span.parent.span_id == parent.context.span_id
        ]


def call(recorder: Recorder, *tasks: Task, engine: RandomEngine | None = None) -> None:
    engine = engine or RandomEngine("bytes", closing_boost=5.0)
    with recorder.observers.call(engine.name, len(tasks)) as running:
        with running.compiling():
            jobs = Jobs.of(tasks)
        with running.asking(jobs.jobs):
            results = engine.generate(jobs.requests(jobs.every))
        running.answered(jobs.jobs, results)
        with running.checking():
            generations = jobs.merged(jobs.generations(jobs.every, results))
        running.done(generations)


def test_a_single_task_is_one_span_with_its_stages_below() -> None:
    recorder = Recorder()
    hints = ServingHints(session="run-1")
    call(recorder, Task("a", SMALL, sampling=Sampling(temperature=0.5, top_k=7, seed=3), hints=hints))
    [span] = recorder.named(GENERATE)
    assert span.parent is None
    assert recorder.children(span) == ["agentic_dsl.compile", "agentic_dsl.engine", "agentic_dsl.reparse"]
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.provider.name"] == "random"
    assert attributes["gen_ai.request.model"] == "bytes"
    assert attributes["gen_ai.request.max_tokens"] == 900
    assert attributes["gen_ai.request.temperature"] == 0.5
    assert attributes["gen_ai.request.top_k"] == 7
    assert attributes["gen_ai.request.seed"] == 3
    assert attributes["gen_ai.conversation.id"] == "run-1"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["agentic_dsl.outcome"] == "valid"
    assert attributes["agentic_dsl.constraints"] == SMALL.digest
    assert 10 < int(str(attributes["gen_ai.usage.output_tokens"])) <= 900
    assert "error.type" not in attributes
    assert span.status.status_code is StatusCode.UNSET


def test_tasks_of_a_batch_are_spans_of_their_own_below_it() -> None:
    recorder = Recorder()
    call(recorder, Task("a", SMALL), Task("b", SMALL, changes={"min_nodes": 99}))
    [batch] = recorder.named(BATCH)
    assert sorted(recorder.children(batch)) == [
        *("agentic_dsl.compile", "agentic_dsl.engine"),
        *(GENERATE, GENERATE, "agentic_dsl.reparse"),
    ]
    good, bad = sorted(recorder.named(GENERATE), key=lambda span: span.status.status_code.value)
    assert (good.end_time or 0) > (good.start_time or 0)
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, "constraints")
    assert (bad.attributes or {})["error.type"] == "constraints"
    assert (batch.attributes or {})["agentic_dsl.batch_size"] == 2


def test_what_the_engine_records_is_below_its_stage() -> None:
    recorder = Recorder()
    engine = RandomEngine("bytes", closing_boost=5.0)
    real = engine.generate

    def traced(requests: list[EngineRequest], on_token: object = None) -> list[EngineResult]:
        with recorder.provider.get_tracer("http").start_as_current_span("POST"):
            return real(requests)

    engine.generate = traced  # type: ignore[method-assign, assignment]  # as instrumentation of a client does
    call(recorder, Task("a", SMALL), engine=engine)
    [stage] = recorder.named("agentic_dsl.engine")
    assert recorder.children(stage) == ["POST"]


def test_a_call_belongs_to_the_span_that_it_was_made_in() -> None:
    recorder = Recorder()
    with recorder.provider.get_tracer("app").start_as_current_span("my request") as mine:
        call(recorder, Task("a", SMALL))
    [span] = recorder.named(GENERATE)
    assert span.parent is not None
    assert span.parent.span_id == mine.get_span_context().span_id
    assert len({format_trace_id(found.context.trace_id) for found in recorder.spans if found.context}) == 1


def test_an_engine_that_fails_marks_span_and_stage_as_failed() -> None:
    recorder = Recorder()
    engine = RandomEngine("bytes")

    def dies(requests: object, on_token: object = None) -> list[EngineResult]:
        raise EngineError("gone")

    engine.generate = dies  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="gone"):
        call(recorder, Task("a", SMALL), engine=engine)
    [span], [stage] = recorder.named(GENERATE), recorder.named("agentic_dsl.engine")
    assert (span.attributes or {})["error.type"] == "engine"
    assert span.status.status_code is stage.status.status_code is StatusCode.ERROR


def test_names_are_those_of_the_conventions() -> None:
    known = {getattr(module, name) for module in (gen_ai_attributes, error_attributes) for name in dir(module)
             if name.isupper()}  # fmt: skip
    ours = [name for name, _ in ATTRIBUTES if not name.startswith("agentic_dsl.")]
    assert ours
    assert set(ours) <= known
    assert gen_ai_attributes.GEN_AI_SYSTEM not in ours  # replaced by the provider's name


def test_no_text_of_prompt_or_answer_is_in_a_span() -> None:
    recorder = Recorder()
    call(recorder, Task("the secret word is xyzzy", SMALL))
    assert "xyzzy" not in "".join(span.to_json() for span in recorder.spans)


@pytest.mark.parametrize("wrong", [-1, pytest.param(int("9" * 401), id="401 digits"), float("nan"), float("inf")])
@pytest.mark.parametrize("count", [1, 2])
def test_numbers_that_no_request_can_have_are_left_out_and_every_span_ends(
    count: int, wrong: float, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    stats = Stats(**dict.fromkeys(("tokens", "prompt_tokens", "cached_tokens", "mask_us", "seconds"), wrong))  # type: ignore[arg-type]  # what a server may claim
    generation = Generation(text="", subgraph=None, diagnostics=(), report=(), stats=stats)
    with recorder.observers.call("e/m", count) as running, running.asking([]):
        running.done([generation] * count)
    assert caplog.records == []
    spans = recorder.named(GENERATE)
    assert len(spans) == count
    for span in spans:
        assert (span.start_time or 0) <= (span.end_time or 0) <= time.time_ns()
        attributes = dict(span.attributes or {})
        assert attributes["agentic_dsl.outcome"] == "invalid"
        assert attributes["agentic_dsl.forward_passes"] == 0
        assert not [name for name in attributes if name.startswith("gen_ai.usage") or name.endswith("mask_seconds")]


def test_a_single_task_stays_one_span_where_the_engine_learns_its_model_on_the_way() -> None:
    recorder = Recorder()
    generation = Generation(text="", subgraph=None, diagnostics=(), report=())
    with recorder.observers.call("openai", 1) as running:
        with running.asking([]):
            pass
        running.answered([], [], "openai/small")
        running.done([generation])
    [span] = recorder.named(GENERATE)
    assert (span.attributes or {})["gen_ai.request.model"] == "small"


def test_without_a_provider_nothing_is_recorded_and_little_is_spent() -> None:
    observers = Observers((Spans(),))
    start = time.perf_counter()
    for _ in range(200):
        with observers.call("random/bytes", 1) as running:
            with running.compiling():
                jobs = Jobs.of([])
            with running.asking(jobs.jobs):
                pass
            running.done([])
    assert time.perf_counter() - start < 1.0
