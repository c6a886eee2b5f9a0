"""What observers are told of calls: every task once, whatever happens, and never at the cost of an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError, GenerationError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import EngineResult, Sampling
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.jobs import Jobs, Task
from agentic_dsl.runtime.observation.calls import CallInfo, Observation, Observer, Observers, Stage
from agentic_dsl.runtime.observation.metrics import Metrics
from agentic_dsl.runtime.observation.spans import Spans
from agentic_dsl.runtime.observation.trace import RequestTrace, TraceWriter, prompt_digest, read_traces

SMALL = Constraints(max_nodes=2, allowed_node_types=("assign", "end"), max_text_chars=20, path="/dynamic/small")
SEEDED = Sampling(temperature=0.7, seed=1)


@dataclass
class Diary:
    """An observer that remembers everything."""

    events: list[str] = field(default_factory=list)
    seen: list[Observation] = field(default_factory=list)

    @contextmanager
    def during(self, call: CallInfo) -> Iterator[None]:
        self.events.append(f"begin {call.count}")
        try:
            yield
        finally:
            self.events.append("end")

    @contextmanager
    def stage(self, call: CallInfo, stage: Stage) -> Iterator[None]:
        self.events.append(f"begin {stage}")
        yield
        self.events.append(f"end {stage}")

    def observe(self, seen: Observation) -> None:
        self.events.append("observe")
        self.seen.append(seen)


class Broken:
    """An observer that fails wherever it can."""

    def during(self, call: CallInfo) -> AbstractContextManager[None]:
        raise RuntimeError("during")

    @contextmanager
    def stage(self, call: CallInfo, stage: Stage) -> Iterator[None]:
        yield
        raise RuntimeError("stage")

    def observe(self, seen: Observation) -> None:
        raise RuntimeError("observe")


def generate(observers: Observers, tasks: Sequence[Task], engine: RandomEngine | None = None) -> list[Generation]:
    """One call, as `AgenticLLM` makes it."""
    engine = engine or RandomEngine("bytes", closing_boost=5.0)
    with observers.call(engine.name, len(tasks)) as call:
        with call.compiling():
            jobs = Jobs.of(tasks)
        with call.asking(jobs.jobs):
            results = engine.generate(jobs.requests(jobs.every))
        call.answered(jobs.jobs, results)
        with call.checking():
            generations = jobs.merged(jobs.generations(jobs.every, results))
        call.done(generations)
    return generations


def test_stages_are_told_in_order_and_tasks_before_the_end() -> None:
    diary = Diary()
    [generation] = generate(Observers((diary,)), [Task("a", SMALL)])
    stages = [f"{what} {stage}" for stage in ("compile", "engine", "reparse") for what in ("begin", "end")]
    assert diary.events == ["begin 1", *stages, "observe", "end"]
    [seen] = diary.seen
    assert seen.generation is generation
    assert (seen.call.engine_name, seen.call.model, seen.outcome, seen.error) == ("random", "bytes", "valid", None)
    assert seen.stats.tokens == len(generation.token_ids) > 10


def test_a_task_that_is_refused_before_the_engine_is_seen_beside_the_others() -> None:
    diary = Diary()
    impossible = Task("b", SMALL, changes={"max_output_tokens": 1})
    contradiction = Task("c", SMALL, changes={"min_nodes": 9})
    generations = generate(Observers((diary,)), [Task("a", SMALL, sampling=SEEDED), impossible, contradiction])
    assert [seen.outcome for seen in diary.seen] == ["valid", "error", "error"]
    assert [seen.error for seen in diary.seen] == [g.error and g.error.code for g in generations]
    assert diary.seen[2].error == "constraints"
    assert diary.seen[2].request is None
    assert len({seen.id for seen in diary.seen}) == 3


def test_an_engine_that_dies_is_an_error_of_every_task() -> None:
    diary = Diary()
    engine = RandomEngine("bytes")

    def dies(requests: object, on_token: object = None) -> list[EngineResult]:
        raise EngineError("the server is gone")

    engine.generate = dies  # type: ignore[method-assign]  # what a server that was killed looks like from here
    with pytest.raises(EngineError, match="the server is gone"):
        generate(Observers((diary,)), [Task("a", SMALL), Task("b", SMALL)], engine)
    assert [(seen.outcome, seen.error) for seen in diary.seen] == [("error", "engine")] * 2
    assert all(seen.request is not None for seen in diary.seen)
    assert diary.events[-1] == "end"


@pytest.mark.parametrize(
    ("error", "code"),
    [(asyncio.CancelledError(), "cancelled"), (KeyboardInterrupt(), "cancelled"), (RuntimeError("x"), "bug")],
)
def test_a_call_that_is_broken_off_says_why(error: BaseException, code: str) -> None:
    diary = Diary()
    with pytest.raises(type(error)), Observers((diary,)).call("random/bytes", 1):
        raise error
    assert [seen.error for seen in diary.seen] == [code]


def test_a_failure_after_the_answers_reports_no_task_twice() -> None:
    diary = Diary()
    failed = Generation.failed(GenerationError("x"))

    def fails_late() -> None:
        with Observers((diary,)).call("random/bytes", 2) as call:
            call.done([failed, failed])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_late()
    assert [seen.error for seen in diary.seen] == ["generation", "generation"]


def test_an_observer_that_fails_costs_no_answer_and_no_other_observer(caplog: pytest.LogCaptureFixture) -> None:
    diary = Diary()
    broken: Observer = Broken()
    with caplog.at_level(logging.WARNING):
        [generation] = generate(Observers((broken, diary)), [Task("a", SMALL)])
    assert generation.valid
    assert len(diary.seen) == 1
    assert {record.getMessage() for record in caplog.records} == {"Broken failed; the answer is not affected"}
    assert len(caplog.records) == 5  # during, three stages, observe


def test_answers_that_came_before_a_failure_keep_what_is_known_of_them() -> None:
    diary = Diary()
    engine = RandomEngine("bytes", closing_boost=5.0)
    jobs = Jobs.of([Task("a", SMALL), Task("b", SMALL)])

    def fails_while_checking() -> None:
        with Observers((diary,)).call(engine.name, 2) as call:
            with call.asking(jobs.jobs):
                results = engine.generate(jobs.requests(jobs.every)[:1])
            call.answered(jobs.jobs[:1], results)
            with call.checking():
                raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_while_checking()
    assert [seen.outcome for seen in diary.seen] == ["error", "error"]
    assert [seen.result and seen.result.finish for seen in diary.seen] == ["stop", None]


def test_everybody_installed_listens_and_others_after_them(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.jsonl") as writer:
        assert [type(observer) for observer in Observers.installed(writer).observers] == [Spans, Metrics, TraceWriter]


def test_nobody_needs_to_listen() -> None:
    assert generate(Observers(), [Task("a", SMALL)])[0].valid


# As traces


def trace_of(tmp_path: Path, tasks: Sequence[Task], **options: bool) -> tuple[list[RequestTrace], list[Generation]]:
    with TraceWriter(tmp_path / "t.jsonl", **options) as writer:  # type: ignore[arg-type]  # switches only
        generations = generate(Observers((writer,)), tasks)
    return list(read_traces(tmp_path / "t.jsonl", on_skip=pytest.fail)), generations


def test_a_trace_holds_what_the_request_was_and_what_it_cost(tmp_path: Path) -> None:
    [trace], [generation] = trace_of(tmp_path, [Task("write a poem", SMALL, sampling=SEEDED, priority=3)])
    request = Jobs.of([Task("write a poem", SMALL)]).jobs[0].request
    assert (trace.engine, trace.model, trace.path) == ("random", "bytes", "/dynamic/small")
    assert trace.prompt_sha256 == prompt_digest(request.prompt)
    assert trace.constraints == compile(SMALL).constraints.digest
    assert (trace.sampling, trace.priority) == (SEEDED, 3)
    assert trace.token_ids == generation.token_ids
    assert trace.prompt_token_ids == generation.prompt_token_ids
    assert trace.stats == generation.stats
    assert (trace.finish, trace.overlay, trace.valid, trace.cached, trace.error) == ("stop", True, True, False, None)
    assert trace.diagnostics == tuple(finding.code for finding in generation.diagnostics)
    assert trace.time.endswith("Z")


def test_texts_are_kept_only_where_they_are_asked_for(tmp_path: Path) -> None:
    trace_of(tmp_path, [Task("the secret word is xyzzy", SMALL)], token_ids=False)
    assert b"xyzzy" not in (tmp_path / "t.jsonl").read_bytes()
    [first, trace], [generation] = trace_of(tmp_path, [Task("the secret word is xyzzy", SMALL)], texts=True)
    assert (first.prompt, first.text, first.token_ids, first.prompt_token_ids) == (None, None, None, None)
    assert trace.text == generation.text
    assert trace.prompt is not None
    assert "xyzzy" in trace.prompt[-1]["content"]


def test_a_text_that_no_file_can_hold_is_kept_as_far_as_it_can(tmp_path: Path) -> None:
    [trace], _ = trace_of(tmp_path, [Task("half \ud800 pair", SMALL)], texts=True)
    assert trace.prompt is not None
    assert "half ? pair" in trace.prompt[-1]["content"]


def test_an_answer_from_the_cache_costs_nothing(tmp_path: Path) -> None:
    diary = Diary()
    [before] = generate(Observers(()), [Task("a", SMALL)])
    with (
        TraceWriter(tmp_path / "t.jsonl") as writer,
        Observers((diary, writer)).call("random/bytes", 1, has_cache=True) as call,
    ):
        jobs = Jobs.of([Task("a", SMALL)])
        with call.asking(jobs.jobs):
            pass
        call.done([replace(before, cached=True)])
    assert (diary.seen[0].cached, diary.seen[0].stats.tokens, diary.seen[0].outcome) == (True, 0, "valid")
    [trace] = read_traces(tmp_path / "t.jsonl", on_skip=pytest.fail)
    assert (trace.cached, trace.finish, trace.overlay, trace.valid) == (True, None, None, True)
    assert trace.token_ids == before.token_ids
