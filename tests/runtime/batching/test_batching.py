"""`BatchQueue`: order, batches, refusals, timeouts, cancellation, hooks, failures, and its end."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_dsl.errors import AgenticDSLError, EngineError, GenerationError, ModelError
from agentic_dsl.runtime.batching import queue as batching
from agentic_dsl.runtime.batching.queue import BatchQueue
from agentic_dsl.runtime.batching.ticket import RequestRefusedError, RequestTimeoutError
from agentic_dsl.runtime.engines.base import (
    Capabilities,
    Engine,
    EngineRequest,
    EngineResult,
    Message,
    OnToken,
    Prompt,
)

PATIENCE = 20.0
"""Seconds after which a test that waits has failed."""


def request(name: object, priority: int = 0) -> EngineRequest:
    return EngineRequest(prompt=Prompt((Message("user", str(name)),)), priority=priority)


def name_of(asked: EngineRequest) -> str:
    return asked.prompt.messages[0].content


@dataclass
class Recording:
    """An engine that answers with its prompts, remembers its batches, and can be held before and between passes."""

    passes: int = 1
    batches: list[list[str]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    next_pass: Callable[[], None] = lambda: None
    done: int = 0
    closed: int = 0
    name: str = "recording"
    identity: str = "recording"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(supports_streaming=True))

    def __post_init__(self) -> None:
        self.open.set()

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.batches.append([name_of(asked) for asked in requests])
        self.began.set()
        assert self.open.wait(PATIENCE)
        for number in range(1, self.passes + 1):
            self.next_pass()
            self.done += 1
            for row, asked in enumerate(requests):
                if on_token is not None:
                    on_token(row, number, name_of(asked)[:number])
        return [EngineResult(text=name_of(asked), finish="stop") for asked in requests]

    async def agenerate(
        self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None
    ) -> list[EngineResult]:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1


@contextmanager
def queue_of(engine: Engine, *, held: bool = False, **options: object) -> Iterator[BatchQueue]:
    """A queue that is closed afterwards; ``held``: with a batch of one that runs until the engine is opened."""
    queue = BatchQueue(engine, **options)  # type: ignore[arg-type]  # the options of a test
    try:
        if held:
            assert isinstance(engine, Recording)
            engine.open.clear()
            engine.began.clear()
            queue.submit(request("first"))
            assert engine.began.wait(PATIENCE)
        yield queue
    finally:
        if isinstance(engine, Recording):
            engine.open.set()
        queue.close()
    assert not any(thread.name == "agentic-dsl-batches" and thread.is_alive() for thread in threading.enumerate())


def soon(condition: Callable[[], bool]) -> bool:
    ends = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < ends:
        time.sleep(0.002)
    return condition()


# Order and batches


@settings(max_examples=60, deadline=None)
@given(
    arrivals=st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=40),
    max_batch_size=st.integers(1, 9),
)
def test_batches_are_filled_by_priority_and_then_by_arrival(
    arrivals: list[tuple[int, bool]], max_batch_size: int
) -> None:
    engine = Recording()
    with queue_of(engine, held=True, max_batch_size=max_batch_size, max_wait=0.0) as queue:
        futures = [queue.submit(request(at, priority)) for at, (priority, _) in enumerate(arrivals)]
        for future, (_, given_up) in zip(futures, arrivals, strict=True):
            if given_up:
                assert future.cancel()
        kept = [at for at, (_, given_up) in enumerate(arrivals) if not given_up]
        assert queue.stats.waiting == len(kept)
        engine.open.set()
        for at in kept:
            assert futures[at].result(PATIENCE).text == str(at)
        order = [str(at) for at in sorted(kept, key=lambda at: (arrivals[at][0], at))]
        wanted = [order[at : at + max_batch_size] for at in range(0, len(order), max_batch_size)]
        assert engine.batches == [["first"], *wanted]
        stats = queue.stats
        assert (stats.batches, stats.requests) == (1 + len(wanted), 1 + len(kept))
        assert (stats.waiting, stats.cancelled) == (0, len(arrivals) - len(kept))


@settings(max_examples=40, deadline=None)
@given(calls=st.lists(st.lists(st.integers(-2, 2), max_size=6), max_size=8), max_batch_size=st.integers(1, 5))
def test_every_request_of_every_caller_gets_its_own_answer_once(calls: list[list[int]], max_batch_size: int) -> None:
    engine = Recording()
    with (
        queue_of(engine, max_batch_size=max_batch_size, max_wait=0.001) as queue,
        ThreadPoolExecutor(max(len(calls), 1)) as pool,
    ):
        asked = [
            [request(f"{caller}.{row}", priority) for row, priority in enumerate(call)]
            for caller, call in enumerate(calls)
        ]
        answers = list(pool.map(queue.generate, asked, timeout=PATIENCE))
    assert [[answer.text for answer in call] for call in answers] == [[name_of(one) for one in call] for call in asked]
    done = [name for batch in engine.batches for name in batch]
    assert sorted(done) == sorted(name_of(one) for call in asked for one in call)
    assert all(1 <= len(batch) <= max_batch_size for batch in engine.batches)


def test_requests_from_threads_and_coroutines_share_a_batch() -> None:
    engine = Recording()

    async def ask(queue: BatchQueue) -> list[list[EngineResult]]:
        calls = [queue.agenerate([request(f"coroutine {at}")]) for at in range(3)]
        return list(await asyncio.gather(asyncio.to_thread(queue.generate, [request("thread")]), *calls))

    with queue_of(engine, max_batch_size=4, max_wait=PATIENCE) as queue:
        answers = asyncio.run(ask(queue))
    assert [call[0].text for call in answers] == ["thread", "coroutine 0", "coroutine 1", "coroutine 2"]
    assert [len(batch) for batch in engine.batches] == [4]


def test_a_batch_that_is_not_full_waits_for_company_and_no_longer() -> None:
    engine = Recording()
    with queue_of(engine, max_batch_size=8, max_wait=0.1) as queue:
        started = time.monotonic()
        assert queue.generate([request("alone")])[0].text == "alone"
        assert time.monotonic() - started >= 0.1
        assert 0.1 <= queue.stats.mean_wait < PATIENCE
        assert queue.stats.mean_batch_size == 1.0


def test_a_full_batch_does_not_wait() -> None:
    with queue_of(Recording(), max_batch_size=2, max_wait=PATIENCE) as queue:
        started = time.monotonic()
        queue.generate([request(1), request(2)])
        assert time.monotonic() - started < PATIENCE / 2


def test_a_queue_shorter_than_a_batch_does_not_wait_for_what_cannot_come() -> None:
    with queue_of(Recording(), max_batch_size=8, max_pending=2, max_wait=PATIENCE) as queue:
        assert [answer.finish for answer in queue.generate([request(1), request(2)])] == ["stop", "stop"]


def test_no_requests_have_no_answers() -> None:
    with queue_of(Recording()) as queue:
        assert queue.generate([]) == []
        assert asyncio.run(queue.agenerate([])) == []
        assert queue.stats.batches == 0


def test_the_queue_is_an_engine_with_an_order_and_the_name_of_its_engine() -> None:
    with queue_of(Recording()) as queue:
        assert isinstance(queue, Engine)
        assert queue.name == "recording"
        assert queue.capabilities == Capabilities(supports_streaming=True, supports_priority=True)


@pytest.mark.parametrize(
    "options",
    [
        {"max_batch_size": 0},
        {"max_pending": 0},
        {"max_wait": -1.0},
        {"max_wait": float("inf")},
        {"max_wait": float("nan")},
        {"timeout": 0.0},
        {"timeout": 0.01, "max_wait": 0.02},
    ],
)
def test_limits_that_make_no_sense_are_refused_with_a_remedy(options: dict[str, float]) -> None:
    with pytest.raises(EngineError) as failure:
        BatchQueue(Recording(), **options)  # type: ignore[arg-type]  # on purpose
    assert failure.value.help


# Back-pressure


def test_a_thousand_requests_at_once_are_answered_or_refused_at_once() -> None:
    engine = Recording()

    async def flood(queue: BatchQueue) -> tuple[list[EngineResult], int]:
        calls = [asyncio.create_task(queue.agenerate([request(at)])) for at in range(1000)]
        while sum(call.done() for call in calls) < 1000 - 100:
            await asyncio.sleep(0.001)
        refused = sum(call.done() for call in calls)  # while the first batch still runs
        assert queue.stats.waiting == 100
        assert len(queue._heap) <= 100
        engine.open.set()
        return [answer for [answer] in await asyncio.wait_for(asyncio.gather(*calls), PATIENCE)], refused

    with queue_of(engine, held=True, max_pending=100, max_batch_size=8) as queue:
        answers, refused = asyncio.run(flood(queue))
        stats = queue.stats
    assert refused == 900
    errors = [answer.error for answer in answers if answer.error is not None]
    assert len(errors) == 900
    assert {type(error) for error in errors} == {RequestRefusedError}
    assert str(errors[0]).startswith("the queue is full: 100 requests wait already (help: ")
    assert [answer.text for answer in answers[:100]] == [str(at) for at in range(100)]
    assert (stats.refused, stats.requests, stats.waiting) == (900, 101, 0)


def test_a_call_that_is_too_long_for_the_queue_loses_its_last_requests_only() -> None:
    with queue_of(Recording(), max_pending=3) as queue:
        answers = queue.generate([request(at) for at in range(5)])
    assert [answer.text for answer in answers] == ["0", "1", "2", "", ""]
    assert [type(answer.error) for answer in answers[3:]] == [RequestRefusedError] * 2


def test_requests_that_were_given_up_take_no_place_and_no_memory() -> None:
    engine = Recording()
    with queue_of(engine, held=True, max_pending=4, max_batch_size=2) as queue:
        for at in range(500):
            future = queue.submit(request(at))
            assert not future.done()
            assert future.cancel()
            assert len(queue._heap) <= 5
        last = queue.submit(request("last"))
        engine.open.set()
        assert last.result(PATIENCE).text == "last"
    assert engine.batches == [["first"], ["last"]]


# Timeouts


def test_a_request_whose_time_is_over_while_it_waits_never_costs_a_pass() -> None:
    engine = Recording()
    with queue_of(engine, held=True, timeout=0.05) as queue:
        started = time.monotonic()
        [answer] = queue.generate([request("late")])
        assert 0.04 < time.monotonic() - started < PATIENCE / 2
        assert isinstance(answer.error, RequestTimeoutError)
        assert "within 0.05 s" in answer.error.message
        assert queue.stats.timed_out >= 1
        assert queue.stats.waiting == 0
        engine.open.set()
    assert engine.batches == [["first"]]


def test_coroutines_time_out_as_threads_do() -> None:
    engine = Recording()
    with queue_of(engine, held=True, timeout=0.05) as queue:
        [answer] = asyncio.run(asyncio.wait_for(queue.agenerate([request("late")]), PATIENCE))
    assert isinstance(answer.error, RequestTimeoutError)


def test_the_answer_of_a_row_that_ran_out_of_time_is_thrown_away_and_its_batch_goes_on() -> None:
    engine = Recording()
    with queue_of(engine, held=True, max_wait=0.0, timeout=0.1) as queue:
        engine.passes = 100
        seen: list[int] = []
        late = queue.submit(request("late"), on_token=lambda *_: seen.append(1))
        time.sleep(0.05)
        begun = threading.Event()

        def next_pass() -> None:
            begun.set()
            time.sleep(0.002)

        engine.next_pass = next_pass
        engine.open.set()
        assert begun.wait(PATIENCE)
        assert isinstance(late.result(PATIENCE).error, RequestTimeoutError)
    assert len(seen) < 100


def test_a_place_that_a_late_request_holds_is_given_to_the_next() -> None:
    engine = Recording()
    with queue_of(engine, held=True, max_pending=1, timeout=0.05, max_wait=0.0) as queue:
        late = queue.submit(request("late"))
        assert isinstance(queue.submit(request("too early")).result(0).error, RequestRefusedError)
        time.sleep(0.06)
        kept = queue.submit(request("kept"))
        assert isinstance(late.result(0).error, RequestTimeoutError)
        engine.open.set()
        assert kept.result(PATIENCE).text == "kept"


# Cancellation


def test_a_cancelled_coroutine_gives_up_all_that_it_asked_for() -> None:
    engine = Recording()

    async def ask(queue: BatchQueue) -> None:
        call = asyncio.create_task(queue.agenerate([request(1), request(2)]))
        await asyncio.sleep(0.01)
        assert queue.stats.waiting == 2
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert queue.stats.waiting == 0

    with queue_of(engine, held=True) as queue:
        asyncio.run(ask(queue))
        engine.open.set()
        assert queue.generate([request("next")])[0].text == "next"
        assert queue.stats.cancelled == 2
    assert engine.batches == [["first"], ["next"]]


def test_a_request_cancelled_while_it_runs_spoils_no_other() -> None:
    engine = Recording(passes=5)
    with queue_of(engine, max_batch_size=2) as queue:
        engine.open.clear()
        seen: list[int] = []
        given_up = queue.submit(request("given up"), on_token=lambda *_: seen.append(1))
        other = queue.submit(request("other"))
        assert engine.began.wait(PATIENCE)
        assert given_up.cancel()
        done, _ = wait([given_up], PATIENCE)
        assert done
        engine.open.set()
        assert other.result(PATIENCE).text == "other"
        with pytest.raises(CancelledError):
            given_up.result()
    assert (seen, engine.done) == ([], 5)


def test_a_batch_for_which_nobody_waits_any_more_ends_with_the_pass_that_it_is_in() -> None:
    engine = Recording(passes=1000)
    with queue_of(engine, max_batch_size=2) as queue:
        futures: list[Future[EngineResult]] = []

        def next_pass() -> None:
            if engine.done == 3:
                assert all(future.cancel() for future in futures)

        engine.next_pass = next_pass
        engine.open.clear()
        futures += [queue.submit(request(1)), queue.submit(request(2))]
        engine.open.set()
        assert soon(lambda: queue.stats.running == 0 and queue.stats.batches == 1)
        assert engine.done == 4
        engine.next_pass, engine.passes = (lambda: None), 1
        assert queue.generate([request("next")])[0].text == "next"


# Hooks


def test_hooks_hear_of_their_own_rows_by_their_own_numbers() -> None:
    engine = Recording(passes=3)
    heard: dict[str, list[tuple[int, int, str]]] = {"a": [], "b": []}

    def ask(queue: BatchQueue, caller: str) -> None:
        names = [f"{caller}{row}" for row in range(3)]
        queue.generate([request(name) for name in names], on_token=lambda *news: heard[caller].append(news))

    with queue_of(engine, max_batch_size=6, max_wait=PATIENCE) as queue, ThreadPoolExecutor() as pool:
        for done in [pool.submit(ask, queue, caller) for caller in heard]:
            done.result(PATIENCE)
    assert len(engine.batches) == 1
    for caller, news in heard.items():
        assert news == [(row, at, f"{caller}{row}"[:at]) for at in (1, 2, 3) for row in range(3)]


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), StopIteration()])
def test_what_a_hook_raises_reaches_its_own_caller_and_no_other(error: BaseException) -> None:
    engine = Recording(passes=3)

    def fail(row: int, tokens: int, text: str) -> None:
        if (row, tokens) == (1, 2):
            raise error

    wanted = RuntimeError if isinstance(error, StopIteration) else type(error)
    with queue_of(engine, max_batch_size=3, max_wait=PATIENCE) as queue, ThreadPoolExecutor() as pool:
        failing = pool.submit(queue.generate, [request("x"), request("y")], on_token=fail)
        assert soon(lambda: queue.stats.waiting == 2)
        other = queue.submit(request("other"))
        with pytest.raises(wanted):
            failing.result(PATIENCE)
        assert other.result(PATIENCE).text == "other"


def test_what_a_hook_raises_reaches_a_coroutine_too() -> None:
    def fail(row: int, tokens: int, text: str) -> None:
        raise StopIteration

    with queue_of(Recording(passes=50)) as queue, pytest.raises(RuntimeError):
        asyncio.run(asyncio.wait_for(queue.agenerate([request(1), request(2)], on_token=fail), PATIENCE))


def test_a_hook_that_asks_its_own_queue_is_told_so_instead_of_waiting_forever() -> None:
    with queue_of(Recording()) as queue:

        def ask_again(row: int, tokens: int, text: str) -> None:
            queue.generate([request(2)])

        with pytest.raises(EngineError, match="asks the queue that calls it"):
            queue.generate([request(1)], on_token=ask_again)


# Failures


@dataclass
class Failing(Recording):
    """An engine that cannot bear one prompt, and loses its batch."""

    error: BaseException = field(default_factory=RuntimeError)

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        answers = super().generate(requests, on_token=on_token)
        if "poison" in self.batches[-1]:
            raise self.error
        return answers


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("out of memory"), "the engine failed: out of memory"),
        (KeyError(), "the engine failed: KeyError"),
        (SystemExit(3), "the engine failed: 3"),
        (ModelError("the model is gone", help="fetch it"), "the model is gone"),
    ],
)
def test_an_engine_that_fails_in_a_batch_fails_those_requests_only(
    error: BaseException, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Failing(error=error)
    with queue_of(engine, max_batch_size=2) as queue:
        answers = queue.generate([request(name) for name in ("a", "b", "poison", "c", "d", "e")])
        assert queue.generate([request("after")])[0].text == "after"
    assert [answer.text for answer in answers] == ["a", "b", "", "", "d", "e"]
    errors = [answer.error for answer in answers[2:4]]
    assert [error.message for error in errors if error] == [message] * 2
    assert errors[0] is not errors[1]
    assert all(isinstance(error, GenerationError) and error.__cause__ is not None for error in errors)
    assert bool(caplog.records) == (not isinstance(error, AgenticDSLError))


def test_an_engine_that_gives_too_few_answers_is_an_engine_that_failed() -> None:
    class Short(Recording):
        def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
            return super().generate(requests, on_token=on_token)[1:]

    with queue_of(Short()) as queue:
        answers = queue.generate([request(1), request(2)])
    assert [answer.error.message for answer in answers if answer.error] == [
        "the engine gave 1 answers to 2 requests"
    ] * 2


# The end


def test_closing_refuses_what_waits_and_lets_the_running_batch_end() -> None:
    engine = Recording()
    with queue_of(engine, max_batch_size=1, max_wait=0.0) as queue:
        engine.open.clear()
        running = queue.submit(request("running"))
        assert engine.began.wait(PATIENCE)
        waiting = queue.submit(request("waiting"))
        closing = threading.Thread(target=queue.close)
        closing.start()
        error = waiting.result(PATIENCE).error
        assert isinstance(error, RequestRefusedError)
        assert error.message == "the queue is closed"
        assert not running.done()
        assert closing.is_alive()
        engine.open.set()
        closing.join(PATIENCE)
        assert running.result(0).text == "running"
        assert isinstance(queue.generate([request("after")])[0].error, RequestRefusedError)
        assert queue.stats.refused == 2
        queue.close()
    assert engine.batches == [["running"]]
    assert engine.closed == 1


def test_a_hook_may_close_the_queue() -> None:
    with queue_of(Recording(passes=2)) as queue:
        assert queue.generate([request(1)], on_token=lambda *_: queue.close())[0].text == "1"


def test_a_queue_without_work_keeps_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_LINGER", 0.02)
    with queue_of(Recording()) as queue:
        for _ in range(2):
            assert queue.generate([request(1)])[0].text == "1"
            assert soon(lambda: queue._worker is None)


def test_callbacks_may_ask_the_queue_again() -> None:
    engine = Recording()
    with queue_of(engine, max_batch_size=1, max_wait=0.0) as queue:
        chained: list[Future[EngineResult]] = []
        first = queue.submit(request(1))
        first.add_done_callback(lambda _: chained.append(queue.submit(request(2))))
        assert soon(lambda: bool(chained))
        assert chained[0].result(PATIENCE).text == "2"


# Everything at once


def test_whatever_callers_do_every_request_has_one_outcome_and_nothing_is_left() -> None:
    engine = Recording(passes=3)
    engine.next_pass = lambda: time.sleep(0.001)
    outcomes: list[str] = []  # appending is atomic

    def outcome(answer: EngineResult) -> str:
        return "answered" if answer.error is None else type(answer.error).__name__

    def sync(queue: BatchQueue, rng: random.Random, caller: int) -> None:
        names = [f"{caller}.{at}" for at in range(rng.randint(1, 4))]
        raising = rng.random() < 0.2

        def hook(row: int, tokens: int, text: str) -> None:
            assert text == names[row][:tokens]
            if raising and tokens == 2:
                raise KeyError(names[row])

        try:
            answers = queue.generate([request(name, rng.randint(0, 2)) for name in names], on_token=hook)
        except KeyError:
            outcomes.extend(["raised"] * len(names))
        else:
            assert all(answer.text in ("", name) for answer, name in zip(answers, names, strict=True))
            outcomes.extend(map(outcome, answers))

    def later(queue: BatchQueue, rng: random.Random, caller: int) -> None:
        future = queue.submit(request(caller, rng.randint(0, 2)))
        time.sleep(rng.random() * 0.004)
        if rng.random() < 0.5 and future.cancel():
            outcomes.append("cancelled")
        else:
            outcomes.append(outcome(future.result(PATIENCE)))

    def asynchronous(queue: BatchQueue, rng: random.Random, caller: int) -> None:
        async def ask() -> None:
            call = queue.agenerate([request(caller), request(caller)])
            try:
                outcomes.extend(map(outcome, await asyncio.wait_for(call, rng.random() * 0.02)))
            except TimeoutError:
                outcomes.extend(["cancelled"] * 2)

        asyncio.run(ask())

    def work(queue: BatchQueue, caller: int) -> int:
        rng = random.Random(caller)
        for _ in range(12):
            rng.choice((sync, later, asynchronous))(queue, rng, caller)
        return 12

    with queue_of(engine, max_batch_size=4, max_wait=0.001, max_pending=12, timeout=0.1) as queue:
        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(lambda caller: work(queue, caller), range(16), timeout=60)) == 16 * 12
        assert soon(lambda: queue.stats.running == 0)
        stats = queue.stats
        assert stats.waiting == 0
        assert soon(lambda: not any(ticket.waits for _, _, ticket in queue._heap))
    counted = Counter(outcomes)
    assert set(counted) <= {"answered", "raised", "cancelled", "RequestRefusedError", "RequestTimeoutError"}
    assert counted["answered"] > 0
    # A call that raised or was cancelled may have had refusals, timeouts and answers of its own among its requests.
    assert stats.refused >= counted["RequestRefusedError"]
    assert stats.timed_out >= counted["RequestTimeoutError"]
    assert stats.requests >= counted["answered"]
